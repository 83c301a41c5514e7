//! Logging in to the console.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_store::login_sessions::LoginEnd;

use super::{
    Console, ConsoleError,
    users::{UserWire, wire},
};
use crate::{
    guard::{Peer, WorkAsAgent},
    handing,
    input::Body,
    routes::login::{
        CLEARED_COOKIE, Client, Step, cookie, open, password_step, refresh_cookie, rotate,
    },
    state::Shared,
};

/// Who wants to log in.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Login {
    login_id: String,
    password: SecretString,
}

/// A login that began.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedIn {
    user: UserWire,
    access_token: String,
}

/// `POST /api/auth/login`. The console has no screen for a code: who has a second factor logs in
/// with another client, and is told so.
pub(super) async fn login(
    State(app): State<Shared>,
    peer: Peer,
    client: Client,
    body: Result<Body<Login>, crate::problem::Problem>,
) -> Result<Response, ConsoleError> {
    let wrong = || ConsoleError::Key(StatusCode::UNAUTHORIZED, "INVALID_CREDENTIALS");
    let Ok(Body(body)) = body else {
        return Err(wrong());
    };
    let step = password_step(&app, &body.login_id, body.password, peer).await;
    let user = match step.map_err(|problem| not_now(&problem))? {
        Step::Done(user) => user,
        Step::Wrong => return Err(wrong()),
        Step::Closed => {
            return Err(ConsoleError::Key(
                StatusCode::UNAUTHORIZED,
                "ACCOUNT_DISABLED",
            ));
        }
        Step::Code(challenge) => {
            let body = json!({"errorKey": "MFA_REQUIRED", "challengeToken": challenge});
            return Ok((StatusCode::UNAUTHORIZED, Json(body)).into_response());
        }
    };
    let opened = open(&app, &user, peer, &client)
        .await
        .map_err(|problem| not_now(&problem))?;
    let view = LoggedIn {
        user: wire(&app, &user.id).await?,
        access_token: opened.token.text,
    };
    Ok((cookie(&app, peer, &opened.refresh), Json(view)).into_response())
}

/// The console shows a login that fails for another reason than the password under one key, and
/// the status tells the reason.
fn not_now(problem: &crate::problem::Problem) -> ConsoleError {
    match problem.status() {
        status @ StatusCode::TOO_MANY_REQUESTS => ConsoleError::Key(status, "TOO_MANY_ATTEMPTS"),
        status => ConsoleError::Key(status, "SERVER_ERROR"),
    }
}

/// `POST /api/auth/refresh`: the cookie in exchange for an access token.
pub(super) async fn refresh(
    State(app): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, ConsoleError> {
    let ended = || ConsoleError::Said(StatusCode::UNAUTHORIZED, "Session expirée.".to_owned());
    let token = refresh_cookie(&headers).ok_or_else(ended)?;
    let rotated = match rotate(&app, &token).await {
        Err(problem) if problem.status() == StatusCode::UNAUTHORIZED => return Err(ended()),
        other => other?,
    };
    let cookie = rotated.refresh.map(|refresh| cookie(&app, peer, &refresh));
    let body = Json(json!({"accessToken": rotated.token.text}));
    Ok((cookie, body).into_response())
}

/// `POST /api/auth/logout`: ends the login, and the session at the station with it; what the
/// agent holds is given back.
pub(super) async fn logout(
    Console(caller): Console<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Response, ConsoleError> {
    let session = caller.login()?;
    let by = caller.by(app.now());
    let store = &app.api.store;
    store
        .end_login(session, caller.id(), LoginEnd::LoggedOut, by)
        .await?;
    handing::log_out(&app, caller.id()).await;
    app.logins_ended(caller.id(), &[session], LoginEnd::LoggedOut);
    let body = Json(json!({"message": "Déconnexion réussie."}));
    Ok((CLEARED_COOKIE, body).into_response())
}

/// `GET /api/auth/me`.
pub(super) async fn me(
    Console(caller): Console<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Response, ConsoleError> {
    let user = wire(&app, caller.id()).await?;
    Ok(Json(json!({"user": user})).into_response())
}
