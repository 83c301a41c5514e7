//! How much may be used at once, as super administrators set it.

use super::harness::*;
use crate::{
    agent::LegMode,
    campaign::{CampaignSettings, DialingMode},
    ids::ContactId,
    limits::Limits,
    switchboard::{Command, Refused, Target, Which},
};

fn limit(lab: &mut Lab, limits: Limits) {
    lab.command(Command::Limit(limits));
}

fn logs_in(lab: &mut Lab, name: &str, session: u128) -> Result<(), Refused> {
    let login = login(name, session, LegMode::RingPerCall);
    lab.board.command(lab.now, Command::LogIn(login))
}

/// Lines that are out.
fn open(lab: &Lab) -> usize {
    lab.dialed().len() - lab.ends().len()
}

#[test]
fn one_agent_too_many_is_told_so_and_comes_in_when_another_leaves() {
    let mut lab = Lab::new();
    limit(
        &mut lab,
        Limits {
            max_agents: Some(2),
            ..Limits::default()
        },
    );
    assert_eq!(logs_in(&mut lab, "ann", 1), Ok(()));
    assert_eq!(logs_in(&mut lab, "bob", 2), Ok(()));
    let refused = logs_in(&mut lab, "cyd", 3).unwrap_err();
    assert_eq!(refused, Refused::TooManyAgents { most: 2 });
    let text = refused.to_string();
    assert!(text.starts_with("2 agents are logged in"), "{text}");
    lab.command(Command::LogOut(user("ann")));
    assert_eq!(logs_in(&mut lab, "cyd", 3), Ok(()));
}

#[test]
fn a_lower_limit_sends_nobody_away() {
    let mut lab = Lab::new();
    assert_eq!(logs_in(&mut lab, "ann", 1), Ok(()));
    assert_eq!(logs_in(&mut lab, "bob", 2), Ok(()));
    limit(
        &mut lab,
        Limits {
            max_agents: Some(1),
            ..Limits::default()
        },
    );
    assert_eq!(lab.board.stats(lab.now).agents, 2);
    lab.command(Command::LogOut(user("ann")));
    let refused = logs_in(&mut lab, "cyd", 3);
    assert_eq!(refused, Err(Refused::TooManyAgents { most: 1 }));
}

#[test]
fn nobody_logs_in_after_the_last_day() {
    let mut lab = Lab::new();
    let last = "2026-01-11".parse().unwrap();
    let limits = Limits {
        active_until: Some(last),
        ..Limits::default()
    };
    limit(&mut lab, limits);
    // It is 12 January.
    let refused = logs_in(&mut lab, "ann", 1).unwrap_err();
    assert_eq!(refused, Refused::Over { last });
    assert!(refused.to_string().contains("2026-01-11"), "{refused}");
    limit(
        &mut lab,
        Limits {
            active_until: Some("2026-01-12".parse().unwrap()),
            ..limits
        },
    );
    assert_eq!(logs_in(&mut lab, "ann", 1), Ok(()));
}

#[test]
fn no_more_lines_are_opened_than_may_be_on_all_trunks_together() {
    let mut settings = settings(CAMPAIGN);
    settings.trunks[0].max_channels = 2;
    settings.trunks.push(trunk("trk_2"));
    let mut lab = Lab::dialing(settings, 20);
    limit(
        &mut lab,
        Limits {
            max_lines: Some(3),
            ..Limits::default()
        },
    );
    for agent in 0..5 {
        lab.log_in(&format!("agent{agent}"), LegMode::RingPerCall);
    }
    assert_eq!(open(&lab), 3);
    assert_eq!(lab.board.stats(lab.now).lines, 3);
    // A line that ends makes room for one.
    let line = lab.dialed()[0];
    lab.fails(line, 5, 17, "BUSY");
    assert_eq!((open(&lab), lab.dialed().len()), (3, 4));
    // Without the limit the others are dialed at once.
    limit(&mut lab, Limits::default());
    assert_eq!(open(&lab), 5);
}

#[test]
fn a_call_by_hand_is_told_of_the_limit() {
    let settings = CampaignSettings {
        mode: DialingMode::Manual,
        ..settings(CAMPAIGN)
    };
    let mut lab = Lab::dialing(settings, 0);
    lab.nailed_up("zoe");
    limit(
        &mut lab,
        Limits {
            max_lines: Some(0),
            ..Limits::default()
        },
    );
    let asked = Command::DialFor {
        agent: user("zoe"),
        campaign: campaign_id(CAMPAIGN),
        target: Target {
            contact: ContactId::new("ada").unwrap(),
            number: Which::Other(number()),
        },
    };
    let refused = lab.board.command(lab.now, asked.clone());
    assert_eq!(refused, Err(Refused::TooManyLines { most: 0 }));
    limit(&mut lab, Limits::default());
    assert_eq!(lab.board.command(lab.now, asked), Ok(()));
}
