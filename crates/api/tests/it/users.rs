//! Changing users and passwords.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use strowger_core::{
    ids::UserId,
    permission::Role::{self, Administrator, Agent, SuperAdministrator, Supervisor},
    time::Timestamp,
};
use strowger_store::{
    audit::By,
    users::{UserChange, UserChanged},
};

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
    let taken = json!({"login_id": "supervisor"});
    assert_eq!(
        patch(&app, Administrator, "usr_agent", taken).await.status,
        409
    );
    let unknown = json!({"loginid": "x"});
    assert_eq!(
        patch(&app, Administrator, "usr_agent", unknown)
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

fn nobody() -> By<'static> {
    By {
        actor: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

#[tokio::test]
async fn the_last_super_administrator_stays() {
    let app = TestApp::new().await;
    let (last, second) = ("usr_super-administrator", "usr_administrator");
    let ids = [UserId::new(last).unwrap(), UserId::new(second).unwrap()];
    let close = UserChange {
        is_active: Some(false),
        ..UserChange::default()
    };
    let lower = UserChange {
        role: Some(Agent),
        ..UserChange::default()
    };
    let change = async |id: &UserId, change: &UserChange| {
        let changed = app
            .store
            .change_user(id, change, SuperAdministrator, nobody());
        changed.await.unwrap()
    };
    // One that is not active does not count.
    let raise = json!({"role": "super-administrator", "is_active": false});
    patch(&app, SuperAdministrator, second, raise).await;
    for changed in [change(&ids[0], &close).await, change(&ids[0], &lower).await] {
        assert!(
            matches!(changed, UserChanged::LastSuperAdministrator),
            "{changed:?}"
        );
    }
    patch(&app, SuperAdministrator, second, json!({"is_active": true})).await;
    let (one, two) = tokio::join!(change(&ids[0], &close), change(&ids[1], &close));
    let done = [one, two]
        .iter()
        .filter(|changed| matches!(changed, UserChanged::Done(..)))
        .count();
    assert_eq!(done, 1, "they put each other out");
}

#[tokio::test]
async fn nobody_changes_their_own_role_or_puts_themselves_out() {
    let app = TestApp::new().await;
    let own = "usr_super-administrator";
    for body in [
        json!({"is_active": false}),
        json!({"role": "agent"}),
        json!({"first_name": "Grace", "role": "administrator"}),
    ] {
        let refused = patch(&app, SuperAdministrator, own, body).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
    }
    let path = format!("/api/v1/users/{own}");
    let gone = app.call(Some(SuperAdministrator), Method::DELETE, &path, None);
    assert_eq!(gone.await.status, 403);
    let same = json!({"first_name": "Grace", "role": "super-administrator", "is_active": true});
    let kept = patch(&app, SuperAdministrator, own, same).await;
    assert_eq!(kept.status, 200, "{}", kept.text);
}

#[tokio::test]
async fn a_user_has_all_that_the_screens_show() {
    let app = TestApp::new().await.with_campaign().await;
    let put = async |path: &str, body: Value| {
        let answer = app.post(Administrator, path, body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer
    };
    put(
        "/api/v1/user-groups",
        json!({"id": "ug-1", "name": "North"}),
    )
    .await;
    put("/api/v1/sites", json!({"id": "site-1", "name": "Lille", "time_zone": "Europe/Paris",
        "physical_extensions": [{"number": "101", "direct_media_enabled": true}, {"number": "102"}]})).await;
    put(
        "/api/v1/agent-profiles",
        json!({"id": "profile-1", "name": "Few", "call_controls": {"dial": true}}),
    )
    .await;
    let mut body = json!({"id": "new-1763630000000", "login_id": "grace", "password": "correct horse",
        "role": "agent", "first_name": "Grace", "last_name": "Hopper", "site_id": "site-1",
        "agent_profile_id": "profile-1", "mobile_number": "+33 6 12 34 56 78",
        "use_mobile_as_station": true, "planning_enabled": true, "group_ids": ["ug-1"],
        "campaign_ids": ["cmp_1"], "profile_picture_url": PNG});
    let added = put("/api/v1/users", body.clone()).await;
    body.as_object_mut().unwrap().remove("password");
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&added.body["data"][name], value, "{name}");
    }
    let shown = app.get(Supervisor, "/api/v1/users/new-1763630000000").await;
    assert_eq!(shown.body, added.body);
    let list = app.get(Supervisor, "/api/v1/users?limit=1").await;
    assert_eq!(list.body["data"][0]["has_profile_picture"], true);
    assert_eq!(list.body["data"][0]["profile_picture_url"], Value::Null);
    assert_eq!(list.body["next"], "new-1763630000000");
    let change = json!({"site_id": null, "mobile_number": null, "group_ids": [], "campaign_ids": [],
        "profile_picture_url": null, "agent_profile_id": null});
    let changed = patch(&app, Administrator, "new-1763630000000", change).await;
    let data = &changed.body["data"];
    for name in [
        "site_id",
        "mobile_number",
        "agent_profile_id",
        "profile_picture_url",
    ] {
        assert_eq!(data[name], Value::Null, "{name}: {}", changed.text);
    }
    assert_eq!(
        (&data["group_ids"], &data["campaign_ids"]),
        (&json!([]), &json!([]))
    );
    for (field, value, word) in [
        ("site_id", json!("nowhere"), "site"),
        ("agent_profile_id", json!("none"), "profile"),
        ("group_ids", json!(["none"]), "group"),
        ("campaign_ids", json!(["none"]), "campaign"),
    ] {
        let mut body = json!({});
        body[field] = value;
        let missing = patch(&app, Administrator, "new-1763630000000", body).await;
        assert_eq!(missing.status, 422, "{}", missing.text);
        assert!(
            missing.body["error"].as_str().unwrap().contains(word),
            "{}",
            missing.text
        );
    }
}

const PNG: &str = "data:image/png;base64,iVBORw0KGgo=";

#[tokio::test]
async fn people_change_their_own_picture_and_only_for_a_picture() {
    let app = TestApp::new().await;
    let put = async |url: Value| {
        let body = json!({"picture_url": url});
        app.put(Agent, "/api/v1/users/me/picture", body).await
    };
    let done = put(json!(PNG)).await;
    assert_eq!(
        done.body["data"]["profile_picture_url"], PNG,
        "{}",
        done.text
    );
    let me = app.get(Agent, "/api/v1/auth/me").await;
    assert_eq!(me.body["data"]["has_profile_picture"], true);
    for (url, status) in [
        ("data:image/svg+xml;base64,PHN2Zz4=".to_owned(), 422),
        ("https://example.com/me.png".to_owned(), 422),
        (
            format!("data:image/png;base64,{}", "A".repeat(2_900_000)),
            413,
        ),
    ] {
        assert_eq!(put(json!(url)).await.status, status);
    }
    let gone = put(Value::Null).await;
    assert_eq!(gone.body["data"]["has_profile_picture"], false);
}

#[tokio::test]
async fn many_users_are_added_together_or_not_at_all() {
    let app = TestApp::new().await;
    let row = |login: &str, role: &str| {
        json!({"id": format!("new-import-{login}"), "login_id": login,
        "password": "correct horse", "role": role})
    };
    let bulk = async |users: Vec<Value>| {
        app.post(Administrator, "/api/v1/users/bulk", json!({"users": users}))
            .await
    };
    let wrong = bulk(vec![
        row("one", "agent"),
        row("agent", "agent"),
        row("one", "agent"),
        json!({"login_id": "a b", "password": "correct horse", "role": "agent"}),
        json!({"login_id": "five", "password": "12345678", "role": "agent"}),
    ])
    .await;
    assert_eq!(wrong.status, 422);
    let fields: Vec<&str> = wrong.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    assert_eq!(
        fields,
        [
            "users[3].login_id",
            "users[4].password",
            "users[1].login_id",
            "users[2].id",
            "users[2].login_id"
        ]
    );
    let above = bulk(vec![row("one", "agent"), row("two", "super-administrator")]).await;
    assert_eq!(above.status, 403);
    assert_eq!(bulk(vec![]).await.status, 422);
    let mut missing = row("two", "agent");
    missing["site_id"] = json!("nowhere");
    let missing = bulk(vec![row("one", "agent"), missing]).await;
    assert_eq!(
        missing.body["errors"][0]["field"], "users[1]",
        "{}",
        missing.text
    );
    let none = app.get(Administrator, "/api/v1/users").await;
    assert_eq!(
        none.body["data"].as_array().unwrap().len(),
        4,
        "nobody was added"
    );
    let users: Vec<Value> = (0..20).map(|n| row(&format!("user{n}"), "agent")).collect();
    let added = bulk(users).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.body["data"]["ids"][19], "new-import-user19");
    assert_eq!(log_in(&app, "user19", "correct horse").await, 200);
    let log = app
        .get(Administrator, "/api/v1/audit-log?subject=new-import-user7")
        .await;
    assert_eq!(log.body["data"][0]["action"], "user.created");
    assert!(!log.text.contains("argon2"));
}

