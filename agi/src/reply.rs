//! Decoding what an exchange sends during a session, without IO.
//!
//! The bytes arrive in any pieces. [`ReplyDecoder::push`] takes them,
//! [`ReplyDecoder::next_line`] gives complete replies and the inline
//! `HANGUP` line, which Asterisk may write before any reply.

use std::fmt;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// What follows `result=`: a number, a digit string, or nothing.
    pub result: String,
    /// What stands in parentheses, which may itself hold parentheses and
    /// quotes.
    pub value: Option<String>,
    /// Pairs such as `endpos=0`, in order.
    pub fields: Vec<(String, String)>,
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
        Self {
            result: result
                .as_ref()
                .chars()
                .filter(|c| !c.is_whitespace() && !c.is_control() && *c != '(')
                .collect(),
            ..Self::default()
        }
    }

    /// Adds the value in parentheses.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Adds `endpos=`, in samples.
    #[must_use]
    pub fn with_end_position(mut self, samples: u64) -> Self {
        self.fields.push(("endpos".to_owned(), samples.to_string()));
        self
    }

    /// The result as a number.
    pub fn code(&self) -> Option<i64> {
        self.result.parse().ok()
    }

    /// Whether the result is -1: the command failed, or the caller hung up
    /// while it ran.
    pub fn failed(&self) -> bool {
        self.result == "-1"
    }

    /// A result that is the ASCII code of a DTMF digit; `None` for 0.
    pub fn digit(&self) -> Option<char> {
        let byte = u8::try_from(self.code()?).ok()?;
        let digit = char::from(byte);
        matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d').then_some(digit)
    }

    /// The value of `endpos=`, in samples (8,000 a second).
    pub fn end_position(&self) -> Option<u64> {
        self.fields
            .iter()
            .find(|(name, _)| name == "endpos")
            .and_then(|(_, value)| value.parse().ok())
    }

    /// Reads what follows `200 result=`.
    fn parse(text: &str) -> Self {
        let end = text.find([' ', '(']).unwrap_or(text.len());
        let (result, rest) = text.split_at(end);
        let rest = rest.trim_start_matches(' ');
        // The value may hold brackets, so it reaches to the last one.
        let (value, rest) = match (rest.strip_prefix('('), rest.rfind(')')) {
            (Some(_), Some(close)) => (Some(rest[1..close].to_owned()), &rest[close + 1..]),
            _ => (None, rest),
        };
        let fields = rest
            .split(' ')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            result: result.to_owned(),
            value,
            fields,
        }
    }
}

// === impl Reply ===

