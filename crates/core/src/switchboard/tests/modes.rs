//! Preview, manual and broadcast dialing, callbacks, and how campaigns come to their end.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode, NO_ANSWER},
    call::Phase,
    campaign::{CampaignSettings, CampaignState, DialingMode, MachineAction},
    disposition::Disposition,
    ids::{AttemptId, CallId, ContactId, FlowId},
    ivr::QueueOutcome,
    live::{AgentView, Change},
    record::Write,
    switchboard::{Action, Command, FlowWanted, Input, NewAttempt, Refused, Target, Which},
    telephony::{Amd, ChannelId, ConnectOutcome, SessionCommand, SessionEvent, SessionId},
};

fn mode(mode: DialingMode) -> CampaignSettings {
    CampaignSettings {
        mode,
        ..settings(CAMPAIGN)
    }
}

fn flow_id(name: &str) -> FlowId {
    FlowId::new(name).unwrap()
}

fn broadcast(max_lines: u32) -> CampaignSettings {
    CampaignSettings {
        max_lines,
        broadcast_flow: Some(flow_id("flw_news")),
        ..mode(DialingMode::Broadcast)
    }
}

/// An agent of a running campaign who is available at a nailed-up station.
fn agent_of(settings: CampaignSettings, contacts: usize) -> Lab {
    let mut lab = Lab::dialing(settings, contacts);
    lab.nailed_up("zoe");
    lab
}

fn asks_for_preview(lab: &mut Lab, seconds: u32) {
    lab.command(Command::Preview {
        agent: user("zoe"),
        campaign: campaign_id(CAMPAIGN),
        seconds,
    });
}

fn dials(number: Which) -> Command {
    Command::DialPreview {
        agent: user("zoe"),
        number,
    }
}

fn dials_by_hand(lab: &mut Lab) -> AttemptId {
    lab.command(Command::DialFor {
        agent: user("zoe"),
        campaign: campaign_id(CAMPAIGN),
        target: Target {
            contact: ContactId::new("ada").unwrap(),
            number: Which::Other(number()),
        },
    });
    *lab.dialed().last().expect("it was dialed")
}

fn view(lab: &Lab, name: &str) -> AgentView {
    let views = lab.actions.iter().rev();
    let mut views = views.filter_map(|action| match action {
        Action::Publish(Change::Agent(view)) if view.id == user(name) => Some(view.clone()),
        _ => None,
    });
    views.next().expect("the agent was told of")
}

fn released(lab: &Lab) -> usize {
    lab.writes()
        .filter(|write| matches!(write, Write::ContactReleased { .. }))
        .count()
}

/// Whoever answered hears the flow that was asked for.
fn flow_begins(lab: &mut Lab, attempt: AttemptId) {
    let call = CallId::from(attempt);
    let route = Some(route());
    lab.input(Input::FlowFound { call, route });
}

fn presses_one(lab: &mut Lab, session: SessionId) {
    let queue = queue_id();
    let max_wait_s = 30;
    lab.says(session, SessionEvent::Queued { queue, max_wait_s });
}

// === Preview ===

#[test]
fn a_preview_campaign_dials_nobody_by_itself() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    lab.pass(60_000);
    assert!(lab.dialed().is_empty());
}

#[test]
fn an_agent_sees_a_contact_has_it_dialed_and_gets_the_call() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    lab.nailed_up("yan");
    asks_for_preview(&mut lab, 60);
    assert_eq!(lab.state("zoe"), AgentState::Preview);
    assert!(view(&lab, "zoe").preview.unwrap().contact_id.is_some());
    lab.command(dials(Which::Next));
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    // Yan has waited longer, and the call is Zoe's.
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    assert_eq!(lab.state("yan"), AgentState::Available);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    lab.nothing_is_left();
}

#[test]
fn a_preview_that_is_not_answered_frees_its_agent() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    asks_for_preview(&mut lab, 60);
    lab.command(dials(Which::Position(1)));
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 3, 0, "NOANSWER");
    assert_eq!(lab.state("zoe"), AgentState::Available);
    lab.nothing_is_left();
}

