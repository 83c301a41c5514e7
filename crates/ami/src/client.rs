//! A link to one Asterisk server that is made again whenever it breaks.
//!
//! # Two sessions
//!
//! Asterisk works on the actions of a session one after the other, so a list of
//! ten thousand channels delays whatever is sent behind it. A link therefore has
//! two sessions: one carries the events, the lists and the other actions that
//! [take long](crate::Action::is_slow), the other the actions of call control. When
//! either is lost, both are made again.
//!
//! # Consumers, queues, and what happens when they are full
//!
//! One task owns the sockets. It cuts and enqueues; parsing and typing happen where
//! a [consumer](Consumer) takes what it wants, so that a late one costs nothing but
//! its queue.
//!
//! | queue | bound | when full |
//! |---|---|---|
//! | a consumer that may lose nothing ([`Overflow::Pause`]) | [`Consumer::queue_bytes`] | the session of the events is not read until half the queue is free; the network holds the server back. Asterisk closes a session that stays so for its `writetimeout`, which is a [`Notice::Down`] |
//! | a consumer that may ([`Overflow::Drop`]) | the same | events are dropped and counted until half the queue is free; one [`Notice::Gap`] stands at their place |
//! | actions to the task | 256 of each kind | [`ActionError::Busy`] |
//! | actions waiting for an answer | 1,024 of a session | the task takes no more from the queues above |
//! | items of one list | 50,000 | [`ActionError::ListTooLong`] |
//!
//! With the default bound and `writetimeout = 5000` in `manager.conf`, a consumer
//! of call state may stop for as long as Asterisk needs to send 32 MiB, some
//! twenty seconds at thirty calls a second, and five seconds more, without anybody
//! noticing.
//!
//! # Answers without an `ActionID`
//!
//! A session answers its actions in the order they were sent. An error that names
//! no action (as one about too many headers may) therefore answers the oldest
//! action that has none yet. An action that timed out keeps its place in that
//! order until a later one is answered.

mod dispatch;
mod handshake;
mod health;
mod inbox;
mod keepalive;
mod lane;
mod link;
mod pending;
mod tls;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::action::{Action, EncodeError};
use crate::codec::DecodeError;
use crate::event::{Event, EventSet};
use crate::message::Message;

pub use health::{ConsumerHealth, Health, LinkState};
pub use inbox::Events;
pub use tls::{Tls, TlsError};

use dispatch::Dispatch;
use health::Shared;
use inbox::Inbox;
use lane::Lane;
use link::Link;
use pending::Reply;

/// Actions of each kind that may wait for the task.
const ACTION_QUEUE: usize = 256;

/// How the secret is shown to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// As the MD5 of a challenge and the secret. The default.
    #[default]
    Md5,
    /// In clear text, for a connection that cannot be listened to.
    Plain,
}

/// Where the server is and how patient to be with it.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Our name of the server, in logs only.
    pub server: String,
    /// Host name or address.
    pub host: String,
    /// TCP port, 5038 by default; 5039 is usual for TLS.
    pub port: u16,
    /// Account in `manager.conf`.
    pub username: String,
    /// Secret of that account.
    pub secret: SecretString,
    /// How to log in.
    pub auth: Auth,
    /// Whether and how to encrypt; not, by default.
    pub tls: Option<Tls>,
    /// Whether to use a session of its own for call control, see
    /// [the module](crate::client). `true` by default; `false` for an account with
    /// `allowmultiplelogin = no`.
    pub two_sessions: bool,
    /// Whether to ask Asterisk for filters, so that it sends nothing of the wanted
    /// classes but what consumers want. Needs class `system` for writing; where
    /// that is refused, the log says so once a login. `false` by default:
    /// `eventfilter` in `manager.conf` does the same for an account without it.
    pub server_filters: bool,
    /// Pause between the answer to a Ping and the next Ping; 5 s by default.
    pub ping_interval: Duration,
    /// The link is given up when, with a Ping unanswered, nothing at all has been
    /// received for this long; 5 s by default.
    pub ping_timeout: Duration,
    /// How long an action, a list, and the login may take; 10 s by default.
    pub action_timeout: Duration,
    /// How long the TCP connection may take; 5 s by default.
    pub connect_timeout: Duration,
    /// How long to wait for `FullyBooted` after the login, while Asterisk is still
    /// starting; 10 s by default. Zero for an account that does not read class
    /// `system`, which never sees that event.
    pub boot_wait: Duration,
    /// Longest pause before the first new attempt; 250 ms by default. The pause is
    /// drawn evenly between zero and its bound, and the bound doubles each time.
    pub backoff_min: Duration,
    /// Longest pause at all; 15 s by default.
    pub backoff_max: Duration,
    /// The bound of the pause starts over only after a link has lasted this long; 30 s by default.
    pub stable_after: Duration,
    /// Seed of the pauses and of the prefix of action ids. `None`, the default,
    /// takes one from the random keys that the standard library gives its hash maps.
    /// A fixed seed is for tests: the outcome of an Originate is shown to every
    /// session, so that two links need different action ids.
    pub seed: Option<u64>,
}

