//! What the switchboard asks the database to keep.
//!
//! Writes are carried out in the order in which they are asked for. Each is
//! idempotent: carrying one out twice leaves what carrying it out once leaves.

use crate::{
    agent::{AgentState, LegMode},
    call::Direction,
    campaign::CampaignState,
    disposition::Disposition,
    ids::{AgentSessionId, AttemptId, CallId, CampaignId, ContactId, FlowId, QueueId, UserId},
    retry::AfterAttempt,
    telephony::{Amd, ChannelId, ServerName},
    time::Timestamp,
    transfer::{Outcome, Transfer},
};

/// One durable fact.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "call records are among the most frequent writes; a box for each is not worth it"
)]
pub enum Write {
    /// An attempt was answered.
    AttemptAnswered {
        /// Which.
        attempt: AttemptId,
        /// When.
        at: Timestamp,
    },
    /// An attempt was connected to an agent: for the first time, or to the agent whom it was
    /// transferred to.
    AttemptBridged {
        /// Which.
        attempt: AttemptId,
        /// To whom.
        agent: UserId,
        /// When.
        at: Timestamp,
        /// The person waited longer for it than the campaign allows.
        late: bool,
    },
    /// An attempt ended; its contact goes on or is done, in the same transaction.
    AttemptEnded(AttemptEnd),
    /// A caller arrived.
    InboundStarted {
        /// The call.
        call: CallId,
        /// Its exchange.
        server: ServerName,
        /// Its channel.
        channel: ChannelId,
        /// The number dialed.
        did: String,
        /// The caller's number.
        caller: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// An inbound call was connected to an agent, for the first time or after a transfer.
    /// Written at the moment that it happens: a restart takes the conversation up again with
    /// this agent.
    InboundBridged {
        /// The call.
        call: CallId,
        /// To whom.
        agent: UserId,
        /// The queue that it waited in.
        queue: Option<QueueId>,
        /// When.
        at: Timestamp,
    },
    /// A transfer was asked for.
    TransferAsked {
        /// Of which call.
        call: CallId,
        /// Where to, and by whom.
        transfer: Transfer,
        /// When.
        at: Timestamp,
    },
    /// A transfer was taken where it went.
    TransferAnswered {
        /// Of which call.
        call: CallId,
        /// Which transfer of the call.
        ordinal: u32,
        /// When.
        at: Timestamp,
    },
    /// A transfer came to its end: it failed, or what it began is over.
    TransferEnded {
        /// Of which call.
        call: CallId,
        /// Which transfer of the call.
        ordinal: u32,
        /// What became of it.
        outcome: Outcome,
        /// When.
        at: Timestamp,
    },
    /// A call is over.
    CallClosed(CallRecord),
    /// An agent logged in.
    SessionOpened {
        /// The session.
        session: AgentSessionId,
        /// Who.
        agent: UserId,
        /// The exchange of the station.
        server: ServerName,
        /// The station.
        station: String,
        /// How it is reached.
        leg_mode: LegMode,
        /// When.
        at: Timestamp,
    },
    /// A leg was dialed; a restart looks for this one.
    LegDialed {
        /// The session.
        session: AgentSessionId,
        /// Its number.
        number: u32,
    },
    /// An agent changed state.
    AgentChanged {
        /// The session.
        session: AgentSessionId,
        /// Who.
        agent: UserId,
        /// To what.
        state: AgentState,
        /// Why.
        cause: &'static str,
        /// The call, in the states that have one.
        call: Option<CallId>,
        /// When.
        at: Timestamp,
    },
    /// An agent logged out.
    SessionClosed {
        /// The session.
        session: AgentSessionId,
        /// Why.
        cause: &'static str,
        /// When.
        at: Timestamp,
    },
    /// An agent is done with a contact that was kept for them.
    ContactReleased {
        /// Which.
        contact: ContactId,
        /// By whom.
        agent: UserId,
        /// When.
        at: Timestamp,
    },
    /// A campaign changed state.
    CampaignChanged {
        /// Which.
        campaign: CampaignId,
        /// The epoch of the runner; a stale one writes nothing.
        epoch: i64,
        /// To what.
        state: CampaignState,
        /// When.
        at: Timestamp,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// Which.
    pub attempt: AttemptId,
    /// Its contact.
    pub contact: ContactId,
    /// The outcome.
    pub disposition: Disposition,
    /// Q.850 cause, when one was seen.
    pub cause: Option<u16>,
    /// SIP code, when one was seen.
    pub sip_code: Option<u16>,
    /// What answering machine detection said.
    pub amd: Option<Amd>,
    /// Why it said so, in the words of the exchange.
    pub amd_cause: Option<String>,
    /// It said machine, and the call was treated as a person's to find out.
    pub amd_audited: bool,
    /// Whether a person for whom an agent was owed got none in time, as pacing counts them;
    /// none when nobody was owed one.
    pub late: Option<bool>,
    /// What becomes of the contact.
    pub after: AfterAttempt,
    /// When.
    pub at: Timestamp,
}

/// A call record (CDR).
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// The call.
    pub call: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// Its exchange.
    pub server: ServerName,
    /// The customer's channel.
    pub channel: ChannelId,
    /// The attempt, when outbound.
    pub attempt: Option<AttemptId>,
    /// The campaign, when outbound.
    pub campaign: Option<CampaignId>,
    /// The contact, when outbound.
    pub contact: Option<ContactId>,
    /// The agent who talked; after transfers, the last one.
    pub agent: Option<UserId>,
    /// Who called.
    pub source: Option<String>,
    /// Who was called.
    pub destination: String,
    /// The flow walked and its version.
    pub flow: Option<(FlowId, i32)>,
    /// The queue waited in.
    pub queue: Option<QueueId>,
    /// Nodes of the flow walked.
    pub path: Vec<String>,
    /// The outside number that it was transferred to, and that answered; the last one.
    pub transferred_to: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it asked for an agent.
    pub waiting_since: Option<Timestamp>,
    /// When an agent was connected.
    pub bridged_at: Option<Timestamp>,
    /// When the conversation with the last agent ended.
    pub unbridged_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The outcome; inbound calls have `answered-human` when an agent took them,
    /// `abandoned` when the caller left a queue, none otherwise.
    pub disposition: Option<Disposition>,
    /// Q.850 cause of the end.
    pub cause: Option<u16>,
    /// The conversation's recording.
    pub recording: Option<String>,
    /// A voicemail: path and milliseconds.
    pub voicemail: Option<(String, u64)>,
}
