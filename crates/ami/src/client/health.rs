//! State and counters that the task writes and anybody reads.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::inbox::Inbox;

/// Where a link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Connecting or logging in.
    Connecting,
    /// Logged in.
    Up,
    /// Waiting before the next attempt.
    Backoff,
    /// The server refused the account. Nothing is tried until
    /// [`Client::retry`](crate::Client::retry).
    Refused,
    /// Ended for good: cancelled, or nobody takes the notices any more.
    Stopped,
}

/// A reading of a link. Counters run since [`connect`](crate::connect).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Where the link is in its life.
    pub state: LinkState,
    /// Time since the last event of Asterisk; `None` before the first.
    pub last_event_age: Option<Duration>,
    /// Events received, whether anybody wants them or not.
    pub events: u64,
    /// Bytes received by the session that carries the events.
    pub received_bytes: u64,
    /// Frames that could not be read.
    pub skipped_frames: u64,
    /// Logins after the first.
    pub reconnects: u64,
    /// Round trip of the last Ping.
    pub rtt: Option<Duration>,
    /// Actions that wait for an answer.
    pub in_flight: u64,
    /// How often reading paused because a consumer that may lose nothing was late.
    pub pauses: u64,
    /// How long all those pauses took together, the one at hand included.
    pub paused: Duration,
    /// Why the last link or attempt failed; `None` once a login succeeded.
    pub last_error: Option<String>,
    /// Its consumers, in the order in which they came.
    pub consumers: Vec<ConsumerHealth>,
}

/// A reading of one consumer's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerHealth {
    /// Its [`Consumer::name`](crate::Consumer::name).
    pub name: String,
    /// Events that wait for it.
    pub queued_events: u64,
    /// Bytes that wait for it.
    pub queued_bytes: usize,
    /// How long the oldest waiting event has waited; with nothing waiting, how
    /// long the last one had. `None` before the first.
    pub lag: Option<Duration>,
    /// Events that it has taken.
    pub delivered: u64,
    /// Events dropped because it was late.
    pub dropped: u64,
    /// [`Notice::Gap`](crate::Notice::Gap)s that it was or will be told.
    pub gaps: u64,
}

