//! The system itself.

use super::{Row, row, run, super_administrators};
use crate::harness::TestApp;

const MESSAGE: &[&str] = &["message"];

const ROWS: &[Row] = &[
    row(
        "PUT",
        "/api/system/app-settings",
        r#"{"companyAddress": "", "appLogoDataUrl": "", "appFaviconDataUrl": "", "colorPalette": "default",
            "appName": "Centre {n}", "defaultLanguage": "fr", "fontFamily": "Inter", "fontSize": 16}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "PUT",
        "/api/system/app-settings",
        r#"{"appName": "Centre {n}"}"#,
        super_administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/system/smtp-settings",
        r#"{"server": "mail.example", "port": 587, "auth": true, "secure": false, "user": "u", "from": "a@example.com",
            "password": "{n}"}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "POST",
        "/api/system/test-email",
        r#"{"smtpConfig": {"server": "127.0.0.1", "port": 1, "auth": false, "secure": false, "user": "",
            "from": "a@example.com"}, "recipient": "b@example.com"}"#,
        super_administrators(500),
        &[],
    ),
    row(
        "PUT",
        "/api/system/module-visibility",
        r#"{"categories": {}, "features": {}}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "POST",
        "/api/system-connection",
        r#"{"database": {"host": "", "port": 5432, "user": "", "database": ""},
            "asterisk": {"amiHost": "", "amiPort": 5038, "amiUser": "", "agiPort": 4573}}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "GET",
        "/api/system/stats",
        "",
        super_administrators(200),
        &["cpu", "ram", "disk", "recordings"],
    ),
    row(
        "GET",
        "/api/system/logs",
        "",
        super_administrators(200),
        &["system", "ami", "security"],
    ),
    row(
        "POST",
        "/api/system/ping",
        r#"{"ip": "127.0.0.1", "port": 1}"#,
        super_administrators(200),
        &["status", "error"],
    ),
    row(
        "POST",
        "/api/system/test-db",
        r#"{"host": "127.0.0.1", "port": 1, "user": "u", "password": "p", "database": "d"}"#,
        super_administrators(500),
        &[],
    ),
    row(
        "POST",
        "/api/system/test-ami",
        r#"{"amiHost": "127.0.0.1", "amiPort": 1, "amiUser": "u", "amiPassword": "p"}"#,
        super_administrators(500),
        &[],
    ),
    row(
        "POST",
        "/api/system/db-query",
        r#"{"query": "SELECT {n} AS number", "readOnly": true}"#,
        super_administrators(200),
        &["columns", "rows", "rowCount"],
    ),
    row(
        "POST",
        "/api/system/db-query",
        r#"{"query": "DELETE FROM users", "readOnly": false}"#,
        super_administrators(403),
        &[],
    ),
    row(
        "POST",
        "/api/system/backups",
        "",
        super_administrators(201),
        MESSAGE,
    ),
    row(
        "POST",
        "/api/system/backups/restore",
        r#"{"fileName": "../strowger.dump"}"#,
        super_administrators(404),
        &[],
    ),
    row(
        "DELETE",
        "/api/system/backups/none.dump",
        "",
        super_administrators(404),
        &[],
    ),
    row(
        "PUT",
        "/api/system/backup-schedule",
        r#"{"frequency": "daily", "time": "02:00"}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "PUT",
        "/api/system/backup-schedule",
        r#"{"frequency": "daily", "time": "2 o'clock"}"#,
        super_administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/system/license-settings",
        r#"{"activeUntil": "2027-12-31T00:00:00.000Z", "maxAgents": 50, "maxChannels": 0}"#,
        super_administrators(200),
        MESSAGE,
    ),
    row(
        "PUT",
        "/api/system/license-settings",
        r#"{"activeUntil": "soon", "maxAgents": 50, "maxChannels": 0}"#,
        super_administrators(400),
        &[],
    ),
    row(
        "POST",
        "/api/system/apply-license",
        r#"{"licenseKey": "EVS-LICENSE-KEY-VALID-2030-1-1-5-5"}"#,
        super_administrators(400),
        &[],
    ),
    row(
        "POST",
        "/api/system/generate-fingerprint",
        "",
        super_administrators(400),
        &[],
    ),
];

#[tokio::test]
async fn each_route_of_the_system_answers_super_administrators_in_its_shape() {
    run(&TestApp::new().await.with_reader().await, ROWS).await;
}
