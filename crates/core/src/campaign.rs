//! Outbound campaigns: what they are set to, and whether they run.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    amd::{AmdParameters, is_audited},
    compliance::{Activity, Channel, Duties, Purpose},
    ids::{AttemptId, CallerIdPoolId, CampaignId, FlowId, TrunkId},
    lists::order::DialOrder,
    phone::PhoneNumber,
    retry::RetryRules,
    telephony::ServerName,
};

/// How a campaign dials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialingMode {
    /// As many lines as keep agents busy without abandoning more people than is allowed.
    Predictive,
    /// One line for each agent who is available: nobody is ever abandoned for want of an agent.
    Progressive,
    /// `ratio` lines for each available agent.
    Power,
    /// An agent sees a contact of the list first, and decides whether to dial it.
    Preview,
    /// An agent chooses whom to dial.
    Manual,
    /// Without agents: whoever answers hears a flow, which may lead to an agent.
    Broadcast,
}

impl DialingMode {
    /// Every mode, for messages and documentation.
    pub const ALL: [Self; 6] = [
        Self::Predictive,
        Self::Progressive,
        Self::Power,
        Self::Preview,
        Self::Manual,
        Self::Broadcast,
    ];

    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Predictive => "predictive",
            Self::Progressive => "progressive",
            Self::Power => "power",
            Self::Preview => "preview",
            Self::Manual => "manual",
            Self::Broadcast => "broadcast",
        }
    }

    /// Lines go out without an agent asking for each.
    pub const fn dials_by_itself(self) -> bool {
        match self {
            Self::Predictive | Self::Progressive | Self::Power | Self::Broadcast => true,
            Self::Preview | Self::Manual => false,
        }
    }
}

impl FromStr for DialingMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str() == text)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::as_str).join(", ");
                format!("unknown dialing mode {text:?}; there are {names}")
            })
    }
}

/// What pacing may do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PacingSettings {
    /// Most of the people who answered that may be abandoned, as a fraction, 0 to 0.5.
    pub abandon_limit: f64,
    /// Over how long that limit is kept, in seconds.
    pub window_s: u32,
    /// No line is given up before it has rung so long, in seconds.
    pub min_ring_s: u32,
    /// A supervisor's wish to go faster (above 1) or slower, [`BOOSTS`]; never lifts the limit.
    pub boost: f64,
}

/// How far a campaign may be told to go faster or slower.
pub const BOOSTS: std::ops::RangeInclusive<f64> = 0.1..=3.0;

impl Default for PacingSettings {
    /// 3 % in a day and 15 s: 16 CFR 310.4(b)(4).
    fn default() -> Self {
        Self {
            abandon_limit: 0.03,
            window_s: 86_400,
            min_ring_s: 15,
            boost: 1.0,
        }
    }
}

/// How large the share of the calls taken for machines may be that agents hear nevertheless. Most
/// of these are machines, which cost agents their time.
pub const AUDIT_SHARES: std::ops::RangeInclusive<f64> = 0.0..=0.2;

/// What is set at the desk of a campaign and the switchboard keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeskSettings {
    /// It dials for agents by itself only while so many of its agents are logged in at its
    /// exchange, ready or not.
    pub min_agents: u32,
    /// The longest conversation in seconds; 0: no limit.
    pub max_call_s: u32,
    /// A conversation that is recorded has a tone in it from time to time.
    pub recording_beep: bool,
}

impl Default for DeskSettings {
    /// One agent is enough, and conversations last as long as they last.
    fn default() -> Self {
        Self {
            min_agents: 1,
            max_call_s: 0,
            recording_beep: false,
        }
    }
}

/// Whether a campaign runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CampaignState {
    /// Not started, or stopped.
    Stopped,
    /// Dialing.
    Running,
    /// Started and told to wait: calls in progress go on, no new ones are placed.
    Paused,
    /// Told to stop once the calls in progress are over; no new ones are placed.
    Draining,
    /// Every contact of the list has its final outcome.
    Finished,
}

impl CampaignState {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Finished => "finished",
        }
    }
}

impl fmt::Display for CampaignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CampaignState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stopped" => Ok(Self::Stopped),
            "running" => Ok(Self::Running),
            "paused" => Ok(Self::Paused),
            "draining" => Ok(Self::Draining),
            "finished" => Ok(Self::Finished),
            other => Err(format!("unknown campaign state {other:?}")),
        }
    }
}

/// What to do when a machine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum MachineAction {
    /// Hang up.
    HangUp,
    /// Play a sound, then hang up.
    LeaveMessage {
        /// The sound file, as Asterisk names it.
        sound: String,
    },
    /// Run a flow, then hang up.
    Flow {
        /// Which; its published version.
        flow: FlowId,
    },
}

/// Most trunks of one campaign.
pub const MAX_TRUNKS: usize = 10;

/// A trunk that a campaign dials through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkSettings {
    /// Its id.
    pub id: TrunkId,
    /// The exchange that it is connected to.
    pub server: ServerName,
    /// The PJSIP endpoint.
    pub endpoint: String,
    /// Most channels at once, over all campaigns.
    pub max_channels: u32,
    /// Most calls placed per second, over all campaigns.
    pub max_calls_per_second: u32,
}

