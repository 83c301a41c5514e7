//! The connection against a scripted server on loopback sockets.

use std::time::Duration;

use strowger_ami::{
    ActionError, Auth, Boot, ClientConfig, DownReason, EncodeError, Event, GapReason, LinkState,
    Notice, actions,
};

use crate::server::{Rig, config, soon};

#[tokio::test]
async fn plain_login() {
    let mut rig = Rig::new(config()).await;
    assert_eq!(
        rig.client.send(actions::ping()).await,
        Err(ActionError::NotConnected)
    );
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    assert_eq!(login.get("Username").unwrap(), "strowger");
    assert_eq!(login.get("Secret").unwrap(), "hunter2");
    assert_eq!(login.get("Events").unwrap(), "on");
    peer.answer(&login, &[("Response", "Success")]).await;
    peer.settings().await;
    let want = Notice::Up {
        ami_version: "11.0.0".into(),
        asterisk_version: Some("22.10.1".into()),
        boot: None,
    };
    assert_eq!(rig.notice().await, want);
    assert_eq!(rig.client.health().state, LinkState::Up);
}

#[tokio::test]
async fn md5_login_never_shows_the_secret() {
    let mut rig = Rig::new(ClientConfig {
        auth: Auth::Md5,
        ..config()
    })
    .await;
    let mut peer = rig.accept().await;
    let challenge = peer.action("Challenge").await;
    assert_eq!(challenge.get("AuthType").unwrap(), "MD5");
    peer.answer(
        &challenge,
        &[("Response", "Success"), ("Challenge", "123456789")],
    )
    .await;
    let login = peer.action("Login").await;
    assert_eq!(login.get("Secret"), None);
    assert_eq!(login.get("AuthType").unwrap(), "MD5");
    // md5("123456789" "hunter2")
    assert_eq!(
        login.get("Key").unwrap(),
        "0b7305e90737cc6e0065a5f33eaed744"
    );
    peer.answer(&login, &[("Response", "Success")]).await;
    peer.settings().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
}

#[tokio::test]
async fn boot_facts_come_with_up_and_are_waited_for() {
    let mut rig = Rig::new(ClientConfig {
        boot_wait: Duration::from_mins(1),
        ..config()
    })
    .await;
    let mut peer = rig.logged_in().await;
    // Asterisk is still starting: what happens meanwhile is for nobody.
    peer.send(&[("Event", "Newchannel"), ("Channel", "A"), ("Uniqueid", "1")])
        .await;
    peer.send(&[
        ("Event", "FullyBooted"),
        ("Uptime", "7"),
        ("LastReload", "5"),
    ])
    .await;
    peer.send(&[("Event", "Newchannel"), ("Channel", "B"), ("Uniqueid", "2")])
        .await;
    let Notice::Up { boot, .. } = rig.notice().await else {
        panic!()
    };
    let want = Boot {
        uptime_s: Some(7),
        last_reload_s: Some(5),
    };
    assert_eq!(boot, Some(want));
    let Notice::Event(Event::NewChannel(event)) = rig.notice().await else {
        panic!()
    };
    assert_eq!(event.channel().name(), "B");
}

#[tokio::test]
async fn a_wrong_secret_is_final_until_told_otherwise() {
    let mut rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    peer.answer(
        &login,
        &[("Response", "Error"), ("Message", "Authentication failed")],
    )
    .await;
    assert!(peer.next().await.is_none());
    let message = "Authentication failed".into();
    assert_eq!(
        rig.notice().await,
        Notice::AuthenticationRefused { message }
    );
    let health = rig.client.health();
    assert_eq!(health.state, LinkState::Refused);
    assert!(health.last_error.unwrap().contains("Authentication failed"));
    assert_eq!(
        rig.client.send(actions::ping()).await,
        Err(ActionError::NotConnected)
    );
    // Two hundred of the pauses that a broken connection costs.
    assert!(rig.nobody_connects(Duration::from_secs(2)).await);

    rig.client.retry();
    let mut peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    assert_eq!(rig.client.health().last_error, None);
    // It means nothing now, nor later.
    rig.client.retry();
    peer.send(&[("Event", "X")]).await;
    assert!(matches!(rig.notice().await, Notice::Event(_)));
}

#[tokio::test]
async fn an_account_in_use_is_tried_again_at_once() {
    let mut rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    peer.answer(
        &login,
        &[("Response", "Error"), ("Message", "Login Already In Use")],
    )
    .await;
    let _peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
}

