//! Conversations that are handed on.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode, NO_ANSWER},
    call::Phase,
    campaign::{CampaignSettings, TrunkSettings},
    disposition::Disposition,
    ids::{AttemptId, FlowId},
    phone::PhoneNumber,
    record::Write,
    switchboard::{Action, Command, FlowWanted, Input, Refused, TransferCall},
    telephony::{
        self, ChannelId, ConnectOutcome, ConnectTarget, Event, SessionCommand, SessionEvent,
        SessionId, SessionKind,
    },
    transfer::{NotDialed, Outcome, Rules, Target},
};

fn showing() -> CampaignSettings {
    CampaignSettings {
        caller_id: Some(shown()),
        ..settings(CAMPAIGN)
    }
}

/// A customer who talks with zoe, who came first; rob is there as well.
fn talking(leg_mode: LegMode) -> (Lab, AttemptId, SessionId) {
    let mut lab = Lab::dialing(showing(), 1);
    lab.log_in("zoe", leg_mode);
    lab.pass(1_000);
    lab.log_in("rob", leg_mode);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    if leg_mode == LegMode::RingPerCall {
        station_answers(&mut lab, attempt, "zoe's");
    }
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    (lab, attempt, session)
}

fn station_answers(lab: &mut Lab, attempt: AttemptId, station: &str) {
    lab.event(Event::StationAnswered {
        customer: ChannelId::for_attempt(attempt),
        station: ChannelId::from(station),
    });
}

fn transfer(attempt: AttemptId, to: Target) -> Command {
    Command::Transfer(TransferCall {
        call: attempt.into(),
        by: user("ada"),
        to,
    })
}

fn to_rob() -> Target {
    Target::Agent(user("rob"))
}

fn refused(lab: &mut Lab, command: Command) -> Refused {
    let refused = lab.board.command(lab.now, command).unwrap_err();
    assert!(lab.board.poll_action().is_none(), "nothing has changed");
    refused
}

/// Legs that were taken out of their conversation.
fn freed(lab: &Lab) -> Vec<ChannelId> {
    let freed = lab.actions.iter().filter_map(|action| match action {
        Action::Telephony(telephony::Command::FreeLeg { leg, .. }) => Some(leg.clone()),
        _ => None,
    });
    freed.collect()
}

/// How the transfers of the only call ended.
fn outcomes(lab: &Lab) -> Vec<(u32, Outcome)> {
    let ended = lab.writes().filter_map(|write| match write {
        Write::TransferEnded {
            ordinal, outcome, ..
        } => Some((*ordinal, *outcome)),
        _ => None,
    });
    ended.collect()
}

fn connected_to(lab: &Lab, session: SessionId) -> &ConnectTarget {
    match lab.told(session).last() {
        Some(SessionCommand::Connect { target, .. }) => target,
        other => panic!("not told to connect but {other:?}"),
    }
}

/// The customer is gone, and everything is said of it.
fn ends(lab: &mut Lab, attempt: AttemptId, session: SessionId) {
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.says(session, SessionEvent::Closed);
    lab.pass(1_000);
    lab.nothing_is_left();
}

#[test]
fn a_call_goes_to_another_agent_and_the_first_one_wraps_up() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    let legs = lab.legs();
    lab.pass(30_000);
    lab.command(transfer(attempt, to_rob()));
    assert_eq!(freed(&lab), [legs[0].clone()]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall, "until it has ended");
    lab.pass(50);
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    assert_eq!(lab.state("rob"), AgentState::Reserved);
    assert_eq!(
        *connected_to(&lab, session),
        ConnectTarget::Leg(legs[1].clone())
    );
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("rob"), AgentState::OnCall);
    lab.pass(20_000);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert!(matches!(
        lab.told(session).last(),
        Some(SessionCommand::HangUp)
    ));
    assert_eq!(lab.state("rob"), AgentState::WrapUp);
    ends(&mut lab, attempt, session);
    assert_eq!(outcomes(&lab), [(1, Outcome::Answered)]);
    let record = &lab.records()[0];
    assert_eq!(record.agent, Some(user("rob")));
    assert_eq!(record.transferred_to, None, "it stayed with us");
    let talked = crate::time::millis_between(
        record.bridged_at.expect("connected"),
        record.unbridged_at.expect("ended"),
    );
    assert_eq!(talked, 50_050, "from the first agent to the last");
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    let counters = lab.board.campaigns[&campaign_id(CAMPAIGN)].counters;
    assert_eq!((counters.bridged, counters.answered_human), (1, 1));
}

