//! A trunk that fails is rested, so that it never burns through a list.
//!
//! A circuit breaker per trunk: failures of the carrier, or of our own configuration of
//! it, rest the trunk for a while; then one line, the probe, finds out whether it works
//! again. What becomes of the contacts is decided here as well: they are not to blame.

use std::collections::VecDeque;

use crate::{
    disposition::Disposition,
    ids::AttemptId,
    retry::{AfterAttempt, RetryRule, RetryRules},
    time::{Timestamp, after},
};

/// So many failures in a row rest a trunk.
pub const FAILURES_IN_A_ROW: u32 = 5;

/// More than half of so many last lines having failed rests it as well.
pub const WINDOW: usize = 20;

/// So many failures in a row are no longer those of single numbers.
pub const SUSPICIOUS_IN_A_ROW: u32 = 3;

/// The first rest; each failed probe doubles it.
pub const FIRST_REST_MS: u64 = 30_000;

/// The longest rest.
pub const LONGEST_REST_MS: u64 = 600_000;

/// How often in a row a contact is given back after a failure of the carrier: a number that
/// always fails is not the trunk's fault.
pub const MAX_GIVE_BACKS: u8 = 3;

/// Applied to contacts that were given back so often, when the campaign has no rule for it.
const RULE_OF_FAILURES: RetryRule = RetryRule {
    delay_s: 3_600,
    then_s: Vec::new(),
    max_attempts: 3,
    avoid_hours: 0,
    number: None,
};

/// What a line says about its trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineTells {
    /// The carrier took the call as far as the person called.
    Works,
    /// The carrier failed, or refused what we sent.
    Fails,
    /// Nothing: we ended it, or nobody saw its end.
    Nothing,
}

impl LineTells {
    /// Reads it from an attempt that was not answered. A carrier that forbids the call (SIP
    /// 403) refused us; the person called refuses with 603 or 486.
    pub const fn of(disposition: Disposition, sip_code: Option<u16>) -> Self {
        match disposition {
            Disposition::CarrierFailure | Disposition::ConfigurationFailure => Self::Fails,
            Disposition::Rejected if matches!(sip_code, Some(403)) => Self::Fails,
            Disposition::AnsweredHuman
            | Disposition::AnsweredMachine
            | Disposition::Abandoned
            | Disposition::AnsweredHangup
            | Disposition::Busy
            | Disposition::NoAnswer
            | Disposition::Rejected
            | Disposition::Unreachable => Self::Works,
            // A carrier that cannot route says "no such number" of every number.
            Disposition::Invalid | Disposition::Cancelled | Disposition::Unknown => Self::Nothing,
        }
    }
}

/// How many lines a trunk takes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// As many as it has room for.
    Any,
    /// One, to find out whether it works.
    Probe,
    /// None before this time.
    NoneUntil(Timestamp),
    /// None until the probe has told.
    NoneYet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Working,
    Resting {
        until: Timestamp,
    },
    /// The probe was asked for; it is this attempt once it is there.
    Probing(Option<AttemptId>),
}

/// The circuit breaker of one trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    in_a_row: u32,
    /// The last lines, true for a failure.
    recent: VecDeque<bool>,
    rest_ms: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            state: State::Working,
            in_a_row: 0,
            recent: VecDeque::new(),
            rest_ms: FIRST_REST_MS,
        }
    }
}

impl Breaker {
    /// How many lines it takes now.
    pub fn takes(&self, now: Timestamp) -> Takes {
        match self.state {
            State::Working => Takes::Any,
            State::Resting { until } if until > now => Takes::NoneUntil(until),
            State::Resting { .. } => Takes::Probe,
            State::Probing(_) => Takes::NoneYet,
        }
    }

    /// It was found to fail and has not been found to work since.
    pub fn is_at_fault(&self) -> bool {
        self.state != State::Working
    }

    /// It works for others: a failure now is that of the number, as far as can be told.
    pub fn works_otherwise(&self) -> bool {
        !self.is_at_fault()
            && self.in_a_row < SUSPICIOUS_IN_A_ROW
            && self.recent.iter().any(|failed| !failed)
    }

