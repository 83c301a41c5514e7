//! Calls: from the moment that a number is dialed, or a caller arrives, to the end.

use serde::{Deserialize, Serialize};

use crate::{
    disposition::Signals,
    ids::{AttemptId, CallId, CampaignId, ContactId, FlowId, QueueId, TrunkId, UserId},
    phone::PhoneNumber,
    telephony::{ChannelId, ServerName, SessionId},
    time::Timestamp,
    transfer::Transfer,
};

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// We called.
    Outbound,
    /// We were called.
    Inbound,
}

impl Direction {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Read from the database after a restart; the exchange has not been asked yet.
    Restored,
    /// Sent to the exchange.
    Dialing,
    /// Rings.
    Ringing,
    /// Answered; answering machine detection or the hand-over runs.
    Answered,
    /// In a flow.
    Flow,
    /// Waits for an agent.
    Waiting,
    /// An agent is being connected.
    Connecting,
    /// Talks with an agent.
    Bridged,
    /// Hears a message and is then hung up.
    Message,
    /// Was told to end, or is gone; late signals are awaited before it is closed.
    Ending,
}

impl Phase {
    /// The name used on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Dialing => "dialing",
            Self::Ringing => "ringing",
            Self::Answered => "answered",
            Self::Flow => "flow",
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Bridged => "bridged",
            Self::Message => "message",
            Self::Ending => "ending",
        }
    }
}

/// The attempt that an outbound call carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFacts {
    /// The attempt.
    pub attempt: AttemptId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The contact.
    pub contact: ContactId,
    /// The number dialed.
    pub number: PhoneNumber,
    /// Which attempt of the contact this is, from 1.
    pub ordinal: u32,
    /// The epoch under which the runner created it.
    pub epoch: i64,
    /// Which contacts it belongs to, for pacing.
    pub segment: crate::pacing::Segment,
    /// The trunk that it leaves through.
    pub trunk: TrunkId,
    /// The number that is shown to the person called, when it is known.
    pub caller_id: Option<PhoneNumber>,
    /// The only agent whom it may be connected to, if there is one.
    pub wanted_agent: Option<UserId>,
}

/// What an inbound call came for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundFacts {
    /// The number that was dialed.
    pub did: String,
    /// The caller's number, when presented.
    pub caller: Option<String>,
}

/// What a call did in a flow: a caller's, a broadcast's, a machine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// The flow that it runs and its version.
    pub flow: Option<(FlowId, i32)>,
    /// The queue that it waits or waited in.
    pub queue: Option<QueueId>,
    /// The longest wait in that queue, in seconds.
    pub max_wait_s: u32,
    /// A voicemail that it left: path and milliseconds.
    pub voicemail: Option<(String, u64)>,
    /// The outside number that it was transferred to.
    pub transferred_to: Option<String>,
    /// The nodes walked.
    pub path: Vec<String>,
}

/// What kind of call it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// An attempt of a campaign.
    Outbound(AttemptFacts),
    /// A caller.
    Inbound(InboundFacts),
}

/// A call that is not closed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// The exchange that it lives on.
    pub server: ServerName,
    /// The customer's channel.
    pub channel: ChannelId,
    /// Its kind.
    pub kind: Kind,
    /// Where it is.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// When the phase reaches its limit; a call has exactly one timer, at this moment.
    pub limit: Timestamp,
    /// Its FastAGI session, while there is one.
    pub session: Option<SessionId>,
    /// The agent reserved for it or talking on it.
    pub agent: Option<UserId>,
    /// The customer's channel exists, as far as is known.
    pub alive: bool,
    /// A snapshot did not show the channel of a call that was only just dialed.
    pub missed: bool,
    /// What was seen.
    pub signals: Signals,
    /// What it did in a flow.
    pub walk: Walk,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it asked for an agent.
    pub waiting_since: Option<Timestamp>,
    /// When an agent was first told to take it.
    pub offered_at: Option<Timestamp>,
    /// When an agent was connected.
    pub bridged_at: Option<Timestamp>,
    /// When the conversation is ended because its campaign lets none last longer.
    pub talk_until: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When the conversation ended, if before the call did.
    pub unbridged_at: Option<Timestamp>,
    /// The channel of the agent's station, when it was rung for this call.
    pub station: Option<ChannelId>,
    /// The agent who talked, kept after they are released.
    pub talked_to: Option<UserId>,
    /// The recording, relative to the recordings directory.
    pub recording: Option<String>,
    /// The transfer that brought it where it is, or is bringing it there.
    pub transfer: Option<Transfer>,
    /// A transfer that was asked for: it begins when the conversation has been ended for it.
    pub transfer_asked: Option<Transfer>,
    /// How many transfers were asked for.
    pub transfers: u32,
    /// When it began to wait for an agent again, after one had talked on it.
    pub waits_again: Option<Timestamp>,
}

