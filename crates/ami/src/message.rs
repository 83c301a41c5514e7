//! One received frame: ordered headers that borrow from a single buffer.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use nom::bytes::complete::{tag, take_till1};
use nom::combinator::{opt, rest};
use nom::sequence::{preceded, separated_pair};
use nom::{IResult, Parser};

use crate::codec::{BLANK_LINE, DecodeError, MAX_FRAME_BYTES, MAX_HEADERS};

/// What a frame is, decided by its **first** key only.
///
/// `OriginateResponse` is an event with a header called `Response`, so asking
/// "does it have a `Response` header" gives the wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The answer to an action (`Response: ...` comes first).
    Response,
    /// Something that happened (`Event: ...` comes first).
    Event,
    /// A request of a client (`Action: ...` comes first); only a server receives these.
    Action,
    /// Any other first key.
    Other,
}

/// Where one header line lies in its frame, in bytes. A frame is at most 64 KiB
/// long with its blank line, so that 16 bits reach everywhere.
#[derive(Clone, Copy)]
struct Span {
    key: u16,
    key_end: u16,
    value: u16,
    end: u16,
}

/// Room for the headers of nearly every event of Asterisk 16 to 23, so that one
/// allocation serves.
const USUAL_HEADERS: usize = 32;

/// One received frame: a response, an event or an action.
///
/// Headers keep the order and the bytes of the wire. Keys are compared without
/// regard to ASCII case, may repeat, and values need not be UTF-8. A clone is
/// cheap for the text (it is shared) and copies only the header positions.
///
/// The text is a slice of the buffer that it was read into, up to 64 KiB, which
/// lives as long as any message of it. To keep one message for long, keep what
/// [`detached`](Self::detached) gives.
#[derive(Clone)]
pub struct Message {
    frame: Bytes,
    headers: Vec<Span>,
    kind: Kind,
}

impl Message {
    /// Parses one complete frame, without its blank line.
    ///
    /// Lines end with CRLF only: Asterisk lets a bare LF through inside some
    /// values (`Message: No endpoints found\n`), and one such LF at the end of a
    /// value is taken off. Exactly one space after the colon is optional. A line
    /// without a colon is kept under the empty key.
    ///
    /// A legacy command answer (`Response: Follows`, Asterisk 13 and older) is
    /// presented like the newer form: each line of its raw text becomes one
    /// `Output` header, found under the key `Output`.
    ///
    /// # Errors
    /// [`DecodeError`] if the frame exceeds [`MAX_FRAME_BYTES`] or [`MAX_HEADERS`],
    /// or if its first line is not a header.
    pub fn parse(frame: Bytes) -> Result<Self, DecodeError> {
        if frame.len() + BLANK_LINE.len() > MAX_FRAME_BYTES {
            return Err(DecodeError::FrameTooLong);
        }
        let mut headers = Vec::with_capacity(USUAL_HEADERS);
        let mut kind = Kind::Other;
        let mut follows = false;
        for (start, end) in lines(&frame) {
            let line = &frame[start..end];
            let parsed = header(line).ok().map(|(_, pair)| pair);
            if headers.is_empty() {
                let Some((key, value)) = parsed else {
                    return Err(DecodeError::Garbage);
                };
                kind = kind_of(key);
                follows = kind == Kind::Response && value.eq_ignore_ascii_case(b"Follows");
            }
            if follows && !headers.is_empty() && !parsed.is_some_and(|(key, _)| legacy_head(key)) {
                push_legacy_body(&frame, start, &mut headers)?;
                break;
            }
            push_span(&mut headers, start, end, parsed)?;
        }
        if headers.is_empty() {
            return Err(DecodeError::Garbage);
        }
        Ok(Self {
            frame,
            headers,
            kind,
        })
    }

