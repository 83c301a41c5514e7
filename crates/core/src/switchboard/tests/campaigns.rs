//! Campaigns: how many lines go out, and when a campaign is over.

use std::collections::BTreeSet;

use super::harness::*;
use crate::{
    agent::LegMode,
    campaign::{CampaignSettings, CampaignState, DialingMode, TrunkSettings},
    disposition::Disposition,
    record::Write,
    retry::AfterAttempt,
    switchboard::{Command, Input},
    telephony::{ChannelId, Event, OriginateFailure, ServerName},
    time::after,
};

fn limited(max_channels: u32, max_calls_per_second: u32) -> CampaignSettings {
    CampaignSettings {
        trunks: vec![TrunkSettings {
            max_channels,
            max_calls_per_second,
            ..trunk("trk_1")
        }],
        ..settings(CAMPAIGN)
    }
}

/// An agent who works for these campaigns.
fn agent_of(lab: &mut Lab, name: &str, campaigns: &[&str]) {
    let session = lab.unique();
    let mut login = login(name, session, LegMode::RingPerCall);
    login.campaigns = campaigns
        .iter()
        .map(|name| campaign_id(name))
        .collect::<BTreeSet<_>>();
    lab.log_in_as(login);
}

#[test]
fn progressive_dialing_never_has_more_lines_than_agents() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 50);
    assert!(lab.dialed().is_empty(), "nobody is there");
    for agent in 0..5 {
        lab.nailed_up(&format!("agent{agent}"));
        lab.snapshot(
            &lab.legs()
                .iter()
                .map(|leg| live(leg, true, None))
                .collect::<Vec<_>>(),
        );
        assert_eq!(lab.dialed().len(), agent + 1);
    }
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.dialed().len(), 6, "one line ended, one is dialed");
}

#[test]
fn an_agent_shared_by_two_campaigns_is_dialed_for_once() {
    let mut lab = Lab::dialing(settings("cmp_a"), 10);
    lab.start(settings("cmp_b"));
    agent_of(&mut lab, "zoe", &["cmp_a", "cmp_b"]);
    lab.pass(5_000);
    assert_eq!(lab.dialed().len(), 1);
}

#[test]
fn a_shared_agent_is_not_counted_twice_beside_one_who_is_not_shared() {
    let mut lab = Lab::dialing(settings("cmp_b"), 20);
    agent_of(&mut lab, "both", &["cmp_a", "cmp_b"]);
    assert_eq!(lab.dialed().len(), 1);
    agent_of(&mut lab, "only_a", &["cmp_a"]);
    lab.start(settings("cmp_a"));
    lab.pass(5_000);
    assert_eq!(lab.dialed().len(), 2, "two agents, two lines");
}

#[test]
fn campaigns_that_share_agents_are_served_by_priority() {
    let mut lab = Lab::new();
    lab.list.extend([0; 10]);
    lab.start(CampaignSettings {
        priority: 2,
        ..settings("cmp_a")
    });
    lab.start(CampaignSettings {
        priority: 1,
        ..settings("cmp_b")
    });
    agent_of(&mut lab, "zoe", &["cmp_a", "cmp_b"]);
    let call = lab.board.calls.values().next().unwrap();
    assert_eq!(call.campaign(), Some(&campaign_id("cmp_b")));
}

#[test]
fn nobody_is_dialed_for_an_agent_at_another_exchange() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 5);
    let mut login = login("zoe", 7, LegMode::RingPerCall);
    login.server = ServerName::from("elsewhere");
    lab.log_in_as(login);
    assert!(lab.dialed().is_empty());
}

#[test]
fn power_dialing_dials_its_ratio() {
    let settings = CampaignSettings {
        mode: DialingMode::Power,
        ratio: 2.5,
        ..settings(CAMPAIGN)
    };
    let mut lab = Lab::dialing(settings, 50);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    agent_of(&mut lab, "b", &[CAMPAIGN]);
    assert_eq!(lab.dialed().len(), 5);
}

