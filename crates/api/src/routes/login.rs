//! Logging in.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_store::users::User;
use utoipa::ToSchema;

use crate::{
    auth::PasswordError,
    guard::{May, Peer, WorkAsAgent},
    input::Body,
    problem::{Problem, ProblemBody},
    reply::Data,
    routes::users::{UserView, view},
    state::{App, Shared},
};

/// Who wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The login id.
    #[schema(example = "ada")]
    login_id: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A token and whose it is.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoginView {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the token is good for.
    expires_in: u64,
    /// Who logged in.
    user: UserView,
}

/// The same for an unknown user, a wrong password and a closed account.
const WRONG: &str = "the login id or the password is wrong";

/// Log in
///
/// Gives a token, which is good until it expires or the user has another password. After ten wrong passwords for a login id, or sixty from one address, the
/// answer is 429 with `Retry-After`.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Logged in", body = Data<LoginView>),
        (status = 401, description = "The login id or the password is wrong", body = ProblemBody),
        (status = 429, description = "Too many attempts", body = ProblemBody),
    )
)]
pub(crate) async fn login(
    State(app): State<Shared>,
    peer: Peer,
    Body(request): Body<LoginRequest>,
) -> Result<Response, Problem> {
    let auth = &app.api.auth;
    begin(&app, &request.login_id, peer)?;
    // PostgreSQL has no NUL in texts and would answer with an error.
    let user = if request.login_id.contains('\0') {
        None
    } else {
        app.api.store.user_by_login(&request.login_id).await?
    };
    let user = user.filter(|user| user.is_active);
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = auth.verify(request.password, hash).await?;
    let Some(user) = user.filter(|_| right) else {
        return Err(Problem::unauthenticated(WRONG));
    };
    auth.login_succeeded(&request.login_id, peer.address);
    logged_in(&app, user).await
}

/// Counts an attempt to guess a password.
pub(super) fn begin(app: &App, login_id: &str, peer: Peer) -> Result<(), Problem> {
    let attempt = app.api.auth.begin_login(login_id, peer.address, app.now());
    attempt.map_err(|wait_s| {
        Problem::too_many(
            format!("too many attempts to log in: try again in {wait_s} seconds"),
            wait_s,
        )
    })
}

/// A new token for a user.
pub(super) async fn logged_in(app: &App, user: User) -> Result<Response, Problem> {
    let token = app
        .api
        .auth
        .issue(&user, app.now(), app.new_id())
        .map_err(|error| {
            tracing::error!(%error, "A token could not be signed");
            Problem::internal()
        })?;
    let view = LoginView {
        access_token: token.text,
        token_type: "Bearer",
        expires_in: token.expires_in,
        user: view(app, &user.id).await?,
    };
    let mut response = Data::of(view).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Who am I
#[utoipa::path(
    get, path = "/api/v1/auth/me", tag = "auth",
    responses((status = 200, description = "The user of the token", body = Data<UserView>))
)]
pub(crate) async fn me(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Data<UserView>>, Problem> {
    Ok(Data::of(view(&app, caller.id()).await?))
}

impl From<PasswordError> for Problem {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort(_)
            | PasswordError::TooLong
            | PasswordError::Common
            | PasswordError::IsLoginId => Self::field("password", error.to_string()),
            PasswordError::Busy => Self::unavailable("busy", error.to_string(), 5),
            PasswordError::Failed(why) => {
                tracing::error!(error = %why, "A password could not be hashed");
                Self::internal()
            }
        }
    }
}