#[test]
fn who_asked_and_who_had_the_call_are_written_before_anything_is_done() {
    let (mut lab, attempt, _) = talking(LegMode::NailedUp);
    let before = lab.actions.len();
    lab.command(transfer(attempt, to_rob()));
    let Action::Write(Write::TransferAsked { call, transfer, .. }) = &lab.actions[before] else {
        panic!("{:?}", lab.actions[before])
    };
    assert_eq!(*call, attempt.into());
    assert_eq!(
        (&transfer.by, &transfer.from, transfer.ordinal),
        (&user("ada"), &Some(user("zoe")), 1)
    );
}

#[test]
fn a_station_that_was_rung_is_hung_up_and_the_next_one_rung() {
    let (mut lab, attempt, session) = talking(LegMode::RingPerCall);
    lab.command(transfer(attempt, to_rob()));
    assert_eq!(lab.hung_up(&ChannelId::from("zoe's")), 1);
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(attempt)), 0);
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("rob"), AgentState::Ringing);
    station_answers(&mut lab, attempt, "rob's");
    lab.bridges(&ChannelId::for_attempt(attempt));
    // And back again: the station of whoever talks now is the one that is hung up.
    lab.command(Command::EndWrapUp(user("zoe")));
    lab.command(transfer(attempt, Target::Agent(user("zoe"))));
    assert_eq!(lab.hung_up(&ChannelId::from("rob's")), 1);
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    ends(&mut lab, attempt, session);
    assert_eq!(
        outcomes(&lab),
        [(1, Outcome::Answered), (2, Outcome::Answered)]
    );
    assert_eq!(lab.records()[0].agent, Some(user("zoe")));
}

#[test]
fn a_call_goes_to_a_number_outside_showing_the_number_of_the_campaign() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.pass(30_000);
    lab.command(transfer(attempt, Target::Outside(outside())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    let left = lab.now;
    assert_eq!(
        *connected_to(&lab, session),
        ConnectTarget::Outside {
            endpoint: "PJSIP/+33142278187@carrier".to_owned(),
            seconds: 30,
            caller_id: shown(),
            max_s: 7_200,
        }
    );
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    lab.pass(9_000);
    station_answers(&mut lab, attempt, "outside");
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.phase(attempt), Some(Phase::Bridged));
    lab.pass(600_000);
    assert_eq!(lab.state("zoe"), AgentState::Available, "it is not theirs");
    lab.connect_ended(session, ConnectOutcome::Talked);
    ends(&mut lab, attempt, session);
    let record = &lab.records()[0];
    assert_eq!(record.agent, Some(user("zoe")));
    assert_eq!(record.transferred_to.as_deref(), Some("+33142278187"));
    assert_eq!(record.unbridged_at, Some(left), "zoe talked so long");
    assert_eq!(outcomes(&lab), [(1, Outcome::Answered)]);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
}

#[test]
fn a_supervisor_takes_a_call_back_from_outside() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, Target::Outside(outside())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    station_answers(&mut lab, attempt, "outside");
    lab.bridges(&ChannelId::for_attempt(attempt));
    lab.command(transfer(attempt, to_rob()));
    assert_eq!(lab.hung_up(&ChannelId::from("outside")), 1);
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("rob"), AgentState::OnCall);
    ends(&mut lab, attempt, session);
    assert_eq!(lab.records()[0].agent, Some(user("rob")));
}

