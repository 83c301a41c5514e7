//! A carrier that has no line, and another that has.

use strowger_core::{ids::TrunkId, live::TrunkState};
use strowger_sim::{Callee, Outcome};

use crate::harness::{Centre, Ground, Plan};

/// Gives the campaign a second trunk, to be used when the first does not work.
async fn add_second_trunk(ground: &Ground) {
    for statement in [
        "INSERT INTO trunks (id, name, server, endpoint, max_channels, max_calls_per_second)
         VALUES ('second', 'Second', 'pbx', 'second', 200, 20)",
        "INSERT INTO campaign_trunks (campaign_id, trunk_id, position) SELECT id, 'second', 1 FROM campaigns",
    ] {
        sqlx::query(statement)
            .execute(ground.store.pool())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_trunk_without_a_line_is_left_for_the_next_and_no_attempt_is_counted() {
    let ground = Ground::new(Plan {
        agents: 6,
        contacts: 12,
        failing_trunks: vec!["carrier"],
        // An attempt that counted would end its contact.
        campaign: r#"mode = 'progressive', wrap_up_s = 0, retry_rules = '{"carrier-failure": {"delay_s": 0, "max_attempts": 1}}'"#,
        ..Plan::default()
    })
    .await;
    add_second_trunk(&ground).await;
    let first = ground.planted.campaign.settings.trunks[0].id.clone();
    let centre = Centre::on(ground).await;
    centre.start_campaign().await;
    centre
        .seen("the first trunk rests", |now| {
            now.trunks
                .iter()
                .any(|trunk| trunk.id == first && trunk.state == TrunkState::Resting)
        })
        .await;
    centre.finished().await;
    let second = TrunkId::new("second").unwrap();
    let snapshot = centre.daemon.hub.snapshot();
    let works = snapshot.trunks.iter().find(|trunk| trunk.id == second);
    assert_eq!(works.unwrap().state, TrunkState::Working);
    let contacts: Vec<(String, i32)> = sqlx::query_as("SELECT status, attempts_made FROM contacts")
        .fetch_all(centre.ground.store.pool())
        .await
        .unwrap();
    assert_eq!(
        contacts,
        vec![("called".to_owned(), 1); 12],
        "everybody was reached by the attempt that counted"
    );
    let by_trunk: Vec<(bool, String, i64)> = sqlx::query_as(
        "SELECT trunk_id = 'second', disposition, count(*) FROM attempts GROUP BY 1, 2 ORDER BY 1, 2",
    )
    .fetch_all(centre.ground.store.pool())
    .await
    .unwrap();
    let [(false, failed, failures), (true, reached, people)] = by_trunk.as_slice() else {
        panic!("{by_trunk:?}")
    };
    assert_eq!(
        (failed.as_str(), reached.as_str()),
        ("carrier-failure", "answered-human")
    );
    assert!(
        (5..=24).contains(failures),
        "{failures}: five in a row, and those that were on their way or asked for then"
    );
    assert_eq!(*people, 12);
    centre.close().await;
}

#[tokio::test]
async fn with_one_trunk_a_number_without_a_line_follows_its_rule() {
    let centre = Centre::open(Plan {
        agents: 2,
        contacts: 6,
        campaign: r#"mode = 'progressive', wrap_up_s = 0, retry_rules = '{"carrier-failure": {"delay_s": 0, "max_attempts": 2}}'"#,
        callees: vec![(3, Callee::new(Outcome::Congestion))],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.finished().await;
    let made: i32 =
        sqlx::query_scalar("SELECT attempts_made FROM contacts WHERE status = 'exhausted'")
            .fetch_one(centre.ground.store.pool())
            .await
            .unwrap();
    assert_eq!(made, 2, "the trunk works for everybody else");
    centre.close().await;
}
