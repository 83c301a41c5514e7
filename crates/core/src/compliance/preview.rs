//! What a day brings: the rules in force, the hours of each zone, what is new.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::{
    Activity, Candidate, Channel, Facts, OwnRules, Pack, PackId, Packs, Purpose, Version, When,
    Window, check,
    scene::{place, zones},
    week::{Hours, Place},
};
use crate::{
    phone::{PhoneNumber, country_of_zone, zones_of, zones_of_country, zones_of_prefix},
    time::Timestamp,
};

/// What is asked about a day. What is empty or none restricts nothing.
#[derive(Debug, Clone, Default)]
pub struct Day {
    /// The day, on the clock of each zone.
    pub date: Date,
    /// The packs.
    pub packs: Vec<PackId>,
    /// Only what concerns this country (ISO 3166, two letters).
    pub region: Option<String>,
    /// Only what concerns this number.
    pub number: Option<PhoneNumber>,
    /// Only what concerns calls for this.
    pub activity: Option<Activity>,
    /// Only what concerns this channel.
    pub channel: Option<Channel>,
    /// Only what concerns calls that a machine places, or that it does not.
    pub automated: Option<bool>,
}

/// The rules of a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Preview {
    /// The day.
    pub date: Date,
    /// Each pack that has a say.
    pub packs: Vec<PackDay>,
}

/// A pack on a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackDay {
    /// Its id.
    pub id: PackId,
    /// What it is.
    pub title: String,
    /// The version in force, if any.
    pub version: Option<VersionDay>,
    /// What is not as it was the day before.
    pub changes: Vec<String>,
}

/// The version in force on a day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionDay {
    /// Its first day.
    pub effective_from: Date,
    /// Its last day.
    pub effective_to: Option<Date>,
    /// Where it is taken from.
    pub source: String,
    /// It in a sentence.
    pub summary: String,
    /// Its rules but the hours.
    pub rules: Vec<RuleText>,
    /// The hours in which calls may be placed.
    pub hours: Vec<HoursDay>,
}

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleText {
    /// Its name, with the pack.
    pub rule: String,
    /// What it says.
    pub text: String,
}

/// The hours of a day in zones that have the same ones, by their own clock and by UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoursDay {
    /// The rule, with the pack.
    pub rule: String,
    /// The zones (IANA names).
    pub zones: Vec<&'static str>,
    /// The public holiday for which all is closed.
    pub holiday: Option<String>,
    /// On the clock of the zones; no calls when empty.
    pub local: Vec<Hours>,
    /// The same from and until, in UTC.
    pub utc: Vec<(Timestamp, Timestamp)>,
}

/// What becomes of contacts on a day.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// May be called at some moment of the day.
    pub allowed: u64,
    /// May not be called all day, by the rule that says so.
    pub blocked: BTreeMap<String, u64>,
}

/// Says what the packs demand on a day.
pub fn preview(packs: &Packs, day: &Day) -> Preview {
    let wanted = |pack: &&Pack| day.packs.is_empty() || day.packs.contains(&pack.id);
    Preview {
        date: day.date,
        packs: packs
            .iter()
            .filter(wanted)
            .filter(|pack| day.concerns(pack))
            .map(|pack| PackDay {
                id: pack.id.clone(),
                title: pack.title.clone(),
                version: pack
                    .version_on(day.date)
                    .map(|version| day.version(pack, version)),
                changes: day.changes(pack),
            })
            .collect(),
    }
}

/// Counts which contacts may be called on a day, and which rules stand in the way of the
/// others from its first moment to its last, on the clocks of the contact.
pub fn tally<'a>(
    packs: &Packs,
    selected: &[PackId],
    own: &OwnRules,
    purpose: &Purpose,
    date: Date,
    contacts: impl IntoIterator<Item = (&'a Candidate, &'a Facts)>,
) -> Tally {
    let mut tally = Tally::default();
    for (candidate, facts) in contacts {
        let Some((mut now, end)) = span(candidate, own, date) else {
            continue;
        };
        let rule = loop {
            let refusal = check(packs, selected, own, purpose, candidate, facts, now).refusal;
            match refusal {
                None => break None,
                Some(refusal) => match refusal.until {
                    // It only ever moves on.
                    Some(until) if until > now && until < end => now = until,
                    _ => break Some(refusal.rule),
                },
            }
        };
        match rule {
            None => tally.allowed += 1,
            Some(rule) => *tally.blocked.entry(rule).or_default() += 1,
        }
    }
    tally
}

/// From the first moment of a date in any zone of the contact to the last in any.
fn span(candidate: &Candidate, own: &OwnRules, date: Date) -> Option<(Timestamp, Timestamp)> {
    let mut places: Vec<Place<'_>> = zones(candidate, own)
        .into_iter()
        .filter_map(place)
        .collect();
    if places.is_empty() {
        places.extend(place("UTC"));
    }
    let next = date.tomorrow().ok()?;
    let from = places
        .iter()
        .filter_map(|place| place.midnight(date))
        .min()?;
    let until = places
        .iter()
        .filter_map(|place| place.midnight(next))
        .max()?;
    Some((from, until))
}

impl Pack {
    /// The version in force on a day.
    pub fn version_on(&self, date: Date) -> Option<&Version> {
        self.versions.iter().find(|version| {
            version.effective_from <= date && version.effective_to.is_none_or(|to| date <= to)
        })
    }
}

fn agrees<T: PartialEq>(list: &[T], wanted: Option<&T>) -> bool {
    list.is_empty() || wanted.is_none_or(|wanted| list.contains(wanted))
}