#[test]
fn a_trunk_has_no_more_channels_than_it_may() {
    let mut lab = Lab::dialing(limited(2, 100), 50);
    for agent in ["a", "b", "c"] {
        agent_of(&mut lab, agent, &[CAMPAIGN]);
    }
    assert_eq!(lab.dialed().len(), 2);
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.dialed().len(), 3);
}

#[test]
fn a_trunk_gets_no_more_calls_per_second_than_it_takes() {
    let mut lab = Lab::dialing(limited(100, 2), 50);
    for agent in 0..10 {
        agent_of(&mut lab, &format!("agent{agent}"), &[CAMPAIGN]);
    }
    assert_eq!(lab.dialed().len(), 2);
    // Whatever else happens, one timer waits for the rate.
    for _ in 0..50 {
        lab.pass(1);
        lab.event(Event::Created {
            channel: ChannelId::from("1763630000.12"),
        });
    }
    assert!(lab.board.timers.len() <= 3, "{:?}", lab.board.timers);
    lab.pass(1_000);
    assert!(
        (3..=4).contains(&lab.dialed().len()),
        "{}",
        lab.dialed().len()
    );
    lab.pass(10_000);
    assert_eq!(lab.dialed().len(), 10);
}

#[test]
fn a_paused_campaign_places_no_calls_and_lets_those_in_progress_go_on() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 10);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    agent_of(&mut lab, "b", &[CAMPAIGN]);
    assert_eq!(lab.dialed().len(), 1);
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    assert!(lab.state("a").has_call() || lab.state("b").has_call());
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    assert_eq!(lab.dialed().len(), 2);
}

#[test]
fn stopping_a_campaign_hangs_up_unanswered_lines_and_gives_their_contacts_back() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 3);
    for agent in ["a", "b", "c"] {
        agent_of(&mut lab, agent, &[CAMPAIGN]);
    }
    let [talking, ringing, dialing] = lab.dialed()[..] else {
        panic!()
    };
    lab.talks(talking);
    lab.rings(ringing);
    lab.command(Command::Stop(campaign_id(CAMPAIGN)));
    for (attempt, hung_up) in [(talking, 0), (ringing, 1), (dialing, 1)] {
        assert_eq!(lab.hung_up(&ChannelId::for_attempt(attempt)), hung_up);
    }
    // What hanging up a ringing line leaves behind.
    let channel = ChannelId::for_attempt(ringing);
    lab.event(Event::OriginateEnded {
        channel: channel.clone(),
        reason: 1,
    });
    lab.event(Event::HungUp {
        channel: channel.clone(),
        cause: 0,
        tech_cause: Some("SIP 487".to_owned()),
    });
    lab.event(Event::DialEnded {
        channel,
        status: "NOANSWER".to_owned(),
    });
    lab.event(Event::OriginateFailed {
        channel: ChannelId::for_attempt(dialing),
        failure: OriginateFailure::NotSent,
    });
    lab.pass(1_000);
    assert_eq!(
        lab.dispositions(),
        [Disposition::Cancelled, Disposition::Cancelled]
    );
    assert!(
        lab.ends()
            .iter()
            .all(|end| matches!(end.after, AfterAttempt::Retry(_)))
    );
    assert_eq!(lab.phase(talking), Some(crate::call::Phase::Bridged));
}

#[test]
fn a_line_that_turned_out_busy_while_it_was_stopped_keeps_to_its_retry_rule() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    let attempt = lab.dialed()[0];
    lab.command(Command::Stop(campaign_id(CAMPAIGN)));
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.dispositions(), [Disposition::Busy]);
    assert_eq!(
        lab.after_last(),
        AfterAttempt::Retry(after(lab.ends()[0].at, 600_000))
    );
}

