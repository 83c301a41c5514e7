//! The rules that a campaign sets itself.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{
    Packs,
    pack::{Period, Scope},
    week::{Week, zone},
};

/// Most days that a campaign's cap may look back.
const MOST_DAYS: u16 = 366;

/// Calling windows and caps of a campaign, on top of its packs: its `schedule`.
///
/// ```
/// # use strowger_core::compliance::OwnRules;
/// let own: OwnRules = serde_json::from_str(r#"{
///     "windows": { "monday": ["09:00-12:30", "13:30-19:00"] },
///     "closed_on": ["FR"],
///     "time_zone": "Europe/Paris",
///     "caps": [{ "scope": "number", "limit": 3, "hours": 24 }]
/// }"#).unwrap();
/// assert_eq!(own.caps.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnRules {
    /// When calls may be placed, on the clock of the person called; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<Week>,
    /// Ids of the calendars whose public holidays are closed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed_on: Vec<String>,
    /// The zone (IANA name) of persons of whom none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How often one may be called by this campaign's measure. Attempts of all campaigns count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<OwnCap>,
}

/// A part of a campaign's own rules that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidRule {
    /// The field at fault, such as `closed_on[0]`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A cap of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "OwnCapText", into = "OwnCapText")]
pub struct OwnCap {
    /// What is counted as one.
    pub scope: Scope,
    /// Most attempts in the period; at least 1.
    pub limit: u32,
    /// In which period: at most 366 days.
    pub period: Period,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnCapText {
    scope: Scope,
    limit: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hours: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    days: Option<u16>,
}

/// A period from the keys `hours` and `days`.
pub(super) fn period(hours: Option<u16>, days: Option<u16>) -> Result<Period, String> {
    match (hours, days) {
        (Some(hours), None) if (1..=MOST_DAYS * 24).contains(&hours) => Ok(Period::Hours(hours)),
        (None, Some(days)) if (1..=MOST_DAYS).contains(&days) => Ok(Period::Days(days)),
        _ => Err(format!(
            "give either hours (1 to {}) or days (1 to {MOST_DAYS})",
            MOST_DAYS * 24
        )),
    }
}

impl TryFrom<OwnCapText> for OwnCap {
    type Error = String;
    fn try_from(text: OwnCapText) -> Result<Self, String> {
        if text.limit == 0 {
            return Err("a cap needs a limit of at least 1".to_owned());
        }
        Ok(Self {
            scope: text.scope,
            limit: text.limit,
            period: period(text.hours, text.days)?,
        })
    }
}

impl From<OwnCap> for OwnCapText {
    fn from(cap: OwnCap) -> Self {
        let (hours, days) = match cap.period {
            Period::Hours(hours) => (Some(hours), None),
            Period::Days(days) => (None, Some(days)),
        };
        Self {
            scope: cap.scope,
            limit: cap.limit,
            hours,
            days,
        }
    }
}

impl OwnRules {
    /// How far back attempts must be known for the caps.
    pub fn lookback(&self) -> SignedDuration {
        self.caps
            .iter()
            .map(|cap| cap.period.longest())
            .max()
            .unwrap_or(SignedDuration::ZERO)
    }

    /// Says what [`super::check`] would refuse every call for.
    ///
    /// # Errors
    /// Each zone or calendar that does not exist.
    pub fn validate(&self, packs: &Packs) -> Result<(), Vec<InvalidRule>> {
        let mut wrong = Vec::new();
        if let Some(name) = self.time_zone.as_ref().filter(|name| zone(name).is_none()) {
            wrong.push(InvalidRule {
                field: "time_zone".to_owned(),
                reason: format!("there is no time zone {name:?}"),
            });
        }
        let unknown = self.closed_on.iter().enumerate();
        let unknown = unknown.filter(|(_, id)| packs.calendar(id).is_none());
        wrong.extend(unknown.map(|(place, id)| InvalidRule {
            field: format!("closed_on[{place}]"),
            reason: format!("there is no calendar {id:?}"),
        }));
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}
