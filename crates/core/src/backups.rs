//! When backups are due, and which of them are kept.

use std::fmt;

use jiff::{
    ToSpan as _,
    civil::{Date, Time, Weekday},
    tz::TimeZone,
};
use serde::{Deserialize, Serialize};

use crate::{
    compliance::zone,
    time::{Timestamp, after},
};

/// After a scheduled backup failed, the next try comes an hour later.
pub const RETRY_MS: u64 = 3_600_000;

/// Days that are looked at to find a day of the month, with room for what a zone may skip.
const DAYS: i64 = 40;

/// How often backups are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frequency {
    /// Never by themselves.
    None,
    /// Every day.
    Daily,
    /// On Sundays.
    Weekly,
    /// On the first day of a month.
    Monthly,
}

impl Frequency {
    fn is_day(self, day: Date) -> bool {
        match self {
            Self::None => false,
            Self::Daily => true,
            Self::Weekly => day.weekday() == Weekday::Sunday,
            Self::Monthly => day.day() == 1,
        }
    }
}

/// Why a schedule cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// The time of day.
    #[error("must be a time of day as in 02:00")]
    Time,
    /// The zone.
    #[error("is not a time zone such as Europe/Paris")]
    Zone,
}

/// When backups are made: so often, at a time of day on the clock of a zone.
///
/// A time that the clock skips on a day, when summer begins, is taken as much later as the clock
/// jumps; one that it shows twice is taken the first time.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    frequency: Frequency,
    time: Time,
    zone: TimeZone,
}

/// The last time that a scheduled backup was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// When it was begun.
    pub at: Timestamp,
    /// Whether it was made.
    pub made: bool,
}

impl Schedule {
    /// A schedule with a time as in `02:00` and the name of a zone as in `Europe/Paris`.
    ///
    /// # Errors
    /// [`BadSchedule`] says which of the two is none.
    pub fn new(frequency: Frequency, time: &str, zone_name: &str) -> Result<Self, BadSchedule> {
        Ok(Self {
            frequency,
            time: clock_time(time).ok_or(BadSchedule::Time)?,
            zone: zone(zone_name).ok_or(BadSchedule::Zone)?,
        })
    }

    fn on(&self, day: Date) -> Option<Timestamp> {
        let zoned = day.to_datetime(self.time).to_zoned(self.zone.clone());
        zoned.ok().map(|zoned| zoned.timestamp())
    }

    /// The moments of the schedule on the days from `first` on, `step` days apart.
    fn moments(&self, first: Date, step: i64) -> impl Iterator<Item = Timestamp> + '_ {
        (0..DAYS)
            .filter_map(move |day| first.checked_add((day * step).days()).ok())
            .filter(|day| self.frequency.is_day(*day))
            .filter_map(|day| self.on(day))
    }

    /// When a backup is due next after a moment; none when they are not made by themselves.
    pub fn next(&self, moment: Timestamp) -> Option<Timestamp> {
        let today = moment.to_zoned(self.zone.clone()).date();
        let first = today.yesterday().unwrap_or(today);
        self.moments(first, 1).find(|due| *due > moment)
    }

    /// When a backup was due last, at this moment or before it.
    pub fn last(&self, moment: Timestamp) -> Option<Timestamp> {
        let today = moment.to_zoned(self.zone.clone()).date();
        let first = today.tomorrow().unwrap_or(today);
        self.moments(first, -1).find(|due| *due <= moment)
    }

    /// Whether a backup is to be made now. However many were missed while nobody could make
    /// them, it is one. What was due before the schedule was set is not made up for, and one that
    /// failed is tried again after [`RETRY_MS`].
    pub fn is_due(&self, set_at: Timestamp, tried: Option<Tried>, now: Timestamp) -> bool {
        let Some(due) = self.last(now).filter(|due| *due > set_at) else {
            return false;
        };
        match tried {
            Some(tried) if tried.at >= due => !tried.made && now >= after(tried.at, RETRY_MS),
            Some(_) | None => true,
        }
    }
}

