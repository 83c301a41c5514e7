//! Scripts that agents read and fill in.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::Value;
use strowger_core::ids::ScriptId;
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditScripts,
    input::{self, Body},
    reply::Data,
    routes::scripts::{self as v1, ScriptBody},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/scripts", post(create))
        .route("/api/scripts/{id}", put(change).delete(delete))
        .route("/api/scripts/{id}/duplicate", post(duplicate))
}

/// A script as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<ScriptId>,
    name: String,
    #[serde(default)]
    pages: Vec<Value>,
    #[serde(default)]
    start_page_id: Option<String>,
    #[serde(default)]
    background_color: Option<String>,
}

impl From<Sent> for ScriptBody {
    fn from(sent: Sent) -> Self {
        Self {
            id: sent.id,
            name: sent.name,
            pages: sent.pages,
            start_page_id: sent.start_page_id.unwrap_or_default(),
            background_color: sent.background_color.unwrap_or_default(),
        }
    }
}

async fn create(
    Caller(caller): Caller<EditScripts>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = Body(sent.into());
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), body).await?;
    shown(&app, status, Screen::Script, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = Body(sent.into());
    let _done = v1::change(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(&app, StatusCode::OK, Screen::Script, id.as_str()).await
}

async fn duplicate(
    Caller(caller): Caller<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
) -> Answer<Response> {
    let (status, axum::Json(Data { data, .. })) =
        v1::duplicate(caller, State(app.clone()), input::Path(id)).await?;
    shown(&app, status, Screen::Script, data.id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditScripts>,
    State(app): State<Shared>,
    Path(id): Path<ScriptId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
