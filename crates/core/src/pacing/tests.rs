//! What a pacer does, in small scenes and in a small simulated shift.

mod history;
mod shift;

use proptest::prelude::*;

use super::{Action, AnsweredBy, Config, Event, LineEnd, Pacer, Past, Segment};
use shift::Shift;

type Told = Event<u64, u32>;

fn pacer(config: Config) -> Pacer<u64, u32> {
    Pacer::new(config, 7)
}

fn actions(pacer: &mut Pacer<u64, u32>) -> Vec<Action<u64>> {
    std::iter::from_fn(|| pacer.poll_action()).collect()
}

fn dialed(actions: &[Action<u64>]) -> u32 {
    actions
        .iter()
        .map(|action| match action {
            Action::Dial(lines) => *lines,
            Action::Cancel(_) => 0,
        })
        .sum()
}

#[test]
fn a_cold_start_dials_one_line_for_a_lone_agent() {
    let mut pacer = pacer(Config::default());
    pacer.handle(0.0, &Event::AgentAvailable(1));
    assert_eq!(actions(&mut pacer), [Action::Dial(1)]);
    pacer.handle(0.1, &Event::Dialed(1, Segment::default()));
    pacer.handle(0.5, &Event::Tick);
    assert_eq!(actions(&mut pacer), []);
}

#[test]
fn nothing_is_dialed_without_agents() {
    let mut pacer = pacer(Config::default());
    pacer.handle(0.0, &Event::Tick);
    assert_eq!(actions(&mut pacer), []);
    assert_eq!(pacer.poll_timeout(), None);
}

#[test]
fn lines_that_never_come_are_asked_for_again() {
    let mut pacer = pacer(Config::default());
    pacer.handle(0.0, &Event::AgentAvailable(1));
    assert_eq!(dialed(&actions(&mut pacer)), 1);
    pacer.handle(1.0, &Event::Tick);
    assert_eq!(dialed(&actions(&mut pacer)), 0);
    pacer.handle(2.0, &Event::Tick);
    assert_eq!(dialed(&actions(&mut pacer)), 1);
}

#[test]
fn an_empty_list_is_asked_less_and_less_often() {
    let mut pacer = pacer(Config::default());
    pacer.handle(0.0, &Event::AgentAvailable(1));
    let mut asked = Vec::new();
    for half in 0..120_u32 {
        let now = f64::from(half) / 2.0;
        pacer.handle(now, &Event::Tick);
        let lines = dialed(&actions(&mut pacer));
        if lines > 0 {
            asked.push(now);
            pacer.handle(now, &Event::NotDialed(lines));
        }
    }
    assert!(asked.len() >= 5, "asked at {asked:?}");
    let gaps: Vec<f64> = asked.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.last() >= Some(&8.0), "asked at {asked:?}");
}

#[test]
fn an_outage_dials_one_line_per_idle_agent() {
    let mut pacer = pacer(Config::default());
    for agent in 0..30 {
        pacer.handle(0.0, &Event::AgentAvailable(agent));
    }
    let mut key = 0;
    let mut most = 0;
    for step in 0..600_u32 {
        let now = f64::from(step) / 4.0;
        pacer.handle(now, &Event::Tick);
        let lines = dialed(&actions(&mut pacer));
        if step > 200 {
            most = most.max(lines);
        }
        for _ in 0..lines {
            key += 1;
            pacer.handle(now, &Event::Dialed(key, Segment::default()));
            pacer.handle(now, &Event::Ended(key, LineEnd::Failed));
        }
    }
    assert!(pacer.state().outage);
    assert!(most <= 30, "{most} lines at once for 30 agents");
    assert!(most > 0, "recovery must be noticed");
}

