//! Live calls and call records.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{AttemptId, CallId, CampaignId},
    permission::Permission,
    switchboard::Command,
};
use strowger_store::calls::{Before, CallRecordRow};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    guard::{May, ReadCallRecords, WorkAsAgent},
    input::{Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Done, Page, PageQuery},
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