impl ClientConfig {
    /// The defaults, for one server and account.
    pub fn new(
        host: impl Into<String>,
        username: impl Into<String>,
        secret: impl Into<SecretString>,
    ) -> Self {
        let host = host.into();
        Self {
            server: host.clone(),
            host,
            port: 5038,
            username: username.into(),
            secret: secret.into(),
            auth: Auth::default(),
            tls: None,
            two_sessions: true,
            server_filters: false,
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(5),
            action_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            boot_wait: Duration::from_secs(10),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(15),
            stable_after: Duration::from_secs(30),
            seed: None,
        }
    }
}

/// What happens when a consumer does not take its events in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The link pauses until the consumer has caught up: nothing is lost while the
    /// link is up. Everybody waits for such a consumer, so it is for the one that
    /// keeps the state of calls.
    Pause,
    /// Events are dropped, and a [`Notice::Gap`] says so. For everybody else.
    Drop,
}

/// Who consumes events, which ones, and how patient the link is with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Its name, in health and metrics.
    pub name: String,
    /// What it wants. Asterisk is asked for the classes of what all consumers want.
    pub events: EventSet,
    /// What happens when its queue is full.
    pub overflow: Overflow,
    /// Bound of its queue in bytes, exceeded by one read of at most 64 KiB.
    pub queue_bytes: usize,
}

impl Consumer {
    /// For what keeps the state of calls: all events, of which it loses none, and
    /// 32 MiB.
    pub fn call_state() -> Self {
        Self {
            name: "call-state".into(),
            events: EventSet::ALL,
            overflow: Overflow::Pause,
            queue_bytes: 32 * 1024 * 1024,
        }
    }

    /// For what only watches: all events, some of which it may lose, and 4 MiB.
    pub fn monitor(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            events: EventSet::ALL,
            overflow: Overflow::Drop,
            queue_bytes: 4 * 1024 * 1024,
        }
    }

    /// The same with these events alone.
    #[must_use]
    pub fn of(self, events: EventSet) -> Self {
        Self { events, ..self }
    }
}

/// What a consumer is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The login was accepted. Every event from now on is delivered, but none of
    /// before: take a snapshot (`CoreShowChannels`).
    Up {
        /// Version of the interface, such as `11.0.0` for Asterisk 22.
        ami_version: String,
        /// Version of Asterisk, if the account may ask (class `system` or `reporting`).
        asterisk_version: Option<String>,
        /// How long Asterisk has been running; `None` while it is still starting
        /// or if the account does not read class `system`.
        boot: Option<Boot>,
    },
    /// Something happened in Asterisk.
    Event(Event),
    /// Events were lost although the link is up: take a snapshot.
    Gap {
        /// Why.
        reason: GapReason,
    },
    /// The link is lost; it is being made again. Sent only after an `Up`.
    Down {
        /// Why.
        reason: DownReason,
    },
    /// The server refused the account. That is final: no further attempt is made
    /// until [`Client::retry`], since each may count against us (`fail2ban`).
    AuthenticationRefused {
        /// What the server said.
        message: String,
    },
}

