//! Whether, and when, a contact is dialed again.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::{
    disposition::Disposition,
    time::{Timestamp, after},
};

/// What to do after one disposition or qualification.
///
/// ```
/// # use strowger_core::retry::RetryRule;
/// let rule: RetryRule = serde_json::from_str(
///     r#"{"delay_s": 600, "then_s": [3600, 86400], "max_attempts": 5, "avoid_hours": 2, "number": "next"}"#,
/// ).unwrap();
/// assert_eq!(rule.delay(2), 3600);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// Seconds until the contact may be dialed again.
    pub delay_s: u32,
    /// The same after the second attempt, the third and so on; the last one holds for all
    /// that follow. Without any, `delay_s` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then_s: Vec<u32>,
    /// Attempts in all after which this outcome ends the contact.
    pub max_attempts: u32,
    /// The retry is not placed within so many hours, 0 to 11, of the time of day, on the
    /// contact's clock, of the attempt that failed: it is put off to that many hours after it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub avoid_hours: u8,
    /// Which number is dialed next; absent, the outcome decides: see [`NextNumber::after`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<NextNumber>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
const fn is_zero(hours: &u8) -> bool {
    *hours == 0
}

/// Which of a contact's numbers is dialed next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NextNumber {
    /// The same, later.
    Same,
    /// The one after it, in turn.
    Next,
    /// The one after it, at once, and this one never again.
    Dead,
}

impl NextNumber {
    /// What an outcome says of the number when no rule does. A busy line has somebody at it and
    /// is worth another try; nobody is near a line that rings in vain; a number that does not
    /// exist never will answer; what failed on our side says nothing of the number.
    pub const fn after(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Invalid => Self::Dead,
            Disposition::NoAnswer
            | Disposition::AnsweredMachine
            | Disposition::Unreachable
            | Disposition::Rejected => Self::Next,
            Disposition::Busy
            | Disposition::AnsweredHuman
            | Disposition::Abandoned
            | Disposition::AnsweredHangup
            | Disposition::CarrierFailure
            | Disposition::ConfigurationFailure
            | Disposition::Cancelled
            | Disposition::Unknown => Self::Same,
        }
    }
}

/// The retry rules of a campaign: one per disposition that is retried at all.
/// A person who was reached is never dialed again by these rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetryRules(pub BTreeMap<Disposition, RetryRule>);

/// What becomes of a contact after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterAttempt {
    /// Dial again, not before this moment.
    Retry(Timestamp),
    /// A person was reached, or the outcome is not one to retry.
    Called,
    /// It is given up without knowing that a person was reached: its attempts are used up,
    /// or nobody can tell how the last one ended and no rule retries that.
    Exhausted,
    /// The attempt does not count: the carrier failed and another trunk may do better. The
    /// contact may be dialed at once.
    GiveBack,
}

impl RetryRule {
    /// Seconds to wait after the `attempts`-th attempt.
    pub fn delay(&self, attempts: u32) -> u32 {
        let later = (attempts as usize).checked_sub(2);
        later
            .and_then(|place| self.then_s.get(place).or_else(|| self.then_s.last()))
            .copied()
            .unwrap_or(self.delay_s)
    }

    /// Decides after the `attempts`-th attempt of a contact ended at `now`.
    pub fn decide(&self, attempts: u32, now: Timestamp) -> AfterAttempt {
        if attempts >= self.max_attempts {
            AfterAttempt::Exhausted
        } else {
            AfterAttempt::Retry(after(now, u64::from(self.delay(attempts)) * 1_000))
        }
    }

    /// Puts a retry that is due at `due` off to another time of day than that of the attempt,
    /// on the contact's clock: see [`RetryRule::avoid_hours`]. `zones` are IANA names joined
    /// by `|`, of which the first counts; without one the clock is that of UTC.
    pub fn another_hour(&self, due: Timestamp, attempted: Timestamp, zones: &str) -> Timestamp {
        const DAY: i64 = 86_400;
        let zone = TimeZone::get(zones.split('|').next().unwrap_or("")).unwrap_or(TimeZone::UTC);
        let time_of_day = |at: Timestamp| {
            let time = at.to_zoned(zone.clone()).time();
            i64::from(time.hour()) * 3_600
                + i64::from(time.minute()) * 60
                + i64::from(time.second())
        };
        let avoid = i64::from(self.avoid_hours.min(11)) * 3_600;
        // How much later in the day it would be, between 12 hours before and 12 hours after.
        let apart = (time_of_day(due) - time_of_day(attempted) + DAY / 2).rem_euclid(DAY) - DAY / 2;
        if apart.abs() >= avoid {
            return due;
        }
        after(due, u64::try_from(avoid - apart).unwrap_or(0) * 1_000)
    }
}

impl RetryRules {
    /// Decides after the `attempts`-th attempt of a contact ended at `now`.
    pub fn decide(&self, disposition: Disposition, attempts: u32, now: Timestamp) -> AfterAttempt {
        if matches!(disposition, Disposition::AnsweredHuman) {
            return AfterAttempt::Called;
        }
        match self.0.get(&disposition) {
            // Whoever reads the list must not take it for a contact that was reached.
            None if disposition == Disposition::Unknown => AfterAttempt::Exhausted,
            None => AfterAttempt::Called,
            Some(rule) => rule.decide(attempts, now),
        }
    }

    /// Which number of the contact is dialed after this disposition.
    pub fn next_number(&self, disposition: Disposition) -> NextNumber {
        let rule = self.0.get(&disposition).and_then(|rule| rule.number);
        rule.unwrap_or(NextNumber::after(disposition))
    }

