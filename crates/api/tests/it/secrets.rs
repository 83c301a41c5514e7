//! What is secret is in no answer, whoever asks for what.
//!
//! Every answer of every other test is looked through as well: see `TestApp::send`.

use axum::http::Method;
use serde_json::json;
use strowger_core::permission::Role::{self, Administrator, SuperAdministrator};

use crate::{
    harness::{PASSWORD, SECRET, TestApp, id},
    roles::ROUTES,
};

/// Columns that hold what nobody is told. The hashes of the ledger are evidence, and public.
const COLUMNS: &[(&str, &str)] = &[
    ("api_keys", "hash"),
    ("mfa_recovery_codes", "hash"),
    ("password_resets", "hash"),
    ("refresh_tokens", "hash"),
    ("trunks", "password_sealed"),
    ("user_mfa", "secret"),
    ("users", "password_hash"),
];

/// What the console reads.
const CONSOLE: &[&str] = &[
    "/api/application-data",
    "/api/auth/me",
    "/api/planning-events",
    "/api/public-config",
    "/api/supervisor/call-history?page=1&limit=50",
    "/api/system/logs",
    "/api/system/stats",
    "/api/system/db-schema",
    "/api/campaigns/cmp_1/history",
];

/// Puts a secret into every place that has one; gives them, in every form in which they could be
/// written.
async fn planted(app: &TestApp) -> Vec<String> {
    for role in Role::ALL {
        app.set_password(role).await;
    }
    let made = |answer: crate::harness::Answer, what: &str| {
        assert!(answer.status.is_success(), "{what}: {}", answer.text);
        answer.body
    };
    let trunk = json!({"id": "trunk-1", "name": "Carrier", "domain": "sip.example.net", "login": "33199",
        "password": "s3cret of the carrier", "authType": "register", "dialPattern": "_X."});
    made(app.post(Administrator, "/api/trunks", trunk).await, "trunk");
    let mail = json!({"server": "mail.example", "port": 587, "auth": true, "secure": false, "user": "strowger",
        "from": "Centre <noreply@example.com>", "password": "s3cret of the mail"});
    made(
        app.put(SuperAdministrator, "/api/v1/settings/mail", mail)
            .await,
        "mail",
    );
    let key = json!({"name": "Reports", "scopes": ["read-reports"]});
    let key = made(
        app.post(Administrator, "/api/v1/api-keys", key).await,
        "key",
    );
    let enrol = json!({"password": PASSWORD});
    let enrol = made(
        app.post(Role::Supervisor, "/api/v1/auth/mfa/enrol", enrol)
            .await,
        "second factor",
    );
    let reset = format!("/api/v1/users/{}/password-reset", id(Role::Agent));
    let reset = made(app.post(Administrator, &reset, json!({})).await, "reset");
    let mut secrets: Vec<String> = [
        PASSWORD,
        SECRET,
        "s3cret of the carrier",
        "s3cret of the mail",
    ]
    .map(str::to_owned)
    .into();
    for (answer, field) in [(&key, "secret"), (&enrol, "secret"), (&reset, "token")] {
        let secret = answer["data"][field].as_str();
        secrets.push(
            secret
                .unwrap_or_else(|| panic!("no {field} in {answer}"))
                .to_owned(),
        );
    }
    for (table, column) in COLUMNS {
        let query = format!(
            "SELECT unnest(CASE WHEN pg_typeof({column}) = 'bytea'::regtype
                 THEN ARRAY[hex, base64, translate(base64, '+/=', '-_')] ELSE ARRAY[{column}::text] END)
             FROM {table}, LATERAL (SELECT substr({column}::text, 3) AS hex) h,
                 LATERAL (SELECT CASE WHEN pg_typeof({column}) = 'bytea'::regtype
                     THEN encode(decode(hex, 'hex'), 'base64') END AS base64) b
             WHERE {column} IS NOT NULL"
        );
        let values: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query))
            .fetch_all(app.store.pool())
            .await
            .unwrap();
        let exists = !values.is_empty() || *table == "mfa_recovery_codes";
        assert!(exists, "nothing secret is in {table}.{column}");
        secrets.extend(values);
    }
    let kept: Vec<String> = sqlx::query_scalar(
        "SELECT value->>'passwordSealed' FROM settings WHERE value ? 'passwordSealed'",
    )
    .fetch_all(app.store.pool())
    .await
    .unwrap();
    assert_eq!(kept.len(), 1, "the password of the mail server is kept");
    secrets.extend(kept);
    secrets
}

#[tokio::test]
async fn no_answer_shows_a_secret_to_anybody() {
    let app = TestApp::new()
        .await
        .with_reader()
        .await
        .with_campaign()
        .await;
    let secrets = planted(&app).await;
    let routes = ROUTES.iter().filter(|route| route.method == "GET");
    let (mut asked, mut answered) = (0, 0);
    for path in routes
        .map(|route| route.path)
        .chain(CONSOLE.iter().copied())
    {
        let named = path
            .replace("trunks/{id}", "trunks/trunk-1")
            .replace("campaigns/{id}", "campaigns/cmp_1")
            .replace("users/{id}", &format!("users/{}", id(Role::Agent)))
            .replace("{id}", "call_0000000000000000000000000000000a")
            .replace("{number}", "+33142000001")
            .replace("{contact_id}", "ctc_1");
        for role in Role::ALL {
            let answer = app.call(Some(role), Method::GET, &named, None).await;
            asked += 1;
            answered += usize::from(answer.status.is_success());
            let headers = format!("{:?}", answer.headers);
            for secret in &secrets {
                assert!(
                    !answer.text.contains(secret) && !headers.contains(secret),
                    "{named} shows {role} a secret: {secret}"
                );
            }
        }
    }
    // A test that only sees refusals shows nothing.
    assert!(answered * 3 > asked, "{answered} of {asked} were answered");
}