#[test]
fn a_contact_that_is_skipped_or_looked_at_for_too_long_goes_back() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    asks_for_preview(&mut lab, 60);
    lab.command(Command::SkipPreview(user("zoe")));
    assert_eq!(
        (lab.state("zoe"), released(&lab)),
        (AgentState::Available, 1)
    );
    asks_for_preview(&mut lab, 60);
    lab.pass(59_000);
    assert_eq!(lab.state("zoe"), AgentState::Preview);
    lab.pass(1_000);
    assert_eq!(
        (lab.state("zoe"), released(&lab)),
        (AgentState::Available, 2)
    );
    assert_eq!(view(&lab, "zoe").preview, None);
}

#[test]
fn a_contact_chosen_for_an_agent_who_is_gone_goes_back() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    lab.store_answers = false;
    asks_for_preview(&mut lab, 60);
    lab.command(Command::LogOut(user("zoe")));
    let contact = Some(ContactId::new("ada").unwrap());
    let agent = user("zoe");
    lab.input(Input::Picked { agent, contact });
    assert_eq!(released(&lab), 1);
}

#[test]
fn an_agent_who_asks_for_a_contact_of_an_empty_list_is_told() {
    let mut lab = agent_of(mode(DialingMode::Preview), 1);
    asks_for_preview(&mut lab, 60);
    lab.command(Command::SkipPreview(user("zoe")));
    lab.next_due = Some(crate::time::after(lab.now, 900_000));
    asks_for_preview(&mut lab, 60);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    assert!(view(&lab, "zoe").notice.unwrap().contains("nobody"));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
}

#[test]
fn a_contact_that_a_rule_forbids_is_not_dialed_and_the_agent_is_told_which() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    lab.refusal = Some("not before 10:00 in Europe/Paris".to_owned());
    asks_for_preview(&mut lab, 60);
    lab.command(dials(Which::Next));
    assert!(lab.dialed().is_empty());
    assert_eq!(lab.state("zoe"), AgentState::Available);
    assert_eq!(view(&lab, "zoe").notice, lab.refusal);
}

#[test]
fn an_agent_who_looks_at_a_contact_gets_no_other_call() {
    let mut lab = Lab::dialing(settings("cmp_other"), 5);
    lab.start(mode(DialingMode::Preview));
    let session = lab.unique();
    let mut both = login("zoe", session, LegMode::RingPerCall);
    both.campaigns.insert(campaign_id("cmp_other"));
    lab.command(Command::LogIn(both));
    asks_for_preview(&mut lab, 60);
    lab.pass(30_000);
    assert!(lab.dialed().is_empty(), "nobody can take the call");
}

