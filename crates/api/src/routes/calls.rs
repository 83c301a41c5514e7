//! Live calls and call records.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_core::{
    ids::{AttemptId, CallId, CampaignId, FlowId, UserId},
    live::CallView,
    permission::Permission,
    phone::{PhoneNumber, countries_of},
    switchboard::{Command, TransferCall},
    transfer::Target,
};
use strowger_store::{
    calls::{Before, CallRecordRow},
    transfers::TransferRow,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    guard::{May, ReadCallRecords, WorkAsAgent},
    input::{Body, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{Asked, Shared},
};

/// Hang up
///
/// An agent hangs up their own call, a supervisor any.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/hangup", tag = "calls", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Told to end", body = Done),
        (status = 403, description = "It is somebody else's call", body = ProblemBody),
        (status = 404, description = "It is over", body = ProblemBody),
    )
)]
pub(crate) async fn hang_up(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
) -> Result<Json<Done>, Problem> {
    if !caller.may(Permission::ManageAgents) {
        let call = app.api.hub.call(id);
        // The same for a call of somebody else and one that does not exist.
        if call.is_none_or(|call| call.agent_id.as_ref() != Some(caller.id())) {
            return Err(Problem::forbidden(
                "this is not your call, or it is over: an agent hangs up their own call",
            ));
        }
    }
    let asked = Asked::by(caller.id(), "call.hung-up", id.to_string());
    app.tell(asked, Command::HangUp(id)).await?;
    Ok(Done::ok())
}

/// Where a call is to go: exactly one of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// An agent who waits for a call.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "usr_0198c0de00000000000000000000000b")]
    agent_id: Option<UserId>,
    /// A number outside, in E.164 or as it is dialed in the country of the person on the call.
    #[serde(default)]
    #[schema(example = "+33142278187")]
    number: Option<String>,
    /// A published flow, which may lead to a queue.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    flow_id: Option<FlowId>,
}

impl TransferBody {
    /// Numbers without a country are read as numbers of the region.
    fn target(self, region: &str) -> Result<Target, Problem> {
        match (self.agent_id, self.number, self.flow_id) {
            (Some(agent), None, None) => Ok(Target::Agent(agent)),
            (None, Some(number), None) => PhoneNumber::parse(&number, region)
                .map(Target::Outside)
                .map_err(|error| Problem::field("number", error.to_string())),
            (None, None, Some(flow)) => Ok(Target::Flow(flow)),
            _ => Err(Problem::field(
                "agent_id",
                "say where the call is to go: give exactly one of agent_id, number and flow_id",
            )),
        }
    }
}

/// The country in which numbers are dialed as the person on a call does.
fn region_of(call: Option<&CallView>) -> &'static str {
    let number = call.and_then(|call| call.number.clone().or_else(|| call.did.clone()));
    let number = number.and_then(|number| PhoneNumber::try_from(number).ok());
    let countries = number.map_or(&[][..], |number| countries_of(&number));
    countries.first().copied().unwrap_or("ZZ")
}

