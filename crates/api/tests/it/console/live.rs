//! The console's socket, over real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::http::Method;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use strowger_core::{
    call::{Direction, Phase},
    ids::{CallId, UserId},
    live::{CallView, Change},
    permission::Role,
    time::Timestamp,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};
use uuid::Uuid;

use crate::{harness::TestApp, media::wav};

/// Longest wait for a message; some are held back for a second or two.
const WITHIN: Duration = Duration::from_secs(10);

struct Console(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Console {
    async fn open(address: SocketAddr, token: &str) -> Self {
        let url = format!("ws://{address}/api/?token={token}");
        Self(connect_async(url).await.unwrap().0)
    }

    async fn say(&mut self, kind: &str, payload: Value) {
        let text = json!({"type": kind, "payload": payload}).to_string();
        self.0.send(Message::text(text)).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(WITHIN, self.0.next()).await.unwrap();
            if let Message::Text(text) = message.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The payload of the next message of a kind.
    async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let mut message = self.next().await;
            if message["type"] == kind {
                return message["payload"].take();
            }
        }
    }

    /// Waits until an agent has a status.
    async fn sees(&mut self, status: &str) {
        while self.hear("agentStatusUpdate").await["status"] != status {}
    }

    async fn close(mut self) {
        self.0.close(None).await.unwrap();
    }
}

/// With an agent whose mobile is their station, so that nothing has to answer at login.
async fn served(grace: Duration, max_streams: usize) -> (TestApp, SocketAddr) {
    let mut app = TestApp::with(
        |settings| {
            settings.console_grace = grace;
            settings.max_streams = max_streams;
            settings.outside_trunk = Some("carrier".to_owned());
        },
        true,
    )
    .await;
    sqlx::query(
        "UPDATE users SET mobile_number = '+33 6 39 98 12 34', use_mobile_as_station = true WHERE role = 'agent'",
    )
    .execute(app.store.pool())
    .await
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app
        .router
        .clone()
        .into_make_service_with_connect_info::<SocketAddr>();
    app.tasks
        .spawn(async move { axum::serve(listener, service).await.unwrap() });
    (app, address)
}

fn bridged(number: u128, to: &str) -> Change {
    Change::Call(CallView {
        id: CallId(Uuid::from_u128(number)),
        direction: Direction::Outbound,
        campaign_id: Some("cmp_1".to_owned().try_into().unwrap()),
        queue_id: None,
        number: Some(to.to_owned()),
        did: None,
        phase: Phase::Bridged,
        since: Timestamp::UNIX_EPOCH,
        started_at: "2026-11-20T11:59:30Z".parse().unwrap(),
        agent_id: Some(UserId::new("usr_agent").unwrap()),
        transferred_to: None,
    })
}

#[tokio::test]
async fn an_agent_works_through_the_console_and_supervisors_see_it() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let mut agent = Console::open(address, &app.token(Role::Agent).await).await;
    assert_eq!(
        supervisor.hear("agentStatusUpdate").await,
        json!({"agentId": "usr_agent", "status": "En Pause"})
    );
    let session = app.hub.agent(&UserId::new("usr_agent").unwrap()).unwrap();
    assert_eq!(session.station, "PJSIP/+33639981234@carrier");
    agent.sees("En Pause").await;

    // Who it is about is known from the socket, whatever the message says.
    let status = |status: &str| json!({"agentId": "usr_supervisor", "status": status});
    agent.say("agentStatusChange", status("En Attente")).await;
    agent.sees("En Attente").await;
    supervisor.sees("En Attente").await;
    agent.say("agentStatusChange", status("En Appel")).await;
    agent.say("agentStatusChange", status("Formation")).await;
    let next = agent.hear("agentStatusUpdate").await;
    assert_eq!(
        next,
        json!({"agentId": "usr_agent", "status": "Formation"}),
        "nobody is on a call because they say so"
    );
    let figures = supervisor.hear("updateUser").await;
    assert_eq!(
        (&figures["id"], &figures["callsHandledToday"]),
        (&json!("usr_agent"), &json!(0))
    );

    agent
        .say(
            "agentRaisedHand",
            json!({"agentId": "usr_supervisor", "agentName": "?"}),
        )
        .await;
    assert_eq!(
        supervisor.hear("agentRaisedHand").await,
        json!({"agentId": "usr_agent", "agentName": "Ada agent", "agentLoginId": "agent"})
    );
    supervisor
        .say(
            "supervisorResponseToAgent",
            json!({"agentId": "usr_agent", "message": "Coming", "from": "?"}),
        )
        .await;
    let message = agent.hear("supervisorMessage").await;
    assert_eq!(
        (&message["from"], &message["message"], &message["timestamp"]),
        (
            &json!("Ada supervisor"),
            &json!("Coming"),
            &json!("2026-11-20T12:00:00.000Z")
        )
    );
    agent
        .say("agentResponseToSupervisor", json!({"message": "Thanks"}))
        .await;
    assert_eq!(
        supervisor.hear("agentResponseMessage").await,
        json!({"agentId": "usr_agent", "agentName": "Ada agent", "message": "Thanks"})
    );
}

