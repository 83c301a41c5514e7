//! Campaigns, queues, numbers, calls, and an exchange that is busy.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_api::{ApiState, exchange_channel, router};
use strowger_core::{
    call::{Direction, Phase},
    campaign::DeskSettings,
    ids::{CallId, CampaignId},
    live::{CallView, Change},
    permission::Role::{Administrator, Agent, Supervisor},
    switchboard::Command,
    time::Timestamp,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::harness::{TestApp, id};

#[tokio::test]
async fn a_campaign_is_made_started_paused_and_stopped() {
    let app = TestApp::new().await.with_campaign().await;
    let state = async |path: &str| {
        let answer = app
            .post(
                Supervisor,
                &format!("/api/v1/campaigns/cmp_1/{path}"),
                Value::Null,
            )
            .await;
        (
            answer.status.as_u16(),
            answer.body["data"]["state"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    assert_eq!(state("pause").await.0, 409, "it does not run");
    assert_eq!(state("start").await, (200, "running".to_owned()));
    assert_eq!(state("start").await, (200, "running".to_owned()));
    let stored = app
        .store
        .campaign(&CampaignId::new("cmp_1").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (stored.state.as_str(), stored.epoch),
        ("running", 1),
        "starting twice makes one runner"
    );
    assert_eq!(state("pause").await, (200, "paused".to_owned()));
    assert_eq!(state("start").await, (200, "running".to_owned()));
    assert_eq!(state("stop").await, (200, "stopped".to_owned()));
    assert_eq!(state("stop").await, (200, "stopped".to_owned()));
    let shown = app.get(Supervisor, "/api/v1/campaigns/cmp_1").await;
    assert_eq!(
        (
            &shown.body["data"]["state"],
            &shown.body["data"]["contacts"]
        ),
        (&json!("stopped"), &json!({}))
    );
    assert_eq!(app.hub.snapshot().campaigns.len(), 1);
}

#[tokio::test]
async fn agents_are_assigned_and_unknown_ones_named() {
    let app = TestApp::new().await.with_campaign().await;
    let path = "/api/v1/campaigns/cmp_1/agents";
    assert_eq!(
        app.put(Administrator, path, json!({"agent_ids": ["usr_agent"]}))
            .await
            .status,
        200
    );
    let wrong = app
        .put(
            Administrator,
            path,
            json!({"agent_ids": ["usr_agent", "usr_nobody"]}),
        )
        .await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.body["errors"][0]["field"]),
        (422, &json!("agent_ids"))
    );
    let (campaigns, _) = app.store.assignments(&id(Agent)).await.unwrap();
    assert_eq!(campaigns.len(), 1, "nothing was changed");
    let missing = app
        .put(
            Administrator,
            "/api/v1/campaigns/cmp_9/agents",
            json!({"agent_ids": []}),
        )
        .await;
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_caller_id_is_read_in_the_region_of_the_campaign() {
    let app = TestApp::new().await.with_campaign().await;
    let new = json!({"name": "Spring", "mode": "power", "ratio": 2.5, "trunk_ids": ["trk_1"], "caller_id": "01 99 00 12 34"});
    let made = app.post(Administrator, "/api/v1/campaigns", new).await;
    assert_eq!(
        (made.status.as_u16(), &made.body["data"]["caller_id"]),
        (201, &json!("+33199001234"))
    );
    let wrong =
        json!({"name": "x", "mode": "power", "ratio": 99, "trunk_ids": ["trk_9"], "wrap_up": 1});
    let refused = app.post(Administrator, "/api/v1/campaigns", wrong).await;
    assert!(
        refused.body["error"].as_str().unwrap().contains("wrap_up"),
        "{}",
        refused.text
    );
    let wrong = json!({"name": "x", "mode": "power", "ratio": 99, "trunk_ids": ["trk_9"]});
    let refused = app.post(Administrator, "/api/v1/campaigns", wrong).await;
    let fields: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["ratio", "trunk_ids[0]"]);
}

#[tokio::test]
async fn a_full_or_closed_queue_is_said_and_changes_nothing() {
    let mut app = TestApp::with(|_| {}, false).await;
    app.exchange.notify(Command::Ready(id(Agent))).unwrap();
    let app_with_campaign = {
        let trunk = json!({"id": "trk_1", "name": "Carrier", "endpoint": "carrier"});
        app.post(Administrator, "/api/v1/trunks", trunk).await;
        let campaign =
            json!({"id": "cmp_1", "name": "Autumn", "mode": "progressive", "trunk_ids": ["trk_1"]});
        app.post(Administrator, "/api/v1/campaigns", campaign).await
    };
    assert_eq!(
        app_with_campaign.status, 201,
        "a campaign is made even when the switchboard is busy"
    );
    let busy = app
        .post(Agent, "/api/v1/agents/me/ready", Value::Null)
        .await;
    assert_eq!(
        (busy.status.as_u16(), &busy.body["code"]),
        (503, &json!("busy"))
    );
    assert_eq!(busy.headers["retry-after"], "1");
    assert_eq!(
        app.post(Supervisor, "/api/v1/campaigns/cmp_1/start", Value::Null)
            .await
            .status,
        503
    );
    let stored = app
        .store
        .campaign(&CampaignId::new("cmp_1").unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.state.as_str(), stored.epoch), ("stopped", 0));
    app.tasks.shutdown().await;
    let down = app
        .post(Agent, "/api/v1/agents/me/ready", Value::Null)
        .await;
    assert_eq!(
        (down.status.as_u16(), &down.body["code"]),
        (503, &json!("exchange-down"))
    );
}

#[tokio::test]
async fn an_agent_hangs_up_only_their_own_call() {
    let app = TestApp::new().await;
    let call = |number: u128, agent| CallView {
        id: CallId(Uuid::from_u128(number)),
        direction: Direction::Inbound,
        campaign_id: None,
        queue_id: None,
        number: None,
        did: None,
        phase: Phase::Bridged,
        since: Timestamp::UNIX_EPOCH,
        started_at: Timestamp::UNIX_EPOCH,
        agent_id: agent,
        transferred_to: None,
    };
    app.hub.publish(Change::Call(call(1, Some(id(Agent)))));
    app.hub.publish(Change::Call(call(2, Some(id(Supervisor)))));
    let hang_up = async |role, number: u128| {
        let path = format!("/api/v1/calls/{}/hangup", CallId(Uuid::from_u128(number)));
        app.post(role, &path, Value::Null).await.status.as_u16()
    };
    assert_eq!(
        hang_up(Agent, 1).await,
        404,
        "allowed; the switchboard knows no such call"
    );
    assert_eq!(hang_up(Agent, 2).await, 403);
    assert_eq!(hang_up(Agent, 3).await, 403);
    assert_eq!(hang_up(Supervisor, 1).await, 404);
}

#[tokio::test]
async fn the_share_of_audited_machines_is_kept_within_its_bounds() {
    let app = TestApp::new().await.with_campaign().await;
    let change = async |share: Value| {
        let path = "/api/v1/campaigns/cmp_1";
        let body = json!({"amd_audit_share": share});
        app.call(Some(Administrator), Method::PATCH, path, Some(body))
            .await
    };
    let shown = app.get(Supervisor, "/api/v1/campaigns/cmp_1").await;
    assert_eq!(shown.body["data"]["amd_audit_share"], 0.0);
    let changed = change(json!(0.2)).await;
    assert_eq!(changed.body["data"]["amd_audit_share"], 0.2);
    for wrong in [json!(0.201), json!(-0.01)] {
        let refused = change(wrong).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        assert_eq!(refused.body["errors"][0]["field"], "amd_audit_share");
    }
    let shown = app.get(Supervisor, "/api/v1/campaigns/cmp_1").await;
    assert_eq!(shown.body["data"]["amd_audit_share"], 0.2);
}

#[tokio::test]
async fn the_switchboard_hears_what_the_desk_of_a_campaign_says() {
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
    let mut last = || {
        let commands = std::iter::from_fn(|| heard.try_recv().ok());
        match commands.last() {
            Some(Command::Configure(campaign)) => campaign.desk,
            other => panic!("the switchboard was told {other:?}"),
        }
    };
    let desk = json!({"min_agents": 3, "max_call_s": 600, "recording_beep": true});
    let saved = app
        .put(Administrator, "/api/v1/campaigns/cmp_1/desk", desk)
        .await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    let mut expected = DeskSettings {
        min_agents: 3,
        max_call_s: 600,
        recording_beep: true,
    };
    assert_eq!(last(), expected);
    // Another change of the campaign leaves its desk as it is.
    let path = "/api/v1/campaigns/cmp_1";
    let changes = json!({"wrap_up_s": 5});
    let changed = app
        .call(Some(Administrator), Method::PATCH, path, Some(changes))
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(last(), expected);
    let console = json!({"minAgentsBeforeStart": 2, "maxCallDuration": 60, "recordingBeep": false});
    let changed = app
        .put(Administrator, "/api/campaigns/cmp_1", console)
        .await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    expected = DeskSettings {
        min_agents: 2,
        max_call_s: 60,
        recording_beep: false,
    };
    assert_eq!(last(), expected);
}

#[tokio::test]
async fn numbers_and_queues_are_saved_and_their_references_checked() {
    let app = TestApp::new().await;
    let put = async |path: &str, body: Value| app.put(Administrator, path, body).await;
    let saved = put("/api/v1/dids/did_1", json!({"number": "+33 1 99 00 12 34"})).await;
    assert_eq!(saved.body["data"]["number"], "+33199001234");
    assert_eq!(
        put("/api/v1/dids/did_2", json!({"number": "+33199001234"}))
            .await
            .status,
        409
    );
    assert_eq!(
        put(
            "/api/v1/dids/did_2",
            json!({"number": "+33199001235", "flow_id": "flw_9"})
        )
        .await
        .status,
        422
    );
    assert_eq!(
        put("/api/v1/dids/did_2", json!({"number": "tel:1"}))
            .await
            .status,
        422
    );
    assert_eq!(
        app.get(Administrator, "/api/v1/dids").await.body["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let queue = json!({"name": "Sales", "member_ids": ["usr_agent", "usr_agent"]});
    assert_eq!(
        put("/api/v1/queues/que_1", queue).await.body["data"]["member_ids"],
        json!(["usr_agent"])
    );
    let wrong = put(
        "/api/v1/queues/que_1",
        json!({"name": "Sales", "member_ids": ["usr_nobody"]}),
    )
    .await;
    assert_eq!(
        (wrong.status.as_u16(), &wrong.body["errors"][0]["field"]),
        (422, &json!("member_ids"))
    );
    assert_eq!(
        app.get(Administrator, "/api/v1/queues").await.body["data"][0]["member_ids"],
        json!(["usr_agent"])
    );
}
