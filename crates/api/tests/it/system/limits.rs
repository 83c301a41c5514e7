//! How much may be used at once.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::{
    limits::Limits,
    permission::Role::{self, Agent, SuperAdministrator},
};

use crate::harness::TestApp;

const LIMITS: &str = "/api/v1/settings/limits";
const LICENCE: &str = "/api/system/license-settings";
const LOG_IN: &str = "/api/v1/agents/me/login";

fn limits(
    max_agents: impl Into<Option<u32>>,
    max_lines: impl Into<Option<u32>>,
    active_until: Option<&str>,
) -> Value {
    json!({"max_agents": max_agents.into(), "max_lines": max_lines.into(), "active_until": active_until})
}

async fn logs_in(app: &TestApp, role: Role) -> (u16, String) {
    let station = json!({"station": format!("{role}"), "leg_mode": "ring-per-call"});
    let answer = app.post(role, LOG_IN, station).await;
    (answer.status.as_u16(), answer.text)
}

#[tokio::test]
async fn an_agent_too_many_is_refused_with_the_reason_until_there_is_room() {
    let app = TestApp::new().await;
    let shown = app.get(SuperAdministrator, LIMITS).await.body;
    let free = json!({"max_agents": null, "max_lines": null, "active_until": null, "agents": 0, "lines": 0});
    assert_eq!(shown["data"], free, "nothing is limited at first");
    let sent = limits(1, None, None);
    let set = app.put(SuperAdministrator, LIMITS, sent).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(logs_in(&app, Agent).await.0, 200);
    let (status, text) = logs_in(&app, Role::Supervisor).await;
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("raise the limit of agents"), "{text}");
    let shown = app.get(SuperAdministrator, LIMITS).await.body;
    assert_eq!(shown["data"]["max_agents"], 1);
    assert_eq!(shown["data"]["agents"], 1);

    let sent = limits(2, None, None);
    app.put(SuperAdministrator, LIMITS, sent).await;
    assert_eq!(logs_in(&app, Role::Supervisor).await.0, 200);
    let kept = app.store.limits().await.unwrap();
    let two = Limits {
        max_agents: Some(2),
        ..Limits::default()
    };
    assert_eq!(kept, two);
    assert_eq!(app.store.restore().await.unwrap().limits, two);
}

#[tokio::test]
async fn nobody_logs_in_when_the_last_day_is_over() {
    let app = TestApp::new().await;
    // It is 20 November.
    let sent = |day: &str| limits(None, None, Some(day));
    app.put(SuperAdministrator, LIMITS, sent("2026-11-19"))
        .await;
    let (status, text) = logs_in(&app, Agent).await;
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("2026-11-19"), "{text}");
    app.put(SuperAdministrator, LIMITS, sent("2026-11-20"))
        .await;
    assert_eq!(logs_in(&app, Agent).await.0, 200);
}

#[tokio::test]
async fn limits_that_cannot_be_are_named() {
    let app = TestApp::new().await;
    for (sent, field) in [
        (limits(0, None, None), "max_agents"),
        (limits(None, 1_000_001, None), "max_lines"),
        (limits(None, None, Some("2026-02-30")), "active_until"),
        (json!({"max_users": 3}), "max_users"),
    ] {
        let refused = app.put(SuperAdministrator, LIMITS, sent).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert!(refused.text.contains(field), "{}", refused.text);
    }
    assert_eq!(app.store.limits().await.unwrap(), Limits::default());
}

#[tokio::test]
async fn what_a_console_calls_its_licence_are_these_limits() {
    let app = TestApp::new().await;
    let shown = async || {
        let all = app.get(SuperAdministrator, "/api/application-data").await;
        all.body["licenseInfo"].clone()
    };
    assert_eq!(
        shown().await,
        json!({"activeUntil": "9999-12-31T00:00:00.000Z", "maxAgents": 0, "currentAgents": 0,
            "maxChannels": 0, "currentChannels": 0, "machineFingerprint": ""})
    );
    // Its form sends what it was shown, whatever is saved.
    let same = json!({"activeUntil": "9999-12-31T00:00:00.000Z", "maxAgents": 0, "maxChannels": 0});
    let saved = app.put(SuperAdministrator, LICENCE, same).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(app.store.limits().await.unwrap(), Limits::default());

    let sent =
        json!({"activeUntil": "2027-12-31T00:00:00.000Z", "maxAgents": 1, "maxChannels": 30});
    let saved = app.put(SuperAdministrator, LICENCE, sent).await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(logs_in(&app, Agent).await.0, 200);
    assert_eq!(logs_in(&app, Role::Supervisor).await.0, 409);
    assert_eq!(
        shown().await,
        json!({"activeUntil": "2027-12-31T00:00:00.000Z", "maxAgents": 1, "currentAgents": 1,
            "maxChannels": 30, "currentChannels": 0, "machineFingerprint": ""})
    );
    let key = json!({"licenseKey": "EVS-LICENSE-KEY-VALID-2030-01-01-99-99"});
    let route = "/api/system/apply-license";
    let refused = app
        .call(Some(SuperAdministrator), Method::POST, route, Some(key))
        .await;
    assert_eq!(refused.status, 400);
    let said = refused.body["error"].as_str().unwrap();
    assert!(said.contains("configuration manuelle"), "{said}");
}
