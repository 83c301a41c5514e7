//! What a predictive campaign must know of its past, and of the law.

use std::sync::Arc;

use uuid::Uuid;

use super::{harness::*, predictive::*};
use crate::{
    amd::Calibration,
    campaign::{CampaignSettings, CampaignState, DialingMode, PacingSettings},
    compliance::{Activity, Packs},
    ids::AttemptId,
    record::Write,
    switchboard::{
        Action, Command, Counted, Input, Restored, RestoredSession, Stretch, Switchboard,
    },
    telephony::{Amd, SessionCommand},
    time::{after, before},
};

fn facts(lab: &Lab) -> serde_json::Value {
    lab.board.pacing_facts(&campaign_id(CAMPAIGN))
}

fn counted(lab: &Lab) -> (f64, f64) {
    let facts = facts(lab);
    (
        facts["answered"].as_f64().unwrap(),
        facts["late"].as_f64().unwrap(),
    )
}

fn stretches(lab: &Lab) -> Vec<Stretch> {
    lab.actions
        .iter()
        .filter_map(|action| match action {
            Action::FindPacing { stretch, .. } => *stretch,
            _ => None,
        })
        .collect()
}

fn windowed(window_s: u32) -> CampaignSettings {
    CampaignSettings {
        pacing: PacingSettings {
            window_s,
            ..PacingSettings::default()
        },
        ..predictive(CAMPAIGN)
    }
}

#[test]
fn a_pacer_asks_for_its_window_once_and_for_the_rest_when_that_becomes_longer() {
    let mut lab = Lab::dialing(windowed(86_400), 100);
    lab.pass(3_600_000);
    let began = start_of_time();
    let day = Stretch {
        from: before(began, 86_400_000),
        to: began,
        until: began,
    };
    assert_eq!(stretches(&lab), [day]);
    lab.command(Command::Configure(Box::new(windowed(2 * 86_400))));
    lab.command(Command::Configure(Box::new(windowed(3_600))));
    lab.command(Command::Configure(Box::new(windowed(2 * 86_400))));
    let earlier = Stretch {
        from: before(began, 2 * 86_400_000),
        to: day.from,
        until: began,
    };
    assert_eq!(stretches(&lab), [day, earlier]);
}

#[test]
fn what_the_store_finds_of_the_past_counts_against_the_limit() {
    let mut lab = Lab::dialing(predictive(CAMPAIGN), 100);
    lab.input(Input::PacingFound {
        campaign: campaign_id(CAMPAIGN),
        past: vec![Counted {
            from: before(lab.now, 900_000),
            until: before(lab.now, 600_000),
            people: 200,
            late: 6,
            machines: 0,
        }],
        calibration: Calibration::default(),
    });
    assert_eq!(counted(&lab), (200.0, 6.0));
    assert!((facts(&lab)["budget_used"].as_f64().unwrap() - 1.0).abs() < 1e-9);
}

/// What the store will count of the attempts that were written.
fn written(lab: &Lab) -> (f64, f64) {
    let mut late: std::collections::BTreeMap<AttemptId, bool> = std::collections::BTreeMap::new();
    for write in lab.writes() {
        match write {
            Write::AttemptBridged {
                attempt, late: at, ..
            } => _ = late.entry(*attempt).or_insert(*at),
            Write::AttemptEnded(end) => {
                if let Some(at) = end.late {
                    late.entry(end.attempt).or_insert(at);
                }
            }
            _ => {}
        }
    }
    let people = u32::try_from(late.len()).unwrap();
    let late = u32::try_from(late.values().filter(|late| **late).count()).unwrap();
    (f64::from(people), f64::from(late))
}

#[test]
fn what_is_written_of_attempts_is_what_the_pacer_counted() {
    let mut lab = at_work(8);
    work(&mut lab, 400);
    // More people at once than there are agents.
    for line in ringing(&lab) {
        lab.answers(line, None);
    }
    lab.pass(3_000);
    // Everybody who is on their way is let go.
    lab.command(Command::PauseCampaign(campaign_id(CAMPAIGN)));
    for line in open_lines(&lab) {
        lab.hangs_up(&crate::telephony::ChannelId::for_attempt(line), 16);
    }
    lab.pass(5_000);
    assert!(lab.board.calls.is_empty());
    let (people, late) = counted(&lab);
    assert!(people > 20.0 && late > 0.0, "{people} people, {late} late");
    assert_eq!(written(&lab), (people, late));
}

#[test]
fn one_who_waits_too_long_is_written_as_late_even_when_an_agent_comes() {
    let detecting = CampaignSettings {
        amd: true,
        ..predictive(CAMPAIGN)
    };
    // With a greeting of 1.5 s, the two seconds are over 3.5 s after the answer.
    for (detection_ms, late) in [(3_400, 0.0), (3_600, 1.0)] {
        let mut lab = Lab::dialing(detecting.clone(), 10);
        lab.nailed_up("alice");
        lab.pass(1_000);
        let line = lab.dialed()[0];
        let channel = lab.rings(line);
        lab.event(crate::telephony::Event::Answered {
            channel: channel.clone(),
        });
        lab.pass(detection_ms);
        lab.hands_over(line, Some(Amd::Human));
        lab.bridges(&channel);
        lab.hangs_up(&channel, 16);
        lab.pass(1_000);
        assert_eq!(counted(&lab), (1.0, late), "{detection_ms} ms");
        assert_eq!(written(&lab), (1.0, late), "{detection_ms} ms");
    }
}

