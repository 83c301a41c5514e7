//! What becomes of the people on a list.

use std::{collections::BTreeMap, time::Duration};

use strowger_core::{
    agent::{AgentState, LegMode, NO_ANSWER},
    switchboard::Command,
};
use strowger_sim::{Callee, Outcome};

use crate::harness::{Centre, Plan, number, until};

#[tokio::test]
async fn every_outcome_of_a_call_becomes_its_disposition() {
    let outcomes = [
        (Outcome::Human, "answered-human"),
        (Outcome::Machine, "answered-machine"),
        (Outcome::Busy, "busy"),
        (Outcome::NoAnswer, "no-answer"),
        (Outcome::Rejected, "rejected"),
        (Outcome::Unallocated, "invalid"),
        (Outcome::Congestion, "carrier-failure"),
    ];
    // Each of them twice.
    let places = || (0..14).zip(outcomes.iter().cycle());
    let centre = Centre::open(Plan {
        contacts: 14,
        callees: places()
            .map(|(place, (outcome, _))| (place, Callee::new(*outcome)))
            .collect(),
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let expected: BTreeMap<String, Vec<String>> = places()
        .map(|(place, (_, disposition))| (number(place), vec![(*disposition).to_owned()]))
        .collect();
    assert_eq!(centre.ground.dispositions().await, expected);
    centre.everybody_is_available().await;
    let stats = centre.ground.sim.stats().await;
    assert_eq!(
        (stats.conversations, stats.abandoned, stats.unserved),
        (2, 0, 0)
    );
    centre.close().await;
}

#[tokio::test]
async fn a_number_that_is_busy_is_dialed_again_until_its_rule_is_used_up() {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 1,
        campaign: r#"mode = 'progressive', retry_rules = '{"busy": {"delay_s": 0, "max_attempts": 3}}'"#,
        callees: vec![(0, Callee::new(Outcome::Busy))],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.finished().await;
    centre.ground.ended(3).await;
    let busy = vec!["busy".to_owned(); 3];
    assert_eq!(
        centre.ground.dispositions().await,
        BTreeMap::from([(number(0), busy)])
    );
    assert_eq!(
        centre.ground.sim.stats().await.duplicates(),
        Vec::<&str>::new()
    );
    centre.close().await;
}

#[tokio::test]
async fn a_station_that_nobody_answers_costs_its_agent_the_turn_and_not_the_customer() {
    let patient = Callee::new(Outcome::Human).patience(Duration::from_mins(5));
    let centre = Centre::open(Plan {
        agents: 2,
        contacts: 1,
        leg_mode: LegMode::RingPerCall,
        callees: vec![(0, patient)],
        stations: vec![("1001", Callee::new(Outcome::NoAnswer))],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    let [first, second] = &*centre.ground.planted.agents else {
        panic!("two agents")
    };
    centre
        .seen("the first agent's station rings", |now| {
            now.agents
                .iter()
                .any(|agent| agent.id == first.id && agent.state == AgentState::Ringing)
        })
        .await;
    centre.comes_out_right().await;
    assert_eq!(
        centre.ground.dispositions().await[&number(0)],
        ["answered-human"]
    );
    let talked: String = sqlx::query_scalar("SELECT agent_id FROM call_records")
        .fetch_one(centre.ground.store.pool())
        .await
        .unwrap();
    assert_eq!(talked, second.id.as_str());
    let state = |id: &strowger_core::ids::UserId| {
        let now = centre.daemon.hub.snapshot();
        let agent = now.agents.into_iter().find(|agent| agent.id == *id);
        agent.unwrap().state
    };
    assert_eq!(state(&first.id), AgentState::Paused(NO_ANSWER.to_owned()));
    assert_eq!(state(&second.id), AgentState::Available);
    centre
        .daemon
        .exchange
        .send(Command::Ready(first.id.clone()))
        .await
        .unwrap();
    centre.everybody_is_available().await;
    centre.close().await;
}

#[tokio::test]
async fn a_person_for_whom_there_is_no_agent_hears_the_safe_harbour_and_is_counted() {
    // Both answer at the same moment, and there is one agent.
    let person = Callee::new(Outcome::Human).patience(Duration::from_mins(5));
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 2,
        campaign: "mode = 'power', ratio = 2, wrap_up_s = 0, abandon_after_ms = 300, retry_rules = '{}'",
        callees: vec![(0, person.clone()), (1, person)],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let mut outcomes: Vec<String> = centre
        .ground
        .dispositions()
        .await
        .into_values()
        .flatten()
        .collect();
    outcomes.sort();
    assert_eq!(outcomes, ["abandoned", "answered-human"]);
    let counters = centre.daemon.hub.snapshot().campaigns[0].counters;
    assert_eq!(
        (
            counters.attempts,
            counters.answered_human,
            counters.bridged,
            counters.abandoned
        ),
        (2, 2, 1, 1)
    );
    let stats = centre.ground.sim.stats().await;
    assert_eq!((stats.conversations, stats.abandoned), (1, 1));
    assert_eq!(stats.unserved, 0, "the daemon spoke to both");
    centre.close().await;
}

#[tokio::test]
async fn an_agent_who_logs_out_during_a_call_leaves_after_it() {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 1,
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    let talks = |now: &strowger_realtime::Snapshot| {
        now.agents
            .iter()
            .any(|agent| agent.state == AgentState::OnCall)
    };
    centre.seen("the agent talks", talks).await;
    let agent = centre.ground.planted.agents[0].id.clone();
    centre
        .daemon
        .exchange
        .send(Command::LogOut(agent))
        .await
        .unwrap();
    assert!(talks(&centre.daemon.hub.snapshot()));
    centre
        .seen("the agent is gone", |now| now.agents.is_empty())
        .await;
    assert!(!talks(&centre.daemon.hub.snapshot()));
    centre.ground.ended(1).await;
    assert_eq!(
        centre.ground.dispositions().await[&number(0)],
        ["answered-human"]
    );
    until("the leg is hung up", async || {
        (centre.ground.sim.stats().await.channels == 0).then_some(())
    })
    .await;
    centre.close().await;
}
