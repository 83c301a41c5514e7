//! How the machine and the daemon are.

use std::sync::Arc;

use serde_json::json;
use strowger_api::{LogLine, router};
use strowger_core::permission::Role::SuperAdministrator;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::harness::TestApp;

#[tokio::test]
async fn the_figures_of_the_machine_are_real() {
    let app = TestApp::new().await;
    let v1 = app.get(SuperAdministrator, "/api/v1/system/stats").await;
    let data = &v1.body["data"];
    for part in ["memory", "disk"] {
        let total = data[part]["total_bytes"].as_u64().unwrap();
        let used = data[part]["used_bytes"].as_u64().unwrap();
        assert!(
            total > 1_000_000 && used > 0 && used <= total,
            "{part}: {data}"
        );
    }
    let load = data["cpu_load_percent"].as_f64().unwrap();
    assert!((0.0..=100.0).contains(&load), "{load}");
    let console = app.get(SuperAdministrator, "/api/system/stats").await;
    assert_eq!(console.body["disk"]["total"], data["disk"]["total_bytes"]);
    let load = console.body["cpu"]["load"].as_str().unwrap();
    assert!(load.parse::<f32>().is_ok(), "{load}");
}

#[tokio::test]
async fn recordings_are_counted() {
    let directory = std::env::temp_dir().join("strowger-test-recordings");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("one.wav"), [0; 42]).unwrap();
    let given = directory.clone();
    let app = TestApp::with(move |settings| settings.recordings = given, true).await;
    let stats = app.get(SuperAdministrator, "/api/system/stats").await;
    assert_eq!(stats.body["recordings"], json!({"size": 42, "files": 1}));
}

#[tokio::test]
async fn the_logs_show_the_last_lines_and_who_changed_what() {
    let mut app = TestApp::new().await;
    let line = |number, target: &str, level, message: &str| LogLine {
        number,
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
        level,
        target: target.to_owned(),
        message: message.to_owned(),
    };
    let lines: Vec<LogLine> = (0..150)
        .map(|number| line(number, "strowger::daemon", "INFO", "started"))
        .chain([line(150, "strowger_ami::client", "WARN", "refused")])
        .collect();
    app.state.system.log = Some(Arc::new(move || lines.clone()));
    app.router = router(app.state.clone());
    let modules = json!({"categories": {}, "features": {}});
    let role = SuperAdministrator;
    app.put(role, "/api/v1/settings/modules", modules).await;
    let logs = app.get(role, "/api/system/logs").await.body;
    assert_eq!(logs["system"].as_array().unwrap().len(), 100);
    assert_eq!(logs["system"][0]["id"], "log-149");
    assert_eq!(
        logs["ami"],
        json!([{"id": "log-150", "timestamp": "2026-11-20T12:00:00.000Z", "level": "WARNING",
            "service": "strowger_ami::client", "message": "refused"}])
    );
    let security = &logs["security"][0];
    assert_eq!(security["service"], "usr_super-administrator");
    assert_eq!(security["message"], "settings.changed module-visibility");
}

#[tokio::test]
async fn it_shows_whether_the_database_and_the_exchanges_answer() {
    let app = TestApp::new().await;
    let links = app
        .get(SuperAdministrator, "/api/v1/system/connectivity")
        .await;
    let links = &links.body["data"];
    assert_eq!(
        (&links[0]["name"], &links[0]["up"]),
        (&json!("database"), &json!(true))
    );
    assert_eq!(
        (&links[1]["name"], &links[1]["up"]),
        (&json!("pbx1"), &json!(false))
    );
}

#[tokio::test]
async fn a_place_is_reached_or_not() {
    let app = TestApp::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The console cuts the port out of a text.
    let ping = json!({"ip": "127.0.0.1", "port": port.to_string()});
    let answer = app
        .post(SuperAdministrator, "/api/system/ping", ping.clone())
        .await;
    assert_eq!(answer.body["status"], "success", "{}", answer.text);
    assert!(answer.body["latency"].is_u64());
    drop(listener);
    let answer = app.post(SuperAdministrator, "/api/system/ping", ping).await;
    assert_eq!(answer.body["status"], "failure", "{}", answer.text);
    for ip in ["", "/etc/passwd", "a b", "x\r\ny"] {
        let answer = app
            .post(SuperAdministrator, "/api/system/ping", json!({"ip": ip}))
            .await;
        assert_eq!(answer.status, 400, "{ip:?}");
    }
}

#[tokio::test]
async fn a_database_is_tried_with_the_password_that_is_given() {
    let app = TestApp::new().await;
    let options = &app.database.options;
    let path = "/api/system/test-db";
    let role = SuperAdministrator;
    if options.get_socket().is_none() {
        let sent = json!({"host": options.get_host(), "port": options.get_port(), "user": options.get_username(),
            "password": "hunter2", "database": options.get_database()});
        let answer = app.post(role, path, sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let sent = json!({"host": "127.0.0.1", "port": 1, "user": "x", "password": "hunter2", "database": "x"});
    let answer = app.post(role, path, sent).await;
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert!(answer.body["error"].is_string() && answer.body["details"].is_string());
    assert!(!answer.text.contains("hunter2"));
    let log = app.get(role, "/api/v1/audit-log").await;
    assert!(log.text.contains("database.tested") && !log.text.contains("hunter2"));
    // A socket of this machine is no host.
    let sent = json!({"host": "/var/run/postgresql", "user": "postgres", "database": "postgres"});
    assert_eq!(app.post(role, path, sent).await.status, 400);
}

/// A manager interface that takes one secret; what it was sent comes back.
async fn exchange() -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "a server of the test's own")]
    let heard = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.write_all(b"Asterisk Call Manager/9.0.0\r\n").await;
        let (mut heard, mut buffer) = (String::new(), [0; 1_024]);
        while !heard.contains("\r\n\r\n") {
            match socket.read(&mut buffer).await {
                Ok(count @ 1..) => heard.push_str(&String::from_utf8_lossy(&buffer[..count])),
                Ok(0) | Err(_) => return heard,
            }
        }
        let answer = if heard.contains("Secret: right\r\n") {
            "Response: Success\r\nMessage: Authentication accepted\r\n\r\n"
        } else {
            "Response: Error\r\nMessage: Authentication failed\r\n\r\n"
        };
        let _ = socket.write_all(answer.as_bytes()).await;
        heard
    });
    (port, heard)
}

#[tokio::test]
async fn an_exchange_is_tried_with_the_secret_that_is_given_and_takes_no_other_action() {
    let app = TestApp::new().await;
    for (secret, status) in [("right", 200), ("wrong", 500)] {
        let (port, _heard) = exchange().await;
        let sent = json!({"amiHost": "127.0.0.1", "amiPort": port, "amiUser": "strowger", "amiPassword": secret});
        let answer = app
            .post(SuperAdministrator, "/api/system/test-ami", sent)
            .await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let (port, heard) = exchange().await;
    let sent = json!({"amiHost": "127.0.0.1", "amiPort": port, "amiUser": "strowger",
        "amiPassword": "right\r\n\r\nAction: Originate\r\nApplication: System\r\nData: id"});
    let answer = app
        .post(SuperAdministrator, "/api/system/test-ami", sent)
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(!heard.is_finished(), "nothing was sent");
}
