//! Outbound calls, from the dial to what is written of them.

use super::harness::*;
use crate::{
    agent::{AgentState, LegMode, NO_ANSWER},
    call::Phase,
    campaign::MachineAction,
    disposition::Disposition,
    ids::CallId,
    record::Write,
    retry::AfterAttempt,
    switchboard::Command,
    telephony::{
        Amd, ChannelId, ConnectOutcome, ConnectTarget, Event, SessionCommand, SessionEvent,
        SessionId, SessionKind,
    },
    time::after,
};

#[test]
fn an_answered_customer_gets_the_agent_who_has_waited_longest() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    lab.pass(1_000);
    lab.nailed_up("adam");
    lab.list.extend([0]);
    lab.start(settings(CAMPAIGN));
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);

    assert_eq!(lab.state("zoe"), AgentState::Reserved);
    assert_eq!(lab.state("adam"), AgentState::Available);
    let leg = lab.legs()[0].clone();
    assert!(
        matches!(lab.told(session)[..], [SessionCommand::Connect { target: ConnectTarget::Leg(to), .. }] if *to == leg)
    );
}

#[test]
fn a_conversation_is_followed_by_wrap_up_and_then_the_next_customer() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 2);
    lab.nailed_up("zoe");
    let first = lab.dialed()[0];
    let session = lab.talks(first);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    assert!(
        lab.writes()
            .any(|w| matches!(w, Write::AttemptBridged { attempt, .. } if *attempt == first))
    );
    lab.pass(60_000);
    lab.connect_ended(session, ConnectOutcome::Talked);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    assert!(matches!(
        lab.told(session).last(),
        Some(SessionCommand::HangUp)
    ));
    lab.hangs_up(&ChannelId::for_attempt(first), 16);
    lab.says(session, SessionEvent::Closed);

    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.after_last(), AfterAttempt::Called);
    assert_eq!(lab.records()[0].agent, Some(user("zoe")));
    lab.nothing_is_left();
    lab.pass(9_999);
    assert_eq!(
        lab.dialed().len(),
        1,
        "nobody is dialed for an agent who wraps up"
    );
    lab.pass(1);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    assert_eq!(lab.dialed().len(), 2);
}

#[test]
fn without_wrap_up_time_the_agent_is_available_at_once() {
    let mut lab = Lab::dialing(
        crate::campaign::CampaignSettings {
            wrap_up_s: 0,
            ..settings(CAMPAIGN)
        },
        1,
    );
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_conversation_shorter_than_the_news_of_it_counts() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
}

#[test]
fn what_became_of_an_unanswered_call_is_told_apart() {
    for (reason, cause, dial, disposition) in [
        (5, 17, "BUSY", Disposition::Busy),
        (0, 21, "NOANSWER", Disposition::Rejected),
        (0, 1, "NOANSWER", Disposition::Invalid),
        (3, 0, "NOANSWER", Disposition::NoAnswer),
        (8, 34, "CONGESTION", Disposition::CarrierFailure),
    ] {
        let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
        lab.nailed_up("zoe");
        let attempt = lab.dialed()[0];
        lab.fails(attempt, reason, cause, dial);
        assert_eq!(lab.dispositions(), [disposition], "{dial} {cause}");
        assert_eq!(lab.state("zoe"), AgentState::Available);
        lab.nothing_is_left();
    }
}

#[test]
fn an_originate_that_failed_without_a_channel_ends_by_itself() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let channel = ChannelId::for_attempt(lab.dialed()[0]);
    lab.event(Event::OriginateEnded { channel, reason: 8 });
    lab.snapshot(&[live(&lab.legs()[0].clone(), true, None)]);
    lab.pass(6_000);
    assert_eq!(
        lab.dispositions(),
        [Disposition::CarrierFailure],
        "a snapshot in between changes nothing"
    );
    lab.nothing_is_left();
}

#[test]
fn a_machine_is_hung_up() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Machine));
    assert!(matches!(lab.told(session)[..], [SessionCommand::HangUp]));
    lab.says(session, SessionEvent::Closed);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredMachine]);
    assert_eq!(lab.state("zoe"), AgentState::Available);
    lab.nothing_is_left();
}

#[test]
fn a_machine_is_left_a_message_when_the_campaign_wants_it() {
    let machine_action = MachineAction::LeaveMessage {
        sound: "call-back".to_owned(),
    };
    let mut lab = Lab::dialing(
        crate::campaign::CampaignSettings {
            machine_action,
            ..settings(CAMPAIGN)
        },
        1,
    );
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, Some(Amd::Machine));
    assert!(
        matches!(lab.told(session)[..], [SessionCommand::LeaveMessage { sound }] if sound == "call-back")
    );
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredMachine]);
}

