//! One call that was handed over: commands, deadlines and the hang-up.

mod commands;

pub use commands::{ChannelStatus, Data, ExecResult, Playback, Recording, RecordingEnd};

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::{
    Command, CommandError, Environment, EnvironmentError, Incoming, Reply, ReplyDecoder, Success,
    command::Deadline, environment,
};

/// Bytes read from the socket at a time. Replies are shorter.
const READ_SIZE: usize = 1_024;

/// Most commands whose replies may be owed at once, which happens only if
/// command futures are dropped before they end.
const MAX_OWED: u32 = 64;

/// Why a connection did not become a session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The environment was not complete in time.
    #[error("the environment did not arrive in time")]
    TimedOut,
    /// The environment is not acceptable.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The connection ended or failed first.
    #[error("the connection failed before the environment was complete")]
    Io(#[from] io::Error),
}

/// A call under the control of this process, for as long as the value lives.
/// Dropping it closes the connection, and the dialplan of the call goes on.
///
/// The future of any command may be dropped: the command was sent, its reply
/// stays owed and is skipped by the next one, which the exchange runs after
/// it. [`Self::wait_hangup`] may be used in a `select!` at will.
pub struct Session {
    stream: TcpStream,
    peer: SocketAddr,
    environment: Environment,
    command_timeout: Duration,
    decoder: ReplyDecoder,
    /// Bytes of commands that the socket has not yet taken. A dropped future
    /// leaves them here, so that no command is cut in the middle.
    outgoing: Vec<u8>,
    /// Commands sent or queued whose replies have not arrived.
    owed: u32,
    hung_up: bool,
    closed: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("peer", &self.peer)
            .field("environment", &self.environment)
            .field("hung_up", &self.hung_up)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

// === impl Session ===

impl Session {
    /// Reads the environment of a new connection.
    pub(crate) async fn open(
        stream: TcpStream,
        peer: SocketAddr,
        environment_timeout: Duration,
        command_timeout: Duration,
    ) -> Result<Self, SessionError> {
        // A command is one small write that waits for one small reply: the
        // case in which Nagle's algorithm only costs time.
        stream.set_nodelay(true)?;
        let mut stream = stream;
        let (environment, rest) = time::timeout(environment_timeout, read_environment(&mut stream))
            .await
            .map_err(|_| SessionError::TimedOut)??;
        let mut decoder = ReplyDecoder::new();
        decoder.push(&rest);
        Ok(Self {
            stream,
            peer,
            environment,
            command_timeout,
            decoder,
            outgoing: Vec::new(),
            owed: 0,
            hung_up: false,
            closed: false,
        })
    }

    /// What the exchange said about the call.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Address of the exchange.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the caller is known to be gone, or the connection has ended.
    /// Learned from what was read so far: a call that is neither running a
    /// command nor in [`Self::wait_hangup`] does not listen.
    pub fn is_hung_up(&self) -> bool {
        self.hung_up || self.closed
    }

    /// Resolves when the caller hangs up or the connection ends, at once if
    /// that has happened. Cancel-safe.
    pub async fn wait_hangup(&mut self) {
        while !self.is_hung_up() {
            if self.flush().await.is_err() {
                return;
            }
            match self.incoming().await {
                Ok(Incoming::Hangup) | Err(_) => return,
                Ok(Incoming::Reply(_)) if self.owed > 0 => self.owed -= 1,
                // Nobody asked: the stream of replies cannot be trusted.
                Ok(Incoming::Reply(_)) => self.closed = true,
            }
        }
    }

    /// Sends a command and waits for its reply.
    ///
    /// This is the door to every AGI command that has no method of its own.
    /// A result of -1 is given back as it is; see
    /// [`Self::checked`] for the meaning that most commands give to it.
    ///
    /// # Errors
    ///
    /// See [`CommandError`].
    pub async fn command(&mut self, command: Command) -> Result<Success, CommandError> {
        let line = command.encode()?;
        if self.closed {
            return Err(self.gone());
        }
        if self.owed >= MAX_OWED {
            return Err(CommandError::TimedOut);
        }
        self.outgoing.extend_from_slice(line.as_bytes());
        self.owed += 1;
        let deadline = match command.deadline {
            Deadline::Default => Some(self.command_timeout),
            Deadline::Chosen(deadline) => deadline,
        };
        let reply = match deadline {
            None => self.last_reply().await?,
            Some(deadline) => time::timeout(deadline, self.last_reply())
                .await
                .map_err(|_| CommandError::TimedOut)??,
        };
        match reply {
            Reply::Success(success) => Ok(success),
            Reply::Refused { code: 511, .. } => {
                self.hung_up = true;
                Err(CommandError::HungUp)
            }
            Reply::Refused { code, message } => Err(CommandError::Refused { code, message }),
        }
    }

