//! Outbound campaigns: what they are set to, and whether they run.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{CampaignId, TrunkId},
    phone::PhoneNumber,
    retry::RetryRules,
    telephony::ServerName,
};

/// How a campaign dials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DialingMode {
    /// One line for each agent who is available: nobody is ever abandoned for want of an agent.
    Progressive,
    /// `ratio` lines for each available agent.
    Power,
}

impl DialingMode {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Progressive => "progressive",
            Self::Power => "power",
        }
    }
}

impl FromStr for DialingMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "progressive" => Ok(Self::Progressive),
            "power" => Ok(Self::Power),
            other => Err(format!(
                "unknown dialing mode {other:?}; it is progressive or power"
            )),
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
}

/// The trunk that a campaign dials through.
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
    /// Its trunk.
    pub trunk: TrunkSettings,
    /// The number shown to the person called.
    pub caller_id: Option<PhoneNumber>,
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
    /// What to do with machines.
    pub machine_action: MachineAction,
    /// Record conversations.
    pub record: bool,
    /// Wrap-up time in seconds; 0 makes the agent available at once.
    pub wrap_up_s: u32,
    /// Retry rules.
    pub retry: RetryRules,
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
