//! Asterisk is restarted in the middle of a campaign.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::{
    Asterisk, Daemon, Launch,
    dialing::{Dialing, Floor, dispositions},
};

/// Runs a campaign during which the exchange restarts.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn restart_pbx(
    launch: Launch,
    asterisk: &Asterisk,
    dialing: Dialing,
) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let floor = Floor::open(&daemon, &dialing, 0).await?;
    floor.start().await?;
    let conversations = conversations(&daemon.database).await?;
    let before: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM attempts WHERE ended_at IS NULL")
            .fetch_all(&daemon.database)
            .await?;
    let placed_before: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&daemon.database)
        .await?;
    asterisk.restart_pbx().await?;
    floor
        .finish(Duration::from_secs(120 + u64::from(dialing.contacts) * 10))
        .await?;
    let leftovers = floor.close(asterisk).await?;

    let closed: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM attempts WHERE id = ANY($1) AND ended_at IS NOT NULL AND disposition IS NOT NULL",
    )
    .bind(&before)
    .fetch_one(&daemon.database)
    .await?;
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts WHERE ended_at IS NULL")
        .fetch_one(&daemon.database)
        .await?;
    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&daemon.database)
        .await?;
    let (dispositions, _) = dispositions(&daemon.database, &dialing.mode).await?;
    let report = json!({
        "asterisk": asterisk.version().await?,
        "conversations_at_restart": conversations,
        "calls_at_restart": before.len(),
        "calls_closed": closed,
        "calls_open": open,
        "attempts_before": placed_before,
        "attempts_after": attempts - placed_before,
        "attempts": attempts,
        "dispositions": dispositions,
        "agents_stuck": leftovers.agents_stuck,
        "orphan_channels": leftovers.orphan_channels,
        "invariant_violations": leftovers.invariant_violations,
    });
    daemon.stop().await?;
    Ok(report)
}

/// Waits until somebody is in conversation, which the carrier's people are for seconds; returns
/// how many are.
async fn conversations(database: &PgPool) -> anyhow::Result<i64> {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let conversations: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM attempts WHERE bridged_at IS NOT NULL AND ended_at IS NULL",
        )
        .fetch_one(database)
        .await?;
        if conversations > 0 {
            return Ok(conversations);
        }
        if Instant::now() > deadline {
            bail!("nobody is in conversation after 60 s, so there is no call to lose");
        }
        sleep(Duration::from_millis(50)).await;
    }
}
