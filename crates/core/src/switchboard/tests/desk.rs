//! What is set at the desk of a campaign: fewest agents, longest conversations, the tone of a
//! recording.

use std::collections::BTreeSet;

use super::{harness::*, predictive::predictive};
use crate::{
    agent::{AgentState, LegMode},
    campaign::{CampaignSettings, CampaignState, DeskSettings, DialingMode},
    disposition::Disposition,
    live::{Change, WaitsFor},
    record::Write,
    switchboard::{Action, Command},
    telephony::{ChannelId, ConnectOutcome, Recording, SessionCommand, SessionEvent},
};

const OTHER: &str = "cmp_other";

fn needs(min_agents: u32) -> DeskSettings {
    DeskSettings {
        min_agents,
        ..DeskSettings::default()
    }
}

fn lasts(max_call_s: u32) -> DeskSettings {
    DeskSettings {
        max_call_s,
        ..DeskSettings::default()
    }
}

fn with(desk: DeskSettings) -> CampaignSettings {
    CampaignSettings {
        desk,
        ..settings(CAMPAIGN)
    }
}

fn waits(lab: &Lab) -> Option<WaitsFor> {
    let views = lab.actions.iter().rev();
    let mut views = views.filter_map(|action| match action {
        Action::Publish(Change::Campaign(view)) if view.id == campaign_id(CAMPAIGN) => {
            Some(view.waits_for)
        }
        _ => None,
    });
    views.next().expect("the campaign was told of")
}

fn agents(needed: u32, logged_in: u32) -> WaitsFor {
    WaitsFor::Agents { needed, logged_in }
}

// === Fewest agents ===

#[test]
fn a_campaign_dials_only_while_so_many_agents_are_logged_in() {
    for mode in [
        DialingMode::Progressive,
        DialingMode::Power,
        DialingMode::Predictive,
    ] {
        let mut lab = Lab::dialing(
            CampaignSettings {
                mode,
                ..with(needs(3))
            },
            100,
        );
        assert_eq!(waits(&lab), Some(agents(3, 0)), "{mode:?}");
        lab.nailed_up("ann");
        lab.nailed_up("bob");
        lab.pass(5_000);
        assert_eq!(waits(&lab), Some(agents(3, 2)), "{mode:?}");
        assert!(lab.dialed().is_empty(), "{mode:?}");
        // At work, if not ready.
        let session = lab.unique();
        lab.command(Command::LogIn(login("cyd", session, LegMode::RingPerCall)));
        lab.pass(5_000);
        assert_eq!(waits(&lab), None, "{mode:?}");
        let dialed = lab.dialed().len();
        assert!(dialed > 0, "{mode:?}");
        for line in lab.dialed() {
            lab.fails(line, 5, 17, "BUSY");
        }
        lab.command(Command::LogOut(user("cyd")));
        let dialed = lab.dialed().len();
        for line in lab.board.calls.keys().copied().collect::<Vec<_>>() {
            lab.hangs_up(&ChannelId::for_attempt(crate::ids::AttemptId(line.0)), 17);
        }
        lab.pass(60_000);
        assert_eq!(lab.dialed().len(), dialed, "{mode:?}");
        assert_eq!(waits(&lab), Some(agents(3, 2)), "{mode:?}");
    }
}

#[test]
fn fewer_agents_are_enough_as_soon_as_the_switchboard_is_told_so() {
    let mut lab = Lab::dialing(with(needs(2)), 5);
    lab.nailed_up("zoe");
    assert!(lab.dialed().is_empty());
    lab.command(Command::Configure(Box::new(with(needs(1)))));
    assert_eq!(lab.dialed().len(), 1);
    assert_eq!(waits(&lab), None);
}

#[test]
fn who_is_put_to_work_for_a_campaign_counts_for_it() {
    let mut lab = Lab::dialing(with(needs(2)), 5);
    lab.nailed_up("zoe");
    let session = lab.unique();
    let mut elsewhere = login("ann", session, LegMode::RingPerCall);
    elsewhere.campaigns = BTreeSet::new();
    lab.log_in_as(elsewhere);
    assert!(lab.dialed().is_empty());
    let both = BTreeSet::from([user("zoe"), user("ann")]);
    lab.command(Command::AssignAgents {
        campaign: campaign_id(CAMPAIGN),
        agents: both,
    });
    assert_eq!(lab.dialed().len(), 2);
    let one = BTreeSet::from([user("zoe")]);
    lab.command(Command::AssignAgents {
        campaign: campaign_id(CAMPAIGN),
        agents: one,
    });
    assert_eq!(waits(&lab), Some(agents(2, 1)));
}

#[test]
fn agents_at_another_exchange_do_not_count() {
    let mut lab = Lab::dialing(with(needs(2)), 5);
    lab.nailed_up("zoe");
    let session = lab.unique();
    let mut away = login("ann", session, LegMode::RingPerCall);
    away.server = "elsewhere".into();
    lab.log_in_as(away);
    assert!(lab.dialed().is_empty());
    assert_eq!(waits(&lab), Some(agents(2, 1)));
}