/// Transfer a call
///
/// The conversation goes to another agent, to a flow, or to a number outside. An agent
/// transfers their own call, a supervisor any. The agent who had it wraps up. When nobody takes
/// it there, it comes back to them, or goes to whoever is free. Numbers outside are called at
/// the cost of the centre: the configuration says who may have them called
/// (`transfers.outside_by`) and in which countries, and premium numbers are never called.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/transfer", tag = "calls", params(("id" = String, Path)),
    request_body = TransferBody,
    responses(
        (status = 200, description = "Told to go there", body = Done),
        (status = 403, description = "It is somebody else's call, or may not go there", body = ProblemBody),
        (status = 404, description = "It is over", body = ProblemBody),
        (status = 409, description = "It cannot go there now", body = ProblemBody),
        (status = 422, description = "Nowhere, or a number that is not called", body = ProblemBody),
    )
)]
pub(crate) async fn transfer(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
    Body(body): Body<TransferBody>,
) -> Result<Json<Done>, Problem> {
    let call = app.api.hub.call(id);
    let to = body.target(region_of(call.as_deref()))?;
    if !caller.may(Permission::ManageAgents) {
        if call.is_none_or(|call| call.agent_id.as_ref() != Some(caller.id())) {
            return Err(Problem::forbidden(
                "this is not your call, or it is over: an agent transfers their own call",
            ));
        }
        let store = &app.api.store;
        if !store.has_call_control(caller.id(), "transfer").await? {
            return Err(Problem::forbidden(
                "your profile does not let you transfer calls: ask an administrator",
            ));
        }
    }
    let change = match &to {
        Target::Agent(agent) => json!({ "agent_id": agent }),
        Target::Flow(flow) => {
            if app.api.store.published_flow(flow).await?.is_none() {
                return Err(Problem::field("flow_id", "no such flow is published"));
            }
            json!({ "flow_id": flow })
        }
        Target::Outside(number) => {
            let by = app.api.settings.outside_by;
            if !caller.may(Permission::TransferOutside) || !by.includes(caller.user.role) {
                return Err(Problem::forbidden(
                    "you may not have calls transferred to numbers outside (transfers.outside_by)",
                ));
            }
            json!({ "number": number })
        }
    };
    let asked = Asked::by(caller.id(), "call.transferred", id.to_string()).with(change);
    let by = caller.id().clone();
    let command = Command::Transfer(TransferCall { call: id, by, to });
    app.tell(asked, command).await?;
    Ok(Done::ok())
}

/// A transfer of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TransferView {
    /// Counts the transfers of the call from 1.
    ordinal: i32,
    /// Who asked for it.
    asked_by: Option<String>,
    /// When.
    asked_at: DateTime<Utc>,
    /// The agent who had the call.
    from_agent_id: Option<String>,
    /// agent, outside or flow.
    kind: String,
    /// The agent whom it went to.
    to_agent_id: Option<String>,
    /// The flow that it went to.
    to_flow_id: Option<String>,
    /// The number outside that it went to.
    to_number: Option<String>,
    /// The trunk that it left through.
    trunk_id: Option<String>,
    /// The number that was shown there.
    caller_id: Option<String>,
    /// When it was taken.
    answered_at: Option<DateTime<Utc>>,
    /// When it failed, or what it began was over; null while it goes on.
    ended_at: Option<DateTime<Utc>>,
    /// answered, no-answer, failed, or call-ended.
    outcome: Option<String>,
}

impl From<TransferRow> for TransferView {
    fn from(row: TransferRow) -> Self {
        Self {
            ordinal: row.ordinal,
            asked_by: row.asked_by,
            asked_at: row.asked_at,
            from_agent_id: row.from_agent_id,
            kind: row.kind,
            to_agent_id: row.to_agent_id,
            to_flow_id: row.to_flow_id,
            to_number: row.to_number,
            trunk_id: row.trunk_id,
            caller_id: row.caller_id,
            answered_at: row.answered_at,
            ended_at: row.ended_at,
            outcome: row.outcome,
        }
    }
}

/// List the transfers of a call
#[utoipa::path(
    get, path = "/api/v1/calls/{id}/transfers", tag = "calls", params(("id" = String, Path)),
    responses((status = 200, description = "In order; none when it was not transferred", body = Data<Vec<TransferView>>))
)]
pub(crate) async fn transfers(
    _caller: May<ReadCallRecords>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
) -> Result<Json<Data<Vec<TransferView>>>, Problem> {
    let rows = app.api.store.transfers(id).await?;
    Ok(Data::of(rows.into_iter().map(TransferView::from).collect()))
}

/// Which call records.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this campaign.
    campaign_id: Option<String>,
}

