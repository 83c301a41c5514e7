//! Things to work with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

use uuid::Uuid;

use crate::{
    agent::{LegMode, Login},
    campaign::{
        CampaignSettings, DeskSettings, DialingMode, MachineAction, PacingSettings, TrunkSettings,
    },
    compliance::Activity,
    disposition::Disposition,
    ids::{AgentSessionId, AttemptId, CampaignId, ContactId, FlowId, QueueId, TrunkId, UserId},
    ivr,
    lists::order::DialOrder,
    pacing::Segment,
    phone::PhoneNumber,
    retry::{RetryRule, RetryRules},
    switchboard::{InboundRoute, NewAttempt},
    telephony::{
        ChannelId, ConnectOutcome, Event, LiveChannel, OriginateFailure, ServerName, SessionEvent,
    },
    time::Timestamp,
    transfer::Target,
};

pub(super) const CAMPAIGN: &str = "cmp_sales";
pub(super) const QUEUE: &str = "que_help";

pub(super) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(super) fn campaign_id(name: &str) -> CampaignId {
    CampaignId::new(name).unwrap()
}

pub(super) fn queue_id() -> QueueId {
    QueueId::new(QUEUE).unwrap()
}

pub(super) fn server() -> ServerName {
    ServerName::from("pbx")
}

pub(super) fn start_of_time() -> Timestamp {
    "2026-01-12T11:00:00Z".parse().unwrap()
}

pub(super) fn number() -> PhoneNumber {
    PhoneNumber::parse("+33639981234", "FR").unwrap()
}

/// Progressive, no machine detection, 10 s of wrap-up, a busy number is retried once.
pub(super) fn settings(name: &str) -> CampaignSettings {
    CampaignSettings {
        id: campaign_id(name),
        name: name.to_owned(),
        mode: DialingMode::Progressive,
        ratio: 1.0,
        priority: 1,
        max_lines: 100,
        pacing: PacingSettings::default(),
        trunks: vec![trunk("trk_1")],
        caller_id: None,
        caller_id_pool: None,
        ring_timeout_s: 30,
        abandon_after_ms: 2_000,
        safe_harbour: "sorry".to_owned(),
        amd: false,
        amd_parameters: serde_json::json!({}),
        amd_audit_share: 0.0,
        machine_action: MachineAction::HangUp,
        broadcast_flow: None,
        record: false,
        wrap_up_s: 10,
        retry: RetryRules(BTreeMap::from([(
            Disposition::Busy,
            RetryRule {
                delay_s: 600,
                max_attempts: 2,
                ..RetryRule::default()
            },
        )])),
        activity: Activity::Service,
        packs: Vec::new(),
        schedule: serde_json::json!({}),
        filters: serde_json::json!([]),
        dial_order: DialOrder::NewFirst,
        hopper_min: 50,
        desk: DeskSettings::default(),
    }
}

pub(super) fn trunk_id(name: &str) -> TrunkId {
    TrunkId::new(name).unwrap()
}

/// A trunk that takes a hundred calls, and a hundred more each second.
pub(super) fn trunk(name: &str) -> TrunkSettings {
    TrunkSettings {
        id: trunk_id(name),
        server: server(),
        endpoint: "carrier".to_owned(),
        max_channels: 100,
        max_calls_per_second: 100,
    }
}

/// An attempt as a claim gives it.
pub(super) fn new_attempt(unique: u128, ordinal: u32) -> NewAttempt {
    NewAttempt {
        attempt: AttemptId(Uuid::from_u128(unique)),
        contact: ContactId::generate(Uuid::from_u128(unique)),
        number: number(),
        ordinal,
        caller_id: None,
        agent: None,
        segment: Segment::default(),
    }
}

pub(super) fn login(name: &str, session: u128, leg_mode: LegMode) -> Login {
    Login {
        agent: user(name),
        name: name.to_owned(),
        session: AgentSessionId(Uuid::from_u128(session)),
        server: server(),
        station: format!("PJSIP/{name}"),
        leg_mode,
        campaigns: BTreeSet::from([campaign_id(CAMPAIGN)]),
        queues: BTreeSet::from([queue_id()]),
    }
}

pub(super) fn flow() -> Arc<ivr::Flow> {
    let graph = serde_json::json!({
        "nodes": [
            { "id": "s", "type": "start", "name": "Start", "content": {} },
            { "id": "h", "type": "hangup", "name": "End", "content": {} },
        ],
        "connections": [
            { "id": "c", "fromNodeId": "s", "fromPortId": "out", "toNodeId": "h", "toPortId": "in" },
        ],
    });
    Arc::new(ivr::Flow::compile(serde_json::from_value(graph).unwrap()).unwrap())
}

