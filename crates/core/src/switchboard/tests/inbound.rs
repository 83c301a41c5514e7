//! Callers: flows, queues and agents.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode, NO_ANSWER},
    call::Phase,
    disposition::Disposition,
    ids::{CallId, FlowId},
    ivr::QueueOutcome,
    record::Write,
    switchboard::{Action, Command, FlowWanted, Input},
    telephony::{
        ChannelId, ConnectOutcome, Event, ServerName, SessionCommand, SessionEvent, SessionId,
        SessionKind,
    },
};

const CALLER: SessionId = SessionId(1);

fn channel() -> ChannelId {
    ChannelId::from("1763630000.12")
}

fn call_id() -> CallId {
    CallId(uuid::Uuid::from_u128(50))
}

fn phase(lab: &Lab) -> Option<Phase> {
    lab.board.calls.get(&call_id()).map(|call| call.phase)
}

fn arrives(lab: &mut Lab) {
    lab.event(Event::SessionOpened {
        session: CALLER,
        server: server(),
        channel: channel(),
        kind: SessionKind::Inbound {
            call: call_id(),
            did: "+33123456789".to_owned(),
            caller: Some("+33639981234".to_owned()),
            endpoint: Some("carrier".to_owned()),
        },
    });
}

/// A caller who runs a flow.
fn in_flow(lab: &mut Lab) {
    arrives(lab);
    lab.input(Input::FlowFound {
        call: call_id(),
        route: Some(route()),
    });
}

fn queued(lab: &mut Lab) {
    in_flow(lab);
    lab.says(
        CALLER,
        SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: 60,
        },
    );
}

fn hangs_up(lab: &mut Lab) {
    lab.hangs_up(&channel(), 16);
    lab.says(CALLER, SessionEvent::Closed);
    lab.pass(1_000);
}

fn outcome(lab: &Lab) -> Option<QueueOutcome> {
    match lab.told(CALLER).last() {
        Some(SessionCommand::LeaveQueue { outcome }) => Some(*outcome),
        _ => None,
    }
}

#[test]
fn a_caller_runs_the_flow_of_the_number_that_they_dialed() {
    let mut lab = Lab::new();
    in_flow(&mut lab);
    assert!(
        lab.actions
            .iter()
            .any(|a| matches!(a, Action::FindFlow { wanted: FlowWanted::OfNumber { did, server: at, endpoint }, .. }
                if did == "+33123456789" && *at == server() && endpoint.as_deref() == Some("carrier")))
    );
    assert!(matches!(
        lab.told(CALLER)[..],
        [SessionCommand::RunFlow { .. }]
    ));
    lab.says(
        CALLER,
        SessionEvent::Voicemail {
            path: "voicemail/x.wav".to_owned(),
            duration_ms: 900,
            mailbox: None,
        },
    );
    lab.says(
        CALLER,
        SessionEvent::FlowEnded {
            path: vec!["s".to_owned(), "h".to_owned()],
            completed: true,
        },
    );
    hangs_up(&mut lab);
    let record = &lab.records()[0];
    assert_eq!(record.path, ["s", "h"]);
    assert_eq!(record.flow, Some((FlowId::new("flw_1").unwrap(), 3)));
    assert_eq!(record.voicemail, Some(("voicemail/x.wav".to_owned(), 900)));
    assert_eq!(record.disposition, None, "nobody asked for an agent");
    lab.nothing_is_left();
}

#[test]
fn a_number_without_a_flow_says_so() {
    let mut lab = Lab::new();
    arrives(&mut lab);
    lab.input(Input::FlowFound {
        call: call_id(),
        route: None,
    });
    assert!(matches!(
        lab.told(CALLER)[..],
        [SessionCommand::PlayAndHangUp { .. }]
    ));
    hangs_up(&mut lab);
    lab.nothing_is_left();
}

#[test]
fn a_flow_that_is_never_found_is_not_waited_for_in_silence() {
    let mut lab = Lab::new();
    arrives(&mut lab);
    lab.pass(20_000);
    assert!(matches!(
        lab.told(CALLER)[..],
        [SessionCommand::PlayAndHangUp { .. }]
    ));
    lab.input(Input::FlowFound {
        call: call_id(),
        route: Some(route()),
    });
    assert_eq!(lab.told(CALLER).len(), 1, "too late");
}

#[test]
fn a_queued_caller_is_connected_to_an_idle_agent() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    queued(&mut lab);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    lab.bridges(&channel());
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.connect_ended(CALLER, ConnectOutcome::Talked);
    assert!(matches!(
        lab.told(CALLER).last(),
        Some(SessionCommand::HangUp)
    ));
    hangs_up(&mut lab);
    let record = &lab.records()[0];
    assert_eq!(
        (record.disposition, record.agent.clone()),
        (Some(Disposition::AnsweredHuman), Some(user("zoe")))
    );
    assert_eq!(lab.state("zoe"), AgentState::Available);
    lab.nothing_is_left();
}

#[test]
fn a_caller_waits_for_an_agent_who_becomes_available() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("rob", 7, LegMode::RingPerCall)));
    queued(&mut lab);
    lab.pass(30_000);
    assert_eq!(phase(&lab), Some(Phase::Waiting));
    lab.command(Command::Ready(user("rob")));
    assert_eq!(lab.state("rob"), AgentState::Ringing);
}

