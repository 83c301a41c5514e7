//! What else the machine is doing.

use std::thread;
use std::time::Duration;

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The load average of the last minute; 0 without `/proc`.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// Above this share of all cores, something else is running.
const BUSY: f64 = 0.1;

/// Waits for moments at which nothing else runs, within limits.
pub(crate) struct Quiet {
    /// How long may still be waited.
    budget: Duration,
    /// The worst share of all cores that was taken when a measurement began.
    worst: f64,
}

impl Quiet {
    /// Waits at most this long, all measurements together.
    pub(crate) fn within(budget: Duration) -> Self {
        Self { budget, worst: 0.0 }
    }

    /// Waits until nothing else runs, or the time for that is used up.
    pub(crate) fn wait(&mut self) {
        let mut busy = busy_share();
        while busy > BUSY && !self.budget.is_zero() {
            self.budget = self.budget.saturating_sub(SAMPLE);
            busy = busy_share();
        }
        if busy > BUSY && self.worst <= BUSY {
            eprintln!(
                "warning: something else takes {:.0} % of the machine, the figures will be low",
                busy * 100.0
            );
        }
        self.worst = self.worst.max(busy);
    }

    /// The worst share at a beginning since the last call, 0 to 1.
    pub(crate) fn take_worst(&mut self) -> f64 {
        std::mem::take(&mut self.worst)
    }
}

/// How long the load of the machine is looked at.
const SAMPLE: Duration = Duration::from_millis(200);

/// How busy all cores together are for a moment, 0 to 1.
fn busy_share() -> f64 {
    let before = jiffies();
    thread::sleep(SAMPLE);
    let after = jiffies();
    let total = after.1 - before.1;
    if total > 0.0 {
        (after.0 - before.0) / total
    } else {
        0.0
    }
}

/// Busy and all time of all cores since the start, in ticks.
fn jiffies() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .take(8) // guest time, behind these, is part of user time
        .filter_map(|tick| tick.parse().ok())
        .collect();
    let total: f64 = ticks.iter().sum();
    // idle and iowait
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    (total - idle, total)
}
