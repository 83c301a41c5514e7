//! The abandoned call rate, as regulators count it.
//!
//! Abandoned people over people who answered, within a period. A machine is neither; but nobody
//! knows of every call whether it was one, so the counts are corrected by estimates:
//!
//! - With detection, a person taken for a machine and not put through was abandoned. With `m` such
//!   verdicts of which a share `f` are people, `m × f` is added to both sides.
//! - Without detection, a call is given up before anybody knows who answered. With a share `am` of
//!   machines among the calls that agents took, `d' = d × (1 - am)` of `d` abandoned calls were
//!   people's. Whom the agents talked with they know.
//!
//! Source: Ofcom, Persistent Misuse: A statement of Ofcom's general policy (20 December 2016),
//! annex on calculating the abandoned call rate; the ratio itself is also that of the FTC's
//! Telemarketing Sales Rule, 16 CFR 310.4(b)(4)(i).

use jiff::{SignedDuration, ToSpan, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    amd::{ASSUMED_AUDITS, Estimate, Share},
    statistics::float,
    time::{Timestamp, after},
};

/// What was counted within a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// People who were connected to an agent in time, or hung up before the legal time was over.
    /// Machines that agents heard are not among them.
    pub served: u64,
    /// Answered calls given up for want of an agent, or connected too late. Without detection
    /// machines are among them.
    pub abandoned: u64,
    /// Calls taken for machines that no agent heard; 0 without detection.
    pub machine_verdicts: u64,
}

impl std::ops::Add for Counts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            served: self.served + other.served,
            abandoned: self.abandoned + other.abandoned,
            machine_verdicts: self.machine_verdicts + other.machine_verdicts,
        }
    }
}

/// How people and machines were told apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Correction {
    /// By listening to each call: the counts are people already.
    None,
    /// By detection, which is wrong at times.
    Detection {
        /// The share of people among the calls taken for machines:
        /// [`crate::amd::Estimate::false_positive`].
        people_among_verdicts: Share,
    },
    /// Not at all: Ofcom's `d' = d(1 - am)`.
    NoDetection {
        /// `am`, the share of machines among the calls that agents took.
        machines_among_connected: Share,
    },
}

impl Correction {
    /// What agents heard corrects the counts. With detection that is what they said of its verdicts;
    /// without it, what they said of the calls that they took, once there are [`ASSUMED_AUDITS`] of
    /// them: with fewer, whoever was given up counts as a person.
    pub fn of(detects: bool, heard: &Estimate) -> Self {
        if detects {
            Self::Detection {
                people_among_verdicts: heard.false_positive,
            }
        } else if heard.false_negative.n >= ASSUMED_AUDITS {
            Self::NoDetection {
                machines_among_connected: heard.false_negative,
            }
        } else {
            Self::None
        }
    }
}

/// The rate of a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// People abandoned, after the correction.
    pub abandoned: f64,
    /// People who answered, after the correction, those abandoned among them: the denominator.
    pub answered: f64,
    /// People abandoned over people who answered, 0 to 1; 0 when nobody answered.
    pub rate: f64,
    /// The rate is hardly above this: what is estimated in it is taken at its 95 % bound. It equals
    /// the rate when nothing is estimated, as a count has no error.
    pub upper_bound: f64,
    /// So many more people may be abandoned with `upper_bound` still within the limit, if nobody else
    /// answers. Negative: by how much the limit is passed, in abandoned people.
    pub budget_left: f64,
}

impl Metric {
    /// The rate of what was counted, against a limit such as 0.03.
    pub fn of(counts: Counts, correction: Correction, limit: f64) -> Self {
        let (abandoned, answered) = people(counts, correction, |share| share.rate);
        // More people among the verdicts, or fewer machines among the abandoned, raise the rate.
        let (most_abandoned, most_answered) = match correction {
            Correction::None => (abandoned, answered),
            Correction::Detection { .. } => people(counts, correction, |share| share.upper),
            Correction::NoDetection { .. } => people(counts, correction, |share| share.lower),
        };
        Self {
            abandoned,
            answered,
            rate: ratio(abandoned, answered),
            upper_bound: ratio(most_abandoned, most_answered),
            // Each further abandoned person also answered: (a + x) / (n + x) = limit.
            budget_left: (limit * most_answered - most_abandoned) / (1.0 - limit).max(f64::EPSILON),
        }
    }
}

/// People abandoned and people who answered, after the correction.
fn people(counts: Counts, correction: Correction, take: fn(Share) -> f64) -> (f64, f64) {
    let served = float(counts.served);
    let given_up = float(counts.abandoned);
    let abandoned = match correction {
        Correction::None => given_up,
        Correction::Detection {
            people_among_verdicts,
        } => given_up + float(counts.machine_verdicts) * take(people_among_verdicts),
        Correction::NoDetection {
            machines_among_connected,
        } => given_up * (1.0 - take(machines_among_connected)),
    };
    (abandoned, served + abandoned)
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// Over which periods a limit is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Window {
    /// The last so many hours: 24 was Ofcom's until 2017, and still is its yardstick.
    Rolling {
        /// How many.
        hours: u32,
    },
    /// One after another, 30 days from the start of the campaign: 16 CFR 310.4(b)(4)(i), for
    /// campaigns shorter than that the whole campaign.
    ThirtyDays {
        /// When the campaign started.
        start: Timestamp,
    },
    /// A month of the calendar: CRTC, Unsolicited Telecommunications Rules.
    CalendarMonth,
}

/// A period: `from` is within, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

impl Window {
    /// The period that `now` is in. Days and months are those of `zone`, where the campaign is run
    /// from; before its start, a campaign is in its first period. A rolling one ends after `now`.
    pub fn period(self, now: Timestamp, zone: &TimeZone) -> Period {
        match self {
            Self::Rolling { hours } => Period {
                from: now
                    .checked_sub(SignedDuration::from_hours(i64::from(hours)))
                    .unwrap_or(Timestamp::MIN),
                to: after(now, 1),
            },
            Self::ThirtyDays { start } => thirty_days(start, now, zone),
            Self::CalendarMonth => month(now, zone),
        }
    }
}

/// Counted in days of the zone: a day of 23 or 25 hours is a day.
fn thirty_days(start: Timestamp, now: Timestamp, zone: &TimeZone) -> Period {
    let first = start.to_zoned(zone.clone());
    let nth = |n: i64| {
        first
            .checked_add(n.saturating_mul(30).days())
            .map_or(Timestamp::MAX, |at| at.timestamp())
    };
    let days = now.duration_since(start).as_hours() / 24;
    // A change of the clocks moves a boundary by an hour: the estimate is at most one off.
    let n = (days / 30).max(0);
    let n = if nth(n) > now && n > 0 {
        n - 1
    } else if nth(n + 1) <= now {
        n + 1
    } else {
        n
    };
    Period {
        from: nth(n),
        to: nth(n + 1),
    }
}

fn month(now: Timestamp, zone: &TimeZone) -> Period {
    let first = now.to_zoned(zone.clone()).date().first_of_month();
    let begin = |date: jiff::civil::Date| {
        date.to_zoned(zone.clone())
            .map_or(Timestamp::MAX, |at| at.timestamp())
    };
    Period {
        from: begin(first),
        to: first.checked_add(1.month()).map_or(Timestamp::MAX, begin),
    }
}

#[cfg(test)]
mod tests;
