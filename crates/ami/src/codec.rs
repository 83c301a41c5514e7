//! Bytes to frames and back, without IO.
//!
//! A frame is cut first, by searching for the blank line, and only a complete
//! frame is parsed. A damaged frame therefore costs itself and nothing else: the
//! stream is in step again at the next blank line.

use std::fmt;

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

pub(crate) const BLANK_LINE: &[u8] = b"\r\n\r\n";

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

/// Bytes asked of a socket at a time. The buffer of this size is shared by the
/// messages that are cut from it.
const BLOCK_BYTES: usize = 64 * 1024;

/// A smaller rest of a buffer is not read into: each read costs a system call.
const LEAST_SPACE: usize = 8 * 1024;

/// Cuts a byte stream into frames.
///
/// Call [`push`](Self::push) with what was read (or read into
/// [`space`](Self::space)), then [`next`](Self::next) until it gives `None`.
/// Between two pushes the decoder then holds less than [`MAX_FRAME_BYTES`],
/// whatever the peer sends, and no byte is searched twice.
pub struct Decoder {
    buffer: BytesMut,
    /// Everything before this was searched already.
    searched: usize,
    state: State,
    blank_line: memmem::Finder<'static>,
}

/// Where one frame lies in a [`Block`], without its blank line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Frames that were cut from one buffer at once.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) bytes: Bytes,
    /// Set when the stream has a piece behind the frames that was skipped.
    pub(crate) skipped: Option<DecodeError>,
}

/// What lies at a place of the buffer.
enum Piece {
    Frame {
        frame: Frame,
        next: usize,
    },
    Bad {
        error: DecodeError,
        next: usize,
    },
    /// An oversize frame whose end is not there yet.
    Endless,
    /// More bytes are needed.
    Open,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What waits here may be a login, and is not parsed yet.
        f.debug_struct("Decoder")
            .field("state", &self.state)
            .field("buffered", &self.buffered())
            .finish_non_exhaustive()
    }
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
            searched: 0,
            state,
            blank_line: memmem::Finder::new(BLANK_LINE),
        }
    }

    /// Adds bytes that were read from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where to read from the peer without a copy, with room for at least 8 kB.
    /// What is added must be bytes of the stream; nothing may be taken away.
    ///
    /// ```
    /// use bytes::BufMut as _;
    /// let mut decoder = strowger_ami::Decoder::for_server();
    /// decoder.space().put_slice(b"Action: Ping\r\n\r\n");
    /// assert!(matches!(decoder.next(), Some(Ok(_))));
    /// ```
    pub fn space(&mut self) -> &mut BytesMut {
        if self.buffer.capacity() - self.buffer.len() < LEAST_SPACE {
            self.buffer.reserve(BLOCK_BYTES);
        }
        &mut self.buffer
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
            State::Banner => return self.banner(),
            State::Frames => {}
            State::Skipping => self.skip()?,
        }
        self.drop_blank_lines();
        match self.piece(0) {
            Piece::Frame { frame, next } => {
                let mut bytes = self.take(next);
                bytes.truncate(frame.end);
                bytes.advance(frame.start);
                Some(Message::parse(bytes).map(Decoded::Frame))
            }
            Piece::Bad { error, next } => {
                self.drop_front(next);
                Some(Err(error))
            }
            Piece::Endless => {
                self.state = State::Skipping;
                self.keep_tail();
                Some(Err(DecodeError::FrameTooLong))
            }
            Piece::Open => None,
        }
    }

    /// All frames that are complete, as places in one shared piece of the buffer:
    /// they are appended to `frames`. `None` when more bytes are needed.
    ///
    /// Only for a stream whose greeting has been taken.
    pub(crate) fn block(&mut self, frames: &mut Vec<Frame>) -> Option<Block> {
        if self.state == State::Skipping {
            self.skip()?;
        }
        self.drop_blank_lines();
        let mut at = 0;
        let skipped = loop {
            match self.piece(at) {
                Piece::Frame { frame, next } => {
                    frames.push(frame);
                    at = next;
                }
                Piece::Bad { error, next } => {
                    at = next;
                    break Some(error);
                }
                Piece::Endless => {
                    self.state = State::Skipping;
                    break Some(DecodeError::FrameTooLong);
                }
                Piece::Open if at == 0 => return None,
                Piece::Open => break None,
            }
        };
        let searched = self.searched;
        let bytes = self.take(at);
        if self.state == State::Skipping {
            self.keep_tail();
        } else {
            self.searched = searched.saturating_sub(at);
        }
        Some(Block { bytes, skipped })
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
        let line = self.take(lf + 1);
        let line = line.trim_ascii_end();
        if !line.starts_with(b"Asterisk Call Manager") {
            return Some(Err(DecodeError::NotAManager));
        }
        let version = line.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Some(Ok(Decoded::Banner {
            version: String::from_utf8_lossy(version).into_owned(),
        }))
    }

    /// What begins at `start` of the buffer.
    fn piece(&mut self, mut start: usize) -> Piece {
        // Blank lines between frames belong to none.
        while self.buffer[start..].starts_with(b"\r\n") {
            start += 2;
        }
        let mut from = self.searched.max(start);
        while let Some(found) = self.blank_line.find(&self.buffer[from..]) {
            let end = from + found;
            let next = end + BLANK_LINE.len();
            if next - start > MAX_FRAME_BYTES {
                self.searched = next;
                let error = DecodeError::FrameTooLong;
                return Piece::Bad { error, next };
            }
            if is_open_legacy_output(&self.buffer[start..end]) {
                // A blank line of the raw text, not yet the end of the frame.
                from = end + 2;
                continue;
            }
            self.searched = next;
            let frame = Frame { start, end };
            return Piece::Frame { frame, next };
        }
        if self.buffer.len() - start >= MAX_FRAME_BYTES {
            return Piece::Endless;
        }
        // The blank line may have arrived in part.
        self.searched = self
            .buffer
            .len()
            .saturating_sub(BLANK_LINE.len() - 1)
            .max(from);
        Piece::Open
    }

    /// Drops what belongs to the oversize frame; `None` while its end is not there.
    fn skip(&mut self) -> Option<()> {
        let Some(at) = self.blank_line.find(&self.buffer) else {
            self.keep_tail();
            return None;
        };
        self.drop_front(at + BLANK_LINE.len());
        self.state = State::Frames;
        Some(())
    }

    /// Drops the blank lines in front, which would fill the buffer while a peer sends
    /// nothing else.
    fn drop_blank_lines(&mut self) {
        let pairs = self.buffer.chunks_exact(2);
        let bytes = 2 * pairs.take_while(|pair| *pair == b"\r\n").count();
        self.buffer.advance(bytes);
        self.searched = self.searched.saturating_sub(bytes);
    }

    /// Takes the front of the buffer without a copy.
    fn take(&mut self, bytes: usize) -> Bytes {
        self.searched = 0;
        self.buffer.split_to(bytes).freeze()
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.advance(bytes);
        self.searched = 0;
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
