//! Numbers that are called. Consoles of different age look for them in three places.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::{DidId, FlowId, TrunkId};
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::{EditDids, May},
    input::{self, Body},
    problem::Problem,
    routes::dids::{self as v1, DidSettings},
    state::{App, Shared},
};

/// Where consoles look for numbers.
const PATHS: [&str; 3] = ["/api/dids", "/api/dids/dids", "/api/telephony/dids"];

pub(super) fn router() -> Router<Shared> {
    PATHS.into_iter().fold(Router::new(), |router, path| {
        router
            .route(path, post(create))
            .route(&format!("{path}/{{id}}"), put(change).delete(delete))
    })
}

/// A number as the console sends it; what is empty is none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<DidId>,
    number: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    trunk_id: Option<String>,
    #[serde(default)]
    ivr_flow_id: Option<String>,
}

impl TryFrom<Sent> for DidSettings {
    type Error = Problem;
    fn try_from(sent: Sent) -> Result<Self, Problem> {
        let given = |id: Option<String>| id.filter(|id| !id.is_empty());
        let trunk_id = given(sent.trunk_id).map(TrunkId::new).transpose();
        let flow_id = given(sent.ivr_flow_id).map(FlowId::new).transpose();
        Ok(Self {
            number: sent.number,
            description: sent.description.unwrap_or_default(),
            trunk_id: trunk_id.map_err(|error| Problem::field("trunkId", error.to_string()))?,
            flow_id: flow_id.map_err(|error| Problem::field("ivrFlowId", error.to_string()))?,
        })
    }
}

async fn exists(app: &App, id: &DidId) -> Answer<bool> {
    Ok(app
        .api
        .store
        .screen(Screen::Did, id.as_str())
        .await?
        .is_some())
}

async fn save(
    app: Shared,
    caller: May<EditDids>,
    id: DidId,
    sent: Sent,
    status: StatusCode,
) -> Answer<Response> {
    let settings = Body(sent.try_into()?);
    let _saved = v1::save(
        caller,
        State(app.clone()),
        input::Path(id.clone()),
        settings,
    )
    .await?;
    shown(&app, status, Screen::Did, id.as_str()).await
}

async fn create(
    Caller(caller): Caller<EditDids>,
    State(app): State<Shared>,
    Json(mut sent): Json<Sent>,
) -> Answer<Response> {
    let id = match sent.id.take() {
        Some(id) if exists(&app, &id).await? => {
            return Err(Problem::conflict(format!("there is already a number {id}")).into());
        }
        Some(id) => id,
        None => DidId::generate(app.new_id()),
    };
    save(app, caller, id, sent, StatusCode::CREATED).await
}

async fn change(
    Caller(caller): Caller<EditDids>,
    State(app): State<Shared>,
    Path(id): Path<DidId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    if !exists(&app, &id).await? {
        return Err(Problem::not_found(format!("there is no number {id}")).into());
    }
    save(app, caller, id, sent, StatusCode::OK).await
}

async fn delete(
    Caller(caller): Caller<EditDids>,
    State(app): State<Shared>,
    Path(id): Path<DidId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
