//! State and counters that the task writes and anybody reads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// Where a link is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Connecting or logging in.
    Connecting,
    /// Logged in.
    Up,
    /// Waiting before the next attempt.
    Backoff,
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
    /// Events received, dropped ones included.
    pub events: u64,
    /// Events dropped because the owner was slow.
    pub dropped: u64,
    /// `Gap` notices sent.
    pub gaps: u64,
    /// Frames that could not be read.
    pub skipped_frames: u64,
    /// Logins after the first.
    pub reconnects: u64,
    /// Round trip of the last Ping.
    pub rtt: Option<Duration>,
    /// Actions that wait for an answer.
    pub in_flight: u64,
    /// Why the last link or attempt failed; `None` once a login succeeded.
    pub last_error: Option<String>,
}

#[derive(Debug)]
pub(super) struct Shared {
    started: Instant,
    state: AtomicU8,
    /// Microseconds after `started`, plus one; 0 for never.
    last_event: AtomicU64,
    /// Microseconds, plus one; 0 for never.
    rtt: AtomicU64,
    logins: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) skipped_frames: AtomicU64,
    pub(super) in_flight: AtomicU64,
    last_error: Mutex<Option<String>>,
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
            dropped: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            skipped_frames: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    pub(super) fn set_state(&self, state: LinkState) {
        let number = match state {
            LinkState::Connecting => 0,
            LinkState::Up => 1,
            LinkState::Backoff => 2,
            LinkState::Stopped => 3,
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

    fn state(&self) -> LinkState {
        match self.state.load(Relaxed) {
            0 => LinkState::Connecting,
            1 => LinkState::Up,
            2 => LinkState::Backoff,
            _ => LinkState::Stopped,
        }
    }

    pub(super) fn set_error(&self, error: Option<String>) {
        // Nothing panics while holding this lock, so a poisoned one is still good.
        *self
            .last_error
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = error;
    }

    /// Counts events; called once per read, so that the clock is not asked for each.
    pub(super) fn count_events(&self, events: u64) {
        self.events.fetch_add(events, Relaxed);
        self.last_event
            .store(micros(self.started.elapsed()), Relaxed);
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
            dropped: self.dropped.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            skipped_frames: self.skipped_frames.load(Relaxed),
            reconnects: self.logins.load(Relaxed).saturating_sub(1),
            rtt: duration(self.rtt.load(Relaxed)),
            in_flight: self.in_flight.load(Relaxed),
            last_error: self
                .last_error
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .saturating_add(1)
}

fn duration(stored: u64) -> Option<Duration> {
    stored.checked_sub(1).map(Duration::from_micros)
}
