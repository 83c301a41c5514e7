//! Starts that fail, and commands that do one thing: what they say and how they end.

use std::{net::TcpListener, path::Path};

use serde_json::Value;
use strowger_api::{Auth, AuthSettings};
use strowger_core::ids::TrunkId;

use crate::harness::{Api, Ground, LONG, Plan, Program, program::run};

async fn ground() -> Ground {
    Ground::new(Plan {
        agents: 1,
        contacts: 1,
        ..Plan::default()
    })
    .await
}

async fn users(ground: &Ground) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM users")
        .fetch_one(ground.store.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_said_and_ends_the_start() {
    let mut ground = ground().await;
    // A socket in a directory that is not there: nobody listens.
    ground.url = "postgres://somebody:his-password@%2Fnowhere/strowger".to_owned();
    let answer = run(&ground.write_config("info"), &["serve"], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(
        answer.err.contains("cannot connect to the database")
            && answer.err.contains("No such file"),
        "{answer:?}"
    );
    assert!(!answer.err.contains("his-password"), "{answer:?}");
}

#[tokio::test]
async fn a_wrong_key_is_named_with_its_file() {
    let ground = ground().await;
    let config = ground.write_config("info");
    let text = std::fs::read_to_string(&config).unwrap();
    for (line, key) in [
        ("[http]\nlisten_on = \"127.0.0.1:1\"", "listen_on"),
        ("[http]\nmax_streams = \"many\"", "http.max_streams"),
        ("[nonsense]\n[http]", "nonsense"),
    ] {
        std::fs::write(&config, text.replace("[http]", line)).unwrap();
        for command in [&["serve"][..], &["config", "check"][..]] {
            let answer = run(&config, command, "").await;
            assert_eq!(answer.code, 2, "{answer:?}");
            assert!(answer.err.contains(key), "{answer:?}");
            assert!(answer.err.contains("strowger.toml"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_configuration_is_checked_without_a_database() {
    let mut ground = ground().await;
    ground.url = "postgres://nobody@%2Fnowhere/strowger".to_owned();
    let config = ground.write_config("info");
    let answer = run(&config, &["config", "check"], "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    assert!(answer.out.contains("configuration is valid"), "{answer:?}");
    assert!(answer.out.contains("pbx at 127.0.0.1"), "{answer:?}");
    assert!(!answer.out.contains(ground.ami_secret), "{answer:?}");
    let answer = run(Path::new("/nowhere.toml"), &["config", "check"], "").await;
    assert_eq!(answer.code, 2, "{answer:?}");
    assert!(
        answer.err.contains("/nowhere.toml does not exist"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_port_in_use_is_said_by_the_key_that_names_it() {
    let ground = ground().await;
    for (address, key) in [
        (ground.http, "http.listen"),
        (ground.agi, "asterisk.agi_listen"),
    ] {
        let taken = TcpListener::bind(address).unwrap();
        let answer = run(&ground.write_config("info"), &["serve"], "").await;
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(
            answer
                .err
                .contains(&format!("{key}: cannot listen on {address}")),
            "{answer:?}"
        );
        drop(taken);
    }
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_private_database_running() {
    let ground = ground().await;
    let config = ground.write_config("info");
    let text = std::fs::read_to_string(&config).unwrap();
    let private: String = text
        .lines()
        .filter(|line| !line.starts_with("url ="))
        .collect::<Vec<_>>()
        .join("\n");
    std::fs::write(&config, private).unwrap();
    let _taken = TcpListener::bind(ground.http).unwrap();
    let answer = run(&config, &["serve"], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("http.listen"), "{answer:?}");
    let data = ground.directory.join("postgresql/data");
    assert!(data.join("PG_VERSION").exists());
    assert!(!data.join("postmaster.pid").exists(), "it runs on");
}

#[tokio::test]
async fn users_are_added_with_a_password_that_is_long_enough_and_a_login_id_of_their_own() {
    let ground = ground().await;
    let config = ground.write_config("info");
    let before = users(&ground).await;
    let create = ["user", "create", "ada", "--role", "supervisor"];
    for (password, says) in [("short\n", "characters"), ("", "first line")] {
        let answer = run(&config, &create, password).await;
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.err.contains(says), "{answer:?}");
        assert!(!answer.err.contains("short\n"), "{answer:?}");
    }
    assert_eq!(users(&ground).await, before);
    let answer = run(&config, &create, "correct horse battery\n").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let answer = run(&config, &create, "correct horse battery\n").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("login"), "{answer:?}");
    assert_eq!(users(&ground).await, before + 1);
    let answer = run(&config, &["user", "create", "eve", "--role", "queen"], "").await;
    assert_eq!(answer.code, 2, "{answer:?}");
}

#[tokio::test]
async fn the_password_of_a_trunk_is_printed_with_the_key_that_sealed_it() {
    let ground = ground().await;
    let key = "an example of thirty-two bytes!!";
    let auth = Auth::new(&AuthSettings::new(key.into())).unwrap();
    let id: TrunkId =
        sqlx::query_scalar::<_, String>("UPDATE trunks SET login = '33199' RETURNING id")
            .fetch_one(ground.store.pool())
            .await
            .unwrap()
            .parse()
            .unwrap();
    let config = ground.write_config("info");
    let text = std::fs::read_to_string(&config).unwrap();
    let ask = ["trunk", "password", id.as_str()];
    let with_key = |key: &str| {
        std::fs::write(&config, format!("{text}\n[secrets]\nkey = \"{key}\"\n")).unwrap();
    };
    with_key(key);
    let none = run(&config, &ask, "").await;
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.err.contains("no password is kept"), "{none:?}");
    let sealed = auth.seal_trunk(&id, &"s3cret".into()).unwrap();
    sqlx::query("UPDATE trunks SET password_sealed = $1")
        .bind(sealed)
        .execute(ground.store.pool())
        .await
        .unwrap();
    let answer = run(&config, &ask, "").await;
    assert_eq!(
        (answer.code, answer.out.as_str()),
        (0, "s3cret\n"),
        "{answer:?}"
    );
    with_key("another key of thirty-two bytes!!");
    let other = run(&config, &ask, "").await;
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.err.contains("secrets.key"), "{other:?}");
}

#[tokio::test]
async fn a_database_in_use_is_not_seeded() {
    let ground = ground().await;
    let before = users(&ground).await;
    let answer = run(&ground.write_config("info"), &["seed"], "").await;
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.err.contains("seed an empty database"), "{answer:?}");
    assert_eq!(users(&ground).await, before);
}

#[tokio::test]
async fn the_document_of_the_api_is_the_one_that_is_kept() {
    let ground = ground().await;
    let answer = run(&ground.write_config("info"), &["openapi"], "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    let printed: Value = serde_json::from_str(&answer.out).unwrap();
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(kept).unwrap()).unwrap();
    assert!(
        printed == kept,
        "docs/openapi.json is not what `strowger openapi` prints"
    );
}

#[tokio::test]
async fn a_second_daemon_on_the_same_database_ends_and_leaves_the_first_alone() {
    let ground = ground().await;
    let first = Program::serve(&ground).await;
    let second = Program::launch(&ground, &[]);
    assert_eq!(second.exit(LONG).await.code(), Some(1));
    first
        .logs("another strowger daemon works on this database")
        .await;
    let health = Api::nobody(&ground)
        .health("the first is well", |_| true)
        .await;
    assert_eq!(health["exchanges"][0]["up"], true);
    first.stop().await;
}
