//! Qualifications and their groups.
//!
//! The groups are mounted three times: consoles of different age look for them in different
//! places.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::{QualificationGroupId, QualificationId};
use strowger_store::{qualifications::Qualification, views::Screen};

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditQualifications,
    input::{self, Body},
    problem::Problem,
    routes::qualifications::{self as v1, GroupBody, QualificationBody},
    state::{App, Shared},
};

/// Where consoles look for groups.
const GROUPS: [&str; 3] = [
    "/api/qualification-groups/groups",
    "/api/qualifications/groups",
    "/api/qualification-groups",
];

pub(super) fn router() -> Router<Shared> {
    let qualifications = Router::new()
        .route("/api/qualifications", post(create))
        .route("/api/qualifications/{id}", put(change).delete(delete));
    GROUPS.into_iter().fold(qualifications, |router, path| {
        router.route(path, post(create_group)).route(
            &format!("{path}/{{id}}"),
            put(change_group).delete(delete_group),
        )
    })
}

/// A qualification as the console sends it. Its group is set with the group.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<QualificationId>,
    code: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    parent_id: Option<String>,
    #[serde(default)]
    is_recyclable: Option<bool>,
}

impl Sent {
    /// What the console does not know of a qualification stays as it is.
    fn over(self, id: &QualificationId, known: Option<Qualification>) -> Answer<QualificationBody> {
        let parent = self.parent_id.filter(|id| !id.is_empty());
        let parent_id = parent
            .map(QualificationId::new)
            .transpose()
            .map_err(|error| Problem::field("parentId", error.to_string()))?;
        let mut body = known.map_or_else(QualificationBody::default, QualificationBody::from);
        body.id = Some(id.clone());
        body.code = self.code;
        body.description = self.description.unwrap_or_default();
        body.kind = self.kind;
        body.parent_id = parent_id;
        body.is_recyclable = self.is_recyclable.unwrap_or(body.is_recyclable);
        Ok(body)
    }
}

/// The qualification, if the console may change it: those that every campaign offers it shows
/// as they are.
async fn own(app: &App, id: &QualificationId) -> Answer<Qualification> {
    let found = app.api.store.qualification(id).await?;
    let found =
        found.ok_or_else(|| Problem::not_found(format!("there is no qualification {id}")))?;
    if found.is_standard {
        return Err(Problem::conflict(format!(
            "the qualification {} is a standard one and stays as it is",
            found.code
        ))
        .into());
    }
    Ok(found)
}

async fn create(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Json(mut sent): Json<Sent>,
) -> Answer<Response> {
    let id = match sent.id.take() {
        Some(id) if app.api.store.qualification(&id).await?.is_some() => {
            return Err(Problem::conflict(format!("there is already a qualification {id}")).into());
        }
        Some(id) => id,
        None => QualificationId::generate(app.new_id()),
    };
    let body = Body(sent.over(&id, None)?);
    let _done = v1::save(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(
        &app,
        StatusCode::CREATED,
        Screen::Qualification,
        id.as_str(),
    )
    .await
}

async fn change(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let known = own(&app, &id).await?;
    let body = Body(sent.over(&id, Some(known))?);
    let _done = v1::save(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(&app, StatusCode::OK, Screen::Qualification, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationId>,
) -> Answer<StatusCode> {
    own(&app, &id).await?;
    let _done = v1::remove(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A group as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentGroup {
    #[serde(default)]
    id: Option<QualificationGroupId>,
    name: String,
    #[serde(default)]
    assigned_qual_ids: Option<Vec<QualificationId>>,
}

impl From<SentGroup> for GroupBody {
    fn from(sent: SentGroup) -> Self {
        Self {
            name: sent.name,
            qualification_ids: sent.assigned_qual_ids,
        }
    }
}

async fn has_group(app: &App, id: &QualificationGroupId) -> Answer<bool> {
    let found = app
        .api
        .store
        .screen(Screen::QualificationGroup, id.as_str());
    Ok(found.await?.is_some())
}

async fn create_group(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Json(mut sent): Json<SentGroup>,
) -> Answer<Response> {
    let id = match sent.id.take() {
        Some(id) if has_group(&app, &id).await? => {
            return Err(Problem::conflict(format!("there is already a group {id}")).into());
        }
        Some(id) => id,
        None => QualificationGroupId::generate(app.new_id()),
    };
    let body = Body(sent.into());
    let _done = v1::save_group(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    let group = Screen::QualificationGroup;
    shown(&app, StatusCode::CREATED, group, id.as_str()).await
}

async fn change_group(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationGroupId>,
    Json(sent): Json<SentGroup>,
) -> Answer<Response> {
    if !has_group(&app, &id).await? {
        return Err(Problem::not_found(format!("there is no group {id}")).into());
    }
    let body = Body(sent.into());
    let _done = v1::save_group(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(
        &app,
        StatusCode::OK,
        Screen::QualificationGroup,
        id.as_str(),
    )
    .await
}

async fn delete_group(
    Caller(caller): Caller<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationGroupId>,
) -> Answer<StatusCode> {
    let _done = v1::remove_group(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
