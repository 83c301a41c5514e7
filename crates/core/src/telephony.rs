//! The words spoken between the switchboard and an adapter such as Asterisk's.
//!
//! An adapter turns its wire into [`Event`]s and carries out [`Command`]s.
//! It keeps no call state of its own beyond what translation needs.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{AgentSessionId, AttemptId, CallId, QueueId, SupervisionId},
    ivr,
    phone::PhoneNumber,
};

/// The configured name of one exchange (one Asterisk server).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerName(pub Arc<str>);

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ServerName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

/// The identity of a channel for its whole life: Asterisk's Uniqueid, opaque,
/// chosen by Strowger for every channel that it originates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelId(pub Arc<str>);

/// Whose channel it is, read from its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelOwner {
    /// The customer of an outbound attempt.
    Attempt(AttemptId),
    /// The `number`-th leg dialed for an agent session.
    Leg {
        /// The agent's session.
        session: AgentSessionId,
        /// Counts the legs of the session from 1: a lost leg is dialed again under a new id.
        number: u32,
    },
    /// The line of a supervisor who listens.
    Supervision(SupervisionId),
    /// Not originated by Strowger.
    Other,
}

impl ChannelId {
    /// The customer channel of an attempt: never used twice, because an attempt is dialed once.
    pub fn for_attempt(attempt: AttemptId) -> Self {
        Self(attempt.to_string().into())
    }

    /// The `number`-th leg of an agent session.
    pub fn for_leg(session: AgentSessionId, number: u32) -> Self {
        Self(format!("leg_{}_{number}", session.0.simple()).into())
    }

    /// The line of a supervisor.
    pub fn for_supervision(supervision: SupervisionId) -> Self {
        Self(supervision.to_string().into())
    }

    /// Whose channel this is.
    pub fn owner(&self) -> ChannelOwner {
        if let Ok(attempt) = self.0.parse() {
            return ChannelOwner::Attempt(attempt);
        }
        if let Ok(supervision) = self.0.parse() {
            return ChannelOwner::Supervision(supervision);
        }
        self.0
            .strip_prefix("leg_")
            .and_then(|rest| rest.split_once('_'))
            .and_then(|(hex, number)| {
                Some(ChannelOwner::Leg {
                    session: AgentSessionId(uuid::Uuid::try_parse(hex).ok()?),
                    number: number.parse().ok()?,
                })
            })
            .unwrap_or(ChannelOwner::Other)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for ChannelId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

/// One FastAGI session, numbered by the adapter within this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What answering machine detection said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amd {
    /// A person.
    Human,
    /// A machine.
    Machine,
    /// No decision in time. Treated as a person: hanging up on a person is worse.
    NotSure,
}

/// What a FastAGI session was opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionKind {
    /// An answered customer of an attempt.
    Dialer {
        /// The attempt.
        attempt: AttemptId,
        /// The verdict of answering machine detection, when it ran.
        amd: Option<Amd>,
        /// Why it said so, in the words of the exchange.
        amd_cause: Option<String>,
    },
    /// A caller who dialed one of our numbers.
    Inbound {
        /// The id for this call if it is new.
        call: CallId,
        /// The number that was dialed, as the exchange delivered it.
        did: String,
        /// The caller's number, when it was presented.
        caller: Option<String>,
        /// The PJSIP endpoint that the call came in through, when it came through one.
        endpoint: Option<String>,
    },
}

/// A channel in a snapshot of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveChannel {
    /// Its identity.
    pub channel: ChannelId,
    /// Answered.
    pub up: bool,
    /// The bridge that it is in, if it is in one.
    pub bridge: Option<String>,
}

/// How an Originate failed before any channel told of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginateFailure {
    /// It never left: nothing was dialed.
    NotSent,
    /// The exchange refused it: nothing was dialed.
    Refused(String),
    /// The link was lost or the answer did not come: it may have been dialed.
    Unknown,
}

