//! Rules in words, for people.

use std::fmt;

use jiff::civil::Weekday;

use super::{
    AbandonWindow, Activity, After, Cap, Channel, ConsentRule, ListRule, PacingRule, Rest, Scope,
    Week, When, Window,
};

impl Activity {
    /// The word for it in the database, in packs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Solicitation => "solicitation",
            Self::Collection => "collection",
            Self::Service => "service",
            Self::Survey => "survey",
        }
    }
}

impl std::str::FromStr for Activity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [
            Self::Solicitation,
            Self::Collection,
            Self::Service,
            Self::Survey,
        ]
        .into_iter()
        .find(|activity| activity.as_str() == text)
        .ok_or_else(|| {
            format!("unknown activity {text:?}; use solicitation, collection, service or survey")
        })
    }
}

impl Channel {
    /// The word for it in the database, in packs and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Voice => "voice",
            Self::Prerecorded => "prerecorded",
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

impl std::str::FromStr for Channel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Voice, Self::Prerecorded, Self::Sms, Self::Email]
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or_else(|| {
                format!("unknown channel {text:?}; use voice, prerecorded, sms or email")
            })
    }
}

impl Scope {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Person => "person",
            Self::Debt => "debt",
        }
    }
}

impl After {
    /// The word for it, with its article.
    pub(super) fn with_article(self) -> &'static str {
        match self {
            Self::Refusal => "a refusal",
            Self::Conversation => "a conversation",
            Self::Abandonment => "an abandoned call",
        }
    }
}

/// Only: conditions in brackets after a rule; nothing when there are none.
impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let words = |words: Vec<&str>| words.join(" or ");
        if !self.activities.is_empty() {
            parts.push(words(self.activities.iter().map(|a| a.as_str()).collect()));
        }
        if !self.channels.is_empty() {
            parts.push(words(self.channels.iter().map(|c| c.as_str()).collect()));
        }
        if !self.number_types.is_empty() {
            parts.push(words(
                self.number_types.iter().map(|t| t.as_str()).collect(),
            ));
        }
        parts.extend(self.automated.map(|automated| {
            let by = if automated { "a machine" } else { "hand" };
            format!("placed by {by}")
        }));
        if self.unless_requested {
            parts.push("not asked for by the person".to_owned());
        }
        if parts.is_empty() {
            return Ok(());
        }
        write!(f, " (calls: {})", parts.join(", "))
    }
}

impl fmt::Display for ConsentRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("consent on record required")?;
        if !self.sources.is_empty() {
            write!(f, ", obtained as {}", self.sources.join(" or "))?;
        }
        if self.or_contract {
            f.write_str(", or a contract")?;
        }
        write!(f, "{}", self.when)
    }
}

impl fmt::Display for ListRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no call to numbers of the list {}", self.list)?;
        match (self.unless_consent, self.unless_contract) {
            (true, true) => f.write_str(" without consent or contract")?,
            (true, false) => f.write_str(" without consent")?,
            (false, true) => f.write_str(" without contract")?,
            (false, false) => {}
        }
        if let Some(days) = self.max_age_days {
            write!(f, ", which must not be older than {days} days")?;
        }
        write!(f, "{}", self.when)
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no call to a {} for {} after {}, its day counted{}",
            self.scope.as_str(),
            self.period,
            self.after.with_article(),
            self.when
        )
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "at most {} calls in {} for one {}{}",
            self.limit,
            self.period,
            self.scope.as_str(),
            self.when
        )
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "calls only at these hours: {}", self.week)?;
        for calendar in &self.closed_on {
            write!(f, ", not on the holidays of {}", calendar.id)?;
        }
        write!(f, "{}", self.when)
    }
}

/// Each day that has hours, such as `Mon 10:00-13:00 14:00-20:00`.
impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for day in Weekday::Monday.cycle_forward().take(7) {
            let hours = self.on(day);
            if hours.is_empty() {
                continue;
            }
            write!(f, "{comma}{}", short(day))?;
            for hours in hours {
                write!(f, " {hours}")?;
            }
            comma = ", ";
        }
        Ok(())
    }
}

fn short(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

impl fmt::Display for PacingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some((limit, window)) = self.abandon_limit.zip(self.window) {
            let window = match window {
                AbandonWindow::Hours(hours) => format!("{hours} hours"),
                AbandonWindow::Days(days) => format!("{days} days"),
                AbandonWindow::CalendarMonth => "a calendar month".to_owned(),
            };
            let percent = (limit * 10_000.0).round() / 100.0;
            parts.push(format!(
                "at most {percent} % of those who answer abandoned in {window}"
            ));
        }
        if let Some(seconds) = self.threshold_s {
            parts.push(format!("an agent within {seconds} s"));
        }
        if let Some(seconds) = self.min_ring_s {
            parts.push(format!("ringing for at least {seconds} s"));
        }
        if self.message {
            parts.push("a message to whoever is abandoned".to_owned());
        }
        write!(f, "{}{}", parts.join("; "), self.when)
    }
}