    /// This attempt is the probe.
    pub fn is_probe(&self, attempt: AttemptId) -> bool {
        self.state == State::Probing(Some(attempt))
    }

    /// A line to probe with was asked for.
    pub fn probe_asked(&mut self) {
        self.state = State::Probing(None);
    }

    /// It is this attempt.
    pub fn probe_dialed(&mut self, attempt: AttemptId) {
        if self.state == State::Probing(None) {
            self.state = State::Probing(Some(attempt));
        }
    }

    /// There is no line to probe with: the next that is asked for will be the probe. Returns
    /// whether one was asked for.
    pub fn probe_missing(&mut self, now: Timestamp) -> bool {
        let asked = self.state == State::Probing(None);
        if asked {
            self.state = State::Resting { until: now };
        }
        asked
    }

    /// A line told how the trunk is: when it was answered, or else when it ended. Returns
    /// whether the trunk rests or works now and did not before.
    ///
    /// Lines that were out when the rest began say nothing any more: only the probe does.
    pub fn told(&mut self, now: Timestamp, attempt: AttemptId, tells: LineTells) -> bool {
        if self.is_probe(attempt) {
            match tells {
                LineTells::Works => *self = Self::default(),
                LineTells::Fails => {
                    self.rest_ms = self.rest_ms.saturating_mul(2).min(LONGEST_REST_MS);
                    self.state = State::Resting {
                        until: after(now, self.rest_ms),
                    };
                }
                LineTells::Nothing => self.state = State::Resting { until: now },
            }
            return true;
        }
        if self.state != State::Working {
            return false;
        }
        let failed = match tells {
            LineTells::Nothing => return false,
            LineTells::Works => false,
            LineTells::Fails => true,
        };
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(failed);
        let failures = self.recent.iter().filter(|failed| **failed).count();
        let most_fail = self.recent.len() == WINDOW && failures * 2 > WINDOW;
        if self.in_a_row < FAILURES_IN_A_ROW && !most_fail {
            return false;
        }
        *self = Self {
            state: State::Resting {
                until: after(now, FIRST_REST_MS),
            },
            ..Self::default()
        };
        true
    }
}

