//! Which number to show to the person called, and when to give one a rest.
//!
//! [`choose`] takes the number of a pool that is most local to the number dialed and, among
//! equals, the one that was used longest ago. [`Health`] finds the numbers that people stopped
//! answering, as those that carriers and telephones mark as unwanted.

mod health;

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use serde::{Deserialize, Serialize};

use crate::{phone::PhoneNumber, time::Timestamp};

pub use health::{Baseline, DIALS_PER_FALSE_ALARM, Health, MIN_BASELINE_DIALS, Rest, is_answered};

/// Most numbers of a pool.
pub const MAX_POOL: usize = 1_000;

/// A number that may be shown.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerId {
    number: PhoneNumber,
    place: Place,
    /// It is not shown before this moment, unless every number of the pool rests.
    pub rested_until: Option<Timestamp>,
    /// When it was shown last.
    pub last_used_at: Option<Timestamp>,
    /// How often it was shown.
    pub dials: u64,
}

impl CallerId {
    /// A number that was never shown and does not rest.
    pub fn new(number: PhoneNumber) -> Self {
        let place = Place::of(&number);
        Self {
            number,
            place,
            rested_until: None,
            last_used_at: None,
            dials: 0,
        }
    }

    /// The number.
    pub fn number(&self) -> &PhoneNumber {
        &self.number
    }

    /// Whether it rests at this moment.
    pub fn rests(&self, now: Timestamp) -> bool {
        self.rested_until.is_some_and(|until| now < until)
    }
}

/// Where a number belongs.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    calling_code: Option<i32>,
    /// Countries may share a calling code, as those of +1 do.
    country: Option<Region>,
    /// The digits after the calling code.
    national: String,
}

impl Place {
    fn of(number: &PhoneNumber) -> Self {
        match PHONE_NUMBER_UTIL.parse(number.as_str(), None) {
            Ok(parsed) => Self {
                calling_code: Some(parsed.country_code),
                country: parsed.get_region_code(),
                national: parsed.get_national_significant_number(),
            },
            Err(_) => Self {
                calling_code: None,
                country: None,
                national: String::new(),
            },
        }
    }

    fn nearness(&self, other: &Self) -> Nearness {
        if self.calling_code.is_none() || self.calling_code != other.calling_code {
            return Nearness::default();
        }
        let shared = self
            .national
            .bytes()
            .zip(other.national.bytes())
            .take_while(|(left, right)| left == right)
            .count();
        Nearness {
            same_country: self.country.is_some() && self.country == other.country,
            same_calling_code: true,
            shared_digits: u8::try_from(shared).unwrap_or(u8::MAX),
        }
    }
}

/// How local a number is to another. The greater is the more local: the country counts before
/// the calling code, and that before the digits.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Nearness {
    /// Both are numbers of one country.
    pub same_country: bool,
    /// Both have the same calling code, such as +1.
    pub same_calling_code: bool,
    /// So many leading digits after the calling code are the same.
    pub shared_digits: u8,
}

/// Why a number was chosen: kept with the attempt as evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// How local it is to the number dialed.
    pub nearness: Nearness,
    /// So many numbers are equally local, itself among them.
    pub equals: usize,
    /// So many numbers of the pool were left out because they rest.
    pub resting: usize,
    /// Every number rests. This one's rest ends first.
    pub resting_until: Option<Timestamp>,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Nearness {
            same_country,
            same_calling_code,
            shared_digits,
        } = self.nearness;
        if let Some(until) = self.resting_until {
            return write!(
                f,
                "all {} numbers of the pool rest; the rest of this one ends first, at {until}",
                self.resting
            );
        }
        match (same_country, same_calling_code) {
            (true, _) => write!(f, "same country, {shared_digits} leading digits in common")?,
            (false, true) => write!(
                f,
                "same calling code, {shared_digits} leading digits in common"
            )?,
            (false, false) => f.write_str("no number of the pool is of the same country")?,
        }
        if self.equals > 1 {
            write!(f, "; used longest ago of {} equally local", self.equals)?;
        }
        if self.resting > 0 {
            write!(f, "; {} resting left out", self.resting)?;
        }
        Ok(())
    }
}

/// The number to show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The number.
    pub number: PhoneNumber,
    /// Why this one.
    pub why: Why,
}

/// Chooses the number of `pool` to show when `dialed` is called at `now`.
///
/// 1. Numbers that rest are left out, and so is the number dialed itself: a call that seems to
///    come from the person's own number is refused by networks.
/// 2. The most local are kept: same country, then same calling code, then the most leading
///    digits in common after the calling code.
/// 3. Of these, the one used longest ago is taken; then the one used least often; then the
///    smallest number, so that the choice depends on nothing else.
///
/// When every number rests, the one whose rest ends first is shown, and [`Why::resting_until`]
/// says so: a rest is a measure against poor answer rates, and a campaign that stops by itself
/// is worse. Who wants it to stop takes the numbers out of the pool.
///
/// None when the pool has no number to show. A campaign must then not dial: calls without a
/// number that can be called back are unlawful in most countries.
pub fn choose(pool: &[CallerId], dialed: &PhoneNumber, now: Timestamp) -> Option<Choice> {
    let there = Place::of(dialed);
    let usable = || pool.iter().filter(|caller| caller.number != *dialed);
    let resting = usable().filter(|caller| caller.rests(now)).count();
    let near = |caller: &CallerId| caller.place.nearness(&there);
    let Some(nearest) = usable().filter(|caller| !caller.rests(now)).map(near).max() else {
        return first_to_wake(usable(), resting, &there);
    };
    let equals = || usable().filter(|caller| !caller.rests(now) && near(caller) == nearest);
    let chosen =
        equals().min_by_key(|caller| (caller.last_used_at, caller.dials, &caller.number))?;
    Some(Choice {
        number: chosen.number.clone(),
        why: Why {
            nearness: nearest,
            equals: equals().count(),
            resting,
            resting_until: None,
        },
    })
}

fn first_to_wake<'a>(
    usable: impl Iterator<Item = &'a CallerId>,
    resting: usize,
    there: &Place,
) -> Option<Choice> {
    let chosen = usable.min_by_key(|caller| {
        (
            caller.rested_until,
            caller.last_used_at,
            caller.dials,
            &caller.number,
        )
    })?;
    Some(Choice {
        number: chosen.number.clone(),
        why: Why {
            nearness: chosen.place.nearness(there),
            equals: 1,
            resting,
            resting_until: chosen.rested_until,
        },
    })
}

/// Chooses as [`choose`] does and notes the use, so that the next choice from the same `pool`
/// turns to another number.
pub fn take(pool: &mut [CallerId], dialed: &PhoneNumber, now: Timestamp) -> Option<Choice> {
    let choice = choose(pool, dialed, now)?;
    for caller in pool
        .iter_mut()
        .filter(|caller| caller.number == choice.number)
    {
        caller.last_used_at = caller.last_used_at.max(Some(now));
        caller.dials += 1;
    }
    Some(choice)
}

#[cfg(test)]
mod tests;
