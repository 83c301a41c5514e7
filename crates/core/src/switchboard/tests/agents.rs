//! Agents: their legs, and what they wish to be.

use std::collections::BTreeSet;

use super::harness::*;
use crate::{
    agent::{AgentState, LEG_LOST, LegMode, Login, NO_ANSWER},
    record::Write,
    switchboard::{Command, Refused},
    telephony::{ChannelId, ConnectOutcome, Event, OriginateFailure},
};

fn lunch() -> AgentState {
    AgentState::Paused("lunch".to_owned())
}

fn pause(lab: &mut Lab, agent: &str) {
    lab.command(Command::Pause {
        agent: user(agent),
        reason: "lunch".to_owned(),
    });
}

#[test]
fn a_leg_lost_by_an_available_agent_is_dialed_again() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    lab.pass(10_000);
    let leg = lab.legs()[0].clone();
    lab.hangs_up(&leg, 16);
    assert_eq!(lab.state("zoe"), AgentState::Paused(LEG_LOST.to_owned()));
    lab.pass(1_000);
    assert_eq!(lab.legs().len(), 2);
    lab.answer_leg();
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_leg_lost_during_a_call_is_dialed_again_and_the_agent_goes_on() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.talks(attempt);
    lab.pass(10_000);
    let leg = lab.legs()[0].clone();
    lab.hangs_up(&leg, 16);
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    lab.pass(1_000);
    lab.answer_leg();
    lab.pass(10_000);
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_leg_that_takes_no_bridge_is_replaced() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    lab.pass(10_000);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    lab.connect_ended(session, ConnectOutcome::Failed);
    assert_eq!(lab.hung_up(&lab.legs()[0].clone()), 1);
    assert_eq!(lab.state("zoe"), AgentState::Paused(LEG_LOST.to_owned()));
    lab.pass(1_000);
    lab.answer_leg();
    // The customer has waited for one second, and is offered again.
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
}

#[test]
fn a_station_that_never_answers_is_given_up_until_the_agent_says_ready() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    lab.command(Command::Ready(user("zoe")));
    for _ in 0..5 {
        let leg = lab.legs().pop().unwrap();
        lab.event(Event::OriginateEnded {
            channel: leg.clone(),
            reason: 5,
        });
        lab.hangs_up(&leg, 17);
        lab.pass(30_000);
    }
    assert_eq!(lab.state("zoe"), AgentState::Paused(NO_ANSWER.to_owned()));
    lab.pass(3_600_000);
    assert_eq!(lab.legs().len(), 5, "nobody is there");
    lab.command(Command::Ready(user("zoe")));
    assert_eq!(lab.legs().len(), 6);
    lab.answer_leg();
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_station_that_answers_and_drops_at_once_is_given_up_as_well() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    lab.command(Command::Ready(user("zoe")));
    let mut waits = Vec::new();
    for legs in 1..=5 {
        assert_eq!(lab.legs().len(), legs);
        let leg = lab.answer_leg();
        lab.pass(9_999);
        lab.hangs_up(&leg, 16);
        let lost = lab.now;
        while lab.legs().len() == legs && crate::time::millis_between(lost, lab.now) < 60_000 {
            lab.pass(1_000);
        }
        waits.push(crate::time::millis_between(lost, lab.now) / 1_000);
    }
    assert_eq!(waits, [2, 4, 8, 16, 60]);
    assert_eq!(lab.state("zoe"), AgentState::Paused(NO_ANSWER.to_owned()));
    lab.pass(3_600_000);
    assert_eq!(lab.legs().len(), 5, "a voicemail is there");
}

#[test]
fn a_leg_that_lasted_makes_up_for_those_that_did_not() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    for _ in 0..20 {
        let leg = lab.legs().pop().unwrap();
        lab.hangs_up(&leg, 16);
        lab.pass(2_000);
        let leg = lab.answer_leg();
        lab.pass(10_000);
        lab.hangs_up(&leg, 16);
        lab.pass(1_000);
        lab.answer_leg();
    }
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn ready_while_wrapping_up_brings_a_given_up_leg_back() {
    let settings = crate::campaign::CampaignSettings {
        wrap_up_s: 120,
        ..settings(CAMPAIGN)
    };
    let mut lab = Lab::dialing(settings, 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    let leg = lab.legs()[0].clone();
    lab.hangs_up(&leg, 16);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    for _ in 0..5 {
        lab.pass(20_000);
        let channel = lab.legs().pop().unwrap();
        lab.event(Event::OriginateEnded { channel, reason: 3 });
    }
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    lab.command(Command::Ready(user("zoe")));
    lab.answer_leg();
    lab.pass(120_000);
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_leg_that_says_nothing_is_given_up_and_dialed_again() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    lab.command(Command::Ready(user("zoe")));
    lab.pass(45_000);
    assert_eq!(lab.legs().len(), 2);
    assert_eq!(lab.hung_up(&lab.legs()[0].clone()), 1);
    // The first is answered after all.
    let late = lab.legs()[0].clone();
    lab.event(Event::Answered {
        channel: late.clone(),
    });
    assert_eq!(lab.hung_up(&late), 2);
    lab.answer_leg();
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_leg_that_is_on_its_way_survives_a_snapshot() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    lab.snapshot(&[]);
    lab.pass(4_000);
    lab.answer_leg();
    assert_eq!(lab.legs().len(), 1, "the station rings once");
    let leg = lab.legs()[0].clone();
    lab.pass(10_000);
    lab.snapshot(&[live(&leg, true, None)]);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(
        lab.legs().len(),
        2,
        "a leg that was there and vanished is dialed again"
    );
}

#[test]
fn a_leg_that_may_not_have_left_is_dialed_again() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    let channel = lab.legs()[0].clone();
    lab.event(Event::OriginateFailed {
        channel,
        failure: OriginateFailure::Unknown,
    });
    lab.pass(2_000);
    assert_eq!(lab.legs().len(), 2);
}