/// What becomes of a contact whose attempt was failed by the carrier at `now`.
///
/// It is dialed again without counting the attempt, [`MAX_GIVE_BACKS`] times in a row;
/// after that by the rules of the campaign, which has one for failures in any case: no
/// contact is ever done because a carrier failed once. A contact that was the probe of a
/// resting trunk is left for an hour, so that the next probe is another one.
pub fn after_failure(
    rules: &RetryRules,
    disposition: Disposition,
    given_back: u8,
    was_probe: bool,
    attempts: u32,
    now: Timestamp,
) -> AfterAttempt {
    let set_aside = u64::from(RULE_OF_FAILURES.delay_s) * 1_000;
    if was_probe {
        return AfterAttempt::Retry(after(now, set_aside));
    }
    if given_back < MAX_GIVE_BACKS {
        return AfterAttempt::GiveBack;
    }
    let rule = rules.0.get(&disposition);
    rule.unwrap_or(&RULE_OF_FAILURES).decide(attempts, now)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn line(number: u128) -> AttemptId {
        AttemptId(Uuid::from_u128(number))
    }

    fn failed(times: u128) -> Breaker {
        let mut breaker = Breaker::default();
        for number in 0..times {
            breaker.told(START, line(number), LineTells::Fails);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_rest_a_trunk_and_four_do_not() {
        assert_eq!(failed(4).takes(START), Takes::Any);
        let until = after(START, FIRST_REST_MS);
        assert_eq!(failed(5).takes(START), Takes::NoneUntil(until));
        assert_eq!(failed(5).takes(until), Takes::Probe);
    }

    #[test]
    fn a_line_that_comes_through_starts_the_count_again() {
        let mut breaker = failed(4);
        breaker.told(START, line(4), LineTells::Works);
        for number in 5..9 {
            breaker.told(START, line(number), LineTells::Fails);
        }
        assert_eq!(breaker.takes(START), Takes::Any);
    }

    #[test]
    fn a_line_that_says_nothing_neither_counts_nor_starts_again() {
        let mut breaker = failed(4);
        breaker.told(START, line(4), LineTells::Nothing);
        assert_eq!(breaker.takes(START), Takes::Any);
        breaker.told(START, line(5), LineTells::Fails);
        assert!(breaker.is_at_fault());
    }

    #[test]
    fn a_trunk_that_fails_more_often_than_not_rests() {
        // Two of three fail, never five in a row: the twentieth line decides.
        let mut breaker = Breaker::default();
        for number in 0..20u128 {
            assert!(!breaker.is_at_fault(), "at line {number}");
            let tells = if number % 3 == 0 {
                LineTells::Works
            } else {
                LineTells::Fails
            };
            breaker.told(START, line(number), tells);
        }
        assert!(breaker.is_at_fault());
        // Half of them failing is not more than half.
        let mut breaker = Breaker::default();
        for number in 0..100u128 {
            let tells = if number % 2 == 0 {
                LineTells::Works
            } else {
                LineTells::Fails
            };
            breaker.told(START, line(number), tells);
        }
        assert!(!breaker.is_at_fault());
    }

    #[test]
    fn only_the_probe_says_whether_a_resting_trunk_works() {
        let mut breaker = failed(5);
        assert!(!breaker.told(START, line(90), LineTells::Works));
        let rested = after(START, FIRST_REST_MS);
        breaker.probe_asked();
        assert_eq!(breaker.takes(rested), Takes::NoneYet);
        breaker.probe_dialed(line(10));
        assert!(!breaker.told(rested, line(91), LineTells::Fails));
        assert_eq!(breaker.takes(rested), Takes::NoneYet);
        assert!(breaker.told(rested, line(10), LineTells::Works));
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn each_failed_probe_doubles_the_rest_up_to_ten_minutes() {
        let mut breaker = failed(5);
        let mut now = START;
        let mut rests = Vec::new();
        for number in 10..17 {
            let Takes::NoneUntil(until) = breaker.takes(now) else {
                panic!("it rests");
            };
            rests.push(crate::time::millis_between(now, until) / 1_000);
            now = until;
            breaker.probe_asked();
            breaker.probe_dialed(line(number));
            breaker.told(now, line(number), LineTells::Fails);
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 600, 600]);
    }

    #[test]
    fn a_probe_that_says_nothing_is_followed_by_another_at_once() {
        let mut breaker = failed(5);
        let rested = after(START, FIRST_REST_MS);
        breaker.probe_asked();
        breaker.probe_missing(rested);
        assert_eq!(breaker.takes(rested), Takes::Probe);
        breaker.probe_asked();
        breaker.probe_dialed(line(10));
        breaker.told(rested, line(10), LineTells::Nothing);
        assert_eq!(breaker.takes(rested), Takes::Probe);
    }

    #[test]
    fn a_carrier_that_forbids_the_call_fails_and_a_person_who_declines_it_does_not() {
        let tells = |code| LineTells::of(Disposition::Rejected, Some(code));
        assert_eq!(tells(403), LineTells::Fails);
        assert_eq!(tells(603), LineTells::Works);
    }

    #[test]
    fn a_number_that_always_fails_is_given_back_a_few_times_and_then_comes_to_an_end() {
        let rules = RetryRules::default();
        let mut outcomes = Vec::new();
        let (mut given_back, mut attempts) = (0, 1);
        loop {
            let outcome = after_failure(
                &rules,
                Disposition::CarrierFailure,
                given_back,
                false,
                attempts,
                START,
            );
            outcomes.push(outcome);
            match outcome {
                AfterAttempt::GiveBack => given_back += 1,
                AfterAttempt::Retry(_) => (given_back, attempts) = (0, attempts + 1),
                AfterAttempt::Exhausted => break,
                AfterAttempt::Called => panic!("nobody was reached"),
            }
        }
        let dials = usize::from(MAX_GIVE_BACKS) + 1;
        assert_eq!(outcomes.len(), 3 * dials);
    }

    #[test]
    fn a_contact_that_was_the_probe_is_never_done_by_it() {
        let outcome = after_failure(
            &RetryRules::default(),
            Disposition::ConfigurationFailure,
            9,
            true,
            99,
            START,
        );
        assert_eq!(outcome, AfterAttempt::Retry(after(START, 3_600_000)));
    }
}