/// What the task and its handles share.
#[derive(Debug)]
pub(super) struct Shared {
    started: Instant,
    state: AtomicU8,
    /// Microseconds after `started`, plus one; 0 for never.
    last_event: AtomicU64,
    /// Microseconds, plus one; 0 for never.
    rtt: AtomicU64,
    logins: AtomicU64,
    events: AtomicU64,
    received_bytes: AtomicU64,
    skipped_frames: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pauses: AtomicU64,
    /// Microseconds of the pauses that are over.
    paused: AtomicU64,
    /// Begin of the pause at hand: microseconds after `started`, plus one; 0 for none.
    paused_since: AtomicU64,
    last_error: Mutex<Option<String>>,
    inboxes: Mutex<Vec<Arc<Inbox>>>,
    /// A consumer came or went.
    pub(super) changed: Notify,
    /// A consumer that the link waits for has room again.
    pub(super) room: Notify,
    /// Try again in spite of a refusal.
    pub(super) retry: Notify,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            state: AtomicU8::new(0),
            last_event: AtomicU64::new(0),
            rtt: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            events: AtomicU64::new(0),
            received_bytes: AtomicU64::new(0),
            skipped_frames: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            pauses: AtomicU64::new(0),
            paused: AtomicU64::new(0),
            paused_since: AtomicU64::new(0),
            last_error: Mutex::new(None),
            inboxes: Mutex::default(),
            changed: Notify::new(),
            room: Notify::new(),
            retry: Notify::new(),
        }
    }

    pub(super) fn set_state(&self, state: LinkState) {
        let number = match state {
            LinkState::Connecting => 0,
            LinkState::Up => 1,
            LinkState::Backoff => 2,
            LinkState::Refused => 3,
            LinkState::Stopped => 4,
        };
        self.state.store(number, Relaxed);
        if state == LinkState::Up {
            self.logins.fetch_add(1, Relaxed);
            self.set_error(None);
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state() == LinkState::Up
    }

    pub(super) fn is_refused(&self) -> bool {
        self.state() == LinkState::Refused
    }

    fn state(&self) -> LinkState {
        match self.state.load(Relaxed) {
            0 => LinkState::Connecting,
            1 => LinkState::Up,
            2 => LinkState::Backoff,
            3 => LinkState::Refused,
            _ => LinkState::Stopped,
        }
    }

    pub(super) fn set_error(&self, error: Option<String>) {
        // Nothing panics while holding this lock, so a poisoned one is still good.
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// The consumers that there are.
    pub(super) fn inboxes(&self) -> MutexGuard<'_, Vec<Arc<Inbox>>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a consumer. After the end it ends at once: the link sets its state
    /// before it looks here for the last time.
    pub(super) fn join(&self, inbox: Arc<Inbox>) {
        let mut inboxes = self.inboxes();
        if self.state() == LinkState::Stopped {
            inbox.end();
        }
        inboxes.push(inbox);
        drop(inboxes);
        self.changed.notify_one();
    }

    /// Counts what one read brought.
    pub(super) fn count_read(&self, bytes: usize, events: u64, at: Instant) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.received_bytes.fetch_add(bytes, Relaxed);
        if events > 0 {
            self.events.fetch_add(events, Relaxed);
            self.last_event
                .store(micros(at.duration_since(self.started)), Relaxed);
        }
    }

    pub(super) fn count_skipped(&self) {
        self.skipped_frames.fetch_add(1, Relaxed);
    }

    /// Takes note of whether reading pauses. Whether a pause has just ended.
    pub(super) fn pause(&self, pauses: bool) -> bool {
        let since = duration(self.paused_since.load(Relaxed));
        match (since, pauses) {
            (None, true) => {
                self.pauses.fetch_add(1, Relaxed);
                let now = micros(self.started.elapsed());
                self.paused_since.store(now, Relaxed);
                tracing::warn!("A consumer of AMI events is late, reading pauses for it");
                false
            }
            (Some(since), false) => {
                let lasted = self.started.elapsed().saturating_sub(since);
                self.paused.fetch_add(micros(lasted) - 1, Relaxed);
                self.paused_since.store(0, Relaxed);
                true
            }
            (None, false) | (Some(_), true) => false,
        }
    }

    fn paused(&self) -> Duration {
        let over = Duration::from_micros(self.paused.load(Relaxed));
        let at_hand = duration(self.paused_since.load(Relaxed))
            .map(|since| self.started.elapsed().saturating_sub(since));
        over + at_hand.unwrap_or_default()
    }

    pub(super) fn set_rtt(&self, rtt: Duration) {
        self.rtt.store(micros(rtt), Relaxed);
    }

    pub(super) fn health(&self) -> Health {
        Health {
            state: self.state(),
            last_event_age: duration(self.last_event.load(Relaxed))
                .map(|at| self.started.elapsed().saturating_sub(at)),
            events: self.events.load(Relaxed),
            received_bytes: self.received_bytes.load(Relaxed),
            skipped_frames: self.skipped_frames.load(Relaxed),
            reconnects: self.logins.load(Relaxed).saturating_sub(1),
            rtt: duration(self.rtt.load(Relaxed)),
            in_flight: self.in_flight.load(Relaxed),
            pauses: self.pauses.load(Relaxed),
            paused: self.paused(),
            last_error: self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            consumers: self.inboxes().iter().map(|inbox| inbox.health()).collect(),
        }
    }
}

/// Microseconds plus one, so that 0 can stand for never.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

/// What [`micros`] has stored.
pub(super) fn duration(stored: u64) -> Option<Duration> {
    stored.checked_sub(1).map(Duration::from_micros)
}