#[test]
fn a_person_left_waiting_beyond_the_threshold_is_counted_once() {
    let mut pacer = pacer(Config::default());
    pacer.handle(0.0, &Event::AgentAvailable(1));
    pacer.handle(0.0, &Event::Dialed(1, Segment::default()));
    pacer.handle(9.0, &Event::Answered(1, AnsweredBy::Human));
    pacer.handle(11.0, &Event::Tick);
    assert_eq!((pacer.state().answered, pacer.state().late), (1.0, 0.0));
    pacer.handle(11.5, &Event::Tick);
    pacer.handle(12.0, &Event::Abandoned(1));
    pacer.handle(12.0, &Event::Abandoned(1));
    pacer.handle(12.0, &Event::Ended(1, LineEnd::Completed));
    pacer.handle(12.0, &Event::Ended(1, LineEnd::Completed));
    assert_eq!((pacer.state().answered, pacer.state().late), (1.0, 1.0));
}

#[test]
fn the_threshold_runs_from_the_end_of_the_greeting() {
    for (greeting_s, late) in [(0.0, 1.0), (2.5, 0.0)] {
        let mut pacer = pacer(Config {
            greeting_s,
            ..Config::default()
        });
        pacer.handle(0.0, &Event::Dialed(1, Segment::default()));
        pacer.handle(9.0, &Event::Answered(1, AnsweredBy::Unknown));
        pacer.handle(12.0, &Event::Answered(1, AnsweredBy::Human));
        pacer.handle(12.5, &Event::Connected(1, 4));
        assert!(
            (pacer.state().late - late).abs() < 1e-9,
            "greeting of {greeting_s} s"
        );
    }
}

#[test]
fn mistaken_machines_count_as_abandoned_people() {
    let mut pacer = pacer(Config {
        amd_false_positive: 0.5,
        ..Config::default()
    });
    pacer.handle(0.0, &Event::Dialed(1, Segment::default()));
    pacer.handle(9.0, &Event::Answered(1, AnsweredBy::Machine));
    assert_eq!((pacer.state().answered, pacer.state().late), (0.5, 0.5));
}

#[test]
fn people_leave_the_count_with_the_window() {
    let mut pacer = pacer(Config {
        window_s: 3_600.0,
        ..Config::default()
    });
    pacer.handle(0.0, &Event::Dialed(1, Segment::default()));
    pacer.handle(9.0, &Event::Answered(1, AnsweredBy::Human));
    pacer.handle(12.0, &Event::Tick);
    assert_eq!((pacer.state().answered, pacer.state().late), (1.0, 1.0));
    pacer.handle(3_700.0, &Event::Tick);
    assert_eq!((pacer.state().answered, pacer.state().late), (0.0, 0.0));
}

#[test]
fn the_same_events_give_the_same_actions() {
    let run = || Shift::new(10, 0.25).run(Config::default(), 3, 1.0);
    assert_eq!(run(), run());
}

#[test]
fn a_shift_is_busier_than_one_to_one_and_within_the_limit() {
    for seed in 1..=2 {
        let paced = Shift::new(12, 0.25).run(Config::default(), seed, 2.0);
        // One line per idle agent keeps them 65 % busy on this list.
        assert!(paced.occupancy > 0.78, "seed {seed}: {paced:?}");
        assert!(paced.late_share() <= 0.03, "seed {seed}: {paced:?}");
    }
}

#[test]
fn small_groups_stay_within_the_limit() {
    for agents in 1..=3 {
        let paced = Shift::new(agents, 0.25).run(Config::default(), 5, 4.0);
        assert!(paced.late_share() <= 0.03, "{agents} agents: {paced:?}");
        assert!(paced.occupancy > 0.58, "{agents} agents: {paced:?}");
    }
}

#[test]
fn a_tripled_answer_rate_does_not_break_the_limit() {
    let shift = Shift {
        step: Some((3_600.0, 0.35)),
        ..Shift::new(12, 0.12)
    };
    let paced = shift.run(Config::default(), 2, 2.0);
    assert!(paced.late_share() <= 0.03, "{paced:?}");
    assert!(paced.occupancy > 0.75, "{paced:?}");
}

#[test]
fn a_boost_below_one_spends_less_and_one_above_never_breaks_the_limit() {
    let with = |boost| {
        let config = Config {
            boost,
            ..Config::default()
        };
        Shift::new(12, 0.25).run(config, 4, 2.0)
    };
    let (calm, hurried) = (with(0.3), with(5.0));
    assert!(calm.late_share() < hurried.late_share());
    assert!(hurried.late_share() <= 0.03);
}

