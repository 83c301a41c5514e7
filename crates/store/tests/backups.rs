//! Backups against a real PostgreSQL and its programs: what goes wrong, and what is due.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::path::{Path, PathBuf};

use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use strowger_core::time::Timestamp;
use strowger_store::{
    audit::By,
    backups::{
        Backup, Cause, Outcome, SCHEDULE,
        dump::{DumpError, Programs},
        keeper::{BackupSettings, Keeper},
    },
};
use strowger_testkit::database::{TestDatabase, bare, fresh};
use uuid::Uuid;

/// A directory that is gone when the test is over.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        let name = format!("strowger-backups-{}", Uuid::new_v4().simple());
        Self(std::env::temp_dir().join(name))
    }

    /// The names in it.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        entries.map(name).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn settings(database: &PgConnectOptions, directory: &Path) -> BackupSettings {
    BackupSettings {
        directory: directory.to_owned(),
        make_directory: true,
        keep: 3,
        programs: None,
        database: database.clone(),
    }
}

async fn make(keeper: &Keeper) -> Backup {
    let now = at("2026-11-20T12:00:00Z");
    let turn = keeper.begin(Uuid::new_v4(), Cause::Asked, None, now);
    turn.unwrap().make(|| now).await.unwrap()
}

/// Why a backup failed; nothing but a row with that is left of it.
async fn failure(database: &TestDatabase, keeper: &Keeper, files: &Files) -> String {
    let backup = make(keeper).await;
    let Outcome::Failed(why) = backup.outcome.clone() else {
        panic!("it was made: {backup:?}");
    };
    assert_eq!(database.store.backups().await.unwrap(), [backup]);
    assert!(files.names().is_empty(), "{:?}", files.names());
    assert!(keeper.running().is_none());
    why
}

#[tokio::test]
async fn a_login_that_is_refused_leaves_the_reason_and_no_file() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let options = database.options.clone().username("nobody_of_that_name");
    let settings = settings(&options, &files.0);
    let keeper = Keeper::new(database.store.clone(), settings);
    let why = failure(&database, &keeper, &files).await;
    assert!(why.contains("pg_dump failed"), "{why}");
    assert!(why.contains("nobody_of_that_name"), "{why}");
}

#[tokio::test]
async fn a_directory_that_is_not_mounted_is_not_made() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let settings = BackupSettings {
        make_directory: false,
        ..settings(&database.options, &files.0)
    };
    let keeper = Keeper::new(database.store.clone(), settings);
    let why = failure(&database, &keeper, &files).await;
    assert!(why.contains("backup.directory"), "{why}");
    assert!(why.contains(files.0.to_str().unwrap()), "{why}");
    assert!(!files.0.exists());
    keeper.tidy().await.unwrap();
}

#[tokio::test]
async fn a_disk_that_the_backup_might_fill_is_left_alone() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    // A directory of a system without any room.
    let settings = settings(&database.options, Path::new("/proc"));
    let keeper = Keeper::new(database.store.clone(), settings);
    let why = failure(&database, &keeper, &files).await;
    assert!(why.starts_with("/proc has 0 MB left"), "{why}");
    assert!(why.contains("backup.directory"), "{why}");
}

#[tokio::test]
async fn programs_that_are_not_there_are_named() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let settings = BackupSettings {
        programs: Some("/nowhere".into()),
        ..settings(&database.options, &files.0)
    };
    let keeper = Keeper::new(database.store.clone(), settings);
    let why = failure(&database, &keeper, &files).await;
    assert!(
        why.contains("/nowhere") && why.contains("backup.programs"),
        "{why}"
    );
}

#[tokio::test]
async fn a_backup_is_restored_into_an_empty_database_only() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let keeper = Keeper::new(
        database.store.clone(),
        settings(&database.options, &files.0),
    );
    let backup = make(&keeper).await;
    assert!(
        matches!(backup.outcome, Outcome::Made { size_bytes } if size_bytes > 10_000),
        "{backup:?}"
    );
    let file = files.0.join(&backup.begun.file_name);
    let programs = Programs::find(None).unwrap();

    let refused = programs.restore(&file, &database.options).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, DumpError::NotEmpty { .. }), "{refused}");
    assert!(refused.to_string().contains("--into"), "{refused}");

    let one_table = bare().await.unwrap();
    sqlx::query("CREATE TABLE mine (id integer)")
        .execute(one_table.store.pool())
        .await
        .unwrap();
    let refused = programs.restore(&file, &one_table.options).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("mine"), "{refused}");

    let target = bare().await.unwrap();
    programs.restore(&file, &target.options).await.unwrap();
    target.store.check_schema().await.unwrap();
    let again = programs.restore(&file, &target.options).await;
    assert!(matches!(again, Err(DumpError::NotEmpty { .. })));
}

