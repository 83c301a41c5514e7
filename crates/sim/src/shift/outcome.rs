//! What came of a shift.

use std::collections::VecDeque;

use super::policy::WITHIN_S;

/// Length of the bins of [`Outcome::series`], in seconds.
pub const BIN_S: f64 = 300.0;

/// Length of the rolling window of [`Outcome::worst_hour`], in seconds.
const HOUR_S: f64 = 3600.0;

/// How many dials and calls there were after the warm-up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that were dialed.
    pub dials: u64,
    /// People who answered, and were connected or dropped since.
    pub humans: u64,
    /// Of these, connected to an agent.
    pub connected: u64,
    /// Of the people, not connected within 2 s of the answer.
    pub late2: u64,
    /// Of the people, never connected.
    pub abandoned: u64,
    /// Machines that answered.
    pub machines: u64,
    /// Lines that rang in vain.
    pub unanswered: u64,
    /// Lines that failed.
    pub failed: u64,
    /// Lines that the policy gave up.
    pub cancelled: u64,
    /// Of these, before they had rung 15 s.
    pub cancelled_early: u64,
    /// Callers whom an agent took.
    pub callers_served: u64,
    /// Callers who gave up.
    pub callers_lost: u64,
}

/// Five minutes of a shift.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Seconds that agents talked and wrapped up.
    pub busy_s: f64,
    /// Seconds that agents were logged in.
    pub staffed_s: f64,
    /// People who answered.
    pub humans: u32,
    /// Of these, not connected within 2 s.
    pub late2: u32,
    /// Of these, never connected.
    pub abandoned: u32,
}

/// What came of a shift: figures without the warm-up, and the whole course.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The seed that it was drawn from.
    pub seed: u64,
    /// What was counted.
    pub counts: Counts,
    /// Seconds that agents talked and wrapped up.
    pub busy_s: f64,
    /// Seconds that agents were logged in and not on a pause.
    pub staffed_s: f64,
    /// Highest percentage of late people in any hour that is full and after the warm-up.
    pub worst_hour: f64,
    /// Mean wait of the callers whom an agent took, in seconds.
    pub callers_wait_s: f64,
    /// Every line that was dialed, the warm-up included.
    pub dialed: u64,
    /// Every line that ended.
    pub ended: u64,
    /// Lines that were there at the end of the shift.
    pub open: u64,
    /// The course, warm-up included, one bin per [`BIN_S`].
    pub series: Vec<Bin>,
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        100.0 * part / whole
    } else {
        0.0
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a shift are far below 2^53"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    percent(part as f64, whole as f64)
}

impl Outcome {
    /// Talk and wrap-up, in percent of the time that agents were logged in.
    pub fn occupancy(&self) -> f64 {
        percent(self.busy_s, self.staffed_s)
    }

    /// People not connected within 2 s of the answer, in percent of those who answered:
    /// the ratio that the FTC limits to 3 % (16 CFR 310.4(b)(4)).
    pub fn late2(&self) -> f64 {
        ratio(self.counts.late2, self.counts.humans)
    }

    /// People never connected, in percent of those who answered.
    pub fn abandoned(&self) -> f64 {
        ratio(self.counts.abandoned, self.counts.humans)
    }

    /// Lines that the policy gave up, in percent of those that were dialed.
    pub fn cancelled(&self) -> f64 {
        ratio(self.counts.cancelled, self.counts.dials)
    }

    /// Callers who gave up, in percent.
    pub fn callers_lost(&self) -> f64 {
        ratio(
            self.counts.callers_lost,
            self.counts.callers_lost + self.counts.callers_served,
        )
    }

    /// Lines dialed per hour that an agent was logged in.
    pub fn dials_per_agent_hour(&self) -> f64 {
        ratio(self.counts.dials, 1) / 100.0 / (self.staffed_s / HOUR_S).max(f64::MIN_POSITIVE)
    }
}

/// Counts while the shift goes on.
#[derive(Debug)]
pub(super) struct Tally {
    warm_up: f64,
    end: f64,
    pub(super) counts: Counts,
    pub(super) dialed: u64,
    pub(super) ended: u64,
    pub(super) callers_wait_s: f64,
    busy_s: f64,
    staffed_s: f64,
    series: Vec<Bin>,
    people: Vec<(f64, bool)>,
}

impl Tally {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a week at most"
    )]
    pub(super) fn new(warm_up: f64, end: f64) -> Self {
        Self {
            warm_up,
            end,
            counts: Counts::default(),
            dialed: 0,
            ended: 0,
            callers_wait_s: 0.0,
            busy_s: 0.0,
            staffed_s: 0.0,
            series: vec![Bin::default(); (end / BIN_S).ceil() as usize],
            people: Vec::new(),
        }
    }

    /// Whether something at this time is in the figures.
    pub(super) fn counts_at(&self, at: f64) -> bool {
        at >= self.warm_up
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a week at most"
    )]
    fn bin(&mut self, at: f64) -> Option<&mut Bin> {
        self.series.get_mut((at / BIN_S) as usize)
    }

    /// An agent was logged in from one time to another, working or not.
    pub(super) fn staffed(&mut self, from: f64, to: f64, busy: bool) {
        let counted = (to - from.max(self.warm_up)).max(0.0);
        self.staffed_s += counted;
        if busy {
            self.busy_s += counted;
        }
        let mut from = from;
        while from < to {
            let next = ((from / BIN_S).floor() * BIN_S + BIN_S).min(to);
            // Adding a bin may round to the same number.
            let next = if next > from { next } else { to };
            if let Some(bin) = self.bin(from) {
                bin.staffed_s += next - from;
                if busy {
                    bin.busy_s += next - from;
                }
            }
            from = next;
        }
    }

    /// A person who answered was connected after a wait, or dropped.
    pub(super) fn person(&mut self, answered: f64, waited: f64, connected: bool) {
        let late = !connected || waited > WITHIN_S;
        if self.counts_at(answered) {
            self.counts.humans += 1;
            self.counts.connected += u64::from(connected);
            self.counts.abandoned += u64::from(!connected);
            self.counts.late2 += u64::from(late);
        }
        self.people.push((answered, late));
        if let Some(bin) = self.bin(answered) {
            bin.humans += 1;
            bin.late2 += u32::from(late);
            bin.abandoned += u32::from(!connected);
        }
    }

    fn worst_hour(&mut self) -> f64 {
        self.people.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (mut window, mut late, mut worst) = (VecDeque::new(), 0_u64, 0.0_f64);
        for &(at, is_late) in self.people.iter().filter(|person| person.0 >= self.warm_up) {
            window.push_back((at, is_late));
            late += u64::from(is_late);
            while let Some(&(first, was_late)) = window.front() {
                if first > at - HOUR_S {
                    break;
                }
                late -= u64::from(was_late);
                window.pop_front();
            }
            if at >= self.warm_up + HOUR_S {
                worst = worst.max(ratio(late, window.len() as u64));
            }
        }
        worst
    }

    pub(super) fn outcome(mut self, seed: u64, open: u64) -> Outcome {
        let worst_hour = self.worst_hour();
        debug_assert!(self.end > self.warm_up, "a checked scenario");
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let served = self.counts.callers_served.max(1) as f64;
        Outcome {
            seed,
            counts: self.counts,
            busy_s: self.busy_s,
            staffed_s: self.staffed_s,
            worst_hour,
            callers_wait_s: self.callers_wait_s / served,
            dialed: self.dialed,
            ended: self.ended,
            open,
            series: self.series,
        }
    }
}
