//! When people answer.
//!
//! The hazard of an answer by a person at ring age `a` is `h(a) L f_s`: a common shape
//! `h`, a level `L` that follows the time of day and the list, and a factor `f_s` of the
//! segment (a proportional hazards model; the shape is Breslow's estimate, *Biometrics*
//! 30 (1974) 89). Lines that end otherwise leave the risk set, so that failures, busy
//! numbers and lines given up early never look like a low answer rate.
//!
//! `L` and `f_s` are ratios of answers seen to answers expected: the posterior mean of a
//! Poisson rate under a Gamma prior, with exponential forgetting. Every second that a line
//! rings is evidence, not only its end. When the answers of the last while contradict the
//! level (a generalised likelihood ratio above a threshold: Basseville & Nikiforov,
//! *Detection of Abrupt Changes*, 1993, ch. 2), the level starts again from them.

use std::collections::BTreeMap;

use super::{Segment, hazard::Competing};

/// Expected answers a cold start counts for.
const PRIOR: f64 = 4.0;
/// Memory of the level, of the watch for changes, of the shape and of a segment, in
/// expected answers.
const SLOW: f64 = 400.0;
const FAST: f64 = 12.0;
const SHAPE: f64 = 1500.0;
const OF_SEGMENT: f64 = 300.0;
/// Expected answers after which a segment weighs as much as the others.
const SHRINK: f64 = 20.0;
/// Log likelihood ratios that tell a rise and a fall. A rise makes people late at once.
const RISE: f64 = 6.5;
const FALL: f64 = 8.0;
/// Deviations of the level that are allowed for.
const ALLOWANCE: f64 = 0.25;
/// Most segments kept.
const SEGMENTS: usize = 4096;

/// Answers seen against those that the common rate makes expect.
#[derive(Debug, Clone, Copy)]
struct Counts {
    seen: f64,
    expected: f64,
}

impl Counts {
    fn forget(&mut self, spent: f64, memory: f64) {
        let keep = 1.0 - (spent / memory).min(0.5);
        self.seen *= keep;
        self.expected *= keep;
    }
}

/// Learns the chance that a line is answered by a person, by how long it has rung.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    ringing: Competing,
    detecting: Competing,
    slow: Counts,
    fast: Counts,
    segments: BTreeMap<Segment, Counts>,
    mix: f64,
    failing: f64,
    detection_s: f64,
    unlearned: f64,
}

impl Answers {
    pub(super) fn new() -> Self {
        Self {
            ringing: Competing::new(1.0, 90, 15.0, |age| {
                if age < 1.0 {
                    (0.002, 0.01)
                } else {
                    (0.018, 0.02)
                }
            }),
            detecting: Competing::new(0.5, 20, 5.0, |_| (0.3, 0.3)),
            slow: Counts {
                seen: PRIOR,
                expected: PRIOR,
            },
            fast: Counts {
                seen: 0.0,
                expected: 0.0,
            },
            segments: BTreeMap::new(),
            mix: 1.0,
            failing: 0.1,
            detection_s: 0.0,
            unlearned: 0.0,
        }
    }

    fn level(&self) -> f64 {
        self.slow.seen / self.slow.expected.max(1e-9)
    }

    /// How much likelier than others the people of `segment` answer. A lone segment is
    /// told by the level.
    fn factor(&self, segment: Segment) -> f64 {
        if self.segments.len() < 2 {
            return 1.0;
        }
        self.segments.get(&segment).map_or(1.0, |c| {
            ((SHRINK + c.seen) / (SHRINK + c.expected)).clamp(0.05, 20.0)
        })
    }

    /// Factor of `segment` relative to those that were dialed lately.
    pub(super) fn relative(&self, segment: Segment) -> f64 {
        self.factor(segment) / self.mix
    }

    /// Mean time from the answer until it is known to be a person's, in seconds.
    pub(super) fn detection_s(&self) -> f64 {
        self.detection_s
    }

    /// A line was dialed.
    pub(super) fn dialed(&mut self, segment: Segment) {
        if self.segments.len() < SEGMENTS {
            self.segments.entry(segment).or_insert(Counts {
                seen: 0.0,
                expected: 0.0,
            });
        }
        self.mix += 0.03 * (self.factor(segment) - self.mix);
    }

