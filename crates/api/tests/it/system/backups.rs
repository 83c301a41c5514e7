//! Backups of the database, with the real programs.

use std::{
    collections::BTreeMap, os::unix::fs::PermissionsExt as _, path::PathBuf, time::Duration,
};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use strowger_core::permission::Role::{self, SuperAdministrator};
use strowger_store::backups::{Cause, dump::Programs, keeper::Keeper};
use strowger_testkit::database::bare;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::harness::TestApp;

const BACKUPS: &str = "/api/v1/backups";
const SCHEDULE: &str = "/api/v1/settings/backup-schedule";

fn keeper(app: &TestApp) -> &Keeper {
    app.state.system.backups.as_ref().unwrap()
}

/// Makes a backup and waits for it.
async fn made(app: &TestApp) -> Value {
    let begun = app.post(SuperAdministrator, BACKUPS, Value::Null).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!(begun.body["data"]["state"], "running");
    let newest = app.backups_done().await.remove(0);
    assert_eq!(newest["id"], begun.body["data"]["id"]);
    newest
}

fn file(app: &TestApp, backup: &Value) -> PathBuf {
    let name = backup["file_name"].as_str().unwrap();
    keeper(app).directory().join(name)
}

/// How many rows each table has, and a hash of all of them.
async fn tables(pool: &PgPool) -> BTreeMap<String, (i64, Option<String>)> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut found = BTreeMap::new();
    for name in names {
        let ask = format!(
            r#"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM "{name}" t"#
        );
        let row = sqlx::query_as(AssertSqlSafe(ask));
        let row: (i64, Option<String>) = row.fetch_one(pool).await.unwrap();
        found.insert(name, row);
    }
    found
}

#[tokio::test]
async fn a_backup_that_is_restored_is_the_same_database() {
    let app = TestApp::new().await.with_campaign().await;
    let mut lines = vec!["phone,first_name,last_name".to_owned()];
    lines.extend((0..500).map(|n| format!("+3319900{n:04},Zoë,\"O'Neil; --\"")));
    let imported = app.import("cmp_1", lines.join("\n")).await;
    assert!(imported.status.is_success(), "{}", imported.text);
    let weekly = json!({"frequency": "weekly", "time": "03:30", "time_zone": "Asia/Tokyo"});
    assert_eq!(
        app.put(SuperAdministrator, SCHEDULE, weekly).await.status,
        200
    );
    let token = app.token(SuperAdministrator).await;
    let before = tables(app.store.pool()).await;
    assert_eq!(before["contacts"].0, 500);
    let answer = app.with_token(&token, Method::POST, BACKUPS, None).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    // Without a request: each one opens a login.
    while keeper(&app).running().is_some() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let backup = app.backups_done().await.remove(0);
    assert_eq!(backup["state"], "made", "{backup}");

    let target = bare().await.unwrap();
    let programs = Programs::find(None).unwrap();
    let restored = programs
        .restore(&file(&app, &backup), &target.options)
        .await;
    restored.unwrap();
    let mut after = tables(target.store.pool()).await;
    // That it was asked for is noted first, and the row of the backup itself comes when it is done.
    assert_eq!(after["audit_log"].0, before["audit_log"].0 + 1);
    assert_eq!(after["backups"].0, 0);
    after.insert("audit_log".to_owned(), before["audit_log"].clone());
    assert!(before.len() > 40, "{} tables", before.len());
    assert_eq!(after, before);
    target.store.check_schema().await.unwrap();
}

#[tokio::test]
async fn a_backup_is_listed_fetched_in_parts_and_deleted() {
    let app = TestApp::new().await;
    let backup = made(&app).await;
    assert_eq!(backup["state"], "made", "{backup}");
    assert_eq!(backup["cause"], "asked");
    assert_eq!(backup["asked_by"], "usr_super-administrator");
    let path = file(&app, &backup);
    let (metadata, bytes) = (path.metadata().unwrap(), std::fs::read(&path).unwrap());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(backup["size_bytes"], metadata.len());

    let route = format!("{BACKUPS}/{}", backup["id"].as_str().unwrap());
    let token = app.token(SuperAdministrator).await;
    for (range, expected) in [(None, &bytes[..]), (Some("bytes=0-4"), &b"PGDMP"[..])] {
        let mut request = Request::get(format!("{route}/content"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success());
        let headers = response.headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
        let attached = headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(attached.contains(".dump"), "{attached}");
        let body = to_bytes(response.into_body(), 100_000_000).await.unwrap();
        assert_eq!(&body[..], expected);
    }
    let fetched: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM audit_log WHERE action = 'backup.fetched' AND actor_id = 'usr_super-administrator'",
    )
    .fetch_one(app.store.pool())
    .await
    .unwrap();
    assert_eq!(fetched, 2);

    let delete = || app.call(Some(SuperAdministrator), Method::DELETE, &route, None);
    assert_eq!(delete().await.status, 200);
    assert!(!path.exists());
    assert_eq!(delete().await.status, 404);
    let gone = app
        .get(SuperAdministrator, &format!("{route}/content"))
        .await;
    assert_eq!(gone.status, 404);
    assert!(app.backups_done().await.is_empty());
}