#[test]
fn only_a_free_agent_of_a_running_campaign_may_ask_for_a_contact() {
    let mut lab = agent_of(mode(DialingMode::Preview), 10);
    let ask = |campaign| Command::Preview {
        agent: user("zoe"),
        campaign: campaign_id(campaign),
        seconds: 60,
    };
    lab.start(settings("cmp_other"));
    let refused = lab.board.command(lab.now, ask("cmp_other"));
    assert!(matches!(refused, Err(Refused::NotOfCampaign { .. })));
    asks_for_preview(&mut lab, 60);
    let refused = lab.board.command(lab.now, ask(CAMPAIGN));
    assert!(matches!(refused, Err(Refused::WrongState { .. })));
    lab.command(Command::SkipPreview(user("zoe")));
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    let refused = lab.board.command(lab.now, ask(CAMPAIGN));
    assert!(matches!(refused, Err(Refused::NotRunning(_))));
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

// === Manual ===

#[test]
fn an_agent_dials_whom_they_choose_also_while_paused_and_is_paused_again_afterwards() {
    let mut lab = agent_of(mode(DialingMode::Manual), 0);
    lab.command(Command::Pause {
        agent: user("zoe"),
        reason: "paperwork".to_owned(),
    });
    let attempt = dials_by_hand(&mut lab);
    lab.talks(attempt);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.command(Command::EndWrapUp(user("zoe")));
    assert_eq!(lab.state("zoe"), AgentState::Paused("paperwork".to_owned()));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
}

#[test]
fn an_agent_who_logs_out_while_it_is_claimed_leaves_after_the_call() {
    let mut lab = agent_of(mode(DialingMode::Manual), 0);
    lab.store_answers = false;
    lab.command(Command::DialFor {
        agent: user("zoe"),
        campaign: campaign_id(CAMPAIGN),
        target: Target {
            contact: ContactId::new("ada").unwrap(),
            number: Which::Next,
        },
    });
    lab.command(Command::LogOut(user("zoe")));
    let agent = user("zoe");
    let new = NewAttempt {
        agent: Some(agent.clone()),
        ..new_attempt(77, 1)
    };
    let attempt = Ok(new.clone());
    lab.input(Input::ClaimedOne { agent, attempt });
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    lab.fails(new.attempt, 5, 17, "BUSY");
    assert_eq!(lab.state("zoe"), AgentState::Offline);
    lab.nothing_is_left();
}

#[test]
fn whoever_answers_a_call_whose_agent_lost_their_station_gets_another_agent() {
    let mut lab = agent_of(mode(DialingMode::Manual), 0);
    let attempt = dials_by_hand(&mut lab);
    lab.nailed_up("yan");
    let leg = lab.legs()[0].clone();
    lab.hangs_up(&leg, 16);
    lab.talks(attempt);
    assert_eq!(lab.state("yan"), AgentState::OnCall);
    assert!(matches!(lab.state("zoe"), AgentState::Paused(_)));
}

#[test]
fn a_call_by_hand_leaves_through_no_trunk_that_is_full() {
    let mut settings = mode(DialingMode::Manual);
    settings.trunks[0].max_channels = 1;
    let mut lab = agent_of(settings, 0);
    dials_by_hand(&mut lab);
    lab.nailed_up("yan");
    let refused = lab.board.command(
        lab.now,
        Command::DialFor {
            agent: user("yan"),
            campaign: campaign_id(CAMPAIGN),
            target: Target {
                contact: ContactId::new("bob").unwrap(),
                number: Which::Next,
            },
        },
    );
    assert!(matches!(refused, Err(Refused::NoTrunk(_))));
    assert_eq!(lab.state("yan"), AgentState::Available);
}

// === Personal callbacks ===

/// Answers the claim that is open with one personal callback of Zoe's.
fn claims_callback(lab: &mut Lab) -> AttemptId {
    let new = NewAttempt {
        agent: Some(user("zoe")),
        ..new_attempt(55, 2)
    };
    let attempt = new.attempt;
    lab.input(Input::Claimed {
        campaign: campaign_id(CAMPAIGN),
        asked: 1,
        attempts: vec![new],
        next_due: Some(crate::time::after(lab.now, 600_000)),
    });
    attempt
}

#[test]
fn a_personal_callback_goes_to_its_agent_and_to_nobody_else() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    lab.nailed_up("yan");
    lab.nailed_up("zoe");
    let attempt = claims_callback(&mut lab);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    lab.talks(attempt);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    assert_eq!(lab.state("yan"), AgentState::Available);
}

#[test]
fn a_personal_callback_of_an_agent_who_left_goes_to_any_agent() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    lab.nailed_up("yan");
    let attempt = claims_callback(&mut lab);
    lab.talks(attempt);
    assert_eq!(lab.state("yan"), AgentState::OnCall);
}

#[test]
fn an_agent_reserved_at_a_phone_that_nobody_picks_up_is_paused() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    lab.log_in("zoe", LegMode::RingPerCall);
    let attempt = claims_callback(&mut lab);
    let session = lab.answers(attempt, None);
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("zoe"), AgentState::Paused(NO_ANSWER.to_owned()));
}

// === Broadcast ===

#[test]
fn a_broadcast_dials_without_agents_up_to_its_lines() {
    let mut lab = Lab::dialing(broadcast(7), 50);
    assert_eq!(lab.dialed().len(), 7);
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.dialed().len(), 8);
}

