//! Peers that never stop.

use std::time::Duration;

use strowger_ami::{ClientConfig, Consumer, DecodeError, DownReason, GapReason, Notice};
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::{assert_works, until};
use crate::server::{Peer, Rig, config, soon};

/// Bytes of a flood: many times of what may be kept.
const FLOOD_BYTES: usize = 128 * 1024 * 1024;

/// How much the process may grow by a flood, tests beside it included.
const GROWTH_BYTES: usize = 64 * 1024 * 1024;

/// What the process holds in memory now.
fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// Writes a piece over and over. Whether the client took all of it.
async fn flood(peer: &mut Peer, piece: &[u8], bytes: usize) -> bool {
    let block = piece.repeat((256 * 1024 / piece.len()).max(1));
    for _ in 0..bytes / block.len() {
        if soon("a write", peer.stream.write_all(&block))
            .await
            .is_err()
        {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn an_endless_greeting_is_cut_off() {
    let rig = Rig::new(config()).await;
    let mut peer = rig.accept_silently().await;
    assert!(!flood(&mut peer, b"x", FLOOD_BYTES).await);
    let _again = rig.accept_silently().await;
    let error = rig.client.health().last_error.unwrap();
    assert_eq!(error, DownReason::NotAManager.to_string());
}

/// A link that is flooded with `piece` behind `begin` keeps its memory, says that a
/// frame was lost if `gap`, and works after `end`.
async fn assert_survives_flood(begin: &[u8], piece: &[u8], end: &[u8], gap: bool) {
    let (mut rig, mut peer) = Rig::up(config()).await;
    let before = resident_bytes();
    peer.write(begin).await;
    assert!(flood(&mut peer, piece, FLOOD_BYTES).await);
    peer.write(end).await;
    if gap {
        let reason = GapReason::Skipped(DecodeError::FrameTooLong);
        assert_eq!(rig.notice().await, Notice::Gap { reason });
    }
    assert_works(&mut rig, &mut peer).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "{grown} bytes more");
}

#[tokio::test]
async fn an_endless_header_costs_no_memory() {
    assert_survives_flood(b"Event: X\r\nA: ", b"x", b"\r\n\r\n", true).await;
}

#[tokio::test]
async fn endless_headers_cost_no_memory() {
    assert_survives_flood(b"Event: X\r\n", b"A: b\r\n", b"\r\n", true).await;
}

#[tokio::test]
async fn endless_blank_lines_cost_no_memory_and_mean_nothing() {
    assert_survives_flood(b"", b"\r\n", b"", false).await;
}

#[tokio::test]
async fn endless_output_of_an_old_command_costs_no_memory() {
    let end = b"\r\n--END COMMAND--\r\n\r\n";
    let (mut rig, mut peer) = Rig::up(config()).await;
    let before = resident_bytes();
    peer.write(b"Response: Follows\r\n").await;
    assert!(flood(&mut peer, b"text\r\n\r\n", FLOOD_BYTES / 8).await);
    peer.write(end).await;
    // Behind the limit it is taken for garbage, line by line.
    let gap = rig.notice().await;
    assert!(matches!(gap, Notice::Gap { .. }), "{gap:?}");
    peer.send(&[("Event", "Alive")]).await;
    let alive = async { while !matches!(rig.notice().await, Notice::Event(_)) {} };
    soon("the event", alive).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "{grown} bytes more");
}

#[tokio::test]
async fn endless_events_before_the_login_is_answered_are_given_up() {
    let rig = Rig::new(ClientConfig {
        action_timeout: Duration::from_secs(1),
        ..config()
    })
    .await;
    let mut peer = rig.accept().await;
    peer.action("Login").await;
    let before = resident_bytes();
    let began = Instant::now();
    while flood(&mut peer, b"Event: X\r\nA: b\r\n\r\n", 1024 * 1024).await {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it is taken for ever"
        );
    }
    let _again = rig.accept_silently().await;
    let error = rig.client.health().last_error.unwrap();
    assert_eq!(error, DownReason::LoginTimeout.to_string());
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "{grown} bytes more");
}

#[tokio::test]
async fn endless_events_behind_the_login_do_not_delay_the_link_for_ever() {
    let mut rig = Rig::with(
        ClientConfig {
            action_timeout: Duration::from_millis(500),
            boot_wait: Duration::from_millis(500),
            ..config()
        },
        Consumer::call_state().of(strowger_ami::EventSet::CALLS),
    )
    .await;
    let mut peer = rig.accept().await;
    peer.login().await;
    let flooding = rig.tracker.spawn(async move {
        flood(&mut peer, b"Event: X\r\nA: b\r\n\r\n", 64 * FLOOD_BYTES).await
    });
    // Nobody answers the question for the version, and nobody needs it.
    let up = rig.notice().await;
    assert!(matches!(up, Notice::Up { boot: None, .. }), "{up:?}");
    rig.cancel.cancel();
    assert!(!soon("the end of the flood", flooding).await.unwrap());
}

#[tokio::test]
async fn garbage_between_events_fills_no_queue_without_bound() {
    let queue_bytes = 256 * 1024;
    let consumer = Consumer {
        queue_bytes,
        ..Consumer::call_state()
    };
    let (mut rig, mut peer) = Rig::up_with(config(), consumer).await;
    let before = resident_bytes();
    let flooding = rig.tracker.spawn(async move {
        flood(&mut peer, b"x\r\n\r\nEvent: X\r\n\r\n", 16 * 1024 * 1024).await;
        peer
    });
    let queued = |rig: &Rig| rig.client.health().consumers[0].queued_bytes;
    until("a full queue", || queued(&rig) >= queue_bytes).await;
    // One read may bring some thousands of gaps between events, each of which counts for
    // more than its bytes.
    let most = queue_bytes + 8 * 1024 * 1024;
    let mut events = 0;
    let mut peak = 0;
    while !flooding.is_finished() || queued(&rig) > 0 {
        peak = peak.max(queued(&rig));
        match rig.notices.try_recv() {
            Some(Notice::Event(_)) => events += 1,
            Some(Notice::Gap { .. }) => {}
            None => tokio::task::yield_now().await,
            Some(other) => panic!("{other:?}"),
        }
    }
    while let Some(Notice::Event(_) | Notice::Gap { .. }) = rig.notices.try_recv() {
        events += 1;
    }
    assert!(events > 500_000, "{events}");
    assert!(peak <= most, "{peak}");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_BYTES, "{grown} bytes more");
}
