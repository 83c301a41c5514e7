//! What a predictive campaign knows when the daemon starts.

use serde_json::Value;

use crate::harness::{Centre, Ground, Plan, until};

/// The limit of a whole day is used up by what an earlier run did.
const EARLIER: &str = "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch,
    disposition, created_at, answered_at, ended_at, late)
    SELECT gen_random_uuid(), c.campaign_id, c.id, 0, '+33639980000', 'carrier', 'pbx', 0,
        'abandoned', t, t + interval '9 s', t + interval '12 s', place <= 6
    FROM (SELECT id, campaign_id FROM contacts LIMIT 1) c,
        (SELECT place, now() - place * interval '5 min' AS t FROM generate_series(1, 200) AS place) p";

/// What the pacer said that it knew with each dial.
async fn beliefs(ground: &Ground) -> Vec<Value> {
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM ledger ORDER BY seq")
        .fetch_all(ground.store.pool())
        .await
        .unwrap();
    bodies
        .iter()
        .map(|body| serde_json::from_str::<Value>(body).unwrap()["pacing"].clone())
        .collect()
}

#[tokio::test]
async fn a_daemon_that_starts_counts_the_people_of_the_legal_window_before_it() {
    let ground = Ground::new(Plan {
        agents: 2,
        contacts: 8,
        campaign: "mode = 'predictive', wrap_up_s = 0, retry_rules = '{}', amd_enabled = false",
        ..Plan::default()
    })
    .await;
    sqlx::query(EARLIER)
        .execute(ground.store.pool())
        .await
        .unwrap();
    let centre = Centre::on(ground).await;
    centre.start_campaign().await;
    let told = until("a dial tells of the past", async || {
        let beliefs = beliefs(&centre.ground).await;
        beliefs
            .into_iter()
            .find(|belief| belief["answered"].as_f64() >= Some(150.0))
    })
    .await;
    assert!(told["late"].as_f64() >= Some(6.0), "{told}");
    assert!(told["budget_used"].as_f64() >= Some(0.9), "{told}");
    centre.finished().await;
    let counted: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM attempts WHERE disposition = 'answered-human' AND late IS NOT NULL",
    )
    .fetch_one(centre.ground.store.pool())
    .await
    .unwrap();
    assert_eq!(counted, 8, "and the next start will count these");
    centre.close().await;
}
