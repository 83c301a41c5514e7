//! Sets of events: what a consumer wants.

use std::ops::BitOr;

use super::{EventClass, EventKind};

/// A set of events, such as what a consumer wants to see.
///
/// ```
/// use strowger_ami::{EventKind, EventSet};
/// let wanted = EventSet::CALLS | EventSet::of(&[EventKind::FullyBooted]);
/// assert!(wanted.contains(EventKind::Hangup));
/// assert_eq!(wanted.mask(), "system,call");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u128);

impl EventSet {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Everything, known or not.
    pub const ALL: Self = Self(u128::MAX);

    /// The life of calls: channels, dials, the outcomes of Originate. One answered call of two
    /// channels causes about 20 of them.
    pub const CALLS: Self = Self::of(&[
        EventKind::NewChannel,
        EventKind::NewState,
        EventKind::Rename,
        EventKind::NewCallerId,
        EventKind::NewConnectedLine,
        EventKind::NewAccountCode,
        EventKind::Hangup,
        EventKind::HangupRequest,
        EventKind::SoftHangupRequest,
        EventKind::DialBegin,
        EventKind::DialState,
        EventKind::DialEnd,
        EventKind::OriginateResponse,
    ]);

    /// Who talks to whom, also through `Local` channels and in conferences.
    pub const BRIDGES: Self = Self::of(&[
        EventKind::BridgeCreate,
        EventKind::BridgeEnter,
        EventKind::BridgeLeave,
        EventKind::BridgeDestroy,
        EventKind::BridgeMerge,
        EventKind::BridgeVideoSourceUpdate,
        EventKind::LocalBridge,
        EventKind::LocalOptimizationBegin,
        EventKind::LocalOptimizationEnd,
        EventKind::ConfbridgeStart,
        EventKind::ConfbridgeEnd,
        EventKind::ConfbridgeJoin,
        EventKind::ConfbridgeLeave,
        EventKind::ConfbridgeMute,
        EventKind::ConfbridgeUnmute,
        EventKind::ConfbridgeTalking,
    ]);

    /// Calls that move: transfers, pick-up, parking.
    pub const TRANSFERS: Self = Self::of(&[
        EventKind::BlindTransfer,
        EventKind::AttendedTransfer,
        EventKind::Pickup,
        EventKind::ParkedCall,
        EventKind::ParkedCallTimeOut,
        EventKind::ParkedCallGiveUp,
        EventKind::ParkedCallSwap,
        EventKind::ParkedCallFailed,
        EventKind::UnParkedCall,
    ]);

    /// Hold and its music.
    pub const HOLD: Self = Self::of(&[
        EventKind::Hold,
        EventKind::Unhold,
        EventKind::MusicOnHoldStart,
        EventKind::MusicOnHoldStop,
    ]);

    /// Callers in queues, and what becomes of them. Of class `agent`.
    pub const QUEUES: Self = Self::of(&[
        EventKind::QueueCallerJoin,
        EventKind::QueueCallerLeave,
        EventKind::QueueCallerAbandon,
        EventKind::AgentCalled,
        EventKind::AgentConnect,
        EventKind::AgentComplete,
        EventKind::AgentRingNoAnswer,
        EventKind::AgentDump,
    ]);

    /// Members of queues, their calls, and agents that log in. Of class `agent`.
    pub const AGENTS: Self = Self::of(&[
        EventKind::QueueMemberAdded,
        EventKind::QueueMemberRemoved,
        EventKind::QueueMemberPause,
        EventKind::QueueMemberPenalty,
        EventKind::QueueMemberRinginuse,
        EventKind::QueueMemberStatus,
        EventKind::AgentCalled,
        EventKind::AgentConnect,
        EventKind::AgentComplete,
        EventKind::AgentRingNoAnswer,
        EventKind::AgentDump,
        EventKind::AgentLogin,
        EventKind::AgentLogoff,
    ]);

    /// Recordings of channels and of conferences.
    pub const RECORDING: Self = Self::of(&[
        EventKind::MixMonitorStart,
        EventKind::MixMonitorStop,
        EventKind::MixMonitorMute,
        EventKind::MonitorStart,
        EventKind::MonitorStop,
        EventKind::ConfbridgeRecord,
        EventKind::ConfbridgeStopRecord,
    ]);

    /// Who listens to whom, and who talks.
    pub const SUPERVISION: Self = Self::of(&[
        EventKind::ChanSpyStart,
        EventKind::ChanSpyStop,
        EventKind::ChannelTalkingStart,
        EventKind::ChannelTalkingStop,
    ]);

    /// Trunks and phones: who can be reached, where we are registered.
    pub const TRUNKS: Self = Self::of(&[
        EventKind::ContactStatus,
        EventKind::PeerStatus,
        EventKind::Registry,
        EventKind::SipQualifyPeerDone,
        EventKind::SessionTimeout,
        EventKind::PjsipMaintenanceStatus,
        EventKind::DndState,
    ]);

    /// State of devices, extensions, persons and mailboxes. A call over a `Local` channel
    /// causes about ten.
    pub const DEVICES: Self = Self::of(&[
        EventKind::DeviceStateChange,
        EventKind::ExtensionStatus,
        EventKind::PresenceStateChange,
        EventKind::PresenceStatus,
        EventKind::MessageWaiting,
    ]);