/// Hours and minutes with two digits each.
fn clock_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| -> Option<i8> {
        let is_two = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse().ok().filter(|_| is_two)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// What is not kept of backups that are given newest first, each with whether it was made:
/// everything that is older than the `keep` newest ones that were, failures among it.
pub fn surplus<T>(newest_first: impl IntoIterator<Item = (T, bool)>, keep: usize) -> Vec<T> {
    let mut made = 0;
    newest_first
        .into_iter()
        .filter_map(|(id, is_made)| {
            let is_old = made >= keep;
            made += usize::from(is_made);
            is_old.then_some(id)
        })
        .collect()
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn schedule(frequency: Frequency, time: &str, zone: &str) -> Schedule {
        Schedule::new(frequency, time, zone).unwrap()
    }

    /// The moments after one, in order.
    fn following(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
        let mut moment = at(from);
        let next = |_| {
            moment = schedule.next(moment).unwrap();
            moment.to_string()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn the_time_of_day_is_that_of_the_zone() {
        let paris = schedule(Frequency::Daily, "02:00", "Europe/Paris");
        assert_eq!(
            following(&paris, "2026-11-21T01:00:00Z", 2),
            ["2026-11-22T01:00:00Z", "2026-11-23T01:00:00Z"]
        );
        let tokyo = schedule(Frequency::Daily, "02:00", "Asia/Tokyo");
        assert_eq!(
            following(&tokyo, "2026-11-21T01:00:00Z", 1),
            ["2026-11-21T17:00:00Z"]
        );
    }

    #[test]
    fn weekly_is_on_sundays_and_monthly_on_the_first() {
        let weekly = schedule(Frequency::Weekly, "03:30", "UTC");
        assert_eq!(
            following(&weekly, "2026-11-21T12:00:00Z", 2),
            ["2026-11-22T03:30:00Z", "2026-11-29T03:30:00Z"]
        );
        let monthly = schedule(Frequency::Monthly, "00:00", "America/New_York");
        assert_eq!(
            following(&monthly, "2026-01-01T05:00:00Z", 3),
            [
                "2026-02-01T05:00:00Z",
                "2026-03-01T05:00:00Z",
                "2026-04-01T04:00:00Z"
            ]
        );
    }

    #[test]
    fn a_time_that_the_clock_skips_is_taken_an_hour_later_and_once() {
        let paris = schedule(Frequency::Daily, "02:30", "Europe/Paris");
        // Summer begins on 29 March 2026: 02:00 is followed by 03:00.
        assert_eq!(
            following(&paris, "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_is_taken_the_first_time() {
        let paris = schedule(Frequency::Daily, "02:30", "Europe/Paris");
        // Summer ends on 25 October 2026: 02:30 is at 00:30 and at 01:30 UTC.
        assert_eq!(
            following(&paris, "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        let last = paris.last(at("2026-10-25T01:30:00Z"));
        assert_eq!(last, Some(at("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn what_comes_next_is_what_was_last_when_it_is_there() {
        for frequency in [Frequency::Daily, Frequency::Weekly, Frequency::Monthly] {
            for zone in ["Europe/Paris", "America/St_Johns", "Pacific/Apia", "UTC"] {
                let schedule = schedule(frequency, "02:30", zone);
                let mut moment = at("2026-01-01T00:00:00Z");
                for _ in 0..400 {
                    let next = schedule.next(moment).unwrap();
                    assert!(next > moment, "{frequency} {zone} {moment}");
                    assert_eq!(schedule.last(next), Some(next), "{frequency} {zone}");
                    moment = next;
                }
            }
        }
    }

    #[test]
    fn without_a_frequency_nothing_is_ever_due() {
        let never = schedule(Frequency::None, "02:00", "UTC");
        let now = at("2026-11-21T12:00:00Z");
        assert_eq!(never.next(now), None);
        assert!(!never.is_due(Timestamp::UNIX_EPOCH, None, now));
    }

    #[test]
    fn a_backup_is_due_once_for_each_time() {
        let daily = schedule(Frequency::Daily, "02:00", "UTC");
        let set_at = at("2026-11-20T12:00:00Z");
        let due = |tried, now: &str| daily.is_due(set_at, tried, at(now));
        assert!(
            !due(None, "2026-11-20T12:00:01Z"),
            "was due before it was set"
        );
        assert!(!due(None, "2026-11-21T01:59:59Z"));
        assert!(due(None, "2026-11-21T02:00:00Z"));
        let made = Some(Tried {
            at: at("2026-11-21T02:00:00Z"),
            made: true,
        });
        assert!(!due(made, "2026-11-21T02:00:30Z"));
        assert!(!due(made, "2026-11-22T01:59:59Z"));
        assert!(due(made, "2026-11-22T02:00:00Z"));
    }

    #[test]
    fn what_was_missed_for_days_is_made_once() {
        let daily = schedule(Frequency::Daily, "02:00", "UTC");
        let set_at = at("2026-11-01T00:00:00Z");
        let before = Tried {
            at: at("2026-11-10T02:00:00Z"),
            made: true,
        };
        let back = at("2026-11-15T09:00:00Z");
        assert!(daily.is_due(set_at, Some(before), back));
        let now = Tried {
            at: back,
            made: true,
        };
        assert!(!daily.is_due(set_at, Some(now), at("2026-11-15T09:00:30Z")));
        assert!(!daily.is_due(set_at, Some(now), at("2026-11-16T01:59:00Z")));
        assert!(daily.is_due(set_at, Some(now), at("2026-11-16T02:00:00Z")));
    }

    #[test]
    fn one_that_failed_is_tried_again_after_an_hour() {
        let monthly = schedule(Frequency::Monthly, "02:00", "UTC");
        let failed = Some(Tried {
            at: at("2026-11-01T02:00:00Z"),
            made: false,
        });
        let due = |now: &str| monthly.is_due(Timestamp::UNIX_EPOCH, failed, at(now));
        assert!(!due("2026-11-01T02:59:59Z"));
        assert!(due("2026-11-01T03:00:00Z"));
    }

    #[test]
    fn a_schedule_that_cannot_be_read_says_what_is_wrong() {
        for time in [
            "2:00", "24:00", "02:60", "02.00", "", "02:00:00", "+2:00", "aa:bb",
        ] {
            let read = Schedule::new(Frequency::Daily, time, "UTC");
            assert_eq!(read, Err(BadSchedule::Time), "{time}");
        }
        let read = Schedule::new(Frequency::Daily, "02:00", "Europe/Nowhere");
        assert_eq!(read, Err(BadSchedule::Zone));
    }

    #[test]
    fn the_oldest_go_first_and_failures_with_them() {
        let backups = [
            (6, true),
            (5, false),
            (4, true),
            (3, true),
            (2, false),
            (1, true),
        ];
        assert_eq!(surplus(backups, 3), [2, 1]);
        assert_eq!(surplus(backups, 2), [3, 2, 1]);
        assert!(surplus(backups, 4).is_empty());
        let failures = [(3, false), (2, false), (1, true)];
        assert!(surplus(failures, 1).is_empty(), "the only one stays");
    }
}