/// What happened on an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The link is usable and these channels exist, after a start, a
    /// reconnection, a gap, or because [`Command::Sync`] asked.
    Snapshot {
        /// Which exchange.
        server: ServerName,
        /// Every channel that it has.
        channels: Vec<LiveChannel>,
    },
    /// The link is gone; calls may go on unseen.
    LinkDown {
        /// Which exchange.
        server: ServerName,
    },
    /// An Originate did not become a channel.
    OriginateFailed {
        /// The id that the channel was to have.
        channel: ChannelId,
        /// What is known.
        failure: OriginateFailure,
    },
    /// The exchange reported the outcome of an Originate (`OriginateResponse`).
    OriginateEnded {
        /// The channel.
        channel: ChannelId,
        /// Asterisk's Reason: 0 failure, 1 hang-up, 3 ring time-out, 4 answered, 5 busy, 8 congestion.
        reason: u8,
    },
    /// The channel exists.
    Created {
        /// The channel.
        channel: ChannelId,
    },
    /// The far end rings.
    Ringing {
        /// The channel.
        channel: ChannelId,
    },
    /// The far end answered.
    Answered {
        /// The channel.
        channel: ChannelId,
    },
    /// A dial of this channel ended (`DialEnd`); only the first one of a channel tells the truth.
    DialEnded {
        /// The channel that was dialed.
        channel: ChannelId,
        /// Asterisk's `DialStatus`, such as `BUSY`.
        status: String,
    },
    /// A station that was rung for a customer answered.
    StationAnswered {
        /// The customer's channel.
        customer: ChannelId,
        /// The station's.
        station: ChannelId,
    },
    /// The channel talks with whoever else is in the bridge.
    BridgeEntered {
        /// The channel.
        channel: ChannelId,
        /// The bridge.
        bridge: String,
    },
    /// The channel left a bridge.
    BridgeLeft {
        /// The channel.
        channel: ChannelId,
    },
    /// The channel is gone.
    HungUp {
        /// The channel.
        channel: ChannelId,
        /// Q.850 cause, 0 when none was given.
        cause: u16,
        /// The SIP code or other technology cause, when the exchange reports it.
        tech_cause: Option<String>,
    },
    /// The dialplan handed a channel over.
    SessionOpened {
        /// The session.
        session: SessionId,
        /// The exchange, when it can be told.
        server: ServerName,
        /// The channel.
        channel: ChannelId,
        /// What for.
        kind: SessionKind,
    },
    /// Something in a session.
    Session {
        /// The session.
        session: SessionId,
        /// What.
        event: SessionEvent,
    },
}

/// What a session reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// [`SessionCommand::Connect`] is over: the conversation ended or never began.
    ConnectEnded {
        /// What the exchange said of it.
        outcome: ConnectOutcome,
    },
    /// The flow wants the caller to wait for an agent.
    Queued {
        /// The queue.
        queue: QueueId,
        /// Longest wait in seconds.
        max_wait_s: u32,
    },
    /// A voicemail was recorded.
    Voicemail {
        /// Where, relative to the recordings directory.
        path: String,
        /// Its length in milliseconds.
        duration_ms: u64,
        /// The mailbox that the flow named.
        mailbox: Option<String>,
    },
    /// The flow transferred the caller to an outside number.
    Transferred {
        /// The number.
        number: String,
        /// Whether it was answered.
        answered: bool,
    },
    /// The flow came to its end.
    FlowEnded {
        /// Ids of the nodes walked.
        path: Vec<String>,
        /// It came to its own end; false when the caller left it.
        completed: bool,
    },
    /// The session is over, whoever ended it; the last event of a session.
    Closed,
}

/// How a [`SessionCommand::Connect`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectOutcome {
    /// They talked, and one of them ended it.
    Talked,
    /// The agent's station did not answer in time.
    NoAnswer,
    /// The agent's station or leg could not be reached.
    Failed,
}

/// What an adapter is asked to do.
#[derive(Debug, Clone)]
pub enum Command {
    /// Place a call. Failures come back as [`Event::OriginateFailed`].
    Originate(Originate),
    /// Hang a channel up; it may be gone already.
    HangUp {
        /// Which exchange.
        server: ServerName,
        /// The channel.
        channel: ChannelId,
    },
    /// Take a nailed-up leg out of its conversation, and let it idle again.
    FreeLeg {
        /// Which exchange.
        server: ServerName,
        /// The leg.
        leg: ChannelId,
    },
    /// Ask for a [`Event::Snapshot`].
    Sync {
        /// Which exchange.
        server: ServerName,
    },
    /// Speak to a session.
    Session {
        /// The session.
        session: SessionId,
        /// What to do.
        command: SessionCommand,
    },
}

