//! Playing sounds and hearing digits.

use std::{fmt, time::Duration};

use super::{hidden, milliseconds};
use crate::{Command, CommandError, Session, Success};

/// How a playback ended. Its `Debug` output does not show the digit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Playback {
    /// The escape digit that ended it; `None` if it was heard to the end.
    pub digit: Option<char>,
    /// Where it ended, in samples (8,000 a second for most formats).
    pub end_position: u64,
}

/// Digits that a caller entered. Its `Debug` output does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Data {
    /// The digits, without the `#` that ends an entry.
    pub digits: String,
    /// Whether the entry ended because no further digit came in time.
    pub timed_out: bool,
}

/// What `CONTROL STREAM FILE` plays, and the digits that steer it.
///
/// ```
/// use strowger_agi::ControlStream;
///
/// let stream = ControlStream {
///     stop: "0",
///     pause: Some('5'),
///     ..ControlStream::new("voicemail/1")
/// };
/// assert_eq!((stream.forward, stream.rewind), ('#', '*'));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlStream<'a> {
    /// Name of the sound, without extension.
    pub file: &'a str,
    /// Digits that end it.
    pub stop: &'a str,
    /// How far one skip goes, to the millisecond.
    pub skip: Duration,
    /// Digit that skips forward.
    pub forward: char,
    /// Digit that skips back.
    pub rewind: char,
    /// Digit that pauses and goes on.
    pub pause: Option<char>,
    /// Where to begin, to the millisecond.
    pub offset: Duration,
}

/// What ended a `CONTROL STREAM FILE`. Its `Debug` output does not show the
/// digit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ControlEnd {
    /// A stop digit.
    Digit(char),
    /// The end of the sound, or somebody stopped it over AMI;
    /// [`Session::control_stream_status`] tells which.
    Finished,
}

/// How a `CONTROL STREAM FILE` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlPlayback {
    /// What ended it.
    pub end: ControlEnd,
    /// Where it ended; `None` if Asterisk does not know.
    pub offset: Option<Duration>,
}

/// The variable `CPLAYBACKSTATUS` after a `CONTROL STREAM FILE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlStatus {
    /// It played to its end (`SUCCESS`).
    Success,
    /// The caller stopped it (`USERSTOPPED`).
    UserStopped,
    /// `ControlPlayback` over AMI stopped it (`REMOTESTOPPED`).
    RemoteStopped,
    /// There is no such sound, or the caller hung up (`ERROR`).
    Error,
}

impl fmt::Debug for Playback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Playback")
            .field("digit", &hidden(self.digit))
            .field("end_position", &self.end_position)
            .finish()
    }
}

impl fmt::Debug for ControlEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Digit(_) => "Digit(…)",
            Self::Finished => "Finished",
        })
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data")
            .field("length", &self.digits.len())
            .field("timed_out", &self.timed_out)
            .finish_non_exhaustive()
    }
}

impl<'a> ControlStream<'a> {
    /// A sound from its beginning, with the digits that Asterisk takes by
    /// itself: `#` skips 3 seconds forward, `*` 3 seconds back, nothing stops
    /// or pauses.
    pub fn new(file: &'a str) -> Self {
        Self {
            file,
            stop: "",
            skip: Duration::from_secs(3),
            forward: '#',
            rewind: '*',
            pause: None,
            offset: Duration::ZERO,
        }
    }
}

/// Reads the reply of a command that plays.
fn playback(success: &Success) -> Playback {
    Playback {
        digit: success.digit(),
        end_position: success.end_position().unwrap_or(0),
    }
}

impl Session {
    /// `STREAM FILE`: plays a sound (name without extension) until its end or
    /// a digit of `escape_digits`. Waits as long as the sound lasts.
    ///
    /// A missing sound is [`CommandError::Refused`] with code 200. Over AMI
    /// that also ends the session, and over FastAGI `AGISTATUS` will be
    /// `FAILURE` when it ends: so it is with every command that fails on a
    /// living channel.
    pub async fn stream_file(
        &mut self,
        file: &str,
        escape_digits: &str,
    ) -> Result<Playback, CommandError> {
        let command = Command::new("STREAM FILE").arg(file).arg(escape_digits);
        let success = self.checked(command.within(None)).await?;
        Ok(playback(&success))
    }

