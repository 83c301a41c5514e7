//! Which call controls agents have.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::AgentProfileId;
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditAgentProfiles,
    input::{self, Body},
    reply::Data,
    routes::agent_profiles::{self as v1, NewProfile, ProfileBody},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/agent-profiles", post(create))
        .route("/api/agent-profiles/{id}", put(change).delete(delete))
}

/// A profile as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<AgentProfileId>,
    name: String,
    #[serde(default)]
    call_controls_config: BTreeMap<String, bool>,
}

async fn create(
    Caller(caller): Caller<EditAgentProfiles>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let new = NewProfile {
        id: sent.id,
        name: sent.name,
        call_controls: sent.call_controls_config,
    };
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), Body(new)).await?;
    shown(&app, status, Screen::AgentProfile, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<EditAgentProfiles>,
    State(app): State<Shared>,
    Path(id): Path<AgentProfileId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = ProfileBody {
        name: sent.name,
        call_controls: sent.call_controls_config,
    };
    let _done = v1::change(
        caller,
        State(app.clone()),
        input::Path(id.clone()),
        Body(body),
    )
    .await?;
    shown(&app, StatusCode::OK, Screen::AgentProfile, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditAgentProfiles>,
    State(app): State<Shared>,
    Path(id): Path<AgentProfileId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
