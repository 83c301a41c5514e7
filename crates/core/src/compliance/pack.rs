//! A pack: the rules of one law or authority, in dated versions.

use std::{fmt, sync::Arc};

use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};

use super::{
    Activity, Calendar, Candidate, Channel, Purpose,
    week::{Opening, Place, Week},
};
use crate::{
    phone::{NumberType, PhoneNumber, countries_of, country_of_zone, number_type},
    time::Timestamp,
};

/// The id of a pack, such as `us-fl`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PackId(pub String);

impl PackId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PackId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for PackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The rules of one law or authority. [`super::Packs`] reads them from files.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// Its id, the first part of the names of its rules.
    pub id: PackId,
    /// What it is, for people.
    pub title: String,
    /// Where it is taken from.
    pub source: String,
    /// The zone (IANA name) at whose midnight one version follows another.
    pub time_zone: String,
    /// Whom it protects.
    pub applies_to: AppliesTo,
    /// Its versions, oldest first; no two are in force at once.
    pub versions: Vec<Version>,
}

/// Whom a pack protects, and from what. What is empty restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppliesTo {
    /// Countries (ISO 3166, two letters) that the person may be in, by number or time zone.
    pub countries: Vec<String>,
    /// Prefixes of the number in E.164, such as `+1305`.
    pub prefixes: Vec<String>,
    /// What calls are for.
    pub activities: Vec<Activity>,
    /// How the person hears of it; [`Channel::Voice`] and [`Channel::Prerecorded`] when empty.
    pub channels: Vec<Channel>,
    /// Only calls that a machine places by itself, or only those that it does not.
    pub automated: Option<bool>,
}

/// The rules of a pack from one day to another.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The first day.
    pub effective_from: Date,
    /// The last day; none: until further notice.
    pub effective_to: Option<Date>,
    /// Where it is taken from.
    pub source: String,
    /// What changed, in a sentence.
    pub summary: String,
    pub(super) from: Timestamp,
    pub(super) until: Option<Timestamp>,
    /// Consents that must be on record.
    pub consents: Vec<ConsentRule>,
    /// Do-not-call lists to be respected.
    pub do_not_call: Vec<ListRule>,
    /// Silences after something happened.
    pub rests: Vec<Rest>,
    /// How often a number, a person or a debt may be called.
    pub caps: Vec<Cap>,
    /// When calls may be placed.
    pub windows: Vec<Window>,
    /// What pacing must keep.
    pub pacing: Option<PacingRule>,
}

/// To which calls a rule of a pack is limited. What is empty restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// What calls are for.
    pub activities: Vec<Activity>,
    /// How the person hears of it.
    pub channels: Vec<Channel>,
    /// Placed by a machine that chooses the moment, or not.
    pub automated: Option<bool>,
    /// The type of the number.
    pub number_types: Vec<NumberType>,
    /// Not when the person asked for this very call.
    pub unless_requested: bool,
}

/// Hours in which calls may be placed, on the clock of the person called.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its name, with the pack.
    pub name: String,
    /// To which calls it is limited.
    pub when: When,
    /// The hours.
    pub week: Week,
    /// Whose public holidays are closed.
    pub closed_on: Vec<Arc<Calendar>>,
}

impl Window {
    pub(super) fn opening(&self) -> Opening<'_> {
        Opening {
            week: &self.week,
            closed_on: &self.closed_on,
        }
    }
}

/// What is counted as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// A phone number.
    Number,
    /// A person, by any number; the number when the person is not known.
    Person,
    /// A debt; the person when no debt is known.
    Debt,
}

/// How long something counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// So many hours, to the moment.
    Hours(u16),
    /// So many calendar days on the clock of the person called: the day itself is the
    /// first.
    Days(u16),
}

