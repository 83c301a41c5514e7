//! Simulated shifts.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::BufReader;

use strowger_core::pacing::{Action, Config, Event};
use strowger_sim::shift::{
    NAMES, Outcome, Policy, Recorder, Routing, Scenario, Session, Summary, observe, policies, run,
    run_one, run_seeds,
};

fn one(scenario: &Scenario, policy: &str, seed: u64) -> Outcome {
    run_one(scenario, policy, &Config::default(), seed).unwrap()
}

fn mean(scenario: &str, policy: &str) -> Summary {
    let scenario = Scenario::named(scenario).unwrap();
    let outcomes = run_seeds(&scenario, policy, &Config::default(), 2).unwrap();
    Summary::of(&scenario.name, policy, &outcomes)
}

#[track_caller]
fn near(what: &str, value: f64, expected: f64, by: f64) {
    assert!(
        (value - expected).abs() <= by,
        "{what}: {value} is not within {by} of {expected}"
    );
}

#[test]
fn the_same_seed_gives_the_same_shift_and_another_seed_another() {
    let mut scenario = Scenario::named("B").unwrap();
    scenario.hours = 1.0;
    for (policy, _) in policies::NAMES {
        assert_eq!(
            one(&scenario, policy, 7),
            one(&scenario, policy, 7),
            "{policy}"
        );
    }
    let policy = "vicidial-hard";
    assert_ne!(
        one(&scenario, policy, 7).series,
        one(&scenario, policy, 8).series
    );
}

#[test]
fn seeds_on_several_threads_are_the_seeds_one_by_one() {
    let mut scenario = Scenario::named("B").unwrap();
    scenario.hours = 1.0;
    let config = Config::default();
    let together = run_seeds(&scenario, "wombat:3", &config, 5).unwrap();
    let alone: Vec<_> = (1..=5)
        .map(|seed| one(&scenario, "wombat:3", seed))
        .collect();
    assert_eq!(together, alone);
}

/// Asks for lines and gives lines up as it likes, and keeps the books.
#[derive(Default)]
struct Books {
    now: f64,
    ringing: std::collections::BTreeMap<u64, f64>,
    there: std::collections::BTreeSet<u64>,
    free: std::collections::BTreeSet<u32>,
    dialed: u64,
    ended: u64,
    next: f64,
}

impl Policy for Books {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        assert!(now >= self.now, "time goes on");
        self.now = now;
        match event {
            Event::Dialed(line, _) => {
                self.dialed += 1;
                assert!(self.there.insert(*line), "line {line} was dialed once");
                self.ringing.insert(*line, now);
            }
            Event::Answered(line, _) => {
                assert!(self.there.contains(line));
                self.ringing.remove(line);
            }
            Event::Connected(line, agent) => {
                assert!(self.there.contains(line));
                assert!(self.free.remove(agent), "agent {agent} was free");
            }
            Event::Ended(line, _) => {
                self.ended += 1;
                assert!(self.there.remove(line), "line {line} ended once");
                self.ringing.remove(line);
            }
            Event::AgentAvailable(agent) => {
                self.free.insert(*agent);
            }
            Event::AgentBusy(agent) | Event::AgentWrap(agent) | Event::AgentGone(agent) => {
                self.free.remove(agent);
            }
            _ => {}
        }
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        if self.now < self.next {
            return None;
        }
        let overdue =
            (self.ringing.iter()).find(|(line, at)| **line % 3 == 0 && self.now > **at + 17.0);
        if let Some(line) = overdue.map(|(line, _)| *line) {
            self.ringing.remove(&line);
            return Some(Action::Cancel(line));
        }
        self.next = self.now + 3.0;
        Some(Action::Dial(7))
    }

    fn poll_timeout(&self) -> Option<f64> {
        Some(self.next)
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(2.0)
    }
}

#[test]
fn every_line_ends_once_in_every_scenario_whatever_is_given_up() {
    for name in NAMES {
        let mut scenario = Scenario::named(name).unwrap();
        (scenario.hours, scenario.second) = (2.6, None);
        let mut books = Books::default();
        let outcome = run(&scenario, &mut books, 3);
        assert_eq!(outcome.dialed, books.dialed, "{name}");
        assert_eq!(outcome.ended, books.ended, "{name}");
        assert_eq!(outcome.dialed, outcome.ended + outcome.open, "{name}");
        assert_eq!(outcome.open, books.there.len() as u64, "{name}");
        assert!(outcome.counts.cancelled > 0, "{name}");
        assert_eq!(outcome.counts.cancelled_early, 0, "{name}");
        let people = outcome.counts.connected + outcome.counts.abandoned;
        assert_eq!(outcome.counts.humans, people, "{name}");
        assert!(outcome.counts.late2 >= outcome.counts.abandoned, "{name}");
        assert!(outcome.busy_s <= outcome.staffed_s, "{name}");
    }
}

