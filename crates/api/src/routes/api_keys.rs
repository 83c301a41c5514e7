//! Keys for programs.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{ids::UserId, permission::Permission, time::Timestamp};
use strowger_store::api_keys::ApiKey;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    auth::{new_token, token_hash},
    guard::{API_KEY, ManageUsers, May, WorkAsAgent},
    input::{Body, Check, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    state::Shared,
};

use super::users::no_such;

/// Most keys that are listed, and that somebody has.
const LISTED: u32 = 100;

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    /// The key.
    id: Uuid,
    /// What it is for.
    name: String,
    /// What it may do, as long as its owner may.
    #[schema(value_type = Vec<String>, example = json!(["read-call-records"]))]
    scopes: Vec<Permission>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What it is for.
    name: String,
    /// Names of permissions that one has oneself.
    #[schema(value_type = Vec<String>, example = json!(["read-call-records"]))]
    scopes: Vec<Permission>,
    /// When it ends by itself; never when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// A key with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewKeyView {
    /// Send it as `Authorization: Bearer …`. It is never shown again.
    secret: String,
    /// What else is known.
    key: KeyView,
}

/// One's own API keys
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "auth",
    responses((status = 200, description = "The latest first, at most 100", body = Page<KeyView>))
)]
pub(crate) async fn list(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Page<KeyView>>, Problem> {
    let keys = app.api.store.api_keys(caller.id(), LISTED).await?;
    Ok(Page::whole(keys.into_iter().map(KeyView::from).collect()))
}

/// The API keys of a user
#[utoipa::path(
    get, path = "/api/v1/users/{id}/api-keys", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The latest first, at most 100", body = Page<KeyView>),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn of_user(
    _caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Page<KeyView>>, Problem> {
    let user = app.api.store.user(&id).await?;
    user.ok_or_else(|| no_such(&id))?;
    let keys = app.api.store.api_keys(&id, LISTED).await?;
    Ok(Page::whole(keys.into_iter().map(KeyView::from).collect()))
}

/// Make an API key
///
/// It acts for oneself, with the permissions that it names and never more than one has at the
/// time. It cannot change passwords or second factors, or make keys.
#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "auth", request_body = NewKey,
    responses(
        (status = 201, description = "The key", body = Data<NewKeyView>),
        (status = 403, description = "A permission that one does not have, or asked with a key", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(new): Body<NewKey>,
) -> Result<(StatusCode, Json<Data<NewKeyView>>), Problem> {
    caller.login()?;
    let now = app.now();
    let mut check = Check::default();
    check.line("name", &new.name, 1..=200);
    if new.scopes.is_empty() {
        check.wrong("scopes", "name at least one permission");
    }
    if new.expires_at.is_some_and(|at| at <= now) {
        check.wrong("expires_at", "is over already");
    }
    let kept = app.api.store.api_keys(caller.id(), LISTED).await?;
    let in_use = kept.iter().filter(|key| key.revoked_at.is_none()).count();
    if in_use >= LISTED as usize {
        check.wrong("name", "you have 100 keys: revoke one that is not used");
    }
    check.done()?;
    if let Some(scope) = new.scopes.iter().find(|scope| !caller.may(**scope)) {
        return Err(Problem::forbidden(format!(
            "you do not have the permission {scope} yourself"
        )));
    }
    let mut scopes = new.scopes;
    scopes.sort();
    scopes.dedup();
    let key = ApiKey {
        id: app.new_id(),
        name: new.name.trim().to_owned(),
        scopes,
        created_at: now,
        expires_at: new.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let secret = new_token()?;
    app.api
        .store
        .create_api_key(caller.id(), &key, token_hash(&secret), caller.by(now))
        .await?;
    let view = NewKeyView {
        secret: format!("{API_KEY}{}_{secret}", key.id.simple()),
        key: key.into(),
    };
    Ok((StatusCode::CREATED, Data::of(view)))
}

/// Revoke an API key
///
/// One's own, or with the permission manage-users that of somebody whose role is not above one's
/// own. It is refused at once, and live connections with it are closed.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "auth", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Revoked", body = Done),
        (status = 404, description = "No such key in use", body = ProblemBody),
    )
)]
pub(crate) async fn revoke(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Json<Done>, Problem> {
    // The same for a key of somebody else and one that does not exist.
    let unknown = || Problem::not_found("there is no key with this id that you may revoke");
    let owner = app.api.store.api_key(id).await?.ok_or_else(unknown)?.user;
    let allowed = owner.id == *caller.id()
        || (caller.may(Permission::ManageUsers) && owner.role <= caller.user.role);
    if !allowed
        || !app
            .api
            .store
            .revoke_api_key(id, caller.by(app.now()))
            .await?
    {
        return Err(unknown());
    }
    app.user_changed(&owner.id);
    Ok(Done::ok())
}
