//! Sessions over AMI: `AGI(agi:async)`.
//!
//! Asterisk announces such a call with the event `AsyncAGIStart`, takes
//! commands with the action `AGI`, and answers each with the event
//! `AsyncAGIExec`. This module turns that into the same [`Session`] that
//! `FastAGI` has. It does not speak AMI itself: [`open`] gives a [`Remote`] to
//! whoever does.
//!
//! ```no_run
//! use std::time::Duration;
//! use strowger_agi::async_agi::{self, Ended, Order};
//! # enum Event { Exec { command_id: String, result: String }, End, Hangup }
//! # struct Ami;
//! # impl Ami {
//! #     async fn event(&mut self) -> Event { Event::End }
//! #     async fn action(&mut self, _: &str, _: &[(&str, &str)]) {}
//! # }
//! # async fn serve(ami: &mut Ami, channel: &str, env: &str) -> Result<(), Box<dyn std::error::Error>> {
//! // `env` and `channel` are headers of the event AsyncAGIStart.
//! let (mut session, mut remote) = async_agi::open(env, Duration::from_secs(5))?;
//! let call = async move {
//!     session.answer().await?;
//!     session.stream_file("welcome", "").await
//!     // Dropped here: the dialplan goes on.
//! };
//! let link = async {
//!     loop {
//!         tokio::select! {
//!             order = remote.next_order() => match order {
//!                 Some(Order { command_id, line }) => ami.action("AGI", &[
//!                     ("Channel", channel),
//!                     ("Command", &line),
//!                     ("CommandID", &command_id),
//!                 ]).await,
//!                 None => return,
//!             },
//!             // Only events of this channel.
//!             event = ami.event() => match event {
//!                 Event::Exec { command_id, result } => remote.result(&command_id, &result),
//!                 Event::End => remote.end(Ended::Released),
//!                 Event::Hangup => remote.end(Ended::HungUp),
//!             },
//!         }
//!     }
//! };
//! let (_outcome, ()) = tokio::join!(call, link);
//! # Ok(())
//! # }
//! ```
//!
//! # What is different from `FastAGI`
//!
//! * A command that fails on a living channel ends the session
//!   (`launch_asyncagi` in `res_agi.c`): after a sound that does not exist,
//!   `AsyncAGIEnd` comes and further commands are
//!   [`Disconnected`](crate::CommandError::Disconnected).
//! * Asterisk gives 1,024 bytes of the environment and of each reply. What is
//!   cut is dropped: a last line of the environment without its end, and the
//!   end of a value. The rest would come in front of the next reply, so a
//!   `NOOP` of [`Remote`]'s own fetches it first: a long value costs a round
//!   trip more.
//! * A hang-up is known from the events of the link alone.
//! * AMI reads lines of 1,024 bytes, so a command has at most
//!   [`MAX_COMMAND`].

use std::{
    fmt,
    future::pending,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::{
    Environment, EnvironmentError, Incoming, ReplyDecoder, Session, client,
    percent::percent_decode, reply,
};

/// Longest command line over AMI, in bytes: 1,024 for the line of the header,
/// less `Command: ` and its end.
pub const MAX_COMMAND: usize = 1_012;

/// Most bytes between a session and its owner, in each direction.
const PIPE: usize = 8 * 1_024;

/// The command that ends a session over AMI.
pub const BREAK: &str = "ASYNCAGI BREAK";

/// A command whose reply shows that nothing of earlier ones is left. Works on
/// a dead channel.
const DRAIN: &str = "NOOP";

/// Asterisk reads this many bytes of its pipe for a header (`AGI_BUF_SIZE` in
/// `res_agi.c`), and leaves the rest there for the next one.
const CUT_PLAIN: usize = 1_024;

/// From this length on, an encoded header may have been cut (`AMI_BUF_SIZE` in
/// `res_agi.c`, less what `ast_uri_encode` keeps free).
const CUT_ENCODED: usize = 2_045;

/// Orders of this process. A late result must not be taken for that of another
/// session on the same channel.
static ORDERS: AtomicU64 = AtomicU64::new(1);

/// Tells the orders of this process from those of the one before.
static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());

