//! User groups, agent profiles, sites, trunks.

use axum::http::Method;
use serde_json::json;
use strowger_core::permission::Role;

use super::{Row, administrators, row, run};
use crate::harness::TestApp;

const GROUP: &[&str] = &["id", "name", "createdAt", "updatedAt", "memberIds"];
const PROFILE: &[&str] = &["id", "name", "callControlsConfig", "createdAt", "updatedAt"];
const SITE: &[&str] = &[
    "id",
    "name",
    "ipAddress",
    "physicalExtensions",
    "directMediaEnabled",
    "createdAt",
    "updatedAt",
];

const TRUNK: &[&str] = &[
    "id",
    "name",
    "domain",
    "login",
    "passwordEncrypted",
    "hasPassword",
    "authType",
    "registerString",
    "dialPattern",
    "inboundContext",
    "forceCallerId",
    "createdAt",
    "updatedAt",
];

const ROWS: &[Row] = &[
    row(
        "POST",
        "/api/user-groups",
        r#"{"id": "ug-{n}", "name": "Evening", "memberIds": ["usr_agent"]}"#,
        administrators(201),
        GROUP,
    ),
    row(
        "POST",
        "/api/user-groups",
        r#"{"id": "ug-{n}", "name": "Again", "memberIds": []}"#,
        administrators(409),
        &[],
    ),
    row(
        "PUT",
        "/api/user-groups/ug-{n}",
        r#"{"id": "ug-{n}", "name": "Morning", "memberIds": [], "createdAt": "2026-11-20T12:00:00.000Z"}"#,
        administrators(200),
        GROUP,
    ),
    row(
        "PUT",
        "/api/user-groups/ug-{n}",
        r#"{"name": "Morning", "memberIds": ["usr_9"]}"#,
        administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/user-groups/none",
        r#"{"name": "Morning", "memberIds": []}"#,
        administrators(404),
        &[],
    ),
    row(
        "DELETE",
        "/api/user-groups/ug-{n}",
        "",
        administrators(204),
        &[],
    ),
    row(
        "DELETE",
        "/api/user-groups/ug-{n}",
        "",
        administrators(404),
        &[],
    ),
    row(
        "POST",
        "/api/agent-profiles",
        r#"{"name": "Desk {n}", "callControlsConfig": {"dial": true, "raiseHand": false}}"#,
        administrators(201),
        PROFILE,
    ),
    row(
        "POST",
        "/api/agent-profiles",
        r#"{"id": "profile-{n}", "name": "Desk", "callControlsConfig": {}}"#,
        administrators(201),
        PROFILE,
    ),
    row(
        "PUT",
        "/api/agent-profiles/profile-{n}",
        r#"{"id": "profile-{n}", "name": "Field", "callControlsConfig": {"hold": true}}"#,
        administrators(200),
        PROFILE,
    ),
    row(
        "PUT",
        "/api/agent-profiles/profile-{n}",
        r#"{"name": "", "callControlsConfig": {"hold": true}}"#,
        administrators(400),
        &[],
    ),
    row(
        "DELETE",
        "/api/agent-profiles/profile-{n}",
        "",
        administrators(204),
        &[],
    ),
    row(
        "DELETE",
        "/api/agent-profiles/default-profile",
        "",
        administrators(409),
        &[],
    ),
    row(
        "DELETE",
        "/api/agent-profiles/none",
        "",
        administrators(404),
        &[],
    ),
    row(
        "POST",
        "/api/sites",
        r#"{"id": "site-{n}", "name": "Paris", "ipAddress": "192.0.2.{n}",
            "physicalExtensions": [{"id": "ext-1", "number": "101"}], "directMediaEnabled": false}"#,
        administrators(201),
        SITE,
    ),
    row(
        "PUT",
        "/api/sites/site-{n}",
        r#"{"id": "site-{n}", "name": "Lyon", "ipAddress": "", "physicalExtensions": [], "directMediaEnabled": true}"#,
        administrators(200),
        SITE,
    ),
    row(
        "PUT",
        "/api/sites/site-{n}",
        r#"{"name": "Lyon", "ipAddress": "192.0.2.1\nexten => x", "physicalExtensions": []}"#,
        administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/sites/none",
        r#"{"name": "Lyon", "ipAddress": "", "physicalExtensions": []}"#,
        administrators(404),
        &[],
    ),
    row(
        "DELETE",
        "/api/sites/site-{n}",
        "",
        administrators(204),
        &[],
    ),
    row("DELETE", "/api/sites/none", "", administrators(404), &[]),
    row(
        "POST",
        "/api/trunks",
        r#"{"id": "trunk-{n}", "name": "Carrier", "domain": "sip.example.net:5060", "login": "33199",
            "password": "not a hash", "authType": "register", "registerString": "", "dialPattern": "_X.",
            "inboundContext": "from-carrier"}"#,
        administrators(201),
        TRUNK,
    ),
    row(
        "POST",
        "/api/trunks/trunks",
        r#"{"id": "trunk-{n}", "name": "Again", "domain": "192.0.2.1", "authType": "ip"}"#,
        administrators(409),
        &[],
    ),
    row(
        "POST",
        "/api/telephony/trunks",
        r#"{"name": "Old console", "domain": "192.0.2.1", "authType": "ip", "dialPattern": "_X."}"#,
        administrators(201),
        TRUNK,
    ),
    row(
        "PUT",
        "/api/trunks/trunk-{n}",
        r#"{"id": "trunk-{n}", "name": "Renamed", "domain": "192.0.2.1", "login": "", "password": "",
            "passwordEncrypted": "", "authType": "ip", "dialPattern": "_0X."}"#,
        administrators(200),
        TRUNK,
    ),
    row(
        "PUT",
        "/api/telephony/trunks/trunk-{n}",
        r#"{"name": "Carrier", "domain": "192.0.2.1\n[injected]", "authType": "ip"}"#,
        administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/trunks/trunks/trunk-{n}",
        r#"{"name": "Carrier", "domain": "192.0.2.1", "authType": "register",
            "registerString": "33199:not a hash@sip.example.net"}"#,
        administrators(400),
        &[],
    ),
    row(
        "PUT",
        "/api/trunks/none",
        r#"{"name": "Carrier", "domain": "192.0.2.1", "authType": "ip"}"#,
        administrators(404),
        &[],
    ),
    row(
        "DELETE",
        "/api/trunks/trunk-{n}",
        "",
        administrators(204),
        &[],
    ),
    row("DELETE", "/api/trunks/none", "", administrators(404), &[]),
];