#[test]
fn callers_are_connected_in_the_order_in_which_they_came_and_outbound_customers_first() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    lab.command(Command::Pause {
        agent: user("rob"),
        reason: "lunch".to_owned(),
    });
    queued(&mut lab);
    lab.pass(500);
    lab.answers(attempt, None);
    lab.command(Command::Ready(user("rob")));
    assert_eq!(lab.board.agents[&user("rob")].call, Some(attempt.into()));
    assert_eq!(phase(&lab), Some(Phase::Waiting));
}

#[test]
fn a_queue_that_nobody_serves_is_left_at_once() {
    let mut lab = Lab::new();
    let mut elsewhere = login("far", 8, LegMode::RingPerCall);
    elsewhere.server = ServerName::from("elsewhere");
    lab.log_in_as(elsewhere);
    queued(&mut lab);
    assert_eq!(outcome(&lab), Some(QueueOutcome::Unavailable));
    assert_eq!(phase(&lab), Some(Phase::Flow));
}

#[test]
fn a_caller_who_waited_long_enough_goes_on_with_the_flow() {
    let mut lab = Lab::new();
    lab.command(Command::LogIn(login("rob", 7, LegMode::RingPerCall)));
    queued(&mut lab);
    lab.pass(60_000);
    assert_eq!(outcome(&lab), Some(QueueOutcome::TimedOut));
    // The next queue of the flow is a wait of its own.
    lab.says(
        CALLER,
        SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: 60,
        },
    );
    lab.pass(59_000);
    assert_eq!(phase(&lab), Some(Phase::Waiting));
    hangs_up(&mut lab);
    assert_eq!(lab.records()[0].disposition, Some(Disposition::Abandoned));
    lab.nothing_is_left();
}

#[test]
fn a_caller_whose_agent_does_not_answer_gets_the_next_one() {
    let mut lab = Lab::new();
    lab.log_in("rob", LegMode::RingPerCall);
    lab.pass(1_000);
    lab.log_in("sue", LegMode::RingPerCall);
    queued(&mut lab);
    assert_eq!(lab.state("rob"), AgentState::Ringing);
    lab.pass(20_000);
    lab.connect_ended(CALLER, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("rob"), AgentState::Paused(NO_ANSWER.to_owned()));
    assert_eq!(lab.state("sue"), AgentState::Ringing);
}

#[test]
fn a_session_that_closes_ends_the_call_in_every_phase() {
    type Until = fn(&mut Lab);
    let phases: [Until; 5] = [
        arrives,
        in_flow,
        |lab| {
            lab.command(Command::LogIn(login("rob", 7, LegMode::RingPerCall)));
            queued(lab);
        },
        |lab| {
            lab.log_in("rob", LegMode::RingPerCall);
            queued(lab);
        },
        |lab| {
            lab.log_in("rob", LegMode::RingPerCall);
            queued(lab);
            lab.bridges(&channel());
        },
    ];
    for until in phases {
        let mut lab = Lab::new();
        until(&mut lab);
        lab.says(CALLER, SessionEvent::Closed);
        assert_eq!(phase(&lab), Some(Phase::Ending));
        lab.hangs_up(&channel(), 16);
        assert_eq!(lab.records().len(), 1);
        lab.nothing_is_left();
    }
}

#[test]
fn a_caller_whose_hang_up_was_never_seen_is_looked_for() {
    let mut lab = Lab::new();
    // AMI told of the hang-up before FastAGI told of the call.
    lab.hangs_up(&channel(), 16);
    in_flow(&mut lab);
    lab.says(CALLER, SessionEvent::Closed);
    lab.pass(5_000);
    assert_eq!(lab.syncs(), 1);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(lab.records().len(), 1);
    lab.nothing_is_left();
}

#[test]
fn a_channel_that_we_dialed_cannot_pose_as_a_caller() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    lab.event(Event::SessionOpened {
        session: CALLER,
        server: server(),
        channel: ChannelId::for_attempt(attempt),
        kind: SessionKind::Inbound {
            call: call_id(),
            did: "1".to_owned(),
            caller: None,
            endpoint: None,
        },
    });
    assert!(matches!(lab.told(CALLER)[..], [SessionCommand::HangUp]));
    assert_eq!(lab.phase(attempt), Some(Phase::Dialing));
}

#[test]
fn who_took_a_caller_is_written_when_they_are_connected_and_once() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    queued(&mut lab);
    lab.pass(1_000);
    lab.bridges(&channel());
    let connected = lab.now;
    lab.pass(1_000);
    lab.event(Event::BridgeLeft { channel: channel() });
    lab.bridges(&channel());
    hangs_up(&mut lab);
    let written: Vec<_> = lab
        .writes()
        .filter(|write| matches!(write, Write::InboundBridged { .. }))
        .collect();
    let expected = Write::InboundBridged {
        call: call_id(),
        agent: user("zoe"),
        queue: Some(queue_id()),
        at: connected,
    };
    assert_eq!(written, [&expected]);
}
