//! Values with a fixed meaning: a word or a number on the wire, an enum here.

use std::borrow::Cow;
use std::fmt;

/// A value that is read from the text of a header.
pub(super) trait Word {
    /// The value of a text; one that is not known keeps it.
    fn of_text(text: Cow<'_, str>) -> Self;
}

/// Makes an enum of the words that Asterisk writes, in any letter case, and a
/// variant that keeps any other word.
macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$word_doc:meta])* $variant:ident = $word:literal $(| $other:literal)*; )+
        }
    )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$word_doc])* $variant, )+
            /// Any other word, as Asterisk wrote it; empty when it wrote none.
            Other(String),
        }

        impl $name {
            /// The value of a word, in any letter case.
            pub fn parse(word: &str) -> Self {
                let known: &[(&str, Self)] = &[
                    $( ($word, Self::$variant), $( ($other, Self::$variant), )* )+
                ];
                known
                    .iter()
                    .find(|(text, _)| text.eq_ignore_ascii_case(word))
                    .map_or_else(|| Self::Other(word.to_owned()), |(_, value)| value.clone())
            }

            /// The word of Asterisk.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )+
                    Self::Other(word) => word,
                }
            }
        }

        impl Word for $name {
            fn of_text(text: Cow<'_, str>) -> Self {
                Self::parse(&text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+ };
}

words! {
    /// How a dial goes on or ended (`DialState`, `DialEnd`).
    DialStatus {
        /// The other end rings.
        Ringing = "RINGING";
        /// The network works on the call.
        Proceeding = "PROCEEDING";
        /// Early media, such as an announcement of the network.
        Progress = "PROGRESS";
        /// Answered.
        Answer = "ANSWER";
        /// Busy (Q.850 cause 17).
        Busy = "BUSY";
        /// Not answered. Also what an unallocated number (cause 1) and a rejected
        /// call (cause 21) are reported as.
        NoAnswer = "NOANSWER";
        /// The caller gave up, or another destination answered.
        Cancel = "CANCEL";
        /// No circuit (cause 34).
        Congestion = "CONGESTION";
        /// No route, or not registered (causes 3 and 20).
        ChannelUnavailable = "CHANUNAVAIL";
        /// The call was aborted.
        Abort = "ABORT";
        /// The dialplan goes on after the dial.
        Continue = "CONTINUE";
        /// The dialplan goes on elsewhere.
        Goto = "GOTO";
    }

    /// Who ended the talk with an agent (`AgentComplete`).
    CompleteReason {
        /// The agent hung up.
        Agent = "agent";
        /// The caller hung up.
        Caller = "caller";
        /// The call was transferred.
        Transfer = "transfer";
    }

    /// State of a device (`enum ast_device_state` in `devicestate.h`), in the three
    /// ways in which Asterisk writes it: `NOT_INUSE`, `Not in use`, and 1 as the
    /// status of a queue member.
    DeviceState {
        /// 0: valid, but the state is not known.
        Unknown = "UNKNOWN";
        /// 1: not in use.
        NotInUse = "NOT_INUSE" | "Not in use";
        /// 2: in use.
        InUse = "INUSE" | "In use";
        /// 3: busy.
        Busy = "BUSY";
        /// 4: no such device.
        Invalid = "INVALID";
        /// 5: unavailable, such as a phone that is not registered.
        Unavailable = "UNAVAILABLE";
        /// 6: ringing.
        Ringing = "RINGING";
        /// 7: ringing and in use.
        RingInUse = "RINGINUSE" | "Ring+Inuse";
        /// 8: on hold.
        OnHold = "ONHOLD" | "On Hold";
    }

    /// Whether a contact of a PJSIP address of record answers
    /// (`res_pjsip/pjsip_options.c`).
    ContactState {
        /// It answers.
        Reachable = "Reachable";
        /// It does not.
        Unreachable = "Unreachable";
        /// It is new and has not been asked yet, or is never asked.
        NonQualified = "NonQualified" | "NonQual" | "Unqualified" | "Created";
        /// It is gone.
        Removed = "Removed";
        /// Registered anew (before Asterisk 16).
        Updated = "Updated";
        /// Not known.
        Unknown = "Unknown";
    }

    /// State of a peer (`PeerStatus`).
    PeerState {
        /// Registered.
        Registered = "Registered";
        /// No longer registered.
        Unregistered = "Unregistered";
        /// It answers.
        Reachable = "Reachable";
        /// It does not.
        Unreachable = "Unreachable";
        /// It answers slowly.
        Lagged = "Lagged";
        /// Its registration was refused.
        Rejected = "Rejected";
        /// Not known.
        Unknown = "Unknown";
    }

    /// State of a registration of ours with a provider (`Registry`,
    /// `OutboundRegistrationDetail`).
    RegistrationState {
        /// Registered.
        Registered = "Registered";
        /// Not registered, or no longer.
        Unregistered = "Unregistered";
        /// Refused by the provider.
        Rejected = "Rejected";
        /// No success (`chan_sip`).
        Failed = "Failed";
        /// No answer (`chan_sip`, `chan_iax2`).
        Timeout = "Timeout";
        /// Asked for (`chan_sip`, `chan_iax2`).
        RequestSent = "Request Sent";
        /// Asked for with the password (`chan_sip`, `chan_iax2`).
        AuthSent = "Auth. Sent";
        /// The provider wants another kind of password (`chan_sip`, `chan_iax2`).
        NoAuthentication = "No Authentication";
        /// Being ended, no attempt will follow.
        Stopping = "Stopping";
        /// Ended, no attempt will follow.
        Stopped = "Stopped";
    }

    /// Outcome of a transfer (`BlindTransfer`, `AttendedTransfer`).
    TransferResult {
        /// Done.
        Success = "Success";
        /// An internal error.
        Fail = "Fail";
        /// No such destination.
        Invalid = "Invalid";
        /// The bridge does not allow it.
        NotPermitted = "Not Permitted";
    }

    /// What an attended transfer connected to.
    TransferDestination {
        /// Two bridges became one: `DestBridgeUniqueid`.
        Bridge = "Bridge";
        /// An application that ran instead of a bridge: `DestApp`.
        App = "App";
        /// Two bridges linked by a `Local` channel: `LocalOne`, `LocalTwo`.
        Link = "Link";
        /// All three talk: `DestBridgeUniqueid`, `DestTransfererChannel`.
        Threeway = "Threeway";
        /// Nothing: the transfer failed.
        Fail = "Fail";
    }

    /// State of a person, as told by the person (`presencestate.h`).
    PresenceState {
        /// Nothing was told.
        NotSet = "not_set";
        /// Unavailable.
        Unavailable = "unavailable";
        /// Available.
        Available = "available";
        /// Away.
        Away = "away";
        /// Extended away.
        ExtendedAway = "xa";
        /// Available to chat.
        Chat = "chat";
        /// Do not disturb.
        DoNotDisturb = "dnd";
    }

    /// State of an agent of `app_agent_pool` (`Agents`).
    AgentState {
        /// Not logged in.
        LoggedOff = "AGENT_LOGGEDOFF";
        /// Logged in, without a call.
        Idle = "AGENT_IDLE";
        /// With a caller.
        OnCall = "AGENT_ONCALL";
    }

    /// How a call record ends (`Cdr`).
    CdrDisposition {
        /// Answered.
        Answered = "ANSWERED";
        /// Not answered.
        NoAnswer = "NO ANSWER";
        /// Busy.
        Busy = "BUSY";
        /// The dial failed.
        Failed = "FAILED";
        /// No circuit.
        Congestion = "CONGESTION";
    }

    /// Whether a digit came from the channel or went to it.
    DtmfDirection {
        /// The party at the channel pressed it.
        Received = "Received";
        /// It is played to the party at the channel.
        Sent = "Sent";
    }

    /// How bad an event of class `security` is.
    SecuritySeverity {
        /// Nothing to worry about.
        Informational = "Informational";
        /// Something was refused.
        Error = "Error";
    }
}

impl DeviceState {
    /// The state of a number, as queues write it; any other number is kept as text.
    pub fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Unknown,
            1 => Self::NotInUse,
            2 => Self::InUse,
            3 => Self::Busy,
            4 => Self::Invalid,
            5 => Self::Unavailable,
            6 => Self::Ringing,
            7 => Self::RingInUse,
            8 => Self::OnHold,
            number => Self::Other(number.to_string()),
        }
    }
}

/// State of the devices behind a hint (`enum ast_extension_states` in `pbx.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtensionState {
    /// -2: the extension is gone.
    Removed,
    /// -1: the hint is gone.
    Deactivated,
    /// 0: none is in use.
    Idle,
    /// 1: one is in use.
    InUse,
    /// 2: all are busy.
    Busy,
    /// 4: all are unavailable.
    Unavailable,
    /// 8: one rings.
    Ringing,
    /// 9: one rings, one is in use.
    InUseRinging,
    /// 16: all are on hold.
    OnHold,
    /// 17: one is on hold, one is in use.
    InUseOnHold,
    /// Any other number.
    Other(i32),
}

impl ExtensionState {
    /// The state of a number.
    pub fn from_number(number: i32) -> Self {
        match number {
            -2 => Self::Removed,
            -1 => Self::Deactivated,
            0 => Self::Idle,
            1 => Self::InUse,
            2 => Self::Busy,
            4 => Self::Unavailable,
            8 => Self::Ringing,
            9 => Self::InUseRinging,
            16 => Self::OnHold,
            17 => Self::InUseOnHold,
            number => Self::Other(number),
        }
    }
}
