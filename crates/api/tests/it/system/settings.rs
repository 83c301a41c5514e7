//! What super administrators set.

use std::sync::Arc;

use serde_json::{Value, json};
use strowger_core::permission::Role::SuperAdministrator;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    sync::Mutex,
};

use crate::harness::TestApp;

const MAIL: &str = "/api/v1/settings/mail";
const TEST: &str = "/api/v1/settings/mail/test";

fn mail(server: &str, port: u16) -> Value {
    json!({"server": server, "port": port, "auth": true, "secure": false, "user": "strowger",
        "from": "Centre <noreply@example.com>"})
}

fn with(mut value: Value, field: &str, to: Value) -> Value {
    value[field] = to;
    value
}

/// A mail server that encrypts nothing, and what it was told.
async fn mail_server() -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&heard);
    #[expect(clippy::disallowed_methods, reason = "a server of the test's own")]
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (read, mut write) = socket.split();
            let mut lines = BufReader::new(read).lines();
            let _ = write.write_all(b"220 mail.example ready\r\n").await;
            let mut in_mail = false;
            while let Ok(Some(line)) = lines.next_line().await {
                told.lock().await.extend([line.as_str(), "\n"]);
                let word = line
                    .split([' ', ':'])
                    .next()
                    .unwrap_or_default()
                    .to_uppercase();
                let answer = match (in_mail, word.as_str()) {
                    (true, ".") => "250 taken\r\n",
                    (true, _) => continue,
                    (false, "EHLO") => "250-mail.example\r\n250 AUTH PLAIN LOGIN\r\n",
                    (false, "DATA") => "354 go on\r\n",
                    (false, "QUIT") => "221 bye\r\n",
                    (false, _) => "250 ok\r\n",
                };
                in_mail = !in_mail && word == "DATA";
                let _ = write.write_all(answer.as_bytes()).await;
            }
        }
    });
    (port, heard)
}

#[tokio::test]
async fn the_password_of_the_mail_server_is_kept_sealed_and_told_to_nobody() {
    let app = TestApp::new().await;
    let role = SuperAdministrator;
    let sent = with(mail("mail.example", 587), "password", json!("hunter2"));
    let saved = app.put(role, MAIL, sent).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(saved.body["data"]["has_password"], true);
    let kept: String = sqlx::query_scalar("SELECT value::text FROM settings WHERE key = 'smtp'")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert!(!kept.contains("hunter2"), "{kept}");
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let sealed = kept["passwordSealed"].as_str().unwrap();
    for path in [
        MAIL,
        "/api/application-data",
        "/api/v1/audit-log",
        "/api/public-config",
    ] {
        let answer = app.get(role, path).await;
        assert_eq!(answer.status, 200, "{path}");
        for secret in ["hunter2", sealed] {
            assert!(!answer.text.contains(secret), "{path}: {}", answer.text);
        }
    }
    let console = app.get(role, "/api/application-data").await.body;
    assert_eq!(console["smtpSettings"]["server"], "mail.example");
}

#[tokio::test]
async fn a_kept_password_stays_until_the_server_it_is_for_changes() {
    let app = TestApp::new().await;
    let role = SuperAdministrator;
    let sent = with(mail("mail.example", 587), "password", json!("hunter2"));
    app.put(role, MAIL, sent).await;
    let renamed = with(mail("mail.example", 587), "from", json!("desk@example.com"));
    let saved = app.put(role, MAIL, renamed).await;
    assert_eq!(saved.body["data"]["has_password"], true);
    let moved = app.put(role, MAIL, mail("mail.elsewhere", 587)).await;
    assert_eq!(moved.body["data"]["has_password"], false);
}

#[tokio::test]
async fn a_kept_password_is_not_sent_to_another_server() {
    let app = TestApp::new().await;
    let role = SuperAdministrator;
    let sent = with(mail("mail.example", 587), "password", json!("hunter2"));
    app.put(role, MAIL, sent).await;
    let (port, heard) = mail_server().await;
    let test = json!({"mail": mail("127.0.0.1", port), "recipient": "ada@example.com"});
    let refused = app.post(role, TEST, test).await;
    assert_eq!(
        refused.body["errors"][0]["field"], "password",
        "{}",
        refused.text
    );
    assert_eq!(*heard.lock().await, "");
}

#[tokio::test]
async fn a_password_is_never_sent_without_encryption() {
    let app = TestApp::new().await;
    let (port, heard) = mail_server().await;
    let mail = with(mail("127.0.0.1", port), "password", json!("hunter2"));
    let test = json!({"mail": mail, "recipient": "ada@example.com"});
    let refused = app.post(SuperAdministrator, TEST, test).await;
    assert_eq!(refused.status, 502, "{}", refused.text);
    let heard = heard.lock().await;
    assert!(heard.starts_with("EHLO"), "{heard}");
    assert!(!heard.contains("AUTH"), "{heard}");
}

