//! The clock of the switchboard.

use strowger_core::time::Timestamp;
use tokio::time::Instant;

/// Most that one correction moves the clock, in microseconds: 50 ms in a second.
const STEP_US: i64 = 50_000;

/// Wall-clock time that never jumps.
///
/// Limits of calls and wrap-ups are moments on this clock. When the wall clock is set (an hour
/// back by hand, half a minute by the time service), a two-second limit must not last an hour:
/// this clock goes on evenly and moves towards the wall clock by at most 5 % of the time.
#[derive(Debug)]
pub(super) struct Clock {
    base: Timestamp,
    anchor: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge at which the switchboard gets its clock"
)]
fn wall() -> Timestamp {
    Timestamp::now()
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            base: wall(),
            anchor: Instant::now(),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.anchor.elapsed().as_micros()).unwrap_or(u64::MAX);
        plus(self.base, i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// Moves the clock towards the wall clock; to be called once a second.
    pub(super) fn correct(&mut self) {
        self.correct_towards(wall());
    }

    fn correct_towards(&mut self, wall: Timestamp) {
        let behind = wall.as_microsecond() - self.now().as_microsecond();
        self.base = plus(self.base, behind.clamp(-STEP_US, STEP_US));
    }
}

fn plus(at: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond().saturating_add(micros)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_is_followed_evenly() {
        let mut clock = Clock::new();
        let start = clock.now();
        let hour_back = plus(start, -3_600_000_000);
        for _ in 0..10 {
            tokio::time::advance(Duration::from_secs(1)).await;
            clock.correct_towards(hour_back);
        }
        let passed = clock.now().as_microsecond() - start.as_microsecond();
        assert_eq!(passed, 10_000_000 - 10 * STEP_US);
    }
}
