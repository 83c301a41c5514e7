//! The console's WebSocket: who is connected, what they are told, what they may say.
//!
//! One task, the pump, turns the live view and the changes of records into the console's
//! messages, once for everybody, and hands them out in batches: a socket is woken up some
//! sixty times a second at most, however much happens. Each socket takes of a batch what is for
//! it. One that does not read falls behind, is closed, and slows nobody.

mod board;
mod heard;
mod presence;
mod pump;
mod records;
mod socket;
mod status;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use strowger_core::{ids::UserId, permission::Role, time::Timestamp};
use strowger_realtime::Hub;
use tokio::sync::broadcast;
use tokio_util::task::TaskTracker;

use self::{board::ActiveCall, presence::Presence};
pub(crate) use self::{presence::end as log_out, socket::connect};
use super::instant;
use crate::state::{App, Shared};

/// Batches that a socket may fall behind: seconds at the highest rate.
const BEHIND: usize = 256;

/// How long after the records of the console were read the live states follow: it takes that
/// time to take them up, and would overwrite states that come sooner.
const AFTER_DATA: std::time::Duration = std::time::Duration::from_millis(300);

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Audience {
    /// Every socket.
    All,
    /// Supervisors and those above them.
    Supervisors,
    /// Administrators and those above them: what supervisors do not see.
    Administrators,
    /// Agents.
    Agents,
    /// The sockets of one user.
    User(UserId),
    /// Supervisors, and the sockets of one user.
    SupervisorsAnd(UserId),
}

impl Audience {
    fn includes(&self, user: &UserId, role: Role) -> bool {
        let supervises = role >= Role::Supervisor;
        match self {
            Self::All => true,
            Self::Supervisors => supervises,
            Self::Administrators => role >= Role::Administrator,
            Self::Agents => !supervises,
            Self::User(id) => id == user,
            Self::SupervisorsAnd(id) => supervises || id == user,
        }
    }
}

/// A message and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    to: Audience,
    text: Utf8Bytes,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: T,
}

/// `{"type": …, "payload": …}`.
fn envelope<T: Serialize>(kind: &str, payload: T) -> Utf8Bytes {
    // Names and texts: they can always be written.
    serde_json::to_string(&Envelope { kind, payload })
        .unwrap_or_default()
        .into()
}

impl Frame {
    fn new<T: Serialize>(to: Audience, kind: &str, payload: T) -> Self {
        Self {
            to,
            text: envelope(kind, payload),
        }
    }

    /// Has consoles read their records anew.
    fn reload(to: Audience) -> Self {
        Self::new(to, "usersBulkUpdate", serde_json::json!({}))
    }
}

/// What all sockets of the console share.
#[derive(Debug)]
pub(crate) struct Live {
    hub: Hub,
    batches: broadcast::Sender<Arc<[Frame]>>,
    presence: Presence,
    pumping: AtomicBool,
}

impl Live {
    pub(crate) fn new(hub: Hub) -> Self {
        Self {
            hub,
            batches: broadcast::channel(BEHIND).0,
            presence: Presence::default(),
            pumping: AtomicBool::new(false),
        }
    }

    fn send(&self, frames: Vec<Frame>) {
        if !frames.is_empty() {
            // An error only says that nobody is connected.
            let _ = self.batches.send(frames.into());
        }
    }

    /// Whether somebody is connected.
    fn is_watched(&self) -> bool {
        self.batches.receiver_count() > 0
    }

    /// Begins to listen; the first one starts the pump.
    fn listen(app: &Shared) -> broadcast::Receiver<Arc<[Frame]>> {
        let receiver = app.console.batches.subscribe();
        if !app.console.pumping.swap(true, Ordering::Relaxed) {
            pump::start(app);
        }
        receiver
    }

    /// The calls that the board of calls shows now, for the records of a console that begins.
    pub(crate) fn active_calls(&self, now: Timestamp) -> Vec<ActiveCall> {
        let calls = self.hub.snapshot().calls;
        calls
            .iter()
            .filter_map(|view| board::active_call(view, now))
            .collect()
    }

    /// Somebody read the records of the console: the live states follow.
    pub(crate) fn data_served(&self, tasks: &TaskTracker, user: &UserId, role: Role) {
        let (hub, batches) = (self.hub.clone(), self.batches.clone());
        let user = user.clone();
        tasks.spawn(async move {
            tokio::time::sleep(AFTER_DATA).await;
            let frames = board::states_for(&hub.agents(), &user, role);
            if !frames.is_empty() {
                // An error only says that nobody is connected.
                let _ = batches.send(frames.into());
            }
        });
    }

    /// A message that the console shows to one user under the bell.
    fn note(&self, to: &UserId, note: &Note<'_>) {
        let to = Audience::User(to.clone());
        self.send(vec![Frame::new(to, "supervisorMessage", note)]);
    }
}

/// A message to one user.
#[derive(Serialize)]
struct Note<'a> {
    id: String,
    from: &'a str,
    message: &'a str,
    timestamp: String,
}

impl<'a> Note<'a> {
    fn new(app: &App, from: &'a str, message: &'a str) -> Self {
        Self {
            id: app.new_id().to_string(),
            from,
            message,
            timestamp: instant(app.now()),
        }
    }
}