    /// Digits and flashes. Digits may be those of a card: do not store them.
    pub const DTMF: Self = Self::of(&[
        EventKind::DtmfBegin,
        EventKind::DtmfEnd,
        EventKind::Flash,
        EventKind::Wink,
    ]);

    /// Steps of the dialplan and variables. By far the most events: some 50 for each call.
    pub const DIALPLAN: Self = Self::of(&[
        EventKind::NewExten,
        EventKind::VarSet,
        EventKind::HangupHandlerPush,
        EventKind::HangupHandlerPop,
        EventKind::HangupHandlerRun,
    ]);

    /// Call records, of `cdr_manager` and `cel_manager`.
    pub const CDR: Self = Self::of(&[EventKind::Cdr, EventKind::Cel]);

    /// Who tried to get in. Each login and each registered phone causes some.
    pub const SECURITY: Self = Self::of(&[
        EventKind::FailedAcl,
        EventKind::InvalidAccountId,
        EventKind::SessionLimit,
        EventKind::MemoryLimit,
        EventKind::LoadAverageLimit,
        EventKind::RequestNotSupported,
        EventKind::RequestNotAllowed,
        EventKind::AuthMethodNotAllowed,
        EventKind::RequestBadFormat,
        EventKind::SuccessfulAuth,
        EventKind::UnexpectedAddress,
        EventKind::ChallengeResponseFailed,
        EventKind::InvalidPassword,
        EventKind::ChallengeSent,
        EventKind::InvalidTransport,
    ]);

    /// The server itself: start, end, modules, log.
    pub const SYSTEM: Self = Self::of(&[
        EventKind::FullyBooted,
        EventKind::Shutdown,
        EventKind::Reload,
        EventKind::Load,
        EventKind::Unload,
        EventKind::LogChannel,
        EventKind::DeadlockStart,
    ]);

    /// Programs that steer a channel.
    pub const AGI: Self = Self::of(&[
        EventKind::AsyncAgiStart,
        EventKind::AsyncAgiExec,
        EventKind::AsyncAgiEnd,
        EventKind::AgiExecStart,
        EventKind::AgiExecEnd,
    ]);

    /// Quality, fax and cost of calls. Each channel with RTP causes some every five seconds.
    pub const MEDIA: Self = Self::of(&[
        EventKind::RtcpSent,
        EventKind::RtcpReceived,
        EventKind::FaxStatus,
        EventKind::AocS,
        EventKind::AocD,
        EventKind::AocE,
    ]);

    /// Events written by a dialplan or by another session.
    pub const USER: Self = Self::of(&[EventKind::UserEvent]);

    /// These events.
    pub const fn of(kinds: &[EventKind]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < kinds.len() {
            bits |= 1_u128 << (kinds[at] as u8);
            at += 1;
        }
        Self(bits)
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the event is one of these.
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & (1_u128 << (kind as u8)) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The events of the set.
    pub fn kinds(self) -> impl Iterator<Item = EventKind> {
        EventKind::ALL
            .iter()
            .copied()
            .filter(move |kind| self.contains(*kind))
    }

    /// The `EventMask` by which Asterisk sends these events: their classes, or
    /// `on` for a set with events that are not known by name, or `off`.
    pub fn mask(self) -> String {
        if self.is_empty() {
            return "off".into();
        }
        if self.contains(EventKind::Other) {
            return "on".into();
        }
        let wanted = |class: &EventClass| self.kinds().any(|kind| kind.class() == Some(*class));
        let names: Vec<_> = EventClass::ALL
            .iter()
            .filter(|class| wanted(class))
            .map(|class| class.name())
            .collect();
        names.join(",")
    }
}

/// Most bytes of one filter: its line must be shorter than 1,024.
const MAX_FILTER_BYTES: usize = 900;

impl EventSet {
    /// The filters ([`actions::filter`](crate::actions::filter)) by which Asterisk
    /// sends these events and no others of their classes; none for a set with
    /// events that are not known by name. An event that matches one of them is
    /// sent (`match_filter` in `manager.c`), so there may be several.
    ///
    /// ```
    /// use strowger_ami::{EventKind, EventSet};
    /// let set = EventSet::of(&[EventKind::NewChannel, EventKind::Hangup]);
    /// assert_eq!(set.filters(), ["^Event: (Newchannel|Hangup)[[:cntrl:]]"]);
    /// ```
    pub fn filters(self) -> Vec<String> {
        if self.contains(EventKind::Other) {
            return Vec::new();
        }
        let mut lists: Vec<String> = Vec::new();
        for kind in self.kinds() {
            match lists.last_mut() {
                Some(list) if list.len() + kind.name().len() < MAX_FILTER_BYTES => {
                    list.push('|');
                    list.push_str(kind.name());
                }
                _ => lists.push(kind.name().to_owned()),
            }
        }
        lists
            .into_iter()
            .map(|list| format!("^Event: ({list})[[:cntrl:]]"))
            .collect()
    }
}

impl BitOr for EventSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.and(other)
    }
}

impl FromIterator<EventKind> for EventSet {
    fn from_iter<T: IntoIterator<Item = EventKind>>(kinds: T) -> Self {
        kinds
            .into_iter()
            .fold(Self::NONE, |set, kind| set.and(Self::of(&[kind])))
    }
}