#[tokio::test]
async fn another_service_is_no_asterisk() {
    let rig = Rig::new(config()).await;
    let mut peer = rig.accept_silently().await;
    peer.write(b"SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(peer.next().await.is_none());
    let _next = rig.accept().await;
    let error = rig.client.health().last_error.unwrap();
    assert_eq!(error, DownReason::NotAManager.to_string());
}

#[tokio::test]
async fn a_cut_leaves_the_outcome_unknown_and_the_link_comes_back() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    let first = peer.action("Hangup").await;
    drop(peer);
    let answer = soon("an answer", sending).await.unwrap();
    assert_eq!(answer, Err(ActionError::UnknownOutcome));
    assert!(!answer.unwrap_err().is_certain());
    let down = rig.notice().await;
    assert!(
        matches!(
            down,
            Notice::Down {
                reason: DownReason::Closed | DownReason::Io(_)
            }
        ),
        "{down:?}"
    );
    assert_eq!(
        rig.client.send(actions::ping()).await,
        Err(ActionError::NotConnected)
    );

    let mut peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    let second = peer.action("Hangup").await;
    assert_ne!(first.action_id(), second.action_id());
    // A late answer of the old session has no effect.
    peer.answer(&first, &[("Response", "Error"), ("Message", "late")])
        .await;
    peer.answer(
        &second,
        &[("Response", "Success"), ("Message", "Channel Hungup")],
    )
    .await;
    let answer = soon("an answer", sending).await.unwrap().unwrap();
    assert_eq!(answer.get("Message").unwrap(), "Channel Hungup");
    assert_eq!(rig.client.health().reconnects, 1);
}

#[tokio::test]
async fn a_silent_peer_is_noticed() {
    let (mut rig, mut peer) = Rig::up(ClientConfig {
        ping_interval: Duration::from_millis(20),
        ping_timeout: Duration::from_secs(1),
        ..config()
    })
    .await;
    for _ in 0..3 {
        let ping = peer.action("Ping").await;
        peer.answer(&ping, &[("Response", "Success"), ("Ping", "Pong")])
            .await;
    }
    // It reads no more and says nothing, but the connection stays open.
    let reason = DownReason::Silent;
    assert_eq!(rig.notice().await, Notice::Down { reason });
    assert!(rig.client.health().rtt.is_some());
    let _again = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    drop(peer);
}

#[tokio::test]
async fn a_frame_that_cannot_be_read_is_a_gap() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    peer.write(b"garbage without colon\r\n\r\n").await;
    peer.send(&[("Event", "X")]).await;
    let Notice::Gap { reason } = rig.notice().await else {
        panic!()
    };
    assert!(matches!(reason, GapReason::Skipped(_)));
    assert!(matches!(rig.notice().await, Notice::Event(_)));
    assert_eq!(rig.client.health().skipped_frames, 1);
}

#[tokio::test]
async fn a_list_is_collected_between_other_events() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let client = rig.client.clone();
    let listing = rig
        .tracker
        .spawn(async move { client.list(actions::core_show_channels()).await });
    let list = peer.action("CoreShowChannels").await;
    peer.answer(&list, &[("Response", "Success"), ("EventList", "start")])
        .await;
    for channel in ["A", "B", "C"] {
        peer.send(&[
            ("Event", "Hangup"),
            ("Channel", channel),
            ("Uniqueid", "1.1"),
        ])
        .await;
        peer.answer(&list, &[("Event", "CoreShowChannel"), ("Channel", channel)])
            .await;
        peer.send(&[
            ("Event", "CoreShowChannel"),
            ("ActionID", "another"),
            ("Channel", "Z"),
        ])
        .await;
    }
    peer.answer(
        &list,
        &[
            ("Event", "CoreShowChannelsComplete"),
            ("EventList", "Complete"),
            ("ListItems", "3"),
        ],
    )
    .await;
    let items = soon("the list", listing).await.unwrap().unwrap();
    let channels: Vec<_> = items
        .iter()
        .map(|item| item.get("Channel").unwrap())
        .collect();
    assert_eq!(channels, ["A", "B", "C"]);
    for _ in 0..3 {
        assert!(matches!(
            rig.notice().await,
            Notice::Event(Event::Hangup(_))
        ));
        let Notice::Event(Event::Other(event)) = rig.notice().await else {
            panic!()
        };
        assert_eq!(event.get("Channel").unwrap(), "Z");
    }
}

