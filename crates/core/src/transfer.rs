//! Conversations that are handed on: to another agent, to a flow, to a number outside.
//!
//! What costs money is ruled here. Whoever transfers a call outside has us place a call for
//! them and pay for it, so a number is dialed only when it is an ordinary number of a country
//! that is allowed ([`Rules::check`]), so many at once and for so long as the rules say.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{FlowId, TrunkId, UserId},
    permission::Role,
    phone::{self, NumberType, PhoneNumber},
    time::Timestamp,
};

/// Most transfers of one call: what goes round more often goes round for ever.
pub const MAX_TRANSFERS: u32 = 20;

/// Where a call is handed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Another agent.
    Agent(UserId),
    /// A number outside.
    Outside(PhoneNumber),
    /// A flow, as published; it may lead to a queue.
    Flow(FlowId),
}

impl Target {
    /// The name of its kind in tables and on the wire.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::Outside(_) => "outside",
            Self::Flow(_) => "flow",
        }
    }
}

/// The line that a number outside is dialed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The trunk that it leaves through.
    pub trunk: TrunkId,
    /// What is dialed, such as `PJSIP/+33639981234@carrier`.
    pub endpoint: String,
    /// The number that is shown.
    pub caller_id: PhoneNumber,
}

/// A transfer of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Counts the transfers of the call from 1.
    pub ordinal: u32,
    /// Who asked for it.
    pub by: UserId,
    /// The agent who had the call, if one had it.
    pub from: Option<UserId>,
    /// Where to.
    pub target: Target,
    /// The line to a number outside.
    pub line: Option<Line>,
    /// When it was taken there.
    pub answered_at: Option<Timestamp>,
}

impl Transfer {
    /// To a number outside.
    pub const fn is_outside(&self) -> bool {
        matches!(self.target, Target::Outside(_))
    }
}

/// What became of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was taken there.
    Answered,
    /// Nobody answered in time.
    NoAnswer,
    /// It could not be reached, or was not free any more.
    Failed,
    /// The call ended before.
    CallEnded,
}

impl Outcome {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::CallEnded => "call-ended",
        }
    }
}

/// Who may transfer calls to numbers outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutsideBy {
    /// Nobody.
    Nobody,
    /// Supervisors and those above them.
    #[default]
    Supervisors,
    /// Agents as well.
    Agents,
}

impl OutsideBy {
    /// Whether a role is among them.
    pub const fn includes(self, role: Role) -> bool {
        match self {
            Self::Nobody => false,
            Self::Supervisors => match role {
                Role::Agent => false,
                Role::Supervisor | Role::Administrator | Role::SuperAdministrator => true,
            },
            Self::Agents => true,
        }
    }
}

impl fmt::Display for OutsideBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody",
            Self::Supervisors => "supervisors",
            Self::Agents => "agents",
        })
    }
}

impl FromStr for OutsideBy {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nobody" => Ok(Self::Nobody),
            "supervisors" => Ok(Self::Supervisors),
            "agents" => Ok(Self::Agents),
            other => Err(format!(
                "unknown word {other:?}; it is nobody, supervisors or agents"
            )),
        }
    }
}

/// What transfers to numbers outside are held to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Who may ask for one.
    pub outside_by: OutsideBy,
    /// Countries that may be dialed (ISO 3166, two letters); none: only that of the number
    /// that is shown.
    pub countries: BTreeSet<String>,
    /// Most of them at once, over all trunks.
    pub max_at_once: u32,
    /// How long one may last, in seconds.
    pub max_s: u32,
    /// The PJSIP endpoint of the trunk that calls of no campaign take; none: they cannot be
    /// transferred outside.
    pub trunk: Option<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            outside_by: OutsideBy::default(),
            countries: BTreeSet::new(),
            max_at_once: 10,
            max_s: 7_200,
            trunk: None,
        }
    }
}

/// Why a number is not dialed for a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDialed {
    /// Its numbering plan knows no such number.
    #[error("its numbering plan does not know it as an ordinary number")]
    NotAssigned,
    /// Whoever owns it is paid for each call to it.
    #[error("calls to it cost more than to an ordinary number")]
    Premium,
    /// Its country is not allowed.
    #[error("its country is not among those that calls may be transferred to")]
    Country,
}

impl Rules {
    /// Whether a number may be dialed for a transfer that shows `shown`.
    ///
    /// Only the kinds of numbers that are known to be charged as plain calls are dialed. Shared
    /// cost, personal, paging and universal access numbers are sources of income for
    /// whoever owns them, and a number that is not assigned may become one.
    ///
    /// # Errors
    /// [`NotDialed`] with the reason.
    pub fn check(&self, number: &PhoneNumber, shown: &PhoneNumber) -> Result<(), NotDialed> {
        match phone::number_type(number) {
            NumberType::Mobile
            | NumberType::Fixed
            | NumberType::FixedOrMobile
            | NumberType::Voip
            | NumberType::TollFree => {}
            NumberType::Premium => return Err(NotDialed::Premium),
            NumberType::Other => return Err(NotDialed::NotAssigned),
        }
        let allowed = if self.countries.is_empty() {
            phone::same_country(number, shown)
        } else {
            let mut countries = self.countries.iter();
            countries.any(|country| phone::is_of_country(number, country))
        };
        allowed.then_some(()).ok_or(NotDialed::Country)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn only_ordinary_numbers_of_our_own_country_are_dialed_unless_others_are_allowed() {
        let rules = Rules::default();
        let check = |text| rules.check(&number(text), &number("+33142278186"));
        assert_eq!(check("+33612345678"), Ok(()));
        assert_eq!(check("+33912345678"), Ok(()));
        assert_eq!(check("+33801234567"), Ok(()));
        assert_eq!(check("+442079460000"), Err(NotDialed::Country));
        let abroad = Rules {
            countries: BTreeSet::from(["GB".to_owned()]),
            ..Rules::default()
        };
        let check = |text| abroad.check(&number(text), &number("+33142278186"));
        assert_eq!(check("+442079460000"), Ok(()));
        assert_eq!(check("+33612345678"), Err(NotDialed::Country));
    }

    #[test]
    fn numbers_that_pay_their_owner_are_not_dialed_wherever_they_are() {
        let everywhere = ["FR", "GB", "US", "JM", "SO"].map(str::to_owned);
        let rules = Rules {
            countries: BTreeSet::from(everywhere),
            ..Rules::default()
        };
        let check = |text| rules.check(&number(text), &number("+33142278186"));
        assert_eq!(check("+33899123456"), Err(NotDialed::Premium));
        assert_eq!(check("+449098790000"), Err(NotDialed::Premium));
        assert_eq!(check("+19002345678"), Err(NotDialed::Premium));
        // Shared cost, a personal number, a satellite, none at all.
        for text in [
            "+33810123456",
            "+447012345678",
            "+881612345678",
            "+33000000000",
        ] {
            let refused = check(text).unwrap_err();
            assert!(
                matches!(refused, NotDialed::NotAssigned | NotDialed::Country),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn who_may_dial_outside_is_one_of_three_words() {
        for by in [OutsideBy::Nobody, OutsideBy::Supervisors, OutsideBy::Agents] {
            assert_eq!(by.to_string().parse(), Ok(by));
        }
        assert!("everybody".parse::<OutsideBy>().is_err());
        assert!(!OutsideBy::Nobody.includes(Role::SuperAdministrator));
        assert!(!OutsideBy::Supervisors.includes(Role::Agent));
        assert!(OutsideBy::Supervisors.includes(Role::Supervisor));
        assert!(OutsideBy::Agents.includes(Role::Agent));
    }
}
