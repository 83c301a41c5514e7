//! Predictive campaigns in the switchboard: who is counted for whom, what is dialed while
//! everybody talks, and what becomes of a line that is given up.

use std::collections::BTreeSet;

use super::harness::*;
use crate::{
    agent::{LegMode, Login},
    call::Phase,
    campaign::{CampaignSettings, DialingMode},
    disposition::Disposition,
    ids::{AttemptId, CallId},
    retry::{AfterAttempt, RetryRule, RetryRules},
    switchboard::Command,
    telephony::{ChannelId, ConnectOutcome},
};

const OTHER: &str = "cmp_other";

pub(super) fn predictive(name: &str) -> CampaignSettings {
    CampaignSettings {
        mode: DialingMode::Predictive,
        max_lines: 60,
        wrap_up_s: 5,
        ..settings(name)
    }
}

pub(super) fn at_work(agents: u32) -> Lab {
    let mut lab = Lab::dialing(predictive(CAMPAIGN), 50_000);
    for number in 0..agents {
        lab.nailed_up(&format!("agent{number}"));
    }
    lab.pass(1_000);
    lab
}

pub(super) fn ringing(lab: &Lab) -> Vec<AttemptId> {
    let mut lines: Vec<AttemptId> = lab
        .board
        .calls
        .values()
        .filter(|call| matches!(call.phase, Phase::Dialing | Phase::Ringing))
        .map(|call| AttemptId(call.id.0))
        .collect();
    lines.sort();
    lines
}

pub(super) fn open_lines(lab: &Lab) -> Vec<AttemptId> {
    let mut lines: Vec<AttemptId> = lab.board.calls.keys().map(|id| AttemptId(id.0)).collect();
    lines.sort();
    lines
}

fn in_phase(lab: &Lab, phase: Phase) -> Vec<AttemptId> {
    let mut calls: Vec<AttemptId> = lab
        .board
        .calls
        .values()
        .filter(|call| call.phase == phase)
        .map(|call| AttemptId(call.id.0))
        .collect();
    calls.sort();
    calls
}

/// Some time with a list where one line in four is answered, the others ring out.
pub(super) fn work(lab: &mut Lab, seconds: u32) -> usize {
    let mut dialed_while_busy = 0;
    for second in 0..seconds {
        for (place, line) in ringing(lab).into_iter().enumerate() {
            match (u32::try_from(place).unwrap() + second) % 24 {
                0 | 7 => {
                    lab.answers(line, None);
                }
                1 | 4 | 9 | 13 | 17 | 21 => lab.fails(line, 3, 0, "NOANSWER"),
                _ => {}
            }
        }
        for line in in_phase(lab, Phase::Connecting) {
            lab.bridges(&ChannelId::for_attempt(line));
        }
        for (place, line) in in_phase(lab, Phase::Bridged).into_iter().enumerate() {
            if (u32::try_from(place).unwrap() + second).is_multiple_of(60) {
                lab.hangs_up(&ChannelId::for_attempt(line), 16);
            }
        }
        let before = lab.dialed().len();
        let idle = lab
            .board
            .agents
            .values()
            .any(crate::agent::Agent::can_take_call);
        lab.pass(1_000);
        if !idle {
            dialed_while_busy += lab.dialed().len() - before;
        }
    }
    dialed_while_busy
}

#[test]
fn lines_leave_while_every_agent_talks() {
    let mut lab = at_work(8);
    let while_busy = work(&mut lab, 3_000);
    let facts = lab.board.pacing_facts(&campaign_id(CAMPAIGN));
    assert!(
        while_busy > 50,
        "{while_busy} lines: a progressive campaign would wait; {facts}"
    );
    assert!(
        lab.board.calls.len() <= 60,
        "never more lines than the campaign may have"
    );
}

#[test]
fn a_claim_tells_what_the_pacer_believed() {
    let lab = at_work(1);
    let pacing = lab.actions.iter().find_map(|action| match action {
        crate::switchboard::Action::Claim { pacing, .. } => Some(pacing.clone()),
        _ => None,
    });
    let pacing = pacing.expect("it dials for the first agent who is there");
    assert_eq!(pacing["agents"], 1);
    assert!(pacing["answer_rate"].is_number());
}

#[test]
fn a_line_that_was_given_up_has_not_answered_and_is_retried_as_such() {
    let rule = RetryRule {
        delay_s: 600,
        max_attempts: 3,
        ..RetryRule::default()
    };
    let mut lab = Lab::dialing(
        CampaignSettings {
            retry: RetryRules([(Disposition::NoAnswer, rule)].into()),
            ..predictive(CAMPAIGN)
        },
        10,
    );
    lab.nailed_up("alice");
    lab.pass(1_000);
    let line = lab.dialed()[0];
    let channel = lab.rings(line);
    lab.board.give_up_ringing(lab.now, CallId::from(line));
    lab.pass(0);
    lab.hangs_up(&channel, 16);
    lab.pass(1_000);
    let end = lab.ends().into_iter().find(|end| end.attempt == line);
    let end = end.expect("it ended");
    assert_eq!(end.disposition, Disposition::NoAnswer);
    assert!(matches!(end.after, AfterAttempt::Retry(_)));
}

#[test]
fn an_agent_of_two_campaigns_counts_for_one_and_moves_when_that_one_stops() {
    let mut lab = Lab::dialing(predictive(CAMPAIGN), 1_000);
    lab.start(predictive(OTHER));
    for number in 0..4 {
        let name = format!("agent{number}");
        let session = lab.unique();
        lab.log_in_as(Login {
            campaigns: BTreeSet::from([campaign_id(CAMPAIGN), campaign_id(OTHER)]),
            ..login(&name, session, LegMode::NailedUp)
        });
    }
    lab.pass(1_000);
    let counted = |lab: &Lab| {
        [CAMPAIGN, OTHER].map(|name| lab.board.pacing_facts(&campaign_id(name))["agents"].as_u64())
    };
    assert_eq!(counted(&lab), [Some(2), Some(2)]);
    lab.command(Command::PauseCampaign(campaign_id(OTHER)));
    lab.pass(1_000);
    assert_eq!(counted(&lab), [Some(4), Some(0)]);
}

#[test]
fn a_person_whose_agent_could_not_be_connected_is_still_somebody_who_waits() {
    let mut lab = at_work(1);
    let line = lab.dialed()[0];
    let session = lab.answers(line, None);
    lab.connect_ended(session, ConnectOutcome::Failed);
    lab.pass(3_000);
    let facts = lab.board.pacing_facts(&campaign_id(CAMPAIGN));
    assert!(facts["late"].as_f64() >= Some(1.0), "{facts}");
}
