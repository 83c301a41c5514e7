//! Behaviour of the rules, with the packs that Strowger comes with.

mod hours;
mod laws;
mod property;
mod reading;

use std::sync::LazyLock;

use jiff::civil::DateTime;

use super::*;

pub(super) static PACKS: LazyLock<Packs> = LazyLock::new(|| Packs::built_in().unwrap());

/// A call about which everything is known and to which nothing is opposed.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) packs: Vec<PackId>,
    pub(super) own: OwnRules,
    pub(super) purpose: Purpose,
    pub(super) candidate: Candidate,
    pub(super) facts: Facts,
}

impl Case {
    pub(super) fn new(packs: &[&str], activity: Activity, number: &str) -> Self {
        Self {
            packs: packs.iter().map(|id| PackId::from(*id)).collect(),
            own: OwnRules::default(),
            purpose: Purpose {
                campaign: CampaignId::new("renewals").unwrap(),
                activity,
                channel: Channel::Voice,
                automated: true,
            },
            candidate: Candidate {
                number: PhoneNumber::try_from(number.to_owned()).unwrap(),
                zones: Vec::new(),
                requested: false,
            },
            facts: Facts {
                // Registers are brought up to date in a future that no test reaches.
                scrubbed: ["bloctel", "us-national-dnc", "uk-tps", "ca-dncl"]
                    .map(|list| {
                        (
                            list.to_owned(),
                            Some("2100-01-01T00:00:00Z".parse().unwrap()),
                        )
                    })
                    .to_vec(),
                ..Facts::default()
            },
        }
    }

    /// A French consumer who consented.
    pub(super) fn french() -> Self {
        let mut case = Self::new(&["fr"], Activity::Solicitation, "+33142278186");
        case.consent("2023-01-01T00:00:00Z", true, "form");
        case
    }

    /// A debtor in New York.
    pub(super) fn debtor() -> Self {
        let mut case = Self::new(&["us-reg-f"], Activity::Collection, "+12125550123");
        case.facts.of_debt = Some(Vec::new());
        case
    }

    /// A resident of Florida who consented.
    pub(super) fn floridian() -> Self {
        let mut case = Self::new(&["us-fl"], Activity::Solicitation, "+13055550123");
        case.consent("2023-01-01T00:00:00Z", true, "written");
        case
    }

    pub(super) fn consent(&mut self, at: &str, given: bool, source: &str) {
        let id = u128::try_from(self.facts.consents.len()).unwrap() + 1;
        self.facts.consents.push(Consent {
            id: uuid::Uuid::from_u128(id),
            channel: self.purpose.channel,
            activity: self.purpose.activity,
            given,
            at: at.parse().unwrap(),
            expires_at: None,
            source: source.to_owned(),
        });
    }

    pub(super) fn check(&self, now: Timestamp) -> Verdict {
        check(
            &PACKS,
            &self.packs,
            &self.own,
            &self.purpose,
            &self.candidate,
            &self.facts,
            now,
        )
    }

    /// The rule that refuses at a moment of a zone's clock, if any.
    pub(super) fn refused(&self, clock: &str, zone: &str) -> Option<String> {
        self.check(at(clock, zone))
            .refusal
            .map(|refusal| refusal.rule)
    }

    #[track_caller]
    pub(super) fn refusal(&self, now: Timestamp) -> Refusal {
        self.check(now).refusal.expect("a refusal")
    }

    /// Says that `rule` refuses now and no longer at `until`, and still just before.
    #[track_caller]
    pub(super) fn refused_until(&self, rule: &str, now: Timestamp, until: Timestamp) {
        let refusal = self.refusal(now);
        assert_eq!(
            (refusal.rule.as_str(), refusal.until),
            (rule, Some(until)),
            "{}",
            refusal.reason
        );
        assert_eq!(self.check(until).refusal, None);
        let before = until - jiff::SignedDuration::from_nanos(1);
        assert_eq!(self.refusal(before).rule, rule);
    }
}

/// A moment on the clock of a zone.
#[track_caller]
pub(super) fn at(clock: &str, name: &str) -> Timestamp {
    clock
        .parse::<DateTime>()
        .unwrap()
        .to_zoned(zone(name).unwrap())
        .unwrap()
        .timestamp()
}

/// A call that rang and was not answered.
pub(super) fn call(at: Timestamp, activity: Activity) -> Past {
    Past {
        at,
        activity,
        requested: false,
        placed: true,
        conversation: false,
        refused: false,
        abandoned: false,
    }
}