/// What a campaign is set to. A change takes effect on the next line that is dialed.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignSettings {
    /// Its id.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// How it dials.
    pub mode: DialingMode,
    /// Lines per available agent in power dialing, at least 1.
    pub ratio: f64,
    /// Campaigns that share agents are served in this order; 1 is first.
    pub priority: u8,
    /// Most lines at once, those that talk with an agent among them.
    pub max_lines: u32,
    /// What pacing may do.
    pub pacing: PacingSettings,
    /// Its trunks in order of preference, 1 to [`MAX_TRUNKS`], all of one exchange: the
    /// first that works and has room is taken for each line.
    pub trunks: Vec<TrunkSettings>,
    /// The number shown to the person called.
    pub caller_id: Option<PhoneNumber>,
    /// Where the number shown is chosen from for each call; `caller_id` when nothing of it fits.
    pub caller_id_pool: Option<CallerIdPoolId>,
    /// How long it rings, in seconds.
    pub ring_timeout_s: u32,
    /// A person who is not connected to an agent within this time is abandoned, in
    /// milliseconds. 2,000 is the limit of the FTC's Telemarketing Sales Rule
    /// (16 CFR 310.4(b)(4)(ii)) and of Ofcom.
    pub abandon_after_ms: u64,
    /// The sound played to a person for whom there is no agent.
    pub safe_harbour: String,
    /// Run answering machine detection.
    pub amd: bool,
    /// Parameters of answering machine detection; those absent are Asterisk's.
    pub amd_parameters: serde_json::Value,
    /// The share of the calls taken for machines that go to agents nevertheless, so that what
    /// agents say tells how often the detection is wrong: [`AUDIT_SHARES`]. With 0 nobody checks,
    /// and pacing takes as many of them for people as a sample of
    /// [`crate::amd::ASSUMED_AUDITS`] leaves possible.
    pub amd_audit_share: f64,
    /// What to do with machines.
    pub machine_action: MachineAction,
    /// What people hear in a broadcast.
    pub broadcast_flow: Option<FlowId>,
    /// Record conversations.
    pub record: bool,
    /// Wrap-up time in seconds; 0 makes the agent available at once.
    pub wrap_up_s: u32,
    /// Retry rules.
    pub retry: RetryRules,
    /// What its calls are for.
    pub activity: Activity,
    /// The packs of compliance rules that it keeps.
    pub packs: Vec<String>,
    /// Its own calling windows and caps, on top of the packs; an object.
    pub schedule: serde_json::Value,
    /// Which contacts are left out; an array.
    pub filters: serde_json::Value,
    /// Which contacts are dialed first.
    pub dial_order: DialOrder,
    /// Fewest contacts that are chosen ahead of need.
    pub hopper_min: u32,
    /// What is set at its desk.
    pub desk: DeskSettings,
}

impl CampaignSettings {
    /// The exchange that it dials through; none without a trunk.
    pub fn server(&self) -> Option<&ServerName> {
        self.trunks.first().map(|trunk| &trunk.server)
    }

    /// What its machine detection is set to.
    pub fn detection(&self) -> AmdParameters {
        serde_json::from_value(self.amd_parameters.clone()).unwrap_or_default()
    }

    /// Whether its calls pass machine detection: whoever listens already needs no machine to.
    pub fn detects(&self) -> bool {
        self.amd && self.mode.dials_by_itself()
    }

    /// Whether the call of this attempt, taken for a machine's, goes to an agent nevertheless. A
    /// broadcast has none who could say what they heard.
    pub fn audits(&self, attempt: AttemptId) -> bool {
        self.mode != DialingMode::Broadcast && is_audited(attempt, self.amd_audit_share)
    }

    /// What it asks the law with.
    pub fn purpose(&self) -> Purpose {
        Purpose {
            campaign: self.id.clone(),
            activity: self.activity,
            channel: match self.mode {
                DialingMode::Broadcast => Channel::Prerecorded,
                DialingMode::Predictive
                | DialingMode::Progressive
                | DialingMode::Power
                | DialingMode::Preview
                | DialingMode::Manual => Channel::Voice,
            },
            automated: self.mode.dials_by_itself(),
        }
    }

    /// The same, kept to the duties of its packs: of each the stricter one applies.
    #[must_use]
    pub fn kept_to(mut self, duties: &Duties) -> Self {
        let pacing = &mut self.pacing;
        if let Some(limit) = duties.abandon_limit {
            pacing.abandon_limit = pacing.abandon_limit.min(limit);
        }
        if let Some(window) = duties.abandon_window_s {
            pacing.window_s = pacing.window_s.min(window);
        }
        let ring = u32::from(duties.min_ring_s);
        pacing.min_ring_s = pacing.min_ring_s.max(ring);
        self.ring_timeout_s = self.ring_timeout_s.max(ring);
        if let Some(threshold) = duties.threshold_s {
            self.abandon_after_ms = self.abandon_after_ms.min(millis(threshold));
        }
        self
    }

    /// One of its trunks.
    pub fn trunk(&self, id: &TrunkId) -> Option<&TrunkSettings> {
        self.trunks.iter().find(|trunk| trunk.id == *id)
    }
}

/// Seconds of a rule as milliseconds, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a minute"
)]
fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0).clamp(1.0, 60_000.0) as u64
}

/// Counters of a campaign since it was loaded, shown on the live board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignCounters {
    /// Attempts placed.
    pub attempts: u64,
    /// Attempts that ended.
    pub ended: u64,
    /// Answered by a person.
    pub answered_human: u64,
    /// Answered by a machine.
    pub answered_machine: u64,
    /// Connected to an agent.
    pub bridged: u64,
    /// Abandoned for want of an agent.
    pub abandoned: u64,
}
