//! Logging in and working as an agent.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::permission::Role;

use crate::harness::{Answer, PASSWORD, TestApp};

async fn log_in(app: &TestApp, login_id: &str, password: &str) -> Answer {
    let body = json!({"login_id": login_id, "password": password});
    app.call(None, Method::POST, "/api/v1/auth/login", Some(body))
        .await
}

#[tokio::test]
async fn a_login_gives_a_token_and_no_hash() {
    let app = TestApp::new().await;
    app.set_password(Role::Agent).await;
    let answer = log_in(&app, "agent", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("argon2"), "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let data = &answer.body["data"];
    assert_eq!(
        (&data["token_type"], &data["expires_in"]),
        (&json!("Bearer"), &json!(36_000))
    );
    assert_eq!(
        (&data["user"]["id"], &data["user"]["role"]),
        (&json!("usr_agent"), &json!("agent"))
    );
    let me = app.get(Role::Agent, "/api/v1/auth/me").await;
    assert_eq!(me.body["data"], data["user"]);
}

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_a_closed_account_look_the_same() {
    let app = TestApp::new().await;
    app.set_password(Role::Agent).await;
    app.set_password(Role::Supervisor).await;
    sqlx::query("UPDATE users SET is_active = false WHERE role = 'supervisor'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let wrong = log_in(&app, "agent", "wrong password").await;
    assert_eq!(wrong.status, 401);
    for other in [
        log_in(&app, "nobody", "wrong password").await,
        log_in(&app, "supervisor", PASSWORD).await,
        log_in(&app, "a\0b", "x").await,
    ] {
        assert_eq!((other.status, &other.text), (wrong.status, &wrong.text));
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_right_password_clears_the_count() {
    let app = TestApp::new().await;
    app.set_password(Role::Agent).await;
    for _ in 0..9 {
        assert_eq!(log_in(&app, "agent", "wrong password").await.status, 401);
    }
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 200);
    for _ in 0..10 {
        assert_eq!(log_in(&app, "agent", "wrong password").await.status, 401);
    }
    let limited = log_in(&app, "agent", PASSWORD).await;
    assert_eq!(
        (
            limited.status.as_u16(),
            limited.headers["retry-after"].to_str().unwrap()
        ),
        (429, "30")
    );
    app.pass(30_000);
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_token_expires() {
    let app = TestApp::new().await;
    let token = app.token(Role::Agent).await;
    app.pass(10 * 3_600_000);
    let request = axum::http::Request::get("/api/v1/auth/me")
        .header("authorization", format!("Bearer {token}"));
    let answer = app
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.body["error"].as_str()),
        (401, Some("the login has expired: log in again"))
    );
}

#[tokio::test]
async fn an_agent_works_through_a_day() {
    let app = TestApp::new().await;
    let me = |path: &str| format!("/api/v1/agents/me/{path}");
    let post = async |path: &str, body: Value| app.post(Role::Agent, &me(path), body).await;
    assert_eq!(
        post("ready", Value::Null).await.status,
        409,
        "not logged in"
    );
    for station in ["", "1001/n", "../1", "a&b", "x y", &"1".repeat(41)] {
        let answer = post(
            "login",
            json!({"station": station, "leg_mode": "ring-per-call"}),
        )
        .await;
        assert_eq!(answer.body["errors"][0]["field"], "station", "{station:?}");
    }
    let elsewhere = post(
        "login",
        json!({"station": "1001", "leg_mode": "nailed-up", "server": "pbx9"}),
    )
    .await;
    assert!(
        elsewhere.body["error"].as_str().unwrap().contains("pbx1"),
        "the exchanges that exist are named"
    );
    let login = json!({"station": "1001", "leg_mode": "ring-per-call"});
    assert_eq!(post("login", login.clone()).await.status, 200);
    let again = post("login", login.clone()).await;
    assert_eq!(again.status, 409);
    assert!(
        again.body["error"].as_str().unwrap().contains("PJSIP/1001"),
        "{}",
        again.text
    );
    assert_eq!(
        app.post(Role::Supervisor, "/api/v1/agents/me/login", login)
            .await
            .status,
        409,
        "the station is taken"
    );
    assert_eq!(post("ready", Value::Null).await.status, 200);
    let own = app.get(Role::Agent, "/api/v1/agents/me").await;
    assert_eq!(
        (
            &own.body["data"]["agent"]["state"],
            &own.body["data"]["call"]
        ),
        (&json!("available"), &Value::Null)
    );
    assert_eq!(post("wrap-up/end", Value::Null).await.status, 409);
    assert_eq!(post("pause", json!({"reason": "a\nb"})).await.status, 422);
    assert_eq!(post("pause", json!({"reason": "lunch"})).await.status, 200);
    let list = app.get(Role::Supervisor, "/api/v1/agents").await;
    assert_eq!(
        (
            &list.body["data"][0]["state"],
            &list.body["data"][0]["reason"]
        ),
        (&json!("paused"), &json!("lunch"))
    );
    assert_eq!(
        app.post(
            Role::Supervisor,
            "/api/v1/agents/usr_agent/ready",
            Value::Null
        )
        .await
        .status,
        200
    );
    assert_eq!(
        app.post(
            Role::Supervisor,
            "/api/v1/agents/usr_agent/logout",
            Value::Null
        )
        .await
        .status,
        200
    );
    assert_eq!(
        app.get(Role::Supervisor, "/api/v1/agents").await.body["data"],
        json!([])
    );
}