    /// Sends a command for which a result of -1 is a failure, and finds out
    /// which one.
    ///
    /// Asterisk answers a command during which the caller hung up with -1 and
    /// writes `HANGUP` only afterwards, before it runs the next command. So a
    /// -1 on a call that seems alive is followed by a `NOOP`: when its reply
    /// is here, a `HANGUP` would be as well.
    ///
    /// # Errors
    ///
    /// [`CommandError::HungUp`] if the caller is gone,
    /// [`CommandError::Refused`] with code 200 if the call lives; otherwise
    /// see [`CommandError`].
    pub async fn checked(&mut self, command: Command) -> Result<Success, CommandError> {
        let success = self.command(command).await?;
        if !success.failed() {
            return Ok(success);
        }
        if self.check_hung_up().await? {
            return Err(CommandError::HungUp);
        }
        Err(CommandError::Refused {
            code: 200,
            message: success.to_string()[4..].to_owned(),
        })
    }

    /// Whether the caller is gone by now, asking the exchange if need be.
    ///
    /// To be used after a command whose result does not tell: the `Bridge`
    /// application returns 0 whoever ended the conversation.
    ///
    /// # Errors
    ///
    /// See [`CommandError`]; never [`CommandError::HungUp`].
    pub async fn check_hung_up(&mut self) -> Result<bool, CommandError> {
        if !self.is_hung_up() {
            match self.command(Command::new("NOOP")).await {
                Ok(_) | Err(CommandError::HungUp) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.is_hung_up())
    }

    /// The error of a session whose connection has ended.
    fn gone(&self) -> CommandError {
        if self.hung_up {
            CommandError::HungUp
        } else {
            CommandError::Disconnected
        }
    }

    /// Writes what is queued, then reads until no reply is owed. Cancel-safe.
    async fn last_reply(&mut self) -> Result<Reply, CommandError> {
        self.flush().await?;
        loop {
            if let Incoming::Reply(reply) = self.incoming().await? {
                // Never zero: a command was counted before it was sent.
                self.owed = self.owed.saturating_sub(1);
                if self.owed == 0 {
                    return Ok(reply);
                }
            }
        }
    }

    /// Writes what is queued. Cancel-safe: bytes leave the queue when the
    /// socket has taken them.
    async fn flush(&mut self) -> Result<(), CommandError> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing).await {
                Ok(written) if written > 0 => {
                    self.outgoing.drain(..written);
                }
                _ => {
                    self.closed = true;
                    return Err(self.gone());
                }
            }
        }
        Ok(())
    }

    /// The next line or reply. Cancel-safe. Notes a hang-up.
    async fn incoming(&mut self) -> Result<Incoming, CommandError> {
        loop {
            match self.decoder.next_line() {
                Ok(Some(incoming)) => {
                    self.hung_up |= incoming == Incoming::Hangup;
                    return Ok(incoming);
                }
                Ok(None) => {}
                Err(error) => {
                    self.closed = true;
                    return Err(CommandError::Protocol {
                        reason: error.to_string(),
                    });
                }
            }
            if self.closed {
                return Err(self.gone());
            }
            let mut chunk = [0; READ_SIZE];
            match self.stream.read(&mut chunk).await {
                Ok(count) if count > 0 => self.decoder.push(&chunk[..count]),
                _ => {
                    self.closed = true;
                    return Err(self.gone());
                }
            }
        }
    }
}

/// Reads up to the blank line. Gives the bytes behind it, too.
async fn read_environment(stream: &mut TcpStream) -> Result<(Environment, Vec<u8>), SessionError> {
    let mut block = Vec::with_capacity(READ_SIZE);
    let mut scanned = 0;
    loop {
        if let Some((end, next)) = block_end(&block, scanned) {
            let rest = block.split_off(next);
            block.truncate(end);
            return Ok((Environment::parse(&block)?, rest));
        }
        if block.len() > environment::MAX_BYTES {
            return Err(EnvironmentError::TooLarge.into());
        }
        // The end may have arrived in part: "\n\r" without its "\n".
        scanned = block.len().saturating_sub(2);
        if stream.read_buf(&mut block).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Where the lines of the block end and where the bytes behind the blank line
/// begin. A blank line at the very start counts.
fn block_end(block: &[u8], from: usize) -> Option<(usize, usize)> {
    if from == 0 {
        for blank in [b"\n".as_slice(), b"\r\n"] {
            if block.starts_with(blank) {
                return Some((0, blank.len()));
            }
        }
    }
    memchr::memchr_iter(b'\n', &block[from..]).find_map(|offset| {
        let end = from + offset + 1;
        let rest = &block[end..];
        if rest.starts_with(b"\n") {
            Some((end, end + 1))
        } else if rest.starts_with(b"\r\n") {
            Some((end, end + 2))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blank_line_is_found_at_any_split() {
        for text in ["agi_a: b\n\nrest", "agi_a: b\r\n\r\nrest"] {
            let block = text.as_bytes();
            let (end, next) = block_end(block, 0).unwrap();
            assert_eq!(&block[next..], b"rest");
            for cut in 1..next {
                assert_eq!(block_end(&block[..cut], 0), None, "{cut}");
                let from = cut.saturating_sub(2);
                assert_eq!(block_end(block, from), Some((end, next)), "{cut}");
            }
        }
        assert_eq!(block_end(b"\nrest", 0), Some((0, 1)));
        assert_eq!(block_end(b"", 0), None);
    }
}
