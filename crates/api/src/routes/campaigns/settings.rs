//! What a campaign is set to, on the wire.

mod checks;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_core::{
    campaign::{
        CampaignSettings, CampaignState, DeskSettings, DialingMode, MachineAction, PacingSettings,
        TrunkSettings,
    },
    compliance::{Activity, Packs},
    ids::{CallerIdPoolId, CampaignId, FlowId, TrunkId},
    lists::order::DialOrder,
    phone::PhoneNumber,
    retry::{RetryRule, RetryRules},
};
use strowger_store::campaigns::Campaign;
use utoipa::ToSchema;

pub(crate) use self::checks::retry_rule;
use self::checks::{own_trunks, retry_rules};
use crate::{input::Check, problem::Problem};

/// No line is given up before it has rung so long, when nobody says otherwise: 16 CFR
/// 310.4(b)(4)(ii).
const MIN_RING_S: u32 = 15;

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignBody {
    /// Its id.
    #[schema(value_type = String, example = "cmp_1")]
    id: CampaignId,
    /// Its name.
    name: String,
    /// Free text.
    description: String,
    /// stopped, running, paused or finished.
    #[schema(value_type = String)]
    state: CampaignState,
    /// predictive, progressive, power, preview, manual or broadcast.
    #[schema(value_type = String)]
    mode: DialingMode,
    /// Lines per available agent in power dialing.
    ratio: f64,
    /// Campaigns that share agents are served in this order; 1 is first.
    priority: u8,
    /// Most lines at once.
    max_lines: u32,
    /// Most people abandoned, as a fraction of those who answered.
    abandon_limit: f64,
    /// Over how long that limit is kept.
    abandon_window_s: u32,
    /// No line is given up before it has rung so long.
    min_ring_s: u32,
    /// A supervisor's wish to go faster (above 1) or slower.
    boost: f64,
    /// Its trunks in order of preference.
    #[schema(value_type = Vec<String>)]
    trunk_ids: Vec<TrunkId>,
    /// The number shown to the person called.
    caller_id: Option<String>,
    /// Where the number shown is chosen from for each call.
    #[schema(value_type = Option<String>)]
    caller_id_pool_id: Option<CallerIdPoolId>,
    /// How long it rings.
    ring_timeout_s: u32,
    /// A person who is not connected within this time is abandoned.
    abandon_after_ms: u64,
    /// The sound played to a person for whom there is no agent.
    safe_harbour: String,
    /// Answering machine detection.
    amd_enabled: bool,
    /// Parameters of answering machine detection.
    #[schema(value_type = Object)]
    amd: Value,
    /// The share of the calls taken for machines that agents hear nevertheless.
    amd_audit_share: f64,
    /// The sound played to machines.
    machine_message: Option<String>,
    /// The flow that machines hear; without a message and a flow they are hung up.
    #[schema(value_type = Option<String>)]
    machine_flow_id: Option<FlowId>,
    /// What people hear in a broadcast.
    #[schema(value_type = Option<String>)]
    broadcast_flow_id: Option<FlowId>,
    /// Conversations are recorded.
    recording_enabled: bool,
    /// Wrap-up time.
    wrap_up_s: u32,
    /// By disposition.
    #[schema(value_type = BTreeMap<String, Object>)]
    retry_rules: RetryRules,
    /// What its calls are for: solicitation, collection, service or survey.
    #[schema(value_type = String)]
    activity: Activity,
    /// The packs of compliance rules that it keeps.
    packs: Vec<String>,
    /// Its own calling windows and caps.
    #[schema(value_type = Object)]
    schedule: Value,
    /// Which contacts are left out.
    #[schema(value_type = Vec<Object>)]
    filters: Value,
    /// new-first, priority, oldest-first or best-hour.
    #[schema(value_type = String)]
    dial_order: DialOrder,
    /// Fewest contacts that are chosen ahead of need.
    hopper_min: u32,
    /// Region of numbers without a country code.
    default_region: String,
}