impl Call {
    /// A call that begins now.
    pub fn new(
        id: CallId,
        server: ServerName,
        channel: ChannelId,
        kind: Kind,
        phase: Phase,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            server,
            channel,
            kind,
            phase,
            since: now,
            limit: now,
            session: None,
            agent: None,
            alive: phase != Phase::Restored && phase != Phase::Dialing,
            missed: false,
            signals: Signals::default(),
            walk: Walk::default(),
            started_at: now,
            answered_at: None,
            waiting_since: None,
            offered_at: None,
            bridged_at: None,
            talk_until: None,
            ended_at: None,
            unbridged_at: None,
            station: None,
            talked_to: None,
            recording: None,
            transfer: None,
            transfer_asked: None,
            transfers: 0,
            waits_again: None,
        }
    }

    /// It is being connected, or is connected, to a number outside.
    pub fn is_outside(&self) -> bool {
        self.transfer.as_ref().is_some_and(Transfer::is_outside)
    }

    /// The trunks whose channels its transfers use, or will.
    pub fn outside_trunks(&self) -> impl Iterator<Item = &TrunkId> {
        let transfers = [&self.transfer, &self.transfer_asked];
        let lines = transfers
            .into_iter()
            .flatten()
            .filter_map(|transfer| transfer.line.as_ref());
        lines
            .map(|line| &line.trunk)
            .filter(|_| self.ended_at.is_none())
    }

    /// Since when it has been waiting for an agent, when it does.
    pub fn waits_since(&self) -> Timestamp {
        self.waits_again
            .or(self.waiting_since)
            .unwrap_or(self.since)
    }

    /// Its campaign, when it is outbound.
    pub fn campaign(&self) -> Option<&CampaignId> {
        match &self.kind {
            Kind::Outbound(facts) => Some(&facts.campaign),
            Kind::Inbound(_) => None,
        }
    }

    /// Who called whom.
    pub const fn direction(&self) -> Direction {
        match self.kind {
            Kind::Outbound(_) => Direction::Outbound,
            Kind::Inbound(_) => Direction::Inbound,
        }
    }

    /// Its channel told of itself. What arrives after the end is late and wakes nobody.
    pub const fn seen_alive(&mut self) {
        if self.ended_at.is_none() {
            self.alive = true;
        }
    }

    /// Entering a bridge means that it talks with an agent. An answered call without a
    /// session was being connected when the daemon restarted.
    pub const fn may_become_bridged(&self) -> bool {
        match self.phase {
            Phase::Connecting => true,
            Phase::Answered => self.session.is_none(),
            Phase::Restored
            | Phase::Dialing
            | Phase::Ringing
            | Phase::Flow
            | Phase::Waiting
            | Phase::Bridged
            | Phase::Message
            | Phase::Ending => false,
        }
    }

    /// This moment, or the one at which its conversation is ended if that is sooner.
    pub fn while_it_may_talk(&self, at: Timestamp) -> Timestamp {
        self.talk_until
            .filter(|_| self.phase == Phase::Bridged)
            .map_or(at, |until| until.min(at))
    }

    /// It has a flow to run.
    pub const fn has_flow(&self) -> bool {
        self.walk.flow.is_some()
    }

    /// It still needs an agent, or will if it is answered.
    pub const fn needs_agent(&self) -> bool {
        match self.phase {
            Phase::Restored
            | Phase::Dialing
            | Phase::Ringing
            | Phase::Answered
            | Phase::Waiting => self.agent.is_none(),
            Phase::Flow | Phase::Connecting | Phase::Bridged | Phase::Message | Phase::Ending => {
                false
            }
        }
    }
}
