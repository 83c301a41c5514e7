//! The planning of agents as the console shows and changes it.

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::{ids::UserId, time::Timestamp};

use super::{Answer, Caller, Json, instant, shape::Query};
use crate::{
    guard::{ManageAgents, ManageUsers, WorkAsAgent},
    problem::Problem,
    routes::planning::{self, NewPlanning, PlanningChange, PlanningView},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/planning-events", get(list).post(create))
        .route("/api/planning-events/bulk-delete", post(delete_several))
        .route(
            "/api/planning-events/all",
            axum::routing::delete(delete_all),
        )
        .route("/api/planning-events/{id}", put(change).delete(delete))
}

fn shown(event: &PlanningView) -> Value {
    json!({
        "id": event.id,
        "agentId": event.agent_id,
        "activityId": event.activity_id,
        "startDate": instant(event.starts_at),
        "endDate": instant(event.ends_at),
        "rrule": event.rrule,
        "siteId": event.site_id,
        "createdAt": instant(event.created_at),
        "updatedAt": instant(event.updated_at),
    })
}

fn all(events: &[PlanningView]) -> axum::Json<Value> {
    axum::Json(Value::Array(events.iter().map(shown).collect()))
}

#[derive(Deserialize)]
struct Span {
    start: Option<String>,
    end: Option<String>,
}

async fn list(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Query(span): Query<Span>,
) -> Answer<axum::Json<Value>> {
    let read = |text: Option<String>, name: &str| {
        text.and_then(|text| text.parse::<Timestamp>().ok())
            .ok_or_else(|| Problem::field(name, "give a time such as 2026-11-21T00:00:00Z"))
    };
    let (start, end) = (read(span.start, "start")?, read(span.end, "end")?);
    Ok(all(&planning::within(&app, &caller.user, start, end).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewIn {
    event_data: EventIn,
    target_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventIn {
    #[serde(default)]
    agent_id: Option<String>,
    activity_id: String,
    start_date: Timestamp,
    end_date: Timestamp,
    #[serde(default)]
    rrule: Option<String>,
    #[serde(default)]
    site_id: Option<String>,
}

async fn create(
    Caller(caller): Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(body): Json<NewIn>,
) -> Answer<(StatusCode, axum::Json<Value>)> {
    let (mut agent_ids, mut group_ids) = (Vec::new(), Vec::new());
    for target in body.target_ids {
        if let Some(group) = target.strip_prefix("group-") {
            group_ids.push(group.to_owned());
        } else {
            let agent = target.strip_prefix("user-").unwrap_or(&target);
            let agent = UserId::new(agent)
                .map_err(|error| Problem::field("targetIds", error.to_string()))?;
            agent_ids.push(agent);
        }
    }
    let new = NewPlanning {
        activity_id: body.event_data.activity_id,
        starts_at: body.event_data.start_date,
        ends_at: body.event_data.end_date,
        rrule: body.event_data.rrule,
        site_id: body.event_data.site_id,
        agent_ids,
        group_ids,
    };
    let events = planning::add(&app, &caller.store(&app), new).await?;
    Ok((StatusCode::CREATED, all(&events)))
}

async fn change(
    Caller(caller): Caller<ManageAgents>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Json(body): Json<EventIn>,
) -> Answer<axum::Json<Value>> {
    let agent_id = body
        .agent_id
        .map(UserId::new)
        .transpose()
        .map_err(|error| Problem::field("agentId", error.to_string()))?;
    let change = PlanningChange {
        agent_id,
        activity_id: Some(body.activity_id),
        starts_at: Some(body.start_date),
        ends_at: Some(body.end_date),
        // The whole event is sent: what is null is no more.
        rrule: Some(body.rrule.unwrap_or_default()),
        site_id: Some(body.site_id.unwrap_or_default()),
    };
    let event = planning::alter(&app, &caller.store(&app), &id, change).await?;
    Ok(axum::Json(shown(&event)))
}

async fn delete(
    Caller(caller): Caller<ManageAgents>,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Answer<StatusCode> {
    planning::remove(&app, &caller.store(&app), Some(vec![id])).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SeveralIn {
    event_ids: Vec<String>,
}

async fn delete_several(
    Caller(caller): Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(body): Json<SeveralIn>,
) -> Answer<axum::Json<Value>> {
    let events = planning::remove(&app, &caller.store(&app), Some(body.event_ids)).await?;
    Ok(axum::Json(
        json!({ "message": format!("{events} événements ont été supprimés.") }),
    ))
}

async fn delete_all(
    Caller(caller): Caller<ManageUsers>,
    State(app): State<Shared>,
) -> Answer<StatusCode> {
    planning::remove(&app, &caller.store(&app), None).await?;
    Ok(StatusCode::NO_CONTENT)
}
