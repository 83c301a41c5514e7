//! Trunks: the first that works takes the lines, and one that fails is left alone.

use std::collections::BTreeSet;

use super::harness::*;
use crate::{
    agent::LegMode,
    breaker::{FIRST_REST_MS, MAX_GIVE_BACKS},
    campaign::{CampaignSettings, CampaignState, TrunkSettings},
    disposition::Disposition,
    ids::AttemptId,
    live::{CampaignView, Change, TrunkState, WaitsFor},
    retry::AfterAttempt,
    switchboard::{Action, Command, Input, NewAttempt},
    telephony::{ChannelId, Event, OriginateFailure},
};

/// A campaign that dials through the first of these as long as it works.
fn two_trunks() -> CampaignSettings {
    CampaignSettings {
        trunks: vec![trunk("trk_1"), backup()],
        ..settings(CAMPAIGN)
    }
}

fn backup() -> TrunkSettings {
    TrunkSettings {
        endpoint: "backup".to_owned(),
        ..trunk("trk_2")
    }
}

fn with_agents(settings: CampaignSettings, contacts: usize, agents: usize) -> Lab {
    let mut lab = Lab::dialing(settings, contacts);
    for agent in 0..agents {
        lab.log_in(&format!("agent{agent}"), LegMode::RingPerCall);
    }
    lab
}

/// Lines sent to this endpoint.
fn through(lab: &Lab, endpoint: &str) -> usize {
    let suffix = format!("@{endpoint}");
    lab.originates()
        .filter(|originate| originate.endpoint.ends_with(&suffix))
        .count()
}

/// Lines that are out.
fn open(lab: &Lab) -> Vec<AttemptId> {
    let ended: BTreeSet<AttemptId> = lab.ends().iter().map(|end| end.attempt).collect();
    let dialed = lab.dialed().into_iter();
    dialed.filter(|line| !ended.contains(line)).collect()
}

/// The carrier refuses this line: SIP 503.
fn refused_by_carrier(lab: &mut Lab, attempt: AttemptId) {
    let before = lab.ends().len();
    lab.fails(attempt, 8, 34, "CONGESTION");
    let end = &lab.ends()[before];
    assert_eq!(end.disposition, Disposition::CarrierFailure);
}

/// Refuses every line until nothing more is dialed.
fn carrier_refuses_everything(lab: &mut Lab) {
    while let Some(line) = open(lab).first() {
        refused_by_carrier(lab, *line);
    }
}

fn campaign_view(lab: &Lab) -> CampaignView {
    let views = lab.actions.iter().rev();
    let mut views = views.filter_map(|action| match action {
        Action::Publish(Change::Campaign(view)) => Some(view.clone()),
        _ => None,
    });
    views.next().expect("the campaign was told of")
}

/// The states of a trunk that were told, in order.
fn states(lab: &Lab, name: &str) -> Vec<TrunkState> {
    let told = lab.actions.iter().filter_map(|action| match action {
        Action::Publish(Change::Trunk(view)) if view.id == trunk_id(name) => Some(view.state),
        _ => None,
    });
    told.collect()
}

#[test]
fn lines_leave_through_the_first_trunk_while_it_works() {
    let lab = with_agents(two_trunks(), 20, 4);
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (4, 0));
}

#[test]
fn a_full_trunk_leaves_the_rest_to_the_next() {
    let mut settings = two_trunks();
    settings.trunks[0].max_channels = 3;
    let lab = with_agents(settings, 20, 5);
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (3, 2));
}

#[test]
fn a_trunk_without_calls_left_this_second_leaves_the_rest_to_the_next() {
    let mut settings = two_trunks();
    settings.trunks[0].max_calls_per_second = 2;
    let lab = with_agents(settings, 20, 5);
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (2, 3));
}

#[test]
fn a_trunk_that_was_deleted_gets_no_further_line_and_keeps_those_it_has() {
    let mut lab = with_agents(two_trunks(), 20, 2);
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (2, 0));
    lab.command(Command::TrunkGone(trunk_id("trk_1")));
    assert!(lab.ends().is_empty(), "{:?}", lab.ends());
    assert!(lab.actions.iter().any(|action| matches!(action,
        Action::Publish(Change::TrunkGone { id }) if *id == trunk_id("trk_1"))));
    for line in open(&lab) {
        lab.fails(line, 5, 17, "BUSY");
    }
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (2, 2));
}

#[test]
fn a_trunk_that_fails_is_rested_and_the_next_takes_its_lines() {
    let mut lab = with_agents(two_trunks(), 100, 5);
    for line in lab.dialed() {
        refused_by_carrier(&mut lab, line);
    }
    assert_eq!(
        states(&lab, "trk_1"),
        [TrunkState::Working, TrunkState::Resting]
    );
    // What was dialed before the fifth failure went out the same way.
    let before = through(&lab, "carrier");
    for line in open(&lab) {
        lab.fails(line, 5, 17, "BUSY");
    }
    assert_eq!(through(&lab, "carrier"), before);
    assert!(through(&lab, "backup") >= 5);
    assert_eq!(campaign_view(&lab).waits_for, None);
}