/// Since when Asterisk has been running, from its `FullyBooted` event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Seconds since its start. A value lower than before means a restart.
    pub uptime_s: Option<u64>,
    /// Seconds since its last reload.
    pub last_reload_s: Option<u64>,
}

/// Why events are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GapReason {
    /// The owner did not take them in time.
    #[error("the event queue was full, {dropped} events are missing")]
    QueueFull {
        /// How many were dropped.
        dropped: u64,
    },
    /// A frame, which may have been an event, could not be read.
    #[error("a frame was skipped: {0}")]
    Skipped(DecodeError),
}

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownReason {
    /// The TCP connection could not be made.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection could not be encrypted.
    #[error("no TLS connection: {0}")]
    Tls(String),
    /// Reading or writing failed.
    #[error("the connection failed: {0}")]
    Io(String),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// A Ping was not answered and nothing else came: the peer is gone without a word.
    #[error("the server is silent")]
    Silent,
    /// Whatever listens there is no Asterisk.
    #[error("the peer is not an Asterisk manager interface")]
    NotAManager,
    /// The greeting or the answer to the login did not come in time.
    #[error("the login was not answered in time")]
    LoginTimeout,
    /// The account allows one session and has one, perhaps our own broken one.
    #[error(
        "the account has another session: allow several (allowmultiplelogin in manager.conf), or use one (two_sessions)"
    )]
    AccountInUse,
    /// The account or its secret cannot be written into a login.
    #[error("the login cannot be written: {0}")]
    Encode(#[from] EncodeError),
}

/// Why an action has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// Asterisk answered `Response: Error`. Some lists do so when they are empty.
    #[error("asterisk refused: {message}")]
    Rejected {
        /// Its `Message`; of a command of the console, the output, lines joined with
        /// a line feed.
        message: String,
    },
    /// No answer within [`ClientConfig::action_timeout`]; the action may have happened.
    #[error("no answer in time, the action may have happened")]
    TimedOut,
    /// The link was lost before the answer; the action may have happened.
    #[error("the link was lost before the answer, the action may have happened")]
    UnknownOutcome,
    /// There is no link; the action was not sent.
    #[error("not connected, the action was not sent")]
    NotConnected,
    /// The action cannot be written; it was not sent.
    #[error("the action was not sent: {0}")]
    Encode(#[from] EncodeError),
    /// Too many actions are waiting; this one was not sent.
    #[error("too many actions are waiting, this one was not sent")]
    Busy,
    /// The list has more than 50,000 items.
    #[error("the list is too long")]
    ListTooLong,
}

impl ActionError {
    /// Whether the action certainly did not happen, so that it may be tried again.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::TimedOut | Self::UnknownOutcome)
    }
}

/// Handle to a link. Clones share the link.
#[derive(Clone, Debug)]
pub struct Client {
    quick: mpsc::Sender<Command>,
    slow: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    action_timeout: Duration,
}

/// An action on its way to the task.
#[derive(Debug)]
struct Command {
    action: Action,
    reply: Reply,
}

/// Starts a link with its first consumer. Its task runs on `tracker` until `cancel`
/// is cancelled (it then logs off) or every consumer is dropped. Nothing has been
/// tried yet on return: wait for [`Notice::Up`].
pub fn connect(
    config: ClientConfig,
    consumer: Consumer,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> (Client, Events) {
    let (quick, quick_queue) = mpsc::channel(ACTION_QUEUE);
    let (slow, slow_queue) = mpsc::channel(ACTION_QUEUE);
    let shared = Arc::new(Shared::new());
    let client = Client {
        quick,
        slow,
        shared: Arc::clone(&shared),
        action_timeout: config.action_timeout,
    };
    let events = client.subscribe(consumer);
    let seed = config
        .seed
        .unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let mut rng = StdRng::seed_from_u64(seed);
    let prefix = format!("sw{:08x}", rng.random::<u32>());
    let mut events_lane = Lane::new(format!("{prefix}e"), Arc::clone(&shared));
    let mut control_lane = Lane::new(format!("{prefix}c"), Arc::clone(&shared));
    events_lane.slow = Some(slow_queue);
    if config.two_sessions {
        control_lane.quick = Some(quick_queue);
    } else {
        events_lane.quick = Some(quick_queue);
    }
    let link = Link {
        config,
        events: events_lane,
        control: control_lane,
        dispatch: Dispatch::new(&shared),
        shared,
        rng,
        cancel,
    };
    tracker.spawn(link.run());
    (client, events)
}

/// Lets the task look again when somebody stops waiting, whatever for.
struct Wake<'a>(&'a Shared);

