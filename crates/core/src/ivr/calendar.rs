//! Which way a call goes at a given moment.

use std::sync::LazyLock;

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};

use super::{
    graph::{CalendarContent, CalendarEvent, PortId},
    ports::shorten,
};

/// The zones that are built into the program. The files of the machine are not read: two nodes
/// must take the same decision, and a flow that passed its checks must not meet a missing zone.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A calendar node, ready to be asked.
///
/// Events are tried from the top, the first that matches decides. Every event is a set of days and
/// a part of the day:
///
/// - a recurring event means its days of the week, for ever; any other its dates, both included;
/// - the part is from `startTime` until just before `endTime`, or the whole day if `allDay` is set;
/// - an end before the start is on the next morning, and the night belongs to the day it began on;
/// - an end of `23:59` or `24:00` is the end of the day, so that no minute of the night is lost.
///
/// Hours are those of the clock on the wall. When the clock is put back, an hour that comes twice
/// begins an event at its first coming and also ends it at its first coming, so no event happens
/// twice in a night. When it is put forward, a time that is skipped means the moment of the change.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    rules: Vec<Rule>,
}

/// Why a calendar cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The zone is not in the IANA database.
    #[error("the time zone “{0}” does not exist; use a name such as Europe/Paris")]
    UnknownTimezone(String),
    /// An event is not complete or contradicts itself.
    #[error("event “{event}”: {problem}")]
    Event {
        /// The name of the event, or its id if it has none.
        event: String,
        /// What is wrong with it.
        #[source]
        problem: EventProblem,
    },
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventProblem {
    /// Without an id it has no output port.
    #[error("it has no id, so no connection can leave by it")]
    NoId,
    /// A day of the week is not one of the seven.
    #[error("“{0}” is not a day; days are mon, tue, wed, thu, fri, sat and sun")]
    Day(String),
    /// A time is missing or unreadable.
    #[error("the {which} time “{value}” is not of the form HH:MM")]
    Time {
        /// `start` or `end`.
        which: &'static str,
        /// What was written.
        value: String,
    },
    /// Start and end are the same.
    #[error("it starts and ends at the same time; for a whole day set allDay")]
    NoDuration,
    /// A date is missing or unreadable.
    #[error("the {which} date “{value}” is not of the form YYYY-MM-DD")]
    Date {
        /// `start` or `end`.
        which: &'static str,
        /// What was written.
        value: String,
    },
    /// The last date is before the first.
    #[error("its end date is before its start date")]
    DatesReversed,
}

/// One event, understood.
#[derive(Debug, Clone)]
struct Rule {
    port: PortId,
    days: Days,
    /// `None` is the whole day.
    hours: Option<Hours>,
}

#[derive(Debug, Clone)]
enum Days {
    Weekly(Vec<Weekday>),
    Between(Date, Date),
}

#[derive(Debug, Clone, Copy)]
struct Hours {
    start: Time,
    /// `None` is midnight at the end of the day.
    end: Option<Time>,
}

/// The port by which a call leaves a calendar node at `now`: the id of the first matching event,
/// or `out-default`.
pub fn evaluate(calendar: &CalendarContent, now: Timestamp) -> Result<PortId, CalendarError> {
    Calendar::new(calendar).map(|calendar| calendar.port_at(now))
}

// === impl Calendar ===

impl Calendar {
    /// Reads the content of a node. An event that would never be tried must be right as well.
    pub fn new(content: &CalendarContent) -> Result<Self, CalendarError> {
        let zone = zone(content)?;
        let rules = content
            .events
            .iter()
            .map(rule)
            .collect::<Result<_, CalendarError>>()?;
        Ok(Self { zone, rules })
    }

    /// Everything that is wrong with the content of a node.
    pub(super) fn problems(content: &CalendarContent) -> Vec<CalendarError> {
        let zone = zone(content).err();
        let events = content.events.iter().filter_map(|event| rule(event).err());
        zone.into_iter().chain(events).collect()
    }

    /// The port by which a call leaves at `now`.
    pub fn port_at(&self, now: Timestamp) -> PortId {
        self.rules
            .iter()
            .find(|rule| rule.matches(&self.zone, now))
            .map_or_else(|| PortId::from(PortId::DEFAULT), |rule| rule.port.clone())
    }
}

// === impl Rule ===

impl Rule {
    fn matches(&self, zone: &TimeZone, now: Timestamp) -> bool {
        let today = zone.to_datetime(now).date();
        // No event is longer than a day, so it began today or yesterday.
        [Some(today), today.yesterday().ok()]
            .into_iter()
            .flatten()
            .filter(|&day| self.days.contains(day))
            .filter_map(|day| self.span(zone, day))
            .any(|(start, end)| start <= now && now < end)
    }

