//! How many lines to dial now.
//!
//! Progressive and power dialing are functions of what is there at this moment:
//! agents who can take a call, and lines that are already on their way to one.

use crate::campaign::DialingMode;

/// What a campaign has at this moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lines {
    /// How it dials.
    pub mode: DialingMode,
    /// Lines per available agent in power dialing.
    pub ratio: f64,
    /// Agents who could take its next answered call and are not spoken for by
    /// another campaign's lines.
    pub available_agents: u32,
    /// Lines asked for, dialing, ringing or answered that have no agent yet.
    pub pending_lines: u32,
    /// Room left under the campaign's, the trunk's and the rate limits.
    pub room: u32,
}

/// The number of lines to dial now. O(1).
pub fn lines_to_dial(lines: Lines) -> u32 {
    let wanted = match lines.mode {
        DialingMode::Predictive | DialingMode::Progressive => lines.available_agents,
        // Agents ask for each line.
        DialingMode::Preview | DialingMode::Manual => 0,
        DialingMode::Broadcast => return lines.room,
        DialingMode::Power => power_lines(lines.available_agents, lines.ratio),
    };
    wanted.saturating_sub(lines.pending_lines).min(lines.room)
}

/// `floor(agents × ratio)`, with a ratio below 1 or not a number taken as 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the product is clamped to the range of u32 first"
)]
fn power_lines(agents: u32, ratio: f64) -> u32 {
    let ratio = if ratio.is_finite() {
        ratio.max(1.0)
    } else {
        1.0
    };
    (f64::from(agents) * ratio).floor().min(f64::from(u32::MAX)) as u32
}

/// Limits how many calls per second leave through a trunk.
///
/// A token bucket that holds one second's worth, so that a burst after a pause never
/// exceeds what the carrier accepts in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    per_second: u32,
    tokens: f64,
    at: crate::time::Timestamp,
}

impl RateLimit {
    /// A full bucket.
    pub fn new(per_second: u32, now: crate::time::Timestamp) -> Self {
        Self {
            per_second,
            tokens: f64::from(per_second),
            at: now,
        }
    }

    /// Takes the rate of changed settings; what is in the bucket stays.
    pub fn set_rate(&mut self, per_second: u32) {
        self.per_second = per_second;
        self.tokens = self.tokens.min(f64::from(per_second));
    }

    /// Calls that may leave now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "tokens lie between 0 and per_second; milliseconds of a process lifetime fit a f64"
    )]
    pub fn available(&mut self, now: crate::time::Timestamp) -> u32 {
        let elapsed_ms = crate::time::millis_between(self.at, now);
        self.at = self.at.max(now);
        let rate = f64::from(self.per_second);
        self.tokens = (self.tokens + elapsed_ms as f64 * rate / 1_000.0).min(rate);
        self.tokens.floor() as u32
    }

    /// Takes `calls` tokens.
    pub fn take(&mut self, calls: u32) {
        self.tokens = (self.tokens - f64::from(calls)).max(0.0);
    }

    /// Gives tokens back for calls that were not placed after all.
    pub fn give_back(&mut self, calls: u32) {
        self.tokens = (self.tokens + f64::from(calls)).min(f64::from(self.per_second));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Timestamp, after};

    fn lines(mode: DialingMode, ratio: f64, agents: u32, pending: u32, room: u32) -> u32 {
        lines_to_dial(Lines {
            mode,
            ratio,
            available_agents: agents,
            pending_lines: pending,
            room,
        })
    }

    #[test]
    fn progressive_never_has_more_lines_than_agents() {
        assert_eq!(lines(DialingMode::Progressive, 3.0, 5, 0, 100), 5);
        assert_eq!(lines(DialingMode::Progressive, 3.0, 5, 4, 100), 1);
        assert_eq!(lines(DialingMode::Progressive, 3.0, 5, 9, 100), 0);
    }

    #[test]
    fn power_dials_its_ratio_and_a_nonsense_ratio_dials_one_to_one() {
        assert_eq!(lines(DialingMode::Power, 2.5, 4, 3, 100), 7);
        assert_eq!(lines(DialingMode::Power, f64::NAN, 4, 0, 100), 4);
        assert_eq!(lines(DialingMode::Power, 0.0, 4, 0, 100), 4);
    }

    #[test]
    fn limits_win() {
        assert_eq!(lines(DialingMode::Power, 3.0, 50, 0, 7), 7);
    }

    #[test]
    fn a_trunk_never_gets_more_calls_in_a_second_than_it_takes() {
        let start = Timestamp::UNIX_EPOCH;
        let mut limit = RateLimit::new(10, start);
        assert_eq!(limit.available(start), 10);
        limit.take(10);
        assert_eq!(limit.available(after(start, 99)), 0);
        assert_eq!(limit.available(after(start, 200)), 2);
        assert_eq!(limit.available(after(start, 3_600_000)), 10);
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_tokens() {
        let start = after(Timestamp::UNIX_EPOCH, 3_600_000);
        let mut limit = RateLimit::new(10, start);
        limit.take(10);
        assert_eq!(limit.available(Timestamp::UNIX_EPOCH), 0);
    }
}