impl Day {
    fn concerns(&self, pack: &Pack) -> bool {
        let home = &pack.applies_to;
        let calls = [Channel::Voice, Channel::Prerecorded];
        let channels = if home.channels.is_empty() {
            &calls[..]
        } else {
            &home.channels
        };
        agrees(&home.activities, self.activity.as_ref())
            && agrees(channels, self.channel.as_ref())
            && (home.automated.is_none()
                || self.automated.is_none()
                || home.automated == self.automated)
            && self
                .number
                .as_ref()
                .is_none_or(|number| home.protects(number))
            && (self.region.is_none() || self.number.is_some() || !self.zones(pack).is_empty())
    }

    fn asks_for(&self, when: &When) -> bool {
        agrees(&when.activities, self.activity.as_ref())
            && agrees(&when.channels, self.channel.as_ref())
            && (when.automated.is_none()
                || self.automated.is_none()
                || when.automated == self.automated)
    }

    /// The zones to be shown for a pack: those of the number, or those of its countries and
    /// prefixes, as far as they lie in the region.
    fn zones(&self, pack: &Pack) -> BTreeSet<&'static str> {
        let zones: BTreeSet<&'static str> = match &self.number {
            Some(number) => zones_of(number).iter().copied().collect(),
            None => {
                let home = &pack.applies_to;
                let of_countries = home.countries.iter().flat_map(|c| zones_of_country(c));
                let of_prefixes = home.prefixes.iter().flat_map(|p| zones_of_prefix(p));
                of_countries.chain(of_prefixes).collect()
            }
        };
        let here = |zone: &&&str| {
            self.region
                .as_deref()
                .is_none_or(|region| country_of_zone(zone) == Some(region))
        };
        zones.iter().filter(here).copied().collect()
    }

    fn version(&self, pack: &Pack, version: &Version) -> VersionDay {
        let zones = self.zones(pack);
        let mut hours: Vec<HoursDay> = Vec::new();
        for window in version.windows.iter().filter(|w| self.asks_for(&w.when)) {
            for name in &zones {
                let Some(found) = self.hours(window, name) else {
                    continue;
                };
                let same = |other: &&mut HoursDay| {
                    (&other.rule, &other.holiday, &other.local, &other.utc)
                        == (&found.rule, &found.holiday, &found.local, &found.utc)
                };
                match hours.iter_mut().find(same) {
                    Some(other) => other.zones.extend(found.zones),
                    None => hours.push(found),
                }
            }
        }
        VersionDay {
            effective_from: version.effective_from,
            effective_to: version.effective_to,
            source: version.source.clone(),
            summary: version.summary.clone(),
            rules: self.rules(version),
            hours,
        }
    }

    /// Hours that begin or end in an hour that the clock skips are shown as it shows them
    /// afterwards.
    fn hours(&self, window: &Window, name: &'static str) -> Option<HoursDay> {
        let place = place(name)?;
        let hours = window.opening().hours(self.date, name);
        let utc = |hours: &Hours| {
            let (from, until) = hours.on(self.date)?;
            let at = |clock: jiff::civil::DateTime| {
                Some(clock.to_zoned(place.zone.clone()).ok()?.timestamp())
            };
            Some((at(from)?, at(until)?))
        };
        Some(HoursDay {
            rule: window.name.clone(),
            zones: vec![name],
            holiday: hours.err().map(str::to_owned),
            local: hours.unwrap_or_default().to_vec(),
            utc: hours.unwrap_or_default().iter().filter_map(utc).collect(),
        })
    }

    fn rules(&self, version: &Version) -> Vec<RuleText> {
        let text = |name: &str, when: &When, text: &dyn std::fmt::Display| {
            self.asks_for(when).then(|| RuleText {
                rule: name.to_owned(),
                text: text.to_string(),
            })
        };
        let consents = version.consents.iter().map(|r| text(&r.name, &r.when, r));
        let lists = version
            .do_not_call
            .iter()
            .map(|r| text(&r.name, &r.when, r));
        let rests = version.rests.iter().map(|r| text(&r.name, &r.when, r));
        let caps = version.caps.iter().map(|r| text(&r.name, &r.when, r));
        let pacing = version.pacing.iter().map(|r| text(&r.name, &r.when, r));
        consents
            .chain(lists)
            .chain(rests)
            .chain(caps)
            .chain(pacing)
            .flatten()
            .collect()
    }

    /// Every rule with its words, hours among them.
    fn all_rules(&self, version: Option<&Version>) -> BTreeMap<String, String> {
        let Some(version) = version else {
            return BTreeMap::new();
        };
        let windows = version
            .windows
            .iter()
            .filter(|window| self.asks_for(&window.when))
            .map(|window| (window.name.clone(), window.to_string()));
        self.rules(version)
            .into_iter()
            .map(|rule| (rule.rule, rule.text))
            .chain(windows)
            .collect()
    }

    fn changes(&self, pack: &Pack) -> Vec<String> {
        let yesterday = self.date.yesterday().ok();
        let before = yesterday.and_then(|date| pack.version_on(date));
        let today = pack.version_on(self.date);
        let (old, new) = (self.all_rules(before), self.all_rules(today));
        let mut changes = Vec::new();
        for (rule, text) in &new {
            match old.get(rule) {
                None => changes.push(format!("from today: {text} ({rule})")),
                Some(was) if was != text => {
                    changes.push(format!(
                        "from today: {text}; until yesterday: {was} ({rule})"
                    ));
                }
                Some(_) => {}
            }
        }
        let gone = old.iter().filter(|(rule, _)| !new.contains_key(*rule));
        changes.extend(gone.map(|(rule, text)| format!("ended yesterday: {text} ({rule})")));
        changes
    }
}
