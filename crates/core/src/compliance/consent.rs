//! What the consent ledger says about a call.

use std::fmt;

use super::{Activity, Consent, Purpose, check::covers};
use crate::time::Timestamp;

/// The word in [`Consent::source`] for a contract with the person.
pub const CONTRACT: &str = "contract";

/// Where a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Consent is on record.
    Given(uuid::Uuid, Timestamp),
    /// A contract is on record.
    Contract(uuid::Uuid, Timestamp),
    /// It was taken back.
    Revoked(Timestamp),
    /// It was given for a time that is over.
    Expired(Timestamp),
    /// Nothing is on record that will do.
    Missing,
}

impl Standing {
    /// The latest statement wins; of two at one moment, that which takes back.
    pub(super) fn of(
        consents: &[Consent],
        purpose: &Purpose,
        sources: &[String],
        or_contract: bool,
        now: Timestamp,
    ) -> Self {
        let said = || consents.iter().filter(|consent| consent.at <= now);
        let revoked = said()
            .filter(|consent| !consent.given && consent.activity == purpose.activity)
            .filter(|consent| covers(consent.channel, purpose.channel))
            .map(|consent| consent.at)
            .max();
        let given = said()
            .filter(|consent| consent.given && consent.activity == purpose.activity)
            .filter(|consent| consent.channel == purpose.channel)
            .filter(|consent| {
                sources.is_empty()
                    || sources
                        .iter()
                        .any(|source| source.eq_ignore_ascii_case(&consent.source))
            })
            .max_by_key(|consent| consent.at);
        let newer = |at: Timestamp| revoked.is_none_or(|revoked| revoked < at);
        let is_over = |consent: &Consent| consent.expires_at.is_some_and(|end| end <= now);
        if let Some(consent) = given.filter(|consent| newer(consent.at) && !is_over(consent)) {
            return Self::Given(consent.id, consent.at);
        }
        // A contract is on record as a statement for the service that it is about.
        let contract = said()
            .filter(|consent| or_contract && consent.source.eq_ignore_ascii_case(CONTRACT))
            .filter(|consent| {
                consent.activity == purpose.activity || consent.activity == Activity::Service
            })
            .max_by_key(|consent| (consent.at, !consent.given));
        if let Some(consent) =
            contract.filter(|consent| consent.given && newer(consent.at) && !is_over(consent))
        {
            return Self::Contract(consent.id, consent.at);
        }
        match (revoked, given) {
            (Some(at), _) if given.is_none_or(|given| given.at <= at) => Self::Revoked(at),
            (_, Some(given)) => Self::Expired(given.expires_at.unwrap_or(now)),
            _ => Self::Missing,
        }
    }

    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Given(..) | Self::Contract(..))
    }

    /// Why it is refused.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Given(..) | Self::Contract(..) => "Consent is on record.".to_owned(),
            Self::Revoked(at) => format!("The person took the consent back on {at}."),
            Self::Expired(at) => format!("The consent ended on {at}; ask for it anew."),
            Self::Missing => {
                "No consent to these calls is on record; obtain it by another way and record it with its proof.".to_owned()
            }
        }
    }
}

/// The consent or contract on record that calls of this purpose may rest on, whether a rule
/// asks for one or not: the proof that the ledger names.
pub fn consent_in_force(
    consents: &[Consent],
    purpose: &Purpose,
    now: Timestamp,
) -> Option<uuid::Uuid> {
    match Standing::of(consents, purpose, &[], true, now) {
        Standing::Given(id, _) | Standing::Contract(id, _) => Some(id),
        Standing::Revoked(_) | Standing::Expired(_) | Standing::Missing => None,
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(id, at) => write!(f, "given on {at}, consent {id}"),
            Self::Contract(id, at) => write!(f, "contract of {at}, consent {id}"),
            Self::Revoked(at) => write!(f, "revoked on {at}"),
            Self::Expired(at) => write!(f, "ended on {at}"),
            Self::Missing => f.write_str("none"),
        }
    }
}
