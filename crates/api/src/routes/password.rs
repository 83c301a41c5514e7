//! Changing one's own password.

use axum::{extract::State, response::Response};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use super::login::{LoginView, begin, logged_in};
use crate::{
    guard::{May, Peer, WorkAsAgent},
    input::Body,
    problem::{Problem, ProblemBody},
    reply::Data,
    state::Shared,
};

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
/// Tokens and live connections from before end at once; the answer holds a new token. A wrong
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
    Body(request): Body<NewPassword>,
) -> Result<Response, Problem> {
    let mut user = caller.user;
    let auth = &app.api.auth;
    begin(&app, &user.login_id, peer)?;
    let before = user.password_hash.clone();
    if !auth
        .verify(request.current_password, Some(before.clone()))
        .await?
    {
        return Err(Problem::field(
            "current_password",
            "is not your password until now",
        ));
    }
    auth.login_succeeded(&user.login_id, peer.address);
    let after = match auth.hash(&user.login_id, request.new_password).await {
        Err(error) if error.is_of_the_password() => {
            return Err(Problem::field("new_password", error.to_string()));
        }
        other => other?,
    };
    let store = &app.api.store;
    if !store.replace_password(&user.id, &before, &after).await? {
        return Err(Problem::conflict(
            "your password was changed meanwhile: log in again",
        ));
    }
    app.user_changed(&user.id);
    user.password_hash = after;
    logged_in(&app, user).await
}
