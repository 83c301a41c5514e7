//! What became of an attempt, fused from every signal that told of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::telephony::Amd;

/// The telephony outcome of an attempt, decided by the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// A person answered and was connected to an agent, or heard a broadcast to its end.
    AnsweredHuman,
    /// A machine answered.
    AnsweredMachine,
    /// A person answered and nobody could take the call in time.
    Abandoned,
    /// A person answered and hung up before an agent could be connected, within the legal time.
    AnsweredHangup,
    /// Busy.
    Busy,
    /// Rang and was not answered.
    NoAnswer,
    /// Refused by the person called.
    Rejected,
    /// Not registered or out of reach.
    Unreachable,
    /// No such number.
    Invalid,
    /// The carrier or the network failed.
    CarrierFailure,
    /// Our own configuration was refused (codec, facility, trunk).
    ConfigurationFailure,
    /// Ended by us before it was answered.
    Cancelled,
    /// Nobody can tell: the link or the daemon was away when it ended.
    Unknown,
}

impl Disposition {
    /// Every disposition, for tables and documentation.
    pub const ALL: [Self; 13] = [
        Self::AnsweredHuman,
        Self::AnsweredMachine,
        Self::Abandoned,
        Self::AnsweredHangup,
        Self::Busy,
        Self::NoAnswer,
        Self::Rejected,
        Self::Unreachable,
        Self::Invalid,
        Self::CarrierFailure,
        Self::ConfigurationFailure,
        Self::Cancelled,
        Self::Unknown,
    ];

    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnsweredHuman => "answered-human",
            Self::AnsweredMachine => "answered-machine",
            Self::Abandoned => "abandoned",
            Self::AnsweredHangup => "answered-hangup",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Invalid => "invalid",
            Self::CarrierFailure => "carrier-failure",
            Self::ConfigurationFailure => "configuration-failure",
            Self::Cancelled => "cancelled",
            Self::Unknown => "unknown",
        }
    }

    /// A person picked up.
    pub const fn is_human(self) -> bool {
        matches!(
            self,
            Self::AnsweredHuman | Self::Abandoned | Self::AnsweredHangup
        )
    }
}

impl fmt::Display for Disposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Disposition {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|d| d.as_str() == text)
            .ok_or_else(|| format!("unknown disposition {text:?}"))
    }
}

/// Everything that was seen of an attempt. Signals arrive in any order and some
/// never arrive: Asterisk reports an Originate's outcome before the hang-up, for a
/// busy number even before the end of the dial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a signal that was seen or not, in any combination"
)]
pub struct Signals {
    /// Answered by someone or something.
    pub answered: bool,
    /// An agent was connected.
    pub bridged: bool,
    /// The verdict of answering machine detection.
    pub amd: Option<Amd>,
    /// Why it said so, in the words of the exchange.
    pub amd_cause: Option<String>,
    /// It was taken for a machine and treated as a person, so that an agent hears what it is.
    pub audited: bool,
    /// The flow that it was dialed for ran to its end.
    pub served: bool,
    /// We gave up finding an agent in the legal time.
    pub gave_up: bool,
    /// We gave it up after it had rung as long as it must: nobody had answered.
    pub rang_out: bool,
    /// We ended it (stop of a campaign, hang-up by a supervisor).
    pub cancelled: bool,
    /// `Reason` of `OriginateResponse`.
    pub originate_reason: Option<u8>,
    /// The first `DialEnd`; a later one of the same channel is an echo of tearing down.
    pub dial_status: Option<String>,
    /// The Q.850 cause of the customer channel's hang-up.
    pub cause: Option<u16>,
    /// SIP code of the hang-up, such as `486`.
    pub sip_code: Option<u16>,
    /// The exchange refused the Originate.
    pub refused: bool,
    /// It ended while nobody could see it.
    pub unseen_end: bool,
}

impl Signals {
    /// It was taken for a machine, and treated as one.
    pub fn is_machine(&self) -> bool {
        self.amd == Some(Amd::Machine) && !self.audited
    }
}

/// Decides the disposition from all signals.
///
/// What each means (Asterisk 22, measured): an unanswered Originate gives Reason 3,
/// busy 5, congestion 8; unallocated (Q.850 1) and rejected (21) both give Reason 0
/// and `DialEnd` NOANSWER, so the hang-up cause decides between them.
pub fn fuse(signals: &Signals) -> Disposition {
    if signals.answered || signals.bridged {
        return fuse_answered(signals);
    }
    if signals.refused {
        return Disposition::ConfigurationFailure;
    }
    if signals.unseen_end {
        return Disposition::Unknown;
    }
    // A ring time-out is our own doing, so Reason 3 outranks the cause that tearing
    // the call down left behind.
    let decided = if signals.originate_reason == Some(3) || signals.rang_out {
        Some(Disposition::NoAnswer)
    } else {
        signals
            .sip_code
            .and_then(from_sip_code)
            .or_else(|| signals.cause.and_then(from_cause))
            .or_else(|| signals.dial_status.as_deref().and_then(from_dial_status))
            .or_else(|| signals.originate_reason.and_then(from_reason))
    };
    match decided {
        // The line that we hung up was not answered: SIP 487 and NOANSWER are our own doing.
        None | Some(Disposition::NoAnswer) if signals.cancelled && !signals.rang_out => {
            Disposition::Cancelled
        }
        Some(disposition) => disposition,
        None => Disposition::Unknown,
    }
}

fn fuse_answered(signals: &Signals) -> Disposition {
    if signals.bridged {
        Disposition::AnsweredHuman
    } else if signals.is_machine() {
        Disposition::AnsweredMachine
    } else if signals.gave_up {
        Disposition::Abandoned
    } else if signals.served {
        Disposition::AnsweredHuman
    } else if signals.unseen_end {
        Disposition::Unknown
    } else if signals.cancelled {
        Disposition::Cancelled
    } else {
        Disposition::AnsweredHangup
    }
}

