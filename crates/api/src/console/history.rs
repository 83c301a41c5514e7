//! Calls as the console's history shows them.

use axum::{Router, extract::State, routing::get};
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::{
    ids::{CallId, CampaignId},
    phone::PhoneNumber,
};
use strowger_store::history::{PastCall, PastCalls};

use super::{Answer, Caller, instant, shape::Query};
use crate::{
    guard::ReadCallRecords,
    problem::Problem,
    state::{App, Shared},
};

/// Most calls of a history in one answer.
pub(super) const MAX_CALLS: u32 = 5_000;

/// Most calls of a page, and most pages that can be turned to.
const MAX_LIMIT: u32 = 500;
const MAX_PAGE: u32 = 100_000;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/supervisor/call-history", get(pages))
}

type At = chrono::DateTime<chrono::Utc>;

fn at(moment: At) -> Value {
    strowger_core::time::Timestamp::from_microsecond(moment.timestamp_micros())
        .map_or(Value::Null, |moment| json!(instant(moment)))
}

fn seconds(from: Option<At>, until: Option<At>) -> i64 {
    match (from, until) {
        (Some(from), Some(until)) => (until - from).num_seconds().max(0),
        (Some(_) | None, Some(_) | None) => 0,
    }
}

/// How Asterisk calls what became of a call.
fn call_status(call: &PastCall) -> &'static str {
    match call.disposition.as_deref() {
        Some("busy") => "BUSY",
        Some("no-answer" | "cancelled") => "NO ANSWER",
        Some(
            "rejected" | "unreachable" | "invalid" | "carrier-failure" | "configuration-failure",
        ) => "FAILED",
        Some(_) | None if call.answered_at.is_some() => "ANSWERED",
        Some(_) | None => "NO ANSWER",
    }
}

/// A number as people of the region dial it; anything else as it is.
fn number(text: &str, region: &str) -> String {
    PhoneNumber::try_from(text.to_owned()).map_or_else(|_| text.to_owned(), |n| n.dialed_in(region))
}

/// A call. Its duration is counted from the answer, and the billable one while an agent talked:
/// the boards take calls with a duration for answered ones.
pub(crate) fn call_shown(call: &PastCall) -> Value {
    let source = call.source.as_deref().unwrap_or_default();
    let (source, destination) = (
        number(source, &call.region),
        number(&call.destination, &call.region),
    );
    let customer = match call.direction.as_str() {
        "inbound" => source.clone(),
        _ => destination.clone(),
    };
    json!({
        "id": CallId(call.id),
        "startTime": at(call.started_at),
        "timestamp": at(call.started_at),
        "endTime": call.ended_at.map_or(Value::Null, at),
        "duration": seconds(call.answered_at, call.ended_at),
        "billableDuration": seconds(call.bridged_at, call.unbridged_at.or(call.ended_at)),
        "direction": call.direction,
        "callStatus": call_status(call),
        "source": source,
        "destination": destination,
        "callerNumber": customer,
        "agentId": call.agent_id,
        "contactId": call.contact_id,
        "campaignId": call.campaign_id,
        "qualificationId": call.qualification_id,
    })
}

/// The calls of a campaign, newest first.
pub(super) async fn of_campaign(app: &App, campaign: &CampaignId) -> Result<Value, Problem> {
    let which = PastCalls {
        campaign: Some(campaign.clone()),
        ..PastCalls::default()
    };
    let calls = app.api.store.past_calls(&which, 0, MAX_CALLS).await?;
    Ok(Value::Array(calls.iter().map(call_shown).collect()))
}

#[derive(Deserialize)]
struct PageIn {
    page: Option<String>,
    limit: Option<String>,
}

async fn pages(
    Caller(_): Caller<ReadCallRecords>,
    State(app): State<Shared>,
    Query(asked): Query<PageIn>,
) -> Answer<axum::Json<Value>> {
    let read = |text: Option<String>, otherwise: u32, most: u32| {
        text.and_then(|text| text.parse::<u32>().ok())
            .unwrap_or(otherwise)
            .clamp(1, most)
    };
    let (page, limit) = (
        read(asked.page, 1, MAX_PAGE),
        read(asked.limit, 50, MAX_LIMIT),
    );
    let store = &app.api.store;
    let mut calls = store
        .past_calls(&PastCalls::default(), (page - 1) * limit, limit + 1)
        .await?;
    let more = calls.len() > limit as usize;
    calls.truncate(limit as usize);
    Ok(axum::Json(json!({
        "records": calls.iter().map(call_shown).collect::<Vec<_>>(),
        "totalRecords": store.past_call_count().await?,
        "currentPage": page,
        "hasNextPage": more,
    })))
}
