//! The logins of a user, and ending them.

use axum::{Json, extract::State};
use serde::Serialize;
use strowger_core::{ids::UserId, permission::Permission, time::Timestamp};
use strowger_store::{
    login_sessions::{Login, LoginEnd},
    users::User,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    guard::{ManageUsers, May, WorkAsAgent},
    input::Path,
    problem::{Problem, ProblemBody},
    reply::{Done, Page},
    routes::users::no_such,
    state::{App, Shared},
};

/// Most logins that are listed.
const LISTED: u32 = 100;

/// A login.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// The login.
    id: Uuid,
    /// It is the one that asks.
    is_current: bool,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    seen_at: Timestamp,
    /// When it ends unless it is refreshed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Why: logged-out, replaced, revoked, token-reused, password-changed or deactivated.
    cause: Option<&'static str>,
    /// From which address.
    peer: Option<String>,
    /// What the client says it is.
    user_agent: String,
}

impl SessionView {
    fn new(login: Login, current: Option<Uuid>) -> Self {
        Self {
            is_current: Some(login.id) == current,
            id: login.id,
            created_at: login.created_at,
            seen_at: login.seen_at,
            expires_at: login.expires_at,
            ended_at: login.ended_at,
            cause: login.cause.map(LoginEnd::as_str),
            peer: login.peer,
            user_agent: login.user_agent,
        }
    }
}

async fn page(
    app: &App,
    user: &UserId,
    current: Option<Uuid>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let logins = app.api.store.logins(user, LISTED).await?;
    let views = logins.into_iter();
    Ok(Page::whole(
        views
            .map(|login| SessionView::new(login, current))
            .collect(),
    ))
}

/// One's own logins
#[utoipa::path(
    get, path = "/api/v1/auth/sessions", tag = "auth",
    responses((status = 200, description = "The latest first, at most 100", body = Page<SessionView>))
)]
pub(crate) async fn own(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Page<SessionView>>, Problem> {
    page(&app, caller.id(), caller.access.session).await
}

/// The logins of a user
#[utoipa::path(
    get, path = "/api/v1/users/{id}/sessions", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The latest first, at most 100", body = Page<SessionView>),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn of_user(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Page<SessionView>>, Problem> {
    let user = app.api.store.user(&id).await?;
    user.ok_or_else(|| no_such(&id))?;
    page(&app, &id, caller.access.session).await
}

/// End a login
///
/// One's own, or with the permission manage-users that of somebody whose role is not above one's
/// own. Its tokens are refused and its live connections closed at once.
#[utoipa::path(
    delete, path = "/api/v1/auth/sessions/{id}", tag = "auth", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Ended", body = Done),
        (status = 404, description = "No such login that goes on", body = ProblemBody),
    )
)]
pub(crate) async fn end(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Json<Done>, Problem> {
    // The same for a login of somebody else and one that does not exist.
    let unknown = || Problem::not_found("there is no login with this id that you may end");
    let owner = app.api.store.login_owner(id).await?.ok_or_else(unknown)?;
    if owner.id != *caller.id() {
        let allowed = caller.may(Permission::ManageUsers) && owner.role <= caller.user.role;
        if !allowed {
            return Err(unknown());
        }
    }
    let by = caller.by(app.now());
    let store = &app.api.store;
    if !store
        .end_login(id, &owner.id, LoginEnd::Revoked, by)
        .await?
    {
        return Err(unknown());
    }
    app.logins_ended(&owner.id, &[id], LoginEnd::Revoked);
    Ok(Done::ok())
}

/// Unlock a login id
///
/// Forgets the wrong passwords, so that the user need not wait.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/lockout", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Unlocked, or was not locked", body = Done),
        (status = 403, description = "The role is above one's own", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn unlock(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    let user = below(&app, &caller.user, &id).await?;
    if app.api.auth.unlock(&user.login_id) {
        let change = serde_json::json!({"login_id": user.login_id});
        app.api
            .store
            .record_audit(
                Some(caller.id()),
                "user.unlocked",
                id.as_str(),
                &change,
                app.now(),
            )
            .await?;
    }
    Ok(Done::ok())
}

/// A user whose role is not above that of the caller.
pub(crate) async fn below(app: &App, caller: &User, id: &UserId) -> Result<User, Problem> {
    let user = app.api.store.user(id).await?.ok_or_else(|| no_such(id))?;
    if user.role > caller.role {
        return Err(Problem::forbidden(format!(
            "you are {} and {} is {}: ask somebody with that role",
            caller.role, user.login_id, user.role
        )));
    }
    Ok(user)
}
