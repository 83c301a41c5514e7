//! The database goes away in the middle of calls.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use strowger_core::agent::AgentState;
use strowger_sim::{Callee, Outcome};
use strowger_store::{Store, cluster::Cluster};
use uuid::Uuid;

use crate::harness::{Centre, Ground, Plan};

#[tokio::test]
async fn calls_go_on_without_a_database_nobody_is_dialed_and_all_is_written_afterwards() {
    let directory = PathBuf::from(format!("/var/tmp/strowger-pg-{}", Uuid::new_v4().simple()));
    let cluster = Cluster::start(&directory).await.unwrap();
    let options = cluster.options();
    let store = Store::connect(options.clone(), 4).await.unwrap();
    store.migrate().await.unwrap();
    let url = options.to_url_lossy().to_string();
    let mut plan = Plan::mixed(4, 24);
    // Conversations that outlast the stop of a database, which is slow on a busy machine.
    let talkers = (0..24).filter(|place| place % 3 != 2);
    let talks = Callee::new(Outcome::Human).talk(Duration::from_secs(45));
    plan.callees
        .extend(talkers.map(|place| (place, talks.clone())));
    let centre = Centre::on(Ground::on(plan, store, url, None).await).await;
    centre.start_campaign().await;
    centre.ended(5).await;
    centre
        .seen("two talk", |now| {
            let talks = now
                .agents
                .iter()
                .filter(|agent| agent.state == AgentState::OnCall);
            talks.count() >= 2
        })
        .await;

    cluster.stop().await.unwrap();
    let (before, dialed) = (
        centre.daemon.hub.snapshot().campaigns[0].counters.ended,
        centre.ground.dialed().await,
    );
    centre
        .seen("every call has come to its end", |now| now.calls.is_empty())
        .await;
    let after = centre.daemon.hub.snapshot().campaigns[0].counters.ended;
    assert!(after > before, "{before} attempts had ended, then {after}");
    centre.everybody_is_available().await;
    assert_eq!(centre.ground.dialed().await, dialed, "nobody is dialed");

    let cluster = Cluster::start(&directory).await.unwrap();
    centre.comes_out_right().await;
    centre.everybody_is_available().await;
    centre.close().await;
    cluster.stop().await.unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}
