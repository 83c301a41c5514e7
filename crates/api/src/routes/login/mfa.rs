//! The second factor: codes of an authenticator app.

use axum::{Json, extract::State, response::Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use strowger_core::ids::UserId;
use strowger_store::{audit::By, users::User};
use utoipa::ToSchema;

use super::{
    LoginView, answer,
    sessions::below,
    step::{self, Client},
};
use crate::{
    auth::recovery_hash,
    guard::{ManageUsers, May, Peer, WorkAsAgent},
    input::{Body, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    state::{App, Shared},
};

/// The second step of a login.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondStep {
    /// That of the answer to the password.
    challenge_token: String,
    /// The six digits that the authenticator app shows, or a recovery code.
    code: String,
    /// Also give the refresh token in the answer, for programs that keep no cookies.
    #[serde(default)]
    with_refresh_token: bool,
}

/// Give the code of a login
///
/// Each code is good once, one step of 30 seconds early or late. A wrong one counts like a wrong
/// password. A recovery code is taken in its place, once.
#[utoipa::path(
    post, path = "/api/v1/auth/mfa", tag = "auth", security(()), request_body = SecondStep,
    responses(
        (status = 200, description = "Logged in", body = Data<LoginView>),
        (status = 401, description = "The code is wrong or used up, or the challenge too old", body = ProblemBody),
        (status = 429, description = "Too many attempts", body = ProblemBody),
    )
)]
pub(crate) async fn second(
    State(app): State<Shared>,
    peer: Peer,
    client: Client,
    Body(request): Body<SecondStep>,
) -> Result<Response, Problem> {
    let (auth, store) = (&app.api.auth, &app.api.store);
    let challenge = auth.check_challenge(&request.challenge_token, app.now());
    let challenge = challenge.map_err(|bad| Problem::unauthenticated(bad.to_string()))?;
    let user = store.user(&challenge.sub).await?;
    let user = user.filter(|user| user.is_active && challenge.is_current(user));
    let user = user.ok_or_else(|| Problem::unauthenticated("log in with the password again"))?;
    step::begin(&app, &user.login_id, peer)?;
    if !code_is_right(&app, &user, &request.code).await? {
        return Err(Problem::unauthenticated(
            "the code is wrong or was used already: wait for the next one",
        ));
    }
    auth.login_succeeded(&user.login_id, peer.address, app.now());
    let opened = step::open(&app, &user, peer, &client).await?;
    answer(&app, peer, opened, request.with_refresh_token).await
}

/// Whether a code of the app or a recovery code is right; it is used up then.
async fn code_is_right(app: &App, user: &User, code: &str) -> Result<bool, Problem> {
    let (auth, store, now) = (&app.api.auth, &app.api.store, app.now());
    let Some(factor) = store
        .factor(&user.id)
        .await?
        .filter(|factor| factor.is_confirmed)
    else {
        return Ok(false);
    };
    if let Some(step) = auth.check_code(user, &factor, code, now)? {
        return Ok(store.use_step(&user.id, step).await?);
    }
    let by = By {
        actor: Some(&user.id),
        now,
    };
    let hash = recovery_hash(code);
    Ok(store.use_recovery_code(&user.id, hash, by).await?)
}

/// What an authenticator app needs.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactorView {
    /// To be typed.
    secret: String,
    /// To be shown as a QR code.
    otpauth_uri: String,
}

/// Prepare a second factor
///
/// Gives the secret once. Nothing changes until a code is shown with POST
/// /api/v1/auth/mfa/confirm.
#[utoipa::path(
    post, path = "/api/v1/auth/mfa/enrol", tag = "auth",
    responses(
        (status = 200, description = "The secret", body = Data<FactorView>),
        (status = 409, description = "There is a second factor already", body = ProblemBody),
    )
)]
pub(crate) async fn enrol(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Data<FactorView>>, Problem> {
    caller.login()?;
    let new = app.api.auth.new_factor(&caller.user)?;
    if !app.api.store.begin_factor(caller.id(), &new.sealed).await? {
        return Err(Problem::conflict(
            "you have a second factor: disable it first",
        ));
    }
    Ok(Data::of(FactorView {
        secret: new.secret,
        otpauth_uri: new.address,
    }))
}

/// A code of the authenticator app.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    /// The six digits.
    code: String,
}