    /// Like [`Self::stream_file`], beginning at a position in samples, such as
    /// the [`Playback::end_position`] of another one.
    pub async fn stream_file_from(
        &mut self,
        file: &str,
        escape_digits: &str,
        position: u64,
    ) -> Result<Playback, CommandError> {
        let command = Command::new("STREAM FILE")
            .arg(file)
            .arg(escape_digits)
            .word(position);
        let success = self.checked(command.within(None)).await?;
        Ok(playback(&success))
    }

    /// `CONTROL STREAM FILE`: plays a sound that the caller can steer.
    ///
    /// A missing sound is [`CommandError::Refused`] with code 200.
    pub async fn control_stream_file(
        &mut self,
        stream: &ControlStream<'_>,
    ) -> Result<ControlPlayback, CommandError> {
        let command = Command::new("CONTROL STREAM FILE")
            .arg(stream.file)
            .arg(stream.stop)
            .word(milliseconds(stream.skip))
            .word(stream.forward)
            .word(stream.rewind)
            .arg(stream.pause.map(String::from).unwrap_or_default())
            .word(milliseconds(stream.offset))
            .within(None);
        let success = self.checked(command).await?;
        Ok(ControlPlayback {
            end: success
                .digit()
                .map_or(ControlEnd::Finished, ControlEnd::Digit),
            offset: success.end_position().map(Duration::from_millis),
        })
    }

    /// Reads `CPLAYBACKSTATUS`, which says more about the last
    /// [`Self::control_stream_file`]; `None` if there was none.
    pub async fn control_stream_status(&mut self) -> Result<Option<ControlStatus>, CommandError> {
        let status = self.get_variable("CPLAYBACKSTATUS").await?;
        Ok(match status.as_deref() {
            None => None,
            Some("SUCCESS") => Some(ControlStatus::Success),
            Some("USERSTOPPED") => Some(ControlStatus::UserStopped),
            Some("REMOTESTOPPED") => Some(ControlStatus::RemoteStopped),
            Some("ERROR") => Some(ControlStatus::Error),
            Some(_) => return Err(CommandError::unexpected("CPLAYBACKSTATUS")),
        })
    }

    /// `GET OPTION`: plays a sound, then waits up to `timeout` for a digit of
    /// `escape_digits`. A digit that is none of them is as good as none.
    ///
    /// A missing sound is [`CommandError::Refused`] with code 200.
    pub async fn get_option(
        &mut self,
        file: &str,
        escape_digits: &str,
        timeout: Duration,
    ) -> Result<Playback, CommandError> {
        let command = Command::new("GET OPTION")
            .arg(file)
            .arg(escape_digits)
            .word(milliseconds(timeout))
            .within(None);
        let success = self.checked(command).await?;
        Ok(playback(&success))
    }

    /// `GET DATA`: plays a sound and collects up to `max_digits` digits;
    /// `timeout` is the longest pause before each digit (zero takes that of
    /// the dialplan, 5 seconds as a rule). `#` ends the entry.
    pub async fn get_data(
        &mut self,
        file: &str,
        timeout: Duration,
        max_digits: u8,
    ) -> Result<Data, CommandError> {
        let command = Command::new("GET DATA")
            .arg(file)
            .word(milliseconds(timeout))
            .word(max_digits)
            .within(None);
        let success = self.checked(command).await?;
        Ok(Data {
            timed_out: success.value() == Some("timeout"),
            digits: success.into_result(),
        })
    }

    /// `WAIT FOR DIGIT`: waits for one digit; `None` if none came within
    /// `timeout`.
    pub async fn wait_for_digit(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<char>, CommandError> {
        let command = Command::new("WAIT FOR DIGIT")
            .word(milliseconds(timeout))
            .within(Some(timeout.saturating_add(self.command_timeout)));
        let success = self.checked(command).await?;
        Ok(success.digit())
    }
}
