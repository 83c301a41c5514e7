//! Activity types: the statuses that agents choose from.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::ActivityTypeId;
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditActivityTypes,
    input::{self, Body},
    reply::Data,
    routes::activity_types::{self as v1, ActivityBody, grey},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/activity-types", post(create))
        .route("/api/activity-types/{id}", put(change).delete(delete))
}

/// An activity type as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<ActivityTypeId>,
    name: String,
    #[serde(default)]
    color: Option<String>,
    #[serde(default)]
    is_active: Option<bool>,
}

impl From<Sent> for ActivityBody {
    fn from(sent: Sent) -> Self {
        Self {
            id: sent.id,
            name: sent.name,
            color: sent
                .color
                .filter(|color| !color.is_empty())
                .unwrap_or_else(grey),
            is_active: sent.is_active.unwrap_or(true),
        }
    }
}

async fn create(
    Caller(caller): Caller<EditActivityTypes>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = Body(sent.into());
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), body).await?;
    shown(&app, status, Screen::ActivityType, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<EditActivityTypes>,
    State(app): State<Shared>,
    Path(id): Path<ActivityTypeId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = Body(sent.into());
    let _done = v1::change(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(&app, StatusCode::OK, Screen::ActivityType, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditActivityTypes>,
    State(app): State<Shared>,
    Path(id): Path<ActivityTypeId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