#[test]
fn progressive_dialing_abandons_nobody() {
    for name in ["B", "E", "H", "outage", "lunch"] {
        let summary = mean(name, "progressive");
        assert!(summary.late2_max == 0.0, "{name}: {summary:?}");
    }
}

#[test]
fn baselines_of_other_dialers_are_where_the_reference_model_has_them() {
    // Occupancy and abandonment in percent, as the reference simulator of these policies
    // has them.
    for (scenario, policy, occupancy, abandoned) in [
        ("A", "progressive", 64.7, 0.0),
        ("A", "wombat:3", 85.3, 0.3),
        ("A", "vicidial-ratio:1.5", 89.2, 6.9),
        ("A", "vicidial-hard", 65.5, 2.9),
        ("A", "vicidial-hard-available", 84.8, 0.26),
        ("B", "vicidial-ratio:1.5", 85.8, 18.0),
        ("D", "progressive", 45.4, 0.0),
        ("D", "vicidial-hard-available", 70.6, 0.0),
        ("E", "gnudialer:2", 88.6, 0.7),
        ("H", "progressive", 60.0, 0.0),
        ("H", "vicidial-ratio-available:3", 81.0, 1.4),
    ] {
        let summary = mean(scenario, policy);
        near(
            &format!("occupancy of {policy} in {scenario}"),
            summary.occupancy,
            occupancy,
            1.5,
        );
        near(
            &format!("abandoned by {policy} in {scenario}"),
            summary.abandoned,
            abandoned,
            1.5,
        );
    }
}

#[test]
fn the_answer_rate_of_a_step_takes_hold_when_it_says() {
    let outcome = one(&Scenario::named("H").unwrap(), "progressive", 1);
    let share = |bins: &[strowger_sim::shift::Bin]| bins.iter().map(|bin| bin.humans).sum::<u32>();
    let (before, after) = outcome.series.split_at(48);
    assert!(
        share(after) > share(before) * 14 / 10,
        "{} then {}",
        share(before),
        share(after)
    );
}

#[test]
fn no_agent_is_logged_in_when_the_schedule_says_so() {
    let scenario = Scenario::from_json(
        r#"{ "name": "gap", "hours": 3, "agents": 10, "campaign": { "human": 0.25 },
             "schedule": [{ "at_s": 3600, "agents": 0 }, { "at_s": 7200, "agents": 5 }] }"#,
    )
    .unwrap();
    let outcome = one(&scenario, "progressive", 1);
    // Conversations that were going on are finished; then there is nobody.
    let staffed: Vec<f64> = outcome.series.iter().map(|bin| bin.staffed_s).collect();
    near("first hour", staffed[..12].iter().sum(), 36_000.0, 1.0);
    assert!(staffed[12..24].iter().sum::<f64>() < 2_500.0, "{staffed:?}");
    near("third hour", staffed[24..].iter().sum(), 18_000.0, 1.0);
}

#[test]
fn an_exhausted_list_ends_the_dialing() {
    let mut scenario = Scenario::named("B").unwrap();
    scenario.hours = 1.0;
    scenario.campaign.list = Some(300);
    for (policy, _) in policies::NAMES {
        let outcome = one(&scenario, policy, 1);
        assert_eq!((outcome.dialed, outcome.open), (300, 0), "{policy}");
    }
}

#[test]
fn nobody_answers_while_the_carrier_is_away() {
    let outcome = one(&Scenario::named("outage").unwrap(), "progressive", 1);
    // The second outage is from 5 h 30 to 5 h 45.
    assert_eq!(outcome.series[67].humans, 0);
    assert!(outcome.series[70].humans > 0);
}

#[test]
fn campaigns_share_agents_as_their_shares_say() {
    let scenario = Scenario::named("shared").unwrap();
    let outcome = one(&scenario, "progressive", 1);
    // Two thirds of the agents where 25 % answer, one third where 12 % do.
    near(
        "occupancy",
        outcome.occupancy(),
        64.7 * 2.0 / 3.0 + 45.4 / 3.0,
        2.0,
    );
}

