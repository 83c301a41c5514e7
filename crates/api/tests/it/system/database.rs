//! Asking the database: what is answered, and what nobody gets out of it or into it.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;
use strowger_core::permission::Role::{Administrator, SuperAdministrator};
use strowger_store::reader::Reader;
use tokio::time::Instant;

use crate::harness::{Answer, TestApp};

const QUERY: &str = "/api/v1/database/query";

async fn ask(app: &TestApp, query: &str) -> Answer {
    app.post(SuperAdministrator, QUERY, json!({"query": query}))
        .await
}

/// A secret that is in the database.
async fn with_secrets() -> TestApp {
    let app = TestApp::new().await.with_reader().await;
    let plant = "
        UPDATE users SET password_hash = 'planted-secret';
        INSERT INTO settings (key, value) VALUES ('smtp', '{\"passwordSealed\": \"planted-secret\"}');
        INSERT INTO trunks (id, name, server, endpoint, register_string, password_sealed)
            VALUES ('trk_1', 'Carrier', 'pbx1', 'carrier', 'planted-secret', 'planted-secret');";
    sqlx::raw_sql(plant)
        .execute(app.store.pool())
        .await
        .unwrap();
    app
}

#[tokio::test]
async fn a_question_is_answered_with_columns_in_their_order() {
    let app = TestApp::new().await.with_reader().await;
    let answer = ask(&app, "SELECT role, count(*) AS number, '{1,2}'::int[] AS list, NULL AS nothing FROM users GROUP BY role ORDER BY role -- all").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = &answer.body["data"];
    assert_eq!(
        data["columns"],
        json!([{"name": "role", "type": "text"}, {"name": "number", "type": "int8"},
            {"name": "list", "type": "int4[]"}, {"name": "nothing", "type": "text"}])
    );
    assert_eq!(
        data["rows"][0],
        json!({"role": "administrator", "number": 1, "list": [1, 2], "nothing": null})
    );
    assert_eq!(data["cut"], false);
    let console = json!({"query": "WITH x AS (VALUES (1), (2)) TABLE x", "readOnly": true});
    let answer = app
        .post(SuperAdministrator, "/api/system/db-query", console)
        .await;
    assert_eq!(
        answer.body,
        json!({"columns": ["column1"], "rows": [{"column1": 1}, {"column1": 2}], "rowCount": 2})
    );
    let log = app.get(SuperAdministrator, "/api/v1/audit-log").await;
    assert_eq!(log.body["data"][0]["action"], "database.asked");
    assert_eq!(
        log.body["data"][0]["change"]["query"],
        "WITH x AS (VALUES (1), (2)) TABLE x"
    );
}

