//! The daemon is killed in the middle of a campaign, again and again.

use std::{collections::HashMap, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Asterisk, Daemon, Launch,
    dialing::{Dialing, Floor, HOLDS_ON, dispositions},
};

/// Customers who never hang up: their calls must outlive every kill.
const HOLDERS: u32 = 2;

/// Runs a campaign during which the daemon is killed `kills` times, or restarted `softly` as a
/// service manager does.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn crash(
    launch: Launch,
    asterisk: &Asterisk,
    dialing: Dialing,
    kills: u32,
    softly: bool,
) -> anyhow::Result<Value> {
    let called_before = asterisk.carrier_calls().await?;
    let mut daemon = Daemon::start(launch, asterisk).await?;
    let floor = Floor::open(&daemon, &dialing, HOLDERS).await?;
    floor.start().await?;
    let (mut adopted, mut dropped, mut violations) = (0, 0, 0);
    for _ in 0..kills {
        sleep(Duration::from_secs(9)).await;
        violations += health(&floor, "invariant_violations").await?;
        let before = held(&daemon, asterisk).await?;
        if softly {
            daemon.terminate().await?;
        } else {
            daemon.kill().await?;
        }
        daemon.launch().await?;
        // The first snapshot decides what is adopted.
        sleep(Duration::from_secs(2)).await;
        let after = held(&daemon, asterisk).await?;
        dropped += before
            .iter()
            .filter(|channel| !after.contains(channel))
            .count();
        adopted += health(&floor, "adopted").await?;
    }
    // The held calls are hung up as a supervisor would.
    for channel in held(&daemon, asterisk).await? {
        let call = format!("call_{}", channel.trim_start_matches("att_"));
        floor
            .admin
            .post(&format!("/api/v1/calls/{call}/hangup"), json!({}))
            .await?;
    }
    floor
        .finish(Duration::from_secs(60 + u64::from(dialing.contacts) * 10))
        .await?;
    let leftovers = floor.close(asterisk).await?;

    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&daemon.database)
        .await?;
    let lost: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM contacts c WHERE status IN ('ready', 'waiting', 'hopper', 'claimed')
            OR NOT EXISTS (SELECT 1 FROM attempts a WHERE a.contact_id = c.id AND a.disposition IS NOT NULL)",
    )
    .fetch_one(&daemon.database)
    .await?;
    // What the carrier saw, since this run began: numbers repeat from one run to the next.
    let called = asterisk.carrier_calls().await?;
    let calls_of =
        |number: &String| called[number] - called_before.get(number).copied().unwrap_or(0);
    let carrier_calls: u32 = called.keys().map(calls_of).sum();
    // One call for each attempt, and a second attempt only when the carrier failed the first:
    // such a contact goes back to the list as if it had not been dialed. How often it was given
    // back is forgotten when the daemon is killed, so once more after each kill.
    let attempts_of: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT number, count(*), count(*) FILTER (WHERE disposition IS DISTINCT FROM 'carrier-failure')
         FROM attempts GROUP BY number",
    )
    .fetch_all(&daemon.database)
    .await?;
    let attempts_of: HashMap<_, _> = attempts_of
        .into_iter()
        .map(|(number, made, reached)| (number, (made, reached)))
        .collect();
    let double_dials: i64 = called
        .keys()
        .map(|number| {
            let (made, reached) = attempts_of.get(number).copied().unwrap_or_default();
            let calls = i64::from(calls_of(number));
            (calls - made).max(0) + (reached - 1).max(0) + (made - 1 - i64::from(kills)).max(0)
        })
        .sum();
    let redials: i64 = attempts_of.values().map(|(made, _)| made - 1).sum();
    let (dispositions, _) = dispositions(&daemon.database, &dialing.mode).await?;
    let report = json!({
        "kills": kills,
        "softly": softly,
        "carrier_calls": carrier_calls,
        "double_dials": double_dials,
        "redials_after_carrier_failure": redials,
        "lost_contacts": lost,
        "adopted_calls": adopted,
        "adopted_calls_dropped": dropped,
        "attempts": attempts,
        "dispositions": dispositions,
        "agents_stuck": leftovers.agents_stuck,
        "orphan_channels": leftovers.orphan_channels,
        "invariant_violations": violations + leftovers.invariant_violations,
    });
    daemon.stop().await?;
    Ok(report)
}

/// Channels of the customers who never hang up, as Asterisk has them.
async fn held(daemon: &Daemon, asterisk: &Asterisk) -> anyhow::Result<Vec<String>> {
    let holders: Vec<uuid::Uuid> = sqlx::query_scalar(
        "SELECT id FROM attempts WHERE number LIKE '%' || $1 AND bridged_at IS NOT NULL",
    )
    .bind(HOLDS_ON)
    .fetch_all(&daemon.database)
    .await?;
    let holders: Vec<String> = holders
        .iter()
        .map(|id| format!("att_{}", id.simple()))
        .collect();
    Ok(asterisk
        .channels()
        .await?
        .into_iter()
        .filter(|channel| holders.contains(channel))
        .collect())
}

async fn health(floor: &Floor, figure: &str) -> anyhow::Result<u64> {
    let health = floor.admin.get("/health").await?;
    Ok(health[figure].as_u64().unwrap_or(0))
}