#[tokio::test]
async fn the_first_socket_of_a_login_goes_without_logging_the_agent_out() {
    let (app, address) = served(Duration::from_millis(50), 100).await;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let token = app.token(Role::Agent).await;
    let first = Console::open(address, &token).await;
    let mut second = Console::open(address, &token).await;
    supervisor.sees("En Pause").await;
    first.close().await;
    let status = json!({"status": "En Attente"});
    second.say("agentStatusChange", status).await;
    second.sees("En Attente").await;
    supervisor.hear("usersBulkUpdate").await;
    second.close().await;
    supervisor.sees("Déconnecté").await;
    supervisor.hear("usersBulkUpdate").await;
    assert_eq!(app.hub.agent(&UserId::new("usr_agent").unwrap()), None);
}

#[tokio::test]
async fn an_agent_without_a_telephone_is_told_what_to_do() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let unplugged = "UPDATE users SET use_mobile_as_station = false, login_id = 'unplugged' WHERE role = 'agent'";
    sqlx::query(unplugged)
        .execute(app.store.pool())
        .await
        .unwrap();
    let mut agent = Console::open(address, &app.token(Role::Agent).await).await;
    let message = agent.hear("supervisorMessage").await;
    let text = message["message"].as_str().unwrap();
    assert!(text.contains("PJSIP/unplugged is not registered"), "{text}");
    // The extension of their site is next in line.
    for statement in [
        r#"INSERT INTO sites (id, name, physical_extensions) VALUES ('site_1', 'Paris', '[{"number": "101"}, {"number": "102", "userId": "usr_agent"}]')"#,
        "UPDATE users SET site_id = 'site_1' WHERE role = 'agent'",
    ] {
        sqlx::query(statement)
            .execute(app.store.pool())
            .await
            .unwrap();
    }
    agent
        .say("agentStatusChange", json!({"status": "En Attente"}))
        .await;
    agent.sees("En Pause").await;
    let session = app.hub.agent(&UserId::new("usr_agent").unwrap()).unwrap();
    assert_eq!(session.station, "PJSIP/102");
}

#[tokio::test]
async fn a_supervisor_pauses_an_agent_and_throws_them_out() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let mut agent = Console::open(address, &app.token(Role::Agent).await).await;
    agent.sees("En Pause").await;
    agent
        .say("agentStatusChange", json!({"status": "En Attente"}))
        .await;
    agent.sees("En Attente").await;
    let act = async |action: &str| {
        let path = format!("/api/supervisor/{action}");
        let whom = json!({"agentId": "usr_agent"});
        let answer = app.post(Role::Supervisor, &path, whom).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let message = format!("Action '{action}' exécutée avec succès sur l'agent Ada agent.");
        assert_eq!(answer.body, json!({"message": message}));
    };
    act("force-pause").await;
    agent.sees("En Pause").await;
    act("force-logout").await;
    agent.hear("forceLogout").await;
    let closed = loop {
        if let Message::Close(frame) = agent.0.next().await.unwrap().unwrap() {
            break frame.unwrap();
        }
    };
    assert_eq!(u16::from(closed.code), 4001);
    assert_eq!(app.hub.agent(&UserId::new("usr_agent").unwrap()), None);
    let audit = app.get(Role::SuperAdministrator, "/api/v1/audit-log").await;
    let noted: Vec<_> = audit.body["data"].as_array().unwrap().iter().collect();
    let noted: Vec<_> = noted
        .iter()
        .map(|row| (&row["action"], &row["actor_id"]))
        .filter(|(action, _)| action.as_str().unwrap().starts_with("agent."))
        .collect();
    let supervisor = json!("usr_supervisor");
    assert_eq!(
        noted,
        [
            (&json!("agent.logout"), &supervisor),
            (&json!("agent.pause"), &supervisor)
        ]
    );
}