#[test]
fn a_transfer_that_nobody_answers_comes_back_to_the_first_agent() {
    let (mut lab, attempt, session) = talking(LegMode::RingPerCall);
    lab.command(transfer(attempt, to_rob()));
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.pass(5_000);
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("rob"), AgentState::Paused(NO_ANSWER.to_owned()));
    assert_eq!(lab.state("zoe"), AgentState::Ringing);
    let notice = lab.board.agents[&user("zoe")].notice.clone();
    assert!(notice.is_some_and(|notice| notice.contains("came back")));
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.connect_ended(session, ConnectOutcome::Talked);
    ends(&mut lab, attempt, session);
    assert_eq!(outcomes(&lab), [(1, Outcome::NoAnswer)]);
    assert_eq!(lab.records()[0].agent, Some(user("zoe")));
    let counters = lab.board.campaigns[&campaign_id(CAMPAIGN)].counters;
    assert_eq!(counters.bridged, 1, "one person was connected");
}

#[test]
fn a_number_outside_that_is_busy_gives_the_call_back() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, Target::Outside(outside())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.pass(3_000);
    lab.connect_ended(session, ConnectOutcome::Failed);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    let legs = lab.legs();
    assert_eq!(
        *connected_to(&lab, session),
        ConnectTarget::Leg(legs[0].clone())
    );
    lab.bridges(&ChannelId::for_attempt(attempt));
    ends(&mut lab, attempt, session);
    assert_eq!(lab.records()[0].transferred_to, None);
}

#[test]
fn with_the_first_agent_gone_the_call_is_taken_by_whoever_is_there() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, Target::Outside(outside())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.command(Command::LogOut(user("zoe")));
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("rob"), AgentState::Reserved);
    lab.bridges(&ChannelId::for_attempt(attempt));
    ends(&mut lab, attempt, session);
    assert_eq!(lab.records()[0].agent, Some(user("rob")));
}

#[test]
fn with_nobody_there_the_person_hears_the_message_and_is_not_counted_as_abandoned() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.pass(600_000);
    lab.command(transfer(attempt, Target::Outside(outside())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    for agent in ["zoe", "rob"] {
        lab.command(Command::LogOut(user(agent)));
    }
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.phase(attempt), Some(Phase::Waiting));
    lab.pass(1_900);
    assert_eq!(lab.phase(attempt), Some(Phase::Waiting), "as long as any");
    lab.pass(200);
    assert!(matches!(
        lab.told(session).last(),
        Some(SessionCommand::PlayAndHangUp { .. })
    ));
    ends(&mut lab, attempt, session);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.ends()[0].late, Some(false));
}

#[test]
fn an_agent_who_took_another_call_meanwhile_does_not_get_this_one() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, to_rob()));
    lab.command(Command::Pause {
        agent: user("rob"),
        reason: "lunch".to_owned(),
    });
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    assert_eq!(lab.state("rob"), AgentState::Paused("lunch".to_owned()));
    lab.bridges(&ChannelId::for_attempt(attempt));
    ends(&mut lab, attempt, session);
    assert_eq!(outcomes(&lab), [(1, Outcome::Failed)]);
}

#[test]
fn whoever_hangs_up_while_the_transfer_rings_ends_it() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, to_rob()));
    lab.connect_ended(session, ConnectOutcome::Talked);
    ends(&mut lab, attempt, session);
    assert_eq!(outcomes(&lab), [(1, Outcome::CallEnded)]);
    assert_eq!(lab.state("rob"), AgentState::Available);
    assert_eq!(lab.records()[0].agent, Some(user("zoe")), "rob never spoke");
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, to_rob()));
    ends(&mut lab, attempt, session);
    assert_eq!(outcomes(&lab), [(1, Outcome::CallEnded)]);
}

#[test]
fn a_conversation_that_does_not_end_for_a_transfer_goes_on() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    lab.command(transfer(attempt, to_rob()));
    lab.pass(5_000);
    assert_eq!(outcomes(&lab), [(1, Outcome::Failed)]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    let notice = lab.board.agents[&user("zoe")].notice.clone();
    assert!(notice.is_some_and(|notice| notice.contains("goes on")));
    // And can be tried again.
    lab.command(transfer(attempt, to_rob()));
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("rob"), AgentState::Reserved);
}

