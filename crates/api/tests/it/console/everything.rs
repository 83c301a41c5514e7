//! Everything that a console shows, in one answer.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};
use strowger_api::{LogLine, Service, ServiceKind, router};
use strowger_core::{permission::Role, telephony::ServerName};

use crate::harness::TestApp;

const PATH: &str = "/api/application-data";

/// What the console reads.
const KEYS: &[&str] = &[
    "users",
    "userGroups",
    "savedScripts",
    "campaigns",
    "qualifications",
    "qualificationGroups",
    "ivrFlows",
    "audioFiles",
    "trunks",
    "dids",
    "sites",
    "activityTypes",
    "personalCallbacks",
    "callHistory",
    "agentSessions",
    "contactNotes",
    "agentProfiles",
    "systemConnectionSettings",
    "smtpSettings",
    "appSettings",
    "moduleVisibility",
    "backupLogs",
    "backupSchedule",
    "systemLogs",
    "versionInfo",
    "connectivityServices",
];

async fn contacts(app: &TestApp, campaign: &str, count: i32) {
    sqlx::query(
        "INSERT INTO contacts (id, campaign_id, list_id, first_name, custom_fields)
         SELECT $1 || '-' || g, $1, $1, 'First', '{\"numero_contrat\": \"7\"}' FROM generate_series(1, $2) g",
    )
    .bind(campaign)
    .bind(count)
    .execute(app.store.pool())
    .await
    .unwrap();
}

async fn with_campaigns() -> TestApp {
    let app = TestApp::new().await.with_campaign().await;
    for id in ["cmp_2", "cmp_3"] {
        let new = json!({"id": id, "name": id, "mode": "predictive", "trunk_ids": ["trk_1"]});
        let added = app
            .post(Role::Administrator, "/api/v1/campaigns", new)
            .await;
        assert_eq!(added.status, 201, "{}", added.text);
    }
    let agents = json!({"agent_ids": ["usr_agent", "usr_supervisor"]});
    let set = app
        .put(
            Role::Administrator,
            "/api/v1/campaigns/cmp_2/agents",
            agents,
        )
        .await;
    assert!(set.status.is_success(), "{}", set.text);
    app
}

fn campaign<'a>(body: &'a Value, id: &str) -> &'a Value {
    let campaigns = body["campaigns"].as_array().unwrap();
    campaigns.iter().find(|one| one["id"] == id).unwrap()
}

#[tokio::test]
async fn every_contact_is_inside_whatever_their_number() {
    let app = with_campaigns().await;
    // A page is 1,000 contacts.
    for (id, count) in [("cmp_1", 1_000), ("cmp_2", 2_001)] {
        contacts(&app, id, count).await;
    }
    let all = app.get(Role::SuperAdministrator, PATH).await;
    assert_eq!(all.status, 200);
    for key in KEYS {
        assert!(!all.body[key].is_null(), "{key}");
    }
    for (id, count) in [("cmp_1", 1_000), ("cmp_2", 2_001), ("cmp_3", 0)] {
        let own = campaign(&all.body, id);
        assert_eq!(own["contacts"].as_array().unwrap().len(), count, "{id}");
    }
    let contact = &campaign(&all.body, "cmp_2")["contacts"][0];
    assert_eq!(contact["customFields"]["numero_contrat"], "7");
    assert_eq!(contact["lastName"], "");
    assert_eq!(contact["phoneNumber"], "");
    assert_eq!(contact["status"], "pending");
    assert_eq!(campaign(&all.body, "cmp_2")["dialingMode"], "PREDICTIVE");
    let users = all.body["users"].as_array().unwrap();
    assert_eq!(users.len(), 4);
    assert!(!all.text.contains("not a hash"));
    assert_eq!(all.body["activityTypes"][0]["isSystem"], true);
}

