//! Decoding what an exchange sends during a session, without IO.
//!
//! The bytes arrive in any pieces. [`ReplyDecoder::push`] takes them,
//! [`ReplyDecoder::next_line`] gives complete replies and the inline
//! `HANGUP` line, which Asterisk may write before any reply.

use std::{
    fmt::{self, Write as _},
    ops::Range,
};

/// Most bytes of one reply, all its lines together. The longest that Asterisk
/// sends is a usage text or a channel variable of a few thousand bytes.
pub const MAX_REPLY: usize = 64 * 1024;

/// Why the incoming bytes are not AGI. The connection is useless afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// A reply exceeds [`MAX_REPLY`].
    #[error("a reply is longer than {MAX_REPLY} bytes")]
    TooLong,
    /// A line does not begin with a three-digit code.
    #[error("a line is not an AGI reply")]
    Malformed,
}

/// Something that an exchange sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The channel was hung up. Belongs to no command.
    Hangup,
    /// The reply to the oldest command that has none.
    Reply(Reply),
}

/// The reply to one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Code 200: the command ran. Its result may still say that it failed.
    Success(Success),
    /// Any other final code: 510, 511, 520.
    Refused {
        /// The three-digit code.
        code: u16,
        /// Text behind the code; the usage text of a 520, lines joined with
        /// a line feed.
        message: String,
    },
}

/// A reply with code 200: `200 result=<result> [(<value>)] [name=value]...`.
///
/// Its `Debug` output tells sizes only: a result may be the PIN of a caller.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// What follows `200 result=`.
    text: String,
    /// Where the result ends.
    result: usize,
    /// Where the value is, between its parentheses.
    value: Option<Range<usize>>,
}

// === impl Success ===

impl Success {
    /// A reply with this numeric result.
    pub fn number(result: i64) -> Self {
        Self::text(result.to_string())
    }

    /// A reply with this result, such as the digits of `GET DATA`. What does
    /// not fit on the wire (blanks, brackets, line breaks) is left out.
    pub fn text(result: impl AsRef<str>) -> Self {
        let text: String = result
            .as_ref()
            .chars()
            .filter(|c| !c.is_whitespace() && !c.is_control() && *c != '(')
            .collect();
        Self {
            result: text.len(),
            text,
            value: None,
        }
    }

    /// The reply with a value in parentheses instead of what follows the
    /// result.
    #[must_use]
    pub fn with_value(mut self, value: impl AsRef<str>) -> Self {
        self.text.truncate(self.result);
        self.text.push_str(" (");
        let start = self.text.len();
        self.text.push_str(value.as_ref());
        self.value = Some(start..self.text.len());
        self.text.push(')');
        self
    }

    /// Adds `endpos=`, in samples.
    #[must_use]
    pub fn with_end_position(mut self, samples: u64) -> Self {
        // A string takes every write.
        let _ = write!(self.text, " endpos={samples}");
        self
    }

    /// What follows `result=`: a number, a digit string, or nothing.
    pub fn result(&self) -> &str {
        &self.text[..self.result]
    }

    /// What stands in parentheses, which may itself hold parentheses, quotes
    /// and line breaks.
    pub fn value(&self) -> Option<&str> {
        self.value.clone().map(|value| &self.text[value])
    }

    /// Like [`Self::value`], keeping the memory of the reply.
    pub fn into_value(mut self) -> Option<String> {
        let value = self.value?;
        self.text.truncate(value.end);
        self.text.drain(..value.start);
        Some(self.text)
    }

    /// Like [`Self::result`], keeping the memory of the reply.
    pub fn into_result(mut self) -> String {
        self.text.truncate(self.result);
        self.text
    }

    /// What follows the result and its value, such as `endpos=0` or
    /// `Gosub complete`.
    pub fn rest(&self) -> &str {
        let end = self
            .value
            .as_ref()
            .map_or(self.result, |value| value.end + 1);
        self.text[end..].trim_start_matches(' ')
    }

    /// Everything that follows `result=`.
    pub(crate) fn raw(&self) -> &str {
        &self.text
    }