#[test]
fn a_call_goes_to_a_flow_and_through_it_to_a_queue() {
    let (mut lab, attempt, session) = talking(LegMode::NailedUp);
    let flow = FlowId::new("flw_1").unwrap();
    lab.command(transfer(attempt, Target::Flow(flow.clone())));
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    let asked = lab.actions.iter().any(|action| {
        matches!(action, Action::FindFlow { wanted: FlowWanted::Flow(id), .. } if *id == flow)
    });
    assert!(asked);
    lab.input(Input::FlowFound {
        call: attempt.into(),
        route: Some(route()),
    });
    assert!(matches!(
        lab.told(session).last(),
        Some(SessionCommand::RunFlow { .. })
    ));
    lab.says(
        session,
        SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: 60,
        },
    );
    assert_eq!(lab.state("rob"), AgentState::Reserved);
    lab.bridges(&ChannelId::for_attempt(attempt));
    ends(&mut lab, attempt, session);
    let record = &lab.records()[0];
    assert_eq!(record.agent, Some(user("rob")));
    assert_eq!(record.queue, Some(queue_id()));
    assert_eq!(outcomes(&lab), [(1, Outcome::Answered)]);
}

#[test]
fn what_cannot_be_transferred_is_named_with_what_to_do() {
    let (mut lab, attempt, _) = talking(LegMode::NailedUp);
    let mut says = |to: Target| refused(&mut lab, transfer(attempt, to)).to_string();
    let text = says(Target::Agent(user("nobody")));
    assert!(text.contains("not logged in"), "{text}");
    let text = says(Target::Agent(user("zoe")));
    assert!(text.contains("on-call"), "{text}");
    lab.command(transfer(attempt, to_rob()));
    let text = refused(&mut lab, transfer(attempt, to_rob())).to_string();
    assert!(text.contains("already"), "{text}");
    let other = AttemptId(uuid::Uuid::from_u128(5));
    assert_eq!(
        refused(&mut lab, transfer(other, to_rob())),
        Refused::UnknownCall(other.into())
    );
    let mut lab = Lab::dialing(showing(), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let text = refused(&mut lab, transfer(attempt, to_rob())).to_string();
    assert!(text.contains("nobody talks"), "{text}");
}

#[test]
fn a_number_that_costs_more_or_is_elsewhere_is_never_dialed() {
    let (mut lab, attempt, _) = talking(LegMode::NailedUp);
    let mut why = |text: &str| {
        let number = PhoneNumber::try_from(text.to_owned()).unwrap();
        match refused(&mut lab, transfer(attempt, Target::Outside(number))) {
            Refused::NotDialed { why, .. } => why,
            other => panic!("{other}"),
        }
    };
    assert_eq!(why("+33899123456"), NotDialed::Premium);
    assert_eq!(why("+442079460000"), NotDialed::Country);
    assert_eq!(why("+33000000000"), NotDialed::NotAssigned);
    let own = refused(&mut lab, transfer(attempt, Target::Outside(number())));
    assert!(own.to_string().contains("the person on it"), "{own}");
}

#[test]
fn without_a_number_to_show_nobody_outside_is_called() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    let refused = refused(&mut lab, transfer(attempt, Target::Outside(outside())));
    assert!(refused.to_string().contains("caller id"), "{refused}");
}