    /// Length of its text in bytes, without the blank line.
    #[expect(clippy::len_without_is_empty, reason = "a message is never empty")]
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// Whether this is a response, an event or an action.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The value of the first header: the name of the event or action, or the
    /// verdict of a response (`Success`, `Error`, `Goodbye`, `Follows`).
    pub fn name(&self) -> Cow<'_, str> {
        self.headers()
            .next()
            .map_or(Cow::Borrowed(""), |(_, value)| {
                String::from_utf8_lossy(value)
            })
    }

    /// The first value of `key` as text; bytes that are not UTF-8 are replaced.
    pub fn get(&self, key: &str) -> Option<Cow<'_, str>> {
        self.bytes(key).map(String::from_utf8_lossy)
    }

    /// Every value of `key` in the order of the wire, as text.
    pub fn get_all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = Cow<'a, str>> {
        self.headers()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(key.as_bytes()))
            .map(|(_, value)| String::from_utf8_lossy(value))
    }

    /// The first value of `key`, exactly as received.
    pub fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(name, _)| name.eq_ignore_ascii_case(key.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The first value of the key made of `prefix` and `field`, exactly as
    /// received: `("Dest", "Channel")` reads `DestChannel`.
    pub fn prefixed(&self, prefix: &str, field: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(key, _)| {
                key.len() == prefix.len() + field.len()
                    && key[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
                    && key[prefix.len()..].eq_ignore_ascii_case(field.as_bytes())
            })
            .map(|(_, value)| value)
    }

    /// The same message with a copy of its text, which keeps no read buffer alive.
    #[must_use]
    pub fn detached(self) -> Self {
        Self {
            frame: Bytes::copy_from_slice(&self.frame),
            ..self
        }
    }

    /// The `ActionID` header, which Asterisk echoes on whatever an action caused.
    pub fn action_id(&self) -> Option<Cow<'_, str>> {
        self.get("ActionID")
    }

    /// All headers in order. For a legacy `Output` line the key is `Output`.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.headers.iter().map(|span| {
            let key = if span.key == LEGACY_OUTPUT {
                &b"Output"[..]
            } else {
                &self.frame[range(span.key, span.key_end)]
            };
            (key, &self.frame[range(span.value, span.end)])
        })
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.headers().eq(other.headers())
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = self
            .headers()
            .map(|(key, value)| (String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
        fmt_redacted(f, headers)
    }
}

/// Undoes the C escapes that Asterisk writes into caller names and variable
/// values (`ast_escape_c` in `main/utils.c`): `\"`, `\\`, `\n` and the like.
///
/// A backslash before any other character is kept, since it was not an escape.
pub fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some(c @ ('\\' | '"' | '\'' | '?')) => out.push(c),
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
    }
    Cow::Owned(out)
}

/// Prints headers without what must never be printed: passwords, login keys,
/// PINs and tokens, also as channel variables (`Variable: CARD_PIN=1234`, or
/// `Variable: CARD_PIN` followed by `Value: 1234`) and as arguments of what a
/// dialplan or AGI runs; and whatever a caller enters, which may be any of them.
pub(crate) fn fmt_redacted<'a>(
    f: &mut fmt::Formatter<'_>,
    headers: impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
) -> fmt::Result {
    let headers: Vec<_> = headers.collect();
    let mut map = f.debug_map();
    // A value may stand before the first variable.
    let mut secret_variable = headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("variable"))
        .is_some_and(|(_, name)| is_secret(&name.to_ascii_lowercase()));
    let mut challenged = false;
    for (key, value) in headers {
        let lower = key.to_ascii_lowercase();
        challenged |= lower == "challenge";
        let mut secret = is_secret(&lower) || (challenged && lower == "response");
        if lower == "variable" || lower.ends_with("chanvariable") {
            let (name, assigned) = match value.split_once('=') {
                Some((name, _)) => (name, true),
                None => (&*value, false),
            };
            secret_variable = is_secret(&name.to_ascii_lowercase());
            secret = secret_variable && assigned;
        } else if lower == "value" {
            secret = secret_variable;
        } else if RUNS.contains(&&*lower) || lower.starts_with("line-") {
            let value = value.to_ascii_lowercase();
            secret = MARKS.iter().any(|mark| value.contains(mark));
        }
        map.entry(&key, if secret { &"[redacted]" } else { &value });
    }
    map.finish()
}

/// In the name of a header or variable: it holds a secret.
const MARKS: [&str; 11] = [
    "secret",
    "password",
    "passwd",
    "pwd",
    "pin",
    "token",
    "credential",
    "cvv",
    "card",
    "api_key",
    "apikey",
];

/// Headers in lower case that hold what a caller has entered (keys, and the results
/// of commands that collect them) or what a login is checked by.
const ENTERED: [&str; 7] = [
    "digit",
    "result",
    "key",
    "val",
    "md5cred",
    "expectedresponse",
    "receivedhash",
];

/// Headers in lower case that hold what is run, with its arguments, or what is
/// configured.
const RUNS: [&str; 8] = [
    "command",
    "appdata",
    "applicationdata",
    "data",
    "env",
    "extra",
    "json",
    "output",
];

/// Whether a header or variable of this lower-case name holds a secret.
fn is_secret(name: &str) -> bool {
    // `Ping` contains "pin" but is the answer to a keep-alive.
    ENTERED.contains(&name) || (name != "ping" && MARKS.iter().any(|mark| name.contains(mark)))
}

