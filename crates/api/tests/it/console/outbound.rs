//! Campaigns and contacts of the console.

use serde_json::{Value, json};
use strowger_core::{
    ids::{CampaignId, ContactId},
    permission::Role::{Administrator, Agent, Supervisor},
};

use crate::harness::TestApp;

/// What the console sends of a campaign that was made with its form.
fn form() -> Value {
    json!({
        "name": "Automne", "description": "", "scriptId": "", "qualificationGroupId": "", "callerId": "0142000001",
        "isActive": false, "dialingMode": "PREDICTIVE", "priority": 5, "timezone": "Europe/Paris",
        "schedule": [
            {"dayOfWeek": 1, "active": true, "startTime": "09:00", "endTime": "20:00"},
            {"dayOfWeek": 7, "active": false, "startTime": "10:00", "endTime": "12:00"}
        ],
        "maxAbandonRate": "3", "paceFactor": 1.2, "minAgentsBeforeStart": 1, "retryAttempts": 3,
        "retryIntervals": [30, 60, 120], "retryOnStatus": [], "amdEnabled": true, "amdConfidence": 80,
        "voicemailAction": "HANGUP", "recordingEnabled": true, "recordingBeep": true, "maxRingDuration": 25,
        "wrapUpTime": 0, "maxCallDuration": 3600, "quotasEnabled": true,
        "quotaRules": [{"id": "qr-17", "contactField": "postalCode", "operator": "starts_with", "value": "75",
                        "limit": 2, "currentCount": 0}],
        "filterRules": [{"id": "fr-18", "type": "exclude", "contactField": "phoneNumber", "operator": "starts_with",
                         "value": "08"}],
        "unlockTimeoutsEnabled": true, "unlockTimeoutMinutes": 15, "unreachableLimit": 5,
        "assignedUserIds": ["usr_agent"]
    })
}

