//! Trunks: their changes, and what is never told of them.

use std::sync::{Arc, Mutex};

use axum::http::Method;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use strowger_api::{ApiState, TrunkDesk, exchange_channel, router};
use strowger_core::{
    ids::TrunkId,
    permission::Role::{Administrator, SuperAdministrator},
    switchboard::Command,
    telephony::ServerName,
    trunk_file::{self, OwnTrunk, Refused, Seen},
};
use tokio::sync::mpsc;

use crate::harness::{Answer, TestApp};

/// An exchange that takes what it is given, unless it is told to refuse it.
#[derive(Default)]
struct Exchange {
    /// Each time it was given its trunks.
    given: Mutex<Vec<Vec<OwnTrunk>>>,
    refuses: Mutex<Option<Refused>>,
}

impl Exchange {
    fn endpoints(&self) -> Vec<String> {
        let given = self.given.lock().unwrap();
        let last = given.last().map(Vec::as_slice).unwrap_or_default();
        last.iter().map(|trunk| trunk.endpoint.clone()).collect()
    }

    fn refuse(&self, why: Option<Refused>) {
        *self.refuses.lock().unwrap() = why;
    }
}

impl TrunkDesk for Exchange {
    fn configures(&self, server: &ServerName) -> bool {
        &*server.0 == "pbx1"
    }

    fn apply(
        &self,
        _server: ServerName,
        trunks: Vec<OwnTrunk>,
    ) -> BoxFuture<'static, Result<(), Refused>> {
        let result = match (
            self.refuses.lock().unwrap().clone(),
            trunk_file::render(&trunks),
        ) {
            (Some(why), _) => Err(why),
            (None, Err(faulty)) => Err(Refused::Faulty(faulty)),
            (None, Ok(_)) => {
                self.given.lock().unwrap().push(trunks);
                Ok(())
            }
        };
        Box::pin(std::future::ready(result))
    }

    fn seen(&self, _server: ServerName, endpoint: String) -> BoxFuture<'static, Option<Seen>> {
        let configured = self.endpoints().contains(&endpoint);
        Box::pin(std::future::ready(Some(Seen {
            configured,
            reachable: Some(true),
            registration: Some("Registered".to_owned()),
        })))
    }
}

/// An API whose exchange `pbx1` is configured by it.
async fn with_exchange() -> (TestApp, Arc<Exchange>) {
    let mut app = TestApp::with(
        |settings| settings.servers.push(ServerName::from("pbx2")),
        true,
    )
    .await;
    let exchange = Arc::new(Exchange::default());
    app.state.trunks = Some(exchange.clone());
    app.router = router(app.state.clone());
    (app, exchange)
}

async fn patch(app: &TestApp, id: &str, changes: Value) -> Answer {
    let path = format!("/api/v1/trunks/{id}");
    app.call(Some(Administrator), Method::PATCH, &path, Some(changes))
        .await
}

async fn delete(app: &TestApp, id: &str) -> Answer {
    let path = format!("/api/v1/trunks/{id}");
    app.call(Some(Administrator), Method::DELETE, &path, None)
        .await
}

#[tokio::test]
async fn a_trunk_that_is_saved_is_given_to_its_exchange_and_taken_from_it() {
    let (app, exchange) = with_exchange().await;
    // Configured by hand: nothing is given.
    let by_hand = json!({"id": "trk_hand", "name": "By hand", "endpoint": "by-hand"});
    let added = app.post(Administrator, "/api/v1/trunks", by_hand).await;
    assert_eq!(
        added.body["data"]["configured_by"], "hand",
        "{}",
        added.text
    );
    assert!(exchange.given.lock().unwrap().is_empty());
    let ours = json!({"id": "trk_ours", "name": "Ours", "endpoint": "ours", "domain": "192.0.2.1",
        "login": "33199", "password": "a;b", "codecs": "g722,alaw", "match_addresses": "198.51.100.0/28",
        "caller_id": "+33199000100"});
    let added = app.post(Administrator, "/api/v1/trunks", ours).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.body["data"]["configured_by"], "strowger");
    assert_eq!(added.body["data"]["codecs"], "g722,alaw");
    let given = exchange.given.lock().unwrap().last().unwrap().clone();
    let text = trunk_file::render(&given).unwrap().text;
    for line in [
        "[ours](strowger-trunk)\n",
        "password = a\\;b\n",
        "allow = !all,g722,alaw\n",
        "match = 198.51.100.0/28,192.0.2.1\n",
        "from_user = +33199000100\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    // The console's, with the secret kept when it sends none.
    let sent = json!({"id": "trunk-7", "name": "Console", "domain": "192.0.2.7", "authType": "ip"});
    let sent = app.post(Administrator, "/api/trunks", sent).await;
    assert_eq!(sent.status, 201, "{}", sent.text);
    assert_eq!(exchange.endpoints(), ["ours", "trunk-7"]);
    let status = app
        .get(Administrator, "/api/v1/trunks/trk_ours/status")
        .await;
    assert_eq!(
        status.body["data"],
        json!({"configured": true, "reachable": true, "registration": "Registered"})
    );
    assert_eq!(
        patch(&app, "trk_ours", json!({"endpoint": "renamed"}))
            .await
            .status,
        200
    );
    assert_eq!(exchange.endpoints(), ["renamed", "trunk-7"]);
    // On an exchange that is configured by hand it is not ours to write.
    let moved = patch(&app, "trk_ours", json!({"server": "pbx2"})).await;
    assert_eq!(
        moved.body["data"]["configured_by"], "hand",
        "{}",
        moved.text
    );
    assert_eq!(exchange.endpoints(), ["trunk-7"]);
    assert_eq!(delete(&app, "trunk-7").await.status, 200);
    assert_eq!(exchange.endpoints(), Vec::<String>::new());
}