#[tokio::test]
async fn calls_appear_and_go_for_supervisors_only() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let mut agent = Console::open(address, &app.token(Role::Agent).await).await;
    agent.sees("En Pause").await;
    let id = CallId(Uuid::from_u128(7)).to_string();
    app.hub.publish(bridged(7, "+33639981234"));
    assert_eq!(
        supervisor.hear("newCall").await,
        json!({
            "id": id, "callId": id, "from": "", "to": "+33639981234", "agentId": "usr_agent",
            "campaignId": "cmp_1", "duration": 30, "status": "active"
        })
    );
    app.hub.publish(Change::CallGone {
        id: CallId(Uuid::from_u128(7)),
    });
    assert_eq!(
        supervisor.hear("callHangup").await,
        json!({"callId": id, "duration": 30})
    );
    agent
        .say("agentStatusChange", json!({"status": "Formation"}))
        .await;
    loop {
        let message = agent.next().await;
        assert_ne!(message["type"], "newCall");
        if message["payload"]["status"] == "Formation" {
            break;
        }
    }
}

#[tokio::test]
async fn supervisors_hear_of_media_files() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let (status, body) = app.upload(wav(1)).await;
    assert_eq!(status, 201, "{body}");
    let new = supervisor.hear("newAudioFile").await;
    assert_eq!(
        (&new["name"], &new["id"]),
        (&json!("Welcome"), &body["data"]["id"])
    );
    let path = format!("/api/audio-files/{}", new["id"].as_str().unwrap());
    let name = json!({"name": "Bienvenue"});
    let renamed = app.put(Role::Administrator, &path, name).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text);
    assert_eq!(
        supervisor.hear("updateAudioFile").await["name"],
        "Bienvenue"
    );
    let gone = app.call(Some(Role::Administrator), Method::DELETE, &path, None);
    assert_eq!(gone.await.status, 204);
    assert_eq!(supervisor.hear("deleteAudioFile").await["id"], new["id"]);
}

#[tokio::test]
async fn only_somebody_who_is_logged_in_gets_a_socket_and_only_at_its_address() {
    let (app, address) = served(Duration::from_mins(1), 1).await;
    let token = app.token(Role::Supervisor).await;
    let _one = Console::open(address, &token).await;
    for (path, status) in [
        ("/api/".to_owned(), 401),
        ("/api/?token=nonsense".to_owned(), 401),
        (format!("/api?token={token}"), 404),
        (format!("/api/?token={token}"), 503),
    ] {
        let Err(Error::Http(refused)) = connect_async(format!("ws://{address}{path}")).await else {
            panic!("{path} let in")
        };
        assert_eq!(refused.status(), status, "{path}");
        if status == 401 {
            assert_eq!(refused.body().as_deref(), Some(&b"Unauthorized"[..]));
        }
    }
}

