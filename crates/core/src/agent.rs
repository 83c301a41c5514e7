//! Agents: one state at a time, and a way out of each.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentSessionId, CallId, CampaignId, ContactId, QueueId, TrunkId, UserId},
    telephony::{ChannelId, ServerName},
    time::Timestamp,
};

/// The state of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum AgentState {
    /// No session.
    Offline,
    /// Waits for a call.
    Available,
    /// Looks at a contact before it is dialed, or has asked for it to be dialed.
    Preview,
    /// A call is being connected.
    Reserved,
    /// The station rings.
    Ringing,
    /// Talks.
    OnCall,
    /// Has put the caller on hold.
    OnHold,
    /// Finishes the work of a call that ended.
    WrapUp,
    /// Takes no calls, for this reason.
    Paused(String),
}

impl AgentState {
    /// The name used in tables and on the wire.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Available => "available",
            Self::Preview => "preview",
            Self::Reserved => "reserved",
            Self::Ringing => "ringing",
            Self::OnCall => "on-call",
            Self::OnHold => "on-hold",
            Self::WrapUp => "wrap-up",
            Self::Paused(_) => "paused",
        }
    }

    /// The reason of a pause.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Paused(reason) => Some(reason),
            Self::Offline
            | Self::Available
            | Self::Preview
            | Self::Reserved
            | Self::Ringing
            | Self::OnCall
            | Self::OnHold
            | Self::WrapUp => None,
        }
    }

    /// Reads a state from its name and reason.
    pub fn from_parts(name: &str, reason: Option<&str>) -> Option<Self> {
        Some(match name {
            "offline" => Self::Offline,
            "available" => Self::Available,
            "preview" => Self::Preview,
            "reserved" => Self::Reserved,
            "ringing" => Self::Ringing,
            "on-call" => Self::OnCall,
            "on-hold" => Self::OnHold,
            "wrap-up" => Self::WrapUp,
            "paused" => Self::Paused(reason.unwrap_or_default().to_owned()),
            _ => return None,
        })
    }

    /// A customer call belongs to the agent in these states.
    pub const fn has_call(&self) -> bool {
        matches!(
            self,
            Self::Reserved | Self::Ringing | Self::OnCall | Self::OnHold
        )
    }
}

impl fmt::Display for AgentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How an agent's station is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegMode {
    /// One leg stays up from login to logout; customers are bridged to it at once.
    NailedUp,
    /// The station is rung for each call.
    RingPerCall,
}

impl LegMode {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NailedUp => "nailed-up",
            Self::RingPerCall => "ring-per-call",
        }
    }
}

impl std::str::FromStr for LegMode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "nailed-up" => Ok(Self::NailedUp),
            "ring-per-call" => Ok(Self::RingPerCall),
            other => Err(format!(
                "unknown leg mode {other:?}; it is nailed-up or ring-per-call"
            )),
        }
    }
}

/// The nailed-up leg of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leg {
    /// None, and none is being dialed.
    Down,
    /// Dialed, not answered yet.
    Dialing(ChannelId),
    /// Answered: customers can be bridged to it.
    Up(ChannelId),
}

impl Leg {
    /// Its channel, if it has one.
    pub fn channel(&self) -> Option<&ChannelId> {
        match self {
            Self::Down => None,
            Self::Dialing(channel) | Self::Up(channel) => Some(channel),
        }
    }
}

/// Who logs in, where, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The agent.
    pub agent: UserId,
    /// The name shown on the live board.
    pub name: String,
    /// The session.
    pub session: AgentSessionId,
    /// The exchange of the station.
    pub server: ServerName,
    /// The device, as a channel to dial, such as `PJSIP/1001`.
    pub station: String,
    /// How it is reached.
    pub leg_mode: LegMode,
    /// Campaigns that the agent works for.
    pub campaigns: BTreeSet<CampaignId>,
    /// Queues that the agent serves.
    pub queues: BTreeSet<QueueId>,
}

/// A contact that an agent looks at, or has asked to be dialed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// For which campaign.
    pub campaign: CampaignId,
    /// Whom, once the store has chosen.
    pub contact: Option<ContactId>,
    /// When it is taken from them, unless they have it dialed.
    pub until: Timestamp,
    /// It was asked to be dialed, through this trunk.
    pub asked: Option<TrunkId>,
}

/// An agent with a session.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Who, where and for what.
    pub login: Login,
    /// The state. Changed only through the switchboard, which records each change.
    pub state: AgentState,
    /// Since when.
    pub since: Timestamp,
    /// The nailed-up leg.
    pub leg: Leg,
    /// How many legs were dialed in this session.
    pub legs_dialed: u32,
    /// Legs lost in a row that were not answered or did not last, for the delay before the
    /// next try.
    pub leg_failures: u32,
    /// When the leg was answered.
    pub leg_up_since: Option<Timestamp>,
    /// A snapshot did not show a leg that was only just dialed.
    pub leg_missed: bool,
    /// The customer call, in the states that have one.
    pub call: Option<CallId>,
    /// The contact, in [`AgentState::Preview`].
    pub preview: Option<Preview>,
    /// Why the last contact that they asked for was not dialed.
    pub notice: Option<String>,
    /// What the agent becomes when nothing holds them any more.
    pub wish: Wish,
    /// Milliseconds spent on calls and wrapping up, and waiting, since login.
    pub busy_ms: u64,
    /// See `busy_ms`.
    pub waiting_ms: u64,
}

/// What an agent wants to be as soon as the call and the wrap-up are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Take calls.
    Ready,
    /// Pause for this reason.
    Pause(String),
    /// Log out.
    LogOut,
}

/// The pause that an agent begins a session with.
pub const LOGGED_IN: &str = "logged-in";

/// The pause of an agent whose nailed-up leg was lost.
pub const LEG_LOST: &str = "station lost";

/// The pause of an agent whose station did not answer.
pub const NO_ANSWER: &str = "station did not answer";

impl Agent {
    /// A session that begins: paused, until the agent says ready.
    pub fn new(login: Login, now: Timestamp) -> Self {
        Self {
            login,
            state: AgentState::Paused(LOGGED_IN.to_owned()),
            since: now,
            leg: Leg::Down,
            legs_dialed: 0,
            leg_failures: 0,
            leg_up_since: None,
            leg_missed: false,
            call: None,
            preview: None,
            notice: None,
            wish: Wish::Pause(LOGGED_IN.to_owned()),
            busy_ms: 0,
            waiting_ms: 0,
        }
    }

    /// A call could be connected now.
    pub fn can_take_call(&self) -> bool {
        self.state == AgentState::Available && self.reachable()
    }

    /// The station can be reached: its leg is up, or it is rung for each call.
    pub fn reachable(&self) -> bool {
        match self.login.leg_mode {
            LegMode::NailedUp => matches!(self.leg, Leg::Up(_)),
            LegMode::RingPerCall => true,
        }
    }

    /// Adds the time spent in the current state to the totals.
    pub fn account(&mut self, now: Timestamp) {
        let spent = crate::time::millis_between(self.since, now);
        match self.state {
            AgentState::Preview
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::WrapUp => self.busy_ms += spent,
            AgentState::Available => self.waiting_ms += spent,
            AgentState::Offline | AgentState::Paused(_) => {}
        }
    }
}
