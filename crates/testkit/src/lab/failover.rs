//! A carrier that has no line for anybody for a while.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::{
    Asterisk, Daemon, Launch,
    dialing::{Dialing, Floor},
};

/// Runs a campaign of two trunks whose carrier is down at the start and comes back once both
/// rest. Both trunks lead to the one carrier of the lab.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn failover(
    launch: Launch,
    asterisk: &Asterisk,
    dialing: Dialing,
) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let floor = Floor::open(&daemon, &dialing, 0).await?;
    let second = json!({ "id": "second", "name": "Second", "endpoint": "carrier", "max_channels": 100, "max_calls_per_second": 10 });
    floor.admin.post("/api/v1/trunks", second).await?;
    let campaign = format!("/api/v1/campaigns/{}", floor.campaign);
    let trunks = json!({ "trunk_ids": ["carrier", "second"] });
    floor.admin.patch(&campaign, trunks).await?;

    asterisk
        .rx("carrier", "dialplan set global CARRIER_DOWN 1")
        .await?;
    let outage = during_outage(&floor).await;
    asterisk
        .rx("carrier", "dialplan set global CARRIER_DOWN 0")
        .await?;
    let rested_s = outage?;
    let limit = Duration::from_secs(180 + u64::from(dialing.contacts) * 10);
    nobody_is_due(&daemon.database, limit).await?;
    floor
        .admin
        .post(&format!("{campaign}/stop"), json!({}))
        .await?;
    sleep(Duration::from_millis(2_500)).await;
    let leftovers = floor.close(asterisk).await?;

    let failures: Vec<(String, i64)> = sqlx::query_as(
        "SELECT trunk_id, count(*) FROM attempts WHERE disposition = 'carrier-failure' GROUP BY 1",
    )
    .fetch_all(&daemon.database)
    .await?;
    let reached: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM attempts WHERE disposition IN ('answered-human', 'answered-machine')",
    )
    .fetch_one(&daemon.database)
    .await?;
    // Numbers that are dialed once when the carrier works, and whose count says otherwise. A
    // contact that probed a resting trunk waits for an hour, and may count that attempt.
    let counted: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM contacts c WHERE c.status = 'called' AND c.attempts_made > 1
             AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.contact_id = c.id AND a.ordinal > 1)",
    )
    .fetch_one(&daemon.database)
    .await?;
    let report = json!({
        "asterisk": asterisk.version().await?,
        "both_rested_after_s": rested_s,
        "failures": failures.into_iter().collect::<BTreeMap<_, _>>(),
        "reached_after": reached,
        "attempts_counted_for_nothing": counted,
        "agents_stuck": leftovers.agents_stuck,
        "orphan_channels": leftovers.orphan_channels,
        "invariant_violations": leftovers.invariant_violations,
    });
    daemon.stop().await?;
    Ok(report)
}

/// Waits until everybody was dialed who may be now. Contacts that probed a resting trunk, or
/// were given back too often, wait for an hour.
async fn nobody_is_due(database: &PgPool, limit: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + limit;
    loop {
        let due: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM contacts WHERE status IN ('ready', 'claimed')
                 OR (status = 'waiting' AND next_attempt_at < now() + interval '1 minute')",
        )
        .fetch_one(database)
        .await?;
        if due == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("{due} contacts were not dialed after {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// Starts the campaign and waits until neither trunk is used any more; says after how long.
async fn during_outage(floor: &Floor) -> anyhow::Result<u64> {
    let began = Instant::now();
    floor.start().await?;
    loop {
        let mut resting = true;
        let trunks = floor.admin.get("/api/v1/trunks").await?;
        let trunks = trunks.get("data").unwrap_or(&trunks);
        for trunk in trunks.as_array().context("the trunks are no list")? {
            resting &= trunk["state"] != json!("working");
        }
        if resting {
            return Ok(began.elapsed().as_secs());
        }
        if began.elapsed() > Duration::from_mins(1) {
            bail!("a trunk without a line is still used after 60 s");
        }
        sleep(Duration::from_millis(200)).await;
    }
}