impl Period {
    /// When what happened at `at` no longer counts: in the last zone, where a day ends late.
    pub(super) fn end(self, at: Timestamp, places: &[Place<'_>]) -> Option<Timestamp> {
        match self {
            Self::Hours(hours) => at
                .checked_add(SignedDuration::from_hours(hours.into()))
                .ok(),
            Self::Days(days) => places
                .iter()
                .map(|place| {
                    let date = place.clock(at).date();
                    place.midnight(date.checked_add(span(days)).ok()?)
                })
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .max(),
        }
    }

    /// What happened at this moment or later still counts at `now`.
    pub(super) fn begin(self, now: Timestamp, places: &[Place<'_>]) -> Option<Timestamp> {
        match self {
            // A call just so many hours ago does not count any more.
            Self::Hours(hours) => now
                .checked_sub(SignedDuration::from_hours(hours.into()))
                .ok()?
                .checked_add(SignedDuration::from_nanos(1))
                .ok(),
            Self::Days(days) => places
                .iter()
                .map(|place| {
                    let date = place.clock(now).date();
                    place.midnight(date.checked_sub(span(days.saturating_sub(1))).ok()?)
                })
                .collect::<Option<Vec<_>>>()?
                .into_iter()
                .min(),
        }
    }

    /// No earlier event can count, in any zone.
    pub(super) fn longest(self) -> SignedDuration {
        match self {
            Self::Hours(hours) => SignedDuration::from_hours(hours.into()),
            // A calendar day may begin 26 hours before another zone's, and last 25.
            Self::Days(days) => SignedDuration::from_hours((i64::from(days) + 2) * 24),
        }
    }
}

fn span(days: u16) -> jiff::Span {
    jiff::Span::new().days(i64::from(days))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hours(1) => f.write_str("1 hour"),
            Self::Hours(hours) => write!(f, "{hours} hours"),
            Self::Days(1) => f.write_str("1 calendar day"),
            Self::Days(days) => write!(f, "{days} calendar days"),
        }
    }
}

/// Which earlier attempts a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counting {
    /// Only those that reached the network's end.
    pub placed_only: bool,
    /// Only those for these; for any when empty.
    pub activities: Vec<Activity>,
    /// Those that the person asked for as well.
    pub requested: bool,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            placed_only: true,
            activities: Vec::new(),
            requested: true,
        }
    }
}

/// How often one may be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Cap {
    /// Its name, with the pack.
    pub name: String,
    /// To which calls it is limited.
    pub when: When,
    /// What is counted as one.
    pub scope: Scope,
    /// Most attempts in the period; at least 1.
    pub limit: u32,
    /// In which period.
    pub period: Period,
    /// Which attempts count.
    pub counts: Counting,
}

/// What a silence follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// The person refused to be called again.
    Refusal,
    /// The person talked with an agent.
    Conversation,
    /// The person answered and no agent came.
    Abandonment,
}

/// A silence after something happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Rest {
    /// Its name, with the pack.
    pub name: String,
    /// To which calls it is limited.
    pub when: When,
    /// After what.
    pub after: After,
    /// For whom.
    pub scope: Scope,
    /// For how long.
    pub period: Period,
    /// Which attempts it looks at.
    pub counts: Counting,
}

/// A consent that must be on record.
#[derive(Debug, Clone, PartialEq)]
pub struct ConsentRule {
    /// Its name, with the pack.
    pub name: String,
    /// For which calls it is needed.
    pub when: When,
    /// How it must have been obtained, such as `written`; anyhow when empty.
    pub sources: Vec<String>,
    /// A contract on record with the person does as well.
    pub or_contract: bool,
}

/// A do-not-call list to be respected.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRule {
    /// Its name, with the pack.
    pub name: String,
    /// By which calls.
    pub when: When,
    /// The id of the imported list.
    pub list: String,
    /// It must have been brought up to date within so many days.
    pub max_age_days: Option<u16>,
    /// A consent on record for these calls is stronger than the list.
    pub unless_consent: bool,
    /// So is a contract.
    pub unless_contract: bool,
}

/// Over how long abandoned calls are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbandonWindow {
    /// So many hours.
    Hours(u16),
    /// So many days, one after another.
    Days(u16),
    /// From the first of a month to its end.
    CalendarMonth,
}

