//! The live view over a real socket.

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use strowger_core::{
    ids::UserId,
    live::{Change, ServerView},
    permission::Role,
    time::Timestamp,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _},
};

use crate::harness::TestApp;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn serve(app: &mut TestApp) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    app.tasks
        .spawn(async move { axum::serve(listener, service).await.unwrap() });
    address
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn close_code(socket: &mut Socket) -> u16 {
    loop {
        if let Message::Close(frame) = socket.next().await.unwrap().unwrap() {
            return frame.unwrap().code.into();
        }
    }
}

fn change(up: bool) -> Change {
    Change::Server(ServerView {
        name: "pbx1".into(),
        up,
        since: Timestamp::UNIX_EPOCH,
    })
}

#[tokio::test]
async fn a_watcher_gets_a_snapshot_then_changes_and_comes_back_without_a_gap() {
    let mut app = TestApp::new().await;
    let address = serve(&mut app).await;
    let url = format!(
        "ws://{address}/api/v1/stream?token={}",
        app.token(Role::Supervisor).await
    );
    app.hub.publish(change(true));
    let (mut socket, _) = connect_async(&url).await.unwrap();
    let snapshot = next(&mut socket).await;
    assert_eq!(
        (&snapshot["type"], &snapshot["seq"], &snapshot["run"]),
        (&json!("snapshot"), &json!(1), &json!("run"))
    );
    assert_eq!(snapshot["servers"][0]["name"], "pbx1");
    app.hub.publish(change(false));
    let delta = next(&mut socket).await;
    assert_eq!(
        (&delta["type"], &delta["seq"], &delta["data"]["up"]),
        (&json!("server"), &json!(2), &json!(false))
    );
    socket
        .send(Message::text("{\"type\":\"ping\"}"))
        .await
        .unwrap();
    assert_eq!(next(&mut socket).await, json!({"type": "pong"}));
    drop(socket);

    app.hub.publish(change(true));
    app.hub.publish(Change::AgentGone {
        id: UserId::new("usr_1").unwrap(),
    });
    let (mut socket, _) = connect_async(format!("{url}&run=run&seq=2")).await.unwrap();
    assert_eq!(
        next(&mut socket).await,
        json!({"type": "resumed", "run": "run", "seq": 2})
    );
    assert_eq!(next(&mut socket).await["seq"], 3);
    assert_eq!(
        next(&mut socket).await,
        json!({"seq": 4, "type": "agent-gone", "data": {"id": "usr_1"}})
    );
    let (mut socket, _) = connect_async(format!("{url}&run=another&seq=2"))
        .await
        .unwrap();
    assert_eq!(next(&mut socket).await["type"], "snapshot");
}

#[tokio::test]
async fn a_browser_offers_its_token_as_subprotocol() {
    let mut app = TestApp::new().await;
    let address = serve(&mut app).await;
    let connect = async |token: String| {
        let mut request = format!("ws://{address}/api/v1/stream")
            .into_client_request()
            .unwrap();
        let offer = format!("strowger.v1, bearer.{token}").parse().unwrap();
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offer);
        connect_async(request).await
    };
    let (_, response) = connect(app.token(Role::Supervisor).await).await.unwrap();
    assert_eq!(
        response.headers()["sec-websocket-protocol"],
        "strowger.v1",
        "the token is not sent back"
    );
    for (token, status) in [
        (app.token(Role::Agent).await, 403),
        ("nonsense".to_owned(), 401),
    ] {
        let Err(Error::Http(refused)) = connect(token).await else {
            panic!("let in")
        };
        assert_eq!(refused.status(), status);
    }
}

#[tokio::test]
async fn a_watcher_is_told_why_the_connection_ends() {
    let mut app = TestApp::new().await;
    let address = serve(&mut app).await;
    let url = format!(
        "ws://{address}/api/v1/stream?token={}",
        app.token(Role::Supervisor).await
    );
    let (mut chatty, _) = connect_async(&url).await.unwrap();
    for _ in 0..=100 {
        chatty.feed(Message::text("{}")).await.unwrap();
    }
    chatty.flush().await.unwrap();
    assert_eq!(close_code(&mut chatty).await, 1008);
    // One second before the end of the token.
    app.pass(36_000_000 - 1_000);
    let (mut late, _) = connect_async(&url).await.unwrap();
    assert_eq!(close_code(&mut late).await, 4401);
    app.pass(-10_000_000);
    let (mut watcher, _) = connect_async(&url).await.unwrap();
    app.state.shutdown.cancel();
    assert_eq!(close_code(&mut watcher).await, 1001);
}

