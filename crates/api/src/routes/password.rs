//! Changing one's own password, and choosing a new one with a token.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::UserId,
    time::{Timestamp, after},
};
use strowger_store::{login_sessions::LoginEnd, users::User};
use utoipa::ToSchema;

use super::login::{Client, LoginView, answer, begin, below, open};
use crate::{
    auth::{new_token, token_hash},
    guard::{ManageUsers, May, Peer, WorkAsAgent},
    input::{Body, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    state::{App, Shared},
};

/// How long a token for a new password is good, in milliseconds: an hour.
const RESET_MS: u64 = 3_600_000;

/// A new password, and the one before.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPassword {
    /// The password until now.
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// At least 8 characters, unless configured otherwise; not one that everybody tries first.
    #[schema(value_type = String, format = Password, min_length = 8)]
    new_password: SecretString,
}

/// Change one's own password
///
/// Logins and live connections from before end at once; the answer is a new login. A wrong
/// `current_password` counts like a wrong login.
#[utoipa::path(
    put, path = "/api/v1/users/me/password", tag = "users", request_body = NewPassword,
    responses(
        (status = 200, description = "Changed, and logged in anew", body = Data<LoginView>),
        (status = 409, description = "The password was changed meanwhile", body = ProblemBody),
        (status = 422, description = "The current password is wrong, or the new one not valid", body = ProblemBody),
        (status = 429, description = "Too many attempts", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    peer: Peer,
    client: Client,
    Body(request): Body<NewPassword>,
) -> Result<Response, Problem> {
    caller.login()?;
    let (current, new) = (request.current_password, request.new_password);
    let user = replace(&app, caller.user, peer, current, new).await?;
    let opened = open(&app, &user, peer, &client).await?;
    answer(&app, peer, opened, false).await
}

/// Gives somebody who knows their password another, and ends their logins.
pub(crate) async fn replace(
    app: &App,
    mut user: User,
    peer: Peer,
    current: SecretString,
    new: SecretString,
) -> Result<User, Problem> {
    let (auth, now) = (&app.api.auth, app.now());
    begin(app, &user.login_id, peer)?;
    let before = user.password_hash.clone();
    if !auth.verify(current, Some(before.clone())).await? {
        return Err(Problem::field(
            "current_password",
            "is not your password until now",
        ));
    }
    auth.login_succeeded(&user.login_id, peer.address, now);
    let hash = choose(app, &user, new).await?;
    let store = &app.api.store;
    let ended = store
        .replace_password(&user.id, &before, &hash, now)
        .await?;
    let ended = ended
        .ok_or_else(|| Problem::conflict("your password was changed meanwhile: log in again"))?;
    app.logins_ended(&user.id, &ended, LoginEnd::PasswordChanged);
    app.user_changed(&user.id);
    user.password_hash = hash;
    Ok(user)
}

async fn choose(app: &App, user: &User, new: SecretString) -> Result<String, Problem> {
    match app.api.auth.hash(&user.login_id, new).await {
        Err(error) if error.is_of_the_password() => {
            Err(Problem::field("new_password", error.to_string()))
        }
        other => Ok(other?),
    }
}

/// A token for a new password.
#[derive(Serialize, ToSchema)]
pub(crate) struct ResetView {
    /// For POST /api/v1/auth/password-reset, once. It is never shown again.
    token: String,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Let a user choose a new password
///
/// Gives a token to hand to them, good once and for an hour, in place of those before. Their
/// password stays until they use it.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/password-reset", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 201, description = "The token", body = Data<ResetView>),
        (status = 403, description = "The role is above one's own", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn begin_reset(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<(StatusCode, Json<Data<ResetView>>), Problem> {
    if id == *caller.id() {
        return Err(Problem::forbidden(
            "change your own with PUT /api/v1/users/me/password",
        ));
    }
    below(&app, &caller.user, &id).await?;
    let (token, now) = (new_token()?, app.now());
    let expires_at = after(now, RESET_MS);
    app.api
        .store
        .create_password_reset(&id, token_hash(&token), expires_at, caller.by(now))
        .await?;
    Ok((
        StatusCode::CREATED,
        Data::of(ResetView { token, expires_at }),
    ))
}

/// A new password, and the token that allows it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// The token.
    token: String,
    /// At least 8 characters, unless configured otherwise; not one that everybody tries first.
    #[schema(value_type = String, format = Password, min_length = 8)]
    new_password: SecretString,
}

/// Choose a new password
///
/// With a token of an administrator. Logins from before end; log in with the new password then.
#[utoipa::path(
    post, path = "/api/v1/auth/password-reset", tag = "auth", security(()), request_body = Reset,
    responses(
        (status = 200, description = "Log in with it", body = Done),
        (status = 422, description = "The token is not good any more, or the password not valid", body = ProblemBody),
    )
)]
pub(crate) async fn reset(
    State(app): State<Shared>,
    Body(request): Body<Reset>,
) -> Result<Json<Done>, Problem> {
    let (store, hash, now) = (&app.api.store, token_hash(&request.token), app.now());
    let spent = || {
        Problem::field(
            "token",
            "was used or is older than an hour: ask for another",
        )
    };
    let user = store.password_reset(hash, now).await?.ok_or_else(spent)?;
    let password_hash = choose(&app, &user, request.new_password).await?;
    let ended = store
        .use_password_reset(hash, &password_hash, now)
        .await?
        .ok_or_else(spent)?;
    app.logins_ended(&user.id, &ended, LoginEnd::PasswordChanged);
    app.user_changed(&user.id);
    app.api.auth.unlock(&user.login_id);
    Ok(Done::ok())
}
