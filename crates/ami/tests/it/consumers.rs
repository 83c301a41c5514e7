//! Several consumers of one link, late ones among them.

use std::fmt::Write as _;

use strowger_ami::{
    Client, Consumer, Event, EventKind, EventSet, Events, GapReason, LinkState, Notice, Overflow,
    actions,
};

use crate::server::{Peer, Rig, config, soon};

/// Events of one flood: more than all queues and socket buffers hold.
const EVENTS: usize = 200_000;

/// Small, so that a flood fills it many times over.
const QUEUE_BYTES: usize = 256 * 1024;

/// Every second event is a Hangup, the others are for monitors.
async fn flood(mut peer: Peer, events: usize) -> Peer {
    const CHUNK: usize = 1_000;
    for chunk in 0..events / CHUNK {
        let mut text = String::new();
        for number in chunk * CHUNK..(chunk + 1) * CHUNK {
            let event = if number % 2 == 0 {
                format!(
                    "Event: Hangup\r\nChannel: A/{number}\r\nUniqueid: {number}\r\nCause: 16\r\n\r\n"
                )
            } else {
                format!(
                    "Event: VarSet\r\nChannel: A/{number}\r\nVariable: N\r\nValue: {number}\r\nUniqueid: {number}\r\n\r\n"
                )
            };
            write!(text, "{event}").unwrap();
        }
        peer.write(text.as_bytes()).await;
    }
    peer
}

async fn next(what: &str, events: &mut Events) -> Notice {
    soon(what, events.recv()).await.expect("the link goes on")
}

fn monitor(client: &Client, name: &str) -> Events {
    client.subscribe(Consumer {
        queue_bytes: QUEUE_BYTES,
        ..Consumer::monitor(name)
    })
}

fn call_state() -> Consumer {
    Consumer {
        queue_bytes: QUEUE_BYTES,
        ..Consumer::call_state()
    }
    .of(EventSet::of(&[EventKind::Hangup]))
}

/// Takes Hangups in their order up to `count`; anything else fails.
async fn take_hangups(events: &mut Events, count: usize) {
    for number in 0..count {
        let Notice::Event(Event::Hangup(event)) = next("a hangup", events).await else {
            panic!("an event is missing before {number}");
        };
        assert_eq!(event.channel().uniqueid(), (number * 2).to_string());
    }
}

#[tokio::test]
async fn a_late_monitor_has_one_gap_and_the_call_state_has_none() {
    let roomy = Consumer::call_state().of(EventSet::of(&[EventKind::Hangup]));
    let (mut rig, peer) = Rig::up_with(config(), roomy).await;
    let mut late = monitor(&rig.client, "late");
    assert!(matches!(next("Up", &mut late).await, Notice::Up { .. }));
    let flood = rig.tracker.spawn(flood(peer, EVENTS));
    take_hangups(&mut rig.notices, EVENTS / 2).await;
    let mut peer = soon("the flood", flood).await.unwrap();

    let health = rig.client.health();
    assert_eq!((health.state, health.reconnects), (LinkState::Up, 0));
    assert_eq!(health.pauses, 0);
    let [call_state, monitor] = health.consumers.as_slice() else {
        panic!("{health:?}");
    };
    assert_eq!((call_state.gaps, call_state.dropped), (0, 0));
    assert_eq!(call_state.delivered, u64::try_from(EVENTS / 2).unwrap());
    assert_eq!((monitor.name.as_str(), monitor.gaps), ("late", 1));
    assert!(monitor.queued_bytes <= QUEUE_BYTES + 64 * 1024 + 8 * 1024);
    let dropped = monitor.dropped;

    let mut seen = 0;
    let missing = loop {
        match next("the queue of the monitor", &mut late).await {
            Notice::Event(_) => seen += 1,
            Notice::Gap {
                reason: GapReason::QueueFull { dropped },
            } => break dropped,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(missing, dropped);
    assert_eq!(seen + missing, u64::try_from(EVENTS).unwrap());
    // It goes on behind the gap.
    peer.send(&[("Event", "UserEvent"), ("UserEvent", "After")])
        .await;
    let after = next("the event after", &mut late).await;
    assert!(matches!(after, Notice::Event(Event::UserEvent(_))));
}

#[tokio::test]
async fn a_late_call_state_pauses_the_link_and_misses_nothing() {
    let (mut rig, peer) = Rig::up_with(config(), call_state()).await;
    let flood = rig.tracker.spawn(flood(peer, EVENTS));
    // The server is held back: nothing is taken, and it cannot go on for ever.
    let paused = async {
        while rig.client.health().pauses == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the pause", paused).await;
    let queued = rig.client.health().consumers[0].queued_bytes;
    assert!(queued <= QUEUE_BYTES + 64 * 1024 + 8 * 1024, "{queued}");
    take_hangups(&mut rig.notices, EVENTS / 2).await;
    soon("the flood", flood).await.unwrap();
    let health = rig.client.health();
    assert_eq!((health.state, health.reconnects), (LinkState::Up, 0));
    assert!(health.pauses > 0);
    assert!(health.paused.as_nanos() > 0);
    assert_eq!(
        (health.consumers[0].gaps, health.consumers[0].dropped),
        (0, 0)
    );
}

#[tokio::test]
async fn a_consumer_sees_only_what_it_wants_and_asterisk_is_asked_for_no_more() {
    let wanted = EventSet::of(&[EventKind::Hangup]);
    let mut rig = Rig::with(config(), Consumer::call_state().of(wanted)).await;
    let mut peer = rig.accept().await;
    let login = peer.login().await;
    assert_eq!(login.get("Events").unwrap(), "system,call");
    peer.settings().await;
    assert!(matches!(rig.notice().await, Notice::Up { .. }));

    let users = EventSet::of(&[EventKind::UserEvent]);
    let mut second = rig.client.subscribe(Consumer::monitor("second").of(users));
    let mask = peer.action("Events").await;
    assert_eq!(mask.get("EventMask").unwrap(), "system,call,user");
    assert!(matches!(next("Up", &mut second).await, Notice::Up { .. }));

    peer.send(&[("Event", "UserEvent"), ("UserEvent", "X")])
        .await;
    peer.send(&[("Event", "Newchannel"), ("Channel", "A"), ("Uniqueid", "1")])
        .await;
    peer.send(&[("Event", "Hangup"), ("Channel", "A"), ("Uniqueid", "1")])
        .await;
    let seen = rig.notice().await;
    assert!(matches!(seen, Notice::Event(Event::Hangup(_))), "{seen:?}");
    let seen = next("the user event", &mut second).await;
    assert!(
        matches!(seen, Notice::Event(Event::UserEvent(_))),
        "{seen:?}"
    );
    assert_eq!(second.try_recv(), None);

    // Who leaves is asked for no more.
    drop(second);
    let mask = peer.action("Events").await;
    assert_eq!(mask.get("EventMask").unwrap(), "system,call");
}

#[tokio::test]
async fn the_link_ends_with_its_last_consumer() {
    let (rig, mut peer) = Rig::up(config()).await;
    let second = rig.client.subscribe(Consumer {
        overflow: Overflow::Drop,
        ..Consumer::call_state()
    });
    drop(rig.notices);
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::hangup("A", None)).await });
    let hangup = peer.action("Hangup").await;
    peer.answer(&hangup, &[("Response", "Success")]).await;
    assert!(soon("an answer", sending).await.unwrap().is_ok());
    drop(second);
    peer.action("Logoff").await;
    rig.tracker.close();
    soon("the end of the task", rig.tracker.wait()).await;
    // A consumer that comes after the end is not left waiting.
    let mut late = rig.client.subscribe(Consumer::monitor("too late"));
    assert_eq!(soon("the end", late.recv()).await, None);
}