pub(super) fn route() -> InboundRoute {
    InboundRoute {
        id: FlowId::new("flw_1").unwrap(),
        version: 3,
        flow: flow(),
    }
}

pub(super) fn live(channel: &ChannelId, up: bool, bridge: Option<&str>) -> LiveChannel {
    LiveChannel {
        channel: channel.clone(),
        up,
        bridge: bridge.map(str::to_owned),
    }
}

pub(super) fn shared_route() -> InboundRoute {
    static ROUTE: OnceLock<InboundRoute> = OnceLock::new();
    ROUTE.get_or_init(route).clone()
}

/// The number that is shown.
pub(super) fn shown() -> PhoneNumber {
    PhoneNumber::parse("+33142278186", "FR").unwrap()
}

/// A number outside that calls may be transferred to.
pub(super) fn outside() -> PhoneNumber {
    PhoneNumber::parse("+33142278187", "FR").unwrap()
}

/// How many places [`transfer_target`] knows.
pub(super) const TRANSFERS: usize = 5;

/// Two agents of the random world, numbers outside of which one is not dialed, a flow.
pub(super) fn transfer_target(index: usize) -> Target {
    match index {
        0 | 1 => Target::Agent(user(super::world::AGENTS[index])),
        2 => Target::Outside(outside()),
        3 => Target::Outside(PhoneNumber::parse("+33899123456", "FR").unwrap()),
        _ => Target::Flow(FlowId::new("flw_1").unwrap()),
    }
}

pub(super) fn varied(name: &str, power: bool) -> CampaignSettings {
    let base = settings(name);
    CampaignSettings {
        mode: if power {
            DialingMode::Power
        } else {
            DialingMode::Progressive
        },
        ratio: 1.7,
        caller_id: Some(shown()),
        amd: power,
        amd_audit_share: if power { 0.5 } else { 0.0 },
        desk: DeskSettings {
            min_agents: if power { 2 } else { 1 },
            max_call_s: if power { 90 } else { 0 },
            recording_beep: power,
        },
        machine_action: if power {
            MachineAction::LeaveMessage {
                sound: "call-back".to_owned(),
            }
        } else {
            MachineAction::HangUp
        },
        wrap_up_s: if power { 0 } else { 15 },
        trunks: vec![TrunkSettings {
            max_channels: 4,
            max_calls_per_second: 2,
            ..trunk("trk_1")
        }],
        retry: RetryRules(
            Disposition::ALL
                .into_iter()
                .map(|d| {
                    (
                        d,
                        RetryRule {
                            delay_s: 60,
                            max_attempts: 2,
                            ..RetryRule::default()
                        },
                    )
                })
                .collect(),
        ),
        ..base
    }
}

pub(super) fn channel_event(channel: ChannelId, event: u8) -> Event {
    match event % 13 {
        0 => Event::Created { channel },
        1 => Event::Ringing { channel },
        2 => Event::Answered { channel },
        3 => Event::DialEnded {
            channel,
            status: "BUSY".to_owned(),
        },
        4 | 5 => Event::BridgeEntered {
            channel,
            bridge: "b".to_owned(),
        },
        6 => Event::BridgeLeft { channel },
        7 | 8 => Event::HungUp {
            channel,
            cause: u16::from(event),
            tech_cause: Some("SIP 486".to_owned()),
        },
        9 => Event::OriginateEnded {
            channel,
            reason: event / 13 % 9,
        },
        10 => Event::OriginateFailed {
            channel,
            failure: OriginateFailure::NotSent,
        },
        11 => Event::OriginateFailed {
            channel,
            failure: OriginateFailure::Refused("no".to_owned()),
        },
        _ => Event::OriginateFailed {
            channel,
            failure: OriginateFailure::Unknown,
        },
    }
}

pub(super) fn session_event(event: u8) -> SessionEvent {
    match event % 9 {
        0 | 1 => SessionEvent::ConnectEnded {
            outcome: ConnectOutcome::Talked,
        },
        2 => SessionEvent::ConnectEnded {
            outcome: ConnectOutcome::NoAnswer,
        },
        3 => SessionEvent::ConnectEnded {
            outcome: ConnectOutcome::Failed,
        },
        4 | 5 => SessionEvent::Queued {
            queue: queue_id(),
            max_wait_s: u32::from(event),
        },
        6 => SessionEvent::Transferred {
            number: "+33123456789".to_owned(),
            answered: event > 99,
        },
        7 => SessionEvent::FlowEnded {
            path: vec!["s".to_owned()],
            completed: event > 127,
        },
        _ => SessionEvent::Closed,
    }
}
