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
    /// The name of a channel may hold the number that was dialed
    /// (`Local/…@dial-00000001;1`, `DAHDI/i1/…-1`), which is left out.
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

/// Digits in a row that may be the number of a person. Trunks and phones have
/// shorter ones.
const NUMBER: usize = 6;

/// `Local/…@context-00000001;1` for a `Local` channel; for others, what stands
/// before their counter without long numbers.
fn without_number(channel: &str) -> String {
    if let Some(rest) = channel.strip_prefix("Local/") {
        let place = rest.rfind('@').map_or("", |at| &rest[at..]);
        return format!("Local/…{place}");
    }
    let (name, counter) = channel.split_at(channel.rfind('-').unwrap_or(channel.len()));
    let mut shown = String::with_capacity(channel.len());
    let mut rest = name;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, digits) = rest.split_at(start);
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        shown.push_str(before);
        shown.push_str(if end < NUMBER { &digits[..end] } else { "…" });
        rest = &digits[end..];
    }
    shown + rest + counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_left_out_of_channel_names() {
        for (channel, shown) in [
            (
                "Local/33123456789@dial-00000001;1",
                "Local/…@dial-00000001;1",
            ),
            ("Local/101", "Local/…"),
            ("DAHDI/i1/0612345678-1", "DAHDI/i1/…-1"),
            ("SIP/+33612345678@trunk2-0000001f", "SIP/+…@trunk2-0000001f"),
            ("PJSIP/101-00000001", "PJSIP/101-00000001"),
            ("PJSIP/trunk-a-00000001", "PJSIP/trunk-a-00000001"),
            ("0612345678", "…"),
            ("", ""),
        ] {
            assert_eq!(without_number(channel), shown);
        }
    }
}