    /// The event that begins on `day`. `None` only at the end of the calendar, in the year 9999.
    fn span(&self, zone: &TimeZone, day: Date) -> Option<(Timestamp, Timestamp)> {
        let midnight = || Some(day.tomorrow().ok()?.to_datetime(Time::midnight()));
        let (start, end) = match self.hours {
            None => (day.to_datetime(Time::midnight()), midnight()?),
            Some(Hours { start, end: None }) => (day.to_datetime(start), midnight()?),
            Some(Hours {
                start,
                end: Some(end),
            }) => {
                let last = if end < start {
                    day.tomorrow().ok()?
                } else {
                    day
                };
                (day.to_datetime(start), last.to_datetime(end))
            }
        };
        Some((first_instant(zone, start)?, first_instant(zone, end)?))
    }
}

impl Days {
    fn contains(&self, day: Date) -> bool {
        match self {
            Self::Weekly(days) => days.contains(&day.weekday()),
            Self::Between(first, last) => (*first..=*last).contains(&day),
        }
    }
}

/// The first moment at which the clock on the wall shows `wall` or later.
///
/// Unlike the usual rule for skipped times, which moves them by the length of the gap, this never
/// puts a later wall time before an earlier one: an event that begins in the gap and ends after it
/// keeps its end.
fn first_instant(zone: &TimeZone, wall: DateTime) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
        AmbiguousOffset::Gap { before, after } => {
            let beyond = before.to_timestamp(wall).ok()?;
            let short = after.to_timestamp(wall).ok()?;
            // `wall` read with the new offset is before the change, so the change follows it.
            let change = zone.following(short).next()?.timestamp();
            Some(change.min(beyond))
        }
    }
}

// === reading ===

fn zone(content: &CalendarContent) -> Result<TimeZone, CalendarError> {
    ZONES
        .get(&content.timezone)
        .map_err(|_| CalendarError::UnknownTimezone(shorten(&content.timezone)))
}

fn rule(event: &CalendarEvent) -> Result<Rule, CalendarError> {
    read_rule(event).map_err(|problem| CalendarError::Event {
        event: shorten(if event.name.trim().is_empty() {
            event.id.as_str()
        } else {
            &event.name
        }),
        problem,
    })
}

fn read_rule(event: &CalendarEvent) -> Result<Rule, EventProblem> {
    if event.id.as_str().is_empty() {
        return Err(EventProblem::NoId);
    }
    let days = if event.is_recurring {
        let days = event.days.iter().map(|day| weekday(day));
        Days::Weekly(days.collect::<Result<_, _>>()?)
    } else {
        let first = date("start", event.start_date.as_deref())?;
        let last = match event.end_date.as_deref() {
            // A single day needs no end.
            None | Some("") => first,
            written @ Some(_) => date("end", written)?,
        };
        if last < first {
            return Err(EventProblem::DatesReversed);
        }
        Days::Between(first, last)
    };
    let hours = if event.all_day {
        None
    } else {
        Some(hours(event)?)
    };
    Ok(Rule {
        port: event.id.clone(),
        days,
        hours,
    })
}

fn weekday(name: &str) -> Result<Weekday, EventProblem> {
    match name {
        "mon" => Ok(Weekday::Monday),
        "tue" => Ok(Weekday::Tuesday),
        "wed" => Ok(Weekday::Wednesday),
        "thu" => Ok(Weekday::Thursday),
        "fri" => Ok(Weekday::Friday),
        "sat" => Ok(Weekday::Saturday),
        "sun" => Ok(Weekday::Sunday),
        other => Err(EventProblem::Day(shorten(other))),
    }
}

fn hours(event: &CalendarEvent) -> Result<Hours, EventProblem> {
    let problem = |which, value: Option<&str>| EventProblem::Time {
        which,
        value: shorten(value.unwrap_or_default()),
    };
    let start = event.start_time.as_deref();
    let start = clock(start).ok_or_else(|| problem("start", start))?;
    let end = event.end_time.as_deref();
    let end = match end {
        Some("23:59" | "24:00") => None,
        written => Some(clock(written).ok_or_else(|| problem("end", written))?),
    };
    if end == Some(start) {
        return Err(EventProblem::NoDuration);
    }
    Ok(Hours { start, end })
}

fn clock(text: Option<&str>) -> Option<Time> {
    let (hour, minute) = text?.split_once(':')?;
    Time::new(digits(hour, 2)?, digits(minute, 2)?, 0, 0).ok()
}

fn date(which: &'static str, text: Option<&str>) -> Result<Date, EventProblem> {
    let read = |text: &str| {
        let mut parts = text.splitn(3, '-');
        let year = digits(parts.next()?, 4)?;
        let month = digits(parts.next()?, 2)?;
        let day = digits(parts.next()?, 2)?;
        Date::new(year, month, day).ok()
    };
    text.and_then(read).ok_or_else(|| EventProblem::Date {
        which,
        value: shorten(text.unwrap_or_default()),
    })
}

/// A number of exactly `count` ASCII digits: no sign, no space.
fn digits<N: std::str::FromStr>(text: &str, count: usize) -> Option<N> {
    let fits = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
