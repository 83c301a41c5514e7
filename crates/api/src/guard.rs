//! Who asks, and whether they may.
//!
//! A handler takes [`May`] with the permission that it needs as its first argument: it is
//! checked before the body is read, and a handler that forgets it cannot know who asks.

use std::{
    convert::Infallible,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use strowger_core::{
    ids::UserId,
    permission::Permission,
    time::{Timestamp, millis_between},
};
use strowger_store::{Store, audit::By, login_sessions::LoginEnd, users::User};
use uuid::Uuid;

use crate::{
    auth::{BadToken, same, token_hash},
    problem::Problem,
    state::{App, Shared},
};

/// What a route asks for, as a type.
pub(crate) trait Needs: Send + Sync + 'static {
    /// For the person who does not have it.
    const WHAT: &'static str;
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! needs {
    ($($name:ident, $what:literal;)*) => {
        $(
            #[derive(Debug)]
            pub(crate) struct $name;
            impl Needs for $name {
                const WHAT: &'static str = $what;
                const PERMISSION: Permission = Permission::$name;
            }
        )*
    };
}

needs! {
    WorkAsAgent, "work as an agent";
    WatchLive, "see the live view";
    RunCampaigns, "see and run campaigns";
    EditCampaigns, "create and change campaigns";
    ImportContacts, "import contacts";
    ReadCallRecords, "read call records";
    ManageAgents, "see users and change the state of agents";
    ManageUsers, "add, change and remove users";
    ManageGroups, "change groups of users";
    EditAgentProfiles, "change agent profiles";
    EditSites, "change sites";
    EditTrunks, "see and change trunks";
    EditFlows, "see and change flows";
    EditDids, "see and change numbers and queues";
    ReadMetrics, "read metrics";
    RecordWishes, "see and record consents and opt-outs";
    EditCompliance, "see and change do-not-call lists";
    ReadLedger, "read the dial ledger";
    ReadAudit, "read the audit log and verify the ledger";
    EditActivityTypes, "change activity types";
    EditScripts, "see and change scripts";
    EditQualifications, "change qualifications";
    EditMedia, "see and change sounds";
    ReadRecordings, "hear recordings";
    EditSettings, "see and change the settings of the system";
    ReadSystem, "see the state of the machine";
    RunDatabaseQueries, "ask the database";
    RunBackups, "make, fetch and schedule backups";
}

/// Who asks, and how they proved it.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// Who, as the database knows them now.
    pub(crate) user: User,
    /// The login, unless it is an API key.
    pub(crate) session: Option<Uuid>,
    /// When the token or the key ends, in seconds since 1970.
    pub(crate) expires: Option<i64>,
    /// What the API key is limited to; none for a login.
    scopes: Option<Vec<Permission>>,
}

impl Access {
    /// Whether they have a permission: their role does, and their API key if it is one.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        let scoped = |scopes: &Vec<Permission>| scopes.contains(&permission);
        self.user.role.may(permission) && self.scopes.as_ref().is_none_or(scoped)
    }
}

/// Why a token is not taken.
#[derive(Debug)]
pub(crate) enum Denied {
    /// It is not one of ours, or has expired.
    Token(String),
    /// Its login has ended.
    Ended(LoginEnd),
    /// Its user is not active.
    Closed,
    /// It could not be found out.
    Failed(Problem),
}

impl From<strowger_store::Error> for Denied {
    fn from(error: strowger_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Token(why) => Self::unauthenticated(why),
            Denied::Ended(cause) => Self::unauthenticated(match cause {
                LoginEnd::LoggedOut => "you have logged out: log in again",
                LoginEnd::Replaced => "you have logged in elsewhere, which ended this login",
                LoginEnd::Revoked => "this login was ended: log in again",
                LoginEnd::TokenReused => {
                    "a refresh token of this login was used twice, so it was ended: log in again"
                }
                LoginEnd::PasswordChanged => "the password was changed: log in again",
                LoginEnd::Deactivated => "the account was closed for a while: log in again",
            }),
            Denied::Closed => {
                Self::unauthenticated("this account has been closed: ask an administrator")
            }
            Denied::Failed(problem) => problem,
        }
    }
}

/// Somebody with a permission.
#[derive(Debug)]
pub(crate) struct May<P> {
    /// Who, as the database knows them now.
    pub(crate) user: User,
    /// The same, and how they proved it.
    pub(crate) access: Access,
    needs: PhantomData<P>,
}

impl<P> Clone for May<P> {
    fn clone(&self) -> Self {
        Self {
            user: self.user.clone(),
            access: self.access.clone(),
            needs: PhantomData,
        }
    }
}

impl<P> May<P> {
    /// Their id.
    pub(crate) fn id(&self) -> &UserId {
        &self.user.id
    }

    /// The database, in which whatever is changed is noted as changed by them.
    pub(crate) fn store(&self, app: &App) -> Store {
        app.api.store.by(self.id(), app.now())
    }

    /// Whether they also have another permission.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.access.may(permission)
    }

    /// Their login: what changes how somebody proves who they are is not for API keys.
    pub(crate) fn login(&self) -> Result<Uuid, Problem> {
        self.access.session.ok_or_else(|| {
            Problem::forbidden("an API key may not do this: log in with the password")
        })
    }

    /// For the audit log.
    pub(crate) fn by(&self, now: Timestamp) -> By<'_> {
        By {
            actor: Some(&self.user.id),
            now,
        }
    }
}

