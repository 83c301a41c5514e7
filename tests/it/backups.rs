//! The daemon makes the backups that are due, and the program restores them.

use serde_json::json;
use strowger_core::time::Timestamp;
use strowger_store::{
    audit::By,
    backups::{Cause, Outcome, SCHEDULE},
};
use strowger_testkit::database::{TestDatabase, bare};

use crate::harness::{Ground, Plan, Program, program::run, until};

async fn contacts(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM contacts")
        .fetch_one(database.store.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_backup_that_was_missed_is_made_at_the_start_and_restored_by_a_command() {
    let ground = Ground::new(Plan {
        agents: 1,
        contacts: 30,
        ..Plan::default()
    })
    .await;
    let daily = json!({"frequency": "daily", "time": "02:00", "timeZone": "UTC"});
    let by = By {
        actor: None,
        now: Timestamp::UNIX_EPOCH,
    };
    ground
        .store
        .save_setting(SCHEDULE, &daily, by)
        .await
        .unwrap();
    let program = Program::serve(&ground).await;
    let backup = until("a backup is made", async || {
        ground.store.backups().await.unwrap().pop()
    })
    .await;
    assert!(matches!(backup.outcome, Outcome::Made { .. }), "{backup:?}");
    assert_eq!(backup.begun.cause, Cause::Scheduled);
    program.stop().await;
    let file = ground
        .directory
        .join("backups")
        .join(backup.begun.file_name);

    let target = bare().await.unwrap();
    let config = ground.write_config("info");
    let (file, url) = (file.to_str().unwrap(), target.url());
    let restore = ["backup", "restore", file, "--into", &url];
    let answer = run(&config, &restore, "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("is restored"), "{answer:?}");
    assert_eq!(contacts(&target).await, 30);

    let answer = run(&config, &restore, "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("is not empty"), "{answer:?}");
    // Without a target it is the configured database, in which everything is.
    let answer = run(&config, &["backup", "restore", file], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("is not empty"), "{answer:?}");
    let answer = run(&config, &["backup", "restore", file, "--into", "here"], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("--into must be the URL"), "{answer:?}");
    let seen = "postgres://ada:secret@localhost/new";
    let answer = run(&config, &["backup", "restore", file, "--into", seen], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("PGPASSWORD"), "{answer:?}");
    assert!(!answer.err.contains("secret"), "{answer:?}");
}