#[tokio::test]
async fn a_mail_to_try_a_server_arrives_there() {
    let app = TestApp::new().await;
    let (port, heard) = mail_server().await;
    let config = with(mail("127.0.0.1", port), "auth", json!(false));
    let test = json!({"smtpConfig": config, "recipient": "ada@example.com"});
    let sent = app
        .post(SuperAdministrator, "/api/system/test-email", test)
        .await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert!(sent.body["message"].is_string());
    let heard = heard.lock().await;
    assert!(heard.contains("RCPT TO:<ada@example.com>"), "{heard}");
    assert!(
        heard.contains("From: \"Centre\" <noreply@example.com>")
            || heard.contains("From: Centre <noreply@example.com>"),
        "{heard}"
    );
}

#[tokio::test]
async fn nobody_slips_a_second_recipient_or_command_into_a_mail() {
    let app = TestApp::new().await;
    let (port, heard) = mail_server().await;
    let config = with(mail("127.0.0.1", port), "auth", json!(false));
    for recipient in [
        "ada@example.com\r\nRCPT TO:<eve@example.com>",
        "ada@example.com>\r\nDATA",
        "ada@example.com, eve@example.com",
        "",
    ] {
        let test = json!({"mail": config, "recipient": recipient});
        let refused = app.post(SuperAdministrator, TEST, test).await;
        assert_eq!(refused.status, 422, "{recipient:?}: {}", refused.text);
    }
    assert_eq!(*heard.lock().await, "");
}

fn appearance() -> Value {
    json!({"companyAddress": "1 rue de la Paix\nParis", "appLogoDataUrl": "", "appFaviconDataUrl": "",
        "colorPalette": "ocean", "appName": "Centrale", "defaultLanguage": "fr",
        "fontFamily": "Inter, 'Open Sans'", "fontSize": 16})
}

#[tokio::test]
async fn what_is_set_shows_before_anybody_logs_in() {
    let app = TestApp::new().await;
    let path = "/api/system/app-settings";
    let logo = "data:image/png;base64,iVBORw0KGgo=";
    let sent = with(appearance(), "appLogoDataUrl", json!(logo));
    let saved = app.put(SuperAdministrator, path, sent).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    let seen = app
        .call(None, axum::http::Method::GET, "/api/public-config", None)
        .await;
    assert_eq!(seen.body["appSettings"]["appName"], "Centrale");
    assert_eq!(seen.body["appSettings"]["appLogoDataUrl"], logo);
    let v1 = app
        .get(SuperAdministrator, "/api/v1/settings/appearance")
        .await;
    assert_eq!(v1.body["data"]["font_family"], "Inter, 'Open Sans'");
}

#[tokio::test]
async fn a_logo_is_a_picture_and_not_too_large() {
    let app = TestApp::new().await;
    let path = "/api/system/app-settings";
    let large = format!("data:image/png;base64,iVBORw0KGgo{}", "A".repeat(70_001));
    let icon = with(appearance(), "appFaviconDataUrl", json!(large));
    assert_eq!(app.put(SuperAdministrator, path, icon).await.status, 413);
    let logo = with(appearance(), "appLogoDataUrl", json!(large));
    let taken = app.put(SuperAdministrator, path, logo).await;
    assert_eq!(taken.status, 200, "{}", taken.text);
    let log = app.get(SuperAdministrator, "/api/v1/audit-log").await;
    assert!(
        !log.text.contains("AAAAAAAA"),
        "the log repeats the picture"
    );
    for (field, value) in [
        (
            "appLogoDataUrl",
            json!("data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+"),
        ),
        ("appLogoDataUrl", json!("https://example.com/a.png")),
        (
            "fontFamily",
            json!("x; background: url(https://example.com)"),
        ),
        ("appName", json!("")),
        ("fontSize", json!(2)),
    ] {
        let answer = app
            .put(SuperAdministrator, path, with(appearance(), field, value))
            .await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.text);
    }
}

#[tokio::test]
async fn which_modules_are_seen_and_where_things_are_comes_back_without_passwords() {
    let app = TestApp::new().await;
    let role = SuperAdministrator;
    let modules =
        json!({"categories": {"outbound": true}, "features": {"campaigns": {"Agent": false}}});
    let saved = app
        .put(role, "/api/v1/settings/modules", modules.clone())
        .await;
    assert_eq!(saved.body["data"], modules, "{}", saved.text);
    let connection = json!({
        "database": {"host": "db.example", "port": 5433, "user": "centre", "database": "centre", "password": "hunter2"},
        "asterisk": {"amiHost": "pbx.example", "amiPort": 5038, "amiUser": "centre", "amiPassword": "hunter2", "agiPort": 4573},
    });
    let saved = app.post(role, "/api/system-connection", connection).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    let everything = app.get(role, "/api/application-data").await;
    assert_eq!(everything.body["moduleVisibility"], modules);
    let shown = &everything.body["systemConnectionSettings"];
    assert_eq!(shown["asterisk"]["amiHost"], "pbx.example");
    let kept: String = sqlx::query_scalar("SELECT string_agg(value::text, ' ') FROM settings")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    for text in [&kept, &everything.text] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