impl<P: Needs> FromRequestParts<Shared> for May<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)
            .ok_or_else(|| Problem::unauthenticated("log in first: POST /api/v1/auth/login, then send the token as \"Authorization: Bearer …\""))?;
        let access = authenticate(app, token).await?;
        authorise::<P>(&access)?;
        Ok(Self {
            user: access.user.clone(),
            access,
            needs: PhantomData,
        })
    }
}

/// The token of the `Authorization` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// How often it is noted that a login or a key is used.
const NOTED_EVERY_MS: u64 = 60_000;

/// Who a token or an API key belongs to. The database is asked each time: whoever is
/// deactivated, loses a role or is logged out feels it at once and not when the token expires.
pub(crate) async fn authenticate(app: &App, token: &str) -> Result<Access, Denied> {
    if let Some(rest) = token.strip_prefix(API_KEY) {
        return with_key(app, rest).await;
    }
    let (store, now) = (&app.api.store, app.now());
    let claims = app.api.auth.check(token, now);
    let claims = claims.map_err(|bad| Denied::Token(bad.to_string()))?;
    let state = store.login_state(claims.session).await?;
    let Some(state) = state.filter(|state| state.user.id == claims.sub) else {
        return Err(Denied::Closed);
    };
    if !state.user.is_active {
        return Err(Denied::Closed);
    }
    if let Some(cause) = state.ended {
        return Err(Denied::Ended(cause));
    }
    if state.expires_at <= now {
        return Err(Denied::Token(BadToken::Expired.to_string()));
    }
    if millis_between(state.seen_at, now) >= NOTED_EVERY_MS {
        store.login_seen(claims.session, now).await?;
    }
    Ok(Access {
        user: state.user,
        session: Some(claims.session),
        expires: Some(claims.exp),
        scopes: None,
    })
}

/// What API keys begin with.
pub(crate) const API_KEY: &str = "sk_";

async fn with_key(app: &App, rest: &str) -> Result<Access, Denied> {
    let bad = || Denied::Token("the API key is not valid, has expired or was revoked".to_owned());
    let (id, secret) = rest.split_once('_').ok_or_else(bad)?;
    let id = Uuid::try_parse(id).map_err(|_| bad())?;
    let (store, now) = (&app.api.store, app.now());
    let state = store.api_key(id).await?.ok_or_else(bad)?;
    let key = state.key;
    let is_over = key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now);
    if !same(&state.hash, &token_hash(secret)) || is_over {
        return Err(bad());
    }
    if !state.user.is_active {
        return Err(Denied::Closed);
    }
    let noted = key.last_used_at;
    if noted.is_none_or(|at| millis_between(at, now) >= NOTED_EVERY_MS) {
        store.api_key_used(id, now).await?;
    }
    Ok(Access {
        user: state.user,
        session: None,
        expires: key.expires_at.map(Timestamp::as_second),
        scopes: Some(key.scopes),
    })
}

/// Whether somebody has a permission.
pub(crate) fn authorise<P: Needs>(access: &Access) -> Result<(), Problem> {
    if access.may(P::PERMISSION) {
        return Ok(());
    }
    Err(Problem::forbidden(if access.user.role.may(P::PERMISSION) {
        format!(
            "this API key may not {}: it lacks the scope {}",
            P::WHAT,
            P::PERMISSION
        )
    } else {
        format!(
            "the role {} may not {}: ask an administrator",
            access.user.role,
            P::WHAT
        )
    }))
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address, seen through proxies that are trusted; none when the server does not tell.
    pub(crate) address: Option<IpAddr>,
    /// From this machine, with nothing in between.
    pub(crate) is_local: bool,
    /// The client speaks TLS, as a trusted proxy says.
    pub(crate) is_secure: bool,
}

impl FromRequestParts<Shared> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Infallible> {
        let direct = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip().to_canonical());
        let forwarded = parts.headers.contains_key("x-forwarded-for")
            || parts.headers.contains_key(header::FORWARDED);
        let trusted = |ip: &IpAddr| {
            app.api
                .settings
                .trusted_proxies
                .iter()
                .any(|net| net.contains(ip))
        };
        let address = match direct {
            Some(ip) if trusted(&ip) => Some(through_proxies(&parts.headers, ip, trusted)),
            other => other,
        };
        Ok(Self {
            address,
            is_secure: direct.is_some_and(|ip| trusted(&ip)) && is_https(&parts.headers),
            is_local: !forwarded && direct.is_some_and(|ip| ip.is_loopback()),
        })
    }
}

fn is_https(headers: &HeaderMap) -> bool {
    let scheme = headers.get("x-forwarded-proto");
    let scheme = scheme
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    scheme.trim().eq_ignore_ascii_case("https")
}

/// The last address of `X-Forwarded-For` that no trusted proxy has: what is before it,
/// the client may have written.
fn through_proxies(
    headers: &HeaderMap,
    direct: IpAddr,
    trusted: impl Fn(&IpAddr) -> bool,
) -> IpAddr {
    let mut seen = direct;
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    for text in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let Ok(ip) = text.trim().parse::<IpAddr>() else {
            break;
        };
        seen = ip.to_canonical();
        if !trusted(&seen) {
            break;
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        let proxy = IpAddr::from([127, 0, 0, 1]);
        let mut headers = HeaderMap::new();
        headers.append(
            "x-forwarded-for",
            "198.51.100.9, 203.0.113.7".parse().unwrap(),
        );
        headers.append("x-forwarded-for", "127.0.0.1".parse().unwrap());
        let seen = through_proxies(&headers, proxy, |ip| *ip == proxy);
        assert_eq!(seen, IpAddr::from([203, 0, 113, 7]));
    }

    #[test]
    fn the_scheme_of_the_token_is_read_in_any_case() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "bEaReR abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.insert(header::AUTHORIZATION, "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}