#[tokio::test]
async fn only_who_is_inactive_and_away_from_the_station_is_deleted() {
    let app = TestApp::new().await;
    let delete = async |caller: Role, id: &str| {
        let path = format!("/api/v1/users/{id}");
        app.call(Some(caller), Method::DELETE, &path, None)
            .await
            .status
            .as_u16()
    };
    assert_eq!(delete(Administrator, "usr_agent").await, 409, "active");
    patch(
        &app,
        Administrator,
        "usr_agent",
        json!({"is_active": false}),
    )
    .await;
    sqlx::query(
        "INSERT INTO agent_sessions (id, user_id, server, station, leg_mode, login_at)
         VALUES (gen_random_uuid(), 'usr_agent', 'pbx1', '1001', 'nailed-up', now())",
    )
    .execute(app.store.pool())
    .await
    .unwrap();
    assert_eq!(
        delete(Administrator, "usr_agent").await,
        409,
        "at a station"
    );
    sqlx::query("UPDATE agent_sessions SET logout_at = now()")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(delete(Administrator, "usr_agent").await, 200);
    assert_eq!(delete(Administrator, "usr_agent").await, 404);
    sqlx::query("UPDATE users SET is_active = false WHERE role = 'super-administrator'")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(delete(Administrator, "usr_super-administrator").await, 403);
    let log = app
        .get(Administrator, "/api/v1/audit-log?subject=usr_agent")
        .await;
    let actions: Vec<&str> = log.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["user.deleted", "user.changed"]);
}