#[test]
fn a_machine_counts_as_an_abandoned_person_as_often_as_detection_may_be_wrong() {
    let detecting = CampaignSettings {
        amd: true,
        ..predictive(CAMPAIGN)
    };
    let mut lab = Lab::dialing(detecting, 10);
    let asked = |lab: &Lab| {
        let asks = |action: &&Action| matches!(action, Action::FindPacing { .. });
        lab.actions.iter().filter(asks).count()
    };
    assert_eq!(asked(&lab), 1);
    let machine = |lab: &mut Lab| {
        let name = format!("agent{}", lab.unique());
        lab.nailed_up(&name);
        lab.pass(1_000);
        let line = *lab.dialed().last().unwrap();
        lab.answers(line, Some(Amd::Machine));
        counted(lab).1
    };
    let unknown = machine(&mut lab);
    assert!(
        (unknown - Calibration::default().for_pacing()).abs() < 1e-9 && unknown > 0.13,
        "{unknown}: what 20 audits without a person prove"
    );
    let mut calibration = Calibration::default();
    calibration.observe_many(Amd::Machine, Some(true), 1_000);
    lab.input(Input::PacingFound {
        campaign: campaign_id(CAMPAIGN),
        past: Vec::new(),
        calibration,
    });
    let known = machine(&mut lab) - unknown;
    assert!(
        (known - calibration.for_pacing()).abs() < 1e-9 && known < 0.004,
        "{known}"
    );
    lab.pass(3_600_000);
    assert_eq!(asked(&lab), 2, "agents go on saying what they hear");
}

#[test]
fn an_audited_machine_counts_as_the_person_that_it_may_be() {
    let auditing = CampaignSettings {
        amd: true,
        amd_audit_share: 1.0,
        ..predictive(CAMPAIGN)
    };
    for (agent_comes, late) in [(true, 0.0), (false, 1.0)] {
        let mut lab = Lab::dialing(auditing.clone(), 10);
        lab.nailed_up("alice");
        lab.pass(1_000);
        let line = lab.dialed()[0];
        let channel = crate::telephony::ChannelId::for_attempt(line);
        if !agent_comes {
            lab.command(Command::Pause {
                agent: user("alice"),
                reason: "lunch".to_owned(),
            });
        }
        lab.answers(line, Some(Amd::Machine));
        if agent_comes {
            lab.bridges(&channel);
        }
        lab.pass(3_000);
        assert_eq!(counted(&lab), (1.0, late));
        lab.hangs_up(&channel, 16);
        lab.pass(1_000);
        assert_eq!(counted(&lab), (1.0, late));
        assert_eq!(written(&lab), (1.0, late));
    }
}

// === The law ===

/// A campaign that keeps to packs, in a switchboard that has those built in.
fn under_packs(settings: CampaignSettings) -> Lab {
    let mut lab = Lab::unconnected();
    lab.board = Switchboard::with_packs(Arc::new(Packs::built_in().unwrap()));
    lab.snapshot(&[]);
    lab.list.extend(std::iter::repeat_n(0, 100));
    lab.start(settings);
    lab
}

/// Looser than any law.
fn loose(packs: &[&str]) -> CampaignSettings {
    CampaignSettings {
        activity: Activity::Solicitation,
        packs: packs.iter().map(|pack| (*pack).to_owned()).collect(),
        pacing: PacingSettings {
            abandon_limit: 0.2,
            window_s: 2_678_400,
            min_ring_s: 0,
            ..PacingSettings::default()
        },
        ring_timeout_s: 8,
        abandon_after_ms: 6_000,
        ..predictive(CAMPAIGN)
    }
}

fn kept(lab: &Lab) -> (f64, u32, u32, u32, u64) {
    let settings = &lab.board.campaigns[&campaign_id(CAMPAIGN)].settings;
    (
        settings.pacing.abandon_limit,
        settings.pacing.window_s,
        settings.pacing.min_ring_s,
        settings.ring_timeout_s,
        settings.abandon_after_ms,
    )
}

#[test]
fn us_ftc_abandonment_binds_a_campaign_that_wants_more() {
    let lab = under_packs(loose(&["us-ftc"]));
    assert_eq!(kept(&lab), (0.03, 30 * 86_400, 15, 15, 2_000));
    let stretch = stretches(&lab)[0];
    assert_eq!(stretch.from, before(lab.now, 30 * 86_400_000));
}

#[test]
fn uk_ofcom_abandonment_is_kept_within_a_day_beside_us_ftc() {
    let lab = under_packs(loose(&["us-ftc", "uk-ofcom"]));
    assert_eq!(kept(&lab), (0.03, 86_400, 15, 15, 2_000));
}

