//! The daemon was killed: what the database and the exchange know is taken up again.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode},
    call::{AttemptFacts, InboundFacts, Kind, Phase},
    campaign::{CampaignSettings, CampaignState, DeskSettings},
    disposition::Disposition,
    ids::{AttemptId, CallId, ContactId, UserId},
    record::Write,
    retry::AfterAttempt,
    switchboard::{Action, Command, Input, Restored, RestoredCall, RestoredSession},
    telephony::{ChannelId, Event, ServerName, SessionId, SessionKind},
    time::{Timestamp, after},
    transfer::{Line, Outcome, Target, Transfer},
};
use uuid::Uuid;

const SESSION: u128 = 77;

fn attempt() -> AttemptId {
    AttemptId(Uuid::from_u128(1))
}

fn customer() -> ChannelId {
    ChannelId::for_attempt(attempt())
}

fn outbound(answered: bool, bridged: Option<&str>) -> RestoredCall {
    let facts = AttemptFacts {
        segment: crate::pacing::Segment::default(),
        attempt: attempt(),
        campaign: campaign_id(CAMPAIGN),
        contact: ContactId::generate(Uuid::from_u128(1)),
        number: number(),
        ordinal: 1,
        epoch: 1,
        trunk: trunk_id("trk_1"),
        caller_id: None,
        wanted_agent: None,
    };
    RestoredCall {
        id: CallId::from(attempt()),
        server: server(),
        channel: customer(),
        kind: Kind::Outbound(facts),
        queue: None,
        started_at: start_of_time(),
        answered_at: answered.then(|| at(5)),
        bridged: bridged.map(|agent| (at(6), user(agent))),
        transfer: None,
        transfers: 0,
    }
}

fn caller() -> ChannelId {
    ChannelId::from("1763630000.12")
}

fn inbound(bridged: Option<&str>) -> RestoredCall {
    let facts = InboundFacts {
        did: "+33123456789".to_owned(),
        caller: None,
    };
    RestoredCall {
        id: CallId(Uuid::from_u128(50)),
        channel: caller(),
        kind: Kind::Inbound(facts),
        queue: bridged.map(|_| queue_id()),
        ..outbound(true, bridged)
    }
}

fn at(seconds: u64) -> Timestamp {
    after(start_of_time(), seconds * 1_000)
}

fn session(leg_mode: LegMode, state: AgentState) -> RestoredSession {
    RestoredSession {
        login: login("zoe", SESSION, leg_mode),
        legs_dialed: 2,
        state,
    }
}

fn leg() -> ChannelId {
    ChannelId::for_leg(crate::ids::AgentSessionId(Uuid::from_u128(SESSION)), 2)
}

fn restarted(calls: Vec<RestoredCall>, sessions: Vec<RestoredSession>) -> Lab {
    restarted_with(
        settings(CAMPAIGN),
        Restored {
            calls,
            sessions,
            ..Restored::default()
        },
    )
}

fn restarted_with(settings: CampaignSettings, restored: Restored) -> Lab {
    let mut lab = Lab::unconnected();
    lab.now = at(60);
    lab.list.extend([0; 5]);
    lab.input(Input::Restored(Box::new(Restored {
        campaigns: vec![(settings, CampaignState::Running, 4)],
        ..restored
    })));
    lab.pass(2_000);
    lab
}

fn has_call(lab: &Lab, agent: &UserId) -> Option<CallId> {
    lab.board.agents[agent].call
}

