//! The typed commands of a session.

use std::time::Duration;

use super::Session;
use crate::{Command, CommandError, Success, command::join_application_arguments};

/// How a playback ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Playback {
    /// The escape digit that ended it; `None` if it was heard to the end.
    pub digit: Option<char>,
    /// Where it ended, in samples (8,000 a second).
    pub end_position: u64,
}

/// Digits that a caller entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// The digits, without the `#` that ends an entry.
    pub digits: String,
    /// Whether the entry ended because no further digit came in time.
    pub timed_out: bool,
}

/// What ended a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// An escape digit.
    Dtmf(char),
    /// The longest duration, or the silence that was asked for. AGI does not
    /// say which.
    Timeout,
    /// The caller hung up. What was recorded is kept.
    Hangup,
    /// The exchange could not go on, such as a full disk: its own word.
    Failed,
}

/// A finished recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// What ended it.
    pub end: RecordingEnd,
    /// Its length in samples (8,000 a second).
    pub samples: u64,
}

/// How a dialplan application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecResult {
    /// It returned this value: 0, as a rule. What it achieved stands in
    /// channel variables such as `DIALSTATUS` or `BRIDGERESULT`.
    Returned(i64),
    /// The exchange has no application of this name.
    NoSuchApplication,
}

/// State of a channel, as `CHANNEL STATUS` numbers it.
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
}

/// Milliseconds for AGI, which reads a signed 32-bit number.
fn milliseconds(duration: Duration) -> String {
    duration
        .as_millis()
        .min(u128::from(i32::MAX.unsigned_abs()))
        .to_string()
}

/// The protocol error of a result that the command cannot have.
fn unexpected(command: &str) -> CommandError {
    CommandError::Protocol {
        reason: format!("{command} answered with an impossible result"),
    }
}

impl Session {
    /// Answers the call, if it is not answered.
    pub async fn answer(&mut self) -> Result<(), CommandError> {
        self.checked(Command::new("ANSWER")).await.map(drop)
    }

    /// Hangs the call up. Succeeds if it already was.
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

    /// Plays a sound (name without extension) until its end or a digit of
    /// `escape_digits`. Waits as long as the sound lasts.
    ///
    /// A missing sound is [`CommandError::Refused`] with code 200.
    pub async fn stream_file(
        &mut self,
        file: &str,
        escape_digits: &str,
    ) -> Result<Playback, CommandError> {
        let command = Command::new("STREAM FILE")
            .arg(file)
            .arg(escape_digits)
            .within(None);
        self.checked(command)
            .await
            .map(|success| playback(&success))
    }

    /// Plays a sound, then waits up to `timeout` for a digit of
    /// `escape_digits`.
    pub async fn get_option(
        &mut self,
        file: &str,
        escape_digits: &str,
        timeout: Duration,
    ) -> Result<Playback, CommandError> {
        let command = Command::new("GET OPTION")
            .arg(file)
            .arg(escape_digits)
            .arg(milliseconds(timeout))
            .within(None);
        self.checked(command)
            .await
            .map(|success| playback(&success))
    }

    /// Plays a sound and collects up to `max_digits` digits; `timeout` is the
    /// longest pause before each digit. `#` ends the entry.
    pub async fn get_data(
        &mut self,
        file: &str,
        timeout: Duration,
        max_digits: u8,
    ) -> Result<Data, CommandError> {
        let command = Command::new("GET DATA")
            .arg(file)
            .arg(milliseconds(timeout))
            .arg(max_digits.to_string())
            .within(None);
        let success = self.checked(command).await?;
        Ok(Data {
            timed_out: success.value.as_deref() == Some("timeout"),
            digits: success.result,
        })
    }

    /// Waits for one digit; `None` if none came within `timeout`.
    pub async fn wait_for_digit(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("WAIT FOR DIGIT")
            .arg(milliseconds(timeout))
            .within(Some(timeout.saturating_add(self.command_timeout)));
        self.checked(command).await.map(|success| success.digit())
    }