impl From<Campaign> for CampaignBody {
    fn from(campaign: Campaign) -> Self {
        let s = campaign.settings;
        let (machine_message, machine_flow_id) = match s.machine_action {
            MachineAction::HangUp => (None, None),
            MachineAction::LeaveMessage { sound } => (Some(sound), None),
            MachineAction::Flow { flow } => (None, Some(flow)),
        };
        Self {
            id: s.id,
            name: s.name,
            description: campaign.description,
            state: campaign.state,
            mode: s.mode,
            ratio: s.ratio,
            priority: s.priority,
            max_lines: s.max_lines,
            abandon_limit: s.pacing.abandon_limit,
            abandon_window_s: s.pacing.window_s,
            min_ring_s: s.pacing.min_ring_s,
            boost: s.pacing.boost,
            trunk_ids: s.trunks.into_iter().map(|trunk| trunk.id).collect(),
            caller_id: s.caller_id.map(String::from),
            caller_id_pool_id: s.caller_id_pool,
            ring_timeout_s: s.ring_timeout_s,
            abandon_after_ms: s.abandon_after_ms,
            safe_harbour: s.safe_harbour,
            amd_enabled: s.amd,
            amd: s.amd_parameters,
            amd_audit_share: s.amd_audit_share,
            machine_message,
            machine_flow_id,
            broadcast_flow_id: s.broadcast_flow,
            recording_enabled: s.record,
            wrap_up_s: s.wrap_up_s,
            retry_rules: s.retry,
            activity: s.activity,
            packs: s.packs,
            schedule: s.schedule,
            filters: s.filters,
            dial_order: s.dial_order,
            hopper_min: s.hopper_min,
            default_region: campaign.default_region,
        }
    }
}