    /// A line rang for `seconds` around `age`.
    pub(super) fn rang(&mut self, age: f64, seconds: f64, segment: Segment) {
        let (factor, level) = (self.factor(segment), self.level());
        let base = self.ringing.spend(age, seconds, level * factor);
        let answers = base * factor * level;
        for (counts, memory) in [(&mut self.slow, SLOW), (&mut self.fast, FAST)] {
            counts.expected += base * factor;
            counts.forget(answers, memory);
        }
        if let Some(counts) = self.segments.get_mut(&segment) {
            counts.expected += base * level;
            counts.forget(answers, OF_SEGMENT);
        }
        self.unlearned += answers;
    }

    /// Nothing is known about who answered for `seconds` around `age` after the answer.
    pub(super) fn wondered(&mut self, age: f64, seconds: f64) {
        self.detecting.spend(age, seconds, 1.0);
    }

    /// A person answered; `detected` after so many seconds of not knowing.
    pub(super) fn person(&mut self, age: f64, segment: Segment, detected: Option<f64>) {
        self.ringing.end_wanted(age);
        if let Some(seconds) = detected {
            self.detecting.end_wanted(seconds);
        }
        self.detection_s += 0.03 * (detected.unwrap_or(0.0) - self.detection_s);
        self.slow.seen += 1.0;
        self.fast.seen += 1.0;
        if let Some(counts) = self.segments.get_mut(&segment) {
            counts.seen += 1.0;
        }
        self.failing *= 0.97;
        self.believe_a_change();
    }

    /// A line ended without a person, but reached somebody's phone.
    pub(super) fn other(&mut self, age: f64, detected: Option<f64>) {
        self.ringing.end_other(age);
        if let Some(seconds) = detected {
            self.detecting.end_other(seconds);
        }
        self.failing *= 0.97;
    }

    /// A line failed. Many failures at once tell of the carrier, not of the list: nothing
    /// is learned from them.
    pub(super) fn failed(&mut self, age: f64) {
        self.failing += 0.03 * (1.0 - self.failing);
        if self.failing < 0.4 {
            self.ringing.end_other(age);
        }
    }

    /// Whether so many lines fail that it looks like an outage.
    pub(super) fn outage(&self) -> bool {
        self.failing > 0.6
    }

    fn believe_a_change(&mut self) {
        let level = self.level();
        let expected = self.fast.expected * level;
        if expected < 1.0 {
            return;
        }
        let seen = self.fast.seen;
        let surprise = if seen > 0.0 {
            seen * (seen / expected).ln()
        } else {
            0.0
        };
        let threshold = if seen > expected { RISE } else { FALL };
        if surprise - (seen - expected) > threshold {
            // One answer at the old rate stays believed, so that silence is never taken
            // for an answer rate of zero.
            self.slow = Counts {
                seen: seen + 1.0,
                expected: self.fast.expected + 1.0 / level,
            };
        }
    }

    /// Takes what was learned into the forecast.
    pub(super) fn refresh(&mut self) {
        self.believe_a_change();
        if self.unlearned > 2.0 {
            let keep = (1.0 - self.unlearned / SHAPE).max(0.5);
            self.unlearned = 0.0;
            self.ringing.forget(keep);
            self.ringing.refresh();
            self.detecting.forget(keep);
            self.detecting.refresh();
            self.detecting.solve(1.0);
        }
        let allowance = 1.0 + ALLOWANCE / self.slow.seen.max(1.0).sqrt();
        self.ringing
            .solve((self.level() * allowance).clamp(0.01, 100.0));
    }

    /// Chance that a person answers within `within` seconds a line dialed `age` ago.
    pub(super) fn chance(&self, age: f64, within: f64) -> f64 {
        self.ringing.chance(age, within)
    }

    /// Cell of an age: lines in the same one have the same chances.
    pub(super) fn cell(&self, age: f64) -> usize {
        self.ringing.cell(age)
    }

    /// Number of cells of age.
    pub(super) fn cells(&self) -> usize {
        self.ringing.cells()
    }

    /// The same for a line answered `age` ago by somebody or something.
    pub(super) fn detected(&self, age: f64, within: f64) -> f64 {
        self.detecting.chance(age, within)
    }
}