#[test]
fn callers_reach_the_same_agents() {
    let scenario = Scenario::named("blended").unwrap();
    let with = one(&scenario, "progressive", 1);
    let without = one(&Scenario::named("A").unwrap(), "progressive", 1);
    assert!(with.counts.callers_served > 1500, "{:?}", with.counts);
    assert!(with.callers_wait_s < 20.0, "{}", with.callers_wait_s);
    assert!(with.counts.connected < without.counts.connected);
    assert!(with.occupancy() > without.occupancy());
}

#[test]
fn errors_of_a_scenario_name_the_field() {
    for (text, field) in [
        (
            r#"{ "name": "x", "agents": "ten", "campaign": { "human": 0.2 } }"#,
            "field agents",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "humam": 0.2 } }"#,
            "humam",
        ),
        (r#"{ "name": "x", "agents": 10, "campaign": {} }"#, "human"),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 1.2 } }"#,
            "campaign.human",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2, "talk": { "mean": -1, "cv": 1 } } }"#,
            "campaign.talk.mean",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2, "talk": 3 } }"#,
            "campaign.talk",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2, "ring": { "mean": 40, "sd": 1 } } }"#,
            "campaign.ring.mean",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2 }, "schedule": [{ "at_s": 1, "agents": -1 }] }"#,
            "schedule[0].agents",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2 }, "outages": [{ "from_s": 9, "to_s": 3 }] }"#,
            "outages[0].to_s",
        ),
        (
            r#"{ "name": "x", "agents": 10, "campaign": { "human": 0.2 }, "second": { "human": 2 } }"#,
            "second.human",
        ),
        (
            r#"{ "name": "x", "agents": 0, "campaign": { "human": 0.2 } }"#,
            "field agents",
        ),
        (
            r#"{ "name": "x", "hours": 0.1, "agents": 3, "campaign": { "human": 0.2 } }"#,
            "warm_up_s",
        ),
    ] {
        let error = Scenario::from_json(text).unwrap_err().to_string();
        assert!(error.contains(field), "{error} does not name {field}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_those_that_there_are() {
    let error = Scenario::named("Z").unwrap_err().to_string();
    assert!(
        error.contains("\"Z\"") && error.contains("blended"),
        "{error}"
    );
    for name in ["magic", "power:0", "power:x", "progressive:2"] {
        let error = run_one(&Scenario::named("A").unwrap(), name, &Config::default(), 1)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(name) && error.contains("vicidial-hard"),
            "{error}"
        );
    }
}

#[test]
fn a_scenario_survives_being_written_and_read() {
    for name in NAMES {
        let scenario = Scenario::named(name).unwrap();
        let text = serde_json::to_string(&scenario).unwrap();
        assert_eq!(Scenario::from_json(&text).unwrap(), scenario, "{name}");
    }
}

fn recording(scenario: &Scenario, policy: &str, seed: u64) -> (Outcome, Vec<u8>) {
    let config = Config::default();
    let mut bytes = Vec::new();
    let policy = policies::named(policy, &config, seed).unwrap();
    let mut recorder = Recorder::new(policy, &config, &mut bytes);
    let outcome = run(scenario, &mut recorder, seed);
    recorder.finish().unwrap();
    (outcome, bytes)
}

#[test]
fn a_recorded_day_has_the_figures_of_the_day() {
    let scenario = Scenario::named("A").unwrap();
    let (day, bytes) = recording(&scenario, "vicidial-ratio:1.5", 5);
    let observed = observe(BufReader::new(bytes.as_slice())).unwrap();
    assert_eq!(observed.unread, None);
    near(
        "occupancy",
        observed.outcome.occupancy(),
        day.occupancy(),
        0.05,
    );
    near("late", observed.outcome.late2(), day.late2(), 0.05);
    near(
        "abandoned",
        observed.outcome.abandoned(),
        day.abandoned(),
        0.05,
    );
    near(
        "worst hour",
        observed.outcome.worst_hour,
        day.worst_hour,
        0.05,
    );
    assert_eq!(observed.outcome.counts.dials, day.counts.dials);
}