#[tokio::test]
async fn a_console_that_never_reads_is_dropped_and_slows_nobody() {
    let (app, address) = served(Duration::from_mins(1), 2).await;
    let token = app.token(Role::Supervisor).await;
    let mut reader = Console::open(address, &token).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stalled = socket.connect(address).await.unwrap();
    let request = format!(
        "GET /api/?token={token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stalled.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stalled.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");

    // More than all buffers hold; the reader gets each one at once.
    let long = "x".repeat(20_000);
    let url = format!("ws://{address}/api/?token={token}");
    let mut slowest = Duration::ZERO;
    let mut sent = 0;
    let third = loop {
        for _ in 0..20 {
            sent += 1;
            app.hub.publish(bridged(sent, &long));
            let began = tokio::time::Instant::now();
            reader.hear("newCall").await;
            slowest = slowest.max(began.elapsed());
        }
        match connect_async(&url).await {
            Ok((third, _)) => break third,
            Err(Error::Http(refused)) => assert_eq!(refused.status(), 503),
            Err(error) => panic!("{error}"),
        }
        assert!(sent < 100_000, "the one that never reads is still there");
    };
    drop(third);
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn changes_to_groups_profiles_and_sites_reach_whom_they_are_for() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let role = Role::Administrator;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let mut agent = Console::open(address, &app.token(Role::Agent).await).await;
    agent.sees("En Pause").await;

    let group = json!({"id": "ug-1", "name": "Evening", "memberIds": ["usr_agent"]});
    let added = app.post(role, "/api/user-groups", group).await;
    assert_eq!(supervisor.hear("newGroup").await, added.body);
    let group = json!({"name": "Morning", "member_ids": []});
    app.put(role, "/api/v1/user-groups/ug-1", group).await;
    let changed = supervisor.hear("updateGroup").await;
    assert_eq!(
        (&changed["name"], &changed["memberIds"]),
        (&json!("Morning"), &json!([]))
    );
    let path = "/api/user-groups/ug-1";
    app.call(Some(role), Method::DELETE, path, None).await;
    assert_eq!(supervisor.hear("deleteGroup").await, json!({"id": "ug-1"}));

    let profile = json!({"id": "profile-1", "name": "Desk", "callControlsConfig": {"hold": true}});
    let added = app.post(role, "/api/agent-profiles", profile).await;
    assert_eq!(supervisor.hear("newAgentProfile").await, added.body);
    let site = json!({"id": "site-1", "name": "Paris", "physicalExtensions": []});
    let added = app.post(role, "/api/sites", site).await;
    assert_eq!(supervisor.hear("newSite").await, added.body);
    // The console has no handler for trunks, so that everything is read anew; supervisors do not
    // see them.
    let mut administrator = Console::open(address, &app.token(role).await).await;
    let trunk =
        json!({"id": "trunk-1", "name": "Carrier", "domain": "192.0.2.1", "authType": "ip"});
    let added = app.post(role, "/api/trunks", trunk).await;
    let (mut told, mut reloaded) = (None, false);
    while told.is_none() || !reloaded {
        let mut message = administrator.next().await;
        match message["type"].as_str().unwrap() {
            "newTrunk" => told = Some(message["payload"].take()),
            "usersBulkUpdate" => reloaded = true,
            _ => {}
        }
    }
    assert_eq!(told.unwrap(), added.body);
    loop {
        let message = supervisor.next().await;
        assert_ne!(message["type"], "newTrunk");
        if message["type"] == "usersBulkUpdate" {
            break;
        }
    }
    // Agents have some of these only: they are not told, and read theirs anew.
    loop {
        let message = agent.next().await;
        assert_ne!(message["type"], "newGroup");
        assert_ne!(message["type"], "newAgentProfile");
        if message["type"] == "usersBulkUpdate" {
            break;
        }
    }
}

#[tokio::test]
async fn a_saved_user_reaches_supervisors_with_the_groups_that_changed() {
    let (app, address) = served(Duration::from_mins(1), 100).await;
    let role = Role::Administrator;
    let group = json!({"id": "ug-1", "name": "Evening", "memberIds": []});
    app.post(role, "/api/user-groups", group).await;
    let mut supervisor = Console::open(address, &app.token(Role::Supervisor).await).await;
    let user = json!({"id": "new-1", "loginId": "1003", "firstName": "Ada", "lastName": "L", "role": "Agent",
        "password": "correct horse battery", "groupIds": ["ug-1"], "campaignIds": []});
    let added = app.post(role, "/api/users", user.clone()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    let (mut new, mut members) = (None, None);
    while new.is_none() || members.is_none() {
        let mut message = supervisor.next().await;
        match message["type"].as_str().unwrap() {
            "newUser" => new = Some(message["payload"].take()),
            "updateGroup" => members = Some(message["payload"]["memberIds"].take()),
            _ => {}
        }
    }
    assert_eq!(new.unwrap()["loginId"], "1003");
    assert_eq!(members.unwrap(), json!(["new-1"]));
    let mut changed = user;
    changed["isActive"] = json!(false);
    changed["groupIds"] = json!([]);
    app.put(role, "/api/users/new-1", changed).await;
    assert_eq!(supervisor.hear("updateUser").await["isActive"], false);
    app.call(Some(role), Method::DELETE, "/api/users/new-1", None)
        .await;
    assert_eq!(supervisor.hear("deleteUser").await, json!({"id": "new-1"}));
    let many = json!({"users": [
        {"id": "new-2", "loginId": "1004", "role": "Agent"}, {"id": "new-3", "loginId": "1005", "role": "Agent"}
    ]});
    let added = app.post(role, "/api/users/bulk", many).await;
    assert_eq!(added.status, 201, "{}", added.text);
    supervisor.hear("usersBulkUpdate").await;
}
