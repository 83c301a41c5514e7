//! Noticing a peer that is gone without closing the connection.

use std::time::Duration;

use tokio::time::Instant;

use super::ClientConfig;

/// In place of longer times, such as `Duration::MAX` for never.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// When to ask for a sign of life, and when to give up.
#[derive(Debug)]
pub(super) struct KeepAlive {
    interval: Duration,
    patience: Duration,
    next_ping: Instant,
    /// When the Ping without an answer was sent.
    pinged: Option<Instant>,
    /// Anything that arrives shows life: behind many events the answer is late.
    last_read: Instant,
}

impl KeepAlive {
    pub(super) fn new(config: &ClientConfig) -> Self {
        let now = Instant::now();
        Self {
            interval: config.ping_interval.min(LONGEST),
            patience: config.ping_timeout.min(LONGEST),
            next_ping: now + config.ping_interval.min(LONGEST),
            pinged: None,
            last_read: now,
        }
    }

    /// Something was read.
    pub(super) fn heard(&mut self) {
        self.last_read = Instant::now();
    }

    /// There is a reason for the silence: look again after the patience for a Ping.
    pub(super) fn excuse(&mut self) {
        let now = Instant::now();
        self.last_read = now;
        self.next_ping = now + self.patience;
    }

    /// A Ping was written.
    pub(super) fn pinged(&mut self) {
        self.pinged = Some(Instant::now());
    }

    /// The Ping was answered.
    pub(super) fn answered(&mut self) {
        self.pinged = None;
        self.next_ping = Instant::now() + self.interval;
    }

    /// When to send a Ping, or when to give the link up.
    pub(super) fn deadline(&self) -> Instant {
        match self.pinged {
            None => self.next_ping,
            Some(sent) => sent.max(self.last_read) + self.patience,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.pinged.is_some() && Instant::now() >= self.deadline()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silence_after_a_ping_is_death() {
        let config = ClientConfig::new("h", "u", "s");
        let mut alive = KeepAlive::new(&config);
        tokio::time::advance(config.ping_interval).await;
        assert!(!alive.is_dead());
        assert!(Instant::now() >= alive.deadline());
        alive.pinged();
        tokio::time::advance(config.ping_timeout / 2).await;
        alive.heard();
        tokio::time::advance(config.ping_timeout / 2).await;
        assert!(!alive.is_dead());
        tokio::time::advance(config.ping_timeout / 2).await;
        assert!(alive.is_dead());
        alive.answered();
        assert!(!alive.is_dead());
    }
}