#[test]
fn lines_stay_below_the_most_allowed_at_once_and_per_second() {
    let config = Config {
        max_lines: 14,
        max_cps: 2.0,
        ..Config::default()
    };
    let paced = Shift::new(12, 0.12).run(config, 6, 1.0);
    assert!(paced.most_lines <= 14, "{paced:?}");
    assert!(paced.most_in_a_second <= 4, "{paced:?}");
    assert!(paced.people > 50, "{paced:?}");
}

#[test]
fn no_line_is_given_up_before_it_has_rung_the_least_time() {
    let paced = Shift::new(12, 0.25).run(Config::default(), 8, 1.0);
    assert!(paced.given_up > 10, "{paced:?}");
    assert!(paced.shortest_given_up >= 15.0, "{paced:?}");
    let silent = Shift {
        tells_ringing: false,
        ..Shift::new(12, 0.25)
    };
    let paced = silent.run(Config::default(), 8, 1.0);
    assert!(paced.given_up > 10, "{paced:?}");
    assert!(paced.shortest_given_up >= 15.0, "{paced:?}");
}

fn event() -> impl Strategy<Value = Told> {
    let line = 0..12_u64;
    let agent = 0..4_u32;
    let number = prop_oneof![
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-1.0),
        Just(0.0),
        0.0..1e9
    ];
    let by = prop_oneof![
        Just(AnsweredBy::Human),
        Just(AnsweredBy::Machine),
        Just(AnsweredBy::Unknown)
    ];
    let end = prop_oneof![
        Just(LineEnd::Completed),
        Just(LineEnd::NoAnswer),
        Just(LineEnd::Busy),
        Just(LineEnd::Failed),
        Just(LineEnd::Cancelled)
    ];
    prop_oneof![
        (number, 0..40_u32).prop_map(|(x, max_lines)| {
            Event::Config(Config {
                abandon_limit: x,
                window_s: x,
                threshold_s: x,
                ring_timeout_s: x,
                max_cps: x,
                boost: x,
                amd_false_positive: x,
                max_lines,
                ..Config::default()
            })
        }),
        agent.clone().prop_map(Event::AgentAvailable),
        agent.clone().prop_map(Event::AgentBusy),
        agent.clone().prop_map(Event::AgentWrap),
        agent.clone().prop_map(Event::AgentGone),
        (line.clone(), 0..3_u32).prop_map(|(l, s)| Event::Dialed(l, Segment(s))),
        line.clone().prop_map(Event::Ringing),
        (line.clone(), by).prop_map(|(l, by)| Event::Answered(l, by)),
        (line.clone(), agent).prop_map(|(l, a)| Event::Connected(l, a)),
        line.clone().prop_map(Event::Abandoned),
        (line, end).prop_map(|(l, end)| Event::Ended(l, end)),
        any::<u32>().prop_map(Event::NotDialed),
        Just(Event::Tick),
    ]
}

fn pause() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => 0.0..20.0,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-5.0),
        1 => Just(1e12),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contradictory_events_never_panic_and_never_corrupt(
        events in proptest::collection::vec((pause(), event()), 1..150)
    ) {
        let mut pacer = pacer(Config::default());
        let mut now = 0.0;
        for (pause, event) in events {
            let at = now + pause;
            if at.is_finite() {
                now = f64::max(now, at);
            }
            pacer.handle(at, &event);
            let state = pacer.state();
            for asked in actions(&mut pacer) {
                if let Action::Dial(lines) = asked {
                    prop_assert!(lines <= 10_000);
                }
            }
            prop_assert!(state.idle <= state.agents && state.agents <= 4);
            prop_assert!(state.answered >= 0.0 && state.late >= 0.0);
            for share in [state.answer_rate, state.risk, state.chance, state.metric_upper, state.compliant] {
                prop_assert!((0.0..=1.0).contains(&share), "{state:?}");
            }
            prop_assert!(state.handle_time_s.is_finite());
        }
    }
}
