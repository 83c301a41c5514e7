//! Callbacks: calls that agents promise.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{CallbackId, CampaignId, ContactId, UserId},
    permission::Role,
    phone::PhoneNumber,
    time::Timestamp,
};
use strowger_store::{
    Store,
    callbacks::{Callback, CallbackChange, CallbackFilter, NewCallback},
};
use utoipa::ToSchema;

use crate::{
    guard::{May, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// A callback.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallbackView {
    /// Its id.
    #[schema(value_type = String)]
    id: CallbackId,
    /// The campaign of the contact.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// Who is called.
    #[schema(value_type = String)]
    contact_id: ContactId,
    /// On which number.
    #[schema(value_type = String)]
    number: PhoneNumber,
    /// By this agent; null: by any agent of the campaign.
    #[schema(value_type = Option<String>)]
    agent_id: Option<UserId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// pending, done or cancelled.
    state: String,
    /// What the agent should know.
    note: String,
}

impl From<Callback> for CallbackView {
    fn from(callback: Callback) -> Self {
        Self {
            id: callback.id,
            campaign_id: callback.campaign,
            contact_id: callback.contact,
            number: callback.number,
            agent_id: callback.agent,
            due_at: callback.due_at,
            state: callback.state,
            note: callback.note,
        }
    }
}

/// A callback to be promised. It replaces one that the contact has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackBody {
    /// Who is called.
    #[schema(value_type = String)]
    contact_id: ContactId,
    /// On which number, in E.164; when absent, on the one that was dialed last.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    number: Option<PhoneNumber>,
    /// By this agent; absent or null: by any agent of the campaign. Agents name themselves or nobody.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agent_id: Option<UserId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    /// What the agent should know, at most 2,000 characters.
    #[serde(default)]
    note: String,
}

/// What is changed of a callback; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallbackChanges {
    /// When.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    due_at: Option<Timestamp>,
    /// By this agent: for supervisors.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agent_id: Option<UserId>,
    /// By any agent of the campaign.
    #[serde(default)]
    shared: bool,
    /// What the agent should know.
    #[serde(default)]
    note: Option<String>,
}

fn supervises(role: Role) -> bool {
    role >= Role::Supervisor
}

/// The callback, when the caller may change it: it is their own, or shared, or they supervise.
async fn find(app: &App, caller: &May<WorkAsAgent>, id: CallbackId) -> Result<Callback, Problem> {
    let callback = app.api.store.callback(id).await?;
    callback
        .filter(|one| {
            supervises(caller.user.role)
                || one.agent.as_ref().is_none_or(|agent| agent == caller.id())
        })
        .ok_or_else(|| Problem::not_found(format!("you have no callback {id}")))
}

fn when(check: &mut Check, due_at: Timestamp, now: Timestamp) {
    let year = jiff::SignedDuration::from_hours(366 * 24);
    if due_at < now || due_at.duration_since(now) > year {
        check.wrong("due_at", "it lies in the past, or more than a year ahead");
    }
}