#[test]
fn a_broadcast_keeps_to_the_calls_per_second_of_its_trunk() {
    let mut settings = broadcast(50);
    settings.trunks[0].max_calls_per_second = 5;
    let mut lab = Lab::dialing(settings, 100);
    assert_eq!(lab.dialed().len(), 5);
    lab.pass(1_000);
    assert!(
        (9..=10).contains(&lab.dialed().len()),
        "{}",
        lab.dialed().len()
    );
}

#[test]
fn a_person_hears_the_flow_of_the_broadcast_and_was_reached_when_it_is_over() {
    let mut lab = Lab::dialing(broadcast(1), 1);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Human));
    let asked = |action: &Action| matches!(action, Action::FindFlow { wanted: FlowWanted::Flow(flow), .. } if *flow == flow_id("flw_news"));
    assert!(lab.actions.iter().any(asked));
    flow_begins(&mut lab, attempt);
    assert!(matches!(
        lab.told(session)[..],
        [SessionCommand::RunFlow { .. }]
    ));
    let path = vec!["s".to_owned(), "h".to_owned()];
    lab.says(
        session,
        SessionEvent::FlowEnded {
            path,
            completed: true,
        },
    );
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.records()[0].path, ["s", "h"]);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
    lab.nothing_is_left();
}

#[test]
fn a_person_who_hangs_up_in_the_middle_of_a_broadcast_was_not_reached() {
    let mut lab = Lab::dialing(broadcast(1), 1);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    flow_begins(&mut lab, attempt);
    let path = vec!["s".to_owned()];
    lab.says(
        session,
        SessionEvent::FlowEnded {
            path,
            completed: false,
        },
    );
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHangup]);
}

#[test]
fn whoever_asks_for_an_agent_in_a_broadcast_gets_one_of_the_queue() {
    let mut lab = Lab::dialing(broadcast(1), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Human));
    flow_begins(&mut lab, attempt);
    assert_eq!(lab.state("zoe"), AgentState::Available, "nobody asked yet");
    presses_one(&mut lab, session);
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
}

#[test]
fn whoever_asks_for_an_agent_in_a_broadcast_and_gets_none_was_abandoned() {
    // Nobody serves the queue.
    let mut lab = Lab::dialing(broadcast(1), 1);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Human));
    flow_begins(&mut lab, attempt);
    presses_one(&mut lab, session);
    let left = |command: &&SessionCommand| {
        matches!(
            command,
            SessionCommand::LeaveQueue {
                outcome: QueueOutcome::Unavailable
            }
        )
    };
    assert!(lab.told(session).iter().any(left));
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::Abandoned]);
}

#[test]
fn a_wait_in_a_broadcast_counts_as_abandoned_once_it_is_longer_than_a_person_may_wait() {
    for (waited, disposition) in [
        (1_500, Disposition::AnsweredHangup),
        (2_500, Disposition::Abandoned),
    ] {
        let mut lab = Lab::dialing(broadcast(1), 1);
        lab.nailed_up("zoe");
        lab.command(Command::Pause {
            agent: user("zoe"),
            reason: "lunch".to_owned(),
        });
        let attempt = lab.dialed()[0];
        let session = lab.answers(attempt, Some(Amd::Human));
        flow_begins(&mut lab, attempt);
        presses_one(&mut lab, session);
        lab.pass(waited);
        lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
        assert_eq!(lab.dispositions(), [disposition], "after {waited} ms");
    }
}

#[test]
fn a_broadcast_whose_flow_is_gone_hangs_nobody_up_without_a_word() {
    let mut lab = Lab::dialing(broadcast(1), 1);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    let call = CallId::from(attempt);
    lab.input(Input::FlowFound { call, route: None });
    assert!(matches!(
        lab.told(session)[..],
        [SessionCommand::PlayAndHangUp { .. }]
    ));
}

// === Machines ===

fn with_machines(machine_action: MachineAction) -> (Lab, SessionId, AttemptId) {
    let settings = CampaignSettings {
        amd: true,
        amd_parameters: serde_json::json!({"initial_silence_ms": 2000, "after_greeting_silence_ms": 800}),
        machine_action,
        ..settings(CAMPAIGN)
    };
    let mut lab = agent_of(settings, 1);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Machine));
    (lab, session, attempt)
}