#[test]
fn one_line_finds_out_whether_a_rested_trunk_works_again() {
    let mut lab = with_agents(two_trunks(), 100, 3);
    while states(&lab, "trk_1").len() < 2 {
        let line = open(&lab)[0];
        refused_by_carrier(&mut lab, line);
    }
    for line in open(&lab) {
        lab.fails(line, 5, 17, "BUSY");
    }
    let before = through(&lab, "carrier");
    lab.pass(FIRST_REST_MS);
    for line in open(&lab) {
        lab.fails(line, 5, 17, "BUSY");
    }
    assert_eq!(through(&lab, "carrier"), before + 1, "one probe");
    let probe = lab
        .originates()
        .filter(|originate| originate.endpoint.ends_with("@carrier"))
        .last()
        .map(|originate| originate.channel.clone());
    let probe = lab
        .dialed()
        .into_iter()
        .find(|line| Some(ChannelId::for_attempt(*line)) == probe);
    // It rings: the trunk is given nothing more until it is answered.
    lab.answers(probe.unwrap(), None);
    assert_eq!(states(&lab, "trk_1").last(), Some(&TrunkState::Working));
    for line in open(&lab) {
        lab.fails(line, 5, 17, "BUSY");
    }
    assert!(
        through(&lab, "carrier") > before + 1,
        "it takes lines again"
    );
}

#[test]
fn with_every_trunk_resting_the_campaign_waits_and_says_why() {
    let mut lab = with_agents(two_trunks(), 200, 5);
    carrier_refuses_everything(&mut lab);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
    assert_eq!(campaign_view(&lab).waits_for, Some(WaitsFor::Trunks));
    let dialed = lab.dialed().len();
    lab.pass(5_000);
    assert_eq!(
        lab.dialed().len(),
        dialed,
        "nothing is dialed while they rest"
    );
}

#[test]
fn a_misconfigured_trunk_never_burns_through_a_list() {
    let mut lab = with_agents(settings(CAMPAIGN), 500, 10);
    // A working day with a wrong password: each probe fails as well.
    for _ in 0..8 * 60 {
        carrier_refuses_everything(&mut lab);
        lab.pass(60_000);
    }
    assert!(
        lab.dialed().len() < 120,
        "{} were dialed",
        lab.dialed().len()
    );
    let done =
        |after: &AfterAttempt| matches!(after, AfterAttempt::Called | AfterAttempt::Exhausted);
    assert_eq!(lab.ends().iter().filter(|end| done(&end.after)).count(), 0);
}

#[test]
fn originates_that_the_exchange_refuses_rest_the_trunk_too() {
    let mut lab = with_agents(settings(CAMPAIGN), 100, 5);
    for line in lab.dialed() {
        lab.event(Event::OriginateFailed {
            channel: ChannelId::for_attempt(line),
            failure: OriginateFailure::Refused("no such endpoint".to_owned()),
        });
        lab.pass(1_000);
    }
    assert_eq!(campaign_view(&lab).waits_for, Some(WaitsFor::Trunks));
}

#[test]
fn a_contact_that_the_carrier_failed_is_given_back_uncounted_but_not_for_ever() {
    let mut lab = with_agents(settings(CAMPAIGN), 0, 1);
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    let contact = new_attempt(1, 1).contact;
    let mut outcomes = Vec::new();
    for turn in 0..=u128::from(MAX_GIVE_BACKS) {
        // The same contact each time, and a healthy trunk for everybody else.
        lab.store_answers = false;
        lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
        lab.pass(1_000);
        let mut again = new_attempt(100 + turn, 1);
        again.contact = contact.clone();
        lab.input(Input::Claimed {
            campaign: campaign_id(CAMPAIGN),
            asked: 1,
            attempts: vec![again.clone()],
            next_due: None,
        });
        refused_by_carrier(&mut lab, again.attempt);
        outcomes.push(lab.after_last());
    }
    let given_back = vec![AfterAttempt::GiveBack; usize::from(MAX_GIVE_BACKS)];
    assert_eq!(outcomes[..outcomes.len() - 1], given_back);
    assert!(matches!(outcomes.last(), Some(AfterAttempt::Retry(_))));
    assert_eq!(
        states(&lab, "trk_1"),
        [TrunkState::Working],
        "one number is no reason to rest it"
    );
}

#[test]
fn contacts_that_one_trunk_failed_tell_of_the_next_one_too() {
    let mut lab = with_agents(two_trunks(), 0, 5);
    lab.store_answers = false;
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    for trunk in 0..2u128 {
        lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
        lab.pass(1_000);
        // The whole list: the same five each time.
        let attempts: Vec<_> = (1..=5)
            .map(|contact| NewAttempt {
                contact: new_attempt(contact, 1).contact,
                ..new_attempt(100 * (trunk + 1) + contact, 1)
            })
            .collect();
        lab.input(Input::Claimed {
            campaign: campaign_id(CAMPAIGN),
            asked: 5,
            attempts: attempts.clone(),
            next_due: None,
        });
        for line in attempts {
            refused_by_carrier(&mut lab, line.attempt);
        }
        // What was asked for after the first of them brings nobody else.
        let asked = *lab.claims().last().unwrap();
        lab.input(Input::Claimed {
            campaign: campaign_id(CAMPAIGN),
            asked,
            attempts: Vec::new(),
            next_due: None,
        });
    }
    assert_eq!((through(&lab, "carrier"), through(&lab, "backup")), (5, 5));
    for trunk in ["trk_1", "trk_2"] {
        assert_eq!(
            states(&lab, trunk).last(),
            Some(&TrunkState::Resting),
            "{trunk}"
        );
    }
}

#[test]
fn a_probe_for_which_there_is_no_contact_is_asked_for_again() {
    let mut lab = with_agents(settings(CAMPAIGN), 100, 5);
    carrier_refuses_everything(&mut lab);
    lab.list.clear();
    lab.next_due = Some(crate::time::after(lab.now, FIRST_REST_MS + 60_000));
    lab.pass(FIRST_REST_MS + 1_000);
    assert_eq!(states(&lab, "trk_1").last(), Some(&TrunkState::Resting));
    lab.list.push_back(0);
    lab.pass(60_000);
    assert_eq!(open(&lab).len(), 1, "the probe");
}