/// A command for the action `AGI`.
#[derive(Clone, PartialEq, Eq)]
pub struct Order {
    /// The header `CommandID`; it comes back as `CommandId`.
    pub command_id: String,
    /// The header `Command`. It holds no line break. Not to be logged: it may
    /// hold what a caller entered.
    pub line: String,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("command_id", &self.command_id)
            .finish_non_exhaustive()
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The channel was hung up (the event `Hangup`, or `AsyncAGIEnd` behind a
    /// `HangupRequest`).
    HungUp,
    /// The channel left the application (`AsyncAGIEnd`).
    Released,
    /// The link to the exchange is gone or has lost events. The channel may
    /// still wait in silence, so `ASYNCAGI BREAK` is ordered.
    Lost,
}

/// The end of a session that its owner connects to AMI. Dropping it ends the
/// session as if the link were gone, without an `ASYNCAGI BREAK`.
pub struct Remote {
    pipe: DuplexStream,
    /// Bytes from the session that are no whole line.
    incoming: Vec<u8>,
    /// Bytes for the session that the pipe has not taken.
    outgoing: Vec<u8>,
    /// The number of the order that has no result.
    outstanding: Option<u64>,
    /// Asterisk may hold the rest of what it has cut.
    undrained: bool,
    ended: Option<Ended>,
    /// `ASYNCAGI BREAK` was ordered.
    broken: bool,
    /// The session is gone, or told that it has ended.
    closed: bool,
}

impl fmt::Debug for Remote {
    /// Without what goes to and fro: it may hold what a caller entered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("outstanding", &self.outstanding())
            .field("ended", &self.ended)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

/// Opens a session from the header `Env` of the event `AsyncAGIStart`.
///
/// # Errors
///
/// See [`EnvironmentError`].
pub fn open(env: &str, command_timeout: Duration) -> Result<(Session, Remote), EnvironmentError> {
    let environment = environment(env)?;
    let (ours, pipe) = duplex(PIPE);
    let session = Session::over_ami(ours, environment, command_timeout, MAX_COMMAND);
    let remote = Remote {
        pipe,
        incoming: Vec::new(),
        outgoing: Vec::new(),
        outstanding: None,
        undrained: may_be_cut(env),
        ended: None,
        broken: false,
        closed: false,
    };
    Ok((session, remote))
}

/// Reads the header `Env`: an environment that is percent-encoded. A last line
/// that was cut is left out.
///
/// # Errors
///
/// See [`EnvironmentError`].
pub fn environment(env: &str) -> Result<Environment, EnvironmentError> {
    let text = percent_decode(env);
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    Environment::parse(whole.trim_end_matches(['\r', '\n']).as_bytes())
}

/// Reads the header `Result` of the event `AsyncAGIExec`: lines that a
/// [`ReplyDecoder`] understands. What Asterisk has cut is closed, so that no
/// reply stays open.
pub fn replies(result: &str) -> String {
    let mut text = percent_decode(result);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    let endings = [")\n", "520 End of proper usage.\n"];
    if !is_complete(&text)
        && let Some(ending) = endings
            .iter()
            .find(|ending| is_complete(&(text.clone() + **ending)))
    {
        text.push_str(ending);
    }
    text
}

/// Whether Asterisk may hold the rest of a header. It reads what there is, so
/// a shorter header is whole.
fn may_be_cut(header: &str) -> bool {
    header.len() >= CUT_ENCODED || percent_decode(header).len() >= CUT_PLAIN
}

/// Whether nothing of a reply is missing.
fn is_complete(text: &str) -> bool {
    let mut decoder = ReplyDecoder::new();
    decoder.push(text.as_bytes());
    let mut any = false;
    while let Ok(Some(incoming)) = decoder.next_line() {
        any |= incoming != Incoming::Hangup;
    }
    any && decoder.buffered() == 0
}

impl Remote {
    /// The next command to send with the action `AGI`; `None` when the session
    /// is over and nothing is left to be sent. Cancel-safe. To be polled for
    /// as long as the session lives: it also moves results.
    ///
    /// One command is outstanding at a time. When the session ends first, or
    /// is [`Ended::Lost`], the last order is [`BREAK`], at once: Asterisk runs
    /// it behind the command that may be running.
    pub async fn next_order(&mut self) -> Option<Order> {
        loop {
            if self.closed {
                return None;
            }
            // First, since a caller waits.
            if self.ended == Some(Ended::Lost) && !self.broken {
                return Some(self.order(BREAK.to_owned()));
            }
            if self.write().await.is_err() {
                return self.session_ended();
            }
            if self.ended.is_some() {
                self.closed = true;
                // An end of input is what the session notices.
                let _ = self.pipe.shutdown().await;
                return None;
            }
            if self.outstanding.is_none() {
                if self.undrained {
                    return Some(self.order(DRAIN.to_owned()));
                }
                if let Some(line) = self.line() {
                    return Some(self.order(line));
                }
            }
            // A session sends two lines ahead at most.
            if self.incoming.len() > PIPE {
                pending::<()>().await;
            }
            match self.pipe.read_buf(&mut self.incoming).await {
                Ok(count) if count > 0 => {}
                _ => return self.session_ended(),
            }
        }
    }

