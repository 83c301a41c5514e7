//! When people answer.

use std::collections::BTreeMap;

use super::{Segment, hazard::Competing};

/// Answers of people counted against those the common rate makes expect.
#[derive(Debug, Clone, Copy)]
struct Counts {
    seen: f64,
    expected: f64,
}

/// Learns the chance that a ringing line is answered by a person, by how long it rang.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    pub(super) ringing: Competing,
    pub(super) detecting: Competing,
    slow: Counts,
    fast: Counts,
    segments: BTreeMap<Segment, Counts>,
    /// Mean factor of the segments dialed lately.
    mix: f64,
    /// Share of the lines that failed, lately and usually.
    failing: f64,
    since_refresh: f64,
}

const PRIOR: f64 = 4.0;
const SLOW: f64 = 150.0;
const FAST: f64 = 12.0;
const SHAPE: f64 = 1500.0;
const SEGMENT: f64 = 20.0;

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
            since_refresh: 0.0,
        }
    }

    /// How much likelier than usual people answer now, with the allowance for not
    /// knowing it exactly.
    pub(super) fn level(&self, allowance: f64) -> f64 {
        let mean = self.slow.seen / self.slow.expected;
        mean * (1.0 + allowance / self.slow.seen.max(1.0).sqrt())
    }

    /// How much likelier than others the people of `segment` answer.
    pub(super) fn factor(&self, segment: Segment) -> f64 {
        if self.segments.len() < 2 {
            return 1.0;
        }
        self.segments.get(&segment).map_or(1.0, |c| {
            ((SEGMENT + c.seen) / (SEGMENT + c.expected)).clamp(0.05, 20.0)
        })
    }

    pub(super) fn mix(&self) -> f64 {
        self.mix
    }

    pub(super) fn dialed(&mut self, segment: Segment) {
        if self.segments.len() < 4096 {
            self.segments.entry(segment).or_insert(Counts {
                seen: 0.0,
                expected: 0.0,
            });
        }
        self.mix += 0.03 * (self.factor(segment) - self.mix);
    }

    /// A line rang for `seconds` at `age`.
    pub(super) fn rang(&mut self, age: f64, seconds: f64, segment: Segment) {
        let factor = self.factor(segment);
        let level = self.slow.seen / self.slow.expected;
        let expected = self.ringing.spend(age, seconds, level * factor);
        for counts in [&mut self.slow, &mut self.fast] {
            counts.expected += expected * factor;
        }
        let all = expected * factor * level;
        for (counts, memory) in [(&mut self.slow, SLOW), (&mut self.fast, FAST)] {
            let keep = 1.0 - (all / memory).min(0.5);
            counts.seen *= keep;
            counts.expected *= keep;
        }
        if let Some(counts) = self.segments.get_mut(&segment) {
            counts.expected += expected * level;
            let keep = 1.0 - (expected * level * factor / 300.0).min(0.5);
            counts.seen *= keep;
            counts.expected *= keep;
        }
        self.since_refresh += all;
    }

    /// A person answered, or a machine may have.
    pub(super) fn human(&mut self, age: f64, segment: Segment) {
        self.ringing.end_wanted(age);
        self.slow.seen += 1.0;
        self.fast.seen += 1.0;
        if let Some(counts) = self.segments.get_mut(&segment) {
            counts.seen += 1.0;
        }
        self.failing *= 0.97;
        self.changed();
    }

    /// Somebody or something answered: not known yet what.
    pub(super) fn picked_up(&mut self, age: f64, _segment: Segment) {
        self.ringing.end_other(age);
    }

    /// What answered was a person.
    pub(super) fn detected_human(&mut self, age: f64, segment: Segment) {
        self.human(age, segment);
    }

    pub(super) fn other(&mut self, age: f64) {
        self.ringing.end_other(age);
        self.failing *= 0.97;
    }

    /// A line failed. In an outage nothing is learned from it.
    pub(super) fn failed(&mut self, age: f64) {
        self.failing += 0.03 * (1.0 - self.failing);
        if self.failing < 0.4 {
            self.ringing.end_other(age);
        }
    }

    pub(super) fn outage(&self) -> bool {
        self.failing > 0.6
    }

    /// Whether the answers of the last while do not fit what is believed: then believe
    /// them (generalised likelihood ratio of two Poisson rates).
    fn changed(&mut self) {
        let level = self.slow.seen / self.slow.expected;
        let expected = self.fast.expected * level;
        if expected < 1.0 {
            return;
        }
        let (seen, more) = (self.fast.seen, self.fast.seen > expected);
        let ratio = if seen > 0.0 {
            seen * (seen / expected).ln()
        } else {
            0.0
        } - (seen - expected);
        if ratio > if more { 4.0 } else { 6.0 } {
            // One answer at the old rate stays believed, so that silence is never taken for
            // an answer rate of zero.
            self.slow = Counts {
                seen: seen + 1.0,
                expected: self.fast.expected + 1.0 / level,
            };
        }
    }

    /// Takes what was learned into the forecast.
    pub(super) fn refresh(&mut self, allowance: f64) {
        self.changed();
        if self.since_refresh > 2.0 {
            let keep = (1.0 - self.since_refresh / SHAPE).max(0.5);
            self.since_refresh = 0.0;
            self.ringing.forget(keep);
            self.ringing.refresh();
            self.detecting.refresh();
            self.detecting.solve(1.0);
        }
        let level = self.level(allowance);
        self.ringing.solve(level);
    }
}
