//! What agents can be doing besides calls.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{ids::ActivityTypeId, time::Timestamp};
use strowger_store::{
    Removal,
    activity_types::{ActivitySettings, ActivityType},
};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditActivityTypes, May, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// An activity type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityView {
    /// Its id.
    #[schema(value_type = String, example = "act_1")]
    pub(crate) id: ActivityTypeId,
    /// Its name: the status that agents choose.
    name: String,
    /// Its colour.
    #[schema(example = "#f59e0b")]
    color: String,
    /// Whether agents may choose it.
    is_active: bool,
    /// Part of how agents work: it is neither renamed nor deleted.
    is_system: bool,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<ActivityType> for ActivityView {
    fn from(one: ActivityType) -> Self {
        Self {
            id: one.id,
            name: one.settings.name,
            color: one.settings.color,
            is_active: one.settings.is_active,
            is_system: one.is_system,
            created_at: one.created_at,
            updated_at: one.updated_at,
        }
    }
}

/// An activity type as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivityBody {
    /// Chosen by Strowger when absent; ignored when one is changed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<ActivityTypeId>,
    /// 1 to 100 characters, unique.
    pub(crate) name: String,
    /// `#` and six hexadecimal digits.
    #[serde(default = "grey")]
    #[schema(default = "#6b7280")]
    pub(crate) color: String,
    /// Whether agents may choose it.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub(crate) is_active: bool,
}

pub(crate) fn grey() -> String {
    "#6b7280".to_owned()
}

const fn yes() -> bool {
    true
}

impl ActivityBody {
    fn check(self) -> Result<ActivitySettings, Problem> {
        let mut check = Check::default();
        check.line("name", &self.name, 1..=100);
        let hex = self.color.strip_prefix('#').unwrap_or_default();
        if hex.len() != 6 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            check.wrong("color", "must be '#' and six hexadecimal digits");
        }
        check.done()?;
        Ok(ActivitySettings {
            name: self.name.trim().to_owned(),
            color: self.color,
            is_active: self.is_active,
        })
    }
}

/// List activity types
#[utoipa::path(
    get, path = "/api/v1/activity-types", tag = "activity types", params(PageQuery),
    responses((status = 200, description = "In the order of their ids", body = Page<ActivityView>))
)]
pub(crate) async fn list(
    _caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ActivityView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<ActivityTypeId>()?;
    let store = &app.api.store;
    let rows = store.activity_types(after.as_ref(), limit + 1).await?;
    let id = |row: &ActivityType| row.id.to_string();
    Ok(Page::cut(rows, limit, id, ActivityView::from))
}

/// Add an activity type
#[utoipa::path(
    post, path = "/api/v1/activity-types", tag = "activity types", request_body = ActivityBody,
    responses(
        (status = 201, description = "Added", body = Data<ActivityView>),
        (status = 409, description = "The id or the name is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditActivityTypes>,
    State(app): State<Shared>,
    Body(mut new): Body<ActivityBody>,
) -> Result<(StatusCode, Json<Data<ActivityView>>), Problem> {
    let chosen = new.id.take();
    let settings = new.check()?;
    let id = chosen.unwrap_or_else(|| ActivityTypeId::generate(app.new_id()));
    let store = &app.api.store;
    let saved = store
        .save_activity_type(&id, &settings, true, caller.id(), app.now())
        .await?;
    let saved = saved.ok_or_else(Problem::internal)?;
    app.changes.tell(Kind::ActivityType, What::Created, id);
    Ok((StatusCode::CREATED, Data::of(saved.into())))
}

/// Change an activity type
///
/// Of one that is part of how agents work, only whether it is active changes.
#[utoipa::path(
    put, path = "/api/v1/activity-types/{id}", tag = "activity types", params(("id" = String, Path)),
    request_body = ActivityBody,
    responses(
        (status = 200, description = "Changed", body = Data<ActivityView>),
        (status = 404, description = "No such activity type", body = ProblemBody),
        (status = 409, description = "The name is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditActivityTypes>,
    State(app): State<Shared>,
    Path(id): Path<ActivityTypeId>,
    Body(body): Body<ActivityBody>,
) -> Result<Json<Data<ActivityView>>, Problem> {
    let settings = body.check()?;
    let store = &app.api.store;
    let saved = store
        .save_activity_type(&id, &settings, false, caller.id(), app.now())
        .await?;
    let saved = saved.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::ActivityType, What::Updated, id);
    Ok(Data::of(saved.into()))
}

/// Delete an activity type
///
/// With it goes what is planned of it.
#[utoipa::path(
    delete, path = "/api/v1/activity-types/{id}", tag = "activity types", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such activity type", body = ProblemBody),
        (status = 409, description = "It is part of how agents work", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditActivityTypes>,
    State(app): State<Shared>,
    Path(id): Path<ActivityTypeId>,
) -> Result<Json<Done>, Problem> {
    let store = &app.api.store;
    match store
        .delete_activity_type(&id, caller.id(), app.now())
        .await?
    {
        Removal::Removed => {
            app.changes.tell(Kind::ActivityType, What::Deleted, id);
            Ok(Done::ok())
        }
        Removal::Absent => Err(no_such(&id)),
        Removal::Kept => Err(Problem::conflict(
            "this activity type is part of how agents work and cannot be deleted: make it inactive instead",
        )),
    }
}

fn no_such(id: &ActivityTypeId) -> Problem {
    Problem::not_found(format!("there is no activity type {id}"))
}