#[test]
fn a_person_for_whom_there_is_no_agent_in_two_seconds_hears_the_safe_harbour() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.command(Command::Pause {
        agent: user("zoe"),
        reason: "lunch".to_owned(),
    });
    let session = lab.answers(attempt, Some(Amd::Human));
    lab.pass(1_999);
    assert!(lab.told(session).is_empty());
    lab.pass(1);
    assert!(
        matches!(lab.told(session)[..], [SessionCommand::PlayAndHangUp { sound }] if sound == "sorry")
    );
    lab.command(Command::Ready(user("zoe")));
    assert_eq!(
        lab.told(session).len(),
        1,
        "who hears the message is not connected any more"
    );
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::Abandoned]);
}

#[test]
fn a_customer_who_hangs_up_while_waiting_is_no_abandoned_call() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.command(Command::Pause {
        agent: user("zoe"),
        reason: "lunch".to_owned(),
    });
    let session = lab.answers(attempt, None);
    lab.pass(500);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.says(session, SessionEvent::Closed);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHangup]);
    lab.nothing_is_left();
}

#[test]
fn a_customer_who_hangs_up_while_being_connected_frees_the_agent() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    lab.says(session, SessionEvent::Closed);
    assert_eq!(
        lab.state("zoe"),
        AgentState::Available,
        "they did not talk: nothing to wrap up"
    );
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHangup]);
    lab.nothing_is_left();
}

#[test]
fn an_agent_has_the_whole_ring_time_to_answer() {
    // Answered, handed over and offered within one timestamp: the two seconds of waiting
    // do not end the ringing.
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    assert_eq!(lab.state("rob"), AgentState::Ringing);
    lab.pass(19_000);
    assert_eq!(lab.phase(attempt), Some(Phase::Connecting));
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(attempt)), 0);
    lab.bridges(&ChannelId::for_attempt(attempt));
    assert_eq!(lab.state("rob"), AgentState::OnCall);
    assert_eq!(lab.told(session).len(), 1);
}

#[test]
fn an_agent_who_does_not_answer_is_paused_and_the_next_one_is_tried() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    lab.log_in("sue", LegMode::RingPerCall);
    lab.pass(20_000);
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    assert_eq!(lab.state("rob"), AgentState::Paused(NO_ANSWER.to_owned()));
    assert_eq!(lab.state("sue"), AgentState::Ringing);
    lab.bridges(&ChannelId::for_attempt(attempt));
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.records()[0].agent, Some(user("sue")));
}

#[test]
fn with_nobody_left_to_try_the_customer_hears_the_safe_harbour() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("rob", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    let session = lab.answers(attempt, None);
    lab.pass(20_000);
    lab.connect_ended(session, ConnectOutcome::NoAnswer);
    lab.pass(0);
    assert!(matches!(
        lab.told(session).last(),
        Some(SessionCommand::PlayAndHangUp { .. })
    ));
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::Abandoned]);
}

#[test]
fn a_connection_whose_news_was_lost_is_looked_for_before_it_is_cut() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.answers(attempt, None);
    let (customer, leg) = (ChannelId::for_attempt(attempt), lab.legs()[0].clone());
    lab.pass(5_500);
    assert_eq!(lab.syncs(), 1);
    lab.snapshot(&[
        live(&customer, true, Some("b")),
        live(&leg, true, Some("b")),
    ]);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.pass(60_000);
    assert_eq!(lab.phase(attempt), Some(Phase::Bridged));
}

#[test]
fn a_connection_that_never_comes_up_is_ended() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.answers(attempt, None);
    lab.pass(10_000);
    assert_eq!(lab.hung_up(&ChannelId::for_attempt(attempt)), 1);
    assert_eq!(lab.state("zoe"), AgentState::Available);
}

#[test]
fn a_hand_over_after_the_hang_up_does_not_keep_the_call() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let channel = lab.created(attempt);
    // FastAGI and AMI are two sockets.
    lab.hangs_up(&channel, 16);
    let session = lab.hands_over(attempt, None);
    lab.event(Event::Ringing { channel });
    lab.says(session, SessionEvent::Closed);
    lab.pass(1_000);
    assert_eq!(lab.ends().len(), 1);
    lab.nothing_is_left();
}

