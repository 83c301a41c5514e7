//! Changing users and passwords.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use strowger_core::{
    ids::UserId,
    permission::Role::{self, Administrator, Agent, SuperAdministrator, Supervisor},
};
use strowger_store::users::{UserChange, UserChanged};

use crate::harness::{Answer, PASSWORD, TestApp, id};

const OTHER: &str = "battery staple horse";

async fn patch(app: &TestApp, caller: Role, whom: &str, body: Value) -> Answer {
    let path = format!("/api/v1/users/{whom}");
    app.call(Some(caller), Method::PATCH, &path, Some(body))
        .await
}

async fn me_with(app: &TestApp, token: &str) -> u16 {
    let request = Request::get("/api/v1/auth/me")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty());
    app.send(request.unwrap()).await.status.as_u16()
}

async fn log_in(app: &TestApp, login_id: &str, password: &str) -> u16 {
    let body = json!({"login_id": login_id, "password": password});
    let answer = app
        .call(None, Method::POST, "/api/v1/auth/login", Some(body))
        .await;
    answer.status.as_u16()
}

#[tokio::test]
async fn an_administrator_changes_what_is_named_and_nothing_else() {
    let app = TestApp::new().await;
    let body = json!({"first_name": " Grace ", "email": "grace@example.com", "role": "supervisor"});
    let changed = patch(&app, Administrator, "usr_agent", body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let data = &changed.body["data"];
    assert_eq!(
        (&data["name"], &data["email"], &data["role"]),
        (
            &json!("Grace agent"),
            &json!("grace@example.com"),
            &json!("supervisor")
        )
    );
    assert_eq!(data["is_active"], true);
    let taken = json!({"email": "grace@example.com"});
    assert_eq!(
        patch(&app, Administrator, "usr_supervisor", taken)
            .await
            .status,
        409
    );
    let cleared = patch(&app, Administrator, "usr_agent", json!({"email": null})).await;
    assert_eq!(cleared.body["data"]["email"], Value::Null);
    assert_eq!(cleared.body["data"]["first_name"], "Grace");
    let wrong = json!({"first_name": "a\r\nb", "email": "nobody"});
    let refused = patch(&app, Administrator, "usr_agent", wrong).await;
    assert_eq!(refused.body["errors"].as_array().unwrap().len(), 2);
    assert_eq!(
        patch(&app, Administrator, "usr_nobody", json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        patch(&app, Administrator, "usr_agent", json!({"login_id": "x"}))
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn nobody_changes_somebody_above_themselves_or_raises_one_above() {
    let app = TestApp::new().await;
    for body in [json!({"is_active": false}), json!({"password": OTHER})] {
        let above = patch(&app, Administrator, "usr_super-administrator", body).await;
        assert_eq!(above.status, 403, "{}", above.text);
    }
    let raised = json!({"role": "super-administrator"});
    assert_eq!(
        patch(&app, Administrator, "usr_administrator", raised.clone())
            .await
            .status,
        403
    );
    assert_eq!(
        patch(&app, SuperAdministrator, "usr_administrator", raised)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn the_last_super_administrator_stays() {
    let app = TestApp::new().await;
    let (last, second) = ("usr_super-administrator", "usr_administrator");
    for body in [json!({"is_active": false}), json!({"role": "agent"})] {
        let kept = patch(&app, SuperAdministrator, last, body).await;
        assert_eq!(kept.status, 409, "{}", kept.text);
    }
    // One that is not active does not count.
    let raise = json!({"role": "super-administrator", "is_active": false});
    patch(&app, SuperAdministrator, second, raise).await;
    let kept = patch(&app, SuperAdministrator, last, json!({"role": "agent"})).await;
    assert_eq!(kept.status, 409, "{}", kept.text);
    patch(&app, SuperAdministrator, second, json!({"is_active": true})).await;
    let close = UserChange {
        is_active: Some(false),
        ..UserChange::default()
    };
    let ids = [UserId::new(last).unwrap(), UserId::new(second).unwrap()];
    let (one, two) = tokio::join!(
        app.store.change_user(&ids[0], &close, SuperAdministrator),
        app.store.change_user(&ids[1], &close, SuperAdministrator),
    );
    let done = [one.unwrap(), two.unwrap()]
        .iter()
        .filter(|changed| matches!(changed, UserChanged::Done(_)))
        .count();
    assert_eq!(done, 1, "they put each other out");
}

#[tokio::test]
async fn who_is_deactivated_is_out_and_comes_back_when_activated() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let station = json!({"station": "1001", "leg_mode": "ring-per-call"});
    let seat = app.post(Agent, "/api/v1/agents/me/login", station).await;
    assert_eq!(seat.status, 200, "{}", seat.text);
    let token = app.token(Agent).await;
    let closed = patch(&app, Supervisor, "usr_agent", json!({"is_active": false})).await;
    assert_eq!(closed.status, 403, "a supervisor may not");
    let closed = patch(
        &app,
        Administrator,
        "usr_agent",
        json!({"is_active": false}),
    )
    .await;
    assert_eq!(closed.body["data"]["is_active"], false);
    assert_eq!(me_with(&app, &token).await, 401);
    assert_eq!(log_in(&app, "agent", PASSWORD).await, 401);
    assert_eq!(app.hub.agent(&id(Agent)), None, "the station is free");
    patch(&app, Administrator, "usr_agent", json!({"is_active": true})).await;
    assert_eq!(log_in(&app, "agent", PASSWORD).await, 200);
}

#[tokio::test]
async fn a_password_set_by_an_administrator_ends_what_was_logged_in_before() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let token = app.token(Agent).await;
    let short = patch(
        &app,
        Administrator,
        "usr_agent",
        json!({"password": "short"}),
    )
    .await;
    assert_eq!(
        (short.status.as_u16(), &short.body["errors"][0]["field"]),
        (422, &json!("password"))
    );
    assert_eq!(me_with(&app, &token).await, 200);
    let set = patch(&app, Administrator, "usr_agent", json!({"password": OTHER})).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(me_with(&app, &token).await, 401);
    assert_eq!(log_in(&app, "agent", PASSWORD).await, 401);
    assert_eq!(log_in(&app, "agent", OTHER).await, 200);
    let own = json!({"password": OTHER});
    let own = patch(&app, Administrator, "usr_administrator", own).await;
    assert_eq!(own.status, 422, "one's own needs the one before");
}

#[tokio::test]
async fn people_change_their_own_password_and_stay_logged_in() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let token = app.token(Agent).await;
    let change = async |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        app.put(Agent, "/api/v1/users/me/password", body).await
    };
    for (current, new, field) in [
        ("wrong password", OTHER, "current_password"),
        (PASSWORD, "short", "new_password"),
    ] {
        let refused = change(current, new).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.body["errors"][0]["field"]),
            (422, &json!(field))
        );
    }
    let changed = change(PASSWORD, OTHER).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(me_with(&app, &token).await, 401);
    let new = changed.body["data"]["access_token"].as_str().unwrap();
    assert_eq!(me_with(&app, new).await, 200);
    assert_eq!(log_in(&app, "agent", OTHER).await, 200);
    for _ in 0..10 {
        change("wrong password", OTHER).await;
    }
    assert_eq!(
        change(OTHER, PASSWORD).await.status,
        429,
        "guessing is slow"
    );
}