impl fmt::Display for Success {
    /// The line as it goes over the wire, without its line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "200 result={}", self.result)?;
        if let Some(value) = &self.value {
            write!(f, " ({value})")?;
        }
        for (name, value) in &self.fields {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

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
#[derive(Debug, Default)]
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
#[derive(Debug, Default)]
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

// === impl ReplyDecoder ===

impl ReplyDecoder {
    /// A decoder that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that are held: complete lines not yet taken, and an unfinished
    /// reply.
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start + self.partial.len()
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
            let line = String::from_utf8_lossy(line).into_owned();
            self.start += end + 1;
            self.scanned = 0;
            if let Some(incoming) = self.line(&line)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Reads one line without its end.
    fn line(&mut self, line: &str) -> Result<Option<Incoming>, ReplyError> {
        match std::mem::take(&mut self.partial) {
            Partial::Usage { code, mut message } => {
                let last = line
                    .strip_prefix(&code.to_string())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
                if last {
                    return Ok(Some(Incoming::Reply(Reply::Refused { code, message })));
                }
                message.push('\n');
                message.push_str(line);
                self.partial = Partial::Usage { code, message };
                Ok(None)
            }
            Partial::Value { mut text } => {
                text.push('\n');
                text.push_str(line);
                Ok(self.success(text))
            }
            Partial::None if line.is_empty() => Ok(None),
            Partial::None if line == "HANGUP" => Ok(Some(Incoming::Hangup)),
            Partial::None => self.first_line(line),
        }
    }

    /// Reads a line that begins with a code.
    fn first_line(&mut self, line: &str) -> Result<Option<Incoming>, ReplyError> {
        let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
        if !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ReplyError::Malformed);
        }
        let code: u16 = code.parse().map_err(|_| ReplyError::Malformed)?;
        let mut characters = rest.chars();
        let separator = characters.next();
        let text = characters.as_str();
        match (code, separator) {
            (100..=199, _) => Ok(None),
            (200, Some(' ')) => {
                let text = text.strip_prefix("result=").ok_or(ReplyError::Malformed)?;
                Ok(self.success(text.to_owned()))
            }
            (_, Some('-')) => {
                self.partial = Partial::Usage {
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

    /// A success, unless its value is still open: Asterisk writes variables
    /// raw, and one may hold a line break.
    fn success(&mut self, text: String) -> Option<Incoming> {
        let open = text
            .split_once(" (")
            .is_some_and(|(result, value)| !result.contains(' ') && !closes(value));
        if open {
            self.partial = Partial::Value { text };
            return None;
        }
        Some(Incoming::Reply(Reply::Success(Success::parse(&text))))
    }
}

/// Whether a value ends in its closing bracket, possibly with pairs behind it.
fn closes(value: &str) -> bool {
    value.rfind(')').is_some_and(|position| {
        value[position + 1..]
            .split(' ')
            .all(|word| word.is_empty() || word.contains('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Vec<Incoming> {
        let mut decoder = ReplyDecoder::new();
        decoder.push(text.as_bytes());
        std::iter::from_fn(|| decoder.next_line().unwrap()).collect()
    }

    fn one(text: &str) -> Success {
        match decode(&format!("{text}\n")).pop() {
            Some(Incoming::Reply(Reply::Success(success))) => success,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn replies_of_a_real_session() {
        let value = one("200 result=1 (\"Zoé Ünïcode \"Q\"\" <+33…>)");
        assert_eq!(value.value.as_deref(), Some("\"Zoé Ünïcode \"Q\"\" <+33…>"));
        let value = one("200 result=1 (value with (parens) and \"quotes\")");
        assert_eq!(
            value.value.as_deref(),
            Some("value with (parens) and \"quotes\"")
        );
        assert_eq!(one("200 result=0"), Success::number(0));
        let missing = one("200 result=-1 endpos=0");
        assert!(missing.failed());
        assert_eq!(missing.end_position(), Some(0));
        assert_eq!(one("200 result=-2").code(), Some(-2));
        assert_eq!(one("200 result=35 endpos=8320").digit(), Some('#'));
        assert_eq!(one("200 result=0 endpos=8320").digit(), None);
        let digits = one("200 result=1234 (timeout)");
        assert_eq!(
            (&*digits.result, digits.value.as_deref()),
            ("1234", Some("timeout"))
        );
        let nothing = one("200 result= (timeout)");
        assert_eq!(
            (&*nothing.result, nothing.value.as_deref()),
            ("", Some("timeout"))
        );
        let recording = one("200 result=-1 (hangup) endpos=16000");
        assert_eq!(recording.value.as_deref(), Some("hangup"));
        assert_eq!(recording.end_position(), Some(16_000));
        assert_eq!(one("200 result=1 ()").value.as_deref(), Some(""));
        assert_eq!(one("200 result=#*9").result, "#*9");
    }

    #[test]
    fn refusals() {
        assert_eq!(
            decode("510 Invalid or unknown command\n"),
            [Incoming::Reply(Reply::Refused {
                code: 510,
                message: "Invalid or unknown command".to_owned()
            })]
        );
        let usage = "520-Invalid command syntax.  Proper usage follows:\n\
            Usage: NOOP\n\n 510 in the text\n520 End of proper usage.\n200 result=0\n";
        let decoded = decode(usage);
        assert_eq!(decoded.len(), 2);
        assert_eq!(
            decoded[0],
            Incoming::Reply(Reply::Refused {
                code: 520,
                message:
                    "Invalid command syntax.  Proper usage follows:\nUsage: NOOP\n\n 510 in the text"
                        .to_owned()
            })
        );
    }

    #[test]
    fn hangup_lines_stand_between_replies() {
        assert_eq!(
            decode("HANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"),
            [
                Incoming::Hangup,
                Incoming::Reply(Reply::Refused {
                    code: 511,
                    message: "Command Not Permitted on a dead channel or intercept routine"
                        .to_owned()
                })
            ]
        );
        assert_eq!(decode("100 result=0 Trying...\n\n200 result=0\n").len(), 1);
    }

    #[test]
    fn a_value_with_a_line_break_is_one_reply() {
        let decoded = decode("200 result=1 (two\nlines (here) too\nand)\n200 result=0\n");
        assert_eq!(decoded.len(), 2);
        assert_eq!(
            decoded[0],
            Incoming::Reply(Reply::Success(
                Success::number(1).with_value("two\nlines (here) too\nand")
            ))
        );
    }

    #[test]
    fn garbage_is_an_error() {
        for bad in [
            "hello\n", "20\n", "200\n", "200 ok\n", "299 x\n", "é\n", "+20 x\n",
        ] {
            let mut decoder = ReplyDecoder::new();
            decoder.push(bad.as_bytes());
            assert_eq!(decoder.next_line(), Err(ReplyError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn endless_input_is_an_error() {
        let mut decoder = ReplyDecoder::new();
        decoder.push(&vec![b'2'; MAX_REPLY + 1]);
        assert_eq!(decoder.next_line(), Err(ReplyError::TooLong));

        let mut decoder = ReplyDecoder::new();
        decoder.push(b"520-begin\n");
        let error = (0..MAX_REPLY).find_map(|_| {
            decoder.push(b"usage text without an end\n");
            decoder.next_line().err()
        });
        assert_eq!(error, Some(ReplyError::TooLong));
    }
}
