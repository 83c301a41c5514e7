//! The channel itself.

use std::time::Duration;

use crate::{Command, CommandError, Session, Success};

/// State of a channel, as `CHANNEL STATUS` numbers it (`enum
/// ast_channel_state`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelStatus {
    /// Down and available (0).
    Available,
    /// Down, but reserved (1).
    Reserved,
    /// Off hook (2).
    OffHook,
    /// Digits have been dialed (3).
    Dialed,
    /// The line is ringing (4).
    Ringing,
    /// The remote end is ringing (5).
    RemoteRinging,
    /// The line is up (6).
    Up,
    /// The line is busy (7).
    Busy,
    /// Digits have been dialed while off hook (8).
    DialingOffHook,
    /// The channel has seen an incoming call and waits for a ring (9).
    PreRing,
}

impl ChannelStatus {
    fn of(success: &Success) -> Result<Self, CommandError> {
        Ok(match success.code() {
            Some(0) => Self::Available,
            Some(1) => Self::Reserved,
            Some(2) => Self::OffHook,
            Some(3) => Self::Dialed,
            Some(4) => Self::Ringing,
            Some(5) => Self::RemoteRinging,
            Some(6) => Self::Up,
            Some(7) => Self::Busy,
            Some(8) => Self::DialingOffHook,
            Some(9) => Self::PreRing,
            _ => return Err(CommandError::unexpected("CHANNEL STATUS")),
        })
    }
}

impl Session {
    /// `ANSWER`: answers the call, if it is not answered.
    pub async fn answer(&mut self) -> Result<(), CommandError> {
        self.checked(Command::new("ANSWER")).await.map(drop)
    }

    /// `HANGUP`: hangs the call up. Succeeds if it already was.
    pub async fn hangup(&mut self) -> Result<(), CommandError> {
        match self.command(Command::new("HANGUP")).await {
            Ok(_) => {
                self.hung_up = true;
                Ok(())
            }
            Err(CommandError::HungUp) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// `HANGUP` of another channel, by its name. Whether there was one.
    pub async fn hangup_channel(&mut self, channel: &str) -> Result<bool, CommandError> {
        let success = self.command(Command::new("HANGUP").arg(channel)).await?;
        Ok(!success.failed())
    }

    /// `CHANNEL STATUS`: the state of the channel.
    pub async fn channel_status(&mut self) -> Result<ChannelStatus, CommandError> {
        let success = self.checked(Command::new("CHANNEL STATUS")).await?;
        ChannelStatus::of(&success)
    }

    /// `CHANNEL STATUS` of another channel, by its name; `None` if there is no
    /// such channel.
    pub async fn channel_status_of(
        &mut self,
        channel: &str,
    ) -> Result<Option<ChannelStatus>, CommandError> {
        let command = Command::new("CHANNEL STATUS").arg(channel);
        let success = self.command(command).await?;
        if success.failed() {
            return Ok(None);
        }
        ChannelStatus::of(&success).map(Some)
    }

    /// `SET AUTOHANGUP`: has Asterisk hang the call up after this time, to the
    /// millisecond; `None` takes it back.
    pub async fn set_autohangup(&mut self, after: Option<Duration>) -> Result<(), CommandError> {
        // Zero would take it back.
        let seconds = after.map_or(0.0, |after| after.as_secs_f64().max(0.001));
        let command = Command::new("SET AUTOHANGUP").word(format_args!("{seconds:.3}"));
        self.checked(command).await.map(drop)
    }

    /// `SET CALLERID`: sets the caller id of the channel, a number or
    /// `Name <number>`. Asterisk keeps 255 bytes.
    pub async fn set_callerid(&mut self, caller_id: &str) -> Result<(), CommandError> {
        let command = Command::new("SET CALLERID").arg(caller_id);
        self.checked(command).await.map(drop)
    }

    /// `NOOP`: does nothing, and so tells whether the connection and the
    /// exchange live. Works on a dead channel.
    pub async fn noop(&mut self) -> Result<(), CommandError> {
        self.command(Command::new("NOOP")).await.map(drop)
    }

    /// `VERBOSE`: writes to the log of the exchange, at a verbosity from 1 to
    /// 4. It is no place for what callers enter.
    pub async fn verbose(&mut self, message: &str, level: u8) -> Result<(), CommandError> {
        let command = Command::new("VERBOSE").arg(message).word(level);
        self.checked(command).await.map(drop)
    }

    /// `ASYNCAGI BREAK`: over AMI, ends the session, and the dialplan goes on.
    /// Over FastAGI it does nothing.
    ///
    /// Dropping a session over AMI has the same effect.
    pub async fn asyncagi_break(&mut self) -> Result<(), CommandError> {
        self.command(Command::new("ASYNCAGI BREAK")).await.map(drop)
    }
}
