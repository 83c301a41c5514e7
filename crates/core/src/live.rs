//! The words of the live view: what people who watch are told.

use serde::{Deserialize, Serialize};

use crate::{
    agent::{AgentState, LegMode},
    call::{Direction, Phase},
    campaign::{CampaignCounters, CampaignState, DialingMode},
    ids::{AgentSessionId, CallId, CampaignId, ContactId, QueueId, TrunkId, UserId},
    telephony::ServerName,
    time::Timestamp,
};

/// An agent as the board shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentView {
    /// Who.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Their session.
    pub session_id: AgentSessionId,
    /// State, and reason when paused.
    #[serde(flatten)]
    pub state: AgentState,
    /// Since when.
    pub since: Timestamp,
    /// The device that they talk on.
    pub station: String,
    /// How it is reached.
    pub leg_mode: LegMode,
    /// Their leg is up, or is not needed.
    pub reachable: bool,
    /// The call that they have.
    pub call_id: Option<CallId>,
    /// The contact that they look at or have asked to be dialed.
    pub preview: Option<PreviewView>,
    /// Why the last contact that they asked for was not dialed.
    pub notice: Option<String>,
    /// Milliseconds spent on calls and wrapping up since login.
    pub busy_ms: u64,
    /// Milliseconds spent waiting for a call since login.
    pub waiting_ms: u64,
}

/// A contact that an agent looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewView {
    /// For which campaign.
    pub campaign_id: CampaignId,
    /// Whom, once one is chosen.
    pub contact_id: Option<ContactId>,
    /// When it is taken from them, unless they have it dialed.
    pub until: Timestamp,
    /// It was asked to be dialed.
    pub asked: bool,
}

/// A call as the board shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    /// Which.
    pub id: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// The campaign, when outbound.
    pub campaign_id: Option<CampaignId>,
    /// The queue that it waits in.
    pub queue_id: Option<QueueId>,
    /// The customer's number, when known.
    pub number: Option<String>,
    /// Our number that was dialed, when inbound.
    pub did: Option<String>,
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// When it began.
    pub started_at: Timestamp,
    /// The agent.
    pub agent_id: Option<UserId>,
    /// The number outside that it was transferred to, while it is connected there.
    pub transferred_to: Option<String>,
}

/// A campaign as the board shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CampaignView {
    /// Which.
    pub id: CampaignId,
    /// Its name.
    pub name: String,
    /// Whether it runs.
    pub state: CampaignState,
    /// How it dials.
    pub mode: DialingMode,
    /// A supervisor's wish to go faster or slower.
    pub boost: f64,
    /// Lines out that have no agent yet.
    pub pending_lines: u32,
    /// Why it places no calls although it runs, apart from agents who are busy.
    pub waits_for: Option<WaitsFor>,
    /// Counters since it was loaded.
    pub counters: CampaignCounters,
}

/// What a running campaign waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "what")]
pub enum WaitsFor {
    /// The exchange that it dials through is not there.
    Exchange,
    /// Every trunk that it has fails and is being rested.
    Trunks,
    /// Fewer of its agents are logged in than it needs to dial by itself.
    Agents {
        /// How many it needs.
        needed: u32,
        /// How many there are, ready or not.
        logged_in: u32,
    },
    /// Nothing of its list may be dialed now.
    List {
        /// When it is asked again.
        until: Timestamp,
    },
}

/// How a trunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrunkState {
    /// Lines go out.
    Working,
    /// It failed too often and is left alone.
    Resting,
    /// One line is out to find out whether it works again.
    Probing,
}

/// A trunk as the board shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrunkView {
    /// Which.
    pub id: TrunkId,
    /// The exchange that it is connected to.
    pub server: ServerName,
    /// How it is.
    pub state: TrunkState,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again, while it rests.
    pub until: Option<Timestamp>,
}

/// The link to an exchange as the board shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Which.
    pub name: ServerName,
    /// Calls can be placed.
    pub up: bool,
    /// Since when.
    pub since: Timestamp,
}

/// One change of the live view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", content = "data")]
pub enum Change {
    /// An agent appeared or changed.
    Agent(AgentView),
    /// An agent logged out.
    AgentGone {
        /// Who.
        id: UserId,
    },
    /// A call appeared or changed.
    Call(CallView),
    /// A call was closed.
    CallGone {
        /// Which.
        id: CallId,
    },
    /// A campaign appeared or changed.
    Campaign(CampaignView),
    /// A campaign was deleted.
    CampaignGone {
        /// Which.
        id: CampaignId,
    },
    /// The link to an exchange changed.
    Server(ServerView),
    /// A trunk appeared or changed.
    Trunk(TrunkView),
    /// A trunk was deleted.
    TrunkGone {
        /// Which.
        id: TrunkId,
    },
}
