//! Public holidays, as rules that give dates for every year.

use jiff::{
    ToSpan as _,
    civil::{Date, Weekday},
};
use serde::Deserialize;

use super::error::{PackError, toml_error};

/// The public holidays of a country or state.
#[derive(Debug, Clone, PartialEq)]
pub struct Calendar {
    /// Its id, such as `FR` or `US-federal`.
    pub id: String,
    /// What it is, for people.
    pub title: String,
    /// The law or page that it is taken from.
    pub source: String,
    holidays: Vec<Holiday>,
}

#[derive(Debug, Clone, PartialEq)]
struct Holiday {
    name: String,
    rule: Rule,
    /// Kept on a working day when it falls on a Saturday or Sunday.
    observed: Observed,
    from_year: i16,
    to_year: i16,
    /// Only in these time zones; everywhere when empty.
    zones: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// The same day every year.
    Fixed { month: i8, day: i8 },
    /// The n-th weekday of a month; -1 is the last.
    Nth { month: i8, weekday: Weekday, n: i8 },
    /// The last such weekday before a day.
    Before {
        month: i8,
        day: i8,
        weekday: Weekday,
    },
    /// So many days after Easter Sunday.
    Easter(i16),
    /// One date only.
    Once(Date),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Observed {
    /// On its day only.
    #[default]
    OnTheDay,
    /// Saturday: also the Friday before; Sunday: also the Monday after.
    NearestWeekday,
    /// Also on the next weekday that is not a holiday itself.
    NextWeekday,
}

impl Calendar {
    /// The name of the holiday that `date` is in a time zone, if it is one. A holiday that
    /// is moved to a working day is one on both days.
    pub fn holiday(&self, date: Date, zone: &str) -> Option<&str> {
        self.holidays
            .iter()
            .find(|holiday| holiday.is_in(zone) && self.falls_on(holiday, date))
            .map(|holiday| holiday.name.as_str())
    }

    fn falls_on(&self, holiday: &Holiday, date: Date) -> bool {
        let year = date.year();
        if holiday.date_in(year) == Some(date) {
            return true;
        }
        match holiday.observed {
            Observed::OnTheDay => false,
            // The first of January is observed in the year before when it is a Saturday.
            Observed::NearestWeekday => [year, year.saturating_add(1)]
                .into_iter()
                .filter_map(|year| holiday.date_in(year))
                .any(|day| nearest_weekday(day) == Some(date)),
            Observed::NextWeekday => holiday
                .date_in(year)
                .and_then(|day| self.next_weekday(holiday, day))
                .is_some_and(|day| day == date),
        }
    }

    /// The working day that stands in for `day`, the date of `holiday` in its year.
    fn next_weekday(&self, holiday: &Holiday, day: Date) -> Option<Date> {
        if !is_weekend(day) {
            return None;
        }
        let year = day.year();
        // Those earlier in the week-end choose first.
        let before = self
            .holidays
            .iter()
            .filter(|other| other.observed == Observed::NextWeekday)
            .filter_map(|other| other.date_in(year))
            .filter(|other| is_weekend(*other) && *other < day && week_end(*other) == week_end(day))
            .count();
        let mut free = before;
        let mut next = day;
        for _ in 0..14 {
            next = next.tomorrow().ok()?;
            let taken = self
                .holidays
                .iter()
                .any(|other| other != holiday && other.date_in(year) == Some(next));
            if is_weekend(next) || taken {
                continue;
            }
            if free == 0 {
                return Some(next);
            }
            free -= 1;
        }
        None
    }

