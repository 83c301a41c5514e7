//! The steps of a login, whichever interface asks.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::AppendHeaders,
};
use secrecy::SecretString;
use strowger_core::{ids::UserId, time::after};
use strowger_store::{
    login_sessions::{LoginEnd, NewLogin, Refreshed},
    users::User,
};

use crate::{
    auth::{BadToken, CryptoError, Token, new_token, token_hash},
    guard::Peer,
    problem::Problem,
    state::{App, Shared},
};

/// The cookie of the refresh token.
const COOKIE: &str = "refreshToken";

/// Longest user agent that is kept, in characters.
const USER_AGENT_CHARS: usize = 200;

type Cookie = AppendHeaders<[(HeaderName, HeaderValue); 1]>;

/// Takes the cookie away.
pub(crate) const CLEARED_COOKIE: Cookie = AppendHeaders([(
    header::SET_COOKIE,
    HeaderValue::from_static("refreshToken=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"),
)]);

/// What the client says it is.
#[derive(Debug, Clone)]
pub(crate) struct Client(String);

impl FromRequestParts<Shared> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Infallible> {
        let said = parts.headers.get(header::USER_AGENT);
        let said = said
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Ok(Self(said.chars().take(USER_AGENT_CHARS).collect()))
    }
}

/// Where the password led.
pub(crate) enum Step {
    /// Who they are is proven.
    Done(User),
    /// A code is asked for; this token allows to give it.
    Code(String),
    /// No such user, or another password.
    Wrong,
    /// The password is right, and the user is not active.
    Closed,
}

/// Counts an attempt to guess a password.
pub(crate) fn begin(app: &App, login_id: &str, peer: Peer) -> Result<(), Problem> {
    let attempt = app.api.auth.begin_login(login_id, peer.address, app.now());
    attempt.map_err(|wait_s| {
        Problem::too_many(
            format!("too many attempts to log in: try again in {wait_s} seconds"),
            wait_s,
        )
    })
}

/// Checks a login id and a password. It takes as long for an unknown user.
pub(crate) async fn password_step(
    app: &App,
    login_id: &str,
    password: SecretString,
    peer: Peer,
) -> Result<Step, Problem> {
    let (auth, store) = (&app.api.auth, &app.api.store);
    begin(app, login_id, peer)?;
    // PostgreSQL has no NUL in texts and would answer with an error.
    let user = if login_id.contains('\0') {
        None
    } else {
        store.user_by_login(login_id).await?
    };
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = auth.verify(password.clone(), hash).await?;
    let Some(mut user) = user.filter(|_| right) else {
        return Ok(Step::Wrong);
    };
    if !user.is_active {
        return Ok(Step::Closed);
    }
    if let Some(hash) = auth.rehash(password, &user.password_hash).await? {
        store
            .rehash_password(&user.id, &user.password_hash, &hash)
            .await?;
        user.password_hash = hash;
    }
    if store
        .factor(&user.id)
        .await?
        .is_some_and(|factor| factor.is_confirmed)
    {
        // The attempt still counts: only the code proves who it is.
        return Ok(Step::Code(
            auth.challenge(&user, app.now()).map_err(unsigned)?,
        ));
    }
    auth.login_succeeded(login_id, peer.address, app.now());
    Ok(Step::Done(user))
}

/// A login that began.
pub(crate) struct Opened {
    /// The access token.
    pub(crate) token: Token,
    /// The refresh token.
    pub(crate) refresh: String,
    /// Whose.
    pub(crate) user: UserId,
}

/// Begins a login of somebody who has proven who they are.
pub(crate) async fn open(
    app: &App,
    user: &User,
    peer: Peer,
    client: &Client,
) -> Result<Opened, Problem> {
    let (auth, now) = (&app.api.auth, app.now());
    let refresh = new_token()?;
    let session = app.new_id();
    let login = NewLogin {
        id: session,
        user: &user.id,
        refresh_hash: token_hash(&refresh),
        peer: peer.address.map(|ip| ip.to_string()),
        user_agent: &client.0,
        expires_at: after(now, lifetime_ms(app)),
        now,
    };
    let ended = app
        .api
        .store
        .open_login(&login, auth.single_session())
        .await?;
    app.logins_ended(&user.id, &ended, LoginEnd::Replaced);
    let token = auth.issue(user, session, now, app.new_id());
    Ok(Opened {
        token: token.map_err(unsigned)?,
        refresh,
        user: user.id.clone(),
    })
}

fn lifetime_ms(app: &App) -> u64 {
    u64::try_from(app.api.auth.refresh_lifetime().as_millis()).unwrap_or(u64::MAX)
}

fn unsigned(error: BadToken) -> Problem {
    tracing::error!(%error, "A token could not be signed");
    Problem::internal()
}

impl From<CryptoError> for Problem {
    fn from(error: CryptoError) -> Self {
        tracing::error!(%error, "A secret could not be made or read");
        Self::internal()
    }
}

/// Tokens in place of those before.
pub(crate) struct Rotated {
    /// The access token.
    pub(crate) token: Token,
    /// The next refresh token; none when another use of the same one got it a moment ago.
    pub(crate) refresh: Option<String>,
}

/// Uses a refresh token up.
pub(crate) async fn rotate(app: &App, used: &str) -> Result<Rotated, Problem> {
    let (auth, store, now) = (&app.api.auth, &app.api.store, app.now());
    let ended = || Problem::unauthenticated("this login has ended: log in again");
    let next = new_token()?;
    let expires_at = after(now, lifetime_ms(app));
    let rotated = store
        .rotate_refresh(token_hash(used), token_hash(&next), expires_at, now)
        .await?;
    let (session, refresh) = match rotated {
        Refreshed::Done { session, .. } => (session, Some(next)),
        Refreshed::Again { session, .. } => (session, None),
        Refreshed::Reused { session, user } => {
            tracing::warn!(user.id = %user, "A refresh token was used twice: the login was ended");
            app.logins_ended(&user, &[session], LoginEnd::TokenReused);
            return Err(ended());
        }
        Refreshed::Refused => return Err(ended()),
    };
    let user = store.login_owner(session).await?;
    let user = user.filter(|user| user.is_active).ok_or_else(ended)?;
    let token = auth.issue(&user, session, now, app.new_id());
    Ok(Rotated {
        token: token.map_err(unsigned)?,
        refresh,
    })
}

/// The header that has a browser keep a refresh token where no script reads it.
pub(crate) fn cookie(app: &App, peer: Peer, refresh: &str) -> Cookie {
    let seconds = app.api.auth.refresh_lifetime().as_secs();
    // Without TLS a browser would not send it back.
    let secure = if peer.is_secure { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={refresh}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}");
    AppendHeaders([(
        header::SET_COOKIE,
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("")),
    )])
}

/// The refresh token of the cookie.
pub(crate) fn refresh_cookie(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == COOKIE && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}
