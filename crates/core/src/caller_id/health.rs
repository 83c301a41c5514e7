//! A sequential test that finds the numbers that people stopped answering.
//!
//! # The test
//!
//! Each dial of a number is compared with the share of dials of the *other* numbers of its pool
//! that were answered in the same period. Let `p` be the lower 95 % bound of that share and `q`
//! half of the share itself. A sound number is answered with probability `p` or more; a poor one,
//! which is sought, with `q`. One dial weighs `ln((1 - q) / (1 - p))` against the number when it
//! is not answered and `ln(p / q)` for it when it is. The weights add up and never fall below 0
//! (Page's CUSUM, Biometrika 41, 1954); at `ln(`[`DIALS_PER_FALSE_ALARM`]`)` the number gets a rest.
//! A number that is answered 70 to 80 % as often as the others gathers no weight in the long run:
//! it may serve a region where people answer less.
//!
//! # How often it is wrong
//!
//! For a sound number the exponential of the weight of a dial is 1 on average or less, whatever
//! `p` and `q` were before it. So the sum of the products from every starting point (Shiryaev and
//! Roberts) grows by at most 1 per dial on average, and the exponential of the CUSUM is never
//! above it. Hence, for any `n`, the chance that a sound number is given a rest within `n` dials
//! is at most `n / DIALS_PER_FALSE_ALARM`. No number of dials has to be chosen in advance.
//!
//! This holds as long as `p` is not above what a sound number has. It is an estimate: taking its
//! lower bound keeps the error on the safe side in 95 of 100 periods, and makes the test slower
//! while there are few dials to compare with.
//!
//! # What moves with the time of day
//!
//! All numbers of a pool see the same hours. What is counted for `p` fades with a half-life of
//! [`HALF_LIFE_S`] seconds.

use serde::{Deserialize, Serialize};

use crate::{
    disposition::Disposition,
    statistics,
    time::{Timestamp, after, millis_between},
};

/// A sound number is given a rest at most once in so many dials on average.
pub const DIALS_PER_FALSE_ALARM: f64 = 1_000_000.0;

/// With fewer recent dials of the other numbers there is nothing to compare with.
pub const MIN_BASELINE_DIALS: f64 = 50.0;

/// After so many seconds a dial counts half for the rate of the period.
const HALF_LIFE_S: f64 = 1_800.0;

/// The first rest, in milliseconds: a day. Each that follows is twice as long.
const FIRST_REST_MS: u64 = 86_400_000;

/// The longest rest is the first times two to this power: 16 days.
const MOST_DOUBLINGS: u32 = 4;

/// A number that was sound for so many milliseconds after its rest starts anew: 30 days.
const FORGIVEN_AFTER_MS: u64 = 30 * 86_400_000;

/// Whether a dial that ended so was answered, by a person or a machine. None when it says nothing
/// about the number shown: it never reached the person, or we ended it ourselves.
pub const fn is_answered(disposition: Disposition) -> Option<bool> {
    match disposition {
        Disposition::AnsweredHuman
        | Disposition::AnsweredMachine
        | Disposition::Abandoned
        | Disposition::AnsweredHangup => Some(true),
        // A number that is blocked is often refused or sent to a busy tone.
        Disposition::Busy | Disposition::NoAnswer | Disposition::Rejected => Some(false),
        Disposition::Unreachable
        | Disposition::Invalid
        | Disposition::CarrierFailure
        | Disposition::ConfigurationFailure
        | Disposition::Cancelled
        | Disposition::Unknown => None,
    }
}

/// What the other numbers of a pool saw lately. Counts are fractions because they fade.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Baseline {
    /// Dials.
    pub dials: f64,
    /// How many of them were answered.
    pub answers: f64,
}

