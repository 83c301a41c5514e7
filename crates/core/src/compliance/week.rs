//! Hours of a week on the wall clock, and when they next begin.

use std::sync::LazyLock;

use jiff::{
    civil::{Date, DateTime, Weekday},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};

use super::Calendar;
use crate::time::Timestamp;

/// How many days a window is looked for before it is said never to open. Hours repeat every
/// week; only holidays come between.
const HORIZON_DAYS: usize = 100;

/// The clock rules of a zone (IANA name); none when there is no such zone.
///
/// They are those compiled in, not those of the machine: the same facts give the same
/// decision everywhere.
pub fn zone(name: &str) -> Option<TimeZone> {
    static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    DATABASE.get(name).ok()
}

/// From one time of a day until before another, such as `10:00-13:00`. `24:00` ends the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    /// Minutes after midnight, on the clock.
    from: u16,
    until: u16,
}

impl TryFrom<String> for Hours {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let minutes = |time: &str| {
            let (hours, minutes) = time.split_once(':')?;
            let digits = |text: &str| {
                (text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
                    .then(|| text.parse::<u16>().ok())?
            };
            let (hours, minutes) = (digits(hours)?, digits(minutes)?);
            (hours <= 24 && minutes < 60 && (hours < 24 || minutes == 0))
                .then_some(hours * 60 + minutes)
        };
        text.split_once('-')
            .and_then(|(from, until)| Some((minutes(from)?, minutes(until)?)))
            .filter(|(from, until)| from < until)
            .map(|(from, until)| Self { from, until })
            .ok_or_else(|| {
                format!("{text:?} is not a time span; write it as \"10:00-13:00\", the end after the beginning")
            })
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            until / 60,
            until % 60
        )
    }
}

impl Hours {
    /// When they begin and end on the clock of a date.
    pub(super) fn on(self, date: Date) -> Option<(DateTime, DateTime)> {
        let clock = |minutes: u16| {
            let (hour, minute) = (i8::try_from(minutes / 60), i8::try_from(minutes % 60));
            match (hour, minute) {
                (Ok(24), _) => Some(date.tomorrow().ok()?.at(0, 0, 0, 0)),
                (Ok(hour), Ok(minute)) => Some(date.at(hour, minute, 0, 0)),
                _ => None,
            }
        };
        Some((clock(self.from)?, clock(self.until)?))
    }

    fn hold(self, minute: u16) -> bool {
        (self.from..self.until).contains(&minute)
    }
}

/// The hours of each weekday in which calls may be placed. A day that is not named has none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "WeekText", into = "WeekText")]
pub struct Week([Vec<Hours>; 7]);

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WeekText {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    monday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tuesday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wednesday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thursday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    friday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    saturday: Vec<Hours>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sunday: Vec<Hours>,
}

impl TryFrom<WeekText> for Week {
    type Error = String;
    fn try_from(text: WeekText) -> Result<Self, String> {
        let mut days = [
            text.monday,
            text.tuesday,
            text.wednesday,
            text.thursday,
            text.friday,
            text.saturday,
            text.sunday,
        ];
        for day in &mut days {
            day.sort_by_key(|hours| hours.from);
            if let Some([first, second]) = day
                .array_windows()
                .find(|[first, second]| first.until > second.from)
            {
                return Err(format!("{first} and {second} of one day overlap"));
            }
        }
        Ok(Self(days))
    }
}

impl From<Week> for WeekText {
    fn from(Week(days): Week) -> Self {
        let [
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
            sunday,
        ] = days;
        Self {
            monday,
            tuesday,
            wednesday,
            thursday,
            friday,
            saturday,
            sunday,
        }
    }
}

impl Week {
    /// The hours of a weekday, in order.
    pub fn on(&self, day: Weekday) -> &[Hours] {
        usize::try_from(day.to_monday_zero_offset())
            .ok()
            .and_then(|index| self.0.get(index))
            .map_or(&[], Vec::as_slice)
    }
}