#[test]
fn ca_crtc_abandonment_leaves_a_stricter_campaign_as_it_is() {
    let strict = CampaignSettings {
        pacing: PacingSettings {
            abandon_limit: 0.01,
            window_s: 3_600,
            min_ring_s: 25,
            ..PacingSettings::default()
        },
        ring_timeout_s: 30,
        abandon_after_ms: 1_500,
        ..loose(&["ca-crtc"])
    };
    assert_eq!(kept(&under_packs(strict)), (0.01, 3_600, 25, 30, 1_500));
    assert!((kept(&under_packs(loose(&["ca-crtc"]))).0 - 0.05).abs() < f64::EPSILON);
}

#[test]
fn a_campaign_without_packs_goes_by_its_own_settings() {
    let lab = under_packs(loose(&[]));
    assert_eq!(kept(&lab), (0.2, 2_678_400, 0, 8, 6_000));
}

#[test]
fn us_ftc_abandonment_gives_a_person_two_seconds_however_long_the_campaign_would_wait() {
    let power = CampaignSettings {
        mode: DialingMode::Power,
        ratio: 2.0,
        ..loose(&["us-ftc"])
    };
    let mut lab = under_packs(power);
    lab.nailed_up("alice");
    lab.pass(1_000);
    let [first, second] = lab.dialed()[..] else {
        panic!("two lines for an agent")
    };
    lab.talks(first);
    let waits = lab.answers(second, None);
    lab.pass(1_900);
    assert!(lab.told(waits).is_empty(), "{:?}", lab.told(waits));
    lab.pass(200);
    assert!(matches!(
        lab.told(waits)[..],
        [SessionCommand::PlayAndHangUp { .. }]
    ));
}

#[test]
fn a_version_of_a_pack_binds_from_its_first_day() {
    let text = "id = \"xx\"\ntitle = \"A law that begins\"\nsource = \"a test\"\ntime_zone = \"Europe/Paris\"\n\
        [applies_to]\n\
        [[versions]]\neffective_from = 2026-01-13\nsource = \"a test\"\nsummary = \"s\"\n\
        [versions.pacing]\nname = \"abandonment\"\nabandon_limit = 0.01\nwindow = { hours = 24 }\n";
    let packs = Packs::with([crate::compliance::SourceFile {
        path: "xx.toml".to_owned(),
        text: text.into(),
    }]);
    let mut lab = Lab::unconnected();
    lab.board = Switchboard::with_packs(Arc::new(packs.unwrap()));
    lab.snapshot(&[]);
    lab.start(loose(&["xx"]));
    assert!((kept(&lab).0 - 0.2).abs() < f64::EPSILON);
    lab.now = after(lab.now, 86_400_000);
    lab.snapshot(&[]);
    assert!((kept(&lab).0 - 0.01).abs() < f64::EPSILON);
}

// === After a restart ===

#[test]
fn lines_of_an_earlier_run_are_known_to_the_new_pacer_and_conversations_are_its_past() {
    let call = |unique: u128, answered: bool, bridged: bool| crate::switchboard::RestoredCall {
        id: crate::ids::CallId(Uuid::from_u128(unique)),
        channel: crate::telephony::ChannelId::for_attempt(AttemptId(Uuid::from_u128(unique))),
        kind: crate::call::Kind::Outbound(crate::call::AttemptFacts {
            segment: crate::pacing::Segment(7),
            attempt: AttemptId(Uuid::from_u128(unique)),
            campaign: campaign_id(CAMPAIGN),
            contact: new_attempt(unique, 1).contact,
            number: number(),
            ordinal: 1,
            epoch: 1,
            trunk: trunk_id("trk_1"),
            caller_id: None,
            wanted_agent: None,
        }),
        server: server(),
        queue: None,
        started_at: before(start_of_time(), 30_000),
        answered_at: answered.then(|| before(start_of_time(), 20_000)),
        bridged: bridged.then(|| (before(start_of_time(), 19_000), user("alice"))),
        transfer: None,
        transfers: 0,
    };
    let mut lab = Lab::unconnected();
    lab.input(Input::Restored(Box::new(Restored {
        campaigns: vec![(predictive(CAMPAIGN), CampaignState::Running, 2)],
        calls: vec![
            call(1, false, false),
            call(2, true, false),
            call(3, true, true),
        ],
        sessions: vec![RestoredSession {
            login: login("alice", 5, crate::agent::LegMode::RingPerCall),
            legs_dialed: 0,
            state: crate::agent::AgentState::OnCall,
        }],
        ..Restored::default()
    })));
    lab.pass(100);
    assert_eq!(facts(&lab)["ringing"], 2, "{}", facts(&lab));
    // None of them is there any more. Of the second nobody knows whether a person waited.
    lab.snapshot(&[]);
    lab.pass(10_000);
    assert_eq!(counted(&lab), (1.0, 1.0));
    assert_eq!(written(&lab), (2.0, 1.0), "the third was counted before");
}