/// In place of a key position: the key is the word `Output`, absent from the frame.
const LEGACY_OUTPUT: u16 = u16::MAX;

fn kind_of(key: &[u8]) -> Kind {
    if key.eq_ignore_ascii_case(b"Event") {
        Kind::Event
    } else if key.eq_ignore_ascii_case(b"Response") {
        Kind::Response
    } else if key.eq_ignore_ascii_case(b"Action") {
        Kind::Action
    } else {
        Kind::Other
    }
}

/// The only headers that Asterisk 13 and older write before raw command output.
fn legacy_head(key: &[u8]) -> bool {
    key.eq_ignore_ascii_case(b"Privilege") || key.eq_ignore_ascii_case(b"ActionID")
}

/// `Key: value`, `Key:value`, `Key: ` or `Key:`.
fn header(line: &[u8]) -> IResult<&[u8], (&[u8], &[u8])> {
    separated_pair(
        take_till1(|byte| byte == b':'),
        tag(&b":"[..]),
        preceded(opt(tag(&b" "[..])), rest),
    )
    .parse(line)
}

/// Start and end of each line; only CRLF ends a line.
fn lines(frame: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= frame.len() {
            return None;
        }
        let line = start;
        let mut from = start;
        while let Some(found) = memchr::memchr(b'\n', &frame[from..]) {
            let lf = from + found;
            if lf > line && frame[lf - 1] == b'\r' {
                start = lf + 1;
                return Some((line, lf - 1));
            }
            from = lf + 1;
        }
        start = frame.len();
        Some((line, frame.len()))
    })
}

fn push_span(
    headers: &mut Vec<Span>,
    start: usize,
    end: usize,
    parsed: Option<(&[u8], &[u8])>,
) -> Result<(), DecodeError> {
    if headers.len() >= MAX_HEADERS {
        return Err(DecodeError::TooManyHeaders);
    }
    let (key_len, value) = match parsed {
        Some((key, value)) => (key.len(), value),
        None => (0, &[][..]),
    };
    let (value_start, value_end) = match parsed {
        Some(_) => (
            end - value.len(),
            end - usize::from(value.last() == Some(&b'\n')),
        ),
        None => (start, end),
    };
    headers.push(Span {
        key: offset(start),
        key_end: offset(start + key_len),
        value: offset(value_start),
        end: offset(value_end),
    });
    Ok(())
}

/// Everything from `start` to `--END COMMAND--` becomes `Output` headers.
fn push_legacy_body(
    frame: &[u8],
    start: usize,
    headers: &mut Vec<Span>,
) -> Result<(), DecodeError> {
    let body = &frame[start..];
    let end = memchr::memmem::rfind(body, b"--END COMMAND--").unwrap_or(body.len());
    let mut at = start;
    for line in body[..end].split_inclusive(|byte| *byte == b'\n') {
        if headers.len() >= MAX_HEADERS {
            return Err(DecodeError::TooManyHeaders);
        }
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        headers.push(Span {
            key: LEGACY_OUTPUT,
            key_end: LEGACY_OUTPUT,
            value: offset(at),
            end: offset(at + text.len()),
        });
        at += line.len();
    }
    Ok(())
}

