//! How long a policy takes to decide.

use std::collections::BTreeSet;

use strowger_core::pacing::{Action, Event};
use tokio::time::Instant;

use super::policy::{Policy, Routing};

/// A policy whose decisions are timed on the real clock, from some time of the shift on.
pub struct Timed<P> {
    policy: P,
    from: f64,
    now: f64,
    lines: BTreeSet<u64>,
    sum_of_lines: u64,
    most_lines: usize,
    nanoseconds: Vec<u64>,
}

/// How long decisions took: an event, and the actions that it led to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// How many were timed.
    pub decisions: usize,
    /// Lines that there were on average.
    pub lines_mean: f64,
    /// Most lines at once.
    pub lines_max: usize,
    /// Half of them took no longer, in microseconds.
    pub p50_us: f64,
    /// 99 % of them took no longer, in microseconds.
    pub p99_us: f64,
    /// The longest, in microseconds.
    pub max_us: f64,
}

impl<P: Policy> Timed<P> {
    /// Times the decisions from that second of the shift on.
    pub fn new(policy: P, from: f64) -> Self {
        Self {
            policy,
            from,
            now: 0.0,
            lines: BTreeSet::new(),
            sum_of_lines: 0,
            most_lines: 0,
            nanoseconds: Vec::new(),
        }
    }

    /// What was measured.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub fn finish(mut self) -> Times {
        self.nanoseconds.sort_unstable();
        let count = self.nanoseconds.len();
        let at = |share: usize| {
            self.nanoseconds
                .get((count * share / 100).min(count.saturating_sub(1)))
                .map_or(0.0, |time| *time as f64 / 1000.0)
        };
        Times {
            decisions: count,
            lines_mean: self.sum_of_lines as f64 / count.max(1) as f64,
            lines_max: self.most_lines,
            p50_us: at(50),
            p99_us: at(99),
            max_us: at(100),
        }
    }
}

impl<P: Policy> Policy for Timed<P> {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.now = now;
        match event {
            Event::Dialed(line, _) => {
                self.lines.insert(*line);
            }
            Event::Ended(line, _) => {
                self.lines.remove(line);
            }
            Event::Config(_)
            | Event::AgentAvailable(_)
            | Event::AgentBusy(_)
            | Event::AgentWrap(_)
            | Event::AgentGone(_)
            | Event::Ringing(_)
            | Event::Answered(..)
            | Event::Connected(..)
            | Event::Abandoned(_)
            | Event::NotDialed(_)
            | Event::Tick => {}
        }
        let start = Instant::now();
        self.policy.handle(now, event);
        let took = start.elapsed();
        if now >= self.from {
            self.nanoseconds
                .push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            self.sum_of_lines += self.lines.len() as u64;
            self.most_lines = self.most_lines.max(self.lines.len());
        }
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        self.policy.poll_action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        self.policy.poll_timeout()
    }

    fn routing(&self) -> Routing {
        self.policy.routing()
    }
}
