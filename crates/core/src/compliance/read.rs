//! Packs as they are written in files.

use std::{collections::BTreeMap, sync::Arc};

use jiff::civil::Date;
use serde::Deserialize;

use super::{
    AbandonWindow, After, AppliesTo, Calendar, Cap, ConsentRule, Counting, ListRule, PacingRule,
    Pack, PackError, PackId, Rest, Scope, Version, When, Window,
    error::{date, toml_error},
    own::period,
    week::{Place, Week, zone},
};
use crate::time::Timestamp;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackText {
    id: String,
    title: String,
    source: String,
    time_zone: String,
    #[serde(default)]
    applies_to: AppliesTo,
    versions: Vec<VersionText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionText {
    effective_from: toml::value::Datetime,
    effective_to: Option<toml::value::Datetime>,
    source: String,
    summary: String,
    #[serde(default)]
    consents: Vec<ConsentText>,
    #[serde(default)]
    do_not_call: Vec<ListText>,
    #[serde(default)]
    rests: Vec<RestText>,
    #[serde(default)]
    caps: Vec<CapText>,
    #[serde(default)]
    windows: Vec<WindowText>,
    pacing: Option<PacingText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentText {
    name: String,
    #[serde(default)]
    when: When,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    or_contract: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListText {
    name: String,
    #[serde(default)]
    when: When,
    list: String,
    max_age_days: Option<u16>,
    #[serde(default)]
    unless_consent: bool,
    #[serde(default)]
    unless_contract: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RestText {
    name: String,
    #[serde(default)]
    when: When,
    after: After,
    scope: Scope,
    hours: Option<u16>,
    days: Option<u16>,
    #[serde(default)]
    counts: Counting,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CapText {
    name: String,
    #[serde(default)]
    when: When,
    scope: Scope,
    limit: u32,
    hours: Option<u16>,
    days: Option<u16>,
    #[serde(default)]
    counts: Counting,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowText {
    name: String,
    #[serde(default)]
    when: When,
    week: Week,
    #[serde(default)]
    closed_on: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PacingText {
    name: String,
    #[serde(default)]
    when: When,
    abandon_limit: Option<f64>,
    window: Option<AbandonWindow>,
    threshold_s: Option<f64>,
    min_ring_s: Option<u16>,
    #[serde(default)]
    message: bool,
}

/// A name as rules and packs have it: it ends up in ledgers, addresses and command lines.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=60).contains(&name.len()) && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(format!(
            "{name:?} is not a name; use 1 to 60 of a-z, 0-9 and '-'"
        ))
    }
}

/// One file being read.
struct Reader<'a> {
    file: &'a str,
    pack: &'a str,
    calendars: &'a BTreeMap<String, Arc<Calendar>>,
    /// The version being read.
    version: Date,
    names: Vec<String>,
}

impl Pack {
    /// Reads a pack.
    ///
    /// # Errors
    /// [`PackError`] naming the file, the version and the key.
    pub fn parse(
        file: &str,
        text: &str,
        calendars: &BTreeMap<String, Arc<Calendar>>,
    ) -> Result<Self, PackError> {
        let text: PackText = toml::from_str(text).map_err(|error| toml_error(file, &error))?;
        let wrong = |key: &str, problem: String| PackError::at(file, None, key, problem);
        check_name(&text.id).map_err(|problem| wrong("id", problem))?;
        if text.id == "strowger" {
            return Err(wrong(
                "id",
                "\"strowger\" is kept for the rules that always hold".to_owned(),
            ));
        }
        let place = zone(&text.time_zone)
            .map(|zone| Place {
                name: &text.time_zone,
                zone,
            })
            .ok_or_else(|| {
                wrong(
                    "time_zone",
                    format!("there is no time zone {:?}", text.time_zone),
                )
            })?;
        check_home(&text.applies_to).map_err(|problem| wrong("applies_to", problem))?;
        if text.versions.is_empty() {
            return Err(wrong("versions", "a pack needs at least one".to_owned()));
        }
        let mut versions = Vec::with_capacity(text.versions.len());
        for version in text.versions {
            let from = date(&version.effective_from)
                .map_err(|problem| wrong("versions effective_from", problem))?;
            let mut reader = Reader {
                file,
                pack: &text.id,
                calendars,
                version: from,
                names: Vec::new(),
            };
            versions.push(reader.version(version, &place)?);
        }
        versions.sort_by_key(|version: &Version| version.effective_from);
        for [earlier, later] in versions.array_windows() {
            if earlier.until.is_none_or(|until| until > later.from) {
                return Err(PackError::at(
                    file,
                    Some(earlier.effective_from),
                    "effective_to",
                    format!(
                        "it must end before the version of {} begins",
                        later.effective_from
                    ),
                ));
            }
        }
        Ok(Self {
            id: PackId(text.id),
            title: text.title,
            source: text.source,
            time_zone: text.time_zone,
            applies_to: text.applies_to,
            versions,
        })
    }
}

fn check_home(home: &AppliesTo) -> Result<(), String> {
    let country = |text: &&String| text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase());
    if let Some(text) = home.countries.iter().find(country) {
        return Err(format!(
            "{text:?} is not a country; write two letters, such as FR"
        ));
    }
    let prefix = |text: &&String| {
        text.strip_prefix('+')
            .is_none_or(|digits| digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()))
    };
    match home.prefixes.iter().find(prefix) {
        Some(text) => Err(format!("{text:?} is not a prefix; write it as +1305")),
        None => Ok(()),
    }
}

