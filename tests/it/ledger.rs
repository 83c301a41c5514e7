//! `strowger ledger verify` after a run, and after somebody was at the database.

use std::path::Path;

use serde_json::Value;

use crate::harness::{Centre, Ground, Plan, program::run};

const PLAN: Plan = Plan {
    agents: 2,
    contacts: 6,
    leg_mode: strowger_core::agent::LegMode::NailedUp,
    campaign: "mode = 'progressive', wrap_up_s = 0, retry_rules = '{}', amd_enabled = false",
    callees: Vec::new(),
    failing_trunks: Vec::new(),
    stations: Vec::new(),
    queues: Vec::new(),
    log: "info",
};

/// A campaign is run to its end; its daemon is gone.
async fn ground_after_a_run() -> Ground {
    let centre = Centre::open(PLAN).await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    centre.leave().await
}

async fn tamper(ground: &Ground, statement: &'static str) -> u64 {
    sqlx::query(statement)
        .execute(ground.store.pool())
        .await
        .unwrap()
        .rows_affected()
}

/// What the command says of each row that is wrong, and its exit code.
async fn verify(config: &Path) -> (i32, Vec<(i64, String)>) {
    let answer = run(config, &["ledger", "verify", "--json"], "").await;
    let found: Value = serde_json::from_str(&answer.out)
        .unwrap_or_else(|_| panic!("{} {}", answer.out, answer.err));
    assert_eq!(found["intact"], Value::Bool(answer.code == 0), "{found}");
    let faults = found["faults"].as_array().unwrap().iter();
    let faults = faults.map(|fault| {
        let problem = fault["problem"].as_str().unwrap().to_owned();
        (fault["seq"].as_i64().unwrap(), problem)
    });
    (answer.code, faults.collect())
}

fn named(rows: &[(i64, &str)]) -> Vec<(i64, String)> {
    rows.iter()
        .map(|(seq, problem)| (*seq, (*problem).to_owned()))
        .collect()
}

#[tokio::test]
async fn the_ledger_of_a_run_is_as_it_was_written() {
    let ground = ground_after_a_run().await;
    let config = ground.write_config("error");
    let answer = run(&config, &["ledger", "verify"], "").await;
    assert_eq!(answer.code, 0, "{}", answer.err);
    assert!(
        answer
            .out
            .contains("6 rows in 1 chains: as they were written"),
        "{}",
        answer.out
    );
}

#[tokio::test]
async fn a_row_that_was_altered_is_named() {
    let ground = ground_after_a_run().await;
    let config = ground.write_config("error");
    let number = "UPDATE ledger SET body = replace(body, '+33', '+44') WHERE seq = 3";
    assert_eq!(tamper(&ground, number).await, 1);
    assert_eq!(verify(&config).await, (1, named(&[(3, "altered")])));
    let answer = run(&config, &["ledger", "verify"], "").await;
    let campaign = &ground.planted.campaign.settings.id;
    assert!(
        answer
            .out
            .contains(&format!("chain {campaign}, row 3: it was altered")),
        "{}",
        answer.out
    );
    assert!(
        answer.err.contains("the ledger is not as it was written"),
        "{}",
        answer.err
    );
}

#[tokio::test]
async fn a_row_that_was_removed_is_named_in_the_middle_and_at_the_end() {
    let ground = ground_after_a_run().await;
    let config = ground.write_config("error");
    assert_eq!(tamper(&ground, "DELETE FROM ledger WHERE seq = 4").await, 1);
    assert_eq!(verify(&config).await, (1, named(&[(4, "missing")])));
    assert_eq!(tamper(&ground, "DELETE FROM ledger WHERE seq = 6").await, 1);
    assert_eq!(
        verify(&config).await,
        (1, named(&[(4, "missing"), (6, "missing")]))
    );
}

#[tokio::test]
async fn rows_that_changed_places_are_named() {
    let ground = ground_after_a_run().await;
    let config = ground.write_config("error");
    // Through a place that is free: no two rows may have one at any time.
    for step in [
        "UPDATE ledger SET seq = 99 WHERE seq = 2",
        "UPDATE ledger SET seq = 2 WHERE seq = 5",
        "UPDATE ledger SET seq = 5 WHERE seq = 99",
    ] {
        assert_eq!(tamper(&ground, step).await, 1);
    }
    let (code, faults) = verify(&config).await;
    assert_eq!(code, 1);
    assert_eq!(
        faults,
        named(&[(2, "moved"), (3, "detached"), (5, "moved"), (6, "detached")]),
        "both, and the rows that no longer follow the one before them"
    );
}