async fn made(app: &TestApp, change: Value) -> Value {
    let mut body = form();
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = app.post(Administrator, "/api/campaigns", body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.body
}

async fn import(app: &TestApp, campaign: &str, rows: Value, keys: &[&str]) -> Value {
    let body = json!({
        "contacts": rows,
        "deduplicationConfig": { "enabled": !keys.is_empty(), "fieldIds": keys },
    });
    let path = format!("/api/campaigns/{campaign}/contacts");
    let answer = app.post(Administrator, &path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

#[tokio::test]
async fn everything_of_the_form_of_a_campaign_is_kept_and_means_something() {
    let app = TestApp::new().await;
    let campaign = made(&app, json!({})).await;
    for (name, sent) in form().as_object().unwrap() {
        match name.as_str() {
            "scriptId" | "qualificationGroupId" => {
                assert_eq!(campaign[name], Value::Null, "{name}");
            }
            "maxAbandonRate" => assert_eq!(campaign[name], 3),
            _ => assert_eq!(&campaign[name], sent, "{name}"),
        }
    }
    assert_eq!(campaign["contacts"], json!([]));
    let id = CampaignId::new(campaign["id"].as_str().unwrap()).unwrap();
    let kept = app.store.campaign(&id).await.unwrap().unwrap().settings;
    assert_eq!(
        kept.schedule,
        json!({"windows": {"monday": ["09:00-20:00"]}, "time_zone": "Europe/Paris"})
    );
    assert_eq!(kept.filters[0]["values"], json!(["+338"]));
    assert!((kept.pacing.abandon_limit - 0.03).abs() < 1e-9);
    assert_eq!(kept.caller_id.unwrap().as_str(), "+33142000001");
    assert!(kept.retry.0.values().all(|rule| rule.max_attempts == 4));
    let desk = app.store.desk(&id).await.unwrap();
    assert_eq!(
        (
            desk.unlock_after_min,
            desk.unreachable_limit,
            desk.max_call_s
        ),
        (15, 5, 3_600)
    );
    // Other hours by another way: the console sees those, and not what it once sent.
    let changed = json!({"schedule": {"windows": {"friday": ["08:00-09:00"]}}});
    let path = format!("/api/v1/campaigns/{id}");
    let answer = app
        .call(
            Some(Administrator),
            axum::http::Method::PATCH,
            &path,
            Some(changed),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let path = format!("/api/campaigns/{id}");
    let shown = app
        .put(Administrator, &path, json!({"name": "Automne"}))
        .await
        .body;
    assert_eq!(
        shown["schedule"][4],
        json!({"dayOfWeek": 5, "active": true, "startTime": "08:00", "endTime": "09:00"})
    );
    assert_eq!(shown["schedule"][0]["active"], false);
    assert_eq!(
        shown["filterRules"][0]["id"], "fr-18",
        "what was not changed stays as it was sent"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_campaign_is_said_and_nothing_is_made() {
    let app = TestApp::new().await;
    for (change, part) in [
        (json!({"name": ""}), "name"),
        (json!({"dialingMode": "GUESSING"}), "mode"),
        (json!({"callerId": "12"}), "caller_id"),
        (json!({"timezone": "Mars/Olympus"}), "timezone"),
        (json!({"scriptId": "script-none"}), "script"),
        (json!({"assignedUserIds": ["nobody"]}), "users"),
        (json!({"unreachableLimit": 51}), "unreachable_limit"),
        (json!({"wrapUpTime": "abc"}), "number"),
    ] {
        let mut body = form();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let answer = app.post(Administrator, "/api/campaigns", body).await;
        assert_eq!(answer.status, 400, "{change}: {}", answer.text);
        let error = answer.body["error"].as_str().unwrap();
        assert!(error.contains(part), "{change}: {error}");
    }
    let left = app.get(Administrator, "/api/v1/campaigns").await;
    assert_eq!(left.body["data"], json!([]));
}

#[tokio::test]
async fn an_active_campaign_runs_and_an_inactive_one_does_not() {
    let app = TestApp::new().await;
    let campaign = made(&app, json!({"isActive": true, "dialingMode": "MANUAL"})).await;
    assert_eq!(campaign["isActive"], true);
    let id = campaign["id"].as_str().unwrap();
    let state = async || {
        let shown = app
            .get(Supervisor, &format!("/api/v1/campaigns/{id}"))
            .await;
        shown.body["data"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state().await, "running");
    let stopped = app
        .put(
            Administrator,
            &format!("/api/campaigns/{id}"),
            json!({"isActive": false}),
        )
        .await;
    assert_eq!(
        (stopped.status.as_u16(), &stopped.body["isActive"]),
        (200, &json!(false))
    );
    assert_eq!(state().await, "stopped");
}

#[tokio::test]
async fn a_file_is_imported_without_its_bad_rows_and_its_duplicates() {
    let app = TestApp::new().await;
    let campaign = made(&app, json!({})).await;
    let id = campaign["id"].as_str().unwrap();
    let row = |n: u32, phone: &str, city: &str| {
        json!({"id": format!("contact-import-{n}"), "firstName": "Ada", "lastName": null, "phoneNumber": phone,
               "postalCode": 75_001, "status": "pending", "customFields": {"numero_contrat": n, "ville": city},
               "originalRow": {"Tel": phone}})
    };
    let rows = json!([
        row(1, "0639980001", "Paris"),
        row(2, "06x9980002", "Paris"),
        row(3, "0639980001", "Lyon"),
        row(4, "639980004", "Lyon"),
        row(5, "", "Lyon")
    ]);
    let report = import(&app, id, rows, &["phoneNumber"]).await;
    assert_eq!(
        report["summary"],
        json!({"total": 5, "valids": 2, "invalids": 3})
    );
    let reasons: Vec<&str> = report["invalids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "Numéro de téléphone invalide.",
            "Numéro de téléphone invalide.",
            "Doublon détecté."
        ]
    );
    assert_eq!(report["invalids"][0]["row"], json!({"Tel": "06x9980002"}));
    // The same person by number and city again, and with an id that is taken.
    let again = import(
        &app,
        id,
        json!([row(1, "0639980001", "Paris"), row(1, "0639980001", "Nice")]),
        &["phoneNumber", "ville"],
    )
    .await;
    assert_eq!(
        again["summary"],
        json!({"total": 2, "valids": 1, "invalids": 1})
    );
    let shown = app
        .put(Administrator, &format!("/api/campaigns/{id}"), json!({}))
        .await
        .body;
    let contacts = shown["contacts"].as_array().unwrap();
    assert_eq!(contacts.len(), 3);
    let first = contacts
        .iter()
        .find(|one| one["id"] == "contact-import-1")
        .unwrap();
    assert_eq!(
        (
            &first["phoneNumber"],
            &first["lastName"],
            &first["customFields"],
            &first["postalCode"]
        ),
        (
            &json!("0639980001"),
            &json!(""),
            &json!({"numero_contrat": 1, "ville": "Paris"}),
            &json!("75001")
        )
    );
    // One contact alone has the same shape and content.
    let alone = app
        .put(Administrator, "/api/contacts/contact-import-1", json!({}))
        .await
        .body;
    let without = |contact: &Value| {
        let mut contact = contact.clone();
        contact["updatedAt"] = Value::Null;
        contact
    };
    assert_eq!(without(&alone), without(first));
}

#[tokio::test]
async fn a_contact_is_added_and_changed_by_agents_of_its_campaign_only() {
    let app = TestApp::new().await;
    let mine = made(&app, json!({})).await;
    let theirs = made(&app, json!({"assignedUserIds": []})).await;
    let new = |campaign: &Value| json!({"campaignId": campaign["id"], "phoneNumber": "0639980001", "customFields": {"a_b": "x"}});
    assert_eq!(
        app.post(Agent, "/api/contacts", new(&theirs)).await.status,
        403
    );
    let contact = app.post(Agent, "/api/contacts", new(&mine)).await;
    assert_eq!(contact.status, 201, "{}", contact.text);
    assert_eq!(
        (&contact.body["firstName"], &contact.body["lastName"]),
        (&json!(""), &json!(""))
    );
    let path = format!("/api/contacts/{}", contact.body["id"].as_str().unwrap());
    let changed = app.put(Agent, &path, json!({"phoneNumber": "+12025550142", "status": "qualified", "customFields": {"c": null}})).await;
    assert_eq!(changed.body["customFields"], json!({"a_b": "x", "c": null}));
    assert_eq!(
        (&changed.body["phoneNumber"], &changed.body["status"]),
        (&json!("+12025550142"), &json!("pending"))
    );
    assert_eq!(
        app.put(Agent, &path, json!({"phoneNumber": "abc"}))
            .await
            .status,
        400
    );
    assert_eq!(
        app.put(Agent, &path, json!({"customFields": {"a": "\u{0}"}}))
            .await
            .status,
        400
    );
    let other = app.post(Administrator, "/api/contacts", new(&theirs)).await;
    let path = format!("/api/contacts/{}", other.body["id"].as_str().unwrap());
    assert_eq!(app.put(Agent, &path, json!({})).await.status, 404);
    let gone = json!({"contactIds": [contact.body["id"], other.body["id"]]});
    let gone = app
        .post(Administrator, "/api/contacts/bulk-delete", gone)
        .await;
    assert!(
        gone.body["message"].as_str().unwrap().starts_with("2 "),
        "{}",
        gone.text
    );
    let id = ContactId::new(contact.body["id"].as_str().unwrap()).unwrap();
    assert_eq!(
        app.store.card(&id, (app.state.clock)()).await.unwrap(),
        None
    );
}