impl Drop for Wake<'_> {
    fn drop(&mut self) {
        self.0.changed.notify_one();
    }
}

impl Client {
    /// Sends an action and waits for its response, for as long as
    /// [`ClientConfig::action_timeout`].
    ///
    /// Dropping the future does not take back an action that was written.
    ///
    /// # Errors
    /// [`ActionError`]; see [`ActionError::is_certain`] before trying again.
    pub async fn send(&self, action: Action) -> Result<Message, ActionError> {
        self.send_within(action, self.action_timeout).await
    }

    /// Like [`send`](Self::send), with a patience of one's own.
    ///
    /// # Errors
    /// [`ActionError`].
    pub async fn send_within(
        &self,
        action: Action,
        within: Duration,
    ) -> Result<Message, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.submit(action, Reply::Response(reply))?;
        self.wait(answer, within).await
    }

    /// Sends an action that is answered by a list of events, and collects its
    /// items up to the closing event, which is left out. Other events pass by
    /// meanwhile and reach the consumers as usual, those before the end of the list
    /// before this returns; items of the list do not.
    ///
    /// Lists are asked for one at a time, and on the session of the events: while
    /// that one pauses for a consumer, they wait.
    ///
    /// # Errors
    /// [`ActionError`].
    pub async fn list(&self, action: Action) -> Result<Vec<Message>, ActionError> {
        self.list_within(action, self.action_timeout).await
    }

    /// Like [`list`](Self::list), with a patience of one's own.
    ///
    /// # Errors
    /// [`ActionError`].
    pub async fn list_within(
        &self,
        action: Action,
        within: Duration,
    ) -> Result<Vec<Message>, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.submit(action, Reply::list(reply))?;
        self.wait(answer, within).await
    }

    /// Adds a consumer. It is told [`Notice::Up`] first, at once if the link is up.
    /// After a link has ended for good it is told nothing.
    pub fn subscribe(&self, consumer: Consumer) -> Events {
        let inbox = Arc::new(Inbox::new(consumer, Arc::clone(&self.shared)));
        self.shared.join(Arc::clone(&inbox));
        Events::new(inbox)
    }

    /// Tries to log in again after the server refused the account, since the
    /// account or the server has been corrected. Without effect otherwise.
    pub fn retry(&self) {
        if self.shared.is_refused() {
            self.shared.retry.notify_one();
        }
    }

    /// State and counters of the link, for health checks and metrics.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    fn submit(&self, action: Action, reply: Reply) -> Result<(), ActionError> {
        if !self.shared.is_up() {
            return Err(ActionError::NotConnected);
        }
        let queue = if action.is_slow() || matches!(reply, Reply::List { .. }) {
            &self.slow
        } else {
            &self.quick
        };
        queue
            .try_send(Command { action, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ActionError::Busy,
                mpsc::error::TrySendError::Closed(_) => ActionError::NotConnected,
            })
    }

    async fn wait<T>(
        &self,
        answer: oneshot::Receiver<Result<T, ActionError>>,
        within: Duration,
    ) -> Result<T, ActionError> {
        // The task finds the closed reply of who waits no longer, and keeps its place
        // until it is answered; a slow action behind it need not wait any more.
        let _wake = Wake(&self.shared);
        match timeout(within, answer).await {
            Ok(Ok(result)) => result,
            // The task was dropped with its runtime.
            Ok(Err(_)) => Err(ActionError::UnknownOutcome),
            Err(_) => Err(ActionError::TimedOut),
        }
    }
}
