//! Qualifications: the outcomes that agents choose.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{CallId, QualificationGroupId, QualificationId},
    permission::Role,
    retry::RetryRule,
};
use strowger_store::{
    qualifications::{Group, Qualification},
    qualify::NotQualified,
};
use utoipa::ToSchema;

use super::campaigns::retry_rule;
use crate::{
    changes::{Kind, What},
    guard::{EditQualifications, May, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// A qualification.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said of an outcome by itself"
)]
pub(crate) struct QualificationBody {
    /// Its id; that of the address, when it is sent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<QualificationId>,
    /// A short code, unique.
    pub(crate) code: String,
    /// What it says.
    #[serde(default)]
    pub(crate) description: String,
    /// positive, neutral or negative.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Its group.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) group_id: Option<QualificationGroupId>,
    /// The one that it refines.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) parent_id: Option<QualificationId>,
    /// Offered in every campaign.
    #[serde(default)]
    pub(crate) is_standard: bool,
    /// Contacts with it may be recycled.
    #[serde(default = "yes")]
    pub(crate) is_recyclable: bool,
    /// A conversation took place.
    #[serde(default = "yes")]
    is_conversation: bool,
    /// The person refused further calls.
    #[serde(default)]
    is_refusal: bool,
    /// It was a machine.
    #[serde(default)]
    is_machine: bool,
    /// The contact is dialed again by this rule (`delay_s`, `then_s`, `max_attempts`, `avoid_hours`, `number`); when
    /// absent it is done.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    retry: Option<RetryRule>,
}

const fn yes() -> bool {
    true
}

impl From<Qualification> for QualificationBody {
    fn from(one: Qualification) -> Self {
        Self {
            id: Some(one.id),
            code: one.code,
            description: one.description,
            kind: one.kind,
            group_id: one.group,
            parent_id: one.parent,
            is_standard: one.is_standard,
            is_recyclable: one.is_recyclable,
            is_conversation: one.is_conversation,
            is_refusal: one.is_refusal,
            is_machine: one.is_machine,
            retry: one.retry,
        }
    }
}

impl Default for QualificationBody {
    fn default() -> Self {
        Self {
            id: None,
            code: String::new(),
            description: String::new(),
            kind: String::new(),
            group_id: None,
            parent_id: None,
            is_standard: false,
            is_recyclable: true,
            is_conversation: true,
            is_refusal: false,
            is_machine: false,
            retry: None,
        }
    }
}

impl QualificationBody {
    fn check(self, id: QualificationId) -> Result<Qualification, Problem> {
        let mut check = Check::default();
        if self.id.as_ref().is_some_and(|other| *other != id) {
            check.wrong("id", "it is not the id of the address");
        }
        check.line("code", &self.code, 1..=64);
        check.text("description", &self.description, 500);
        if !["positive", "neutral", "negative"].contains(&self.kind.as_str()) {
            check.wrong("type", "it is positive, neutral or negative");
        }
        if self.parent_id.as_ref() == Some(&id) {
            check.wrong("parent_id", "a qualification does not refine itself");
        }
        if let Some(rule) = &self.retry {
            retry_rule(&mut check, "retry", rule);
        }
        check.done()?;
        Ok(Qualification {
            id,
            code: self.code.trim().to_owned(),
            description: self.description,
            kind: self.kind,
            group: self.group_id,
            parent: self.parent_id,
            is_standard: self.is_standard,
            is_recyclable: self.is_recyclable,
            is_conversation: self.is_conversation,
            is_refusal: self.is_refusal,
            is_machine: self.is_machine,
            retry: self.retry,
        })
    }
}

/// A group of qualifications.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GroupView {
    /// Its id.
    #[schema(value_type = String)]
    id: QualificationGroupId,
    /// Its name.
    name: String,
}

/// Most qualifications of a group.
const MAX_MEMBERS: usize = 1_000;

/// What a group is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBody {
    /// Its name.
    pub(crate) name: String,
    /// Ids of the qualifications that are in it, and no others: each is in one group. When
    /// absent they stay as they are.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) qualification_ids: Option<Vec<QualificationId>>,
}

const fn saved(is_new: bool) -> What {
    if is_new { What::Created } else { What::Updated }
}

/// List qualifications
#[utoipa::path(
    get, path = "/api/v1/qualifications", tag = "qualifications", params(PageQuery),
    responses((status = 200, description = "In the order of their ids", body = Page<QualificationBody>))
)]
pub(crate) async fn list(
    _caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<QualificationBody>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<QualificationId>()?;
    let rows = app
        .api
        .store
        .qualifications(None, after.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        QualificationBody::from,
    ))
}

