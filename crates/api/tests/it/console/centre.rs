//! What belongs to the set-up of the centre: activity types, scripts, qualifications.

use serde_json::json;
use strowger_core::permission::Role;

use crate::harness::TestApp;

#[tokio::test]
async fn of_a_system_activity_only_whether_it_is_active_changes() {
    let app = TestApp::new().await;
    let path = "/api/activity-types/activity-available";
    let sent = json!({"name": "Free", "color": "#000000", "isActive": false});
    let saved = app.put(Role::Supervisor, path, sent).await;
    assert_eq!(saved.body["name"], "En Attente");
    assert_eq!(saved.body["color"], "#22c55e");
    assert_eq!(saved.body["isActive"], false);
    assert_eq!(saved.body["isSystem"], true);
    let at = saved.body["updatedAt"].as_str().unwrap();
    assert_eq!(at, "2026-11-20T12:00:00.000Z");
}

#[tokio::test]
async fn a_script_that_a_campaign_uses_stays_and_a_copy_has_its_pages() {
    let app = TestApp::new().await.with_campaign().await;
    let pages =
        json!([{"id": "page-1", "name": "One", "blocks": [{"fieldName": "numero_contrat"}]}]);
    let sent = json!({"id": "script-1", "name": "Greeting", "pages": pages, "startPageId": "page-1",
        "backgroundColor": "#fff"});
    let added = app.post(Role::Administrator, "/api/scripts", sent).await;
    assert_eq!(added.status, 201, "{}", added.text);
    // Names within pages are the builder's own.
    assert_eq!(added.body["pages"], pages);
    sqlx::query("UPDATE campaigns SET script_id = 'script-1'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let path = "/api/scripts/script-1";
    let refused = app
        .call(
            Some(Role::Administrator),
            axum::http::Method::DELETE,
            path,
            None,
        )
        .await;
    assert_eq!(refused.status, 409);
    assert!(refused.body["error"].as_str().unwrap().contains("campaign"));
    let path = "/api/scripts/script-1/duplicate";
    let copy = app.post(Role::Administrator, path, json!(null)).await;
    assert_eq!(copy.body["name"], "Greeting (Copie)");
    assert_ne!(copy.body["id"], "script-1");
    assert_eq!(copy.body["pages"], pages);
}

#[tokio::test]
async fn saving_a_group_moves_its_qualifications_and_keeps_what_the_console_does_not_know() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let refusal =
        json!({"code": "NO", "type": "negative", "is_refusal": true, "is_conversation": false});
    let made = app.put(role, "/api/v1/qualifications/q1", refusal).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let group = json!({"id": "qg-1", "name": "Sales", "assignedQualIds": ["q1", "gone"]});
    let made = app
        .post(role, "/api/qualification-groups/groups", group)
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let other =
        json!({"code": "NO", "description": "Refuses", "type": "negative", "groupId": null});
    let changed = app.put(role, "/api/qualifications/q1", other).await;
    assert_eq!(changed.body["groupId"], "qg-1");
    let all = app.get(role, "/api/v1/qualifications?limit=500").await;
    let list = all.body["data"].as_array().unwrap();
    let kept = list.iter().find(|one| one["id"] == "q1").unwrap();
    assert_eq!(kept["is_refusal"], true);
    assert_eq!(kept["description"], "Refuses");
    let emptied = json!({"name": "Sales", "assignedQualIds": []});
    app.put(role, "/api/qualification-groups/groups/qg-1", emptied)
        .await;
    let again = json!({"code": "NO", "type": "negative"});
    let changed = app.put(role, "/api/qualifications/q1", again).await;
    assert!(changed.body["groupId"].is_null());
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_words_of_the_console() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let answer = app
        .post(
            role,
            "/api/activity-types",
            json!({"name": "", "color": "red"}),
        )
        .await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body["error"].as_str().unwrap().contains("name"),
        "{}",
        answer.text
    );
    let deep = (0..70).fold(json!("x"), |inner, _| json!([inner]));
    let sent = json!({"name": "Deep", "pages": [deep]});
    let answer = app.post(role, "/api/scripts", sent).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let nul = json!({"name": "Nul", "pages": [{"text": "a\u{0}b"}]});
    assert_eq!(app.post(role, "/api/scripts", nul).await.status, 400);
}

#[tokio::test]
async fn who_changed_a_script_is_in_the_audit_log() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let sent = json!({"id": "script-1", "name": "Greeting", "pages": []});
    app.post(role, "/api/scripts", sent).await;
    let log = app.get(role, "/api/v1/audit-log?subject=script-1").await;
    assert_eq!(
        log.body["data"][0]["action"], "script.created",
        "{}",
        log.text
    );
    assert_eq!(log.body["data"][0]["actor_id"], "usr_administrator");
}

fn flow(target: &str) -> serde_json::Value {
    json!({
        "name": "Welcome",
        "nodes": [
            {"id": "start-node", "type": "start", "name": "Début", "x": 50, "y": 150, "content": {}},
            {"id": "node-hangup-1", "type": "hangup", "name": "Raccrocher", "x": 300, "y": 150, "content": {}, "color": "red"},
        ],
        "connections": [
            {"id": "conn-1", "fromNodeId": "start-node", "fromPortId": "out", "toNodeId": target, "toPortId": "in"},
        ],
    })
}

#[tokio::test]
async fn a_flow_without_errors_is_published_when_it_is_saved_and_another_is_kept_as_a_draft() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let added = app
        .post(role, "/api/ivr-flows", flow("node-hangup-1"))
        .await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.body["publishedVersion"], 1);
    assert!(added.body["publishError"].is_null());
    // What the designer adds of its own comes back.
    assert_eq!(added.body["nodes"][1]["color"], "red");
    let path = format!("/api/ivr-flows/{}", added.body["id"].as_str().unwrap());
    let broken = app.put(role, &path, flow("nowhere")).await;
    assert_eq!(broken.status, 200, "{}", broken.text);
    assert!(broken.body["publishError"].is_string());
    assert_eq!(broken.body["connections"][0]["toNodeId"], "nowhere");
    // Callers still walk the first one.
    assert_eq!(broken.body["publishedVersion"], 1);
    let copy = app
        .post(role, &format!("{path}/duplicate"), json!(null))
        .await;
    assert_eq!(copy.body["name"], "Welcome (Copie)");
    assert!(copy.body["publishedVersion"].is_null());
    let gone = app
        .call(Some(role), axum::http::Method::DELETE, &path, None)
        .await;
    assert_eq!(gone.status, 204);
}
