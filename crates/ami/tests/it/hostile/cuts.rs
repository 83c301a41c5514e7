//! Connections that end anywhere.

use strowger_ami::{Notice, encode_banner, encode_frame};

use super::{answer_to, assert_works, is_lost};
use crate::server::{Peer, Rig, config};

/// Plays a login up to `bytes` bytes, then closes. The session, if that is all of it.
async fn cut_login(rig: &Rig, mut bytes: usize) -> Option<Peer> {
    let mut peer = rig.accept_silently().await;
    for step in ["banner", "Login", "CoreSettings"] {
        let text = if step == "banner" {
            encode_banner("11.0.0")
        } else {
            answer_to(&peer.action(step).await, &[("Response", "Success")])
        };
        if bytes < text.len() {
            peer.write(&text[..bytes]).await;
            return None;
        }
        bytes -= text.len();
        peer.write(&text).await;
    }
    Some(peer)
}

#[tokio::test]
async fn a_login_cut_anywhere_is_no_link_and_the_next_is_one() {
    let mut rig = Rig::new(config()).await;
    let mut cuts = 0;
    let mut peer = loop {
        match cut_login(&rig, cuts).await {
            Some(peer) => break peer,
            None => cuts += 1,
        }
    };
    assert!(cuts > 100, "{cuts}");
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    assert_eq!(rig.client.health().reconnects, 0);
    assert_works(&mut rig, &mut peer).await;
}

#[tokio::test]
async fn a_stream_of_events_cut_anywhere_gives_all_complete_ones() {
    let events = [
        encode_frame(&[("Event", "A"), ("X", "1")]),
        encode_frame(&[("Event", "B")]),
        encode_frame(&[("Event", "C"), ("Y", "a: b"), ("Z", "")]),
    ];
    let stream = events.concat();
    let mut rig = Rig::new(config()).await;
    for cut in 0..=stream.len() {
        let mut peer = rig.logged_in().await;
        assert!(matches!(rig.notice().await, Notice::Up { .. }));
        peer.write(&stream[..cut]).await;
        drop(peer);
        let mut end = 0;
        for event in &events {
            end += event.len();
            if end <= cut {
                let notice = rig.notice().await;
                assert!(
                    matches!(notice, Notice::Event(_)),
                    "cut at {cut}: {notice:?}"
                );
            }
        }
        let notice = rig.notice().await;
        assert!(is_lost(&notice), "cut at {cut}: {notice:?}");
    }
}