#[test]
fn lines_outside_count_on_their_trunk_and_are_never_more_than_allowed() {
    let narrow = |max_channels| CampaignSettings {
        trunks: vec![TrunkSettings {
            max_channels,
            ..trunk("trk_1")
        }],
        ..showing()
    };
    let two = |lab: &mut Lab| {
        for agent in ["zoe", "rob"] {
            lab.nailed_up(agent);
        }
        let attempts = lab.dialed();
        let sessions: Vec<_> = attempts.iter().map(|a| lab.talks(*a)).collect();
        (attempts, sessions)
    };
    // Two lines talk, and the trunk has three.
    let mut lab = Lab::dialing(narrow(3), 9);
    let (attempts, sessions) = two(&mut lab);
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    lab.command(transfer(attempts[0], Target::Outside(outside())));
    let to_outside = transfer(attempts[1], Target::Outside(outside()));
    let full = refused(&mut lab, to_outside.clone());
    assert!(full.to_string().contains("no trunk"), "{full}");
    // It is free again when the first one is over, and dialing counts it meanwhile.
    lab.command(Command::Start {
        campaign: campaign_id(CAMPAIGN),
        epoch: 2,
    });
    lab.connect_ended(sessions[0], ConnectOutcome::Talked);
    lab.pass(20_000);
    assert_eq!(lab.dialed().len(), 2, "zoe is free, the trunk is not");
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    lab.hangs_up(&ChannelId::for_attempt(attempts[0]), 16);
    lab.command(to_outside);

    let mut lab = Lab::dialing(narrow(100), 2);
    lab.board = std::mem::take(&mut lab.board).with_transfer_rules(Rules {
        max_at_once: 1,
        ..Rules::default()
    });
    let (attempts, _) = two(&mut lab);
    lab.command(transfer(attempts[0], Target::Outside(outside())));
    let full = refused(&mut lab, transfer(attempts[1], Target::Outside(outside())));
    assert!(full.to_string().contains("as many calls"), "{full}");
}

#[test]
fn a_daemon_that_is_being_stopped_places_no_call_outside() {
    let (mut lab, attempt, _) = talking(LegMode::NailedUp);
    lab.board.drain();
    let refused = refused(&mut lab, transfer(attempt, Target::Outside(outside())));
    assert!(refused.to_string().contains("stopped"), "{refused}");
    lab.command(transfer(attempt, to_rob()));
}

/// A caller who talks with zoe.
fn caller_talks(lab: &mut Lab) -> (crate::ids::CallId, SessionId) {
    let (session, channel) = (SessionId(7), ChannelId::from("1763630000.12"));
    let call = crate::ids::CallId(uuid::Uuid::from_u128(50));
    lab.nailed_up("zoe");
    lab.event(Event::SessionOpened {
        session,
        server: server(),
        channel: channel.clone(),
        kind: SessionKind::Inbound {
            call,
            did: "33142278186".to_owned(),
            caller: None,
            endpoint: None,
        },
    });
    lab.input(Input::FlowFound {
        call,
        route: Some(route()),
    });
    lab.says(
        session,
        SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: 60,
        },
    );
    lab.bridges(&channel);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    (call, session)
}

#[test]
fn a_caller_is_transferred_outside_through_the_trunk_for_it_showing_our_number() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 0);
    let (call, session) = caller_talks(&mut lab);
    let command = Command::Transfer(TransferCall {
        call,
        by: user("zoe"),
        to: Target::Outside(outside()),
    });
    let none = refused(&mut lab, command.clone());
    assert!(none.to_string().contains("no trunk"), "{none}");
    lab.board = std::mem::take(&mut lab.board).with_transfer_rules(Rules {
        trunk: Some("carrier".to_owned()),
        ..Rules::default()
    });
    lab.command(command);
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert!(matches!(
        connected_to(&lab, session),
        ConnectTarget::Outside { caller_id, .. } if *caller_id == shown()
    ));
    // Nobody there: zoe is free again, and gets the caller back.
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
}

#[test]
fn a_caller_whom_nobody_takes_back_waits_in_the_queue_again() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 0);
    lab.board = std::mem::take(&mut lab.board).with_transfer_rules(Rules {
        trunk: Some("carrier".to_owned()),
        ..Rules::default()
    });
    let (call, session) = caller_talks(&mut lab);
    lab.pass(500_000);
    lab.command(Command::Transfer(TransferCall {
        call,
        by: user("zoe"),
        to: Target::Outside(outside()),
    }));
    lab.command(Command::Pause {
        agent: user("zoe"),
        reason: "lunch".to_owned(),
    });
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    lab.pass(59_000);
    assert_eq!(lab.board.calls[&call].phase, Phase::Waiting);
    lab.command(Command::Ready(user("zoe")));
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
}
