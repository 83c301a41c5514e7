//! Groups of users.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::{UserGroupId, UserId};
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::ManageGroups,
    input::{self, Body},
    reply::Data,
    routes::user_groups::{self as v1, GroupBody, NewGroup},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/user-groups", post(create))
        .route("/api/user-groups/{id}", put(change).delete(delete))
}

/// A group as the console sends it, with everybody who is in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<UserGroupId>,
    name: String,
    #[serde(default)]
    member_ids: Vec<UserId>,
}

async fn create(
    Caller(caller): Caller<ManageGroups>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let new = NewGroup {
        id: sent.id,
        name: sent.name,
        member_ids: sent.member_ids,
    };
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), Body(new)).await?;
    shown(&app, status, Screen::UserGroup, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<ManageGroups>,
    State(app): State<Shared>,
    Path(id): Path<UserGroupId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = GroupBody {
        name: sent.name,
        member_ids: sent.member_ids,
    };
    let _done = v1::change(
        caller,
        State(app.clone()),
        input::Path(id.clone()),
        Body(body),
    )
    .await?;
    shown(&app, StatusCode::OK, Screen::UserGroup, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<ManageGroups>,
    State(app): State<Shared>,
    Path(id): Path<UserGroupId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
