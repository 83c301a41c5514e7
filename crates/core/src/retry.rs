//! Whether, and when, a contact is dialed again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    disposition::Disposition,
    time::{Timestamp, after},
};

/// What to do after one disposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// Seconds until the contact may be dialed again.
    pub delay_s: u32,
    /// Attempts in all after which this disposition ends the contact.
    pub max_attempts: u32,
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
    /// The carrier failed: ready at once, and the attempt does not count.
    GiveBack,
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
            Some(rule) if attempts >= rule.max_attempts => AfterAttempt::Exhausted,
            Some(rule) => AfterAttempt::Retry(after(now, u64::from(rule.delay_s) * 1_000)),
        }
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
            },
        )]));
        assert_eq!(
            rules.decide(Disposition::AnsweredHuman, 1, Timestamp::UNIX_EPOCH),
            AfterAttempt::Called
        );
    }
}