#[tokio::test]
async fn how_a_trunk_is_doing_is_not_known_while_its_exchange_is_away() {
    let app = TestApp::new().await.with_campaign().await;
    let path = "/api/v1/trunks/trk_1/status";
    let status = app.get(Administrator, path).await;
    assert_eq!(
        status.body["data"],
        json!({"configured": null, "reachable": null, "registration": null})
    );
}

#[tokio::test]
async fn what_the_exchange_does_not_take_is_not_saved() {
    let (app, exchange) = with_exchange().await;
    let ours = json!({"id": "trk_ours", "name": "Ours", "endpoint": "ours", "domain": "192.0.2.1"});
    app.post(Administrator, "/api/v1/trunks", ours).await;
    let log = async || {
        let log = app.get(SuperAdministrator, "/api/v1/audit-log").await;
        log.body["data"].as_array().unwrap().len()
    };
    let noted = log().await;
    let saved = async || app.get(Administrator, "/api/v1/trunks").await.text;
    let before = saved().await;
    for (why, status, words) in [
        (
            Refused::NotTaken("ours has allow \"(alaw)\"".to_owned()),
            502,
            "has allow",
        ),
        (
            Refused::Unreachable("not connected".to_owned()),
            503,
            "not connected",
        ),
        (Refused::File("no space".to_owned()), 503, "no space"),
        (Refused::Clash("other".to_owned()), 409, "did not configure"),
    ] {
        exchange.refuse(Some(why));
        let changed = patch(&app, "trk_ours", json!({"codecs": "g722"})).await;
        assert_eq!(changed.status, status, "{}", changed.text);
        assert!(changed.text.contains(words), "{}", changed.text);
        let other = json!({"id": "trk_2", "name": "2", "endpoint": "two", "domain": "192.0.2.2"});
        let added = app.post(Administrator, "/api/v1/trunks", other).await;
        assert_eq!(added.status, status, "{}", added.text);
        let deleted = delete(&app, "trk_ours").await;
        assert_eq!(deleted.status, status, "{}", deleted.text);
        let console =
            json!({"id": "trk_ours", "name": "Ours", "domain": "192.0.2.3", "authType": "ip"});
        let console = app
            .put(Administrator, "/api/trunks/trk_ours", console)
            .await;
        assert_eq!(console.status, status, "{}", console.text);
        assert!(console.body["error"].as_str().unwrap().contains(words));
        assert_eq!(saved().await, before);
    }
    assert_eq!(log().await, noted, "nothing was done, so nothing is noted");
    exchange.refuse(None);
    assert_eq!(
        patch(&app, "trk_ours", json!({"codecs": "g722"}))
            .await
            .status,
        200
    );
    // A trunk whose values the exchange need not be asked about.
    let same = json!({"id": "trk_2", "name": "2", "endpoint": "two", "domain": "192.0.2.1:5080"});
    let same = app.post(Administrator, "/api/v1/trunks", same).await;
    assert_eq!(
        (same.status.as_u16(), &same.body["errors"][0]["field"]),
        (422, &json!("domain"))
    );
}

#[tokio::test]
async fn a_trunk_that_calls_are_transferred_through_stays() {
    let mut app = TestApp::with(
        |settings| settings.outside_trunk = Some("ours".to_owned()),
        true,
    )
    .await;
    let exchange = Arc::new(Exchange::default());
    app.state.trunks = Some(exchange.clone());
    app.router = router(app.state.clone());
    let ours = json!({"id": "trk_ours", "name": "Ours", "endpoint": "ours", "domain": "192.0.2.1"});
    app.post(Administrator, "/api/v1/trunks", ours).await;
    for changes in [json!({"endpoint": "other"}), json!({"domain": ""})] {
        let changed = patch(&app, "trk_ours", changes).await;
        assert_eq!(changed.status, 409, "{}", changed.text);
        assert!(changed.text.contains("transfer_trunk"), "{}", changed.text);
    }
    assert_eq!(delete(&app, "trk_ours").await.status, 409);
    assert_eq!(exchange.endpoints(), ["ours"]);
    let renamed = patch(&app, "trk_ours", json!({"name": "Same endpoint"})).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
}

#[tokio::test]
async fn no_value_of_a_trunk_reaches_the_exchange_as_more_than_itself() {
    let (app, exchange) = with_exchange().await;
    for (field, value) in [
        ("endpoint", "a](!)\n[b"),
        ("endpoint", "strowger-trunk"),
        ("domain", "192.0.2.1\n#exec /bin/sh"),
        ("domain", "192.0.2.1;x"),
        ("login", "a\nb"),
        ("password", "a\n[x]"),
        ("password", "a\rb"),
        ("inbound_context", "x]\n"),
        ("inbound_context", "strowger-trunks"),
        ("match_addresses", "192.0.2.1,0.0.0.0/0"),
        ("codecs", "alaw\nulaw"),
        ("caller_id", "1\";x"),
    ] {
        let mut trunk = json!({"id": "trk_1", "name": "One", "endpoint": "one", "domain": "192.0.2.1",
            "login": "a", "password": "b"});
        trunk[field] = json!(value);
        let added = app.post(Administrator, "/api/v1/trunks", trunk).await;
        assert_eq!(added.status, 422, "{field}: {}", added.text);
        let fields: Vec<&str> = added.body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|error| error["field"].as_str())
            .collect();
        assert!(fields.contains(&field), "{field}: {}", added.text);
    }
    assert!(exchange.given.lock().unwrap().is_empty());
}

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