#[tokio::test]
async fn one_backup_is_made_at_a_time() {
    let app = TestApp::new().await;
    let now = (app.state.clock)();
    let turn = keeper(&app).begin(Uuid::new_v4(), Cause::Scheduled, None, now);
    let turn = turn.unwrap();
    let refused = app.post(SuperAdministrator, BACKUPS, Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    let list = app.get(SuperAdministrator, BACKUPS).await;
    assert_eq!(list.body["data"][0]["state"], "running");
    let console = app
        .post(SuperAdministrator, "/api/system/backups", Value::Null)
        .await;
    assert_eq!(console.status, 409, "{}", console.text);
    drop(turn);
    assert_eq!(made(&app).await["state"], "made");
}

#[tokio::test]
async fn only_so_many_are_kept_and_the_oldest_go_first() {
    let app = TestApp::new().await;
    let mut all = Vec::new();
    for _ in 0..3 {
        all.push(made(&app).await);
        app.pass(1_000);
    }
    let left = app.backups_done().await;
    let ids = |list: &[Value]| -> Vec<Value> { list.iter().map(|one| one["id"].clone()).collect() };
    assert_eq!(ids(&left), [all[2]["id"].clone(), all[1]["id"].clone()]);
    assert!(!file(&app, &all[0]).exists());
    let files = std::fs::read_dir(keeper(&app).directory()).unwrap().count();
    assert_eq!(files, 2);
}

#[tokio::test]
async fn the_schedule_says_when_the_next_backup_is() {
    let app = TestApp::new().await;
    let none = app.get(SuperAdministrator, SCHEDULE).await;
    assert_eq!(
        none.body["data"],
        json!({"frequency": "none", "time": "02:00", "time_zone": "UTC", "next_at": null})
    );
    let sent = json!({"frequency": "daily", "time": "02:00"});
    let set = app.put(SuperAdministrator, SCHEDULE, sent).await;
    assert_eq!(
        set.body["data"]["next_at"], "2026-11-21T02:00:00Z",
        "{}",
        set.text
    );
    assert_eq!(
        app.get(SuperAdministrator, SCHEDULE).await.body["data"],
        set.body["data"]
    );
    for (sent, field) in [
        (json!({"frequency": "daily", "time": "25:00"}), "time"),
        (
            json!({"frequency": "daily", "time": "02:00", "time_zone": "Mars/Olympus"}),
            "time_zone",
        ),
        (json!({"frequency": "hourly", "time": "02:00"}), "frequency"),
    ] {
        let refused = app.put(SuperAdministrator, SCHEDULE, sent).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains(field), "{}", refused.text);
    }
}

#[tokio::test]
async fn the_console_lists_backups_and_is_told_how_to_restore_one() {
    let app = TestApp::new().await;
    let made = app
        .post(SuperAdministrator, "/api/system/backups", Value::Null)
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let schedule = json!({"frequency": "monthly", "time": "04:15"});
    let set = app
        .put(SuperAdministrator, "/api/system/backup-schedule", schedule)
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    let data = app.get(SuperAdministrator, "/api/application-data").await;
    let logs = data.body["backupLogs"].as_array().unwrap();
    assert_eq!(logs.len(), 1, "{logs:?}");
    assert_eq!(logs[0]["status"], "success");
    assert_eq!(logs[0]["timestamp"], "2026-11-20T12:00:00.000Z");
    assert_eq!(data.body["backupSchedule"]["frequency"], "monthly");
    assert_eq!(data.body["backupSchedule"]["time"], "04:15");
    let others = app.get(Role::Administrator, "/api/application-data").await;
    assert_eq!(others.body["backupLogs"], json!([]));
    assert_eq!(others.body["backupSchedule"]["frequency"], "none");

    let name = logs[0]["fileName"].as_str().unwrap();
    let asked = json!({"fileName": name});
    let told = app
        .post(SuperAdministrator, "/api/system/backups/restore", asked)
        .await;
    assert_eq!(told.status, 409, "{}", told.text);
    let message = told.body["message"].as_str().unwrap();
    let path = keeper(&app).directory().join(name);
    let command = format!("strowger backup restore {}", path.display());
    assert!(message.contains(&command), "{message}");
    assert!(path.exists());

    let route = format!("/api/system/backups/{name}");
    let deleted = app
        .call(Some(SuperAdministrator), Method::DELETE, &route, None)
        .await;
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    assert!(!path.exists());
}