#[test]
fn lines_that_are_out_when_an_agent_leaves_are_connected() {
    let mut lab = Lab::dialing(with(needs(2)), 5);
    lab.nailed_up("zoe");
    lab.nailed_up("ann");
    let line = lab.dialed()[0];
    lab.command(Command::LogOut(user("ann")));
    lab.talks(line);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
}

#[test]
fn agents_of_a_predictive_campaign_that_waits_work_for_others() {
    let mut lab = Lab::dialing(
        CampaignSettings {
            desk: needs(2),
            ..predictive(CAMPAIGN)
        },
        50,
    );
    lab.start(CampaignSettings {
        priority: 9,
        ..settings(OTHER)
    });
    let session = lab.unique();
    let mut both = login("zoe", session, LegMode::RingPerCall);
    both.campaigns.insert(campaign_id(OTHER));
    lab.log_in_as(both);
    let of_other = |lab: &Lab| {
        let other = campaign_id(OTHER);
        let calls = lab.board.calls.values();
        calls.filter(|call| call.campaign() == Some(&other)).count()
    };
    assert_eq!((lab.dialed().len(), of_other(&lab)), (1, 1));
}

#[test]
fn a_broadcast_needs_no_agents_whatever_its_desk_says() {
    let settings = CampaignSettings {
        mode: DialingMode::Broadcast,
        broadcast_flow: Some(crate::ids::FlowId::new("flw_news").unwrap()),
        ..with(needs(5))
    };
    let lab = Lab::dialing(settings, 3);
    assert_eq!(lab.dialed().len(), 3);
    assert_eq!(waits(&lab), None);
}

#[test]
fn a_campaign_that_waits_for_agents_with_an_empty_list_is_finished() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    lab.start(with(needs(2)));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
}

// === The longest conversation ===

#[test]
fn a_conversation_is_ended_when_it_has_lasted_as_long_as_it_may() {
    // Also longer than calls are left alone without being looked for.
    for longest_s in [60_u32, 1_000] {
        let mut lab = Lab::dialing(with(lasts(longest_s)), 1);
        lab.nailed_up("zoe");
        let line = lab.dialed()[0];
        let channel = ChannelId::for_attempt(line);
        lab.rings(line);
        lab.pass(4_000);
        let session = lab.talks(line);
        lab.pass(u64::from(longest_s) * 1_000 - 1);
        assert_eq!(lab.hung_up(&channel), 0);
        assert_eq!(lab.state("zoe"), AgentState::OnCall);
        lab.pass(1);
        assert_eq!(lab.hung_up(&channel), 1);
        assert_eq!(lab.state("zoe"), AgentState::WrapUp);
        let why = |write: &Write| matches!(write, Write::AgentChanged { cause, .. } if *cause == "longest conversation reached");
        assert!(lab.writes().any(why));
        lab.connect_ended(session, ConnectOutcome::Talked);
        lab.says(session, SessionEvent::Closed);
        lab.hangs_up(&channel, 16);
        assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
        assert_eq!(lab.records()[0].agent, Some(user("zoe")));
        lab.nothing_is_left();
    }
}

#[test]
fn without_a_limit_a_conversation_goes_on() {
    let mut lab = Lab::dialing(with(lasts(0)), 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    lab.talks(line);
    for _ in 0..30 {
        lab.pass(240_000);
        let legs = lab.legs();
        lab.snapshot(&[
            live(&legs[0], true, Some("b")),
            live(&ChannelId::for_attempt(line), true, Some("b")),
        ]);
    }
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(line)), 0);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
}

#[test]
fn a_changed_limit_is_that_of_the_next_conversation() {
    let mut lab = Lab::dialing(with(lasts(0)), 2);
    lab.nailed_up("zoe");
    let first = lab.dialed()[0];
    lab.talks(first);
    lab.command(Command::Configure(Box::new(with(lasts(30)))));
    lab.pass(200_000);
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(first)), 0);
    lab.hangs_up(&ChannelId::for_attempt(first), 16);
    lab.pass(10_000);
    let second = lab.dialed()[1];
    lab.talks(second);
    lab.pass(30_000);
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(second)), 1);
}

// === The tone of a recording ===

#[test]
fn a_recording_has_a_tone_when_the_desk_says_so() {
    for (record, beep) in [(false, true), (true, false), (true, true)] {
        let desk = DeskSettings {
            recording_beep: beep,
            ..DeskSettings::default()
        };
        let settings = CampaignSettings {
            record,
            ..with(desk)
        };
        let mut lab = Lab::dialing(settings, 1);
        lab.nailed_up("zoe");
        let line = lab.dialed()[0];
        let session = lab.answers(line, None);
        let expected = record.then(|| Recording {
            file: format!("{}.wav", crate::ids::CallId::from(line)),
            beep,
        });
        let told = lab.told(session);
        let [SessionCommand::Connect { record, .. }] = told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(*record, expected);
    }
}