/// Codes for the day when the app is lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryView {
    /// Ten codes, each good once. They are never shown again.
    recovery_codes: Vec<String>,
}

/// Begin to use the second factor
///
/// With a code of the app that was prepared. From now on a code is asked for at each login.
#[utoipa::path(
    post, path = "/api/v1/auth/mfa/confirm", tag = "auth", request_body = Code,
    responses(
        (status = 200, description = "In use", body = Data<RecoveryView>),
        (status = 409, description = "Nothing was prepared, or it is in use already", body = ProblemBody),
        (status = 422, description = "The code is wrong", body = ProblemBody),
    )
)]
pub(crate) async fn confirm(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<Code>,
) -> Result<Json<Data<RecoveryView>>, Problem> {
    caller.login()?;
    let (auth, store, now) = (&app.api.auth, &app.api.store, app.now());
    let prepared = || {
        Problem::conflict(
            "no second factor was prepared, or it is in use: POST /api/v1/auth/mfa/enrol first",
        )
    };
    let factor = store.factor(caller.id()).await?;
    let factor = factor
        .filter(|factor| !factor.is_confirmed)
        .ok_or_else(prepared)?;
    let step = auth.check_code(&caller.user, &factor, &request.code, now)?;
    let step = step.ok_or_else(|| {
        Problem::field(
            "code",
            "is not the one that the app shows now: look at its clock",
        )
    })?;
    let codes = auth.new_recovery_codes()?;
    let hashes: Vec<[u8; 32]> = codes.iter().map(|(_, hash)| *hash).collect();
    let by = caller.by(now);
    if !store.confirm_factor(caller.id(), step, &hashes, by).await? {
        return Err(prepared());
    }
    Ok(Data::of(RecoveryView {
        recovery_codes: codes.into_iter().map(|(code, _)| code).collect(),
    }))
}

/// One's own password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnPassword {
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Give the second factor up
///
/// A wrong password counts like a wrong login.
#[utoipa::path(
    post, path = "/api/v1/auth/mfa/disable", tag = "auth", request_body = OwnPassword,
    responses(
        (status = 200, description = "No code is asked for any more", body = Done),
        (status = 422, description = "The password is wrong", body = ProblemBody),
        (status = 429, description = "Too many attempts", body = ProblemBody),
    )
)]
pub(crate) async fn disable(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    peer: Peer,
    Body(request): Body<OwnPassword>,
) -> Result<Json<Done>, Problem> {
    caller.login()?;
    let auth = &app.api.auth;
    step::begin(&app, &caller.user.login_id, peer)?;
    let hash = caller.user.password_hash.clone();
    if !auth.verify(request.password, Some(hash)).await? {
        return Err(Problem::field("password", "is not your password"));
    }
    auth.login_succeeded(&caller.user.login_id, peer.address, app.now());
    let by = caller.by(app.now());
    app.api.store.remove_factor(caller.id(), by).await?;
    Ok(Done::ok())
}

/// Take the second factor of a user away
///
/// For somebody who lost the app and the recovery codes.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}/mfa", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "No code is asked for any more", body = Done),
        (status = 403, description = "The role is above one's own", body = ProblemBody),
        (status = 404, description = "No such user", body = ProblemBody),
    )
)]
pub(crate) async fn reset(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
    Path(id): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    if id == *caller.id() {
        return Err(Problem::forbidden(
            "your own is given up with POST /api/v1/auth/mfa/disable and your password",
        ));
    }
    below(&app, &caller.user, &id).await?;
    let by = caller.by(app.now());
    app.api.store.remove_factor(&id, by).await?;
    Ok(Done::ok())
}
