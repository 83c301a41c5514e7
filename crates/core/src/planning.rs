//! Planning: what agents are to do when, once or again and again (RFC 5545).

use jiff::tz::TimeZone;
use rrule::RRuleSet;

use crate::{compliance::zone, time::Timestamp};

/// Longest rule of repetition.
pub const MAX_RULE: usize = 500;

/// Most repetitions that are looked at to find those of a time span: 20 years of days.
const MAX_LOOKED_AT: u16 = 7_500;

/// When an event happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// When it begins, the first time.
    pub starts_at: Timestamp,
    /// When it ends, the first time.
    pub ends_at: Timestamp,
    /// A rule of RFC 5545 by which it repeats, such as `FREQ=WEEKLY;BYDAY=MO,WE`.
    pub rule: Option<String>,
    /// The zone (IANA name) on whose clock it repeats.
    pub zone: String,
}

/// Why a plan cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPlan {
    /// It ends before it begins, or goes on for too long.
    #[error("it must end after it begins, and within 31 days")]
    Span,
    /// The rule is not one that can be kept.
    #[error(
        "the rule {0:?} cannot be read: it is one of RFC 5545 that repeats by days, weeks, months or years, such as FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20301231T235959Z"
    )]
    Rule(String),
}

impl Plan {
    /// The plan, when it can be kept; its rule without what is only decoration.
    ///
    /// # Errors
    /// [`InvalidPlan`] with a text for the person who planned it.
    pub fn check(mut self) -> Result<Self, InvalidPlan> {
        let longest = jiff::SignedDuration::from_hours(31 * 24);
        if self.ends_at <= self.starts_at || self.ends_at.duration_since(self.starts_at) > longest {
            return Err(InvalidPlan::Span);
        }
        let rule = self.rule.take().map(|rule| tidy(&rule));
        self.rule = rule.filter(|rule| !rule.is_empty());
        if let Some(rule) = self.rule.clone() {
            let wrong = || InvalidPlan::Rule(rule.chars().take(100).collect());
            let legal = |c: char| c.is_ascii_alphanumeric() || "=;,+-".contains(c);
            let often = ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY"];
            let is_slow = rule.split(';').any(|part| often.contains(&part));
            if rule.len() > MAX_RULE || !rule.chars().all(legal) || !is_slow {
                return Err(wrong());
            }
            self.repeats(&rule).ok_or_else(wrong)?;
        }
        Ok(self)
    }

    fn clock(&self) -> TimeZone {
        zone(&self.zone).unwrap_or(TimeZone::UTC)
    }

    fn repeats(&self, rule: &str) -> Option<RRuleSet> {
        let clock = self.clock();
        let name = clock.iana_name().unwrap_or("UTC").to_owned();
        let start = self.starts_at.to_zoned(clock).strftime("%Y%m%dT%H%M%S");
        format!("DTSTART;TZID={name}:{start}\nRRULE:{rule}")
            .parse()
            .ok()
    }

    /// When it happens within a time span, at most `most` times, in order. One that only begins
    /// before or ends after it counts.
    pub fn within(
        &self,
        from: Timestamp,
        until: Timestamp,
        most: usize,
    ) -> Vec<(Timestamp, Timestamp)> {
        let length = self.ends_at.duration_since(self.starts_at);
        let meets = |(starts, ends): &(Timestamp, Timestamp)| *starts < until && *ends > from;
        let Some(set) = self.rule.as_deref().and_then(|rule| self.repeats(rule)) else {
            return std::iter::once((self.starts_at, self.ends_at))
                .filter(meets)
                .take(most)
                .collect();
        };
        set.into_iter()
            .take(usize::from(MAX_LOOKED_AT))
            .filter_map(|at| Timestamp::from_second(at.timestamp()).ok())
            .take_while(|starts| *starts < until)
            .filter_map(|starts| Some((starts, starts.checked_add(length).ok()?)))
            .filter(meets)
            .take(most)
            .collect()
    }

