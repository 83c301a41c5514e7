//! Which reply belongs to which command, when one was given up or a peer says
//! more than it was asked.

use std::hash::{BuildHasher, Hasher, RandomState};

use tokio::time;

use super::{GRACE, Session};
use crate::{Command, CommandError, Incoming, Reply, command};

/// First words of the text that marks where the replies to abandoned commands
/// end. A number follows that nobody can guess: a value that a caller chose
/// must not pass for a marker.
const MARKER: &str = "strowger-sync";

/// Most replies between an abandoned command and its marker: its own, and the
/// usage text that may follow an `EXEC`.
const MAX_SKIPPED: u8 = 2;

/// What is still to come from the exchange before a command can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    /// The reply to a command whose future was dropped or timed out.
    Reply,
    /// The reply to a marker that was sent after such a command.
    Marker {
        again: bool,
    },
}

/// A usage text without a command of its own.
#[derive(Debug, Default)]
pub(super) struct StrayUsage {
    /// The command whose reply is owed is `EXEC`, which can have one.
    pub(super) exec: bool,
    /// There was such a reply.
    to_come: bool,
}

impl Session {
    /// Takes what was read along with earlier replies. A reply in it was there
    /// before the command that it would seem to answer: a value that somebody
    /// else wrote can look like the end of its reply and a second one.
    pub(super) fn take_buffered(&mut self) -> Result<(), CommandError> {
        while let Some(incoming) = self.decoded()? {
            if let Incoming::Reply(reply) = incoming {
                self.unasked(&reply);
            }
        }
        // Of a marker or a usage text there may be a part.
        let part = self.usage.to_come || self.markers.1 < self.markers.0;
        self.closed |= !part && !self.decoder.is_between_replies();
        if self.closed {
            return Err(self.gone());
        }
        Ok(())
    }

    /// Finds the end of the replies to an abandoned command.
    ///
    /// They cannot be counted: Asterisk gives no reply to `STREAM FILE`,
    /// `GET DATA` and others when a further command interrupts them
    /// (`res == 1` in their handlers). So a marker is sent, a text that comes
    /// back in a reply of its own.
    ///
    /// Nor can the next command be sent along: Asterisk waits for its socket
    /// but reads through `stdio`, and a second line that arrives together
    /// with the first is not seen until further bytes come. That can happen
    /// to the marker, which is why it is sent once more. The command waits for
    /// the reply to that one, too, but not for long: if it was overlooked, the
    /// command itself brings it to light.
    pub(super) async fn settle(&mut self) -> Result<(), CommandError> {
        if self.owed != Owed::Nothing {
            self.flush().await?;
        }
        if self.owed == Owed::Reply {
            self.send_marker(false);
        }
        if self.owed == (Owed::Marker { again: false })
            && time::timeout(GRACE, self.marked()).await.is_err()
        {
            self.send_marker(true);
        }
        self.marked().await?;
        if self.markers.1 < self.markers.0 {
            // Without a reply, the command goes out all the same.
            return time::timeout(GRACE, self.all_marked())
                .await
                .unwrap_or(Ok(()));
        }
        Ok(())
    }

    fn send_marker(&mut self, again: bool) {
        if self.marker.is_empty() {
            let nonce = RandomState::new().build_hasher().finish();
            self.marker = format!("{MARKER}-{nonce:016x}-");
        }
        if !again {
            self.skipped = 0;
        }
        self.markers.0 += 1;
        let text = format!("{}{}", self.marker, self.markers.0);
        let line = Command::new("GET FULL VARIABLE")
            .arg(text)
            .into_line(command::MAX_LINE);
        // Never an error: the line is short and plain.
        self.outgoing.extend(line.unwrap_or_default().into_bytes());
        self.owed = Owed::Marker { again };
    }

    /// Resolves when a marker came back. Cancel-safe.
    async fn marked(&mut self) -> Result<(), CommandError> {
        while self.owed != Owed::Nothing {
            self.flush().await?;
            if let Incoming::Reply(reply) = self.incoming().await? {
                self.unasked(&reply);
            }
        }
        Ok(())
    }

    /// Resolves when the last marker came back. Cancel-safe.
    async fn all_marked(&mut self) -> Result<(), CommandError> {
        while self.markers.1 < self.markers.0 {
            if let Incoming::Reply(reply) = self.incoming().await? {
                self.unasked(&reply);
            }
        }
        Ok(())
    }

    /// Takes note of a reply that nobody waits for.
    pub(super) fn unasked(&mut self, reply: &Reply) {
        if self.is_stray(reply) {
            return;
        }
        match self.owed {
            Owed::Reply => {
                self.owed = Owed::Nothing;
                self.answered(reply);
            }
            // Belongs to the abandoned command.
            Owed::Marker { .. } => {
                self.answered(reply);
                self.skipped += 1;
                self.closed |= self.skipped > MAX_SKIPPED;
            }
            // The stream of replies cannot be trusted.
            Owed::Nothing => self.closed = true,
        }
    }

    /// Takes note of the reply to a command. `handle_exec` hands on what the
    /// application returned, and 1 is `RESULT_SHOWUSAGE`: a usage text
    /// follows.
    pub(super) fn answered(&mut self, reply: &Reply) {
        let exec = std::mem::take(&mut self.usage.exec);
        self.usage.to_come |= match reply {
            Reply::Success(success) => exec && success.code() == Some(1),
            Reply::Refused { .. } => false,
        };
    }

    /// Whether a reply belongs to a marker, or to no command at all.
    pub(super) fn is_stray(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::Success(success) => {
                // A usage text would have come first.
                self.usage.to_come = false;
                let number = success
                    .value()
                    .filter(|_| self.markers.1 < self.markers.0)
                    .and_then(|value| value.strip_prefix(&*self.marker))
                    .and_then(|number| number.parse::<u32>().ok());
                let Some(number) = number else {
                    return false;
                };
                if number <= self.markers.1 || number > self.markers.0 {
                    return false;
                }
                self.markers.1 = number;
                if let Owed::Marker { .. } = self.owed {
                    self.owed = Owed::Nothing;
                }
                true
            }
            Reply::Refused { code: 520, .. } => std::mem::take(&mut self.usage.to_come),
            Reply::Refused { .. } => {
                self.usage.to_come = false;
                false
            }
        }
    }
}
