//! Text and images, on the few channels that carry them.

use std::time::Duration;

use super::{milliseconds, value, yes_or_no};
use crate::{Command, CommandError, Session};

/// What `TDD MODE` switches a channel for the deaf to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TddMode {
    /// Off.
    Off,
    /// On.
    On,
    /// On, answering a device of the older kind.
    Mate,
}

/// A time to wait for text. Asterisk takes 0 for no time at all and -1 for no
/// limit (`ast_recvtext`), whatever its help says.
fn patience(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, milliseconds)
}

impl Session {
    /// `SEND TEXT`: sends a text message on the channel. Many channels ignore
    /// it.
    pub async fn send_text(&mut self, text: &str) -> Result<(), CommandError> {
        let command = Command::new("SEND TEXT").arg(text);
        self.checked(command).await.map(drop)
    }

    /// `SEND IMAGE`: sends an image (name without extension). Many channels
    /// ignore it.
    pub async fn send_image(&mut self, image: &str) -> Result<(), CommandError> {
        let command = Command::new("SEND IMAGE").arg(image);
        self.checked(command).await.map(drop)
    }

    /// `RECEIVE CHAR`: waits for one byte of text, for as long as `timeout`
    /// (`None`: no limit). `None` if none came. Over AMI, that also ends the
    /// session.
    pub async fn receive_char(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("RECEIVE CHAR")
            .word(patience(timeout))
            .within(timeout.map(|timeout| timeout.saturating_add(self.command_timeout)));
        let success = self.command(command).await?;
        match success.code() {
            Some(0) => Ok(None),
            // Asterisk writes `(hangup)` when the time is over as well.
            Some(-1) if self.check_hung_up().await? => Err(CommandError::HungUp),
            Some(-1) => Ok(None),
            Some(code) => u8::try_from(code)
                .map(|byte| Some(char::from(byte)))
                .map_err(|_| CommandError::unexpected("RECEIVE CHAR")),
            None => Err(CommandError::unexpected("RECEIVE CHAR")),
        }
    }

    /// `RECEIVE TEXT`: waits for a text, for as long as `timeout` (`None`: no
    /// limit). `None` if none came.
    pub async fn receive_text(
        &mut self,
        timeout: Option<Duration>,
    ) -> Result<Option<String>, CommandError> {
        let command = Command::new("RECEIVE TEXT")
            .word(patience(timeout))
            .within(timeout.map(|timeout| timeout.saturating_add(self.command_timeout)));
        let success = self.command(command).await?;
        if success.failed() && self.check_hung_up().await? {
            return Err(CommandError::HungUp);
        }
        Ok(value(success))
    }

    /// `TDD MODE`: switches the telecommunications device for the deaf.
    /// Whether the channel can.
    pub async fn tdd_mode(&mut self, mode: TddMode) -> Result<bool, CommandError> {
        let command = Command::new("TDD MODE").arg(match mode {
            TddMode::Off => "off",
            TddMode::On => "on",
            TddMode::Mate => "mate",
        });
        let success = self.command(command).await?;
        yes_or_no("TDD MODE", &success)
    }
}
