//! Bytes to frames and back, without IO.
//!
//! A frame is cut first, by searching for the blank line, and only a complete
//! frame is parsed. A damaged frame therefore costs itself and nothing else: the
//! stream is in step again at the next blank line.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::message::Message;

/// Longest frame that is accepted, in bytes, with its blank line.
///
/// The longest event of Asterisk 22 in ordinary use is some 3 kB; 64 KiB leaves
/// room for command output.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Most headers that a frame may have.
pub const MAX_HEADERS: usize = 512;

/// Longest greeting line that is waited for, in bytes.
const MAX_BANNER_BYTES: usize = 1024;

const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// What a [`Decoder`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The greeting of the server, with the version of the interface (such as
    /// `11.0.0` for Asterisk 22), which is not the version of Asterisk.
    Banner {
        /// The text after the slash of `Asterisk Call Manager/11.0.0`.
        version: String,
    },
    /// A complete frame.
    Frame(Message),
}

/// Why a piece of the stream was skipped. The decoder goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The first line is not the greeting of a manager interface: the port
    /// belongs to something else.
    #[error("the peer did not greet as an Asterisk manager interface")]
    NotAManager,
    /// No blank line within [`MAX_FRAME_BYTES`].
    #[error("a frame is longer than {MAX_FRAME_BYTES} bytes")]
    FrameTooLong,
    /// More than [`MAX_HEADERS`] headers.
    #[error("a frame has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// The first line of the frame is not `Key: value`.
    #[error("a frame does not begin with a header")]
    Garbage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Banner,
    Frames,
    /// In an oversize frame that was reported; its end is awaited.
    Skipping,
}

/// Cuts a byte stream into frames.
///
/// Call [`push`](Self::push) with what was read, then [`next`](Self::next) until
/// it gives `None`. Between two pushes the decoder then holds less than
/// [`MAX_FRAME_BYTES`], whatever the peer sends, and no byte is searched twice.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    /// Everything before this was searched already.
    scanned: usize,
    state: State,
}

impl Decoder {
    /// For the client: the stream begins with the greeting line.
    #[expect(
        clippy::new_without_default,
        reason = "a default would hide which of the two ends it serves"
    )]
    pub fn new() -> Self {
        Self::in_state(State::Banner)
    }

    /// For the server: the stream of a client has no greeting, only actions.
    pub fn for_server() -> Self {
        Self::in_state(State::Frames)
    }

    fn in_state(state: State) -> Self {
        Self {
            buffer: BytesMut::new(),
            scanned: 0,
            state,
        }
    }

    /// Adds bytes that were read from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes wait for the rest of their frame.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next greeting, frame or skipped piece; `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`DecodeError`] for a piece that was skipped. The next call goes on behind it.
    #[expect(
        clippy::should_implement_trait,
        reason = "None means not yet, while an iterator would mean the end"
    )]
    pub fn next(&mut self) -> Option<Result<Decoded, DecodeError>> {
        match self.state {
            State::Banner => self.banner(),
            State::Frames => self.frame(),
            State::Skipping => {
                self.skip()?;
                self.frame()
            }
        }
    }

    fn banner(&mut self) -> Option<Result<Decoded, DecodeError>> {
        let window = self.buffer.len().min(MAX_BANNER_BYTES);
        let Some(lf) = memchr::memchr(b'\n', &self.buffer[..window]) else {
            if self.buffer.len() < MAX_BANNER_BYTES {
                return None;
            }
            self.state = State::Skipping;
            return Some(Err(DecodeError::NotAManager));
        };
        self.state = State::Frames;
        let line = self.buffer.split_to(lf + 1);
        let line = line.trim_ascii_end();
        if !line.starts_with(b"Asterisk Call Manager") {
            return Some(Err(DecodeError::NotAManager));
        }
        let version = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Some(Ok(Decoded::Banner {
            version: String::from_utf8_lossy(version).into_owned(),
        }))
    }

    fn frame(&mut self) -> Option<Result<Decoded, DecodeError>> {
        // Blank lines between frames belong to none.
        while self.scanned == 0 && self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
        }
        while let Some(found) = memmem::find(&self.buffer[self.scanned..], BLANK_LINE) {
            let at = self.scanned + found;
            let end = at + BLANK_LINE.len();
            if end > MAX_FRAME_BYTES {
                self.drop_front(end);
                return Some(Err(DecodeError::FrameTooLong));
            }
            if is_open_legacy_output(&self.buffer[..at]) {
                // A blank line of the raw text, not yet the end of the frame.
                self.scanned = at + 2;
                continue;
            }
            // Copied, not shared: a message that is kept for long must not keep
            // the whole read buffer alive.
            let frame = Bytes::copy_from_slice(&self.buffer[..at]);
            self.drop_front(end);
            return Some(Message::parse(frame).map(Decoded::Frame));
        }
        if self.buffer.len() >= MAX_FRAME_BYTES {
            self.state = State::Skipping;
            self.keep_tail();
            return Some(Err(DecodeError::FrameTooLong));
        }
        self.scanned = self
            .buffer
            .len()
            .saturating_sub(BLANK_LINE.len() - 1)
            .max(self.scanned);
        None
    }

    /// Drops what belongs to the oversize frame; `None` while its end is not there.
    fn skip(&mut self) -> Option<()> {
        let Some(at) = memmem::find(&self.buffer, BLANK_LINE) else {
            self.keep_tail();
            return None;
        };
        self.drop_front(at + BLANK_LINE.len());
        self.state = State::Frames;
        Some(())
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.scanned = 0;
    }

    /// Keeps only what may be the beginning of a blank line.
    fn keep_tail(&mut self) {
        let surplus = self.buffer.len().saturating_sub(BLANK_LINE.len() - 1);
        self.drop_front(surplus);
    }
}

/// Whether `frame` is the raw command output of Asterisk 13 and older and has
/// not reached its end mark.
fn is_open_legacy_output(frame: &[u8]) -> bool {
    const START: &[u8] = b"Response: Follows\r\n";
    frame
        .get(..START.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(START))
        && !frame.ends_with(b"--END COMMAND--")
}

/// Writes a response or an event, for the server side of a test or a simulator.
///
/// A CR, LF or NUL would end the line early, so it is written as a space; the
/// frame that arrives always has exactly these headers.
///
/// ```
/// let frame = strowger_ami::encode_frame(&[("Event", "UserEvent"), ("Text", "a\nb")]);
/// assert_eq!(&frame[..], b"Event: UserEvent\r\nText: a b\r\n\r\n");
/// ```
pub fn encode_frame(headers: &[(&str, &str)]) -> Bytes {
    let mut out = String::new();
    for (key, value) in headers {
        for part in [*key, ": ", *value] {
            out.extend(part.chars().map(|c| match c {
                '\r' | '\n' | '\0' => ' ',
                c => c,
            }));
        }
        out.push_str("\r\n");
    }
    out.push_str("\r\n");
    out.into()
}

/// Writes the greeting of a server, for the server side of a test or a simulator.
pub fn encode_banner(ami_version: &str) -> Bytes {
    format!("Asterisk Call Manager/{ami_version}\r\n").into()
}
