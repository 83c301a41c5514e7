//! In which order the contacts of a list are dialed.
//!
//! The order is a number kept with each contact, so that the next ones are found by an
//! index whatever the size of the list. The number says in its top bits for which order it
//! was made: after a change of the order, those made for another one are told apart.

use std::{fmt, str::FromStr};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Which contacts are dialed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialOrder {
    /// Those never dialed, longest in the list first; then retries, longest due first.
    #[default]
    NewFirst,
    /// By their priority, the greatest first.
    Priority,
    /// Those that have been in the list longest, dialed before or not.
    OldestFirst,
    /// Those whose best hour it is where they are; then those of whom none is known; then
    /// the others, whose best hour comes soonest first.
    BestHour,
}

impl DialOrder {
    /// Every order.
    pub const ALL: [Self; 4] = [
        Self::NewFirst,
        Self::Priority,
        Self::OldestFirst,
        Self::BestHour,
    ];

    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewFirst => "new-first",
            Self::Priority => "priority",
            Self::OldestFirst => "oldest-first",
            Self::BestHour => "best-hour",
        }
    }

    const fn tag(self) -> i64 {
        match self {
            Self::NewFirst => 0,
            Self::Priority => 1 << TAG,
            Self::OldestFirst => 2 << TAG,
            Self::BestHour => 3 << TAG,
        }
    }

    /// The smallest and the greatest rank made for this order.
    pub const fn bounds(self) -> (i64, i64) {
        (self.tag(), self.tag() + (1 << TAG) - 1)
    }

    /// The stretches of ranks to walk, one after the other, for contacts on whose clock it
    /// is `hour`. Those made for another order come last.
    pub fn stretches(self, hour: u8) -> Vec<(i64, i64)> {
        let (low, high) = self.bounds();
        let buckets = |from: u8, to: u8| {
            let (from, to) = (i64::from(from), i64::from(to));
            (low + (from << HIGH), low + ((to + 1) << HIGH) - 1)
        };
        let mut stretches = match self {
            Self::NewFirst | Self::Priority | Self::OldestFirst => vec![(low, high)],
            Self::BestHour => vec![
                buckets(hour, hour),
                buckets(NO_HOUR, NO_HOUR),
                buckets(hour.saturating_add(1).min(NO_HOUR), NO_HOUR),
                buckets(0, hour),
            ],
        };
        stretches.extend([(i64::MIN, low - 1), (high + 1, i64::MAX)]);
        stretches
    }
}

impl fmt::Display for DialOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DialOrder {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|order| order.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "unknown dial order {text:?}; it is new-first, priority, oldest-first or best-hour"
                )
            })
    }
}

/// The hour, 0 to 23, on the clock of a contact whose zones (IANA names joined by `|`) are
/// these: that of the first one, or of UTC when none is known.
pub fn local_hour(zones: &str, now: Timestamp) -> u8 {
    let zone = zones.split('|').next().unwrap_or("");
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    u8::try_from(now.to_zoned(zone).hour()).unwrap_or(0)
}

/// The bit of the order's tag, and that of what is compared first within an order.
const TAG: u32 = 60;
const HIGH: u32 = 48;

/// The bucket of contacts whose best hour is not known.
const NO_HOUR: u8 = 24;

/// What a contact is ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// Attempts made so far.
    pub attempts: u32,
    /// Its priority, 0 to 99; greater is dialed sooner.
    pub priority: u8,
    /// When it was added.
    pub added_at: Timestamp,
    /// Since when it may be dialed.
    pub due_at: Timestamp,
    /// The hour on its own clock, 0 to 23, at which it is best reached: stated by the list, or
    /// the hour of the last answer by a person.
    pub best_hour: Option<u8>,
}

