//! Peers that say what makes no sense.

use std::time::Duration;

use strowger_ami::codec::MAX_FRAME_BYTES;
use strowger_ami::{ActionError, ClientConfig, Event, Notice, actions};

use super::{assert_works, list, send};
use crate::server::{Rig, config, soon};

#[tokio::test]
async fn behind_any_garbage_the_link_goes_on() {
    let many = ["Event: Many\r\n", &"A: b\r\n".repeat(600), "\r\n"].concat();
    let long = format!("Event: Long\r\nA: {}\r\n\r\n", "x".repeat(MAX_FRAME_BYTES));
    let (mut rig, mut peer) = Rig::up(config()).await;
    let garbage: [&[u8]; 7] = [
        b"no header\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"\xff\xfe\r\nEvent: X\r\n\r\n",
        many.as_bytes(),
        long.as_bytes(),
    ];
    for (count, bytes) in (1..).zip(garbage) {
        peer.write(bytes).await;
        let gap = rig.notice().await;
        assert!(matches!(gap, Notice::Gap { .. }), "{gap:?}");
        assert_works(&mut rig, &mut peer).await;
        assert_eq!(rig.client.health().skipped_frames, count);
    }
    assert_eq!(rig.client.health().reconnects, 0);
}

#[tokio::test]
async fn only_its_own_answer_answers_an_action() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let (first, second) = (
        send(&rig, actions::hangup("A", None)),
        send(&rig, actions::hangup("A", None)),
    );
    let action = peer.action("Hangup").await;
    let other = peer.action("Hangup").await;
    let id = action.action_id().unwrap().into_owned();
    for wrong in [
        "",
        "x",
        "sw00000000e-1",
        &format!("{id}9"),
        &format!("{id} "),
        &id[1..],
    ] {
        let answer = [
            ("Response", "Error"),
            ("ActionID", wrong),
            ("Message", "no"),
        ];
        peer.send(&answer).await;
    }
    // One without any id that is no error answers nothing.
    peer.send(&[("Response", "Success"), ("Message", "stray")])
        .await;
    peer.answer(&other, &[("Response", "Success"), ("Message", "second")])
        .await;
    for message in ["first", "again"] {
        peer.answer(&action, &[("Response", "Success"), ("Message", message)])
            .await;
        peer.answer(&other, &[("Response", "Error"), ("Message", message)])
            .await;
    }
    // Which of the two was written first is not told.
    let mut messages = Vec::new();
    for sending in [first, second] {
        let answer = soon("an answer", sending).await.unwrap().unwrap();
        messages.push(answer.get("Message").unwrap().into_owned());
    }
    messages.sort();
    assert_eq!(messages, ["first", "second"]);
    assert_works(&mut rig, &mut peer).await;
    assert_eq!(rig.client.health().in_flight, 0);
}

#[tokio::test]
async fn what_the_session_of_the_actions_receives_is_no_event() {
    let mut rig = Rig::new(ClientConfig {
        two_sessions: true,
        ..config()
    })
    .await;
    let mut control = rig.control().await;
    let _events = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    let before = rig.client.health();
    let sending = send(&rig, actions::hangup("A", None));
    let action = control.action("Hangup").await;
    control.send(&[("Event", "X"), ("A", "b")]).await;
    control.answer(&action, &[("Response", "Success")]).await;
    assert!(soon("an answer", sending).await.unwrap().is_ok());
    let after = rig.client.health();
    assert_eq!(after.events, before.events);
    assert_eq!(after.received_bytes, before.received_bytes);
    assert_eq!(rig.notices.try_recv(), None);
}

#[tokio::test]
async fn a_list_without_end_is_given_up_alone() {
    let (mut rig, mut peer) = Rig::up(ClientConfig {
        action_timeout: Duration::from_millis(300),
        ..config()
    })
    .await;
    let listing = list(&rig.client, &rig);
    let action = peer.action("CoreShowChannels").await;
    let start = [("Response", "Success"), ("EventList", "start")];
    peer.answer(&action, &start).await;
    let item = [("Event", "CoreShowChannel"), ("Channel", "A")];
    peer.answer(&action, &item).await;
    let answer = soon("the list", listing).await.unwrap();
    assert_eq!(answer, Err(ActionError::TimedOut));
    // Its late items are nobody's events, and its end frees what was kept for it.
    peer.answer(&action, &item).await;
    assert_works(&mut rig, &mut peer).await;
    peer.answer(&action, &[("Event", "X"), ("EventList", "Complete")])
        .await;
    assert_works(&mut rig, &mut peer).await;
    assert_eq!(rig.client.health().in_flight, 0);
}

#[tokio::test]
async fn a_login_is_answered_by_its_own_answer() {
    let mut rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    // An event comes first, and an answer for somebody else.
    peer.send(&[("Event", "FullyBooted"), ("Uptime", "7")])
        .await;
    peer.send(&[("Response", "Success"), ("ActionID", "another")])
        .await;
    let refusal = [("Response", "Error"), ("Message", "Authentication failed")];
    peer.answer(&login, &refusal).await;
    let message = "Authentication failed".into();
    let refused = Notice::AuthenticationRefused { message };
    assert_eq!(rig.notice().await, refused);
}

#[tokio::test]
async fn a_login_answered_twice_is_answered_once() {
    let mut rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.login().await;
    peer.answer(&login, &[("Response", "Success"), ("Message", "again")])
        .await;
    peer.settings().await;
    let up = rig.notice().await;
    let Notice::Up {
        asterisk_version, ..
    } = up
    else {
        panic!("{up:?}")
    };
    assert_eq!(asterisk_version.as_deref(), Some("22.10.1"));
    assert_works(&mut rig, &mut peer).await;
}

#[tokio::test]
async fn a_boot_in_the_middle_is_an_event() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    peer.send(&[("Event", "FullyBooted"), ("Uptime", "0")])
        .await;
    let notice = rig.notice().await;
    assert!(
        matches!(notice, Notice::Event(Event::FullyBooted(_))),
        "{notice:?}"
    );
    assert_works(&mut rig, &mut peer).await;
}

#[tokio::test]
async fn answers_without_a_question_are_nobodys() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    for frame in [
        &b"Response: Success\r\n\r\n"[..],
        b"Response: Error\r\nMessage: line too long\r\n\r\n",
        b"Response: Goodbye\r\nActionID: x\r\n\r\n",
        b"Response: Follows\r\nActionID: x\r\n--END COMMAND--\r\n\r\n",
        b"Action: Login\r\nActionID: x\r\n\r\n",
    ] {
        peer.write(frame).await;
        assert_works(&mut rig, &mut peer).await;
    }
    assert_eq!(rig.client.health().skipped_frames, 0);
}