#[tokio::test]
async fn answers_are_bounded_in_rows_bytes_and_time() {
    let app = TestApp::new().await.with_reader().await;
    let answer = ask(&app, "SELECT * FROM generate_series(1, 5000) AS n").await;
    assert_eq!(
        answer.body["data"]["rows"].as_array().unwrap().len(),
        1_000,
        "{}",
        answer.text.len()
    );
    assert_eq!(answer.body["data"]["cut"], true);
    let answer = ask(
        &app,
        "SELECT repeat('x', 60000) FROM generate_series(1, 900)",
    )
    .await;
    assert_eq!(answer.body["data"]["cut"], true);
    assert!(answer.text.len() < 5_000_000);
    let answer = ask(&app, "SELECT repeat('x', 100000000)").await;
    assert_eq!(answer.status, 422, "{}", answer.text.len());
    assert!(answer.text.contains("65,536"), "{}", answer.text);
    for endless in [
        "SELECT pg_sleep(60)",
        "SELECT set_config('statement_timeout', '0', false), pg_sleep(60)",
        "SELECT * FROM generate_series(1, 100000000) AS n",
        "WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT 1 FROM x) SELECT count(*) FROM x",
    ] {
        let began = Instant::now();
        let answer = ask(&app, endless).await;
        assert_eq!(answer.status, 422, "{endless}: {}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(9), "{endless}");
    }
}

#[tokio::test]
async fn no_secret_is_read_in_any_way() {
    let app = with_secrets().await;
    for question in [
        "SELECT password_hash FROM users",
        "SELECT * FROM users",
        "TABLE users",
        "SELECT to_jsonb(u) FROM users u",
        "SELECT u::text FROM users u",
        "SELECT query_to_xml('SELECT password_hash FROM users', true, true, '')",
        "SELECT table_to_xml('users', true, true, '')",
        "SELECT set_config('role', 'strowger', true), query_to_xml('SELECT * FROM users', true, true, '')",
        "SELECT set_config('session_authorization', 'strowger', true), query_to_xml('SELECT * FROM users', true, true, '')",
        "SELECT value FROM settings",
        "SELECT password_sealed FROM trunks",
        "SELECT register_string FROM trunks",
        "SELECT * FROM user_mfa",
        "SELECT hash FROM refresh_tokens",
        "SELECT hash FROM api_keys",
        "SELECT * FROM password_resets",
        "SELECT * FROM mfa_recovery_codes",
        "SELECT rolpassword FROM pg_authid",
        "SELECT passwd FROM pg_shadow",
        "SELECT most_common_vals::text FROM pg_stats WHERE attname = 'password_hash' UNION ALL SELECT 1/0::text",
        "SELECT 1 FROM users WHERE password_hash LIKE 'planted%'",
        "SELECT (SELECT string_agg(line, ' ') FROM screens)",
    ] {
        let answer = ask(&app, question).await;
        assert_eq!(answer.status, 422, "{question}: {}", answer.text);
        assert!(
            !answer.text.contains("planted-secret"),
            "{question}: {}",
            answer.text
        );
    }
    // The statistics of a column are for those who may read it.
    sqlx::raw_sql("ANALYZE users")
        .execute(app.store.pool())
        .await
        .unwrap();
    let answer = ask(
        &app,
        "SELECT * FROM pg_stats WHERE tablename = 'users' AND attname = 'password_hash'",
    )
    .await;
    assert!(!answer.text.contains("planted-secret"), "{}", answer.text);
}

#[tokio::test]
async fn nothing_is_written_and_nothing_of_the_machine_is_reached() {
    let app = with_secrets().await;
    let before = state(&app).await;
    for question in [
        "UPDATE users SET role = 'agent'",
        "INSERT INTO sites (id, name) VALUES ('s', 's')",
        "DELETE FROM contacts",
        "TRUNCATE contacts",
        "DROP TABLE contacts",
        "CREATE TABLE mine (id int)",
        "CREATE TEMP TABLE mine (id int)",
        "SELECT 1 AS one INTO mine",
        "WITH gone AS (DELETE FROM contacts RETURNING id) SELECT * FROM gone",
        "SELECT * FROM users FOR UPDATE",
        "SELECT 1; DROP TABLE contacts",
        "SELECT 1) AS answer; DROP TABLE contacts; --",
        "SELECT 1) AS answer, (SELECT 2",
        "SELECT 1 /*",
        "COMMIT",
        "COMMIT AND CHAIN",
        "BEGIN READ WRITE",
        "SET TRANSACTION READ WRITE",
        "SET ROLE strowger",
        "RESET ROLE",
        "RESET SESSION AUTHORIZATION",
        "SET SESSION AUTHORIZATION strowger",
        "SELECT set_config('role', 'strowger', false)",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "COPY users TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/strowger-test-copy'",
        "COPY (SELECT 1) TO STDOUT",
        "COPY sites FROM PROGRAM 'id'",
        "DO $$ BEGIN PERFORM 1; END $$",
        "EXPLAIN ANALYZE DELETE FROM contacts",
        "CALL nothing()",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "LISTEN x",
        "NOTIFY x",
        "LOCK TABLE users",
        "VACUUM",
        "GRANT SELECT ON users TO strowger_reader",
        "ALTER ROLE strowger_reader SUPERUSER",
        "CREATE EXTENSION dblink",
        "LOAD 'plpgsql'",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/strowger-test-export')",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT pg_stat_file('/etc/passwd')",
        "SELECT pg_file_write('x', 'y', false)",
        "SELECT * FROM dblink('dbname=strowger', 'SELECT 1') AS t (a int)",
        "SELECT nextval('audit_log_id_seq')",
        "SELECT setval('audit_log_id_seq', 1)",
        "SELECT pg_reload_conf()",
        "SELECT pg_rotate_logfile()",
        "SELECT pg_create_restore_point('x')",
        "SELECT query_to_xml('DELETE FROM contacts RETURNING 1', true, true, '')",
        "",
        ";",
        "-- nothing",
    ] {
        let answer = ask(&app, question).await;
        assert_eq!(answer.status, 422, "{question}: {}", answer.text);
    }
    assert_eq!(state(&app).await, before);
    for file in ["/tmp/strowger-test-copy", "/tmp/strowger-test-export"] {
        assert!(!std::path::Path::new(file).exists(), "{file}");
    }
    // Others' connections are not ended, and large objects do not stay.
    let others = "SELECT count(*) AS ended FROM pg_stat_activity WHERE usename <> 'strowger_reader' AND pg_terminate_backend(pid)";
    assert_eq!(ask(&app, others).await.status, 422);
    let _ = ask(&app, "SELECT lo_from_bytea(0, 'x')").await;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_largeobject_metadata")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert_eq!(objects, 0);
}

/// What must not change: rows, roles, settings.
async fn state(app: &TestApp) -> String {
    sqlx::query_scalar(
        "SELECT concat((SELECT count(*) FROM users), ' ', (SELECT string_agg(role, ',' ORDER BY id) FROM users), ' ',
           (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace), ' ',
           (SELECT rolsuper FROM pg_roles WHERE rolname = 'strowger_reader'))",
    )
    .fetch_one(app.store.pool())
    .await
    .unwrap()
}

