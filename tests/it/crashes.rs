//! The program is killed in the middle of everything, again and again.

use std::time::Duration;

use serde_json::json;
use strowger_sim::{Callee, Outcome};

use crate::harness::{Ground, Plan, Program, number, until};

/// A contact who talks until somebody hangs up.
const HOLDER: u32 = 0;

#[tokio::test]
async fn a_daemon_that_is_killed_loses_no_contact_dials_nobody_twice_and_keeps_conversations() {
    let holder = Callee::new(Outcome::Human).talk(Duration::from_hours(2));
    let mut plan = Plan::mixed(5, 40);
    plan.callees.push((HOLDER, holder));
    let ground = Ground::new(plan).await;
    let mut program = Program::serve(&ground).await;
    let admin = program.put_to_work(&ground).await;
    holder_is_connected(&ground).await;
    for made in [10, 17, 24, 31] {
        until("more attempts", async || {
            (ground.attempts().await.0 >= made).then_some(())
        })
        .await;
        program.kill().await;
        program = Program::serve(&ground).await;
        let health = admin
            .health("calls of the earlier run are adopted", |health| {
                health["adopted"].as_u64() > Some(0)
            })
            .await;
        assert_eq!(health["invariant_violations"], 0);
    }
    ground.ended(39).await;
    let call: uuid::Uuid = sqlx::query_scalar("SELECT id FROM attempts WHERE ended_at IS NULL")
        .fetch_one(ground.store.pool())
        .await
        .unwrap();
    assert_eq!(
        ground.dispositions().await[&number(HOLDER)],
        ["open"],
        "the conversation has outlived every kill"
    );
    let hang_up = format!("/api/v1/calls/call_{}/hangup", call.simple());
    admin.post(&hang_up, &json!({})).await;
    ground.is_complete().await;
    assert_eq!(
        ground.dispositions().await[&number(HOLDER)],
        ["answered-human"]
    );
    ground.exchange_is_idle().await;
    let health = admin
        .health("no call is left", |health| health["calls"] == 0)
        .await;
    assert_eq!(
        (&health["agents"], &health["invariant_violations"]),
        (&json!(5), &json!(0))
    );
    let agents = admin.try_get("/api/v1/agents").await.unwrap();
    for agent in agents["data"].as_array().unwrap() {
        assert_eq!(agent["state"], "available", "{agents}");
    }
    program.stop().await;
}

async fn holder_is_connected(ground: &Ground) {
    until("the holder talks to an agent", async || {
        sqlx::query("SELECT 1 FROM attempts WHERE number = $1 AND bridged_at IS NOT NULL")
            .bind(number(HOLDER))
            .fetch_optional(ground.store.pool())
            .await
            .unwrap()
    })
    .await;
}
