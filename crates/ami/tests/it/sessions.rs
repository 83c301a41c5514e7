//! The two sessions of a link.

use std::time::Duration;

use strowger_ami::{
    ActionError, ClientConfig, DownReason, LinkState, Notice,
    actions::{self, OriginateRequest},
};

use crate::server::{Peer, Rig, config, soon};

fn two_sessions() -> ClientConfig {
    ClientConfig {
        two_sessions: true,
        ping_interval: Duration::from_millis(100),
        ..config()
    }
}

async fn up() -> (Rig, Peer, Peer) {
    let mut rig = Rig::new(two_sessions()).await;
    let control = rig.control().await;
    let events = rig.logged_in().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    (rig, events, control)
}

fn originate() -> strowger_ami::Action {
    actions::originate(&OriginateRequest {
        channel: "PJSIP/33123456789@carrier".into(),
        channel_id: "att-1".into(),
        context: "strowger-dialer".into(),
        exten: "s".into(),
        priority: 1,
        timeout_ms: 30_000,
        ..OriginateRequest::default()
    })
}

#[tokio::test]
async fn a_list_that_never_ends_does_not_delay_an_originate() {
    let (rig, mut events, mut control) = up().await;
    let client = rig.client.clone();
    let listing = rig
        .tracker
        .spawn(async move { client.list(actions::core_show_channels()).await });
    let list = events.action("CoreShowChannels").await;
    events
        .answer(&list, &[("Response", "Success"), ("EventList", "start")])
        .await;
    for _ in 0..3 {
        let client = rig.client.clone();
        let sending = rig
            .tracker
            .spawn(async move { client.send(originate()).await });
        let action = control.action("Originate").await;
        control.answer(&action, &[("Response", "Success")]).await;
        assert!(soon("an answer", sending).await.unwrap().is_ok());
    }
    assert!(!listing.is_finished());
    events
        .answer(
            &list,
            &[
                ("Event", "CoreShowChannelsComplete"),
                ("EventList", "Complete"),
            ],
        )
        .await;
    assert_eq!(soon("the list", listing).await.unwrap(), Ok(Vec::new()));
}

#[tokio::test]
async fn lists_are_asked_for_one_at_a_time() {
    let (rig, mut events, _control) = up().await;
    let lists: Vec<_> = (0..2)
        .map(|_| {
            let client = rig.client.clone();
            rig.tracker
                .spawn(async move { client.list(actions::core_show_channels()).await })
        })
        .collect();
    for list in lists {
        let action = events.action("CoreShowChannels").await;
        // Not even a Ping: Asterisk would not answer it before the list has begun.
        assert!(events.hears_nothing(Duration::from_millis(300)).await);
        events
            .answer(&action, &[("Response", "Success"), ("EventList", "start")])
            .await;
        events
            .answer(&action, &[("Event", "X"), ("EventList", "Complete")])
            .await;
        assert_eq!(soon("the list", list).await.unwrap(), Ok(Vec::new()));
    }
}

#[tokio::test]
async fn a_list_that_nobody_waits_for_holds_no_other_up() {
    let (rig, mut events, _control) = up().await;
    let short = Duration::from_millis(10);
    let lost = rig.client.list_within(actions::core_show_channels(), short);
    assert_eq!(lost.await, Err(ActionError::TimedOut));
    events.action("CoreShowChannels").await;
    let client = rig.client.clone();
    let listing = rig
        .tracker
        .spawn(async move { client.list(actions::core_show_channels()).await });
    let action = events.action("CoreShowChannels").await;
    events
        .answer(&action, &[("Response", "Success"), ("EventList", "start")])
        .await;
    events
        .answer(&action, &[("Event", "X"), ("EventList", "Complete")])
        .await;
    assert_eq!(soon("the list", listing).await.unwrap(), Ok(Vec::new()));
}

#[tokio::test]
async fn the_loss_of_either_session_is_the_loss_of_the_link() {
    for lost in ["events", "control"] {
        let (mut rig, events, mut control) = up().await;
        let client = rig.client.clone();
        let sending = rig
            .tracker
            .spawn(async move { client.send(originate()).await });
        control.action("Originate").await;
        let (mut other, gone) = if lost == "events" {
            (control, events)
        } else {
            (events, control)
        };
        drop(gone);
        assert_eq!(
            soon("an answer", sending).await.unwrap(),
            Err(ActionError::UnknownOutcome)
        );
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
        assert!(other.next().await.is_none(), "the other session goes too");
        let _again = (rig.control().await, rig.logged_in().await);
        assert!(matches!(rig.notice().await, Notice::Up { .. }));
        assert_eq!(rig.client.health().state, LinkState::Up);
    }
}

#[tokio::test]
async fn an_account_for_one_session_is_told_so() {
    let rig = Rig::new(two_sessions()).await;
    let _control = rig.control().await;
    let mut events = rig.accept().await;
    let login = events.action("Login").await;
    events
        .answer(
            &login,
            &[("Response", "Error"), ("Message", "Login Already In Use")],
        )
        .await;
    let _again = rig.accept().await;
    let error = rig.client.health().last_error.unwrap();
    assert!(error.contains("two_sessions"), "{error}");
}
