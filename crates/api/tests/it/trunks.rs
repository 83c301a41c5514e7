//! Trunks: their changes, and what is never told of them.

use axum::http::Method;
use serde_json::json;
use strowger_api::{ApiState, exchange_channel, router};
use strowger_core::{
    ids::TrunkId,
    permission::Role::{Administrator, SuperAdministrator},
    switchboard::Command,
    telephony::ServerName,
};
use tokio::sync::mpsc;

use crate::harness::TestApp;

const SECRET: &str = "s3cret of the carrier";

#[tokio::test]
async fn the_password_of_a_trunk_is_kept_sealed_and_shown_nowhere() {
    let app = TestApp::new().await;
    let trunk = json!({"id": "trunk-1", "name": "Carrier", "domain": "sip.example.net", "login": "33199",
        "password": SECRET, "authType": "register", "dialPattern": "_X."});
    let added = app.post(Administrator, "/api/trunks", trunk).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.body["hasPassword"], true);
    assert_eq!(added.body["passwordEncrypted"], "");
    // The console sends what it has: an empty password is the one before.
    let same = json!({"id": "trunk-1", "name": "Carrier 2", "domain": "sip.example.net", "login": "33199",
        "password": "", "authType": "register", "dialPattern": "_X."});
    let kept = app.put(Administrator, "/api/trunks/trunk-1", same).await;
    assert_eq!(
        (&kept.body["name"], &kept.body["hasPassword"]),
        (&json!("Carrier 2"), &json!(true))
    );
    let id = TrunkId::new("trunk-1").unwrap();
    let sealed = app.store.trunk_secret(&id).await.unwrap().unwrap();
    let opened = app.auth.open_trunk(&id, &sealed).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&opened), SECRET);
    let other = TrunkId::new("trunk-2").unwrap();
    assert!(app.auth.open_trunk(&other, &sealed).is_err());

    let path = "/api/v1/trunks/trunk-1";
    let renewed = json!({"password": format!("{SECRET}!")});
    let renewed = app
        .call(Some(Administrator), Method::PATCH, path, Some(renewed))
        .await;
    assert_eq!(renewed.body["data"]["has_password"], true);
    let removed = json!({"password": null});
    let removed = app
        .call(Some(Administrator), Method::PATCH, path, Some(removed))
        .await;
    assert_eq!(removed.body["data"]["has_password"], false);
    let wrong = json!({"password": format!("{SECRET}\n")});
    let wrong = app
        .call(Some(Administrator), Method::PATCH, path, Some(wrong))
        .await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let list = app.get(Administrator, "/api/v1/trunks").await;
    let data = app.get(SuperAdministrator, "/api/application-data").await;
    let log = app.get(SuperAdministrator, "/api/v1/audit-log").await;
    let noted = log.body["data"].as_array().unwrap().len();
    assert_eq!(noted, 4, "added and changed three times: {}", log.text);
    for answer in [
        &added, &kept, &renewed, &removed, &wrong, &list, &data, &log,
    ] {
        assert!(!answer.text.contains("s3cret"), "{}", answer.text);
        assert!(!answer.text.contains("sealed\""), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_switchboard_hears_of_a_trunk_that_changed() {
    let mut app = TestApp::new().await.with_campaign().await;
    let (exchange, mut requests) = exchange_channel(64);
    let (told, mut heard) = mpsc::channel(16);
    app.tasks.spawn(async move {
        while let Some(request) = requests.recv().await {
            let _ = told.send(request.command).await;
            let _ = request.reply.send(Ok(()));
        }
    });
    app.router = router(ApiState {
        exchange,
        ..app.state.clone()
    });
    let changes = json!({"max_channels": 7, "endpoint": "carrier-2"});
    let path = "/api/v1/trunks/trk_1";
    let changed = app
        .call(Some(Administrator), Method::PATCH, path, Some(changes))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(changed.body["data"]["name"], "Carrier");
    let Ok(Command::Configure(campaign)) = heard.try_recv() else {
        panic!("the switchboard was told nothing")
    };
    assert_eq!(campaign.id.as_str(), "cmp_1");
    let trunk = &campaign.trunks[0];
    assert_eq!(
        (trunk.max_channels, trunk.endpoint.as_str()),
        (7, "carrier-2")
    );
    // What the console does not know of stays as it is.
    let sent = json!({"id": "trk_1", "name": "Carrier", "domain": "192.0.2.1", "authType": "ip"});
    let sent = app.put(Administrator, "/api/trunks/trk_1", sent).await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    let Ok(Command::Configure(campaign)) = heard.try_recv() else {
        panic!("the switchboard was told nothing")
    };
    assert_eq!(campaign.trunks[0].max_channels, 7);
    assert_eq!(campaign.trunks[0].endpoint, "carrier-2");
}

#[tokio::test]
async fn a_trunk_stays_while_campaigns_or_numbers_use_it() {
    let app = TestApp::with(
        |settings| settings.servers.push(ServerName::from("pbx2")),
        true,
    )
    .await
    .with_campaign()
    .await;
    let path = "/api/v1/trunks/trk_1";
    let delete = async |path: &str| {
        let answer = app
            .call(Some(Administrator), Method::DELETE, path, None)
            .await;
        (answer.status.as_u16(), answer.text)
    };
    assert_eq!(delete(path).await.0, 409);
    assert_eq!(delete("/api/trunks/trk_1").await.0, 409);
    let moved = json!({"server": "pbx2"});
    let moved = app
        .call(Some(Administrator), Method::PATCH, path, Some(moved))
        .await;
    assert_eq!(moved.status, 409, "{}", moved.text);

    let spare = json!({"id": "trk_2", "name": "Spare", "endpoint": "spare"});
    app.post(Administrator, "/api/v1/trunks", spare).await;
    let did = json!({"number": "+33199001234", "trunk_id": "trk_2"});
    app.put(Administrator, "/api/v1/dids/did_1", did).await;
    let (status, why) = delete("/api/v1/trunks/trk_2").await;
    assert_eq!(status, 409);
    assert!(why.contains("numbers (1)"), "{why}");
    let did = json!({"number": "+33199001234"});
    app.put(Administrator, "/api/v1/dids/did_1", did).await;
    let moved = json!({"server": "pbx2"});
    let moved = app
        .call(
            Some(Administrator),
            Method::PATCH,
            "/api/v1/trunks/trk_2",
            Some(moved),
        )
        .await;
    assert_eq!(moved.body["data"]["server"], "pbx2");
    assert_eq!(delete("/api/v1/trunks/trk_2").await.0, 200);
    assert_eq!(delete("/api/v1/trunks/trk_2").await.0, 404);
}