#[tokio::test]
async fn nothing_of_a_question_is_left_for_the_next_or_for_the_daemon() {
    let app = TestApp::new().await.with_reader().await;
    let taken = ask(
        &app,
        "SELECT pg_advisory_lock(8319113925478442354), set_config('search_path', 'x', false)",
    )
    .await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let shown = ask(
        &app,
        "SELECT current_setting('search_path') AS path, session_user AS who",
    )
    .await;
    assert_eq!(
        shown.body["data"]["rows"],
        json!([{"path": "public", "who": "strowger_reader"}])
    );
    let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(8319113925478442354)")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert!(free);
}

#[tokio::test]
async fn columns_with_secrets_are_not_even_listed() {
    let app = TestApp::new().await.with_reader().await;
    let tables = app.get(SuperAdministrator, "/api/v1/database/tables").await;
    let tables = tables.body["data"].as_array().unwrap().clone();
    let columns_of = |name: &str| -> Vec<String> {
        let table = tables.iter().find(|table| table["name"] == name);
        let columns = table.map(|table| table["columns"].as_array().unwrap().clone());
        let columns = columns.unwrap_or_default();
        columns
            .iter()
            .map(|column| column["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(columns_of("users").contains(&"login_id".to_owned()));
    assert!(columns_of("ledger").contains(&"hash".to_owned()));
    assert!(columns_of("user_mfa").is_empty());
    assert_eq!(columns_of("settings"), ["key", "updated_by", "updated_at"]);
    for table in &tables {
        let name = table["name"].as_str().unwrap();
        for column in columns_of(name) {
            let secret = ["password", "secret", "sealed", "token", "hash"]
                .iter()
                .any(|word| column.contains(word));
            assert!(!secret || name.starts_with("ledger"), "{name}.{column}");
        }
    }
    let console = app.get(SuperAdministrator, "/api/system/db-schema").await;
    let roles = console.body["user_groups"].as_array().unwrap();
    assert!(
        roles.contains(&Value::from("name (text)")),
        "{}",
        console.text
    );
}

#[tokio::test]
async fn a_role_that_may_more_than_read_is_not_used() {
    let mut app = TestApp::new().await;
    // The owner of the tables, who is a superuser here.
    let options = app.database.options.clone();
    let mut owner = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let is_super: bool =
        sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert!(is_super);
    app.state.system.reader = Some(Reader::of_role(&app.store, options).await.unwrap());
    app.router = strowger_api::router(app.state.clone());
    // Its rights are not taken away, or the daemon could not work any more: only asking is refused.
    let untouched: bool =
        sqlx::query_scalar("SELECT relacl IS NULL FROM pg_class WHERE relname = 'users'")
            .fetch_one(&mut owner)
            .await
            .unwrap();
    assert!(untouched);
    let answer = ask(&app, "SELECT 1").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(
        answer.text.contains("may do more than log in"),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn writing_and_other_roles_are_refused_in_the_words_of_the_console() {
    let app = TestApp::new().await.with_reader().await;
    let sent = json!({"query": "SELECT 1", "readOnly": false});
    let answer = app
        .post(SuperAdministrator, "/api/system/db-query", sent.clone())
        .await;
    assert_eq!(answer.status, 403);
    assert!(answer.body["message"].is_string());
    let answer = app.post(Administrator, "/api/system/db-query", sent).await;
    assert_eq!(answer.status, 403);
    let sent = json!({"query": "SELEC 1"});
    let answer = app
        .post(SuperAdministrator, "/api/system/db-query", sent)
        .await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body["message"]
            .as_str()
            .unwrap()
            .contains("syntax error"),
        "{}",
        answer.text
    );
}