/// A campaign to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCampaign {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<CampaignId>,
    /// 1 to 200 characters.
    name: String,
    /// Free text.
    #[serde(default)]
    description: String,
    /// predictive: as many lines as the abandonment limit allows; progressive: one line for each
    /// available agent; power: `ratio` lines; preview: agents see a contact before it is dialed;
    /// manual: agents choose whom to dial; broadcast: a flow talks to whoever answers.
    #[schema(example = "progressive")]
    mode: String,
    /// Lines per available agent in power dialing, 1 to 20.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    ratio: f64,
    /// Campaigns that share agents are served in this order, 1 to 10; 1 is first.
    #[serde(default = "middle")]
    #[schema(default = 5)]
    priority: u8,
    /// Most lines at once, 1 to 10,000.
    #[serde(default = "hundred")]
    #[schema(default = 100)]
    max_lines: u32,
    /// Most people abandoned, as a fraction of those who answered, 0 to 0.5.
    #[serde(default = "three_percent")]
    #[schema(default = 0.03)]
    abandon_limit: f64,
    /// Over how long that limit is kept, an hour to 31 days.
    #[serde(default = "a_day")]
    #[schema(default = 86400)]
    abandon_window_s: u32,
    /// No line is given up before it has rung so long, 0 to 60 seconds; absent: 15, or
    /// `ring_timeout_s` when that is less.
    #[serde(default)]
    min_ring_s: Option<u32>,
    /// A supervisor's wish to go faster (above 1) or slower, 0.1 to 3; never lifts the limit.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    boost: f64,
    /// The trunks to dial through, in order of preference, 1 to 10 of one exchange.
    #[schema(value_type = Vec<String>)]
    pub(crate) trunk_ids: Vec<TrunkId>,
    /// The number shown to the person called, as people write it in `default_region`.
    #[serde(default)]
    caller_id: Option<String>,
    /// Where the number shown is chosen from for each call.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    caller_id_pool_id: Option<CallerIdPoolId>,
    /// How long it rings, 5 to 120 seconds.
    #[serde(default = "ring")]
    #[schema(default = 25)]
    ring_timeout_s: u32,
    /// A person who is not connected within this time is abandoned, 0 to 60,000 ms.
    #[serde(default = "two_seconds")]
    #[schema(default = 2000)]
    abandon_after_ms: u64,
    /// The sound played to a person for whom there is no agent, as Asterisk names it.
    #[serde(default = "goodbye")]
    #[schema(default = "vm-goodbye")]
    safe_harbour: String,
    /// Run answering machine detection.
    #[serde(default)]
    amd_enabled: bool,
    /// Parameters of answering machine detection; those absent are Asterisk's.
    #[serde(default = "empty_object")]
    #[schema(value_type = Object)]
    amd: Value,
    /// The share of the calls taken for machines that agents hear nevertheless, 0 to 0.2: what they
    /// say of them tells how often the detection is wrong. 0: nobody checks, and pacing takes 14 %
    /// of these calls for people. Without detection and in a broadcast it has no effect.
    #[serde(default)]
    #[schema(default = 0.0)]
    amd_audit_share: f64,
    /// The sound played to machines; without it and `machine_flow_id` they are hung up.
    #[serde(default)]
    machine_message: Option<String>,
    /// The flow that machines hear.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    machine_flow_id: Option<FlowId>,
    /// What people hear in a broadcast; needed for that mode.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    broadcast_flow_id: Option<FlowId>,
    /// Record conversations.
    #[serde(default)]
    recording_enabled: bool,
    /// Wrap-up time, 0 to 3,600 seconds; 0 makes the agent available at once.
    #[serde(default)]
    wrap_up_s: u32,
    /// When to dial again, by disposition, such as `{"busy": {"delay_s": 600, "max_attempts": 3}}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Object>)]
    retry_rules: BTreeMap<String, RetryRule>,
    /// What its calls are for: solicitation, collection, service or survey.
    #[serde(default = "service")]
    #[schema(value_type = String, default = "service")]
    activity: Activity,
    /// The packs of compliance rules that it keeps.
    #[serde(default)]
    packs: Vec<String>,
    /// Its own calling windows and caps, on top of the packs.
    #[serde(default = "empty_object")]
    #[schema(value_type = Object)]
    schedule: Value,
    /// Which contacts are left out.
    #[serde(default = "empty_array")]
    #[schema(value_type = Vec<Object>)]
    filters: Value,
    /// Which contacts are dialed first: new-first, priority, oldest-first or best-hour.
    #[serde(default)]
    #[schema(value_type = String, default = "new-first")]
    dial_order: DialOrder,
    /// Fewest contacts that are chosen ahead of need, 1 to 10,000.
    #[serde(default = "fifty")]
    #[schema(default = 50)]
    hopper_min: u32,
    /// Region of numbers without a country code, ISO 3166 two letters.
    #[serde(default = "france")]
    #[schema(default = "FR")]
    default_region: String,
    /// Also without a trunk: it dials as soon as it has one.
    #[serde(skip)]
    pub(crate) may_lack_trunks: bool,
}

const fn one() -> f64 {
    1.0
}
const fn three_percent() -> f64 {
    0.03
}
const fn a_day() -> u32 {
    86_400
}
const fn fifty() -> u32 {
    50
}
const fn service() -> Activity {
    Activity::Service
}
fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}
const fn empty_array() -> Value {
    Value::Array(Vec::new())
}
const fn middle() -> u8 {
    5
}
const fn hundred() -> u32 {
    100
}
const fn ring() -> u32 {
    25
}
const fn two_seconds() -> u64 {
    2_000
}
fn goodbye() -> String {
    "vm-goodbye".to_owned()
}
fn france() -> String {
    "FR".to_owned()
}

