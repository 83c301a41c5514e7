//! Peers that cut, stall, flood and lie.

mod cuts;
mod floods;
mod nonsense;
mod pieces;
mod silence;
mod storms;

use strowger_ami::{ActionError, Client, DownReason, Message, Notice, actions, encode_frame};
use tokio::task::JoinHandle;

use crate::server::{Peer, Rig, soon};

/// Waits for a condition.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let met = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    soon(what, met).await;
}

/// Sends an action in the background.
fn send(rig: &Rig, action: strowger_ami::Action) -> JoinHandle<Result<Message, ActionError>> {
    let client = rig.client.clone();
    rig.tracker.spawn(async move { client.send(action).await })
}

/// Asks for a list in the background.
fn list(client: &Client, rig: &Rig) -> JoinHandle<Result<Vec<Message>, ActionError>> {
    let client = client.clone();
    rig.tracker
        .spawn(async move { client.list(actions::core_show_channels()).await })
}

fn answer_to(action: &Message, headers: &[(&str, &str)]) -> bytes::Bytes {
    let id = action.action_id().unwrap();
    let mut all = vec![headers[0], ("ActionID", &id)];
    all.extend(&headers[1..]);
    encode_frame(&all)
}

/// The link works: it carries an event and an action.
async fn assert_works(rig: &mut Rig, peer: &mut Peer) {
    peer.send(&[("Event", "Alive")]).await;
    let Notice::Event(event) = rig.notice().await else {
        panic!("no event")
    };
    assert_eq!(event.raw().name(), "Alive");
    let sending = send(rig, actions::hangup("A", None));
    let action = peer.action("Hangup").await;
    peer.answer(&action, &[("Response", "Success")]).await;
    assert!(soon("an answer", sending).await.unwrap().is_ok());
}

fn is_lost(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Down {
            reason: DownReason::Closed | DownReason::Io(_)
        }
    )
}
