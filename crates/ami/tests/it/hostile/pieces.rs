//! Streams in the smallest pieces, and in any.

use proptest::prelude::*;
use strowger_ami::{
    ClientConfig, Decoded, Decoder, Event, Message, Notice, actions, encode_banner, encode_frame,
};

use super::{answer_to, list, send};
use crate::server::{Peer, Rig, config, soon};

/// Writes each byte by itself, and lets others run in between.
async fn trickle(peer: &mut Peer, bytes: &[u8]) {
    for byte in bytes {
        peer.write(&[*byte]).await;
        tokio::task::yield_now().await;
    }
}

/// Answers the next action of this name, byte by byte.
async fn trickle_answer(peer: &mut Peer, name: &str, headers: &[(&str, &str)]) -> Message {
    let action = peer.action(name).await;
    trickle(peer, &answer_to(&action, headers)).await;
    action
}

async fn trickle_login(rig: &Rig) -> Peer {
    let mut peer = rig.accept_silently().await;
    peer.stream.set_nodelay(true).unwrap();
    trickle(&mut peer, &encode_banner("11.0.0")).await;
    trickle_answer(&mut peer, "Login", &[("Response", "Success")]).await;
    peer
}

#[tokio::test]
async fn both_sessions_work_byte_by_byte() {
    let mut rig = Rig::new(ClientConfig {
        two_sessions: true,
        ..config()
    })
    .await;
    let mut control = trickle_login(&rig).await;
    let mut events = trickle_login(&rig).await;
    let version = [("Response", "Success"), ("AsteriskVersion", "22.10.1")];
    trickle_answer(&mut events, "CoreSettings", &version).await;
    let up = rig.notice().await;
    let Notice::Up {
        asterisk_version, ..
    } = up
    else {
        panic!("{up:?}")
    };
    assert_eq!(asterisk_version.as_deref(), Some("22.10.1"));

    let listing = list(&rig.client, &rig);
    let start = [("Response", "Success"), ("EventList", "start")];
    let action = trickle_answer(&mut events, "CoreShowChannels", &start).await;
    for channel in ["A", "B", "C"] {
        let sending = send(&rig, actions::hangup(channel, None));
        let item = [("Event", "CoreShowChannel"), ("Channel", channel)];
        trickle(&mut events, &answer_to(&action, &item)).await;
        let hangup = [("Event", "Hangup"), ("Channel", channel), ("Uniqueid", "1")];
        trickle(&mut events, &encode_frame(&hangup)).await;
        trickle_answer(&mut control, "Hangup", &[("Response", "Success")]).await;
        assert!(soon("an answer", sending).await.unwrap().is_ok());
        let notice = rig.notice().await;
        assert!(
            matches!(notice, Notice::Event(Event::Hangup(_))),
            "{notice:?}"
        );
    }
    let end = [("Event", "X"), ("EventList", "Complete")];
    trickle(&mut events, &answer_to(&action, &end)).await;
    assert_eq!(soon("the list", listing).await.unwrap().unwrap().len(), 3);
}

/// What the decoder finds in a stream without greeting: the names of its events, and
/// whether anything was skipped.
fn expected(stream: &[u8]) -> (Vec<String>, bool) {
    let mut decoder = Decoder::for_server();
    decoder.push(stream);
    let (mut events, mut skipped) = (Vec::new(), false);
    while let Some(item) = decoder.next() {
        match item {
            Ok(Decoded::Frame(frame)) if frame.kind() == strowger_ami::Kind::Event => {
                events.push(frame.name().into_owned());
            }
            Ok(_) => {}
            Err(_) => skipped = true,
        }
    }
    (events, skipped)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The link, which takes many frames at once, delivers what the decoder finds in
    /// the same stream.
    #[test]
    fn the_link_delivers_what_the_decoder_finds(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "\r\n", "\r", "\n", "Event: X", "Event: Y\r\n\r\n", "Response: Follows\r\n",
            "--END COMMAND--", ": ", "é", "\r\n\r\n", "event:Z\r\nA: b\r\n\r\n", "x\r\n\r\n",
        ]), 0..120),
        chunk in 1..300_usize,
    ) {
        // An end that closes whatever is open.
        let stream = [&pieces.concat(), "\r\n\r\n--END COMMAND--\r\n\r\nEvent: End\r\n\r\n"].concat();
        let (events, skipped) = expected(stream.as_bytes());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut rig, mut peer) = Rig::up(config()).await;
            for piece in stream.as_bytes().chunks(chunk) {
                peer.write(piece).await;
                tokio::task::yield_now().await;
            }
            let (mut found, mut gaps) = (Vec::new(), false);
            while found.last().is_none_or(|name| name != "End") {
                match rig.notice().await {
                    Notice::Event(event) => found.push(event.raw().name().into_owned()),
                    Notice::Gap { .. } => gaps = true,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!((found, gaps), (events, skipped));
        });
    }
}
