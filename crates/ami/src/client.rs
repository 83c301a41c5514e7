//! A connection to one Asterisk server that is made again whenever it breaks.
//!
//! One task owns the socket. It only cuts, types and enqueues: Asterisk closes a
//! manager session whose writes stall for 100 ms (`writetimeout`), so the socket
//! is read even while the owner of the events is slow.
//!
//! # Queues and what happens when they are full
//!
//! | queue | bound | when full |
//! |---|---|---|
//! | notices to the owner | [`ClientConfig::event_queue`] | events are dropped and counted; one [`Notice::Gap`] follows as soon as there is room |
//! | actions to the task | 256 | [`ActionError::Busy`] |
//! | actions waiting for an answer | 1,024 | the task takes no more from the queue above |
//! | items of one list | 50,000 | [`ActionError::ListTooLong`] |
//!
//! # Answers without an `ActionID`
//!
//! A session answers its actions in the order they were sent. An error that names
//! no action (a line too long, too many headers) therefore answers the oldest
//! action that has none yet. An action that timed out keeps its place in that
//! order until a later one is answered.

mod handshake;
mod health;
mod outbox;
mod pending;
mod session;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::action::{Action, EncodeError};
use crate::codec::DecodeError;
use crate::event::Event;
use crate::message::Message;

pub use health::{Health, LinkState};

use health::Shared;
use outbox::Outbox;
use pending::Reply;
use session::Link;

/// Actions that may wait for the task.
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
    /// TCP port, 5038 by default.
    pub port: u16,
    /// Account in `manager.conf`.
    pub username: String,
    /// Secret of that account.
    pub secret: SecretString,
    /// How to log in.
    pub auth: Auth,
    /// Which events to receive, as in [`actions::events`](crate::actions::events); `on` by default.
    pub event_mask: String,
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
    /// Fixed pause after the server refused the account; 60 s by default.
    pub auth_retry: Duration,
    /// How many notices may wait for the owner; 16,384 by default.
    pub event_queue: usize,
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
            event_mask: "on".into(),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(5),
            action_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            boot_wait: Duration::from_secs(10),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(15),
            stable_after: Duration::from_secs(30),
            auth_retry: Duration::from_mins(1),
            event_queue: 16_384,
            seed: None,
        }
    }
}

/// What the owner of a link is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every notice is an event, boxing them would cost an allocation each"
)]
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
    /// The server refused the account. Sent once until a login succeeds; attempts
    /// go on every [`ClientConfig::auth_retry`].
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
    #[error("the account has another session")]
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
        /// Its `Message`.
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
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
    action_timeout: Duration,
}

/// An action on its way to the task.
#[derive(Debug)]
struct Command {
    action: Action,
    reply: Reply,
}

/// Starts a link. Its task runs on `tracker` until `cancel` is cancelled (it then
/// logs off) or the receiver is dropped. Nothing has been tried yet on return:
/// wait for [`Notice::Up`].
pub fn connect(
    config: ClientConfig,
    tracker: &TaskTracker,
    cancel: CancellationToken,
) -> (Client, mpsc::Receiver<Notice>) {
    let (commands, command_queue) = mpsc::channel(ACTION_QUEUE);
    let (notices, notice_queue) = mpsc::channel(config.event_queue.max(1));
    let shared = Arc::new(Shared::new());
    let client = Client {
        commands,
        shared: Arc::clone(&shared),
        action_timeout: config.action_timeout,
    };
    let seed = config
        .seed
        .unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let link = Link::new(
        config,
        command_queue,
        Outbox::new(notices, Arc::clone(&shared)),
        shared,
        StdRng::seed_from_u64(seed),
        cancel,
    );
    tracker.spawn(link.run());
    (client, notice_queue)
}

impl Client {
    /// Sends an action and waits for its response.
    ///
    /// Dropping the future does not take back an action that was written.
    ///
    /// # Errors
    /// [`ActionError`]; see [`ActionError::is_certain`] before trying again.
    pub async fn send(&self, action: Action) -> Result<Message, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.submit(action, Reply::Response(reply))?;
        self.wait(answer).await
    }

    /// Sends an action that is answered by a list of events, and collects its
    /// items up to the closing event, which is left out. Other events pass by
    /// meanwhile and reach the owner as usual; items of the list do not.
    ///
    /// # Errors
    /// [`ActionError`].
    pub async fn list(&self, action: Action) -> Result<Vec<Message>, ActionError> {
        let (reply, answer) = oneshot::channel();
        self.submit(action, Reply::list(reply))?;
        self.wait(answer).await
    }

    /// State and counters of the link, for health checks and metrics.
    pub fn health(&self) -> Health {
        self.shared.health()
    }

    fn submit(&self, action: Action, reply: Reply) -> Result<(), ActionError> {
        if !self.shared.is_up() {
            return Err(ActionError::NotConnected);
        }
        self.commands
            .try_send(Command { action, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ActionError::Busy,
                mpsc::error::TrySendError::Closed(_) => ActionError::NotConnected,
            })
    }

    async fn wait<T>(
        &self,
        answer: oneshot::Receiver<Result<T, ActionError>>,
    ) -> Result<T, ActionError> {
        match timeout(self.action_timeout, answer).await {
            Ok(Ok(result)) => result,
            // The task was dropped with its runtime.
            Ok(Err(_)) => Err(ActionError::UnknownOutcome),
            // The task finds the closed reply and keeps its place until it is answered.
            Err(_) => Err(ActionError::TimedOut),
        }
    }
}
