//! What the log learns about commands: never the value of an argument or of a
//! result.

use tokio::time::Instant;
use tracing::{Level, Span, debug, enabled, field, info_span};

use super::Session;
use crate::{Command, CommandError, Success};

/// Measures one command, if anybody listens.
pub(super) struct Watch(Option<Started>);

struct Started {
    verb: &'static str,
    arguments: usize,
    at: Instant,
}

/// How a command ended, in a word.
pub(super) struct Outcome {
    class: &'static str,
    code: Option<u16>,
}

impl Watch {
    pub(super) fn start(command: &Command) -> Self {
        Self(enabled!(Level::DEBUG).then(|| Started {
            verb: command.verb(),
            arguments: command.arguments(),
            at: Instant::now(),
        }))
    }

    pub(super) fn end(self, outcome: &Outcome) {
        if let Some(started) = self.0 {
            debug!(
                agi.verb = started.verb,
                agi.arguments = started.arguments,
                agi.outcome = outcome.class,
                agi.code = outcome.code,
                duration_us = u64::try_from(started.at.elapsed().as_micros()).unwrap_or(u64::MAX),
                "AGI command"
            );
        }
    }
}

impl Outcome {
    pub(super) fn of(outcome: &Result<Success, CommandError>) -> Self {
        let (class, code) = match outcome {
            Ok(success) if success.failed() => ("failed", Some(200)),
            Ok(_) => ("success", Some(200)),
            Err(CommandError::HungUp) => ("hung_up", None),
            Err(CommandError::Disconnected) => ("disconnected", None),
            Err(CommandError::TimedOut) => ("timed_out", None),
            Err(CommandError::Refused { code, .. }) => ("refused", Some(*code)),
            Err(CommandError::InvalidArgument(_)) => ("not_sent", None),
            Err(CommandError::Protocol { .. }) => ("protocol_error", None),
        };
        Self { class, code }
    }
}

impl Session {
    /// A span that names the call: `agi.script` (without its query),
    /// `agi.unique_id`, `agi.channel` and `network.peer.address`. The server
    /// runs its handler in it; a session from elsewhere needs
    /// [`tracing::Instrument`].
    ///
    /// The name of a `Local` channel holds the number that was dialed, which
    /// is left out.
    pub fn span(&self) -> Span {
        let environment = self.environment();
        info_span!(
            "agi_session",
            agi.script = environment.network_script(),
            agi.unique_id = environment.unique_id(),
            agi.channel = environment.channel().map(without_number).map(field::display),
            network.peer.address = %self.peer(),
        )
    }
}

/// `Local/…@context-00000001;1` for a `Local` channel.
fn without_number(channel: &str) -> String {
    match channel.strip_prefix("Local/") {
        Some(rest) => {
            let place = rest.rfind('@').map_or("", |at| &rest[at..]);
            format!("Local/…{place}")
        }
        None => channel.to_owned(),
    }
}
