//! Logging in, going on, logging out.

mod mfa;
mod sessions;
mod step;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_store::login_sessions::LoginEnd;
use utoipa::ToSchema;

use crate::{
    auth::PasswordError,
    guard::{May, Peer, WorkAsAgent},
    input::Body,
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    routes::users::{UserView, view},
    state::Shared,
};

pub(crate) use mfa::{
    __path_confirm, __path_disable, __path_enrol, __path_reset, __path_second, confirm, disable,
    enrol, reset, second,
};
pub(crate) use sessions::{
    __path_end, __path_of_user, __path_own, __path_unlock, below, end, of_user, own, unlock,
};
pub(crate) use step::{
    CLEARED_COOKIE, Client, Opened, Step, begin, cookie, open, password_step, refresh_cookie,
    rotate,
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
    /// Also give the refresh token in the answer, for programs that keep no cookies.
    #[serde(default)]
    with_refresh_token: bool,
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
    /// For POST /api/v1/auth/refresh, once; when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Who logged in.
    user: UserView,
}

/// The answer to a login that began.
pub(super) async fn answer(
    app: &Shared,
    peer: Peer,
    opened: Opened,
    with_refresh_token: bool,
) -> Result<Response, Problem> {
    let view = LoginView {
        access_token: opened.token.text,
        token_type: "Bearer",
        expires_in: opened.token.expires_in,
        refresh_token: with_refresh_token.then(|| opened.refresh.clone()),
        user: view(app, &opened.user).await?,
    };
    let cookie = cookie(app, peer, &opened.refresh);
    Ok((cookie, Data::of(view)).into_response())
}

/// Log in
///
/// Gives an access token, and a refresh token as the cookie `refreshToken`. Unless configured
/// otherwise, other logins of the same user end. After ten wrong passwords for a login id, or
/// sixty from one address, the answer is 429 with `Retry-After`; each further one doubles the wait.
/// Who has a second factor gets 401 with the code `mfa_required` and a `challenge_token`.
#[utoipa::path(
    post, path = "/api/v1/auth/login", tag = "auth", security(()),
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Logged in", body = Data<LoginView>),
        (status = 401, description = "The login id or the password is wrong, or a code is asked for", body = ProblemBody),
        (status = 429, description = "Too many attempts", body = ProblemBody),
        (status = 503, description = "Too many log in at the moment", body = ProblemBody),
    )
)]
pub(crate) async fn login(
    State(app): State<Shared>,
    peer: Peer,
    client: Client,
    Body(request): Body<LoginRequest>,
) -> Result<Response, Problem> {
    match password_step(&app, &request.login_id, request.password, peer).await? {
        Step::Done(user) => {
            let opened = open(&app, &user, peer, &client).await?;
            answer(&app, peer, opened, request.with_refresh_token).await
        }
        Step::Code(challenge) => Err(Problem::mfa_required(challenge)),
        // The same for an unknown user, a wrong password and a closed account.
        Step::Wrong | Step::Closed => Err(Problem::unauthenticated(
            "the login id or the password is wrong",
        )),
    }
}

/// A refresh token, unless the cookie holds it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    /// The token of the login or of the refresh before.
    #[serde(default)]
    refresh_token: Option<String>,
}

/// A new token.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefreshView {
    /// Send it as `Authorization: Bearer …`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the token is good for.
    expires_in: u64,
    /// The next refresh token, when the one before was in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

/// Go on with a login
///
/// Takes the refresh token of the cookie `refreshToken`, or of the body, and gives new tokens. A
/// refresh token is used once: whoever uses one again ends the login, for one of the two has
/// stolen it. Within ten seconds a second use only gives an access token, for tabs of one browser
/// that refresh at the same moment.
#[utoipa::path(
    post, path = "/api/v1/auth/refresh", tag = "auth", security(()), request_body = RefreshRequest,
    responses(
        (status = 200, description = "Go on with these", body = Data<RefreshView>),
        (status = 401, description = "The login has ended", body = ProblemBody),
        (status = 422, description = "No refresh token", body = ProblemBody),
    )
)]
pub(crate) async fn refresh(
    State(app): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let request = if body.is_empty() {
        RefreshRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::malformed(error.to_string()))?
    };
    let in_body = request.refresh_token.is_some();
    let token = request.refresh_token.or_else(|| refresh_cookie(&headers));
    let token = token.ok_or_else(|| {
        Problem::field(
            "refresh_token",
            "give it here, or in the cookie refreshToken: log in to get one",
        )
    })?;
    let rotated = rotate(&app, &token).await?;
    let view = RefreshView {
        access_token: rotated.token.text,
        token_type: "Bearer",
        expires_in: rotated.token.expires_in,
        refresh_token: rotated.refresh.clone().filter(|_| in_body),
    };
    let cookie = rotated
        .refresh
        .filter(|_| !in_body)
        .map(|refresh| cookie(&app, peer, &refresh));
    Ok((cookie, Data::of(view)).into_response())
}

/// Log out
///
/// Ends the login of the token, and its live connections. The session at a station goes on: end
/// it with POST /api/v1/agents/me/logout.
#[utoipa::path(
    post, path = "/api/v1/auth/logout", tag = "auth",
    responses(
        (status = 200, description = "Logged out", body = Done),
        (status = 403, description = "An API key is revoked instead", body = ProblemBody),
    )
)]
pub(crate) async fn logout(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Response, Problem> {
    let session = caller.login()?;
    let by = caller.by(app.now());
    let store = &app.api.store;
    store
        .end_login(session, caller.id(), LoginEnd::LoggedOut, by)
        .await?;
    app.logins_ended(caller.id(), &[session], LoginEnd::LoggedOut);
    Ok((CLEARED_COOKIE, Done::ok()).into_response())
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