    /// When its last repetition ends; none when it goes on for ever.
    pub fn is_over_at(&self) -> Option<Timestamp> {
        let Some(rule) = &self.rule else {
            return Some(self.ends_at);
        };
        if !rule.contains("UNTIL=") && !rule.contains("COUNT=") {
            return None;
        }
        let length = self.ends_at.duration_since(self.starts_at);
        let last = self
            .repeats(rule)?
            .into_iter()
            .take(usize::from(MAX_LOOKED_AT))
            .last()
            .and_then(|at| Timestamp::from_second(at.timestamp()).ok())
            .unwrap_or(self.starts_at);
        last.checked_add(length).ok()
    }
}

/// The rule alone. An end that is only a date is the end of that day.
fn tidy(rule: &str) -> String {
    let rule = rule
        .trim()
        .trim_start_matches("RRULE:")
        .to_ascii_uppercase();
    rule.split(';')
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_prefix("UNTIL=") {
            Some(date) if date.len() == 8 => format!("UNTIL={date}T235959Z"),
            Some(time) if !time.ends_with('Z') => format!("UNTIL={time}Z"),
            Some(_) | None => part.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn plan(rule: Option<&str>) -> Plan {
        Plan {
            // Nine o'clock in Paris, in winter.
            starts_at: at("2026-03-23T08:00:00Z"),
            ends_at: at("2026-03-23T11:00:00Z"),
            rule: rule.map(str::to_owned),
            zone: "Europe/Paris".to_owned(),
        }
    }

    #[test]
    fn a_shift_repeats_at_the_same_hour_of_the_clock_when_summer_begins() {
        let plan = plan(Some("RRULE:FREQ=WEEKLY;BYDAY=MO,WE")).check().unwrap();
        let shifts = plan.within(at("2026-03-23T00:00:00Z"), at("2026-04-01T00:00:00Z"), 100);
        let starts: Vec<String> = shifts.iter().map(|(start, _)| start.to_string()).collect();
        assert_eq!(
            starts,
            [
                "2026-03-23T08:00:00Z",
                "2026-03-25T08:00:00Z",
                "2026-03-30T07:00:00Z"
            ]
        );
        assert!(
            shifts
                .iter()
                .all(|(start, end)| end.duration_since(*start).as_hours() == 3)
        );
        assert_eq!(plan.is_over_at(), None);
        assert_eq!(
            plan.within(at("2026-03-23T00:00:00Z"), at("2026-04-01T00:00:00Z"), 2)
                .len(),
            2
        );
    }

    #[test]
    fn an_end_that_is_a_date_is_the_end_of_that_day() {
        let plan = plan(Some("FREQ=DAILY;UNTIL=20260325")).check().unwrap();
        assert_eq!(
            plan.rule.as_deref(),
            Some("FREQ=DAILY;UNTIL=20260325T235959Z")
        );
        assert_eq!(plan.is_over_at(), Some(at("2026-03-25T11:00:00Z")));
        assert!(
            plan.within(at("2026-03-26T00:00:00Z"), at("2026-05-01T00:00:00Z"), 9)
                .is_empty()
        );
    }

    #[test]
    fn what_happens_once_is_there_while_it_goes_on() {
        let plan = plan(None).check().unwrap();
        let whole = [(plan.starts_at, plan.ends_at)];
        assert_eq!(
            plan.within(at("2026-03-23T10:59:00Z"), at("2026-03-24T00:00:00Z"), 9),
            whole
        );
        assert!(
            plan.within(at("2026-03-23T11:00:00Z"), at("2026-03-24T00:00:00Z"), 9)
                .is_empty()
        );
        assert_eq!(plan.is_over_at(), Some(plan.ends_at));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for rule in [
            "FREQ=SECONDLY",
            "FREQ=HOURLY;COUNT=9",
            "weekly",
            "FREQ=DAILY\nEXDATE:20260324",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=DAILY;COUNT=0x9",
        ] {
            assert!(plan(Some(rule)).check().is_err(), "{rule}");
        }
        let backwards = Plan {
            ends_at: at("2026-03-23T07:00:00Z"),
            ..plan(None)
        };
        assert_eq!(backwards.check(), Err(InvalidPlan::Span));
        let long = Plan {
            ends_at: at("2026-05-23T07:00:00Z"),
            ..plan(None)
        };
        assert_eq!(long.check(), Err(InvalidPlan::Span));
    }
}