/// A call record (CDR).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallRecordView {
    /// The call.
    #[schema(value_type = String, example = "call_0198c0de00000000000000000000000a")]
    id: CallId,
    /// outbound or inbound.
    direction: String,
    /// The attempt, when outbound.
    #[schema(value_type = Option<String>)]
    attempt_id: Option<AttemptId>,
    /// The campaign, when outbound.
    campaign_id: Option<String>,
    /// The contact, when outbound.
    contact_id: Option<String>,
    /// The agent who talked.
    agent_id: Option<String>,
    /// The number that called.
    source: Option<String>,
    /// The number that was called.
    destination: String,
    /// The flow, when inbound.
    flow_id: Option<String>,
    /// The queue, when it waited in one.
    queue_id: Option<String>,
    /// The number that it was transferred to.
    transferred_to: Option<String>,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it was answered.
    answered_at: Option<DateTime<Utc>>,
    /// When an agent was connected.
    bridged_at: Option<DateTime<Utc>>,
    /// When the conversation ended.
    unbridged_at: Option<DateTime<Utc>>,
    /// When it ended; null while it goes on.
    ended_at: Option<DateTime<Utc>>,
    /// The telephony outcome.
    disposition: Option<String>,
    /// The hang-up cause (Q.850).
    cause: Option<i16>,
    /// There is a recording.
    has_recording: bool,
    /// There is a voicemail message.
    has_voicemail: bool,
    /// How long the message is.
    voicemail_ms: Option<i64>,
}

impl From<CallRecordRow> for CallRecordView {
    fn from(row: CallRecordRow) -> Self {
        let outbound = row.direction == "outbound";
        Self {
            id: CallId(row.id),
            direction: row.direction,
            attempt_id: outbound.then_some(AttemptId(row.id)),
            campaign_id: row.campaign_id,
            contact_id: row.contact_id,
            agent_id: row.agent_id,
            source: row.source,
            destination: row.destination,
            flow_id: row.flow_id,
            queue_id: row.queue_id,
            transferred_to: row.transferred_to,
            started_at: row.started_at,
            answered_at: row.answered_at,
            bridged_at: row.bridged_at,
            unbridged_at: row.unbridged_at,
            ended_at: row.ended_at,
            disposition: row.disposition,
            cause: row.cause,
            // Where files lie is nobody's business outside.
            has_recording: row.recording.is_some(),
            has_voicemail: row.voicemail.is_some(),
            voicemail_ms: row.voicemail_ms,
        }
    }
}

fn write_cursor(row: &CallRecordRow) -> String {
    format!("{}.{}", row.started_at.timestamp_micros(), row.id.simple())
}

fn read_cursor(text: &str) -> Option<Before> {
    let (micros, id) = text.split_once('.')?;
    Some(Before {
        started_at: DateTime::from_timestamp_micros(micros.parse().ok()?)?,
        id: Uuid::try_parse(id).ok()?,
    })
}

/// List call records
#[utoipa::path(
    get, path = "/api/v1/call-records", tag = "calls", params(Filter, PageQuery),
    responses((status = 200, description = "Newest first", body = Page<CallRecordView>))
)]
pub(crate) async fn records(
    _caller: May<ReadCallRecords>,
    State(app): State<Shared>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CallRecordView>>, Problem> {
    let limit = page.limit()?;
    let wrong_cursor = || {
        Problem::field(
            "cursor",
            "not a cursor: give `next` of the page before, or leave it out",
        )
    };
    let before = page
        .cursor()
        .map(|text| read_cursor(text).ok_or_else(wrong_cursor))
        .transpose()?;
    let campaign = filter
        .campaign_id
        .filter(|id| !id.is_empty())
        .map(CampaignId::new)
        .transpose()
        .map_err(|error| Problem::field("campaign_id", error.to_string()))?;
    let rows = app
        .api
        .store
        .call_records(campaign.as_ref().map(CampaignId::as_str), before, limit + 1)
        .await?;
    Ok(Page::cut(rows, limit, write_cursor, CallRecordView::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form_and_garbage_is_none() {
        let before = read_cursor("1763630000123456.0198c0de00000000000000000000000a").unwrap();
        assert_eq!(before.started_at.timestamp_micros(), 1_763_630_000_123_456);
        for text in [
            "",
            ".",
            "1.x",
            "x.0198c0de00000000000000000000000a",
            "9223372036854775807.0198c0de00000000000000000000000a",
        ] {
            assert!(read_cursor(text).is_none(), "{text:?}");
        }
    }
}