#[tokio::test]
async fn groups_profiles_and_sites_are_kept_and_their_changes_noted() {
    let app = TestApp::new().await;
    let call = async |method: Method, path: &str, body: Option<Value>| {
        app.call(Some(Administrator), method, path, body).await
    };
    let group = json!({"name": "North", "member_ids": ["usr_supervisor", "usr_agent"]});
    let made = app
        .post(Administrator, "/api/v1/user-groups", group.clone())
        .await;
    let id = made.body["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        made.body["data"]["member_ids"],
        json!(["usr_agent", "usr_supervisor"])
    );
    let path = format!("/api/v1/user-groups/{id}");
    let less = json!({"name": "South", "member_ids": ["usr_agent"]});
    let changed = call(Method::PUT, &path, Some(less)).await;
    assert_eq!(changed.body["data"]["member_ids"], json!(["usr_agent"]));
    let list = app.get(Supervisor, "/api/v1/user-groups").await;
    assert_eq!(list.body["data"][0], changed.body["data"]);
    let unknown = json!({"name": "x", "member_ids": ["nobody"]});
    assert_eq!(call(Method::PUT, &path, Some(unknown)).await.status, 422);
    assert_eq!(call(Method::DELETE, &path, None).await.status, 200);
    assert_eq!(call(Method::DELETE, &path, None).await.status, 404);
    assert_eq!(call(Method::PUT, &path, Some(group)).await.status, 404);
    let log = app
        .get(Administrator, &format!("/api/v1/audit-log?subject={id}"))
        .await;
    assert_eq!(log.body["data"].as_array().unwrap().len(), 3);
    assert_eq!(log.body["data"][2]["actor_id"], "usr_administrator");

    let default = "/api/v1/agent-profiles/default-profile";
    assert_eq!(call(Method::DELETE, default, None).await.status, 409);
    let few = json!({"id": "few", "name": "Few", "call_controls": {"dial": true, "hold": false}});
    assert_eq!(
        app.post(Administrator, "/api/v1/agent-profiles", few)
            .await
            .status,
        201
    );
    patch(
        &app,
        Administrator,
        "usr_agent",
        json!({"agent_profile_id": "few"}),
    )
    .await;
    let few = "/api/v1/agent-profiles/few";
    assert_eq!(
        call(Method::DELETE, few, None).await.status,
        409,
        "somebody has it"
    );
    patch(
        &app,
        Administrator,
        "usr_agent",
        json!({"agent_profile_id": "default-profile"}),
    )
    .await;
    assert_eq!(call(Method::DELETE, few, None).await.status, 200);
    let wrong = json!({"name": "x", "call_controls": {"di al": true}});
    assert_eq!(call(Method::PUT, default, Some(wrong)).await.status, 422);

    let site = json!({"id": "site-1", "name": "Lille", "physical_extensions": [{"number": "10;1"}],
        "time_zone": "Mars/North", "ip_address": "10.0.0.1;"});
    let wrong = app.post(Administrator, "/api/v1/sites", site).await;
    assert_eq!(
        wrong.body["errors"].as_array().unwrap().len(),
        3,
        "{}",
        wrong.text
    );
    let site = json!({"id": "site-1", "name": "Lille", "ip_address": "10.0.0.1"});
    assert_eq!(
        app.post(Administrator, "/api/v1/sites", site.clone())
            .await
            .status,
        201
    );
    assert_eq!(
        app.post(Administrator, "/api/v1/sites", site).await.status,
        409
    );
    let site = json!({"name": "Roubaix"});
    let changed = call(Method::PUT, "/api/v1/sites/site-1", Some(site)).await;
    assert_eq!(changed.body["data"]["name"], "Roubaix");
    assert_eq!(
        call(Method::DELETE, "/api/v1/sites/site-1", None)
            .await
            .status,
        200
    );
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
