//! How often answering machine detection is wrong, from what agents hear.
//!
//! # What can be seen
//!
//! A call that was let through (`HUMAN` or `NOTSURE`) is heard by an agent, who says whether it was
//! a machine: the share of machines among them is counted without more ado.
//!
//! A call that was taken for a machine is heard by nobody. Of these a random share is sent to an
//! agent after all ([`super::is_audited`]); the share of people among the audited ones estimates
//! that of all. Nothing else is a fair sample: a person who calls back may have been told by
//! their own machine. But a person who reports that they answered and heard nobody is certain,
//! so reports raise the lower bound.

use serde::{Deserialize, Serialize};

use crate::{
    statistics::{float, lower_bound, upper_bound},
    telephony::Amd,
};

/// Below so many checked calls, the missing ones are taken as if they had been checked and found
/// right. Without any check the upper bound is thus 13.9 %: what 20 audits without a person prove.
pub const ASSUMED_AUDITS: u64 = 20;

/// Calls heard by agents, by what they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    people: u64,
    machines: u64,
}

impl Heard {
    fn add(&mut self, was_machine: bool, count: u64) {
        let side = if was_machine {
            &mut self.machines
        } else {
            &mut self.people
        };
        *side = side.saturating_add(count);
    }
}

/// The counts that the estimates come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// Let through.
    through: Heard,
    /// Taken for machines, and audited.
    audited: Heard,
    /// Taken for machines, all of them.
    verdicts: u64,
    /// People who reported that they were taken for machines; none of them audited.
    reported: u64,
}

/// A share with its bounds, each of 95 % confidence on its side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The estimate, 0 to 1. With fewer checked calls than [`ASSUMED_AUDITS`] it is the upper bound.
    pub rate: f64,
    /// Hardly less than this.
    pub lower: f64,
    /// Hardly more than this.
    pub upper: f64,
    /// How many calls were checked.
    pub n: u64,
}

impl Share {
    fn of(hits: u64, n: u64) -> Self {
        let upper = upper_bound(float(hits), float(n.max(ASSUMED_AUDITS)));
        Self {
            rate: if n < ASSUMED_AUDITS {
                upper
            } else {
                float(hits) / float(n)
            },
            lower: lower_bound(float(hits), float(n)),
            upper,
            n,
        }
    }
}

/// How often the detection is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The share of people among the calls taken for machines.
    pub false_positive: Share,
    /// The share of machines among the calls let through to agents.
    pub false_negative: Share,
}

impl Calibration {
    /// Counts a call: what the detection said of it, and what the agent who heard it did. None
    /// when no agent heard it or none said.
    pub fn observe(&mut self, verdict: Amd, was_machine: Option<bool>) {
        self.observe_many(verdict, was_machine, 1);
    }

    /// Counts several equal calls.
    pub fn observe_many(&mut self, verdict: Amd, was_machine: Option<bool>, count: u64) {
        let heard = match verdict {
            Amd::Machine => {
                self.verdicts = self.verdicts.saturating_add(count);
                &mut self.audited
            }
            Amd::Human | Amd::NotSure => &mut self.through,
        };
        if let Some(was_machine) = was_machine {
            heard.add(was_machine, count);
        }
    }

    /// Counts a person who reported that they answered a call taken for a machine and heard
    /// nobody. The call itself must have been observed.
    pub fn observe_report(&mut self) {
        self.reported = self.reported.saturating_add(1);
    }

    /// How often the detection is wrong, as far as these counts tell.
    pub fn estimate(&self) -> Estimate {
        let audited = self.audited.people + self.audited.machines;
        let mut false_positive = Share::of(self.audited.people, audited);
        if self.reported > 0 {
            let certain = (self.reported + self.audited.people).min(self.verdicts);
            let at_least = float(certain) / float(self.verdicts.max(1));
            false_positive.lower = false_positive.lower.max(at_least);
            false_positive.rate = false_positive.rate.max(at_least);
            false_positive.upper = false_positive.upper.max(at_least);
        }
        Estimate {
            false_positive,
            false_negative: Share::of(
                self.through.machines,
                self.through.people + self.through.machines,
            ),
        }
    }

    /// What pacing has to reckon with, [`crate::pacing::Config::amd_false_positive`]: the upper bound
    /// of the share of people among the calls taken for machines.
    pub fn for_pacing(&self) -> f64 {
        self.estimate().false_positive.upper
    }
}