    /// Records the caller into a file of the exchange (name without
    /// extension), until a digit of `escape_digits`, `max_duration`, a pause
    /// of `silence` (whole seconds, rounded up) or the hang-up. A hang-up is
    /// a [`RecordingEnd`], not an error: the recording exists.
    pub async fn record_file(
        &mut self,
        file: &str,
        format: &str,
        escape_digits: &str,
        max_duration: Duration,
        beep: bool,
        silence: Option<Duration>,
    ) -> Result<Recording, CommandError> {
        let mut command = Command::new("RECORD FILE")
            .arg(file)
            .arg(format)
            .arg(escape_digits)
            .arg(milliseconds(max_duration))
            .within(None);
        if beep {
            command = command.arg("BEEP");
        }
        if let Some(silence) = silence {
            let seconds = silence.as_millis().div_ceil(1_000).max(1);
            command = command.arg(format!("s={seconds}"));
        }
        let success = self.command(command).await?;
        let samples = success.end_position().unwrap_or(0);
        let end = match (success.value.as_deref(), success.digit()) {
            (Some("hangup"), _) => {
                self.hung_up = true;
                RecordingEnd::Hangup
            }
            (Some("dtmf"), Some(digit)) => RecordingEnd::Dtmf(digit),
            (Some("timeout"), _) => RecordingEnd::Timeout,
            // A caller who is gone before the first sample has no marker.
            _ if success.failed() && self.check_hung_up().await? => RecordingEnd::Hangup,
            _ => RecordingEnd::Failed,
        };
        Ok(Recording { end, samples })
    }

    /// Sets a channel variable or writes a dialplan function.
    pub async fn set_variable(&mut self, name: &str, value: &str) -> Result<(), CommandError> {
        let command = Command::new("SET VARIABLE").arg(name).arg(value);
        self.checked(command).await.map(drop)
    }

    /// Reads a channel variable; `None` if it is not set.
    pub async fn get_variable(&mut self, name: &str) -> Result<Option<String>, CommandError> {
        let success = self.command(Command::new("GET VARIABLE").arg(name)).await?;
        Ok(variable(success))
    }

    /// Evaluates a dialplan expression such as `${CHANNEL(language)}`; `None`
    /// if it is empty or the channel is unknown. The expression is code: a
    /// value from a caller has no place in it.
    pub async fn get_full_variable(
        &mut self,
        expression: &str,
    ) -> Result<Option<String>, CommandError> {
        let command = Command::new("GET FULL VARIABLE").arg(expression);
        Ok(variable(self.command(command).await?))
    }

    /// The state of the channel.
    pub async fn channel_status(&mut self) -> Result<ChannelStatus, CommandError> {
        let success = self.checked(Command::new("CHANNEL STATUS")).await?;
        Ok(match success.code() {
            Some(0) => ChannelStatus::Available,
            Some(1) => ChannelStatus::Reserved,
            Some(2) => ChannelStatus::OffHook,
            Some(3) => ChannelStatus::Dialed,
            Some(4) => ChannelStatus::Ringing,
            Some(5) => ChannelStatus::RemoteRinging,
            Some(6) => ChannelStatus::Up,
            Some(7) => ChannelStatus::Busy,
            _ => return Err(unexpected("CHANNEL STATUS")),
        })
    }

    /// Runs a dialplan application for as long as it takes: `Bridge` and
    /// `Dial` last as long as a conversation.
    ///
    /// The arguments are joined with commas; each must stay one argument
    /// (see [`join_application_arguments`]).
    ///
    /// What an application returns says little about the caller. `Bridge`
    /// returns 0 whoever hung up; `Dial` returns -1 when the called party
    /// did, unless its options say to go on. [`Session::check_hung_up`] tells.
    ///
    /// # Errors
    ///
    /// [`CommandError::HungUp`] if the application failed and the caller is
    /// gone; otherwise see [`CommandError`].
    pub async fn exec(
        &mut self,
        application: &str,
        arguments: &[&str],
    ) -> Result<ExecResult, CommandError> {
        self.exec_within(application, arguments, None).await
    }