#[test]
fn a_second_session_of_a_call_replaces_the_first() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    let first = lab.answers(attempt, None);
    let second = lab.hands_over(attempt, None);
    assert_eq!(
        lab.state("zoe"),
        AgentState::Reserved,
        "freed and offered to the new session"
    );
    lab.connect_ended(first, ConnectOutcome::Failed);
    assert_eq!(
        lab.state("zoe"),
        AgentState::Reserved,
        "the old one has no say"
    );
    lab.says(first, SessionEvent::Closed);
    lab.bridges(&ChannelId::for_attempt(attempt));
    lab.connect_ended(second, ConnectOutcome::Talked);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
    lab.nothing_is_left();
}

#[test]
fn a_session_for_an_attempt_that_nobody_made_is_hung_up() {
    let mut lab = Lab::new();
    let session = lab.hands_over(crate::ids::AttemptId(uuid::Uuid::from_u128(9)), None);
    assert!(matches!(lab.told(session)[..], [SessionCommand::HangUp]));
    lab.nothing_is_left();
}

#[test]
fn a_busy_number_is_dialed_again_when_its_rule_says_so_and_then_no_more() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let busy_at = lab.now;
    let attempt = lab.dialed()[0];
    lab.fails(attempt, 5, 17, "BUSY");
    let AfterAttempt::Retry(due) = lab.after_last() else {
        panic!("{:?}", lab.after_last())
    };
    assert_eq!(
        due,
        after(busy_at, 600_005),
        "from the moment that the channel was gone"
    );
    // The store holds it back until then.
    lab.list.push_back(1);
    lab.pass(700_000);
    let attempt = lab.dialed()[1];
    lab.fails(attempt, 5, 17, "BUSY");
    assert_eq!(lab.after_last(), AfterAttempt::Exhausted);
}

#[test]
fn a_supervisor_hangs_a_conversation_up() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.talks(attempt);
    lab.command(Command::HangUp(attempt.into()));
    lab.command(Command::HangUp(attempt.into()));
    let channel = ChannelId::for_attempt(attempt);
    assert_eq!(lab.hung_up(&channel), 1);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    lab.hangs_up(&channel, 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredHuman]);
}

#[test]
fn each_phase_that_goes_silent_has_a_way_out() {
    // Nothing is ever heard again, and the exchange shows no channel of the call.
    type Until = fn(&mut Lab, crate::ids::AttemptId);
    let phases: [(&str, Until); 6] = [
        ("dialing", |_, _| {}),
        ("ringing", |lab, attempt| _ = lab.rings(attempt)),
        ("answered", |lab, attempt| {
            let channel = lab.rings(attempt);
            lab.event(Event::Answered { channel });
        }),
        ("connecting", |lab, attempt| _ = lab.answers(attempt, None)),
        ("bridged", |lab, attempt| _ = lab.talks(attempt)),
        ("message", |lab, attempt| {
            lab.command(Command::Pause {
                agent: user("zoe"),
                reason: "lunch".to_owned(),
            });
            lab.answers(attempt, None);
            lab.pass(2_000);
        }),
    ];
    for (name, until) in phases {
        let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
        lab.nailed_up("zoe");
        let attempt = lab.dialed()[0];
        until(&mut lab, attempt);
        let leg = lab.legs()[0].clone();
        let mut syncs = lab.syncs();
        for _ in 0..1_000 {
            lab.pass(1_000);
            if lab.syncs() > syncs {
                syncs = lab.syncs();
                lab.snapshot(&[live(&leg, true, None)]);
            }
        }
        assert_eq!(lab.ends().len(), 1, "{name}");
        assert!(lab.board.calls.is_empty(), "{name}");
        assert!(!lab.state("zoe").has_call(), "{name}");
    }
}

#[test]
fn long_conversations_do_not_flood_the_exchange_with_questions() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 20);
    for agent in 0..20 {
        lab.nailed_up(&format!("agent{agent}"));
    }
    for attempt in lab.dialed() {
        lab.talks(attempt);
    }
    let timers = lab.board.timers.len();
    lab.pass(3_600_000);
    assert!(lab.syncs() <= 12, "{} snapshots in an hour", lab.syncs());
    assert!(lab.board.timers.len() <= timers);
}

#[test]
fn a_session_of_another_channel_takes_no_attempt_over() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.nailed_up("zoe");
    let attempt = lab.dialed()[0];
    lab.rings(attempt);
    let before = lab.board.calls[&CallId::from(attempt)].clone();
    let session = SessionId(7);
    lab.event(Event::SessionOpened {
        session,
        server: server(),
        channel: ChannelId::from("1763630000.12"),
        kind: SessionKind::Dialer {
            attempt,
            amd: None,
            amd_cause: None,
        },
    });
    assert!(matches!(lab.told(session)[..], [SessionCommand::HangUp]));
    assert_eq!(lab.board.calls[&CallId::from(attempt)], before);
    lab.talks(attempt);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
}