#[test]
fn a_conversation_is_adopted_with_the_agent_whose_leg_is_in_its_bridge() {
    let mut lab = restarted(
        vec![outbound(true, None)],
        vec![session(LegMode::NailedUp, AgentState::Reserved)],
    );
    assert!(!lab.state("zoe").has_call());
    lab.snapshot(&[
        live(&customer(), true, Some("b")),
        live(&leg(), true, Some("b")),
    ]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    assert_eq!(has_call(&lab, &user("zoe")), Some(CallId::from(attempt())));
    assert_eq!(lab.board.stats(lab.now).adopted, 1);
    assert!(
        lab.legs().is_empty() && lab.dialed().is_empty(),
        "nothing is dialed twice"
    );
    lab.hangs_up(&customer(), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
}

#[test]
fn a_conversation_at_a_rung_station_is_adopted_with_the_agent_in_the_database() {
    let mut lab = restarted(
        vec![outbound(true, Some("zoe"))],
        vec![session(LegMode::RingPerCall, AgentState::OnCall)],
    );
    lab.snapshot(&[live(&customer(), true, Some("b"))]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    let bridged = lab.writes().find_map(|w| match w {
        Write::AttemptBridged { at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(
        bridged,
        Some(at(6)),
        "it was connected before the restart, not now"
    );
    lab.hangs_up(&customer(), 16);
    assert_eq!(lab.records()[0].bridged_at, Some(at(6)));
}

#[test]
fn a_conversation_without_a_known_agent_goes_on() {
    let mut lab = restarted(vec![outbound(true, None)], vec![]);
    for _ in 0..3 {
        lab.snapshot(&[live(&customer(), true, Some("b"))]);
        lab.pass(400_000);
    }
    assert_eq!(lab.phase(attempt()), Some(Phase::Bridged));
    assert_eq!(lab.board.stats(lab.now).adopted, 1);
    lab.hangs_up(&customer(), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
}

#[test]
fn an_agent_who_may_be_talking_gets_no_call_before_the_exchange_was_heard() {
    let mut lab = restarted(
        vec![outbound(true, Some("zoe"))],
        vec![session(LegMode::RingPerCall, AgentState::OnCall)],
    );
    let session = SessionId(1);
    lab.event(Event::SessionOpened {
        session,
        server: server(),
        channel: ChannelId::from("1763630000.12"),
        kind: SessionKind::Inbound {
            call: CallId(Uuid::from_u128(50)),
            did: "+33123456789".to_owned(),
            caller: None,
            endpoint: None,
        },
    });
    lab.input(Input::FlowFound {
        call: CallId(Uuid::from_u128(50)),
        route: Some(route()),
    });
    lab.says(
        session,
        crate::telephony::SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: 60,
        },
    );
    assert_eq!(lab.state("zoe"), AgentState::Available);
    lab.snapshot(&[
        live(&customer(), true, Some("b")),
        live(&ChannelId::from("1763630000.12"), true, None),
    ]);
    assert_eq!(has_call(&lab, &user("zoe")), Some(CallId::from(attempt())));
}

#[test]
fn a_station_that_was_ringing_when_the_daemon_died_may_still_answer() {
    let mut lab = restarted(vec![outbound(true, None)], vec![]);
    lab.snapshot(&[live(&customer(), true, None)]);
    assert_eq!(lab.phase(attempt()), Some(Phase::Answered));
    lab.pass(10_000);
    lab.bridges(&customer());
    lab.pass(60_000);
    assert_eq!(lab.hung_up(&customer()), 0);
    assert_eq!(lab.phase(attempt()), Some(Phase::Bridged));
}

#[test]
fn a_ringing_line_is_adopted_and_connected() {
    let mut lab = restarted(
        vec![outbound(false, None)],
        vec![session(LegMode::NailedUp, AgentState::Available)],
    );
    lab.snapshot(&[live(&customer(), false, None), live(&leg(), true, None)]);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    assert!(
        lab.dialed().is_empty(),
        "the adopted line speaks for the agent"
    );
    lab.talks(attempt());
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
}

#[test]
fn what_vanished_while_the_daemon_was_away_is_unknown() {
    let mut lab = restarted(
        vec![outbound(false, None)],
        vec![session(LegMode::NailedUp, AgentState::Available)],
    );
    lab.snapshot(&[live(&leg(), true, None)]);
    lab.pass(1_000);
    assert_eq!(lab.dispositions(), [Disposition::Unknown]);
    assert_eq!(lab.dialed().len(), 1, "the campaign goes on");
    assert_ne!(lab.dialed()[0], attempt());
}

#[test]
fn a_waiting_customer_comes_back_through_the_dialplan() {
    let mut lab = restarted(
        vec![outbound(true, None)],
        vec![session(LegMode::NailedUp, AgentState::Available)],
    );
    lab.snapshot(&[live(&customer(), true, None), live(&leg(), true, None)]);
    let session = lab.hands_over(attempt(), None);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    assert_eq!(lab.told(session).len(), 1);
}

#[test]
fn a_customer_can_come_back_before_the_first_snapshot() {
    let mut lab = restarted(
        vec![outbound(true, None)],
        vec![session(LegMode::NailedUp, AgentState::Available)],
    );
    lab.hands_over(attempt(), None);
    lab.snapshot(&[live(&customer(), true, None), live(&leg(), true, None)]);
    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    lab.bridges(&customer());
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
}

#[test]
fn a_caller_comes_back_as_the_same_call() {
    let channel = caller();
    let id = CallId(Uuid::from_u128(50));
    let mut lab = restarted(vec![inbound(None)], vec![]);
    lab.snapshot(&[live(&channel, true, None)]);
    lab.event(Event::SessionOpened {
        session: SessionId(1),
        server: server(),
        channel: channel.clone(),
        kind: SessionKind::Inbound {
            call: CallId(Uuid::from_u128(51)),
            did: "+33123456789".to_owned(),
            caller: None,
            endpoint: None,
        },
    });
    assert_eq!(lab.board.calls.keys().collect::<Vec<_>>(), [&id]);
    assert!(
        !lab.writes()
            .any(|w| matches!(w, Write::InboundStarted { .. }))
    );
    lab.hangs_up(&channel, 16);
    assert_eq!(lab.records().len(), 1);
    lab.nothing_is_left();
}

#[test]
fn stopping_before_the_first_snapshot_cuts_no_conversation() {
    let mut lab = restarted(vec![outbound(true, Some("zoe"))], vec![]);
    lab.command(Command::Stop(campaign_id(CAMPAIGN)));
    assert_eq!(lab.hung_up(&customer()), 0);
}

#[test]
fn a_leg_that_vanished_is_dialed_again_under_a_new_id() {
    let mut lab = restarted(
        vec![],
        vec![session(LegMode::NailedUp, AgentState::Available)],
    );
    lab.snapshot(&[]);
    lab.pass(2_000);
    assert_eq!(lab.legs().len(), 1);
    assert_ne!(lab.legs()[0], leg());
    lab.answer_leg();
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn an_agent_who_was_paused_stays_paused() {
    let lunch = AgentState::Paused("lunch".to_owned());
    let mut lab = restarted(vec![], vec![session(LegMode::NailedUp, lunch.clone())]);
    lab.snapshot(&[live(&leg(), true, None)]);
    assert_eq!(lab.state("zoe"), lunch);
    assert!(lab.dialed().is_empty());
}

#[test]
fn a_conversation_with_a_caller_is_adopted_with_its_agent() {
    let mut lab = restarted(
        vec![inbound(Some("zoe"))],
        vec![session(LegMode::RingPerCall, AgentState::OnCall)],
    );
    lab.snapshot(&[live(&caller(), true, Some("b"))]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    assert!(
        !lab.writes()
            .any(|w| matches!(w, Write::InboundBridged { .. })),
        "it was written before the restart"
    );
    lab.hangs_up(&caller(), 16);
    let record = &lab.records()[0];
    assert_eq!(
        (record.bridged_at, record.agent.as_ref()),
        (Some(at(6)), Some(&user("zoe")))
    );
    assert_eq!(record.queue, Some(queue_id()));
}

#[test]
fn a_conversation_that_was_recorded_keeps_its_recording() {
    let recorded = CampaignSettings {
        record: true,
        ..settings(CAMPAIGN)
    };
    let file = Some(format!("{}.wav", CallId::from(attempt())));
    // Talking now, connected just now, and over before anybody looked.
    for (bridged, bridge) in [(Some("zoe"), Some("b")), (None, Some("b")), (None, None)] {
        let restored = Restored {
            calls: vec![outbound(true, bridged)],
            ..Restored::default()
        };
        let mut lab = restarted_with(recorded.clone(), restored);
        lab.snapshot(&[live(&customer(), true, bridge)]);
        lab.hangs_up(&customer(), 16);
        let expected = file.clone().filter(|_| bridge.is_some());
        assert_eq!(lab.records()[0].recording, expected);
    }
    let restored = Restored {
        calls: vec![outbound(true, Some("zoe"))],
        ..Restored::default()
    };
    let mut lab = restarted_with(recorded, restored);
    lab.snapshot(&[]);
    assert_eq!(lab.records()[0].recording, file);
}

#[test]
fn a_conversation_lasts_no_longer_for_a_restart_in_its_middle() {
    let limited = CampaignSettings {
        desk: DeskSettings {
            max_call_s: 120,
            ..DeskSettings::default()
        },
        ..settings(CAMPAIGN)
    };
    let restored = Restored {
        calls: vec![outbound(true, Some("zoe"))],
        ..Restored::default()
    };
    let mut lab = restarted_with(limited, restored);
    lab.snapshot(&[live(&customer(), true, Some("b"))]);
    // It was connected at 6 s.
    lab.pass(crate::time::millis_between(lab.now, at(126)) - 1);
    assert_eq!(lab.hung_up(&customer()), 0);
    lab.pass(1);
    assert_eq!(lab.hung_up(&customer()), 1);
}

#[test]
fn what_was_on_an_exchange_that_is_not_configured_any_more_is_closed_at_once() {
    for (bridged, disposition) in [
        (None, Disposition::Unknown),
        (Some("zoe"), Disposition::AnsweredHuman),
    ] {
        let lab = restarted_with(
            settings(CAMPAIGN),
            Restored {
                calls: vec![outbound(bridged.is_some(), bridged), inbound(None)],
                sessions: vec![session(LegMode::NailedUp, AgentState::OnCall)],
                servers: vec![ServerName::from("elsewhere")],
                ..Restored::default()
            },
        );
        assert_eq!(lab.dispositions(), [disposition]);
        assert_eq!(lab.records().len(), 2);
        assert_eq!(lab.state("zoe"), AgentState::Offline);
        assert!(
            lab.writes()
                .any(|w| matches!(w, Write::SessionClosed { .. }))
        );
        let told = |a: &Action| matches!(a, Action::Telephony(_));
        assert!(!lab.actions.iter().any(told), "there is nobody to tell");
        lab.nothing_is_left();
    }
}

#[test]
fn what_is_on_a_configured_exchange_waits_for_its_snapshot() {
    let lab = restarted_with(
        settings(CAMPAIGN),
        Restored {
            calls: vec![outbound(false, None)],
            sessions: vec![session(LegMode::NailedUp, AgentState::Available)],
            servers: vec![ServerName::from("elsewhere"), server()],
            ..Restored::default()
        },
    );
    assert_eq!(lab.phase(attempt()), Some(Phase::Restored));
    assert_ne!(lab.state("zoe"), AgentState::Offline);
}

#[test]
fn an_unknown_end_without_a_rule_leaves_the_contact_given_up_and_not_called() {
    let mut lab = restarted(vec![outbound(false, None)], vec![]);
    lab.snapshot(&[]);
    lab.pass(1_000);
    assert_eq!(lab.dispositions(), [Disposition::Unknown]);
    assert_eq!(lab.after_last(), AfterAttempt::Exhausted);
}

#[test]
fn a_personal_callback_that_rang_during_the_restart_still_goes_to_its_agent() {
    let mut call = outbound(false, None);
    if let Kind::Outbound(facts) = &mut call.kind {
        facts.wanted_agent = Some(user("zoe"));
    }
    let mut lab = restarted(
        vec![call],
        vec![session(LegMode::RingPerCall, AgentState::Reserved)],
    );
    // Amy has waited longer, and may take any other call.
    let amy = lab.unique();
    lab.now = at(30);
    lab.log_in_as(login("amy", amy, LegMode::RingPerCall));
    lab.now = at(70);
    lab.snapshot(&[live(&customer(), false, None)]);
    assert_eq!(
        has_call(&lab, &user("zoe")),
        Some(CallId::from(attempt())),
        "she is kept for it"
    );
    let opened = lab.answers(attempt(), None);
    assert!(!lab.told(opened).is_empty(), "it is connected");
    assert_eq!(lab.state("zoe"), AgentState::Ringing);
}

/// A conversation that an earlier run handed on to a number outside.
fn outside_call(answered: bool) -> RestoredCall {
    let transfer = Transfer {
        ordinal: 1,
        by: user("ada"),
        from: Some(user("zoe")),
        target: Target::Outside(outside()),
        line: Some(Line {
            trunk: trunk_id("trk_1"),
            endpoint: "PJSIP/+33142278187@carrier".to_owned(),
            caller_id: shown(),
        }),
        answered_at: answered.then(|| at(20)),
    };
    RestoredCall {
        transfer: Some(transfer),
        transfers: 1,
        ..outbound(true, Some("zoe"))
    }
}

#[test]
fn a_call_that_talks_outside_is_not_given_back_to_the_agent_who_transferred_it() {
    for answered in [true, false] {
        let zoe = session(LegMode::NailedUp, AgentState::OnCall);
        let mut lab = restarted(vec![outside_call(answered)], vec![zoe]);
        lab.snapshot(&[live(&leg(), true, None), live(&customer(), true, Some("b"))]);
        assert_eq!(lab.phase(attempt()), Some(Phase::Bridged));
        assert_eq!(lab.state("zoe"), AgentState::Available);
        lab.hangs_up(&customer(), 16);
        let record = &lab.records()[0];
        assert_eq!(record.agent, Some(user("zoe")));
        let ended = lab.writes().any(|write| {
            matches!(
                write,
                Write::TransferEnded {
                    outcome: Outcome::Answered,
                    ..
                }
            )
        });
        assert!(ended);
    }
}

#[test]
fn a_call_whose_transfer_had_not_begun_goes_on_with_its_agent() {
    let zoe = session(LegMode::NailedUp, AgentState::OnCall);
    let mut lab = restarted(vec![outside_call(false)], vec![zoe]);
    lab.snapshot(&[
        live(&leg(), true, Some("b")),
        live(&customer(), true, Some("b")),
    ]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    let ended = lab.writes().any(|write| {
        matches!(
            write,
            Write::TransferEnded {
                outcome: Outcome::Failed,
                ..
            }
        )
    });
    assert!(ended);
}
