//! Why a command did not succeed.

use crate::{Success, command::InvalidArgument};

/// The outcome of a command that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The caller is gone: reply 511, a failing result after (or directly
    /// before) the inline `HANGUP` line, or the end of the connection after it.
    #[error("the channel is hung up")]
    HungUp,
    /// The connection ended although no hang-up was announced: the exchange
    /// stopped, the network failed, or the session was closed after a
    /// protocol error.
    #[error("the FastAGI connection is gone")]
    Disconnected,
    /// No reply came within the deadline of the command. The command may
    /// still be running in the exchange; its late reply will be skipped.
    #[error("no reply within the deadline")]
    TimedOut,
    /// The exchange refused: 510 (unknown command), 520 (wrong usage, with
    /// the usage text), or 200 with result -1 on a living channel, such as a
    /// sound file that does not exist.
    #[error("refused with {code}: {message}")]
    Refused {
        /// The three-digit code of the reply.
        code: u16,
        /// What the exchange said, lines joined with a line feed.
        message: String,
    },
    /// The command was not sent.
    #[error("the command cannot be written: {0}")]
    InvalidArgument(#[from] InvalidArgument),
    /// The peer does not speak AGI, or exceeded a limit. The session is
    /// closed.
    #[error("protocol error: {reason}")]
    Protocol {
        /// What was wrong, without quoting the peer's bytes.
        reason: String,
    },
}

impl CommandError {
    /// A reply that says no on a living channel.
    pub(crate) fn failed(success: &Success) -> Self {
        Self::Refused {
            code: 200,
            message: format!("result={}", success.raw()),
        }
    }

    /// A result that the command cannot have.
    pub(crate) fn unexpected(verb: &str) -> Self {
        Self::Protocol {
            reason: format!("{verb} answered with an impossible result"),
        }
    }
}