#[test]
fn attempts_that_arrive_after_the_stop_are_given_back_undialed() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.list.extend([0; 2]);
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.command(Command::Stop(campaign_id(CAMPAIGN)));
    lab.answer_claim(&campaign_id(CAMPAIGN), 1);
    lab.pass(1_000);
    assert!(lab.dialed().is_empty());
    assert_eq!(lab.dispositions(), [Disposition::Cancelled]);
    assert!(matches!(lab.after_last(), AfterAttempt::Retry(_)));
    lab.nothing_is_left();
}

#[test]
fn a_campaign_is_finished_when_its_list_is_used_up_and_its_last_call_is_closed() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 2);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    agent_of(&mut lab, "b", &[CAMPAIGN]);
    agent_of(&mut lab, "c", &[CAMPAIGN]);
    let [first, second] = lab.dialed()[..] else {
        panic!()
    };
    lab.fails(first, 0, 1, "NOANSWER");
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
    lab.fails(second, 0, 1, "NOANSWER");
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
}

#[test]
fn a_campaign_with_a_retry_ahead_is_not_finished() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    agent_of(&mut lab, "b", &[CAMPAIGN]);
    let first = lab.dialed()[0];
    lab.fails(first, 5, 17, "BUSY");
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
    let claims = lab.claims().len();
    lab.pass(590_000);
    assert_eq!(
        lab.claims().len(),
        claims,
        "nothing is due, nothing is asked for"
    );
    lab.list.push_back(1);
    lab.pass(20_000);
    assert_eq!(lab.dialed().len(), 2);
    let second = lab.dialed()[1];
    lab.fails(second, 5, 17, "BUSY");
    lab.pass(20_000);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
}

#[test]
fn a_retry_decided_while_the_list_was_asked_for_is_not_forgotten() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.list.push_back(0);
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.answer_claim(&campaign_id(CAMPAIGN), 1);
    agent_of(&mut lab, "b", &[CAMPAIGN]);
    assert_eq!(lab.claims().len(), 2);
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    // Read before the attempt ended: the list looks used up.
    lab.answer_claim(&campaign_id(CAMPAIGN), 1);
    lab.pass(0);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
    lab.pass(600_000);
    assert_eq!(lab.claims().len(), 3);
}

#[test]
fn contacts_added_while_the_list_was_asked_for_are_dialed() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
    lab.answer_claim(&campaign_id(CAMPAIGN), 1);
    lab.list.push_back(0);
    lab.store_answers = true;
    lab.pass(1_000);
    assert_eq!(lab.dialed().len(), 1);
}

#[test]
fn a_list_that_has_more_later_is_asked_again_then() {
    let mut lab = Lab::new();
    lab.next_due = Some(after(lab.now, 60_000));
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.pass(59_000);
    assert_eq!(lab.claims().len(), 1);
    lab.list.push_back(0);
    lab.pass(1_000);
    assert_eq!(lab.dialed().len(), 1);
}

#[test]
fn a_claim_that_failed_is_tried_again_after_a_second() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.input(Input::ClaimFailed {
        campaign: campaign_id(CAMPAIGN),
        asked: 1,
        stale: false,
    });
    assert_eq!(lab.claims().len(), 1);
    lab.pass(1_000);
    assert_eq!(lab.claims().len(), 2);
}

#[test]
fn a_campaign_that_another_runner_took_over_is_left_to_it() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.input(Input::ClaimFailed {
        campaign: campaign_id(CAMPAIGN),
        asked: 1,
        stale: true,
    });
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Stopped);
    lab.pass(60_000);
    assert_eq!(lab.claims().len(), 1);
}

#[test]
fn a_claim_of_an_older_epoch_does_not_stop_the_newer_one() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    lab.input(Input::ClaimFailed {
        campaign: campaign_id(CAMPAIGN),
        asked: 1,
        stale: true,
    });
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
    lab.pass(1_000);
    assert_eq!(lab.claims().len(), 2);
}

