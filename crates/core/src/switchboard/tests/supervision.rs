//! Supervisors who listen.

use uuid::Uuid;

use super::harness::*;
use crate::{
    agent::LegMode,
    ids::SupervisionId,
    switchboard::{Command, Refused, Supervise},
    telephony::{
        ChannelId, ConnectOutcome, Event, Originate, OriginateFailure, OriginatePurpose,
        Supervision,
    },
};

fn line(number: u128) -> ChannelId {
    ChannelId::for_supervision(SupervisionId(Uuid::from_u128(number)))
}

fn supervise(number: u128, how: Supervision) -> Command {
    Command::Supervise(Supervise {
        id: SupervisionId(Uuid::from_u128(number)),
        supervisor: user("ada"),
        agent: user("zoe"),
        how,
        server: server(),
        device: "PJSIP/1000".to_owned(),
    })
}

fn lines(lab: &Lab) -> Vec<&Originate> {
    let is_line = |o: &&Originate| matches!(o.purpose, OriginatePurpose::Supervision { .. });
    lab.originates().filter(is_line).collect()
}

#[test]
fn a_supervisor_hears_the_leg_of_an_agent() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    let leg = lab.legs()[0].clone();
    lab.command(supervise(1, Supervision::Coach));
    let originate = lines(&lab)[0];
    assert_eq!(originate.endpoint, "PJSIP/1000");
    assert_eq!(originate.channel, line(1));
    assert_eq!(
        originate.purpose,
        OriginatePurpose::Supervision {
            target: leg,
            how: Supervision::Coach
        }
    );
}

#[test]
fn an_agent_who_cannot_be_heard_is_named_with_what_to_do() {
    let mut lab = Lab::new();
    let refused = |lab: &mut Lab| {
        let command = supervise(1, Supervision::Listen);
        lab.board.command(lab.now, command).unwrap_err()
    };
    assert_eq!(refused(&mut lab), Refused::NotLoggedIn(user("zoe")));
    lab.command(Command::LogIn(login("zoe", 7, LegMode::NailedUp)));
    let text = refused(&mut lab).to_string();
    assert!(text.contains("their station is not connected"), "{text}");
    assert!(lines(&lab).is_empty(), "nobody's telephone rings");
}

#[test]
fn nobody_is_heard_from_another_exchange() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    let Command::Supervise(asked) = supervise(1, Supervision::Listen) else {
        panic!("another command")
    };
    let elsewhere = Command::Supervise(Supervise {
        server: "elsewhere".into(),
        ..asked
    });
    let refused = lab.board.command(lab.now, elsewhere).unwrap_err();
    assert!(
        refused.to_string().contains("another exchange"),
        "{refused}"
    );
}

#[test]
fn a_station_that_is_rung_is_heard_while_its_call_lasts() {
    let mut lab = Lab::dialing(settings(CAMPAIGN), 1);
    lab.log_in("zoe", LegMode::RingPerCall);
    let attempt = lab.dialed()[0];
    let refused = |lab: &mut Lab| {
        let command = supervise(9, Supervision::Listen);
        lab.board.command(lab.now, command).unwrap_err()
    };
    assert!(matches!(refused(&mut lab), Refused::CannotBeHeard { .. }));
    let session = lab.answers(attempt, None);
    let station = ChannelId::from("1763630000.12");
    lab.event(Event::StationAnswered {
        customer: ChannelId::for_attempt(attempt),
        station: station.clone(),
    });
    lab.bridges(&ChannelId::for_attempt(attempt));
    lab.command(supervise(1, Supervision::Listen));
    let OriginatePurpose::Supervision { target, .. } = &lines(&lab)[0].purpose else {
        panic!("not a line")
    };
    assert_eq!(*target, station);
    lab.connect_ended(session, ConnectOutcome::Talked);
    lab.hangs_up(&ChannelId::for_attempt(attempt), 16);
    assert!(matches!(refused(&mut lab), Refused::CannotBeHeard { .. }));
}

#[test]
fn a_supervisor_has_one_line_and_ends_it() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    lab.command(supervise(1, Supervision::Listen));
    lab.command(supervise(2, Supervision::Barge));
    assert_eq!((lab.hung_up(&line(1)), lab.hung_up(&line(2))), (1, 0));
    lab.command(Command::StopSupervising(user("ada")));
    assert_eq!(lab.hung_up(&line(2)), 1);
    let again = Command::StopSupervising(user("ada"));
    assert_eq!(
        lab.board.command(lab.now, again),
        Err(Refused::NotSupervising)
    );
}

#[test]
fn a_line_that_is_over_is_forgotten_however_it_ended() {
    let ends: [fn(ChannelId) -> Event; 3] = [
        |channel| Event::HungUp {
            channel,
            cause: 16,
            tech_cause: None,
        },
        |channel| Event::OriginateFailed {
            channel,
            failure: OriginateFailure::NotSent,
        },
        |channel| Event::OriginateEnded { channel, reason: 3 },
    ];
    for end in ends {
        let mut lab = Lab::new();
        lab.nailed_up("zoe");
        lab.command(supervise(1, Supervision::Listen));
        // That it was answered ends nothing.
        lab.event(Event::OriginateEnded {
            channel: line(1),
            reason: 4,
        });
        lab.event(end(line(1)));
        let stop = Command::StopSupervising(user("ada"));
        assert_eq!(
            lab.board.command(lab.now, stop),
            Err(Refused::NotSupervising)
        );
    }
}

#[test]
fn a_line_survives_a_snapshot() {
    let mut lab = Lab::new();
    lab.nailed_up("zoe");
    lab.command(supervise(1, Supervision::Listen));
    let leg = lab.legs()[0].clone();
    lab.snapshot(&[live(&leg, true, None), live(&line(1), true, None)]);
    assert_eq!(lab.hung_up(&line(1)), 0, "it is no orphan");
}