/// Add or change a qualification
#[utoipa::path(
    put, path = "/api/v1/qualifications/{id}", tag = "qualifications", params(("id" = String, Path)),
    request_body = QualificationBody,
    responses(
        (status = 200, description = "Saved", body = Data<QualificationBody>),
        (status = 409, description = "The code is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationId>,
    Body(body): Body<QualificationBody>,
) -> Result<Json<Data<QualificationBody>>, Problem> {
    let one = body.check(id)?;
    let is_new = caller
        .store(&app)
        .save_qualification(&one, app.now())
        .await?;
    app.changes
        .tell(Kind::Qualification, saved(is_new), one.id.clone());
    Ok(Data::of(one.into()))
}

/// Remove a qualification
#[utoipa::path(
    delete, path = "/api/v1/qualifications/{id}", tag = "qualifications", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Removed", body = Done),
        (status = 404, description = "No such qualification", body = ProblemBody),
    )
)]
pub(crate) async fn remove(
    caller: May<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationId>,
) -> Result<Json<Done>, Problem> {
    if caller.store(&app).delete_qualification(&id).await? {
        app.changes.tell(Kind::Qualification, What::Deleted, id);
        Ok(Done::ok())
    } else {
        Err(Problem::not_found(format!(
            "there is no qualification {id}"
        )))
    }
}

/// List groups of qualifications
#[utoipa::path(
    get, path = "/api/v1/qualification-groups", tag = "qualifications", params(PageQuery),
    responses((status = 200, description = "In the order of their ids", body = Page<GroupView>))
)]
pub(crate) async fn groups(
    _caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<GroupView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<QualificationGroupId>()?;
    let store = &app.api.store;
    let rows = store
        .qualification_groups(after.as_ref(), limit + 1)
        .await?;
    let view = |group: Group| GroupView {
        id: group.id,
        name: group.name,
    };
    Ok(Page::cut(rows, limit, |row| row.id.to_string(), view))
}

/// Add or rename a group
#[utoipa::path(
    put, path = "/api/v1/qualification-groups/{id}", tag = "qualifications", params(("id" = String, Path)),
    request_body = GroupBody,
    responses(
        (status = 200, description = "Saved", body = Data<GroupView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn save_group(
    caller: May<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationGroupId>,
    Body(body): Body<GroupBody>,
) -> Result<Json<Data<GroupView>>, Problem> {
    let mut check = Check::default();
    check.line("name", &body.name, 1..=200);
    let members = body.qualification_ids.as_deref();
    let count = members.map_or(0, <[_]>::len);
    check.range("qualification_ids", &count, &(0..=MAX_MEMBERS));
    check.done()?;
    let name = body.name.trim().to_owned();
    let group = Group { id, name };
    let is_new = caller
        .store(&app)
        .save_qualification_group(&group, app.now())
        .await?;
    if let Some(members) = members {
        app.api
            .store
            .set_group_qualifications(&group.id, members, caller.id(), app.now())
            .await?;
    }
    app.changes
        .tell(Kind::QualificationGroup, saved(is_new), group.id.clone());
    let Group { id, name } = group;
    Ok(Data::of(GroupView { id, name }))
}

/// Remove a group; its qualifications stay
#[utoipa::path(
    delete, path = "/api/v1/qualification-groups/{id}", tag = "qualifications", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Removed", body = Done),
        (status = 404, description = "No such group", body = ProblemBody),
    )
)]
pub(crate) async fn remove_group(
    caller: May<EditQualifications>,
    State(app): State<Shared>,
    Path(id): Path<QualificationGroupId>,
) -> Result<Json<Done>, Problem> {
    if caller.store(&app).delete_qualification_group(&id).await? {
        app.changes
            .tell(Kind::QualificationGroup, What::Deleted, id);
        Ok(Done::ok())
    } else {
        Err(Problem::not_found(format!("there is no group {id}")))
    }
}

/// The outcome of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Outcome {
    /// The qualification.
    #[schema(value_type = String)]
    qualification_id: QualificationId,
}

/// Qualify a call
///
/// Agents qualify their own calls, supervisors any.
#[utoipa::path(
    post, path = "/api/v1/calls/{id}/qualify", tag = "qualifications", params(("id" = String, Path)),
    request_body = Outcome,
    responses(
        (status = 200, description = "Kept", body = Done),
        (status = 403, description = "Another agent took the call", body = ProblemBody),
        (status = 404, description = "No such call", body = ProblemBody),
        (status = 422, description = "Not offered", body = ProblemBody),
    )
)]
pub(crate) async fn qualify(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
    Body(body): Body<Outcome>,
) -> Result<Json<Done>, Problem> {
    let only = (caller.user.role < Role::Supervisor).then(|| caller.id());
    caller
        .store(&app)
        .qualify(id, &body.qualification_id, only, app.now())
        .await
        .map_err(|error| match error {
            NotQualified::Store(error) => error.into(),
            NotQualified::NoCall => Problem::not_found(error.to_string()),
            NotQualified::NotYours => Problem::forbidden(error.to_string()),
            NotQualified::NotOffered | NotQualified::NoQualification => {
                Problem::field("qualification_id", error.to_string())
            }
        })?;
    Ok(Done::ok())
}