/// An Originate, always asynchronous and always with our channel id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originate {
    /// Which exchange.
    pub server: ServerName,
    /// The id that the channel gets.
    pub channel: ChannelId,
    /// What to dial, such as `PJSIP/+33639981234@carrier`.
    pub endpoint: String,
    /// The number shown to the person called.
    pub caller_id: Option<String>,
    /// Ring time-out in milliseconds.
    pub timeout_ms: u32,
    /// What for; decides the dialplan context.
    pub purpose: OriginatePurpose,
}

/// Why a channel is originated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginatePurpose {
    /// A customer of an attempt.
    Customer {
        /// The attempt.
        attempt: AttemptId,
        /// Run answering machine detection, with these arguments of the exchange's own.
        amd: Option<String>,
    },
    /// A nailed-up agent leg.
    AgentLeg,
    /// The line of a supervisor: it ends when the channel that is listened to does.
    Supervision {
        /// What is listened to.
        target: ChannelId,
        /// Who hears the supervisor.
        how: Supervision,
    },
}

/// Who hears a supervisor that listens to an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Supervision {
    /// Nobody.
    Listen,
    /// The agent.
    Coach,
    /// Everybody.
    Barge,
}

impl Supervision {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Coach => "coach",
            Self::Barge => "barge",
        }
    }
}

/// What a session is asked to do.
#[derive(Debug, Clone)]
pub enum SessionCommand {
    /// Connect the caller to an agent.
    Connect {
        /// Whom.
        target: ConnectTarget,
        /// Record it.
        record: Option<Recording>,
    },
    /// Play a sound, then hang up.
    PlayAndHangUp {
        /// The sound file, as Asterisk names it.
        sound: String,
    },
    /// Wait until a machine has said its greeting, play a sound, then hang up.
    LeaveMessage {
        /// The sound file, as Asterisk names it.
        sound: String,
    },
    /// Run a flow; a flow that waits in a queue is left for it.
    RunFlow {
        /// The flow.
        flow: Arc<ivr::Flow>,
        /// Where voicemails go, relative to the recordings directory and without extension.
        recording: String,
    },
    /// Go on with the flow: waiting in the queue is over.
    LeaveQueue {
        /// Why.
        outcome: ivr::QueueOutcome,
    },
    /// Hang the caller up.
    HangUp,
}

/// How a conversation is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// To this file, relative to the recordings directory.
    pub file: String,
    /// With a tone from time to time.
    pub beep: bool,
}

/// Whom to connect a caller to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectTarget {
    /// A nailed-up leg.
    Leg(ChannelId),
    /// An endpoint to ring.
    Ring {
        /// Such as `PJSIP/1001`.
        endpoint: String,
        /// Ring time in seconds.
        seconds: u32,
    },
    /// A number outside. From then on the call is not recorded.
    Outside {
        /// What is dialed, such as `PJSIP/+33639981234@carrier`.
        endpoint: String,
        /// Ring time in seconds.
        seconds: u32,
        /// The number that is shown.
        caller_id: PhoneNumber,
        /// The conversation is ended after so many seconds.
        max_s: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_channel_id_tells_whose_it_is() {
        let attempt = AttemptId(Uuid::from_u128(1));
        let session = AgentSessionId(Uuid::from_u128(2));
        assert_eq!(
            ChannelId::for_attempt(attempt).owner(),
            ChannelOwner::Attempt(attempt)
        );
        assert_eq!(
            ChannelId::for_leg(session, 3).owner(),
            ChannelOwner::Leg { session, number: 3 }
        );
        let supervision = SupervisionId(Uuid::from_u128(3));
        assert_eq!(
            ChannelId::for_supervision(supervision).owner(),
            ChannelOwner::Supervision(supervision)
        );
        assert_eq!(
            ChannelId::from("1763630000.12").owner(),
            ChannelOwner::Other
        );
    }
}