#[test]
fn a_machine_may_hear_a_flow_that_leads_to_no_agent() {
    let flow = flow_id("flw_machine");
    let (mut lab, session, attempt) = with_machines(MachineAction::Flow { flow });
    assert_eq!(lab.phase(attempt), Some(Phase::Flow));
    flow_begins(&mut lab, attempt);
    presses_one(&mut lab, session);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    let path = Vec::new();
    lab.says(
        session,
        SessionEvent::FlowEnded {
            path,
            completed: true,
        },
    );
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredMachine]);
}

#[test]
fn machine_detection_runs_with_the_parameters_of_the_campaign() {
    let (lab, ..) = with_machines(MachineAction::HangUp);
    let purposes: Vec<_> = lab
        .originates()
        .map(|o| format!("{:?}", o.purpose))
        .collect();
    assert!(
        purposes.iter().any(|purpose| purpose.contains("2000,,800")),
        "{purposes:?}"
    );
}

#[test]
fn nobody_listens_for_machines_when_an_agent_listens() {
    let settings = CampaignSettings {
        amd: true,
        ..mode(DialingMode::Manual)
    };
    let mut lab = agent_of(settings, 0);
    dials_by_hand(&mut lab);
    let purposes: Vec<_> = lab
        .originates()
        .map(|o| format!("{:?}", o.purpose))
        .collect();
    assert!(
        purposes.iter().any(|purpose| purpose.contains("amd: None")),
        "{purposes:?}"
    );
}

// === The end of a campaign ===

#[test]
fn a_campaign_that_drains_places_no_calls_and_stops_after_the_last_one() {
    let mut lab = agent_of(settings(CAMPAIGN), 10);
    let attempt = lab.dialed()[0];
    lab.rings(attempt);
    lab.command(Command::Drain(campaign_id(CAMPAIGN)));
    lab.nailed_up("yan");
    assert_eq!(lab.dialed().len(), 1);
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(attempt)), 0);
    lab.talks(attempt);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Draining);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Stopped);
}

#[test]
fn a_campaign_without_calls_has_nothing_to_drain() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 10);
    lab.command(Command::Drain(campaign_id(CAMPAIGN)));
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Stopped);
}

#[test]
fn a_campaign_that_drains_can_be_started_again() {
    let mut lab = agent_of(settings(CAMPAIGN), 10);
    lab.command(Command::Drain(campaign_id(CAMPAIGN)));
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.dialed().len(), 2);
}

#[test]
fn a_campaign_whose_last_agent_left_with_its_last_contact_is_finished() {
    let mut lab = agent_of(settings(CAMPAIGN), 1);
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(Command::LogOut(user("zoe")));
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::Offline);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Finished);
}

#[test]
fn a_campaign_whose_agents_left_before_its_contacts_were_used_up_goes_on_running() {
    let mut lab = agent_of(settings(CAMPAIGN), 2);
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(Command::LogOut(user("zoe")));
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.pass(60_000);
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
}

#[test]
fn contacts_added_while_an_idle_list_is_looked_at_keep_the_campaign_running() {
    let mut lab = Lab::new();
    lab.store_answers = false;
    lab.start(settings(CAMPAIGN));
    lab.command(Command::ContactsAdded(campaign_id(CAMPAIGN)));
    lab.input(Input::ListLookedAt {
        campaign: campaign_id(CAMPAIGN),
        used_up: true,
    });
    assert_eq!(lab.campaign_state(CAMPAIGN), CampaignState::Running);
}

#[test]
fn a_boost_is_shown_and_kept_through_other_commands() {
    let mut lab = agent_of(settings(CAMPAIGN), 10);
    lab.command(Command::Boost {
        campaign: campaign_id(CAMPAIGN),
        boost: 1.5,
    });
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    let boost = lab.board.campaigns[&campaign_id(CAMPAIGN)]
        .settings
        .pacing
        .boost;
    assert!((boost - 1.5).abs() < f64::EPSILON);
}