/// A zone that calls go to.
#[derive(Debug, Clone)]
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) zone: TimeZone,
}

impl Place<'_> {
    pub(super) fn clock(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// The first moment of a day.
    pub(super) fn midnight(&self, date: Date) -> Option<Timestamp> {
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp())
    }
}

/// Hours of a week, without the holidays of some calendars.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) week: &'a Week,
    pub(super) closed_on: &'a [std::sync::Arc<Calendar>],
}

/// Why a window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shut<'a> {
    /// It is not the hour.
    Hour,
    /// It is a holiday.
    Holiday(&'a str),
}

impl<'a> Opening<'a> {
    pub(super) fn holiday(&self, date: Date, zone: &str) -> Option<&'a str> {
        self.closed_on
            .iter()
            .find_map(|calendar| calendar.holiday(date, zone))
    }

    /// The hours of a date, with its holiday if it is one: then there are none.
    pub(super) fn hours(&self, date: Date, zone: &str) -> Result<&'a [Hours], &'a str> {
        let hours = self.week.on(date.weekday());
        if hours.is_empty() {
            return Ok(hours);
        }
        self.holiday(date, zone).map_or(Ok(hours), Err)
    }

    pub(super) fn shut(&self, place: &Place<'_>, clock: DateTime) -> Option<Shut<'a>> {
        match self.hours(clock.date(), place.name) {
            Err(holiday) => Some(Shut::Holiday(holiday)),
            Ok(hours) if hours.iter().any(|hours| hours.hold(minute_of(clock))) => None,
            Ok(_) => Some(Shut::Hour),
        }
    }

    fn is_open(&self, place: &Place<'_>, at: Timestamp) -> bool {
        self.shut(place, place.clock(at)).is_none()
    }

    /// The first moment after `after` at which it is open, for one at which it is not.
    pub(super) fn opens(&self, place: &Place<'_>, after: Timestamp) -> Option<Timestamp> {
        let first = place.clock(after).date();
        let mut days = first.series(jiff::Span::new().days(1)).take(HORIZON_DAYS);
        days.find_map(|date| {
            let hours = self.hours(date, place.name).ok()?;
            hours
                .iter()
                .flat_map(|hours| begins(place, date, *hours))
                .flatten()
                .filter(|at| *at > after && self.is_open(place, *at))
                .min()
        })
    }
}

fn minute_of(clock: DateTime) -> u16 {
    // Hour and minute of a clock are never negative.
    u16::from(clock.hour().unsigned_abs()) * 60 + u16::from(clock.minute().unsigned_abs())
}

/// The moments at which hours may begin on a date. More than one where clocks are set back;
/// where they are set forward over the beginning, or back into the hours, it is the moment
/// at which they are set.
fn begins(place: &Place<'_>, date: Date, hours: Hours) -> [Option<Timestamp>; 3] {
    let Some((begin, _)) = hours.on(date) else {
        return [None; 3];
    };
    let clock = place.zone.to_ambiguous_timestamp(begin);
    match clock.offset() {
        AmbiguousOffset::Unambiguous { offset } => {
            let at = offset.to_timestamp(begin).ok();
            // Clocks may be set back into the middle of the hours on this very day.
            let set = at
                .and_then(|at| place.zone.following(at).next())
                .map(|transition| transition.timestamp())
                .filter(|set| place.clock(*set).date() == date);
            [at, set, None]
        }
        AmbiguousOffset::Gap { after, .. } => {
            // Read with the clock that is set forward, the beginning lies before the gap.
            let set = after
                .to_timestamp(begin)
                .ok()
                .and_then(|at| place.zone.following(at).next())
                .map(|transition| transition.timestamp());
            [set, None, None]
        }
        AmbiguousOffset::Fold { before, after } => {
            let first = before.to_timestamp(begin).ok();
            let set = first
                .and_then(|at| place.zone.following(at).next())
                .map(|transition| transition.timestamp());
            [first, set, after.to_timestamp(begin).ok()]
        }
    }
}