    /// The value of a pair such as `endpos=0`.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.rest()
            .split(' ')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The result as a number.
    pub fn code(&self) -> Option<i64> {
        self.result().parse().ok()
    }

    /// Whether the result is -1: the command failed, or the caller hung up
    /// while it ran.
    pub fn failed(&self) -> bool {
        self.result() == "-1"
    }

    /// A result that is the ASCII code of a DTMF digit; `None` for 0.
    pub fn digit(&self) -> Option<char> {
        let byte = u8::try_from(self.code()?).ok()?;
        let digit = char::from(byte);
        matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d').then_some(digit)
    }

    /// The value of `endpos=`, in samples (8,000 a second for most formats).
    /// Asterisk writes -1 where it knows none.
    pub fn end_position(&self) -> Option<u64> {
        self.field("endpos")?.parse().ok()
    }

    /// Reads what follows `200 result=`.
    fn parse(text: String) -> Self {
        let result = memchr::memchr2(b' ', b'(', text.as_bytes()).unwrap_or(text.len());
        let rest = text[result..].trim_start_matches(' ');
        let start = text.len() - rest.len();
        // The value may hold brackets, so it reaches to the last one.
        let value = if rest.starts_with('(') {
            memchr::memrchr(b')', rest.as_bytes()).map(|close| start + 1..start + close)
        } else {
            None
        };
        Self {
            text,
            result,
            value,
        }
    }
}

impl fmt::Debug for Success {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Success")
            .field("failed", &self.failed())
            .field("result_bytes", &self.result)
            .field(
                "value_bytes",
                &self.value.as_ref().map(ExactSizeIterator::len),
            )
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Success {
    /// The line as it goes over the wire, without its line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "200 result={}", self.text)
    }
}

// === impl Reply ===

impl fmt::Display for Reply {
    /// The lines as they go over the wire, without the last line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(success) => success.fmt(f),
            Self::Refused { code, message } if message.contains('\n') => {
                write!(f, "{code}-{message}\n{code} End of proper usage.")
            }
            Self::Refused { code, message } => write!(f, "{code} {message}"),
        }
    }
}

/// Splits incoming bytes into replies. Holds at most [`MAX_REPLY`] bytes of an
/// unfinished reply.
#[derive(Default)]
pub struct ReplyDecoder {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that were already given out.
    start: usize,
    /// Bytes behind `start` that hold no line feed, so that a reply in many
    /// pieces is not scanned again and again.
    scanned: usize,
    partial: Partial,
}

/// A reply of several lines that has begun.
#[derive(Default)]
enum Partial {
    #[default]
    None,
    /// A usage text, until a line with the same code and a blank.
    Usage { code: u16, message: String },
    /// A value in which somebody has written a line break, until a line that
    /// closes the bracket.
    Value { text: String },
}

impl Partial {
    fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Usage { message: text, .. } | Self::Value { text } => text.len(),
        }
    }
}

impl fmt::Debug for ReplyDecoder {
    /// Sizes only, as for [`Success`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyDecoder")
            .field("buffered", &self.buffered())
            .finish_non_exhaustive()
    }
}

// === impl ReplyDecoder ===