#[test]
fn the_timers_of_a_session_end_with_it() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    lab.pass(20_000);
    lab.command(Command::LogOut(user("zoe")));
    lab.command(Command::LogIn(login("zoe", 8, LegMode::NailedUp)));
    lab.pass(25_000);
    assert_eq!(
        lab.legs().len(),
        2,
        "the second session's leg has its full time to ring"
    );
    lab.answer_leg();
}

#[test]
fn a_pause_asked_for_during_a_call_takes_effect_after_the_wrap_up() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 2);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    pause(&mut lab, "zoe");
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    lab.command(Command::EndWrapUp(user("zoe")));
    assert_eq!(lab.state("zoe"), lunch());
    assert_eq!(lab.dialed().len(), 1);
}

#[test]
fn a_log_out_asked_for_during_a_call_takes_effect_after_it() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 2);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(Command::LogOut(user("zoe")));
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::Offline);
    assert!(
        lab.writes()
            .any(|w| matches!(w, Write::SessionClosed { .. }))
    );
    assert_eq!(lab.hung_up(&lab.legs()[0].clone()), 1);
}

#[test]
fn a_lost_station_does_not_make_an_agent_forget_that_they_wanted_to_log_out() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(Command::LogOut(user("zoe")));
    for _ in 0..7 {
        let leg = lab.legs().pop().unwrap();
        lab.hangs_up(&leg, 16);
        lab.pass(20_000);
    }
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::Offline);
}

#[test]
fn a_reconnected_station_shows_the_pause_of_the_agent_again() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    lab.pass(10_000);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    pause(&mut lab, "zoe");
    lab.connect_ended(session, ConnectOutcome::Failed);
    assert_eq!(lab.state("zoe"), AgentState::Paused(LEG_LOST.to_owned()));
    lab.pass(1_000);
    lab.answer_leg();
    assert_eq!(lab.state("zoe"), lunch());
}

#[test]
fn a_station_belongs_to_one_agent() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    let mut second = login("adam", 8, LegMode::NailedUp);
    second.station = "PJSIP/zoe".to_owned();
    let refused = lab.board.command(lab.now, Command::LogIn(second));
    assert!(matches!(refused, Err(Refused::StationInUse { by, .. }) if by == user("zoe")));
    let again = lab
        .board
        .command(lab.now, Command::LogIn(login("zoe", 9, LegMode::NailedUp)));
    assert!(matches!(again, Err(Refused::AlreadyLoggedIn { .. })));
}

#[test]
fn time_spent_busy_and_waiting_outlives_the_session() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.pass(3_000);
    lab.talks(attempt);
    lab.pass(5_000);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.command(Command::LogOut(user("zoe")));
    let stats = lab.board.stats(lab.now);
    assert_eq!(
        (stats.waiting_ms, stats.busy_ms, stats.agents),
        (3_000, 5_000, 0)
    );
}

#[test]
fn an_agent_who_is_assigned_while_logged_in_gets_the_campaigns_calls() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 3);
    let session = lab.unique();
    lab.log_in_as(Login {
        campaigns: BTreeSet::new(),
        ..login("zoe", session, LegMode::NailedUp)
    });
    assert_eq!(lab.dialed().len(), 0);
    let assign = |agents: &[&str]| Command::AssignAgents {
        campaign: campaign_id(CAMPAIGN),
        agents: agents.iter().map(|name| user(name)).collect(),
    };
    lab.command(assign(&["zoe"]));
    assert_eq!(lab.dialed().len(), 1);
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(assign(&[]));
    assert_eq!(lab.state("zoe"), AgentState::OnCall, "the call was cut");
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.pass(60_000);
    assert_eq!(lab.dialed().len(), 1, "it dials for an agent who left");
}