impl Baseline {
    /// Adds up what other numbers know, as of `now`.
    pub fn of<'a>(others: impl IntoIterator<Item = &'a Health>, now: Timestamp) -> Self {
        others.into_iter().fold(Self::default(), |sum, other| {
            let kept = other.recent.kept(now);
            Self {
                dials: sum.dials + other.recent.dials * kept,
                answers: sum.answers + other.recent.answers * kept,
            }
        })
    }

    fn rate(&self) -> f64 {
        if self.dials > 0.0 {
            self.answers / self.dials
        } else {
            0.0
        }
    }
}

/// Dials and answers that fade with age.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Recent {
    at: Option<Timestamp>,
    dials: f64,
    answers: f64,
}

impl Recent {
    /// Which part of the counts is left at `now`.
    fn kept(&self, now: Timestamp) -> f64 {
        let Some(at) = self.at else { return 0.0 };
        let age_s = statistics::float(millis_between(at, now)) / 1_000.0;
        (-age_s / HALF_LIFE_S).exp2()
    }

    fn add(&mut self, answered: bool, now: Timestamp) {
        let kept = self.kept(now);
        self.dials = self.dials * kept + 1.0;
        self.answers = self.answers * kept + f64::from(u8::from(answered));
        self.at = self.at.max(Some(now));
    }
}

/// What was seen since the last moment that spoke for the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Run {
    dials: u64,
    answers: u64,
    /// How many answers the others would have had.
    expected: f64,
}

/// A rest that a number is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rest {
    /// Until when it is not shown.
    pub until: Timestamp,
    /// Why, with the counts, for a person to read.
    pub reason: String,
}

/// What is known of the answer rate of one number. Kept as JSON; `{}` is a number never used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The weight against the number, 0 for none.
    evidence: f64,
    run: Run,
    recent: Recent,
    /// Rests so far that were not forgiven, and the end of the last one.
    rests: u32,
    rested_until: Option<Timestamp>,
}

impl Health {
    /// Notes a dial that ended, see [`is_answered`], and compares it with the other numbers of the
    /// pool. Gives the rest that the number has to take now, if any.
    pub fn observe(&mut self, answered: bool, baseline: Baseline, now: Timestamp) -> Option<Rest> {
        self.recent.add(answered, now);
        if baseline.dials < MIN_BASELINE_DIALS {
            return None;
        }
        let sound = statistics::quick_lower_bound(baseline.answers, baseline.dials);
        let poor = baseline.rate() / 2.0;
        // With few dials to compare with, the two cannot be told apart.
        if poor <= 0.0 || sound <= poor {
            return None;
        }
        let weight = if answered {
            (poor / sound).ln()
        } else {
            ((1.0 - poor) / (1.0 - sound)).ln()
        };
        self.evidence = (self.evidence + weight).max(0.0);
        if self.evidence == 0.0 {
            self.run = Run::default();
            return None;
        }
        self.run.dials += 1;
        self.run.answers += u64::from(answered);
        self.run.expected += baseline.rate();
        (self.evidence >= DIALS_PER_FALSE_ALARM.ln()).then(|| self.rest(now))
    }

    fn rest(&mut self, now: Timestamp) -> Rest {
        let forgiven = self
            .rested_until
            .is_some_and(|end| millis_between(end, now) >= FORGIVEN_AFTER_MS);
        if forgiven {
            self.rests = 0;
        }
        let until = after(now, FIRST_REST_MS << self.rests.min(MOST_DOUBLINGS));
        self.rests = self.rests.saturating_add(1);
        self.rested_until = Some(until);
        self.evidence = 0.0;
        let Run {
            dials,
            answers,
            expected,
        } = std::mem::take(&mut self.run);
        let share = |count: f64| 100.0 * count / statistics::float(dials.max(1));
        Rest {
            until,
            reason: format!(
                "{answers} of its last {dials} dials were answered ({:.1} %); for the other numbers of the pool \
                 it was {:.1} % in the same hours; a sound number is taken for a poor one at most once in \
                 {DIALS_PER_FALSE_ALARM} dials",
                share(statistics::float(answers)),
                share(expected)
            ),
        }
    }
}

#[cfg(test)]
mod tests;