#[tokio::test]
async fn there_are_only_so_many_watchers() {
    let mut app = TestApp::with(|settings| settings.max_streams = 1, true).await;
    let address = serve(&mut app).await;
    let url = format!(
        "ws://{address}/api/v1/stream?token={}",
        app.token(Role::Supervisor).await
    );
    let (_first, _) = connect_async(&url).await.unwrap();
    let Err(Error::Http(refused)) = connect_async(&url).await else {
        panic!("let in")
    };
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"30".parse().unwrap())
    );
}

#[tokio::test]
async fn who_is_deactivated_or_gets_another_password_stops_watching_at_once() {
    let mut app = TestApp::new().await;
    let address = serve(&mut app).await;
    for (change, code) in [
        (json!({"first_name": "Grace"}), None),
        (json!({"password": "battery staple horse"}), Some(4401)),
        (json!({"role": "agent"}), Some(4403)),
        (
            json!({"role": "supervisor", "is_active": false}),
            Some(4403),
        ),
    ] {
        let reset = "UPDATE users SET role = 'supervisor' WHERE id = 'usr_supervisor'";
        sqlx::query(reset).execute(app.store.pool()).await.unwrap();
        let token = app.token(Role::Supervisor).await;
        let url = format!("ws://{address}/api/v1/stream?token={token}");
        let (mut socket, _) = connect_async(&url).await.unwrap();
        next(&mut socket).await;
        let path = "/api/v1/users/usr_supervisor";
        let answer = app
            .call(Some(Role::Administrator), Method::PATCH, path, Some(change))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let within = Duration::from_millis(if code.is_some() { 5_000 } else { 300 });
        let closed = tokio::time::timeout(within, close_code(&mut socket)).await;
        assert_eq!(closed.ok(), code, "{}", answer.text);
    }
}

#[tokio::test]
async fn a_login_or_key_that_is_ended_stops_watching_at_once_and_no_other_does() {
    let mut app = TestApp::new().await;
    let address = serve(&mut app).await;
    let (ended, goes_on) = (
        app.token(Role::Supervisor).await,
        app.token(Role::Supervisor).await,
    );
    let key = json!({"name": "wallboard", "scopes": ["watch-live"]});
    let key = app.post(Role::Supervisor, "/api/v1/api-keys", key).await;
    let secret = key.body["data"]["secret"].as_str().unwrap().to_owned();
    let mut sockets = Vec::new();
    for token in [&ended, &goes_on, &secret] {
        let url = format!("ws://{address}/api/v1/stream?token={token}");
        let (mut socket, _) = connect_async(&url).await.unwrap();
        next(&mut socket).await;
        sockets.push(socket);
    }
    let out = app.with_token(&ended, Method::POST, "/api/v1/auth/logout", None);
    assert_eq!(out.await.status, 200);
    let id = key.body["data"]["key"]["id"].as_str().unwrap();
    let path = format!("/api/v1/api-keys/{id}");
    let revoked = app.call(Some(Role::Supervisor), Method::DELETE, &path, None);
    assert_eq!(revoked.await.status, 200);
    for (place, code, within_ms) in [
        (0, Some(4401), 5_000),
        (2, Some(4401), 5_000),
        (1, None, 300),
    ] {
        let within = Duration::from_millis(within_ms);
        let closed = tokio::time::timeout(within, close_code(&mut sockets[place])).await;
        assert_eq!(closed.ok(), code, "socket {place}");
    }
    let url = format!("ws://{address}/api/v1/stream?token={ended}");
    let Err(Error::Http(refused)) = connect_async(&url).await else {
        panic!("let in")
    };
    assert_eq!(refused.status(), 401);
}