/// Frames are shorter than 64 KiB, so the conversion cannot lose anything.
fn offset(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn range(from: u16, to: u16) -> std::ops::Range<usize> {
    usize::from(from)..usize::from(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static [u8]) -> Message {
        Message::parse(Bytes::from_static(text)).unwrap()
    }

    #[test]
    fn first_key_decides_the_kind() {
        let event = parse(b"Event: OriginateResponse\r\nResponse: Failure\r\nReason: 5\r\n");
        assert_eq!(event.kind(), Kind::Event);
        assert_eq!(event.name(), "OriginateResponse");
        assert_eq!(event.get("response").unwrap(), "Failure");
        assert_eq!(parse(b"action: Ping").kind(), Kind::Action);
        assert_eq!(parse(b"RESPONSE: Success").kind(), Kind::Response);
        assert_eq!(parse(b"Foo: bar").kind(), Kind::Other);
    }

    #[test]
    fn repeated_keys_keep_their_order() {
        let message = parse(b"Event: X\r\nVariable: a=1\r\nOther: z\r\nvariable: b=2\r\n");
        assert_eq!(
            message.get_all("Variable").collect::<Vec<_>>(),
            ["a=1", "b=2"]
        );
        assert_eq!(message.get("Variable").unwrap(), "a=1");
    }

    #[test]
    fn bare_line_feeds_stay_inside_values() {
        let message = parse(
            b"Response: Error\r\nActionID: 1\r\nMessage: No endpoints found\n\r\nX: a\nb\r\n",
        );
        assert_eq!(message.get("Message").unwrap(), "No endpoints found");
        assert_eq!(message.get("X").unwrap(), "a\nb");
    }

    #[test]
    fn empty_values_and_colons() {
        let message =
            parse(b"Event: UserEvent\r\nEmpty:\r\nBlank: \r\nAppData: a: b: c\r\nT: 10:20\r\n");
        assert_eq!(message.get("Empty").unwrap(), "");
        assert_eq!(message.get("Blank").unwrap(), "");
        assert_eq!(message.get("AppData").unwrap(), "a: b: c");
        assert_eq!(message.get("T").unwrap(), "10:20");
        assert_eq!(message.get("Absent"), None);
    }

    #[test]
    fn latin1_is_kept_as_bytes_and_shown_lossily() {
        let message = parse(b"Event: X\r\nCallerIDName: Zo\xe9\r\n");
        assert_eq!(message.bytes("CallerIDName").unwrap(), b"Zo\xe9");
        assert_eq!(message.get("CallerIDName").unwrap(), "Zo\u{fffd}");
    }

    #[test]
    fn legacy_command_output_reads_like_the_new_form() {
        let old = parse(
            b"Response: Follows\r\nPrivilege: Command\r\nActionID: 7\r\nName: value\nActionID: not ours\n\n--END COMMAND--\r\n",
        );
        assert_eq!(old.action_id().unwrap(), "7");
        assert_eq!(
            old.get_all("Output").collect::<Vec<_>>(),
            ["Name: value", "ActionID: not ours", ""]
        );
        let new = parse(b"Response: Success\r\nMessage: Command output follows\r\nOutput: Name: value\r\nOutput: x\r\n");
        assert_eq!(
            new.get_all("Output").collect::<Vec<_>>(),
            ["Name: value", "x"]
        );
    }

    #[test]
    fn lines_without_colon_are_kept_under_the_empty_key() {
        let message = parse(b"Event: X\r\nno colon here\r\nA: b\r\n");
        assert_eq!(message.get("").unwrap(), "no colon here");
        assert_eq!(message.get("A").unwrap(), "b");
    }

    #[test]
    fn refuses_what_is_no_frame() {
        for bad in [&b""[..], b"no colon", b": value", b"\r\n"] {
            assert_eq!(
                Message::parse(Bytes::copy_from_slice(bad)),
                Err(DecodeError::Garbage)
            );
        }
        let many = format!("Event: X\r\n{}", "A: b\r\n".repeat(MAX_HEADERS));
        assert_eq!(
            Message::parse(many.into()),
            Err(DecodeError::TooManyHeaders)
        );
        let long = "A: ".to_owned() + &"x".repeat(MAX_FRAME_BYTES);
        assert_eq!(Message::parse(long.into()), Err(DecodeError::FrameTooLong));
    }

    #[test]
    fn debug_hides_secrets() {
        let message = parse(
            b"Action: Login\r\nUsername: u\r\nSecret: hunter2\r\nVariable: CARD_PIN=9876\r\n",
        );
        let shown = format!("{message:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("9876"));
        assert!(shown.contains("Username"));
        let variable = |name| {
            let text = format!("Event: VarSet\r\nVariable: {name}\r\nValue: 9876\r\n");
            format!("{:?}", Message::parse(text.into()).unwrap())
        };
        assert!(!variable("CARD_PIN").contains("9876"));
        assert!(variable("LANGUAGE").contains("9876"));
        for (line, shown) in [
            ("Digit: 9876", false),
            ("Result: 200 result=9876", false),
            ("Command: SET VARIABLE \"USER_PIN\" \"9876\"", false),
            ("AppData: PIN=9876", false),
            ("DestChanVariable: PIN=9876", false),
            ("Application: Dial9876", true),
            ("AppData: PJSIP/9876@carrier", true),
        ] {
            let frame = format!("Event: X\r\n{line}\r\n");
            let text = format!("{:?}", Message::parse(frame.into()).unwrap());
            assert_eq!(text.contains("9876"), shown, "{line}");
        }
    }

    #[test]
    fn unescapes_caller_names() {
        assert_eq!(unescape(r#"Zo\"e\\ \n\q\"#), "Zo\"e\\ \n\\q\\");
        assert_eq!(unescape("plain"), "plain");
    }
}