/// What pacing must keep.
#[derive(Debug, Clone, PartialEq)]
pub struct PacingRule {
    /// Its name, with the pack.
    pub name: String,
    /// For which calls.
    pub when: When,
    /// Most people abandoned, as a fraction of those who answered.
    pub abandon_limit: Option<f64>,
    /// Over how long that is measured.
    pub window: Option<AbandonWindow>,
    /// A person is abandoned when not connected within so many seconds.
    pub threshold_s: Option<f64>,
    /// No line is given up before it has rung so many seconds.
    pub min_ring_s: Option<u16>,
    /// A person who is abandoned must hear a message.
    pub message: bool,
}

/// One call that may be placed, as far as the scope of rules goes.
pub(super) struct Asked<'a> {
    pub(super) purpose: &'a Purpose,
    pub(super) requested: bool,
    /// Not known when a whole zone is asked for.
    pub(super) number: Option<&'a PhoneNumber>,
    pub(super) zones: &'a [&'a str],
    kind: std::cell::OnceCell<NumberType>,
}

impl<'a> Asked<'a> {
    pub(super) fn of(purpose: &'a Purpose, candidate: &'a Candidate, zones: &'a [&'a str]) -> Self {
        Self {
            purpose,
            requested: candidate.requested,
            number: Some(&candidate.number),
            zones,
            kind: std::cell::OnceCell::new(),
        }
    }

    pub(super) fn in_zones(purpose: &'a Purpose, zones: &'a [&'a str]) -> Self {
        Self {
            purpose,
            requested: false,
            number: None,
            zones,
            kind: std::cell::OnceCell::new(),
        }
    }
}

fn allows<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

impl When {
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        let purpose = asked.purpose;
        allows(&self.activities, &purpose.activity)
            && allows(&self.channels, &purpose.channel)
            && self.automated.is_none_or(|only| only == purpose.automated)
            && !(self.unless_requested && asked.requested)
            && (self.number_types.is_empty()
                || asked.number.is_some_and(|number| {
                    let kind = asked.kind.get_or_init(|| number_type(number));
                    self.number_types.contains(kind)
                }))
    }
}

impl AppliesTo {
    /// Whether the pack has a say about calls of this purpose, to whomever.
    pub(super) fn concerns(&self, purpose: &Purpose) -> bool {
        let channel = if self.channels.is_empty() {
            matches!(purpose.channel, Channel::Voice | Channel::Prerecorded)
        } else {
            self.channels.contains(&purpose.channel)
        };
        channel
            && allows(&self.activities, &purpose.activity)
            && self.automated.is_none_or(|only| only == purpose.automated)
    }

    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        self.concerns(asked.purpose) && self.is_home(asked)
    }

    fn is_home(&self, asked: &Asked<'_>) -> bool {
        self.is_everywhere()
            || asked.number.is_some_and(|number| self.protects(number))
            || asked
                .zones
                .iter()
                .filter_map(|zone| country_of_zone(zone))
                .any(|country| self.names(country))
    }

    fn is_everywhere(&self) -> bool {
        self.countries.is_empty() && self.prefixes.is_empty()
    }

    fn names(&self, country: &str) -> bool {
        self.countries.iter().any(|home| home == country)
    }

    /// Whether the number alone says that the pack protects the person.
    pub fn protects(&self, number: &PhoneNumber) -> bool {
        let begins = |prefix: &String| number.as_str().starts_with(prefix.as_str());
        self.is_everywhere()
            || self.prefixes.iter().any(begins)
            || countries_of(number)
                .iter()
                .any(|country| self.names(country))
    }
}

impl Pack {
    /// The version in force at a moment.
    pub fn version(&self, at: Timestamp) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.from <= at && version.until.is_none_or(|until| at < until))
    }

    /// The next moment after `at` at which a version begins or ends.
    pub(super) fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.versions
            .iter()
            .flat_map(|version| [Some(version.from), version.until])
            .flatten()
            .filter(|change| *change > at)
            .min()
    }
}