    /// [`RetryRule::another_hour`] of the rule for this disposition.
    pub fn another_hour(
        &self,
        disposition: Disposition,
        due: Timestamp,
        attempted: Timestamp,
        zones: &str,
    ) -> Timestamp {
        let rule = self.0.get(&disposition);
        rule.map_or(due, |rule| rule.another_hour(due, attempted, zones))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_number_is_retried_until_its_rule_is_used_up() {
        let rules = RetryRules(BTreeMap::from([(
            Disposition::Busy,
            RetryRule {
                delay_s: 60,
                max_attempts: 2,
                ..RetryRule::default()
            },
        )]));
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            rules.decide(Disposition::Busy, 1, now),
            AfterAttempt::Retry(after(now, 60_000))
        );
        assert_eq!(
            rules.decide(Disposition::Busy, 2, now),
            AfterAttempt::Exhausted
        );
        assert_eq!(
            rules.decide(Disposition::NoAnswer, 1, now),
            AfterAttempt::Called
        );
    }

    #[test]
    fn a_contact_of_whom_nobody_knows_whether_they_were_reached_does_not_count_as_called() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(
            RetryRules::default().decide(Disposition::Unknown, 1, now),
            AfterAttempt::Exhausted
        );
        let rules = RetryRules(BTreeMap::from([(
            Disposition::Unknown,
            RetryRule {
                delay_s: 60,
                max_attempts: 2,
                ..RetryRule::default()
            },
        )]));
        assert_eq!(
            rules.decide(Disposition::Unknown, 1, now),
            AfterAttempt::Retry(after(now, 60_000))
        );
    }

    #[test]
    fn a_person_who_was_reached_is_not_dialed_again_whatever_the_rules_say() {
        let rules = RetryRules(BTreeMap::from([(
            Disposition::AnsweredHuman,
            RetryRule {
                delay_s: 1,
                max_attempts: 9,
                ..RetryRule::default()
            },
        )]));
        assert_eq!(
            rules.decide(Disposition::AnsweredHuman, 1, Timestamp::UNIX_EPOCH),
            AfterAttempt::Called
        );
    }

    #[test]
    fn a_rule_of_older_versions_reads_as_before() {
        let rule: RetryRule = serde_json::from_str(r#"{"delay_s":60,"max_attempts":3}"#).unwrap();
        let text = serde_json::to_string(&rule).unwrap();
        assert_eq!(text, r#"{"delay_s":60,"max_attempts":3}"#);
        assert_eq!((rule.delay(1), rule.delay(2), rule.delay(9)), (60, 60, 60));
    }

    #[test]
    fn each_retry_waits_as_long_as_its_place_in_the_list_says() {
        let rule = RetryRule {
            delay_s: 60,
            then_s: vec![600, 3_600],
            max_attempts: 9,
            ..RetryRule::default()
        };
        let delays: Vec<u32> = (1..=5).map(|attempts| rule.delay(attempts)).collect();
        assert_eq!(delays, [60, 600, 3_600, 3_600, 3_600]);
    }

    #[test]
    fn a_retry_is_put_off_to_another_hour_of_the_contacts_day() {
        let rule = RetryRule {
            avoid_hours: 2,
            ..RetryRule::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (attempted, due, put_off_to) in [
            // 11:00 in Paris; a day later at the same time becomes 13:00.
            (
                "2026-03-02T10:00:00Z",
                "2026-03-03T10:00:00Z",
                "2026-03-03T12:00:00Z",
            ),
            (
                "2026-03-02T10:00:00Z",
                "2026-03-03T08:30:00Z",
                "2026-03-03T12:00:00Z",
            ),
            (
                "2026-03-02T10:00:00Z",
                "2026-03-03T08:00:00Z",
                "2026-03-03T08:00:00Z",
            ),
            (
                "2026-03-02T10:00:00Z",
                "2026-03-02T12:30:00Z",
                "2026-03-02T12:30:00Z",
            ),
            // Around midnight in Paris.
            (
                "2026-03-02T22:30:00Z",
                "2026-03-03T23:15:00Z",
                "2026-03-04T00:30:00Z",
            ),
            // The clock went forward in between: 11:00 is 9:00 UTC then.
            (
                "2026-03-28T10:00:00Z",
                "2026-03-30T09:00:00Z",
                "2026-03-30T11:00:00Z",
            ),
        ] {
            let moved = rule.another_hour(at(due), at(attempted), "Europe/Paris|Europe/Rome");
            assert_eq!(moved, at(put_off_to), "{attempted} {due}");
        }
        let free = RetryRule::default();
        let due = at("2026-03-03T10:00:00Z");
        assert_eq!(free.another_hour(due, at("2026-03-02T10:00:00Z"), ""), due);
    }

    #[test]
    fn a_busy_number_is_tried_again_a_silent_one_gives_way_and_an_invalid_one_is_dead() {
        let rules = RetryRules(BTreeMap::from([(
            Disposition::Rejected,
            RetryRule {
                number: Some(NextNumber::Dead),
                ..RetryRule::default()
            },
        )]));
        assert_eq!(rules.next_number(Disposition::Busy), NextNumber::Same);
        assert_eq!(rules.next_number(Disposition::NoAnswer), NextNumber::Next);
        assert_eq!(rules.next_number(Disposition::Invalid), NextNumber::Dead);
        assert_eq!(rules.next_number(Disposition::Rejected), NextNumber::Dead);
    }
}
