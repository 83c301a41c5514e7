//! Groups of users.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{UserGroupId, UserId},
    time::Timestamp,
};
use strowger_store::user_groups::UserGroup;
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{ManageAgents, ManageGroups, May},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// Most members of a group.
const MAX_MEMBERS: usize = 5_000;

/// A group of users.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupView {
    /// Its id.
    #[schema(value_type = String, example = "ugr_1")]
    pub(crate) id: UserGroupId,
    /// Its name.
    name: String,
    /// Who is in it.
    #[schema(value_type = Vec<String>)]
    member_ids: Vec<UserId>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<UserGroup> for GroupView {
    fn from(group: UserGroup) -> Self {
        Self {
            id: group.id,
            name: group.name,
            member_ids: group.members,
            created_at: group.created_at,
            updated_at: group.updated_at,
        }
    }
}

/// A group to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGroup {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<UserGroupId>,
    /// Its name.
    pub(crate) name: String,
    /// Who is in it.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) member_ids: Vec<UserId>,
}

/// A group as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    /// Its name.
    pub(crate) name: String,
    /// Everybody who is in it.
    #[schema(value_type = Vec<String>)]
    pub(crate) member_ids: Vec<UserId>,
}

fn check(name: &str, members: &[UserId]) -> Result<(), Problem> {
    let mut check = Check::default();
    check.line("name", name, 1..=200);
    check.range("member_ids", &members.len(), &(0..=MAX_MEMBERS));
    check.done()
}

/// List groups of users
#[utoipa::path(
    get, path = "/api/v1/user-groups", tag = "users", params(PageQuery),
    responses((status = 200, description = "Groups in the order of their ids", body = Page<GroupView>))
)]
pub(crate) async fn list(
    _caller: May<ManageAgents>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<GroupView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<UserGroupId>()?;
    let groups = app.api.store.user_groups(after.as_ref(), limit + 1).await?;
    Ok(Page::cut(
        groups,
        limit,
        |group| group.id.to_string(),
        GroupView::from,
    ))
}

/// Add a group of users
#[utoipa::path(
    post, path = "/api/v1/user-groups", tag = "users", request_body = NewGroup,
    responses(
        (status = 201, description = "Added", body = Data<GroupView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid, or a member does not exist", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<ManageGroups>,
    State(app): State<Shared>,
    Body(new): Body<NewGroup>,
) -> Result<(StatusCode, Json<Data<GroupView>>), Problem> {
    check(&new.name, &new.member_ids)?;
    let id = new
        .id
        .unwrap_or_else(|| UserGroupId::generate(app.new_id()));
    let by = caller.by(app.now());
    let saved = app
        .api
        .store
        .save_user_group(&id, new.name.trim(), &new.member_ids, true, by)
        .await?;
    let group = saved.ok_or_else(Problem::internal)?;
    app.changes.tell(Kind::Group, What::Created, id);
    Ok((StatusCode::CREATED, Data::of(group.into())))
}

/// Change a group of users
#[utoipa::path(
    put, path = "/api/v1/user-groups/{id}", tag = "users", params(("id" = String, Path)), request_body = GroupBody,
    responses(
        (status = 200, description = "Changed", body = Data<GroupView>),
        (status = 404, description = "No such group", body = ProblemBody),
        (status = 422, description = "Not valid, or a member does not exist", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<ManageGroups>,
    State(app): State<Shared>,
    Path(id): Path<UserGroupId>,
    Body(body): Body<GroupBody>,
) -> Result<Json<Data<GroupView>>, Problem> {
    check(&body.name, &body.member_ids)?;
    let by = caller.by(app.now());
    let saved = app
        .api
        .store
        .save_user_group(&id, body.name.trim(), &body.member_ids, false, by)
        .await?;
    let group = saved.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::Group, What::Updated, id);
    Ok(Data::of(group.into()))
}

/// Delete a group of users
///
/// Its members stay.
#[utoipa::path(
    delete, path = "/api/v1/user-groups/{id}", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such group", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<ManageGroups>,
    State(app): State<Shared>,
    Path(id): Path<UserGroupId>,
) -> Result<Json<Done>, Problem> {
    let by = caller.by(app.now());
    if app.api.store.delete_user_group(&id, by).await? {
        app.changes.tell(Kind::Group, What::Deleted, id);
        Ok(Done::ok())
    } else {
        Err(no_such(&id))
    }
}

fn no_such(id: &UserGroupId) -> Problem {
    Problem::not_found(format!("there is no group {id}"))
}