impl ReplyDecoder {
    /// A decoder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).extend_from_slice(bytes);
    }

    /// The buffer behind which new bytes belong, with room for `additional`.
    pub(crate) fn space(&mut self, additional: usize) -> &mut Vec<u8> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
        } else {
            self.buffer.drain(..self.start);
        }
        self.start = 0;
        self.buffer.reserve(additional);
        &mut self.buffer
    }

    /// Bytes that are held: complete lines not yet taken, and an unfinished
    /// reply.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start + self.partial.len()
    }

    /// Whether no reply has begun: there is nothing but, perhaps, a part of
    /// the line `HANGUP`.
    pub(crate) fn is_between_replies(&self) -> bool {
        let rest = &self.buffer[self.start..];
        let hangup: &[u8] = b"HANGUP\r";
        matches!(self.partial, Partial::None) && (hangup.starts_with(rest) || rest == b"\r")
    }

    /// The next complete line or reply, if there is one. Provisional replies
    /// (1xx) and blank lines are skipped.
    ///
    /// # Errors
    ///
    /// [`ReplyError`]; the decoder should not be used afterwards.
    pub fn next_line(&mut self) -> Result<Option<Incoming>, ReplyError> {
        loop {
            let pending = &self.buffer[self.start..];
            let Some(end) = memchr::memchr(b'\n', &pending[self.scanned..]) else {
                self.scanned = pending.len();
                return if self.buffered() > MAX_REPLY {
                    Err(ReplyError::TooLong)
                } else {
                    Ok(None)
                };
            };
            let end = self.scanned + end;
            let line = &pending[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.len() + self.partial.len() > MAX_REPLY {
                return Err(ReplyError::TooLong);
            }
            let line = String::from_utf8_lossy(line);
            let read = Self::read(&mut self.partial, &line);
            self.start += end + 1;
            self.scanned = 0;
            if let Some(incoming) = read? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Reads one line without its end.
    fn read(partial: &mut Partial, line: &str) -> Result<Option<Incoming>, ReplyError> {
        match std::mem::take(partial) {
            Partial::Usage { code, mut message } => {
                let last = line
                    .strip_prefix(&code.to_string())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
                if last {
                    return Ok(Some(Incoming::Reply(Reply::Refused { code, message })));
                }
                message.push('\n');
                message.push_str(line);
                *partial = Partial::Usage { code, message };
                Ok(None)
            }
            Partial::Value { mut text } => {
                text.push('\n');
                text.push_str(line);
                // No earlier line did, and a value may have many.
                if ends(line) {
                    return Ok(Some(Incoming::Reply(Reply::Success(Success::parse(text)))));
                }
                *partial = Partial::Value { text };
                Ok(None)
            }
            Partial::None if line.is_empty() => Ok(None),
            Partial::None if line == "HANGUP" => Ok(Some(Incoming::Hangup)),
            Partial::None => first_line(partial, line),
        }
    }
}

/// Reads a line that begins with a code.
fn first_line(partial: &mut Partial, line: &str) -> Result<Option<Incoming>, ReplyError> {
    if let Some(text) = line.strip_prefix("200 result=") {
        return Ok(success(partial, text.to_owned()));
    }
    let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
    if !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ReplyError::Malformed);
    }
    let code: u16 = code.parse().map_err(|_| ReplyError::Malformed)?;
    let mut characters = rest.chars();
    let separator = characters.next();
    let text = characters.as_str();
    match (code, separator) {
        // `GOSUB` says `100 result=0 Trying...` first.
        (100..=199, _) => Ok(None),
        (_, Some('-')) => {
            *partial = Partial::Usage {
                code,
                message: text.to_owned(),
            };
            Ok(None)
        }
        (300..=999, None | Some(' ')) => Ok(Some(Incoming::Reply(Reply::Refused {
            code,
            message: text.to_owned(),
        }))),
        _ => Err(ReplyError::Malformed),
    }
}

/// A success, unless its value is still open: Asterisk writes variables raw,
/// and one may hold a line break.
fn success(partial: &mut Partial, text: String) -> Option<Incoming> {
    let open = text
        .split_once(" (")
        .is_some_and(|(result, value)| !result.contains(' ') && !closes(value));
    if open {
        *partial = Partial::Value { text };
        return None;
    }
    Some(Incoming::Reply(Reply::Success(Success::parse(text))))
}

/// Whether a value ends in its closing bracket, possibly with pairs behind it.
fn closes(value: &str) -> bool {
    // What a speech engine heard stands raw behind the bracket
    // (`handle_speechrecognize` in `res_agi.c`).
    value.starts_with("speech) endpos=") || ends(value)
}

/// Whether a line of a value holds its closing bracket.
fn ends(line: &str) -> bool {
    line.rfind(')').is_some_and(|position| {
        line[position + 1..]
            .split(' ')
            .all(|word| word.is_empty() || word.contains('='))
    })
}

#[cfg(test)]
mod tests;