impl Reader<'_> {
    fn wrong(&self, key: &str, problem: impl Into<String>) -> PackError {
        PackError::at(self.file, Some(self.version), key, problem)
    }

    /// The whole name of a rule; no two rules of a version share one.
    fn name(&mut self, kind: &str, name: &str) -> Result<String, PackError> {
        check_name(name).map_err(|problem| self.wrong(&format!("{kind} name"), problem))?;
        if self.names.iter().any(|other| other == name) {
            return Err(self.wrong(
                &format!("{kind} {name}"),
                "two rules of this version have this name",
            ));
        }
        self.names.push(name.to_owned());
        Ok(format!("{}/{name}", self.pack))
    }

    fn version(&mut self, text: VersionText, place: &Place<'_>) -> Result<Version, PackError> {
        let midnight = |date: Date| -> Option<Timestamp> { place.midnight(date) };
        let from = midnight(self.version)
            .ok_or_else(|| self.wrong("effective_from", "the date is out of range"))?;
        let effective_to = text
            .effective_to
            .as_ref()
            .map(date)
            .transpose()
            .map_err(|problem| self.wrong("effective_to", problem))?;
        if effective_to.is_some_and(|to| to < self.version) {
            return Err(self.wrong("effective_to", "it is before effective_from"));
        }
        let until = effective_to
            .map(|to| {
                to.tomorrow()
                    .ok()
                    .and_then(midnight)
                    .ok_or_else(|| self.wrong("effective_to", "the date is out of range"))
            })
            .transpose()?;
        Ok(Version {
            effective_from: self.version,
            effective_to,
            source: text.source,
            summary: text.summary,
            from,
            until,
            consents: self.all(text.consents, Self::consent)?,
            do_not_call: self.all(text.do_not_call, Self::list)?,
            rests: self.all(text.rests, Self::rest)?,
            caps: self.all(text.caps, Self::cap)?,
            windows: self.all(text.windows, Self::window)?,
            pacing: text.pacing.map(|text| self.pacing(text)).transpose()?,
        })
    }

    fn all<T, R>(
        &mut self,
        texts: Vec<T>,
        read: impl Fn(&mut Self, T) -> Result<R, PackError>,
    ) -> Result<Vec<R>, PackError> {
        texts.into_iter().map(|text| read(self, text)).collect()
    }

    fn consent(&mut self, text: ConsentText) -> Result<ConsentRule, PackError> {
        Ok(ConsentRule {
            name: self.name("consents", &text.name)?,
            when: text.when,
            sources: text.sources,
            or_contract: text.or_contract,
        })
    }

    fn list(&mut self, text: ListText) -> Result<ListRule, PackError> {
        Ok(ListRule {
            name: self.name("do_not_call", &text.name)?,
            when: text.when,
            list: text.list,
            max_age_days: text.max_age_days,
            unless_consent: text.unless_consent,
            unless_contract: text.unless_contract,
        })
    }

    fn rest(&mut self, text: RestText) -> Result<Rest, PackError> {
        let name = self.name("rests", &text.name)?;
        Ok(Rest {
            period: period(text.hours, text.days)
                .map_err(|problem| self.wrong(&format!("rests {}", text.name), problem))?,
            name,
            when: text.when,
            after: text.after,
            scope: text.scope,
            counts: text.counts,
        })
    }

    fn cap(&mut self, text: CapText) -> Result<Cap, PackError> {
        let name = self.name("caps", &text.name)?;
        let wrong = |problem: &str| self.wrong(&format!("caps {}", text.name), problem);
        if text.limit == 0 {
            return Err(wrong("limit must be at least 1"));
        }
        Ok(Cap {
            period: period(text.hours, text.days).map_err(|problem| wrong(&problem))?,
            name,
            when: text.when,
            scope: text.scope,
            limit: text.limit,
            counts: text.counts,
        })
    }

    fn window(&mut self, text: WindowText) -> Result<Window, PackError> {
        let name = self.name("windows", &text.name)?;
        let closed_on = text
            .closed_on
            .iter()
            .map(|id| {
                self.calendars.get(id).cloned().ok_or_else(|| {
                    let key = format!("windows {} closed_on", text.name);
                    self.wrong(&key, format!("there is no calendar {id:?}"))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Window {
            name,
            when: text.when,
            week: text.week,
            closed_on,
        })
    }

    fn pacing(&mut self, text: PacingText) -> Result<PacingRule, PackError> {
        let name = self.name("pacing", &text.name)?;
        if text
            .abandon_limit
            .is_some_and(|limit| !(0.0..=0.5).contains(&limit))
        {
            return Err(self.wrong(
                "pacing abandon_limit",
                "it is a fraction of 0 to 0.5, such as 0.03",
            ));
        }
        if text.abandon_limit.is_some() != text.window.is_some() {
            return Err(self.wrong(
                "pacing",
                "abandon_limit and window are given together or not at all",
            ));
        }
        if text
            .threshold_s
            .is_some_and(|threshold| !(0.0..=60.0).contains(&threshold))
        {
            return Err(self.wrong("pacing threshold_s", "it is 0 to 60 seconds"));
        }
        Ok(PacingRule {
            name,
            when: text.when,
            abandon_limit: text.abandon_limit,
            window: text.window,
            threshold_s: text.threshold_s,
            min_ring_s: text.min_ring_s,
            message: text.message,
        })
    }
}
