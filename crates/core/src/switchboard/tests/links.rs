//! Links that go away and come back, and what a snapshot corrects.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode},
    call::Phase,
    disposition::Disposition,
    ids::AttemptId,
    telephony::{ChannelId, Event, OriginateFailure},
};

fn one_line() -> (Lab, AttemptId) {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    (lab, attempt)
}

#[test]
fn nothing_is_dialed_while_the_link_is_down() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.link_down();
    lab.log_in("rob", LegMode::RingPerCall);
    lab.pass(60_000);
    assert!(lab.dialed().is_empty());
    lab.snapshot(&[]);
    assert_eq!(lab.dialed().len(), 1);
}

#[test]
fn a_call_that_vanished_while_the_link_was_down_is_closed() {
    let (mut lab, attempt) = one_line();
    lab.talks(attempt);
    lab.link_down();
    lab.pass(30_000);
    assert_eq!(
        lab.state("rob"),
        AgentState::OnCall,
        "conversations go on unseen"
    );
    lab.snapshot(&[]);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.state("rob"), AgentState::WrapUp);
    lab.nothing_is_left();
}

#[test]
fn a_ringing_line_that_vanished_is_unknown() {
    let (mut lab, attempt) = one_line();
    lab.rings(attempt);
    lab.link_down();
    lab.pass(10_000);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(lab.dispositions(), [Disposition::Unknown]);
    assert_eq!(lab.board.stats(lab.now).corrected, 1);
    lab.nothing_is_left();
}

#[test]
fn a_line_that_was_only_just_sent_survives_one_snapshot() {
    let (mut lab, attempt) = one_line();
    lab.snapshot(&[]);
    lab.snapshot(&[]);
    assert_eq!(
        lab.phase(attempt),
        Some(Phase::Dialing),
        "two in a row tell no more than one"
    );
    lab.pass(5_000);
    assert_eq!(lab.syncs(), 1);
    lab.snapshot(&[live(&ChannelId::for_attempt(attempt), false, None)]);
    lab.talks(attempt);
    assert_eq!(lab.state("rob"), AgentState::OnCall);
}

#[test]
fn a_line_of_unknown_fate_is_given_up_after_two_snapshots() {
    let (mut lab, attempt) = one_line();
    lab.event(Event::OriginateFailed {
        channel: ChannelId::for_attempt(attempt),
        failure: OriginateFailure::Unknown,
    });
    assert_eq!(lab.syncs(), 1);
    lab.snapshot(&[]);
    assert!(lab.ends().is_empty());
    lab.pass(5_000);
    assert_eq!(lab.syncs(), 2);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(lab.dispositions(), [Disposition::Unknown]);
    lab.nothing_is_left();
}

#[test]
fn a_line_of_unknown_fate_that_was_dialed_goes_on() {
    let (mut lab, attempt) = one_line();
    let channel = ChannelId::for_attempt(attempt);
    lab.event(Event::OriginateFailed {
        channel: channel.clone(),
        failure: OriginateFailure::Unknown,
    });
    lab.snapshot(&[live(&channel, false, None)]);
    lab.talks(attempt);
    lab.hangs_up(&channel, 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
}

#[test]
fn an_originate_that_was_refused_is_a_matter_of_configuration() {
    let (mut lab, attempt) = one_line();
    let failure = OriginateFailure::Refused("Extension does not exist.".to_owned());
    lab.event(Event::OriginateFailed {
        channel: ChannelId::for_attempt(attempt),
        failure,
    });
    lab.pass(1_000);
    assert_eq!(lab.dispositions(), [Disposition::ConfigurationFailure]);
}

#[test]
fn channels_with_our_ids_and_no_owner_are_hung_up() {
    let mut lab = Lab::new();
    let attempt = ChannelId::for_attempt(AttemptId(uuid::Uuid::from_u128(5)));
    let leg = ChannelId::for_leg(crate::ids::AgentSessionId(uuid::Uuid::from_u128(6)), 1);
    let other = ChannelId::from("1763630000.12");
    lab.snapshot(&[
        live(&attempt, true, None),
        live(&leg, true, None),
        live(&other, true, None),
    ]);
    assert_eq!(
        (
            lab.hung_up(&attempt),
            lab.hung_up(&leg),
            lab.hung_up(&other)
        ),
        (1, 1, 0)
    );
    assert_eq!(lab.board.stats(lab.now).orphans, 2);
}

#[test]
fn an_answer_that_nobody_told_of_is_found() {
    let (mut lab, attempt) = one_line();
    lab.rings(attempt);
    lab.link_down();
    lab.snapshot(&[live(&ChannelId::for_attempt(attempt), true, None)]);
    assert_eq!(lab.phase(attempt), Some(Phase::Answered));
}

#[test]
fn a_conversation_that_began_unseen_is_found() {
    let (mut lab, attempt) = one_line();
    lab.answers(attempt, None);
    lab.link_down();
    lab.pass(60_000);
    assert_eq!(
        lab.hung_up(&ChannelId::for_attempt(attempt)),
        0,
        "nobody can tell whether they talk"
    );
    lab.snapshot(&[live(&ChannelId::for_attempt(attempt), true, Some("b"))]);
    assert_eq!(lab.state("rob"), AgentState::OnCall);
}

#[test]
fn a_hang_up_that_was_lost_with_the_link_is_repeated() {
    let (mut lab, attempt) = one_line();
    lab.talks(attempt);
    lab.link_down();
    lab.command(crate::switchboard::Command::HangUp(attempt.into()));
    lab.pass(60_000);
    let channel = ChannelId::for_attempt(attempt);
    lab.snapshot(&[live(&channel, true, None)]);
    assert_eq!(lab.hung_up(&channel), 2);
    lab.hangs_up(&channel, 16);
    lab.nothing_is_left();
}

#[test]
fn many_overdue_calls_ask_for_one_snapshot() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 50);
    for agent in 0..50 {
        lab.log_in(&format!("agent{agent}"), LegMode::RingPerCall);
    }
    assert_eq!(lab.dialed().len(), 50);
    lab.pass(40_000);
    assert_eq!(lab.syncs(), 1);
}

#[test]
fn asterisk_restarts_and_the_campaign_goes_on() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 10);
    for agent in ["a", "b", "c"] {
        lab.nailed_up(agent);
    }
    let [talking, ringing, _dialing] = lab.dialed()[..] else {
        panic!()
    };
    lab.talks(talking);
    lab.rings(ringing);
    lab.pass(10_000);
    lab.link_down();
    lab.pass(20_000);
    lab.snapshot(&[]);
    lab.pass(6_000);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(
        lab.dispositions(),
        [
            Disposition::AnsweredHuman,
            Disposition::Unknown,
            Disposition::Unknown
        ]
    );
    let redialed: Vec<_> = lab.legs().split_off(3);
    assert!(redialed.len() >= 3);
    for leg in redialed {
        lab.event(Event::Answered { channel: leg });
    }
    lab.pass(10_000);
    assert_eq!(lab.dialed().len(), 6, "three agents, three new lines");
}