    /// Takes the headers `CommandId` and `Result` of an event `AsyncAGIExec`
    /// of this channel. A result that nobody waits for is left out: one of
    /// another program, or one that comes twice.
    pub fn result(&mut self, command_id: &str, result: &str) {
        if self.outstanding().as_deref() != Some(command_id) {
            return;
        }
        self.outstanding = None;
        if result.len() > reply::MAX_REPLY {
            self.end(Ended::Lost);
            return;
        }
        // Until nothing is left, results are those of `DRAIN`.
        let drained = std::mem::replace(&mut self.undrained, may_be_cut(result));
        if !drained {
            self.outgoing.extend_from_slice(replies(result).as_bytes());
        }
    }

    /// Tells the session that it has ended. What came before is delivered
    /// first.
    pub fn end(&mut self, ended: Ended) {
        // After `Lost`, Asterisk may still say what happened.
        if matches!(self.ended, None | Some(Ended::Lost)) {
            self.ended = Some(ended);
            match ended {
                Ended::HungUp => self.outgoing.extend_from_slice(client::HANGUP.as_bytes()),
                Ended::Released | Ended::Lost => {}
            }
        }
    }

    /// The order that has no result yet.
    pub fn outstanding(&self) -> Option<String> {
        self.outstanding.map(command_id_of)
    }

    fn order(&mut self, line: String) -> Order {
        let number = ORDERS.fetch_add(1, Relaxed);
        self.broken |= line == BREAK;
        self.outstanding = Some(number);
        Order {
            command_id: command_id_of(number),
            line,
        }
    }

    /// Takes one line out of what the session has sent.
    fn line(&mut self) -> Option<String> {
        let end = memchr::memchr(b'\n', &self.incoming)?;
        let line = String::from_utf8_lossy(&self.incoming[..end]).into_owned();
        self.incoming.drain(..=end);
        Some(line)
    }

    /// Moves results to the session. Cancel-safe.
    async fn write(&mut self) -> std::io::Result<()> {
        while !self.outgoing.is_empty() {
            let count = self.pipe.write(&self.outgoing).await?;
            self.outgoing.drain(..count);
        }
        Ok(())
    }

    /// The last order of a session that its owner has dropped.
    fn session_ended(&mut self) -> Option<Order> {
        self.closed = true;
        let holds = match self.ended {
            None | Some(Ended::Lost) => true,
            Some(Ended::Released | Ended::HungUp) => false,
        };
        (holds && !self.broken).then(|| self.order(BREAK.to_owned()))
    }
}

/// How an order is named. Other programs on the same channel have names of
/// their own.
fn command_id_of(number: u64) -> String {
    format!("strowger-{:016x}-{number}", *PROCESS)
}
