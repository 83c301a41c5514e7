//! Calls that were taken for machines and go to agents all the same.

use super::harness::*;
use crate::{
    agent::AgentState,
    amd::is_audited,
    campaign::{CampaignSettings, DialingMode, MachineAction},
    disposition::Disposition,
    ids::FlowId,
    record::AttemptEnd,
    switchboard::{Action, Command},
    telephony::{Amd, ChannelId, SessionCommand, SessionId},
};

fn auditing(share: f64) -> CampaignSettings {
    CampaignSettings {
        amd: true,
        amd_audit_share: share,
        ..settings(CAMPAIGN)
    }
}

fn is_offered(lab: &Lab, session: SessionId) -> bool {
    matches!(lab.told(session)[..], [SessionCommand::Connect { .. }])
}

fn pause(lab: &mut Lab) {
    lab.command(Command::Pause {
        agent: user("zoe"),
        reason: "lunch".to_owned(),
    });
}

#[test]
fn an_audited_machine_is_connected_and_both_are_written() {
    let mut lab = Lab::dialing(auditing(1.0), 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    let channel = ChannelId::for_attempt(line);
    let session = lab.answers(line, Some(Amd::Machine));
    assert!(is_offered(&lab, session));
    lab.bridges(&channel);
    assert_eq!(lab.state("zoe"), AgentState::OnCall);
    lab.hangs_up(&channel, 16);
    assert_eq!(lab.state("zoe"), AgentState::WrapUp);
    let end: &AttemptEnd = &lab.ends()[0];
    assert_eq!(end.disposition, Disposition::AnsweredHuman);
    assert_eq!((end.amd, end.amd_audited), (Some(Amd::Machine), true));
    assert_eq!(end.late, Some(false));
    lab.nothing_is_left();
}

#[test]
fn the_chosen_share_of_machines_goes_to_agents_and_the_rest_is_hung_up() {
    let share = 0.2;
    let mut lab = Lab::dialing(auditing(share), 40);
    for agent in 0..40 {
        lab.nailed_up(&format!("agent{agent}"));
    }
    let lines = lab.dialed();
    assert_eq!(lines.len(), 40);
    let mut audited = 0;
    for line in lines {
        let session = lab.answers(line, Some(Amd::Machine));
        assert_eq!(is_offered(&lab, session), is_audited(line, share), "{line}");
        audited += i32::from(is_audited(line, share));
        lab.hangs_up(&ChannelId::for_attempt(line), 16);
    }
    assert!((1..20).contains(&audited), "{audited} of 40");
    let marked = lab.ends().iter().filter(|end| end.amd_audited).count();
    assert_eq!(marked, usize::try_from(audited).unwrap());
    assert!(lab.ends().iter().all(|end| end.amd == Some(Amd::Machine)));
}

#[test]
fn people_are_not_audited() {
    let mut lab = Lab::dialing(auditing(1.0), 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    lab.answers(line, Some(Amd::Human));
    lab.hangs_up(&ChannelId::for_attempt(line), 16);
    assert!(!lab.ends()[0].amd_audited);
}

#[test]
fn an_audited_machine_is_left_no_message() {
    let machine_action = MachineAction::LeaveMessage {
        sound: "call-back".to_owned(),
    };
    let settings = CampaignSettings {
        machine_action,
        ..auditing(1.0)
    };
    let mut lab = Lab::dialing(settings, 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    let session = lab.answers(line, Some(Amd::Machine));
    assert!(is_offered(&lab, session));
}

#[test]
fn an_audited_machine_without_an_agent_hears_what_a_person_hears() {
    let mut lab = Lab::dialing(auditing(1.0), 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    pause(&mut lab);
    let session = lab.answers(line, Some(Amd::Machine));
    lab.pass(2_000);
    assert!(
        matches!(lab.told(session)[..], [SessionCommand::PlayAndHangUp { sound }] if sound == "sorry")
    );
    lab.hangs_up(&ChannelId::for_attempt(line), 16);
    let end = &lab.ends()[0];
    assert_eq!(end.disposition, Disposition::Abandoned);
    assert_eq!((end.late, end.amd_audited), (Some(true), true));
}

#[test]
fn who_is_audited_stays_so_when_the_share_changes_during_the_call() {
    let mut lab = Lab::dialing(auditing(1.0), 1);
    lab.nailed_up("zoe");
    let line = lab.dialed()[0];
    pause(&mut lab);
    lab.answers(line, Some(Amd::Machine));
    lab.command(Command::Configure(Box::new(auditing(0.0))));
    let session = lab.hands_over(line, Some(Amd::Machine));
    assert!(lab.told(session).is_empty(), "it waits for an agent");
    lab.command(Command::Ready(user("zoe")));
    assert!(is_offered(&lab, session));
}

#[test]
fn a_broadcast_audits_nothing() {
    let settings = CampaignSettings {
        mode: DialingMode::Broadcast,
        broadcast_flow: Some(FlowId::new("flw_news").unwrap()),
        ..auditing(1.0)
    };
    let mut lab = Lab::dialing(settings, 1);
    let line = lab.dialed()[0];
    let session = lab.answers(line, Some(Amd::Machine));
    assert!(matches!(lab.told(session)[..], [SessionCommand::HangUp]));
    lab.hangs_up(&ChannelId::for_attempt(line), 16);
    assert_eq!(lab.dispositions(), [Disposition::AnsweredMachine]);
    let sought = |action: &Action| matches!(action, Action::FindFlow { .. });
    assert!(!lab.actions.iter().any(sought));
}
