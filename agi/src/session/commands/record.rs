//! Recording a caller.

use std::{fmt, time::Duration};

use super::milliseconds;
use crate::{Command, CommandError, Session};

/// What to record, and what ends it.
///
/// ```
/// use std::time::Duration;
/// use strowger_agi::Record;
///
/// let record = Record {
///     escape_digits: "#",
///     max_duration: Some(Duration::from_secs(60)),
///     beep: true,
///     ..Record::new("/var/spool/asterisk/monitor/1", "wav")
/// };
/// assert_eq!(record.offset, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// File on the exchange, without extension. It is replaced if it exists.
    pub file: &'a str,
    /// Format and extension of the file, such as `wav`.
    pub format: &'a str,
    /// Digits that end the recording.
    pub escape_digits: &'a str,
    /// Longest duration, to the millisecond; `None` without limit.
    pub max_duration: Option<Duration>,
    /// Whether the caller hears a beep first.
    pub beep: bool,
    /// Pause that ends the recording, in whole seconds, rounded up.
    pub silence: Option<Duration>,
    /// Keeps the file and goes on at this sample of it.
    pub offset: Option<u64>,
}

/// What ended a recording. Its `Debug` output does not show the digit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RecordingEnd {
    /// An escape digit. With no samples it was pressed during the beep
    /// (`randomerror` in `res_agi.c`), and there may be no file.
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
    /// Its length in samples (8,000 a second for most formats).
    pub samples: u64,
}

impl fmt::Debug for RecordingEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dtmf(_) => "Dtmf(…)",
            Self::Timeout => "Timeout",
            Self::Hangup => "Hangup",
            Self::Failed => "Failed",
        })
    }
}

impl<'a> Record<'a> {
    /// A recording without a beep that only a hang-up ends.
    pub fn new(file: &'a str, format: &'a str) -> Self {
        Self {
            file,
            format,
            escape_digits: "",
            max_duration: None,
            beep: false,
            silence: None,
            offset: None,
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("RECORD FILE")
            .arg(self.file)
            .arg(self.format)
            .arg(self.escape_digits)
            .word(self.max_duration.map_or(-1, milliseconds))
            .within(None);
        if let Some(offset) = self.offset {
            command = command.word(offset);
        }
        if self.beep {
            command = command.arg("BEEP");
        }
        if let Some(silence) = self.silence {
            let seconds = silence.as_millis().div_ceil(1_000).max(1);
            command = command.word(format_args!("s={seconds}"));
        }
        command
    }
}

impl Session {
    /// `RECORD FILE`: records the caller into a file of the exchange. A
    /// hang-up is a [`RecordingEnd`], not an error: the recording exists.
    pub async fn record(&mut self, record: &Record<'_>) -> Result<Recording, CommandError> {
        let success = self.command(record.command()).await?;
        let samples = success.end_position().unwrap_or(0);
        let end = match (success.value(), success.digit()) {
            (Some("hangup"), _) => {
                self.hung_up = true;
                RecordingEnd::Hangup
            }
            (Some("dtmf" | "randomerror"), Some(digit)) => RecordingEnd::Dtmf(digit),
            (Some("timeout"), _) => RecordingEnd::Timeout,
            // A caller who is gone before the first sample has no marker.
            _ if success.failed() && self.check_hung_up().await? => RecordingEnd::Hangup,
            _ => RecordingEnd::Failed,
        };
        Ok(Recording { end, samples })
    }

    /// [`Self::record`] in one line: until a digit of `escape_digits`,
    /// `max_duration`, a pause of `silence` or the hang-up.
    pub async fn record_file(
        &mut self,
        file: &str,
        format: &str,
        escape_digits: &str,
        max_duration: Duration,
        beep: bool,
        silence: Option<Duration>,
    ) -> Result<Recording, CommandError> {
        let record = Record {
            escape_digits,
            max_duration: Some(max_duration),
            beep,
            silence,
            ..Record::new(file, format)
        };
        self.record(&record).await
    }
}