/// List pending callbacks
///
/// Agents see their own, supervisors all, in the order in which they are due.
#[utoipa::path(
    get, path = "/api/v1/callbacks", tag = "callbacks", params(PageQuery),
    responses((status = 200, description = "Callbacks", body = Page<CallbackView>))
)]
pub(crate) async fn list(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CallbackView>>, Problem> {
    let limit = page.limit()?;
    let after = page
        .cursor()
        .map(|text| {
            let (at, id) = text.split_once('~')?;
            Some((at.parse().ok()?, id.parse().ok()?))
        })
        .map(|after| {
            after.ok_or_else(|| {
                Problem::field("cursor", "not a cursor: give `next` of the page before")
            })
        })
        .transpose()?;
    let filter = CallbackFilter {
        campaign: None,
        agent: (!supervises(caller.user.role)).then(|| caller.id().clone()),
        after,
    };
    let rows = app.api.store.callbacks(&filter, limit + 1).await?;
    let cursor = |row: &Callback| format!("{}~{}", row.due_at, row.id);
    Ok(Page::cut(rows, limit, cursor, CallbackView::from))
}

/// Promise a callback
#[utoipa::path(
    post, path = "/api/v1/callbacks", tag = "callbacks", request_body = CallbackBody,
    responses(
        (status = 201, description = "Promised", body = Data<CallbackView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(body): Body<CallbackBody>,
) -> Result<(StatusCode, Json<Data<CallbackView>>), Problem> {
    let mut check = Check::default();
    when(&mut check, body.due_at, app.now());
    let other = body
        .agent_id
        .as_ref()
        .is_some_and(|agent| agent != caller.id());
    if other && !supervises(caller.user.role) {
        check.wrong("agent_id", "only supervisors promise calls of other agents");
    }
    check.text("note", &body.note, 2_000);
    check.done()?;
    let new = NewCallback {
        id: CallbackId(app.new_id()),
        contact: body.contact_id,
        number: body.number,
        agent: body.agent_id,
        due_at: body.due_at,
        note: body.note,
        by: caller.id().clone(),
    };
    let callback = promise(&app, &caller.store(&app), new).await?;
    Ok((StatusCode::CREATED, Data::of(callback.into())))
}

/// Promises a call.
pub(crate) async fn promise(
    app: &App,
    store: &Store,
    new: NewCallback,
) -> Result<Callback, Problem> {
    let mut check = Check::default();
    when(&mut check, new.due_at, app.now());
    check.text("note", &new.note, 2_000);
    check.done()?;
    store.create_callback(&new, app.now()).await?;
    let callback = app.api.store.callback(new.id).await?;
    callback.ok_or_else(Problem::internal)
}

fn not_pending() -> Problem {
    Problem::conflict("the callback is not pending any more")
}

/// Ends a promise that is pending: it was kept, or is taken back. Also says whether it was
/// pending still: one that ended so before is no error.
pub(crate) async fn end(
    app: &App,
    caller: &May<WorkAsAgent>,
    id: CallbackId,
    is_kept: bool,
) -> Result<(Callback, bool), Problem> {
    find(app, caller, id).await?;
    let store = caller.store(app);
    let done = if is_kept {
        store.keep_callback(id, app.now()).await?
    } else {
        store.cancel_callback(id, app.now()).await?
    };
    let callback = find(app, caller, id).await?;
    if done || callback.state == if is_kept { "done" } else { "cancelled" } {
        Ok((callback, done))
    } else {
        Err(not_pending())
    }
}

/// Change a callback
#[utoipa::path(
    patch, path = "/api/v1/callbacks/{id}", tag = "callbacks", params(("id" = String, Path)),
    request_body = CallbackChanges,
    responses(
        (status = 200, description = "Changed", body = Data<CallbackView>),
        (status = 404, description = "No such callback, or that of another agent", body = ProblemBody),
        (status = 409, description = "It is not pending any more", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CallbackId>,
    Body(body): Body<CallbackChanges>,
) -> Result<Json<Data<CallbackView>>, Problem> {
    find(&app, &caller, id).await?;
    let mut check = Check::default();
    if let Some(due_at) = body.due_at {
        when(&mut check, due_at, app.now());
    }
    check.text("note", body.note.as_deref().unwrap_or(""), 2_000);
    let other = body
        .agent_id
        .as_ref()
        .is_some_and(|agent| agent != caller.id());
    if other && !supervises(caller.user.role) {
        check.wrong(
            "agent_id",
            "only supervisors give callbacks to other agents",
        );
    }
    if body.shared && body.agent_id.is_some() {
        check.wrong("shared", "a callback is shared or has an agent");
    }
    check.done()?;
    let agent = if body.shared {
        Some(None)
    } else {
        body.agent_id.map(Some)
    };
    let change = CallbackChange {
        due_at: body.due_at,
        agent,
        note: body.note,
    };
    if !caller
        .store(&app)
        .change_callback(id, &change, app.now())
        .await?
    {
        return Err(not_pending());
    }
    let callback = find(&app, &caller, id).await?;
    Ok(Data::of(callback.into()))
}

/// Cancel a callback
#[utoipa::path(
    delete, path = "/api/v1/callbacks/{id}", tag = "callbacks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Cancelled", body = Done),
        (status = 404, description = "No such callback, or that of another agent", body = ProblemBody),
        (status = 409, description = "It is not pending any more", body = ProblemBody),
    )
)]
pub(crate) async fn cancel(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CallbackId>,
) -> Result<Json<Done>, Problem> {
    let (_, was_pending) = end(&app, &caller, id, false).await?;
    if was_pending {
        Ok(Done::ok())
    } else {
        Err(not_pending())
    }
}