#[tokio::test]
async fn who_comes_during_the_login_is_asked_for_after_it() {
    let wanted = EventSet::of(&[EventKind::Hangup]);
    let rig = Rig::with(config(), Consumer::call_state().of(wanted)).await;
    let mut peer = rig.accept().await;
    let login = peer.login().await;
    assert_eq!(login.get("Events").unwrap(), "system,call");
    let users = EventSet::of(&[EventKind::UserEvent]);
    let mut late = rig.client.subscribe(Consumer::monitor("late").of(users));
    peer.settings().await;
    let mask = peer.action("Events").await;
    assert_eq!(mask.get("EventMask").unwrap(), "system,call,user");
    assert!(matches!(next("Up", &mut late).await, Notice::Up { .. }));
}

#[tokio::test]
async fn who_comes_after_a_refusal_is_told_of_it() {
    let mut rig = Rig::new(config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    let failed = ("Message", "Authentication failed");
    peer.answer(&login, &[("Response", "Error"), failed]).await;
    assert!(matches!(
        rig.notice().await,
        Notice::AuthenticationRefused { .. }
    ));
    let mut late = rig.client.subscribe(Consumer::monitor("late"));
    assert!(matches!(
        next("the refusal", &mut late).await,
        Notice::AuthenticationRefused { .. }
    ));
}

#[tokio::test]
async fn what_was_before_the_end_of_a_list_is_there_when_the_list_is() {
    let (mut rig, mut peer) = Rig::up(config()).await;
    for round in 0..50 {
        let client = rig.client.clone();
        let listing = rig
            .tracker
            .spawn(async move { client.list(actions::core_show_channels()).await });
        let list = peer.action("CoreShowChannels").await;
        let id = list.action_id().unwrap();
        // One packet, so that all of it is one read.
        let text = format!(
            "Response: Success\r\nActionID: {id}\r\nEventList: start\r\n\r\n\
             Event: Hangup\r\nChannel: A\r\nUniqueid: {round}\r\n\r\n\
             Event: CoreShowChannelsComplete\r\nActionID: {id}\r\nEventList: Complete\r\n\r\n"
        );
        peer.write(text.as_bytes()).await;
        assert_eq!(soon("the list", listing).await.unwrap(), Ok(Vec::new()));
        let Some(Notice::Event(Event::Hangup(event))) = rig.notices.try_recv() else {
            panic!("the event is not there");
        };
        assert_eq!(event.channel().uniqueid(), round.to_string());
    }
}