/// SIP final responses whose Q.850 translation loses what they say.
fn from_sip_code(code: u16) -> Option<Disposition> {
    match code {
        486 | 600 => Some(Disposition::Busy),
        403 | 603 | 607 | 608 => Some(Disposition::Rejected),
        404 | 410 | 484 | 604 => Some(Disposition::Invalid),
        480 => Some(Disposition::Unreachable),
        408 | 487 => Some(Disposition::NoAnswer),
        488 | 606 | 401 | 407 => Some(Disposition::ConfigurationFailure),
        500..=599 => Some(Disposition::CarrierFailure),
        _ => None,
    }
}

/// ITU-T Q.850 causes of a call that was not answered.
fn from_cause(cause: u16) -> Option<Disposition> {
    match cause {
        17 => Some(Disposition::Busy),
        18 | 19 | 102 => Some(Disposition::NoAnswer),
        20 => Some(Disposition::Unreachable),
        21 => Some(Disposition::Rejected),
        1 | 22 | 28 => Some(Disposition::Invalid),
        2 | 3 | 27 | 34 | 38 | 41 | 42 | 44 | 47 => Some(Disposition::CarrierFailure),
        29 | 50 | 57 | 58 | 63 | 79 | 88 => Some(Disposition::ConfigurationFailure),
        _ => None,
    }
}

fn from_dial_status(status: &str) -> Option<Disposition> {
    match status {
        "BUSY" => Some(Disposition::Busy),
        "NOANSWER" => Some(Disposition::NoAnswer),
        "CANCEL" => Some(Disposition::Cancelled),
        "CONGESTION" | "CHANUNAVAIL" => Some(Disposition::CarrierFailure),
        _ => None,
    }
}

fn from_reason(reason: u8) -> Option<Disposition> {
    match reason {
        3 => Some(Disposition::NoAnswer),
        5 => Some(Disposition::Busy),
        8 => Some(Disposition::CarrierFailure),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unanswered(reason: u8, dial: &str, cause: u16) -> Disposition {
        fuse(&Signals {
            originate_reason: Some(reason),
            dial_status: Some(dial.to_owned()),
            cause: Some(cause),
            ..Signals::default()
        })
    }

    #[test]
    fn each_outcome_that_a_real_asterisk_reports_is_told_apart() {
        assert_eq!(unanswered(5, "BUSY", 17), Disposition::Busy);
        assert_eq!(unanswered(8, "CONGESTION", 34), Disposition::CarrierFailure);
        assert_eq!(unanswered(0, "NOANSWER", 1), Disposition::Invalid);
        assert_eq!(unanswered(0, "NOANSWER", 21), Disposition::Rejected);
        assert_eq!(unanswered(3, "NOANSWER", 0), Disposition::NoAnswer);
        assert_eq!(unanswered(3, "CANCEL", 16), Disposition::NoAnswer);
    }

    #[test]
    fn a_busy_reported_only_by_its_sip_code_is_busy() {
        let signals = Signals {
            sip_code: Some(486),
            cause: Some(0),
            ..Signals::default()
        };
        assert_eq!(fuse(&signals), Disposition::Busy);
    }

    #[test]
    fn an_answered_person_without_agent_is_abandoned_only_when_we_gave_up() {
        let answered = Signals {
            answered: true,
            amd: Some(Amd::Human),
            cause: Some(16),
            ..Signals::default()
        };
        assert_eq!(fuse(&answered), Disposition::AnsweredHangup);
        assert_eq!(
            fuse(&Signals {
                gave_up: true,
                ..answered.clone()
            }),
            Disposition::Abandoned
        );
        assert_eq!(
            fuse(&Signals {
                bridged: true,
                ..answered
            }),
            Disposition::AnsweredHuman
        );
    }

    #[test]
    fn a_person_who_heard_a_broadcast_to_its_end_was_reached_and_a_machine_was_not() {
        let served = Signals {
            answered: true,
            served: true,
            cause: Some(16),
            ..Signals::default()
        };
        assert_eq!(fuse(&served), Disposition::AnsweredHuman);
        let machine = Signals {
            amd: Some(Amd::Machine),
            ..served.clone()
        };
        assert_eq!(fuse(&machine), Disposition::AnsweredMachine);
        let abandoned = Signals {
            gave_up: true,
            ..served
        };
        assert_eq!(fuse(&abandoned), Disposition::Abandoned);
    }

    #[test]
    fn a_line_that_we_hung_up_is_cancelled_whatever_hanging_up_left_behind() {
        let hung_up = Signals {
            cancelled: true,
            sip_code: Some(487),
            dial_status: Some("NOANSWER".to_owned()),
            ..Signals::default()
        };
        assert_eq!(fuse(&hung_up), Disposition::Cancelled);
        let was_busy = Signals {
            cancelled: true,
            cause: Some(17),
            ..Signals::default()
        };
        assert_eq!(fuse(&was_busy), Disposition::Busy);
    }

    #[test]
    fn an_end_that_nobody_saw_is_unknown_rather_than_guessed() {
        assert_eq!(
            fuse(&Signals {
                unseen_end: true,
                ..Signals::default()
            }),
            Disposition::Unknown
        );
        assert_eq!(fuse(&Signals::default()), Disposition::Unknown);
    }

    #[test]
    fn every_name_can_be_read_back() {
        for disposition in Disposition::ALL {
            assert_eq!(disposition.as_str().parse(), Ok(disposition));
        }
    }
}
