//! What a server has seen and done.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counters of a server since it was bound.
#[derive(Debug, Default)]
pub struct ServerStats {
    accepted: AtomicU64,
    running: AtomicU64,
    over_limit: AtomicU64,
    not_admitted: AtomicU64,
    failed_openings: AtomicU64,
    accept_errors: AtomicU64,
    sessions: AtomicU64,
    refused: AtomicU64,
    drained: AtomicU64,
    cut: AtomicU64,
}

/// A connection that is being served, for as long as the value lives.
pub(super) struct Running(Arc<ServerStats>);

impl ServerStats {
    /// Connections that were admitted and within the limit.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Accepted connections that have not ended: those whose environment is
    /// awaited, and sessions.
    pub fn running(&self) -> u64 {
        self.running.load(Relaxed)
    }

    /// Connections refused because `max_sessions` were running.
    pub fn over_limit(&self) -> u64 {
        self.over_limit.load(Relaxed)
    }

    /// Connections refused because the peer is in no allowed network.
    pub fn not_admitted(&self) -> u64 {
        self.not_admitted.load(Relaxed)
    }

    /// Connections without an acceptable environment in time.
    pub fn failed_openings(&self) -> u64 {
        self.failed_openings.load(Relaxed)
    }

    /// Failures of the operating system to accept.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Relaxed)
    }

    /// Sessions that were handed to the handler.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Relaxed)
    }

    /// Sessions that the handler refused, such as an unknown script.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Connections that ended by themselves after the server stopped
    /// accepting.
    pub fn drained(&self) -> u64 {
        self.drained.load(Relaxed)
    }

    /// Connections that were closed because the `drain_timeout` was over.
    pub fn cut(&self) -> u64 {
        self.cut.load(Relaxed)
    }

    pub(super) fn count_accepted(self: &Arc<Self>) -> Running {
        self.accepted.fetch_add(1, Relaxed);
        self.running.fetch_add(1, Relaxed);
        Running(Arc::clone(self))
    }

    pub(super) fn count_over_limit(&self) {
        self.over_limit.fetch_add(1, Relaxed);
    }

    pub(super) fn count_not_admitted(&self) {
        self.not_admitted.fetch_add(1, Relaxed);
    }

    pub(super) fn count_failed_opening(&self) {
        self.failed_openings.fetch_add(1, Relaxed);
    }

    pub(super) fn count_accept_error(&self) {
        self.accept_errors.fetch_add(1, Relaxed);
    }

    pub(super) fn count_session(&self) {
        self.sessions.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Of the connections that ran when draining began, how many were cut.
    pub(super) fn count_drain(&self, running: u64, cut: u64) {
        self.drained.fetch_add(running.saturating_sub(cut), Relaxed);
        self.cut.fetch_add(cut, Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}
