//! IVR flows. The designer knows no publishing: what it saves is published when nothing is wrong
//! with it, and otherwise kept as a draft while callers walk what was published before.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::{ids::FlowId, ivr::FlowGraph};
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, json_text};
use crate::{
    guard::{EditFlows, May},
    input::{self, Body},
    problem::Problem,
    routes::flows::{self as v1, Draft},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/ivr-flows", post(create))
        .route("/api/ivr-flows/{id}", put(change).delete(delete))
        .route("/api/ivr-flows/{id}/duplicate", post(duplicate))
}

/// A flow as the designer sends it; its graph is ours.
#[derive(Deserialize)]
struct Sent {
    name: String,
    #[serde(flatten)]
    graph: FlowGraph,
}

/// Saves and publishes. `publishError` of the answer says why it is only a draft.
async fn keep(
    app: Shared,
    caller: May<EditFlows>,
    id: FlowId,
    sent: Sent,
    status: StatusCode,
) -> Answer<Response> {
    let draft = Draft {
        name: sent.name,
        graph: sent.graph,
    };
    let at = || input::Path(id.clone());
    let _saved = v1::save(caller.clone(), State(app.clone()), at(), Body(draft)).await?;
    let refused = match v1::publish(caller, State(app.clone()), at()).await {
        Ok(_) => None,
        Err(problem) if problem.status() == StatusCode::UNPROCESSABLE_ENTITY => {
            Some(problem.detail().to_owned())
        }
        Err(problem) => return Err(problem.into()),
    };
    let line = app.api.store.screen(Screen::Flow, id.as_str()).await?;
    let mut line = line.ok_or_else(|| Problem::not_found(format!("{id} was deleted meanwhile")))?;
    // Open the object again for one more field.
    line.pop();
    let error = serde_json::Value::from(refused);
    Ok(json_text(
        status,
        format!("{line},\"publishError\":{error}}}"),
    ))
}

async fn create(
    Caller(caller): Caller<EditFlows>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let id = FlowId::generate(app.new_id());
    keep(app, caller, id, sent, StatusCode::CREATED).await
}

async fn change(
    Caller(caller): Caller<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    if app.api.store.flow(&id).await?.is_none() {
        return Err(Problem::not_found(format!("there is no flow {id}")).into());
    }
    keep(app, caller, id, sent, StatusCode::OK).await
}

async fn duplicate(
    Caller(caller): Caller<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Answer<Response> {
    let flow = app.api.store.flow(&id).await?;
    let flow = flow.ok_or_else(|| Problem::not_found(format!("there is no flow {id}")))?;
    let graph = serde_json::from_value(flow.draft)
        .map_err(|error| Problem::field("", format!("the saved flow cannot be read: {error}")))?;
    let sent = Sent {
        name: crate::routes::scripts::copy_of(&flow.name),
        graph,
    };
    let id = FlowId::generate(app.new_id());
    keep(app, caller, id, sent, StatusCode::CREATED).await
}

async fn delete(
    Caller(caller): Caller<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