#[test]
fn a_recorded_day_is_learned_well_enough_to_tell_how_another_policy_had_done() {
    let (_, bytes) = recording(&Scenario::named("H").unwrap(), "vicidial-hard-available", 5);
    let observed = observe(BufReader::new(bytes.as_slice())).unwrap();
    let config = Config::default();
    assert!(
        observed
            .scenario
            .drop_after_s
            .is_some_and(|after| (1.9..2.3).contains(&after))
    );
    for policy in ["progressive", "wombat:3", "vicidial-hard-available"] {
        let learned = run_seeds(&observed.scenario, policy, &config, 2).unwrap();
        let learned = Summary::of("shadow", policy, &learned);
        let truth = mean("H", policy);
        near(
            &format!("occupancy of {policy}"),
            learned.occupancy,
            truth.occupancy,
            2.0,
        );
        near(
            &format!("abandoned by {policy}"),
            learned.abandoned,
            truth.abandoned,
            1.0,
        );
    }
}

#[test]
fn lines_that_were_given_up_do_not_change_what_is_learned_of_the_answers() {
    let mut scenario = Scenario::named("A").unwrap();
    scenario.hours = 4.0;
    let mut bytes = Vec::new();
    let mut recorder = Recorder::new(Books::default(), &Config::default(), &mut bytes);
    run(&scenario, &mut recorder, 2);
    recorder.finish().unwrap();
    let learned = observe(BufReader::new(bytes.as_slice())).unwrap().scenario;
    near("human", learned.campaign.human, 0.25, 0.02);
    near("machine", learned.campaign.machine, 0.35, 0.03);
}

#[test]
fn a_day_with_nothing_in_it_is_refused_in_words() {
    for text in [
        "",
        "{}\nnot json\n",
        "{\"t\":1,\"ev\":\"tick\"}\n{\"t\":9000,\"ev\":\"tick\"}\n",
    ] {
        let error = observe(BufReader::new(text.as_bytes()))
            .unwrap_err()
            .to_string();
        assert!(error.contains("ten minutes"), "{error}");
    }
}

/// An outside program: knows the pacer only by lines of JSON.
struct Outside {
    session: Session,
    actions: std::collections::VecDeque<Action<u64>>,
    wake: Option<f64>,
}

impl Policy for Outside {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        let line = strowger_sim::shift::wire::write(now, event);
        let reply = serde_json::to_value(self.session.line(&line)).unwrap();
        assert_eq!(reply.get("error"), None, "{line}");
        assert_eq!(reply.get("note"), None, "{line}");
        let dial = u32::try_from(reply["dial"].as_u64().unwrap()).unwrap();
        if dial > 0 {
            self.actions.push_back(Action::Dial(dial));
        }
        for line in reply["cancel"].as_array().unwrap() {
            self.actions
                .push_back(Action::Cancel(line.as_u64().unwrap()));
        }
        self.wake = reply["wake"].as_f64();
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<f64> {
        self.wake
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(2.0)
    }
}

#[test]
fn a_loop_outside_has_the_same_day_as_one_inside() {
    for (name, seed) in [("B", 1), ("lunch", 2)] {
        let mut scenario = Scenario::named(name).unwrap();
        (scenario.hours, scenario.agents) = (0.6, 8);
        let mut outside = Outside {
            session: Session::new(seed),
            actions: std::collections::VecDeque::new(),
            wake: None,
        };
        let outcome = run(&scenario, &mut outside, seed);
        let inside = one(&scenario, "strowger", seed);
        assert_eq!(outcome, inside, "{name}, seed {seed}");
        assert!(outcome.dialed > 100, "{name}: {}", outcome.dialed);
    }
}

#[test]
fn a_chart_names_its_axes_its_limit_and_its_curves() {
    let mut scenario = Scenario::named("B").unwrap();
    scenario.hours = 2.0;
    let runs = [
        one(&scenario, "progressive", 1),
        one(&scenario, "wombat:3", 1),
    ];
    let courses = [("progressive", &runs[..1]), ("a<b & c", &runs[1..])].map(|(name, outcomes)| {
        strowger_sim::shift::Course {
            name: name.to_owned(),
            outcomes,
        }
    });
    let svg = strowger_sim::shift::chart("Two hours", &courses, 3.0);
    for words in [
        "Two hours",
        "Occupancy, %",
        "Not connected in 2 s, %",
        "hours since the start",
        "limit 3 %",
        "progressive",
        "a&lt;b &amp; c",
        "prefers-color-scheme:dark",
    ] {
        assert!(svg.contains(words), "{words} in {svg}");
    }
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.matches("<polyline").count() >= 4);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}