    /// Reads a calendar.
    ///
    /// # Errors
    /// [`PackError`] naming the file and the holiday.
    pub fn parse(file: &str, text: &str) -> Result<Self, PackError> {
        let text: CalendarText = toml::from_str(text).map_err(|error| toml_error(file, &error))?;
        let holidays = text
            .holidays
            .into_iter()
            .map(|holiday| {
                let name = holiday.name.clone();
                holiday.build().map_err(|problem| {
                    PackError::at(file, None, &format!("holidays {name:?}"), problem)
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: text.id,
            title: text.title,
            source: text.source,
            holidays,
        })
    }
}

impl Holiday {
    fn is_in(&self, zone: &str) -> bool {
        self.zones.is_empty() || self.zones.iter().any(|name| name == zone)
    }

    fn date_in(&self, year: i16) -> Option<Date> {
        if year < self.from_year || year > self.to_year {
            return None;
        }
        match self.rule {
            Rule::Fixed { month, day } => Date::new(year, month, day).ok(),
            Rule::Nth { month, weekday, n } => Date::new(year, month, 1)
                .ok()?
                .nth_weekday_of_month(n, weekday)
                .ok(),
            Rule::Before {
                month,
                day,
                weekday,
            } => Date::new(year, month, day)
                .ok()?
                .nth_weekday(-1, weekday)
                .ok(),
            Rule::Easter(days) => easter(year)?.checked_add(i32::from(days).days()).ok(),
            Rule::Once(date) => (date.year() == year).then_some(date),
        }
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The Sunday of a week-end day's week-end.
fn week_end(date: Date) -> Option<Date> {
    match date.weekday() {
        Weekday::Saturday => date.tomorrow().ok(),
        _ => Some(date),
    }
}

fn nearest_weekday(date: Date) -> Option<Date> {
    match date.weekday() {
        Weekday::Saturday => date.yesterday().ok(),
        Weekday::Sunday => date.tomorrow().ok(),
        _ => None,
    }
}

/// Easter Sunday of the Gregorian calendar: the anonymous algorithm (Meeus, *Astronomical
/// Algorithms*, chapter 8).
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let golden = y % 19;
    let (century, rest) = (y / 100, y % 100);
    let epact =
        (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let day = epact + weekday - 7 * late + 114;
    Date::new(
        year,
        i8::try_from(day / 31).ok()?,
        i8::try_from(day % 31 + 1).ok()?,
    )
    .ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarText {
    id: String,
    title: String,
    source: String,
    holidays: Vec<HolidayText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolidayText {
    name: String,
    fixed: Option<FixedText>,
    nth: Option<NthText>,
    before: Option<BeforeText>,
    easter: Option<i16>,
    date: Option<toml::value::Datetime>,
    #[serde(default)]
    observed: Observed,
    from_year: Option<i16>,
    to_year: Option<i16>,
    #[serde(default)]
    zones: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedText {
    month: i8,
    day: i8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NthText {
    month: i8,
    weekday: Day,
    n: i8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeforeText {
    month: i8,
    day: i8,
    weekday: Day,
}

/// A weekday as it is written in files.
#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<Day> for Weekday {
    fn from(day: Day) -> Self {
        match day {
            Day::Monday => Self::Monday,
            Day::Tuesday => Self::Tuesday,
            Day::Wednesday => Self::Wednesday,
            Day::Thursday => Self::Thursday,
            Day::Friday => Self::Friday,
            Day::Saturday => Self::Saturday,
            Day::Sunday => Self::Sunday,
        }
    }
}

impl HolidayText {
    fn build(self) -> Result<Holiday, String> {
        let mut rules = Vec::new();
        if let Some(FixedText { month, day }) = self.fixed {
            // 2024 is a leap year: the 29th of February exists in some years.
            Date::new(2024, month, day).map_err(|_| format!("no year has a day {month}-{day}"))?;
            rules.push(Rule::Fixed { month, day });
        }
        if let Some(NthText { month, weekday, n }) = self.nth {
            if !(1..=12).contains(&month) || !((1..=5).contains(&n) || n == -1) {
                return Err(
                    "nth needs a month of 1 to 12 and an n of 1 to 5, or -1 for the last"
                        .to_owned(),
                );
            }
            rules.push(Rule::Nth {
                month,
                weekday: weekday.into(),
                n,
            });
        }
        if let Some(BeforeText {
            month,
            day,
            weekday,
        }) = self.before
        {
            Date::new(2024, month, day).map_err(|_| format!("no year has a day {month}-{day}"))?;
            rules.push(Rule::Before {
                month,
                day,
                weekday: weekday.into(),
            });
        }
        rules.extend(self.easter.map(Rule::Easter));
        if let Some(date) = &self.date {
            rules.push(Rule::Once(super::error::date(date)?));
        }
        let [rule] = rules[..] else {
            return Err("give exactly one of fixed, nth, before, easter and date".to_owned());
        };
        Ok(Holiday {
            name: self.name,
            rule,
            observed: self.observed,
            from_year: self.from_year.unwrap_or(i16::MIN),
            to_year: self.to_year.unwrap_or(i16::MAX),
            zones: self.zones,
        })
    }
}