impl NewCampaign {
    /// The campaign, or everything that is wrong with it. Its desk is that of a new one.
    pub(crate) fn check(
        self,
        trunks: &[TrunkSettings],
        packs: &Packs,
        make_id: impl FnOnce() -> CampaignId,
    ) -> Result<Campaign, Problem> {
        let mut check = Check::default();
        check.line("name", &self.name, 1..=200);
        check.text("description", &self.description, 5_000);
        let mode = check.ok("mode", self.mode.parse::<DialingMode>());
        check.range("ratio", &self.ratio, &(1.0..=20.0));
        check.range("priority", &self.priority, &(1..=10));
        check.range("max_lines", &self.max_lines, &(1..=10_000));
        check.range("ring_timeout_s", &self.ring_timeout_s, &(5..=120));
        check.range("abandon_after_ms", &self.abandon_after_ms, &(0..=60_000));
        check.range("wrap_up_s", &self.wrap_up_s, &(0..=3_600));
        check.name("safe_harbour", &self.safe_harbour, 100, "_.-/");
        self.check_pacing(&mut check);
        self.check_machines(&mut check);
        self.check_rules(&mut check, packs);
        self.check_lists(&mut check);
        if mode == Some(DialingMode::Broadcast) && self.broadcast_flow_id.is_none() {
            check.wrong(
                "broadcast_flow_id",
                "a broadcast needs the flow that people hear",
            );
        }
        let region_ok = self.default_region.len() == 2
            && self.default_region.bytes().all(|b| b.is_ascii_uppercase());
        if !region_ok {
            check.wrong(
                "default_region",
                "must be two capital letters, such as FR (ISO 3166)",
            );
        }
        let caller_id = self
            .caller_id
            .filter(|number| region_ok && !number.trim().is_empty())
            .and_then(|number| {
                check.ok(
                    "caller_id",
                    PhoneNumber::parse(&number, &self.default_region),
                )
            });
        let retry = retry_rules(&mut check, self.retry_rules);
        let least = usize::from(!self.may_lack_trunks);
        let trunks = own_trunks(&mut check, &self.trunk_ids, trunks, least);
        check.done()?;
        let Some(mode) = mode else {
            return Err(Problem::internal());
        };
        Ok(Campaign {
            settings: CampaignSettings {
                id: self.id.unwrap_or_else(make_id),
                name: self.name.trim().to_owned(),
                mode,
                ratio: self.ratio,
                priority: self.priority,
                max_lines: self.max_lines,
                pacing: PacingSettings {
                    abandon_limit: self.abandon_limit,
                    window_s: self.abandon_window_s,
                    min_ring_s: self
                        .min_ring_s
                        .unwrap_or(MIN_RING_S.min(self.ring_timeout_s)),
                    boost: self.boost,
                },
                trunks,
                caller_id,
                caller_id_pool: self.caller_id_pool_id,
                ring_timeout_s: self.ring_timeout_s,
                abandon_after_ms: self.abandon_after_ms,
                safe_harbour: self.safe_harbour,
                amd: self.amd_enabled,
                amd_parameters: self.amd,
                amd_audit_share: self.amd_audit_share,
                machine_action: match (self.machine_flow_id, self.machine_message) {
                    (Some(flow), _) => MachineAction::Flow { flow },
                    (None, Some(sound)) => MachineAction::LeaveMessage { sound },
                    (None, None) => MachineAction::HangUp,
                },
                broadcast_flow: self.broadcast_flow_id,
                record: self.recording_enabled,
                wrap_up_s: self.wrap_up_s,
                retry,
                activity: self.activity,
                packs: self.packs,
                schedule: self.schedule,
                filters: self.filters,
                dial_order: self.dial_order,
                hopper_min: self.hopper_min,
                desk: DeskSettings::default(),
            },
            description: self.description,
            state: CampaignState::Stopped,
            epoch: 0,
            default_region: self.default_region,
        })
    }
}

impl NewCampaign {
    /// A campaign as it is, with some fields changed.
    pub(super) fn changed(
        current: CampaignBody,
        changes: serde_json::Map<String, Value>,
    ) -> Result<Self, Problem> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(current) else {
            return Err(Problem::internal());
        };
        // These two are not settings.
        for fixed in ["id", "state"] {
            if changes.contains_key(fixed) {
                return Err(Problem::field(fixed, "cannot be changed here"));
            }
        }
        fields.remove("state");
        fields.extend(changes);
        let mut check = Check::default();
        let changed = check.read("", &Value::Object(fields));
        check.done()?;
        changed.ok_or_else(Problem::internal)
    }
}
