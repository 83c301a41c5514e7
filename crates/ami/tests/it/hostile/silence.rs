//! Peers that stop within a word.

use std::time::Duration;

use strowger_ami::{ActionError, ClientConfig, DownReason, Notice, actions};

use super::{answer_to, assert_works, list, send};
use crate::server::{Rig, config, soon};

fn impatient() -> ClientConfig {
    ClientConfig {
        ping_interval: Duration::from_millis(20),
        ping_timeout: Duration::from_millis(300),
        ..config()
    }
}

#[tokio::test]
async fn silence_within_a_list_ends_the_link() {
    let (mut rig, mut peer) = Rig::up(impatient()).await;
    let listing = list(&rig.client, &rig);
    let action = peer.action("CoreShowChannels").await;
    let start = [("Response", "Success"), ("EventList", "start")];
    peer.answer(&action, &start).await;
    peer.answer(&action, &[("Event", "CoreShowChannel"), ("Channel", "A")])
        .await;
    let answer = soon("the list", listing).await.unwrap();
    assert_eq!(answer, Err(ActionError::UnknownOutcome));
    let reason = DownReason::Silent;
    assert_eq!(rig.notice().await, Notice::Down { reason });
    let mut peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    assert_works(&mut rig, &mut peer).await;
}

#[tokio::test]
async fn half_an_answer_is_silence_too() {
    let (mut rig, mut peer) = Rig::up(impatient()).await;
    let sending = send(&rig, actions::hangup("A", None));
    let action = peer.action("Hangup").await;
    let answer = answer_to(&action, &[("Response", "Success")]);
    peer.write(&answer[..answer.len() - 1]).await;
    let answer = soon("an answer", sending).await.unwrap();
    assert_eq!(answer, Err(ActionError::UnknownOutcome));
    let reason = DownReason::Silent;
    assert_eq!(rig.notice().await, Notice::Down { reason });
}

#[tokio::test]
async fn a_login_that_is_not_answered_is_given_up() {
    let rig = Rig::new(ClientConfig {
        action_timeout: Duration::from_millis(100),
        ..config()
    })
    .await;
    let mute = rig.accept_silently().await;
    let mut greeted = rig.accept().await;
    greeted.action("Login").await;
    let _third = rig.accept_silently().await;
    let error = rig.client.health().last_error.unwrap();
    assert_eq!(error, DownReason::LoginTimeout.to_string());
    drop(mute);
}

#[tokio::test]
async fn after_a_stalled_peer_nothing_old_is_sent() {
    let (mut rig, stalled) = Rig::up(ClientConfig {
        ping_interval: Duration::from_millis(500),
        ping_timeout: Duration::from_millis(500),
        action_timeout: Duration::from_mins(1),
        ..config()
    })
    .await;
    // More than all buffers between here and there take.
    let long = "x".repeat(900);
    let sends: Vec<_> = (0..20_000)
        .map(|_| send(&rig, actions::hangup(&long, None)))
        .collect();
    let mut counts = [0, 0, 0];
    for sending in sends {
        match soon("an answer", sending).await.unwrap() {
            Err(ActionError::Busy) => counts[0] += 1,
            Err(ActionError::UnknownOutcome) => counts[1] += 1,
            // Still in the queue when the link was lost, or later.
            Err(ActionError::NotConnected) => counts[2] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
    assert!(counts[1] <= 1_024, "{counts:?}");
    let reason = DownReason::Silent;
    assert_eq!(rig.notice().await, Notice::Down { reason });
    drop(stalled);
    let mut peer = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    assert!(peer.hears_nothing(Duration::from_millis(300)).await);
    assert_works(&mut rig, &mut peer).await;
}
