//! A fault is counted when it appears, and once. Faults are made by hand: the machine makes none.

use super::harness::*;
use crate::{
    ids::{AttemptId, CallId},
    record::Write,
    switchboard::Action,
    telephony::{self, ChannelId, Event, Originate, OriginatePurpose},
};
use uuid::Uuid;

/// A campaign with one line that rings, for an agent with a nailed-up leg.
fn at_work() -> (Lab, AttemptId) {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.rings(attempt);
    (lab, attempt)
}

/// Something that changes nothing happens, as often as this.
fn happens(lab: &mut Lab, times: usize) {
    for _ in 0..times {
        let channel = ChannelId::from("1763630000.12");
        lab.board.handle(
            lab.now,
            crate::switchboard::Input::Telephony(Event::Created { channel }),
        );
    }
}

fn violations(lab: &Lab) -> u64 {
    lab.board.stats(lab.now).violations
}

fn dial(lab: &mut Lab, originate: Originate) {
    lab.board
        .telephony_command(telephony::Command::Originate(originate));
}

#[track_caller]
fn one_fault(lab: &mut Lab, text: &str) {
    happens(lab, 3);
    assert_eq!(violations(lab), 1);
    let told = lab.board.check_all();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(text), "{told:?}");
    happens(lab, 3);
    assert_eq!(lab.board.check_all(), Vec::<String>::new());
    assert_eq!(violations(lab), 1);
}

#[test]
fn an_agent_and_a_call_that_disagree_are_counted_when_it_begins() {
    let (mut lab, attempt) = at_work();
    let set = |lab: &mut Lab, call| {
        lab.board.agents.get_mut(&user("zoe")).unwrap().call = call;
    };
    set(&mut lab, Some(CallId::from(attempt)));
    one_fault(&mut lab, "agent zoe");
    set(&mut lab, None);
    happens(&mut lab, 1);
    set(&mut lab, Some(CallId::from(attempt)));
    happens(&mut lab, 3);
    assert_eq!(violations(&lab), 2, "it was mended and broke again");
}

#[test]
fn a_call_that_cannot_be_found_is_counted_when_everything_is_looked_at() {
    let (mut lab, attempt) = at_work();
    lab.board
        .by_channel
        .remove(&ChannelId::for_attempt(attempt));
    happens(&mut lab, 3);
    assert_eq!(violations(&lab), 0);
    assert_eq!(lab.board.check_all().len(), 1);
    assert_eq!(lab.board.check_all().len(), 0);
    assert_eq!(lab.board.broken_invariants().len(), 1, "it lasts");
    assert_eq!(violations(&lab), 1);
}

#[test]
fn an_attempt_that_lost_its_call_is_counted() {
    let (mut lab, attempt) = at_work();
    lab.board.calls.remove(&CallId::from(attempt));
    assert_eq!(lab.board.check_all().len(), 1);
    assert_eq!(violations(&lab), 1);
}

#[test]
fn dialing_what_no_claim_handed_out_is_counted() {
    let (mut lab, _) = at_work();
    let new = new_attempt(5, 1);
    let trunk = trunk_id("trk_1");
    lab.board
        .place(lab.now, &campaign_id(CAMPAIGN), &trunk, new);
    assert_eq!(violations(&lab), 1);
    assert!(lab.board.check_all()[0].contains("no claim"));
}

#[test]
fn dialing_an_attempt_twice_is_counted() {
    let (mut lab, attempt) = at_work();
    let again = lab
        .originates()
        .find(|o| o.channel == ChannelId::for_attempt(attempt))
        .cloned();
    dial(&mut lab, again.unwrap());
    one_fault(&mut lab, "twice");
}

#[test]
fn dialing_an_attempt_that_has_ended_is_counted() {
    let (mut lab, attempt) = at_work();
    let again = lab.originates().last().cloned().unwrap();
    assert_eq!(again.channel, ChannelId::for_attempt(attempt));
    lab.fails(attempt, 5, 17, "BUSY");
    dial(&mut lab, again);
    one_fault(&mut lab, "no claim");
}

#[test]
fn dialing_an_attempt_under_the_id_of_another_is_counted() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let other = Originate {
        channel: ChannelId::for_attempt(AttemptId(Uuid::from_u128(5))),
        ..lab.originates().last().cloned().unwrap()
    };
    assert!(matches!(other.purpose, OriginatePurpose::Customer { attempt: a, .. } if a == attempt));
    dial(&mut lab, other);
    one_fault(&mut lab, "as channel");
}

#[test]
fn dialing_a_leg_twice_is_counted() {
    let (mut lab, _) = at_work();
    let leg = lab.originates().next().cloned().unwrap();
    assert_eq!(leg.purpose, OriginatePurpose::AgentLeg);
    dial(&mut lab, leg);
    one_fault(&mut lab, "leg");
}

#[test]
fn ending_an_attempt_twice_is_counted() {
    let (mut lab, attempt) = at_work();
    lab.fails(attempt, 5, 17, "BUSY");
    let end = lab.ends()[0].clone();
    lab.board.act(Action::Write(Write::AttemptEnded(end)));
    one_fault(&mut lab, "not open");
}
