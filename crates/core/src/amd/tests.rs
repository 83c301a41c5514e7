use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::telephony::Amd;

#[test]
fn what_is_not_set_is_left_to_the_exchange() {
    assert_eq!(AmdParameters::default().arguments(), "");
    let some = AmdParameters {
        initial_silence_ms: Some(2_000),
        after_greeting_silence_ms: Some(600),
        maximum_words: Some(4),
        ..AmdParameters::default()
    };
    assert_eq!(some.arguments(), "2000,,600,,,,4");
}

#[test]
fn all_arguments_are_in_the_order_of_the_application() {
    let all: AmdParameters = serde_json::from_value(serde_json::json!({
        "initial_silence_ms": 1001, "greeting_ms": 1002, "after_greeting_silence_ms": 1003,
        "total_analysis_ms": 1004, "minimum_word_ms": 105, "between_words_silence_ms": 106,
        "maximum_words": 7, "silence_threshold": 108, "maximum_word_ms": 1009,
    }))
    .unwrap();
    assert_eq!(all.arguments(), "1001,1002,1003,1004,105,106,7,108,1009");
    assert_eq!(all.check(), Ok(()));
}

#[test]
fn a_mistyped_field_is_refused() {
    let error = serde_json::from_str::<AmdParameters>(r#"{"greeting": 1500}"#).unwrap_err();
    assert!(error.to_string().contains("greeting"), "{error}");
}

#[test]
fn every_field_out_of_its_range_is_named() {
    let wrong = AmdParameters {
        greeting_ms: Some(0),
        maximum_words: Some(21),
        ..AmdParameters::default()
    };
    let errors = wrong.check().unwrap_err();
    let fields: Vec<&str> = errors.iter().map(InvalidAmd::field).collect();
    assert_eq!(fields, ["greeting_ms", "maximum_words"]);
    assert_eq!(
        errors[0].to_string(),
        "greeting_ms must be 100 to 10000, got 0"
    );
}

#[test]
fn a_limit_that_could_never_be_reached_is_refused() {
    let wrong = AmdParameters {
        total_analysis_ms: Some(2_000),
        initial_silence_ms: Some(2_500),
        ..AmdParameters::default()
    };
    assert_eq!(
        wrong.check().unwrap_err()[0].to_string(),
        "initial_silence_ms is 2500 ms, longer than total_analysis_ms, which is 2000 ms"
    );
    let against_the_default = AmdParameters {
        greeting_ms: Some(6_000),
        ..AmdParameters::default()
    };
    assert!(against_the_default.check().is_err());
}

#[test]
fn without_audits_people_among_machines_are_reckoned_with() {
    let none = Calibration::default().estimate().false_positive;
    assert!((none.upper - 0.139_108).abs() < 1e-6, "{none:?}");
    assert_eq!((none.rate, none.lower, none.n), (none.upper, 0.0, 0));
}

#[test]
fn audits_without_a_person_earn_trust() {
    let mut calibration = Calibration::default();
    calibration.observe_many(Amd::Machine, Some(true), 300);
    calibration.observe_many(Amd::Machine, None, 2_700);
    assert!(calibration.for_pacing() < 0.01);
    assert_eq!(calibration.estimate().false_positive.n, 300);
}

#[test]
fn a_few_bad_audits_are_believed_at_once() {
    let mut calibration = Calibration::default();
    calibration.observe_many(Amd::Machine, Some(false), 5);
    calibration.observe_many(Amd::Machine, Some(true), 5);
    assert!(calibration.for_pacing() > 0.4);
}

#[test]
fn machines_heard_by_agents_are_false_negatives() {
    let mut calibration = Calibration::default();
    calibration.observe_many(Amd::Human, Some(false), 80);
    calibration.observe_many(Amd::Human, Some(true), 10);
    calibration.observe_many(Amd::NotSure, Some(true), 10);
    calibration.observe_many(Amd::NotSure, None, 1_000);
    let share = calibration.estimate().false_negative;
    assert_eq!((share.rate, share.n), (0.2, 100));
    assert!(share.lower < 0.2 && 0.2 < share.upper);
    assert_eq!(calibration.estimate().false_positive.n, 0);
}

#[test]
fn reports_of_people_raise_what_is_certain() {
    let mut calibration = Calibration::default();
    calibration.observe_many(Amd::Machine, Some(true), 1_000);
    calibration.observe_many(Amd::Machine, None, 1_000);
    let before = calibration.estimate().false_positive;
    for _ in 0..100 {
        calibration.observe_report();
    }
    let share = calibration.estimate().false_positive;
    assert!(before.upper < 0.05);
    assert_eq!((share.lower, share.rate, share.upper), (0.05, 0.05, 0.05));
}

/// The numbers of a sequence that is the same in every run.
fn sequence(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the seeds and the figures are shown")]
fn the_bounds_hold_the_truth_as_often_as_they_say() {
    let seed = 20_261_121;
    let mut random = sequence(seed);
    let (truth, runs) = (0.06, 2_000);
    let (mut above, mut below) = (0, 0);
    for _ in 0..runs {
        let mut calibration = Calibration::default();
        for _ in 0..200 {
            calibration.observe(Amd::Machine, Some(random() >= truth));
        }
        let share = calibration.estimate().false_positive;
        above += i32::from(truth > share.upper);
        below += i32::from(truth < share.lower);
    }
    println!("seed {seed}: of {runs} runs the truth was above {above} and below {below} times");
    assert!(above <= runs / 20 && below <= runs / 20, "{above} {below}");
    assert!(above > 0 && below > 0, "bounds that never fail are idle");
}

#[test]
fn the_audited_share_of_attempts_is_the_one_asked_for() {
    // Ids of one millisecond differ only in their random part; take the least random: a counter.
    let audited = (0..100_000_u128)
        .map(|n| {
            AttemptId(Uuid::from_u128(
                0x0199_aaaa_0000_7000_8000_0000_0000_0000 + n,
            ))
        })
        .filter(|attempt| is_audited(*attempt, 0.1))
        .count();
    assert!((9_700..10_300).contains(&audited), "{audited}");
}

proptest! {
    #[test]
    fn an_attempt_audited_at_a_share_is_audited_at_a_greater_one(id: u128, share in 0.0..1.0_f64) {
        let attempt = AttemptId(Uuid::from_u128(id));
        prop_assert!(!is_audited(attempt, 0.0));
        prop_assert!(!is_audited(attempt, share) || is_audited(attempt, share.midpoint(1.0)));
    }

    #[test]
    fn parameters_survive_their_text(greeting in proptest::option::of(100..10_000_u32), words in proptest::option::of(1..20_u32)) {
        let given = AmdParameters { greeting_ms: greeting, maximum_words: words, ..AmdParameters::default() };
        let text = serde_json::to_string(&given).unwrap();
        prop_assert_eq!(serde_json::from_str::<AmdParameters>(&text).unwrap(), given);
    }

    #[test]
    fn an_estimate_is_ordered_whatever_was_counted(people in 0..10_000_u64, machines in 0..1_000_000_u64) {
        let mut calibration = Calibration::default();
        calibration.observe_many(Amd::Machine, Some(false), people);
        calibration.observe_many(Amd::Machine, Some(true), machines);
        let share = calibration.estimate().false_positive;
        prop_assert!(0.0 <= share.lower && share.lower <= share.rate);
        prop_assert!(share.rate <= share.upper && share.upper <= 1.0);
    }
}
