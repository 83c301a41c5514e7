//! How the program stops, starts anew, reloads, and what it tells the service manager.

use std::time::Duration;

use strowger_sim::{Callee, Outcome};
use tokio::{net::UnixDatagram, time::timeout};

use crate::harness::{Api, Ground, LONG, Plan, Program, until};

/// `shutdown.drain_seconds` of the harness, and some seconds.
const DRAIN: Duration = Duration::from_secs(2 + 5);

#[tokio::test]
async fn a_soft_stop_places_no_more_calls_and_the_next_start_takes_up_those_in_progress() {
    let long = Callee::new(Outcome::Human).talk(Duration::from_hours(2));
    let ground = Ground::new(Plan {
        agents: 3,
        contacts: 9,
        callees: vec![(0, long.clone()), (1, long)],
        ..Plan::default()
    })
    .await;
    let program = Program::serve(&ground).await;
    let admin = program.put_to_work(&ground).await;
    ground.ended(1).await;
    program.signal("TERM").await;
    program.logs("Stopping: no new calls are placed").await;
    program.logs("No call is placed any more").await;
    let (made, dialed) = (ground.attempts().await.0, ground.dialed().await);
    let status = program.exit(DRAIN).await;
    assert!(status.success(), "{status}");
    assert_eq!(
        ground.attempts().await.0,
        made,
        "nobody is claimed any more"
    );
    assert!(
        ground.dialed().await <= dialed + 1,
        "only what was ordered before leaves"
    );
    until("the two long conversations go on", async || {
        (ground.sim.stats().await.bridges == 2).then_some(())
    })
    .await;

    let program = Program::serve(&ground).await;
    admin
        .health("both are taken up", |health| health["adopted"] == 2)
        .await;
    // Not counted by attempts: one that was claimed during the stop is cancelled, and made anew.
    ground.called(7).await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT replace(id::text, '-', '') FROM attempts WHERE ended_at IS NULL",
    )
    .fetch_all(ground.store.pool())
    .await
    .unwrap();
    assert_eq!(open.len(), 2);
    for call in open {
        let hang_up = format!("/api/v1/calls/call_{call}/hangup");
        admin.post(&hang_up, &serde_json::json!({})).await;
    }
    ground.is_complete().await;
    ground.exchange_is_idle().await;
    let health = admin
        .health("no call is left", |health| health["calls"] == 0)
        .await;
    assert_eq!(health["invariant_violations"], 0);
    program.stop().await;
}

#[tokio::test]
async fn a_second_signal_stops_at_once() {
    let long = Callee::new(Outcome::Human).talk(Duration::from_hours(2));
    let ground = Ground::new(Plan {
        agents: 1,
        contacts: 1,
        callees: vec![(0, long)],
        ..Plan::default()
    })
    .await;
    let program = Program::serve(&ground).await;
    let admin = program.put_to_work(&ground).await;
    until("they talk", async || {
        (ground.sim.stats().await.bridges == 1).then_some(())
    })
    .await;
    admin
        .health("the call is known", |health| health["calls"] == 1)
        .await;
    program.signal("TERM").await;
    program.logs("Stopping: no new calls").await;
    program.signal("INT").await;
    program.logs("Stopping at once").await;
    assert!(program.exit(LONG).await.success());
    assert_eq!(ground.sim.stats().await.bridges, 1);
}

#[tokio::test]
async fn a_reload_takes_a_new_log_filter_and_a_broken_file_changes_nothing() {
    let ground = Ground::new(Plan {
        log: "warn",
        ..Plan::default()
    })
    .await;
    let program = Program::serve(&ground).await;
    assert!(!program.log().contains("INFO"), "{}", program.log());
    let config = ground.write_config("info");
    program.signal("HUP").await;
    program.logs("Reloaded").await;

    std::fs::write(&config, "[log]\nfilter = 7\n").unwrap();
    program.signal("HUP").await;
    program
        .logs("The new configuration is not valid, nothing is changed")
        .await;
    program.logs("log.filter").await;
    ground.write_config("strowger=nonsense");
    program.signal("HUP").await;
    until("the wrong filter is refused as well", async || {
        (program.log().matches("nothing is changed").count() == 2).then_some(())
    })
    .await;
    // What was reloaded last still holds.
    assert_eq!(
        program
            .log()
            .matches("INFO strowger::lifecycle: Reloading")
            .count(),
        2
    );
    Api::nobody(&ground)
        .health("the daemon is well", |_| true)
        .await;

    ground.write_config("info");
    let changed = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        changed.replace("connections = 6", "connections = 7"),
    )
    .unwrap();
    program.signal("HUP").await;
    program.logs("take effect at the next restart").await;
    program.stop().await;
}

#[tokio::test]
async fn the_service_manager_is_told_of_readiness_life_reloads_and_the_end() {
    let ground = Ground::new(Plan::default()).await;
    let path = ground.directory.join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let told = async |word: &str| {
        let mut buffer = [0; 1_024];
        let wait = async {
            loop {
                let count = manager.recv(&mut buffer).await.unwrap();
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                if text.lines().any(|line| line == word) {
                    return;
                }
            }
        };
        timeout(LONG, wait)
            .await
            .unwrap_or_else(|_| panic!("no {word}"));
    };
    let program = Program::launch(
        &ground,
        &[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "2000000"),
        ],
    );
    told("READY=1").await;
    let ready = tokio::time::Instant::now();
    for _ in 0..3 {
        timeout(Duration::from_secs(2), told("WATCHDOG=1"))
            .await
            .expect("a sign of life before the limit");
    }
    assert!(
        ready.elapsed() >= Duration::from_millis(400),
        "not in a burst"
    );
    program.signal("HUP").await;
    told("RELOADING=1").await;
    told("READY=1").await;
    assert!(
        !program.log().contains("makes no progress"),
        "{}",
        program.log()
    );
    program.signal("TERM").await;
    told("STOPPING=1").await;
    assert!(program.exit(LONG).await.success());
}
