//! The typed commands of a session, by topic. What they send and what results
//! mean is taken from `res_agi.c` of Asterisk 16 to 23.
//!
//! Common to all of them:
//!
//! * Escape digits are DTMF digits (`0` to `9`, `*`, `#`, `A` to `D`) that end
//!   what plays; an empty text lets nothing end it.
//! * A command that lasts as long as a sound, a conversation or a caller has
//!   no deadline; others have the `command_timeout` of the server.
//! * Where a failure is a result of -1, it is [`CommandError::HungUp`] if the
//!   caller is gone and [`CommandError::Refused`] with code 200 if not.

mod call;
mod database;
mod dialplan;
mod media;
mod message;
mod record;
mod say;
mod speech;

pub use call::ChannelStatus;
pub use database::DatabaseTree;
pub use dialplan::{ExecResult, Priority, Subroutine};
pub use media::{ControlEnd, ControlPlayback, ControlStatus, ControlStream, Data, Playback};
pub use message::TddMode;
pub use record::{Record, Recording, RecordingEnd};
pub use say::{Case, Gender};
pub use speech::{Recognition, Recognized};

use std::time::Duration;

use crate::{CommandError, Success};

/// A digit in `Debug` output: it may be one of a PIN.
fn hidden(digit: Option<char>) -> Option<&'static str> {
    digit.map(|_| "…")
}

/// Milliseconds for AGI, which reads a signed 32-bit number.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Whether a command that answers 1 or 0 succeeded.
fn yes_or_no(verb: &str, success: &Success) -> Result<bool, CommandError> {
    match success.code() {
        Some(1) => Ok(true),
        Some(0) => Ok(false),
        _ => Err(CommandError::unexpected(verb)),
    }
}

/// The value of a reply that is 1 with a value, or 0 without.
fn value(success: Success) -> Option<String> {
    if success.result() == "1" {
        Some(success.into_value().unwrap_or_default())
    } else {
        None
    }
}