    /// Like [`Self::exec`], giving up after `deadline` (`None`: never). The
    /// application goes on in the exchange.
    pub async fn exec_within(
        &mut self,
        application: &str,
        arguments: &[&str],
        deadline: Option<Duration>,
    ) -> Result<ExecResult, CommandError> {
        let command = Command::new("EXEC")
            .arg(application)
            .arg(join_application_arguments(arguments)?)
            .within(deadline);
        let success = self.command(command).await?;
        match success.code() {
            Some(-2) => Ok(ExecResult::NoSuchApplication),
            Some(-1) if self.check_hung_up().await? => Err(CommandError::HungUp),
            Some(value) => Ok(ExecResult::Returned(value)),
            None => Err(unexpected("EXEC")),
        }
    }

    /// Switches music on hold on or off, with the default class if none is
    /// named.
    pub async fn set_music(&mut self, on: bool, class: Option<&str>) -> Result<(), CommandError> {
        let mut command = Command::new("SET MUSIC").arg(if on { "ON" } else { "OFF" });
        if let Some(class) = class {
            command = command.arg(class);
        }
        self.checked(command).await.map(drop)
    }

    /// Writes to the log of the exchange, at a verbosity from 1 to 4.
    pub async fn verbose(&mut self, message: &str, level: u8) -> Result<(), CommandError> {
        let command = Command::new("VERBOSE").arg(message).arg(level.to_string());
        self.checked(command).await.map(drop)
    }

    /// Does nothing, and so tells whether the connection and the call live.
    pub async fn noop(&mut self) -> Result<(), CommandError> {
        self.command(Command::new("NOOP")).await.map(drop)
    }

    /// Sets the caller id of the channel: a number, or `Name <number>`.
    pub async fn set_callerid(&mut self, caller_id: &str) -> Result<(), CommandError> {
        let command = Command::new("SET CALLERID").arg(caller_id);
        self.checked(command).await.map(drop)
    }

    /// Sets the context in which the dialplan goes on when the session ends.
    pub async fn set_context(&mut self, context: &str) -> Result<(), CommandError> {
        let command = Command::new("SET CONTEXT").arg(context);
        self.checked(command).await.map(drop)
    }

    /// Sets the extension with which the dialplan goes on.
    pub async fn set_extension(&mut self, extension: &str) -> Result<(), CommandError> {
        let command = Command::new("SET EXTENSION").arg(extension);
        self.checked(command).await.map(drop)
    }

    /// Sets the priority with which the dialplan goes on.
    pub async fn set_priority(&mut self, priority: u32) -> Result<(), CommandError> {
        let command = Command::new("SET PRIORITY").arg(priority.to_string());
        self.checked(command).await.map(drop)
    }

    /// Says a number; gives the escape digit that ended it, if any.
    pub async fn say_number(
        &mut self,
        number: i64,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY NUMBER")
            .arg(number.to_string())
            .arg(escape_digits)
            .within(None);
        self.checked(command).await.map(|success| success.digit())
    }

    /// Says digits one by one; gives the escape digit that ended it, if any.
    pub async fn say_digits(
        &mut self,
        digits: &str,
        escape_digits: &str,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("SAY DIGITS")
            .arg(digits)
            .arg(escape_digits)
            .within(None);
        self.checked(command).await.map(|success| success.digit())
    }

    /// Sends a text message on the channel. Many channels ignore it.
    pub async fn send_text(&mut self, text: &str) -> Result<(), CommandError> {
        let command = Command::new("SEND TEXT").arg(text);
        self.checked(command).await.map(drop)
    }
}

/// Reads the reply of a command that plays.
fn playback(success: &Success) -> Playback {
    Playback {
        digit: success.digit(),
        end_position: success.end_position().unwrap_or(0),
    }
}

/// Reads the reply of a command that asks for a variable.
fn variable(success: Success) -> Option<String> {
    if success.result == "1" {
        Some(success.value.unwrap_or_default())
    } else {
        None
    }
}