#[tokio::test]
async fn groups_profiles_sites_and_trunks_are_for_administrators_in_their_shape() {
    run(&TestApp::new().await, ROWS).await;
}

#[tokio::test]
async fn a_saved_group_is_answered_whole() {
    let app = TestApp::new().await;
    let group = json!({"id": "ug-1", "name": " Evening ", "memberIds": ["usr_supervisor", "usr_agent", "usr_agent"]});
    let saved = app
        .post(Role::Administrator, "/api/user-groups", group)
        .await;
    assert_eq!(saved.body["id"], "ug-1");
    assert_eq!(saved.body["name"], "Evening");
    assert_eq!(
        saved.body["memberIds"],
        json!(["usr_agent", "usr_supervisor"])
    );
    let emptied = app
        .put(
            Role::Administrator,
            "/api/user-groups/ug-1",
            json!({"name": "Evening", "memberIds": []}),
        )
        .await;
    assert_eq!(emptied.body["memberIds"], json!([]));
}

#[tokio::test]
async fn a_profile_that_somebody_has_stays() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let profile = json!({"id": "profile-1", "name": "Desk", "callControlsConfig": {"dial": true}});
    let added = app.post(role, "/api/agent-profiles", profile).await;
    assert_eq!(added.body["callControlsConfig"], json!({"dial": true}));
    sqlx::query("UPDATE users SET agent_profile_id = 'profile-1' WHERE role = 'agent'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let path = "/api/agent-profiles/profile-1";
    let refused = app.call(Some(role), Method::DELETE, path, None).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(
        refused.body["error"]
            .as_str()
            .unwrap()
            .contains("somebody has it")
    );
}

#[tokio::test]
async fn a_site_keeps_what_the_console_does_not_know_of() {
    let app = TestApp::new().await;
    let role = Role::Administrator;
    let site = json!({"id": "site-1", "name": "Pointe-à-Pitre", "time_zone": "America/Guadeloupe",
        "physical_extensions": [{"number": "101", "user_id": "usr_agent"}, {"number": "102"}]});
    let added = app.post(role, "/api/v1/sites", site).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let sent = json!({"id": "site-1", "name": "Guadeloupe", "ipAddress": "192.0.2.1",
        "physicalExtensions": [{"number": "101"}, {"number": "103", "directMediaEnabled": true}],
        "directMediaEnabled": false});
    let saved = app.put(role, "/api/sites/site-1", sent).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(saved.body["name"], "Guadeloupe");
    let sites = app.get(role, "/api/v1/sites").await;
    let site = &sites.body["data"][0];
    assert_eq!(site["time_zone"], "America/Guadeloupe");
    assert_eq!(
        site["physical_extensions"],
        json!([
            {"number": "101", "direct_media_enabled": null, "user_id": "usr_agent"},
            {"number": "103", "direct_media_enabled": true, "user_id": null}
        ])
    );
}