#[tokio::test]
async fn an_empty_list_may_be_an_error() {
    let (rig, mut peer) = Rig::up(config()).await;
    let client = rig.client.clone();
    let listing = rig
        .tracker
        .spawn(async move { client.list(actions::queue_status(Some("x"))).await });
    let list = peer.action("QueueStatus").await;
    peer.answer(
        &list,
        &[("Response", "Error"), ("Message", "No such queue")],
    )
    .await;
    let message = "No such queue".into();
    let answer = soon("an answer", listing).await.unwrap();
    assert_eq!(answer, Err(ActionError::Rejected { message }));
}

#[tokio::test]
async fn an_error_without_id_does_not_wedge() {
    let (rig, mut peer) = Rig::up(config()).await;
    let (first, second) = (rig.client.clone(), rig.client.clone());
    let first = rig
        .tracker
        .spawn(async move { first.send(actions::hangup("A", None)).await });
    peer.action("Hangup").await;
    let second = rig
        .tracker
        .spawn(async move { second.send(actions::logoff()).await });
    let logoff = peer.action("Logoff").await;
    peer.send(&[
        ("Response", "Error"),
        ("Message", "Failed to parse message: line too long"),
    ])
    .await;
    peer.answer(&logoff, &[("Response", "Goodbye")]).await;
    let first = soon("an answer", first).await.unwrap();
    assert!(matches!(first, Err(ActionError::Rejected { .. })));
    assert!(soon("an answer", second).await.unwrap().is_ok());
    assert_eq!(rig.client.health().in_flight, 0);
}

#[tokio::test]
async fn an_unanswered_action_times_out_and_the_link_stays() {
    let (rig, mut peer) = Rig::up(ClientConfig {
        action_timeout: Duration::from_secs(1),
        ..config()
    })
    .await;
    let answer = rig.client.send(actions::hangup("A", None)).await;
    assert_eq!(answer, Err(ActionError::TimedOut));
    peer.action("Hangup").await;
    assert_eq!(rig.client.health().state, LinkState::Up);
}