#[test]
fn nothing_is_placed_while_draining() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 10);
    lab.board.drain();
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    lab.pass(10_000);
    assert!(lab.dialed().is_empty());
}

#[test]
fn it_is_drained_when_the_claim_on_its_way_was_answered_and_that_contact_is_given_back() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 10);
    lab.store_answers = false;
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    assert_eq!(lab.claims().len(), 1);
    assert!(!lab.board.is_drained());
    lab.board.drain();
    assert!(
        !lab.board.is_drained(),
        "the store may write an attempt yet"
    );
    lab.answer_claim(&campaign_id(CAMPAIGN), 1);
    lab.pass(10_000);
    assert!(lab.board.is_drained());
    assert_eq!(lab.claims().len(), 1);
    assert!(lab.dialed().is_empty());
    assert_eq!(lab.dispositions(), [Disposition::Cancelled]);
    assert!(matches!(lab.ends()[0].after, AfterAttempt::Retry(_)));
}

#[test]
fn an_exchange_that_takes_no_originate_is_left_alone_for_a_moment() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    let attempt = lab.dialed()[0];
    lab.event(Event::OriginateFailed {
        channel: ChannelId::for_attempt(attempt),
        failure: OriginateFailure::NotSent,
    });
    let asked = lab.claims().len();
    lab.pass(1_500);
    assert_eq!(lab.claims().len(), asked, "it was asked again at once");
    lab.pass(1_500);
    assert!(lab.claims().len() > asked, "it was never asked again");
}

#[test]
fn a_start_that_was_overtaken_by_a_later_one_changes_nothing() {
    let start = |epoch| Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch,
    };
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.command(start(3));
    for late in [2, 3] {
        let before = lab.actions.len();
        lab.command(start(late));
        assert_eq!(lab.board.campaigns[&campaign_id(CAMPAIGN)].epoch, 3);
        assert_eq!(lab.actions.len(), before, "{:?}", &lab.actions[before..]);
    }
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    lab.command(start(2));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Paused);
    lab.command(start(3));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
}

#[test]
fn contacts_added_after_the_last_call_let_a_finished_campaign_run_on() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 0);
    agent_of(&mut lab, "a", &[CAMPAIGN]);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
    lab.list.push_back(0);
    lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
    assert_eq!(lab.dialed().len(), 1);
    let written = lab.writes().filter_map(|write| match write {
        Write::CampaignChanged { state, epoch, .. } => Some((*state, *epoch)),
        _ => None,
    });
    assert_eq!(written.last(), Some((CampaignState::Running, 1)));
}

#[test]
fn contacts_added_start_no_campaign_that_somebody_stopped_or_paused() {
    for halt in [Command::Stop, Command::PauseCampaign] {
        let mut lab = Lab::dialing(settings(CAMPAIGN), 0);
        lab.command(halt(campaign_id(CAMPAIGN)));
        agent_of(&mut lab, "a", &[CAMPAIGN]);
        let state = lab.campaign_state(CAMPAIGN);
        lab.list.push_back(0);
        lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
        assert_eq!(lab.campaign_state(CAMPAIGN), state);
        assert!(lab.dialed().is_empty());
    }
}

#[test]
fn a_campaign_has_no_more_lines_than_it_may_those_that_talk_among_them() {
    let mut lab = Lab::dialing(
        CampaignSettings {
            max_lines: 2,
            ..settings(CAMPAIGN)
        },
        50,
    );
    for agent in ["a", "b", "c"] {
        agent_of(&mut lab, agent, &[CAMPAIGN]);
    }
    let [first, second] = lab.dialed()[..] else {
        panic!("{:?}", lab.dialed())
    };
    lab.talks(first);
    lab.rings(second);
    lab.pass(1_000);
    assert_eq!(lab.dialed().len(), 2, "a line that talks is a line");
    lab.hangs_up(&ChannelId::for_attempt(first), 16);
    assert_eq!(lab.dialed().len(), 3);
}
