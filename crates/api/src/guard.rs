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
    permission::{Permission, Role},
};
use strowger_store::users::User;

use crate::{
    problem::Problem,
    state::{App, Shared},
};

/// What a route asks for, as a type.
pub(crate) trait Needs: Send + Sync + 'static {
    /// For the person who does not have it.
    const WHAT: &'static str;
    /// Whether a role has it.
    fn granted(role: Role) -> bool;
}

macro_rules! needs {
    ($($name:ident, $what:literal;)*) => {
        $(
            #[derive(Debug)]
            pub(crate) struct $name;
            impl Needs for $name {
                const WHAT: &'static str = $what;
                fn granted(role: Role) -> bool {
                    role.may(Permission::$name)
                }
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
}

/// To add and change users and trunks: those who set the contact centre up.
#[derive(Debug)]
pub(crate) struct SetUp;

impl Needs for SetUp {
    const WHAT: &'static str = "set the contact centre up";
    fn granted(role: Role) -> bool {
        role >= Role::Administrator
    }
}

/// Somebody with a permission.
#[derive(Debug)]
pub(crate) struct May<P> {
    /// Who, as the database knows them now.
    pub(crate) user: User,
    needs: PhantomData<P>,
}

impl<P> Clone for May<P> {
    fn clone(&self) -> Self {
        Self {
            user: self.user.clone(),
            needs: PhantomData,
        }
    }
}

impl<P> May<P> {
    /// Their id.
    pub(crate) fn id(&self) -> &UserId {
        &self.user.id
    }
}

impl<P: Needs> FromRequestParts<Shared> for May<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)
            .ok_or_else(|| Problem::unauthenticated("log in first: POST /api/v1/auth/login, then send the token as \"Authorization: Bearer …\""))?;
        let (user, _) = authenticate(app, token).await?;
        authorise::<P>(&user)?;
        Ok(Self {
            user,
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

/// The user of a token, and when it expires in seconds since 1970. The user is read each
/// time: whoever is deactivated, loses a role or gets another password feels it at once and
/// not when the token expires.
pub(crate) async fn authenticate(app: &App, token: &str) -> Result<(User, i64), Problem> {
    let claims = app
        .api
        .auth
        .check(token, app.now())
        .map_err(|bad| Problem::unauthenticated(bad.to_string()))?;
    match app.api.store.user(&claims.sub).await? {
        Some(user) if user.is_active && !claims.is_current(&user) => Err(Problem::unauthenticated(
            "the password was changed: log in again",
        )),
        Some(user) if user.is_active => Ok((user, claims.exp)),
        Some(_) | None => Err(Problem::unauthenticated(
            "this account has been closed: ask an administrator",
        )),
    }
}

/// Whether a user has a permission.
pub(crate) fn authorise<P: Needs>(user: &User) -> Result<(), Problem> {
    if P::granted(user.role) {
        Ok(())
    } else {
        Err(Problem::forbidden(format!(
            "the role {} may not {}: ask an administrator",
            user.role,
            P::WHAT
        )))
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// The address, seen through proxies that are trusted; none when the server does not tell.
    pub(crate) address: Option<IpAddr>,
    /// From this machine, with nothing in between.
    pub(crate) is_local: bool,
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
            is_local: !forwarded && direct.is_some_and(|ip| ip.is_loopback()),
        })
    }
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