#[tokio::test]
async fn an_action_that_cannot_be_written_is_refused_alone() {
    let (rig, mut peer) = Rig::up(config()).await;
    let answer = rig
        .client
        .send(actions::hangup("A\r\nAction: Command", None))
        .await;
    let error = EncodeError::LineBreak("Channel".into());
    assert_eq!(answer, Err(ActionError::Encode(error)));
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::logoff()).await });
    let next = peer.action("Logoff").await;
    peer.answer(&next, &[("Response", "Goodbye")]).await;
    assert!(soon("an answer", sending).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_server_that_does_not_read_makes_clients_busy() {
    let (rig, peer) = Rig::up(ClientConfig {
        action_timeout: Duration::from_secs(1),
        ..config()
    })
    .await;
    let long = "x".repeat(900);
    let sends: Vec<_> = (0..3_000)
        .map(|_| {
            let (client, long) = (rig.client.clone(), long.clone());
            rig.tracker
                .spawn(async move { client.send(actions::hangup(&long, None)).await })
        })
        .collect();
    let mut busy = 0;
    for send in sends {
        match soon("an answer", send).await.unwrap() {
            Err(ActionError::Busy) => busy += 1,
            Err(ActionError::TimedOut) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(busy > 0);
    assert!(rig.client.health().in_flight <= 1_024);
    drop(peer);
}

#[tokio::test]
async fn cancellation_says_goodbye_and_ends_everything() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    peer.action("Hangup").await;
    rig.cancel.cancel();
    assert_eq!(peer.action("Logoff").await.headers().count(), 2);
    assert!(peer.next().await.is_none());
    let answer = soon("an answer", sending).await.unwrap();
    assert_eq!(answer, Err(ActionError::UnknownOutcome));
    assert_eq!(soon("the end", rig.notices.recv()).await, None);
    rig.tracker.close();
    soon("the end of the task", rig.tracker.wait()).await;
    assert_eq!(rig.client.health().state, LinkState::Stopped);
    assert_eq!(
        rig.client.send(actions::ping()).await,
        Err(ActionError::NotConnected)
    );
}

#[tokio::test]
async fn cancellation_after_a_refusal_is_prompt() {
    let rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    peer.answer(
        &login,
        &[("Response", "Error"), ("Message", "Authentication failed")],
    )
    .await;
    assert!(peer.next().await.is_none());
    rig.cancel.cancel();
    rig.tracker.close();
    soon("the end of the task", rig.tracker.wait()).await;
}

#[tokio::test]
async fn the_task_ends_with_its_owner() {
    let (rig, mut peer) = Rig::up(config()).await;
    drop(rig.notices);
    peer.action("Logoff").await;
    rig.tracker.close();
    soon("the end of the task", rig.tracker.wait()).await;
}

#[tokio::test]
async fn a_server_that_works_on_a_slow_action_is_not_taken_for_dead() {
    let (rig, mut peer) = Rig::up(ClientConfig {
        ping_interval: Duration::from_millis(20),
        ping_timeout: Duration::from_millis(50),
        ..config()
    })
    .await;
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::command("module reload")).await });
    let command = peer.action("Command").await;
    // Ten times as long as a silent peer is endured.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let headers = [("Response", "Success"), ("Output", "done")];
    peer.answer(&command, &headers).await;
    assert!(soon("an answer", sending).await.unwrap().is_ok());
    assert_eq!(rig.client.health().reconnects, 0);
    assert_eq!(rig.client.health().state, LinkState::Up);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_an_unknown_outcome_and_no_gap() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let client = rig.client.clone();
    let lost = rig
        .tracker
        .spawn(async move { client.send(actions::command("dialplan show")).await });
    let command = peer.action("Command").await;
    let id = command.action_id().unwrap();
    let output = "Output: x\r\n".repeat(600);
    let answer = format!("Response: Success\r\nActionID: {id}\r\n{output}\r\n");
    peer.write(answer.as_bytes()).await;
    let client = rig.client.clone();
    let next = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    let hangup = peer.action("Hangup").await;
    peer.answer(&hangup, &[("Response", "Success")]).await;
    assert!(soon("an answer", next).await.unwrap().is_ok());
    let lost = soon("the outcome", lost).await.unwrap();
    assert_eq!(lost, Err(ActionError::UnknownOutcome));
    assert_eq!(rig.notices.try_recv(), None);
    assert_eq!(rig.client.health().skipped_frames, 1);
}

#[tokio::test]
async fn a_retry_from_the_notice_of_the_refusal_counts_and_an_earlier_one_does_not() {
    let mut rig = Rig::new(config()).await;
    for _ in 0..2 {
        let mut peer = rig.accept().await;
        let login = peer.action("Login").await;
        // Too early: nothing was refused yet, or not again.
        rig.client.retry();
        let failed = ("Message", "Authentication failed");
        peer.answer(&login, &[("Response", "Error"), failed]).await;
        assert!(matches!(
            rig.notice().await,
            Notice::AuthenticationRefused { .. }
        ));
        rig.client.retry();
        rig.client.retry();
    }
    let mut peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    peer.send(&[("Event", "X")]).await;
    assert!(matches!(rig.notice().await, Notice::Event(_)));
}

#[tokio::test]
async fn times_without_end_are_no_harm() {
    let (rig, _peer) = Rig::up(ClientConfig {
        ping_interval: Duration::MAX,
        ping_timeout: Duration::MAX,
        ..config()
    })
    .await;
    assert_eq!(rig.client.health().state, LinkState::Up);
}

#[tokio::test]
async fn whatever_ends_the_task_its_consumers_end_too() {
    let mut rig = Rig::new(config()).await;
    // A task that is dropped in the middle, as at the end of a runtime.
    let runtime = std::thread::spawn({
        let port = rig.port();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let tracker = tokio_util::task::TaskTracker::new();
            let (client, events) = runtime.block_on(async {
                strowger_ami::connect(
                    ClientConfig { port, ..config() },
                    strowger_ami::Consumer::call_state(),
                    &tracker,
                    tokio_util::sync::CancellationToken::new(),
                )
            });
            drop(runtime);
            (client, events)
        }
    });
    let (client, mut events) = runtime.join().unwrap();
    assert_eq!(soon("the end", events.recv()).await, None);
    assert_eq!(client.health().state, LinkState::Stopped);
    rig.cancel.cancel();
    assert_eq!(soon("the end", rig.notices.recv()).await, None);
}