#[tokio::test]
async fn an_agent_is_shown_their_own_and_nothing_else() {
    let app = with_campaigns().await;
    contacts(&app, "cmp_1", 3).await;
    contacts(&app, "cmp_2", 2).await;
    for (id, agent) in [(1, "usr_agent"), (2, "usr_supervisor")] {
        sqlx::query(
            "INSERT INTO call_records (id, direction, server, channel, destination, agent_id, started_at, answered_at, ended_at)
             VALUES (('00000000-0000-0000-0000-00000000000' || $1)::uuid, 'outbound', 'pbx1', 'c', '+33142000001', $2,
                     '2026-11-20 11:00:00Z', '2026-11-20 11:00:05Z', '2026-11-20 11:01:05Z')",
        )
        .bind(id)
        .bind(agent)
        .execute(app.store.pool())
        .await
        .unwrap();
    }
    let own = app.get(Role::Agent, PATH).await;
    assert_eq!(own.body["users"].as_array().unwrap().len(), 1);
    assert_eq!(own.body["users"][0]["role"], "Agent");
    assert_eq!(own.body["users"][0]["campaignIds"], json!(["cmp_2"]));
    let campaigns = own.body["campaigns"].as_array().unwrap();
    assert_eq!(campaigns.len(), 1);
    assert_eq!(campaigns[0]["contacts"].as_array().unwrap().len(), 2);
    assert_eq!(campaigns[0]["assignedUserIds"], json!(["usr_agent"]));
    let calls = own.body["callHistory"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0]["callerNumber"], "+33142000001");
    assert_eq!(calls[0]["callStatus"], "ANSWERED");
    assert_eq!(
        (&calls[0]["duration"], &calls[0]["billableDuration"]),
        (&json!(65), &json!(60))
    );
    for key in [
        "trunks",
        "dids",
        "ivrFlows",
        "audioFiles",
        "sites",
        "savedScripts",
    ] {
        assert_eq!(own.body[key], json!([]), "{key}");
    }
    let all = app.get(Role::Supervisor, PATH).await;
    assert_eq!(all.body["callHistory"].as_array().unwrap().len(), 2);
    assert_eq!(all.body["campaigns"].as_array().unwrap().len(), 3);
    assert_eq!(all.body["trunks"], json!([]));
    let set_up = app.get(Role::Administrator, PATH).await;
    assert_eq!(set_up.body["trunks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_has_the_answer_already_is_told_so_until_something_changes() {
    let app = with_campaigns().await;
    // A login is a change too.
    let agent = app.token(Role::Agent).await;
    let supervisor = app.token(Role::Supervisor).await;
    let ask = async |token: &str, tag: &str| {
        let request = Request::get(PATH)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::IF_NONE_MATCH, tag);
        app.send(request.body(Body::empty()).unwrap()).await
    };
    // Other tests write to the same server, and any writing there counts as a change.
    let mut tries = 0;
    let tag = loop {
        let first = ask(&agent, "").await;
        let tag = first.headers[header::ETAG].to_str().unwrap().to_owned();
        let same = ask(&agent, &tag).await;
        if same.status == 304 {
            assert!(same.text.is_empty());
            break tag;
        }
        tries += 1;
        assert!(tries < 100, "never the same twice");
    };
    assert_eq!(ask(&supervisor, &tag).await.status, 200);
    contacts(&app, "cmp_2", 1).await;
    let changed = ask(&agent, &tag).await;
    assert_eq!(changed.status, 200);
    let contacts = changed.body["campaigns"][0]["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 1);
}

#[tokio::test]
async fn how_the_console_looks_is_known_before_logging_in() {
    let app = TestApp::new().await;
    sqlx::query("INSERT INTO settings (key, value) VALUES ('app', '{\"appName\": \"Acme\", \"secret\": \"x\"}')")
        .execute(app.store.pool())
        .await
        .unwrap();
    let answer = app
        .call(None, axum::http::Method::GET, "/api/public-config", None)
        .await;
    assert_eq!(answer.status, 200);
    let shown = &answer.body["appSettings"];
    assert_eq!(shown["appName"], "Acme");
    assert_eq!(shown["fontSize"], 16);
    assert!(shown.get("secret").is_none());
}

#[tokio::test]
async fn the_system_itself_is_shown_to_super_administrators_alone() {
    let mut app = TestApp::new().await;
    let line = LogLine {
        number: 7,
        at: "2026-11-20T12:00:00Z".parse().unwrap(),
        level: "WARN",
        target: "strowger::daemon".to_owned(),
        message: "slow".to_owned(),
    };
    app.state.system.log = Some(Arc::new(move || vec![line.clone()]));
    let place = |kind, host: &str, port| Service {
        kind,
        host: host.to_owned(),
        port,
    };
    let manager = |name: &str| ServiceKind::Manager(ServerName::from(name));
    app.state.system.services = vec![
        place(ServiceKind::Database, "db.example", 5432),
        place(manager("main"), "10.0.0.7", 5038),
    ];
    app.router = router(app.state.clone());
    let schedule = json!({"frequency": "weekly", "time": "03:30"});
    let set = "/api/system/backup-schedule";
    let role = Role::SuperAdministrator;
    assert_eq!(app.put(role, set, schedule).await.status, 200);
    let made = app.post(role, "/api/system/backups", Value::Null).await;
    assert_eq!(made.status, 201, "{}", made.text);

    let all = app.get(role, PATH).await.body;
    assert_eq!(all["backupLogs"][0]["status"], "success");
    assert_eq!(
        all["backupSchedule"],
        json!({"frequency": "weekly", "time": "03:30", "timeZone": "UTC"})
    );
    assert_eq!(
        all["systemLogs"],
        json!([{"id": "log-7", "timestamp": "2026-11-20T12:00:00.000Z", "level": "WARNING",
            "service": "strowger::daemon", "message": "slow"}])
    );
    assert_eq!(
        all["connectivityServices"],
        json!([
            {"id": "db", "name": "Base de données", "target": "db.example:5432"},
            {"id": "ami", "name": "Asterisk AMI", "target": "10.0.0.7:5038"},
        ])
    );
    assert_eq!(all["licenseInfo"]["maxAgents"], 0);

    let second = place(manager("spare"), "10.0.0.8", 5038);
    app.state.system.services.push(second);
    app.router = router(app.state.clone());
    let all = app.get(role, PATH).await.body;
    let ids = |body: &Value| -> Vec<Value> {
        let services = body["connectivityServices"].as_array().unwrap();
        services.iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(&all), ["db", "ami-main", "ami-spare"]);

    for role in [Role::Agent, Role::Supervisor, Role::Administrator] {
        let all = app.get(role, PATH).await.body;
        for name in ["backupLogs", "systemLogs", "connectivityServices"] {
            assert_eq!(all[name], json!([]), "{name} as {role}");
        }
        assert_eq!(all["backupSchedule"]["frequency"], "none", "{role}");
        assert_eq!(all["licenseInfo"], Value::Null, "{role}");
    }
}
