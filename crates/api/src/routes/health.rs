//! How the daemon is, for supervisors of processes and for Prometheus.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use strowger_core::{
    ids::TrunkId,
    live::TrunkState,
    time::{Timestamp, millis_between},
};
use utoipa::ToSchema;

use crate::{
    guard::{Peer, ReadMetrics, authenticate, authorise, bearer},
    problem::{Problem, ProblemBody},
    state::Shared,
};

/// The database answers a ready daemon within this time.
const DATABASE_WITHIN: Duration = Duration::from_secs(2);

/// That the daemon lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: a daemon that cannot answer does not.
    #[schema(example = "ok")]
    status: &'static str,
    /// The version.
    version: &'static str,
    /// Now.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// Seconds since the start.
    uptime: f64,
    /// Invariants found broken since the start; more than 0 is a defect to report.
    invariant_violations: u64,
    /// Differences between the exchange and the switchboard that were corrected.
    corrected: u64,
    /// Calls of an earlier run that were taken up again.
    adopted: u64,
    /// Live calls.
    calls: usize,
    /// Agents with a session.
    agents: usize,
    /// Every configured exchange.
    exchanges: Vec<ExchangeHealth>,
    /// Trunks that fail and are left alone for a while.
    #[schema(value_type = Vec<String>)]
    resting_trunks: Vec<TrunkId>,
}

/// The link to one exchange.
#[derive(Debug, Serialize, ToSchema)]
struct ExchangeHealth {
    /// Its name.
    name: String,
    /// Calls can be placed there.
    up: bool,
}

/// That the daemon can work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready` or `not-ready`.
    status: &'static str,
    /// What an earlier run left has been taken up.
    started: bool,
    /// The database answers.
    database: bool,
}

/// Whether the daemon lives
#[utoipa::path(
    get, path = "/health", tag = "health", security(()),
    responses((status = 200, description = "It does", body = Health))
)]
pub(crate) async fn health(State(app): State<Shared>) -> Json<Health> {
    let status = (app.api.status)();
    let now = app.now();
    let exchanges = status.servers.into_iter().map(|(name, up)| ExchangeHealth {
        name: name.to_string(),
        up,
    });
    #[expect(clippy::cast_precision_loss, reason = "2^53 ms are 285,000 years")]
    let uptime = millis_between(app.started_at, now) as f64 / 1_000.0;
    Json(Health {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        timestamp: now,
        uptime,
        invariant_violations: status.stats.violations,
        corrected: status.stats.corrected,
        adopted: status.stats.adopted,
        calls: status.stats.calls,
        agents: status.stats.agents,
        exchanges: exchanges.collect(),
        resting_trunks: app
            .api
            .hub
            .trunks()
            .iter()
            .filter(|trunk| trunk.state != TrunkState::Working)
            .map(|trunk| trunk.id.clone())
            .collect(),
    })
}

/// Whether the daemon can work
#[utoipa::path(
    get, path = "/ready", tag = "health", security(()),
    responses(
        (status = 200, description = "It can", body = Readiness),
        (status = 503, description = "Not yet, or not at the moment", body = Readiness),
    )
)]
pub(crate) async fn ready(State(app): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let started = (app.api.status)().started;
    let database = matches!(
        tokio::time::timeout(DATABASE_WITHIN, app.api.store.ping()).await,
        Ok(Ok(()))
    );
    let (code, status) = if started && database {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not-ready")
    };
    (
        code,
        Json(Readiness {
            status,
            started,
            database,
        }),
    )
}

/// Metrics for Prometheus
///
/// For administrators, and without login for the same machine when that is set.
#[utoipa::path(
    get, path = "/metrics", tag = "health",
    responses(
        (status = 200, description = "Text format 0.0.4", body = String, content_type = "text/plain"),
        (status = 401, description = "Not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn metrics(
    State(app): State<Shared>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !(peer.is_local && app.api.settings.open_metrics_on_loopback) {
        let token = bearer(&headers).ok_or_else(|| {
            Problem::unauthenticated(
                "log in as an administrator, or let this machine read metrics in the configuration",
            )
        })?;
        let access = authenticate(&app, token).await?;
        authorise::<ReadMetrics>(&access)?;
    }
    Ok((
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        (app.api.metrics)(),
    )
        .into_response())
}
