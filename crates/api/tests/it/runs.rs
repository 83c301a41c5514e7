//! What the switchboard is told, and when.

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header},
};
use serde_json::Value;
use std::time::Duration;
use strowger_api::{ApiState, exchange_channel, router};
use strowger_core::{
    campaign::CampaignState, ids::CampaignId, permission::Role, switchboard::Command,
};
use tokio::{
    sync::mpsc::{self, Receiver},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::harness::TestApp;

const LONG: Duration = Duration::from_secs(10);

/// The same routes with a switchboard that the test plays.
fn played(app: &TestApp) -> (Router, Receiver<strowger_api::Request>) {
    let (exchange, requests) = exchange_channel(64);
    let state = ApiState {
        exchange,
        ..app.state.clone()
    };
    (router(state), requests)
}

async fn post(
    app: &TestApp,
    router: &Router,
    role: Role,
    path: &str,
    body: Body,
) -> JoinHandle<StatusCode> {
    let token = app.token(role).await;
    let request = Request::post(path)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "text/csv")
        .body(body)
        .unwrap();
    let router = router.clone();
    TaskTracker::new().spawn(async move { router.oneshot(request).await.unwrap().status() })
}

async fn asked(requests: &mut Receiver<strowger_api::Request>) -> strowger_api::Request {
    timeout(LONG, requests.recv()).await.unwrap().unwrap()
}

async fn stored(app: &TestApp) -> CampaignState {
    let id = CampaignId::new("cmp_1").unwrap();
    app.store.campaign(&id).await.unwrap().unwrap().state
}

#[tokio::test]
async fn stop_is_written_and_told_whatever_is_believed() {
    let app = TestApp::new().await.with_campaign().await;
    let live = app.hub.campaign(&CampaignId::new("cmp_1").unwrap());
    assert_eq!(live.unwrap().state, CampaignState::Stopped);
    let run = "UPDATE campaigns SET state = 'running', epoch = 7";
    sqlx::query(run).execute(app.store.pool()).await.unwrap();
    let path = "/api/v1/campaigns/cmp_1/stop";
    let (router, mut requests) = played(&app);
    for _ in 0..2 {
        let stopped = post(&app, &router, Role::Supervisor, path, Body::empty()).await;
        let request = asked(&mut requests).await;
        assert!(matches!(request.command, Command::Stop(_)));
        request.reply.send(Ok(())).unwrap();
        assert_eq!(stopped.await.unwrap(), 200);
        assert_eq!(stored(&app).await, CampaignState::Stopped);
    }
    // What the database says is what the next start of the daemon goes by.
    sqlx::query(run).execute(app.store.pool()).await.unwrap();
    drop(requests);
    let stopped = post(&app, &router, Role::Supervisor, path, Body::empty()).await;
    assert_eq!(stopped.await.unwrap(), 503);
    assert_eq!(stored(&app).await, CampaignState::Stopped);
}

#[tokio::test]
async fn two_starts_at_once_come_one_after_the_other() {
    let app = TestApp::new().await.with_campaign().await;
    let (router, mut requests) = played(&app);
    let path = "/api/v1/campaigns/cmp_1/start";
    let first = post(&app, &router, Role::Supervisor, path, Body::empty()).await;
    let configure = asked(&mut requests).await;
    assert!(matches!(configure.command, Command::Configure(_)));
    let second = post(&app, &router, Role::Supervisor, path, Body::empty()).await;
    let early = timeout(Duration::from_millis(300), requests.recv()).await;
    assert!(early.is_err(), "{early:?} before the first was done");
    // The first person closes the browser in the middle: it is done all the same.
    first.abort();
    configure.reply.send(Ok(())).unwrap();
    for epoch in [1, 2] {
        let request = asked(&mut requests).await;
        let Command::Start { epoch: given, .. } = request.command else {
            panic!("{:?}", request.command)
        };
        assert_eq!(given, epoch);
        request.reply.send(Ok(())).unwrap();
        if epoch == 1 {
            let configure = asked(&mut requests).await;
            assert!(matches!(configure.command, Command::Configure(_)));
            configure.reply.send(Ok(())).unwrap();
        }
    }
    assert_eq!(second.await.unwrap(), 200);
    assert_eq!(stored(&app).await, CampaignState::Running);
}

#[tokio::test]
async fn contacts_are_dialed_while_the_rest_of_the_list_arrives() {
    let app = TestApp::new().await.with_campaign().await;
    let (router, mut requests) = played(&app);
    let (lines, arrive) = mpsc::channel::<Bytes>(1);
    let body = futures_util::stream::unfold(arrive, async |mut arrive| {
        let line = arrive.recv().await?;
        Some((Ok::<_, std::io::Error>(line), arrive))
    });
    let path = "/api/v1/campaigns/cmp_1/contacts/import";
    let body = Body::from_stream(body);
    let import = post(&app, &router, Role::Administrator, path, body).await;
    lines.send(Bytes::from("phone\n")).await.unwrap();
    for batch in 0..2 {
        let thousand: Vec<_> = (0..1_000).map(|n| format!("+336{batch}{n:07}\n")).collect();
        lines.send(Bytes::from(thousand.concat())).await.unwrap();
        let request = asked(&mut requests).await;
        assert!(matches!(request.command, Command::ContactsAdded(_)));
        let held: i64 = sqlx::query_scalar("SELECT count(*) FROM contacts")
            .fetch_one(app.store.pool())
            .await
            .unwrap();
        assert_eq!(held, 1_000 * (batch + 1), "committed before it is told");
    }
    drop(lines);
    assert_eq!(timeout(LONG, import).await.unwrap().unwrap(), 200);
    assert!(requests.try_recv().is_err(), "nothing was added since");
}

#[tokio::test]
async fn a_trunk_is_no_station() {
    let app = TestApp::new().await.with_campaign().await;
    for (station, status) in [("carrier", 422), ("Carrier", 422), ("carrier2", 200)] {
        let body = serde_json::json!({"station": station, "leg_mode": "nailed-up"});
        let answer = app.post(Role::Agent, "/api/v1/agents/me/login", body).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 422 {
            assert_eq!(answer.body["errors"][0]["field"], "station");
            let told = answer.body["error"].as_str().unwrap_or_default();
            assert!(told.contains("trunk"), "{told}");
        } else {
            assert_ne!(answer.body, Value::Null);
        }
    }
}