impl Ranked {
    /// Its rank: smaller is dialed sooner.
    pub fn rank(&self, order: DialOrder) -> i64 {
        let retry = i64::from(self.attempts > 0);
        let (high, at) = match order {
            DialOrder::NewFirst if self.attempts == 0 => (0, self.added_at),
            DialOrder::NewFirst => (1, self.due_at),
            DialOrder::Priority => (i64::from(99 - self.priority.min(99)), self.due_at),
            DialOrder::OldestFirst => (0, self.added_at),
            DialOrder::BestHour => {
                let hour = self.best_hour.filter(|hour| *hour < NO_HOUR);
                (i64::from(hour.unwrap_or(NO_HOUR)), self.due_at)
            }
        };
        let first = match order {
            DialOrder::BestHour => retry << (HIGH - 1),
            DialOrder::NewFirst | DialOrder::Priority | DialOrder::OldestFirst => 0,
        };
        // Milliseconds need 41 bits until 2039 and 43 until 2248.
        let millis = at.as_millisecond().clamp(0, (1 << (HIGH - 1)) - 1);
        order.tag() + (high << HIGH) + first + millis
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn contact(attempts: u32, added: i64, due: i64) -> Ranked {
        Ranked {
            attempts,
            priority: 0,
            added_at: at(added),
            due_at: at(due),
            best_hour: None,
        }
    }

    #[test]
    fn new_contacts_come_before_retries_that_are_long_due() {
        let rank = |contact: Ranked| contact.rank(DialOrder::NewFirst);
        assert!(rank(contact(0, 900, 900)) < rank(contact(1, 0, 10)));
        assert!(rank(contact(0, 1, 1)) < rank(contact(0, 2, 2)));
        assert!(rank(contact(3, 0, 10)) < rank(contact(1, 0, 11)));
    }

    #[test]
    fn the_greatest_priority_comes_first_and_within_it_the_longest_due() {
        let rank = |priority, due| {
            let contact = Ranked {
                priority,
                ..contact(0, 0, due)
            };
            contact.rank(DialOrder::Priority)
        };
        assert!(rank(99, 500) < rank(10, 1));
        assert!(rank(10, 1) < rank(10, 2));
        assert!(rank(10, 2) < rank(0, 0));
    }

    #[test]
    fn the_oldest_comes_first_however_often_it_was_dialed() {
        let rank = |contact: Ranked| contact.rank(DialOrder::OldestFirst);
        assert!(rank(contact(7, 0, 800)) < rank(contact(0, 1, 1)));
    }

    #[test]
    fn at_ten_those_best_reached_at_ten_come_before_the_unknown_and_those_of_eleven_before_those_of_nine()
     {
        let place = |best_hour| {
            let contact = Ranked {
                best_hour,
                ..contact(0, 0, 0)
            };
            let rank = contact.rank(DialOrder::BestHour);
            DialOrder::BestHour
                .stretches(10)
                .iter()
                .position(|(low, high)| (*low..=*high).contains(&rank))
        };
        assert_eq!(place(Some(10)), Some(0));
        assert_eq!(place(None), Some(1));
        assert_eq!(place(Some(11)), Some(2));
        assert_eq!(place(Some(9)), Some(3));
    }

    #[test]
    fn the_hour_is_that_of_the_contact() {
        let noon = "2026-07-01T12:00:00Z".parse().unwrap();
        assert_eq!(local_hour("Europe/Paris", noon), 14);
        assert_eq!(local_hour("America/New_York|America/Chicago", noon), 8);
        assert_eq!(local_hour("", noon), 12);
        assert_eq!(local_hour("Nowhere/City", noon), 12);
    }

    #[test]
    fn every_name_can_be_read_back() {
        for order in DialOrder::ALL {
            assert_eq!(order.as_str().parse(), Ok(order));
        }
    }

    proptest! {
        #[test]
        fn a_rank_lies_within_the_bounds_of_its_order_and_in_one_of_its_stretches(
            attempts in 0_u32..500, priority in 0_u8..=120, added in -10_000_000_000_i64..10_000_000_000,
            best_hour in prop::option::of(0_u8..30), hour in 0_u8..24, order in 0_usize..4,
        ) {
            let contact = Ranked {
                attempts, priority, added_at: at(added), due_at: at(added), best_hour,
            };
            for made_for in DialOrder::ALL {
                let rank = contact.rank(made_for);
                let (low, high) = made_for.bounds();
                prop_assert!((low..=high).contains(&rank));
                let walked = DialOrder::ALL[order].stretches(hour);
                prop_assert!(walked.iter().any(|(low, high)| (*low..=*high).contains(&rank)));
            }
        }
    }
}