#[tokio::test]
async fn what_is_no_whole_backup_restores_nothing() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let keeper = Keeper::new(
        database.store.clone(),
        settings(&database.options, &files.0),
    );
    let backup = make(&keeper).await;
    let file = files.0.join(&backup.begun.file_name);
    let programs = Programs::find(None).unwrap();
    let target = bare().await.unwrap();

    let none = files.0.join("none");
    let missing = programs.restore(&none, &target.options).await;
    assert!(missing.unwrap_err().to_string().contains("none"));
    let text = files.0.join("text");
    std::fs::write(&text, "not a backup").unwrap();
    let refused = programs.restore(&text, &target.options).await;
    assert!(matches!(refused, Err(DumpError::Program { .. })));

    let bytes = std::fs::read(&file).unwrap();
    let half = files.0.join("half");
    std::fs::write(&half, &bytes[..bytes.len() * 9 / 10]).unwrap();
    let refused = programs.restore(&half, &target.options).await;
    assert!(matches!(refused, Err(DumpError::Program { .. })));
    // Nothing of the half is there.
    programs.restore(&file, &target.options).await.unwrap();

    let options = target.options.clone().username("nobody_of_that_name");
    let refused = programs.restore(&file, &options).await;
    assert!(matches!(refused, Err(DumpError::Database(_))));
}

#[tokio::test]
async fn what_was_missed_is_made_once() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let store = &database.store;
    let keeper = Keeper::new(store.clone(), settings(&database.options, &files.0));
    let run = async |now: &str| {
        let now = at(now);
        let made = keeper.run_due(Uuid::new_v4(), || now).await.unwrap();
        made.map(|backup| {
            assert!(matches!(backup.outcome, Outcome::Made { .. }), "{backup:?}");
            backup.begun.started_at
        })
    };
    assert_eq!(
        run("2026-11-20T12:00:00Z").await,
        None,
        "there is no schedule"
    );
    let by = By {
        actor: None,
        now: at("2026-11-20T12:00:00Z"),
    };
    let daily = json!({"frequency": "daily", "time": "02:00", "timeZone": "Europe/Paris"});
    store.save_setting(SCHEDULE, &daily, by).await.unwrap();
    assert_eq!(run("2026-11-20T12:00:30Z").await, None);
    assert_eq!(run("2026-11-21T00:59:30Z").await, None);
    let due = "2026-11-21T01:00:00Z";
    assert_eq!(run(due).await, Some(at(due)));
    assert_eq!(run("2026-11-21T01:00:30Z").await, None);
    // Four days later.
    let back = "2026-11-25T09:00:00Z";
    assert_eq!(run(back).await, Some(at(back)));
    assert_eq!(run("2026-11-25T09:00:30Z").await, None);
    // Whoever deletes it does not get another one.
    let newest = store.backups().await.unwrap().remove(0);
    assert_eq!(newest.begun.cause, Cause::Scheduled);
    keeper.remove(newest.begun.id, by).await.unwrap().unwrap();
    assert_eq!(run("2026-11-25T09:01:00Z").await, None);
    let next = "2026-11-26T01:00:10Z";
    assert_eq!(run(next).await, Some(at(next)));
}

#[tokio::test]
async fn a_backup_that_is_given_up_leaves_nothing_and_is_due_again() {
    let (database, files) = (fresh().await.unwrap(), Files::new());
    let keeper = Keeper::new(
        database.store.clone(),
        settings(&database.options, &files.0),
    );
    // As a daemon that is killed leaves it, beside a file of somebody else.
    std::fs::create_dir_all(&files.0).unwrap();
    for name in ["strowger-20261120T010000Z-0.dump.part", "other.part"] {
        std::fs::write(files.0.join(name), "").unwrap();
    }
    keeper.tidy().await.unwrap();
    assert_eq!(files.names(), ["other.part"]);

    let now = at("2026-11-20T12:00:00Z");
    let turn = keeper.begin(Uuid::new_v4(), Cause::Asked, None, now);
    let mut making = Box::pin(turn.unwrap().make(|| now));
    // Until its program runs.
    let begun = async {
        while files.names().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        made = &mut making => panic!("it was made at once: {made:?}"),
        () = begun => {}
    }
    drop(making);
    assert_eq!(files.names(), ["other.part"]);
    assert!(keeper.running().is_none());
    assert!(database.store.backups().await.unwrap().is_empty());
    assert!(matches!(make(&keeper).await.outcome, Outcome::Made { .. }));
}
