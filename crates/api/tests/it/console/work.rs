//! What agents do with contacts at the console.

use serde_json::{Value, json};
use strowger_core::{
    agent::{AgentState, LegMode, Login},
    ids::{AgentSessionId, CallId, CampaignId, ContactId, UserId},
    live::{AgentView, Change},
    permission::Role::{self, Administrator, Agent, Supervisor},
    switchboard::Command,
    telephony::ServerName,
    time::Timestamp,
};
use uuid::Uuid;

use crate::harness::{TestApp, id};

/// A campaign `campaign-1` of the agent and the supervisor, with contacts `c1` to `c3`.
async fn scene(change: Value) -> TestApp {
    let app = TestApp::new().await;
    let mut body = json!({
        "id": "campaign-1", "name": "Automne", "dialingMode": "MANUAL", "unreachableLimit": 0,
        "assignedUserIds": ["usr_agent", "usr_supervisor"]
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = app.post(Administrator, "/api/campaigns", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let rows: Vec<Value> = (1..=3)
        .map(|n| {
            json!({"id": format!("c{n}"), "firstName": "Ada", "lastName": "L", "phoneNumber": format!("063998000{n}"),
                   "postalCode": format!("7500{n}"), "customFields": {}, "originalRow": {}})
        })
        .collect();
    let added = app
        .post(
            Administrator,
            "/api/campaigns/campaign-1/contacts",
            json!({ "contacts": rows }),
        )
        .await;
    assert_eq!(added.body["summary"]["valids"], 3, "{}", added.text);
    app
}

async fn qualify(app: &TestApp, who: Role, contact: &str, body: Value) -> (u16, String) {
    let path = format!("/api/contacts/{contact}/qualify");
    let answer = app.post(who, &path, body).await;
    (answer.status.as_u16(), answer.text)
}

async fn shown(app: &TestApp, contact: &str) -> Value {
    app.put(
        Administrator,
        &format!("/api/contacts/{contact}"),
        json!({}),
    )
    .await
    .body
}

async fn status(app: &TestApp, contact: &str) -> (String, Option<String>) {
    let card = app
        .store
        .card(&ContactId::new(contact).unwrap(), (app.state.clock)())
        .await
        .unwrap()
        .unwrap();
    (card.status, card.qualification)
}

#[tokio::test]
async fn a_contact_that_one_agent_has_is_refused_to_another_until_they_log_out() {
    let app = scene(json!({"unlockTimeoutsEnabled": true, "unlockTimeoutMinutes": 5})).await;
    let taken = app.post(Agent, "/api/contacts/c1/lock", json!({})).await;
    assert_eq!(
        (taken.status.as_u16(), &taken.body["lockedByAgentId"]),
        (200, &json!("usr_agent"))
    );
    assert_eq!(taken.body["lockedAt"], "2026-11-20T12:00:00.000Z");
    let refused = app
        .post(Supervisor, "/api/contacts/c1/lock", json!({}))
        .await;
    assert_eq!(refused.status, 409);
    let error = refused.body["error"].as_str().unwrap();
    assert!(
        error.starts_with("Cette fiche est actuellement en cours d’édition par l’agent "),
        "{error}"
    );
    let busy = qualify(
        &app,
        Supervisor,
        "c1",
        json!({"qualificationId": "qual-92"}),
    )
    .await;
    assert_eq!(busy.0, 409, "{}", busy.1);
    // Five minutes without a call, and it is given back.
    app.pass(5 * 60_000 + 1);
    let free = app
        .post(Supervisor, "/api/contacts/c1/lock", json!({}))
        .await;
    assert_eq!(
        (free.status.as_u16(), &free.body["lockedByAgentId"]),
        (200, &json!("usr_supervisor"))
    );
    assert_eq!(
        app.post(Agent, "/api/contacts/nobody/lock", json!({}))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn who_logs_out_gives_back_what_they_hold_and_owe() {
    let app = scene(json!({})).await;
    for contact in ["c1", "c2"] {
        let path = format!("/api/contacts/{contact}/lock");
        let taken = app.post(Agent, &path, json!({})).await;
        assert_eq!(taken.status, 200, "{}", taken.text);
    }
    // They talked to one of them, and have not said what came of it.
    sqlx::query(
        "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, disposition,
             agent_id, created_at, answered_at, bridged_at, ended_at)
         VALUES (gen_random_uuid(), 'campaign-1', 'c1', 1, '+33639980001', 't', 's', 1, 'answered-human',
             'usr_agent', '2026-11-20T11:00:00Z', '2026-11-20T11:00:05Z', '2026-11-20T11:00:05Z', '2026-11-20T11:01:00Z')",
    )
    .execute(app.store.pool())
    .await
    .unwrap();
    let out = app.post(Agent, "/api/auth/logout", json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text);
    assert_eq!(
        status(&app, "c1").await,
        ("qualified".to_owned(), Some("qual-101".to_owned()))
    );
    assert_eq!(shown(&app, "c2").await["lockedByAgentId"], Value::Null);
    let free = app
        .post(Supervisor, "/api/contacts/c2/lock", json!({}))
        .await;
    assert_eq!(free.status, 200, "{}", free.text);
}

#[tokio::test]
async fn who_logs_out_during_a_call_gives_back_what_they_hold_after_it() {
    let app = scene(json!({})).await;
    app.post(Agent, "/api/contacts/c1/lock", json!({})).await;
    app.hub.publish(Change::Agent(AgentView {
        id: id(Agent),
        name: "Ada".to_owned(),
        session_id: AgentSessionId(Uuid::from_u128(1)),
        state: AgentState::OnCall,
        since: Timestamp::UNIX_EPOCH,
        station: "PJSIP/1001".to_owned(),
        leg_mode: LegMode::NailedUp,
        reachable: true,
        call_id: Some(CallId(Uuid::from_u128(7))),
        preview: None,
        notice: None,
        busy_ms: 0,
        waiting_ms: 0,
    }));
    let out = app.post(Agent, "/api/auth/logout", json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text);
    let lock = async || {
        let answer = app
            .post(Supervisor, "/api/contacts/c1/lock", json!({}))
            .await;
        answer.status.as_u16()
    };
    assert_eq!(lock().await, 409, "they still talk");
    app.hub.publish(Change::AgentGone { id: id(Agent) });
    let free = async { while lock().await != 200 {} };
    let within = std::time::Duration::from_secs(10);
    assert!(tokio::time::timeout(within, free).await.is_ok());
}

#[tokio::test]
async fn a_contact_is_qualified_or_dialed_again_when_the_agent_says() {
    let app = scene(json!({})).await;
    let relaunch =
        json!({"qualificationId": "qual-95", "relaunchTime": "2026-11-27T09:00:00.000Z"});
    assert_eq!(qualify(&app, Agent, "c1", relaunch).await.0, 200);
    assert_eq!(
        status(&app, "c1").await,
        ("waiting".to_owned(), Some("qual-95".to_owned()))
    );
    let due: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("SELECT next_attempt_at FROM contacts WHERE id = 'c1'")
            .fetch_one(app.store.pool())
            .await
            .unwrap();
    assert_eq!(due.to_rfc3339(), "2026-11-27T09:00:00+00:00");
    assert_eq!(
        qualify(&app, Agent, "c2", json!({"qualificationId": "qual-92"}))
            .await
            .0,
        200
    );
    assert_eq!(shown(&app, "c2").await["status"], "qualified");
    for (body, code) in [
        (json!({"qualificationId": "nothing"}), 400),
        (json!({"qualificationId": "a b"}), 400),
        (
            json!({"qualificationId": "qual-95", "relaunchTime": "2036-11-27T09:00:00Z"}),
            400,
        ),
        (json!({}), 400),
    ] {
        let answer = qualify(&app, Agent, "c3", body).await;
        assert_eq!(answer.0, code, "{}", answer.1);
    }
    // Recycled: those with that outcome, and no others.
    let again = app
        .post(
            Supervisor,
            "/api/campaigns/campaign-1/recycle",
            json!({"qualificationId": "qual-92"}),
        )
        .await;
    assert_eq!(
        again.body["message"],
        "1 contacts ont été recyclés avec succès."
    );
    assert_eq!(status(&app, "c2").await.0, "ready");
}

#[tokio::test]
async fn a_contact_that_is_not_reached_too_often_is_given_up() {
    let app = scene(json!({"unreachableLimit": 2})).await;
    // One call of the dialer found the line busy.
    sqlx::query(
        "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, disposition,
             created_at, ended_at)
         VALUES (gen_random_uuid(), 'campaign-1', 'c1', 1, '+33639980001', 't', 's', 1, 'busy',
             '2026-11-20T11:00:00Z', '2026-11-20T11:00:09Z')",
    )
    .execute(app.store.pool())
    .await
    .unwrap();
    let machine = json!({"qualificationId": "qual-93", "relaunchTime": "2026-11-21T09:00:00Z"});
    assert_eq!(qualify(&app, Agent, "c1", machine.clone()).await.0, 200);
    assert_eq!(
        status(&app, "c1").await,
        ("qualified".to_owned(), Some("qual-99".to_owned()))
    );
    assert_eq!(qualify(&app, Agent, "c2", machine).await.0, 200);
    assert_eq!(
        status(&app, "c2").await,
        ("waiting".to_owned(), Some("qual-93".to_owned()))
    );
}

#[tokio::test]
async fn a_positive_outcome_counts_in_the_quota_of_its_kind() {
    let app = scene(json!({
        "quotasEnabled": true,
        "quotaRules": [{"id": "qr-1", "contactField": "postalCode", "operator": "starts_with", "value": "75", "limit": 1}]
    }))
    .await;
    let sale = json!({"code": "1", "description": "Sale", "type": "positive", "is_standard": true});
    let saved = app
        .put(Administrator, "/api/v1/qualifications/sale", sale)
        .await;
    assert!(saved.status.is_success(), "{}", saved.text);
    assert_eq!(
        qualify(&app, Agent, "c1", json!({"qualificationId": "sale"}))
            .await
            .0,
        200
    );
    let campaign = app
        .put(Administrator, "/api/campaigns/campaign-1", json!({}))
        .await
        .body;
    assert_eq!(campaign["quotaRules"][0]["currentCount"], 1);
    assert_eq!(campaign["quotaRules"][0]["id"], "qr-1");
}

#[tokio::test]
async fn a_promised_call_is_kept_with_its_contact_and_completed() {
    let app = scene(json!({})).await;
    let body = json!({"agentId": "usr_supervisor", "campaignId": "campaign-1", "contactName": "?", "contactNumber": "0639980009",
                      "scheduledTime": "2026-11-21T10:00:00.000Z", "notes": "Après 18 h"});
    let promised = app
        .post(Agent, "/api/contacts/c1/schedule-callback", body)
        .await;
    assert_eq!(promised.status, 201, "{}", promised.text);
    let callback = promised.body;
    assert_eq!(
        (
            &callback["agentId"],
            &callback["contactName"],
            &callback["contactNumber"],
            &callback["status"]
        ),
        (
            &json!("usr_agent"),
            &json!("Ada L"),
            &json!("0639980009"),
            &json!("pending")
        ),
        "agents promise their own calls"
    );
    assert_eq!(
        qualify(&app, Agent, "c1", json!({"qualificationId": "qual-94"}))
            .await
            .0,
        200
    );
    assert_eq!(
        status(&app, "c1").await.0,
        "callback",
        "it waits for its call"
    );
    let path = format!(
        "/api/planning-events/callbacks/{}",
        callback["id"].as_str().unwrap()
    );
    assert_eq!(
        app.put(Agent, &path, json!({"status": "done"}))
            .await
            .status,
        400
    );
    let done = app.put(Agent, &path, json!({"status": "completed"})).await;
    assert_eq!(
        (done.status.as_u16(), &done.body["status"]),
        (200, &json!("completed"))
    );
    assert_eq!(status(&app, "c1").await.0, "qualified");
    assert_eq!(
        app.put(Agent, &path, json!({"status": "cancelled"}))
            .await
            .status,
        409
    );
    assert_eq!(
        app.put(
            Agent,
            "/api/planning-events/callbacks/cbk_0",
            json!({"status": "completed"})
        )
        .await
        .status,
        404
    );
}

#[tokio::test]
async fn notes_are_kept_newest_first() {
    let app = scene(json!({})).await;
    for text in ["Rappeler", "Fait"] {
        let note = json!({"agentId": "x", "campaignId": "x", "note": text});
        let added = app.post(Agent, "/api/contacts/c1/notes", note).await;
        assert_eq!(added.status, 201, "{}", added.text);
        assert_eq!(
            (&added.body["agentId"], &added.body["campaignId"]),
            (&json!("usr_agent"), &json!("campaign-1"))
        );
        app.pass(1_000);
    }
    assert_eq!(
        app.post(Agent, "/api/contacts/c1/notes", json!({"note": " "}))
            .await
            .status,
        400
    );
    let past = app.get(Agent, "/api/contacts/c1/history").await.body;
    let notes: Vec<&str> = past["contactNotes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note["note"].as_str().unwrap())
        .collect();
    assert_eq!(notes, ["Fait", "Rappeler"]);
}

#[tokio::test]
async fn an_agent_without_a_station_waits_and_gets_nobody() {
    let app = scene(json!({"isActive": true})).await;
    let answer = app
        .post(
            Agent,
            "/api/campaigns/next-contact",
            json!({"agentId": "x", "activeCampaignId": "campaign-1"}),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({"contact": null, "campaign": null}))
    );
    let call = json!({"agentId": "x", "destination": "0639980001", "contactId": "c1", "campaignId": "campaign-1"});
    let refused = app.post(Agent, "/api/call/originate", call).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    assert!(
        refused.body["error"]
            .as_str()
            .unwrap()
            .contains("logged in"),
        "{}",
        refused.text
    );
    assert_eq!(
        app.post(Agent, "/api/call/originate", json!({"destination": "1"}))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn an_agent_who_waits_is_let_go_when_the_daemon_stops() {
    let app = TestApp::with(
        |settings| settings.next_contact_wait = std::time::Duration::from_secs(30),
        true,
    )
    .await;
    let login = Login {
        agent: id(Agent),
        name: "Ada".to_owned(),
        session: AgentSessionId(Uuid::from_u128(1)),
        server: ServerName::from("pbx1"),
        station: "PJSIP/1001".to_owned(),
        leg_mode: LegMode::RingPerCall,
        campaigns: [CampaignId::new("campaign-1").unwrap()].into(),
        queues: std::collections::BTreeSet::new(),
    };
    app.exchange.send(Command::LogIn(login)).await.unwrap();
    let waits = app.post(
        Agent,
        "/api/campaigns/next-contact",
        json!({"activeCampaignId": "campaign-1"}),
    );
    let logs_out = async {
        tokio::task::yield_now().await;
        app.exchange
            .send(Command::LogOut(UserId::new("usr_agent").unwrap()))
            .await
            .unwrap();
        app.state.shutdown.cancel();
    };
    let (answer, ()) = tokio::join!(waits, logs_out);
    assert_eq!(
        answer.body["contact"],
        Value::Null,
        "the daemon stops: whoever waits is let go"
    );
}
