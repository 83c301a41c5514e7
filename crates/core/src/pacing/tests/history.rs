//! A pacer that is made anew and told of what was before it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const WIDTH_S: f64 = 300.0;
const THRESHOLD_S: f64 = 2.0;
/// A time as the daemon has it: seconds since 1970.
const START: f64 = 1.7e9;

/// A line that was answered by a person or a machine.
#[derive(Debug, Clone, Copy)]
struct Answered {
    dialed: f64,
    at: f64,
    /// How long the person waited; none: a machine.
    waited: Option<f64>,
}

impl Answered {
    fn over(self) -> f64 {
        self.at + self.waited.unwrap_or(0.0) + 20.0
    }

    fn is_late(self) -> bool {
        self.waited.is_some_and(|waited| waited > THRESHOLD_S)
    }

    fn tell(self, pacer: &mut Pacer<u64, u32>, key: u64) {
        pacer.handle(self.dialed, &Event::Dialed(key, Segment::default()));
        pacer.handle(self.at, &Event::Answered(key, AnsweredBy::Unknown));
        match self.waited {
            None => pacer.handle(self.at, &Event::Answered(key, AnsweredBy::Machine)),
            Some(waited) => {
                pacer.handle(self.at, &Event::Answered(key, AnsweredBy::Human));
                pacer.handle(self.at + waited, &Event::Connected(key, 1));
            }
        }
        pacer.handle(self.over(), &Event::Ended(key, LineEnd::Completed));
    }
}

/// What a database knows of it, in stretches of five minutes.
fn history(answered: &[Answered]) -> Vec<Past> {
    let bucket = |at: f64| (at / WIDTH_S) as u64;
    let mut stretches: BTreeMap<u64, Past> = BTreeMap::new();
    let mut count = |at: f64, add: fn(&mut Past)| {
        let from = bucket(at) as f64 * WIDTH_S;
        add(stretches.entry(bucket(at)).or_insert(Past {
            from,
            until: from + WIDTH_S,
            people: 0,
            late: 0,
            machines: 0,
        }));
    };
    for one in answered {
        match one.waited {
            None => count(one.at, |past| past.machines += 1),
            Some(waited) => {
                count(one.at, |past| past.people += 1);
                if one.is_late() {
                    count(one.at + waited, |past| past.late += 1);
                }
            }
        }
    }
    stretches.into_values().collect()
}

fn calls() -> impl Strategy<Value = Vec<Answered>> {
    let call = (0.0..900.0_f64, prop::option::weighted(0.8, 0.0..6.0_f64));
    prop::collection::vec(call, 2..200).prop_map(|calls| {
        let mut now = START;
        calls
            .into_iter()
            .map(|(gap, waited)| {
                let dialed = now + gap;
                let answered = Answered {
                    dialed,
                    at: dialed + 9.0,
                    waited,
                };
                now = answered.over();
                answered
            })
            .collect()
    })
}

fn window() -> impl Strategy<Value = f64> {
    prop_oneof![Just(3_600.0), Just(86_400.0), Just(30.0 * 86_400.0)]
}

proptest! {
    // A new pacer solves its tables: half a second each where nothing is optimised.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_restart_with_its_history_is_at_least_as_strict_as_no_restart(
        calls in calls(),
        restart in 0.0..1.0_f64,
        window_s in window(),
    ) {
        let config = Config { window_s, threshold_s: THRESHOLD_S, amd_false_positive: 0.139, ..Config::default() };
        let (before, then) = calls.split_at((calls.len() as f64 * restart) as usize);
        let mut through = pacer(config.clone());
        for (key, one) in (0..).zip(before) {
            one.tell(&mut through, key);
        }
        let made = before.last().map_or(START, |one| one.over());
        let mut again = pacer(config);
        again.handle(made, &Event::Tick);
        again.remember(made + 0.2, &history(before));
        let counted = (through.state().answered, through.state().late);
        if made - START < window_s {
            prop_assert!((again.state().late - counted.1).abs() < 1e-6, "{:?}, not {counted:?}", again.state());
        }
        for (key, one) in (1_000..).zip(then) {
            one.tell(&mut through, key);
            one.tell(&mut again, key);
            let (through, again) = (through.state(), again.state());
            prop_assert!(again.late >= through.late - 1e-6, "{again:?}, not {through:?}");
            prop_assert!(again.answered <= through.answered + 1e-6, "{again:?}, not {through:?}");
            prop_assert!(again.metric_upper >= through.metric_upper - 1e-9, "{again:?}, not {through:?}");
        }
    }
}

#[test]
fn the_room_that_was_used_before_a_restart_is_not_there_after_it() {
    let config = Config::default();
    let people = |late: u32| {
        let mut pacer = pacer(config.clone());
        let past = Past {
            from: START - 900.0,
            until: START - 600.0,
            people: 1_000,
            late,
            machines: 0,
        };
        pacer.remember(START, &[past]);
        pacer.state()
    };
    let (used_up, unused) = (people(30), people(0));
    assert!((used_up.budget_used - 1.0).abs() < 1e-9, "{used_up:?}");
    assert!(
        used_up.risk < 0.002 && unused.risk > 0.02,
        "{used_up:?} {unused:?}"
    );
}

#[test]
fn the_past_leaves_the_count_with_the_window() {
    let mut pacer = pacer(Config::default());
    let past = |hours: f64| Past {
        from: START - hours * 3_600.0,
        until: START - hours * 3_600.0 + WIDTH_S,
        people: 10,
        late: 1,
        machines: 0,
    };
    let nonsense = Past {
        from: f64::NAN,
        until: f64::INFINITY,
        ..past(1.0)
    };
    pacer.remember(START, &[past(20.0), nonsense, past(30.0)]);
    assert_eq!((pacer.state().answered, pacer.state().late), (10.0, 1.0));
    pacer.handle(START + 6.0 * 3_600.0, &Event::Tick);
    assert_eq!((pacer.state().answered, pacer.state().late), (0.0, 0.0));
}
