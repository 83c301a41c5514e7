//! One call that was handed over: commands, deadlines and the hang-up.

mod commands;
mod deadline;
mod opening;
mod stream;
mod trace;

pub use commands::{
    Case, ChannelStatus, ControlEnd, ControlPlayback, ControlStatus, ControlStream, Data,
    DatabaseTree, ExecResult, Gender, Playback, Priority, Recognition, Recognized, Record,
    Recording, RecordingEnd, Subroutine, TddMode,
};
pub use opening::{OpenError, Peer};

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};

use self::{
    deadline::Timer,
    opening::read_environment,
    stream::Stream,
    trace::{Outcome, Watch},
};
use crate::{
    Command, CommandError, Environment, Incoming, Reply, ReplyDecoder, ServerStats, Success,
    client,
    command::{self, Deadline},
};

/// Bytes read at a time. Replies are shorter, and a read that fills its room
/// would have to be tried again.
const READ_SIZE: usize = 1_024;

/// How long a marker may take before another one follows; see
/// [`Session::settle`].
const GRACE: Duration = Duration::from_millis(50);

/// First words of the text that marks where the replies to abandoned commands
/// end.
const MARKER: &str = "strowger-sync-";

/// From this version on Asterisk reads long lines.
const LONG_LINES_SINCE: u32 = 20;

/// What is still to come from the exchange before a command can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// The reply to a command whose future was dropped or timed out.
    Reply,
    /// The reply to a marker that was sent after such a command.
    Marker {
        again: bool,
    },
}

/// A call under the control of this process, for as long as the value lives.
/// Dropping it closes the connection, and the dialplan of the call goes on
/// with `AGISTATUS=SUCCESS` (`run_agi` in `res_agi.c`).
///
/// The future of any command may be dropped; the next command first finds out
/// where the replies to the abandoned one end. Asterisk itself stops what
/// plays, says a number or waits for digits when another command arrives,
/// and goes on with everything else to its end. [`Self::wait_hangup`] may be
/// used in a `select!` at will.
pub struct Session {
    stream: Stream,
    peer: Peer,
    environment: Environment,
    command_timeout: Duration,
    timer: Timer,
    decoder: ReplyDecoder,
    /// Bytes of commands that the stream has not yet taken. A dropped future
    /// leaves them here, so that no command is cut in the middle.
    outgoing: Vec<u8>,
    line_limit: usize,
    owed: Owed,
    /// Markers sent, and those whose replies came.
    markers: (u32, u32),
    /// A usage text without a command of its own is to come.
    stray_usage: bool,
    hung_up: bool,
    closed: bool,
    stats: Option<Arc<ServerStats>>,
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
    ) -> Result<Self, (OpenError, Option<TcpStream>)> {
        // A command is one small write that waits for one small reply: the
        // case in which Nagle's algorithm only costs time.
        if let Err(error) = stream.set_nodelay(true) {
            return Err((error.into(), None));
        }
        let mut stream = Stream::Tcp(stream);
        match read_environment(&mut stream, environment_timeout).await {
            Ok((environment, rest)) => Ok(Self::new(
                stream,
                Peer::Tcp(peer),
                environment,
                &rest,
                command_timeout,
            )),
            Err(error) => Err((error, stream.into_tcp())),
        }
    }

    /// A session over a stream of the program's choice: a Unix socket, TLS
    /// behind a proxy, or standard input and output joined
    /// (`tokio::io::join`), which makes the program a classic AGI script.
    /// Reads the environment first.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub async fn over<S>(
        stream: S,
        environment_timeout: Duration,
        command_timeout: Duration,
    ) -> Result<Self, OpenError>
    where
        S: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
    {
        let mut stream = Stream::Other(Box::new(stream));
        let (environment, rest) = read_environment(&mut stream, environment_timeout).await?;
        Ok(Self::new(
            stream,
            Peer::Stream,
            environment,
            &rest,
            command_timeout,
        ))
    }

    /// A session over AMI, whose environment came with its event.
    pub(crate) fn over_ami<S>(
        stream: S,
        environment: Environment,
        command_timeout: Duration,
        line_limit: usize,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static,
    {
        let stream = Stream::Other(Box::new(stream));
        let mut session = Self::new(stream, Peer::Ami, environment, &[], command_timeout);
        session.line_limit = line_limit;
        session
    }

    fn new(
        stream: Stream,
        peer: Peer,
        environment: Environment,
        rest: &[u8],
        command_timeout: Duration,
    ) -> Self {
        let mut decoder = ReplyDecoder::new();
        if !rest.is_empty() {
            decoder.push(rest);
        }
        let long = environment.major_version() >= Some(LONG_LINES_SINCE);
        Self {
            stream,
            peer,
            environment,
            command_timeout,
            timer: Timer::default(),
            decoder,
            outgoing: Vec::new(),
            line_limit: if long {
                command::MAX_LINE_LONG
            } else {
                command::MAX_LINE
            },
            owed: Owed::Nothing,
            markers: (0, 0),
            stray_usage: false,
            hung_up: false,
            closed: false,
            stats: None,
        }
    }

    /// Counts a refusal of this session in the counters of its server.
    pub(crate) fn counted_in(mut self, stats: &Arc<ServerStats>) -> Self {
        self.stats = Some(Arc::clone(stats));
        self
    }

    /// What the exchange said about the call.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The other end: the address of the exchange, as a rule.
    pub fn peer(&self) -> Peer {
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
                Ok(Incoming::Reply(reply)) => self.unasked(&reply),
            }
        }
    }

    /// Ends the session so that the dialplan goes on with
    /// `AGISTATUS=FAILURE`: the call cannot be served here.
    ///
    /// Any other end of a session, however early, is `AGISTATUS=SUCCESS` to
    /// the dialplan, unless a command failed in it. Asterisk reads the word
    /// `failure` in place of a command as this wish (`run_agi` in `res_agi.c`;
    /// tried on 22). Over AMI there is no such word: the dialplan just goes
    /// on.
    pub async fn refuse(mut self) {
        if let Some(stats) = &self.stats {
            stats.count_refused();
        }
        if self.peer != Peer::Ami && !self.closed {
            self.outgoing.extend_from_slice(client::FAILURE.as_bytes());
            let flush = self.stream.write(&mut self.outgoing);
            // Nobody waits for this; the room for it is there as a rule.
            let _ = time::timeout(GRACE, flush).await;
        }
    }

    /// Sends a command and waits for its reply.
    ///
    /// This is the door to every AGI command that has no method of its own,
    /// such as those of modules. A result of -1 is given back as it is; see
    /// [`Self::checked`] for the meaning that most commands give to it.
    ///
    /// # Errors
    ///
    /// See [`CommandError`].
    pub async fn command(&mut self, command: Command) -> Result<Success, CommandError> {
        let watch = Watch::start(&command);
        let outcome = self.perform(command).await;
        watch.end(&Outcome::of(&outcome));
        outcome
    }

    async fn perform(&mut self, command: Command) -> Result<Success, CommandError> {
        let deadline = match command.deadline {
            Deadline::Default => Some(self.command_timeout),
            Deadline::Chosen(deadline) => deadline,
        };
        let line = command.into_line(self.line_limit)?;
        if self.closed {
            return Err(self.gone());
        }
        let reply = match deadline {
            None => self.exchange(line).await?,
            Some(deadline) => {
                // Taken out, since the exchange needs the rest. A dropped
                // future loses it, and the next command makes a new one.
                let mut timer = std::mem::take(&mut self.timer);
                let reply = timer.within(deadline, self.exchange(line)).await;
                self.timer = timer;
                reply.ok_or(CommandError::TimedOut)??
            }
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
        Err(CommandError::failed(&success))
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

    /// Sends a line and reads its reply. If it is dropped, the reply is owed.
    async fn exchange(&mut self, line: String) -> Result<Reply, CommandError> {
        if self.owed != Owed::Nothing {
            self.settle().await?;
        }
        // Whatever was queued before has been answered.
        self.outgoing = line.into_bytes();
        self.owed = Owed::Reply;
        self.flush().await?;
        loop {
            if let Incoming::Reply(reply) = self.incoming().await?
                && !self.is_stray(&reply)
            {
                self.owed = Owed::Nothing;
                return Ok(reply);
            }
        }
    }

    /// Finds the end of the replies to an abandoned command.
    ///
    /// They cannot be counted: Asterisk gives no reply to `STREAM FILE`,
    /// `GET DATA` and others when a further command interrupts them
    /// (`res == 1` in their handlers). So a marker is sent, a text that comes
    /// back in a reply of its own.
    ///
    /// Nor can the next command be sent along: Asterisk waits for its socket
    /// but reads through `stdio`, and a second line that arrives together
    /// with the first is not seen until further bytes come. That can happen
    /// to the marker, which is why it is sent once more.
    async fn settle(&mut self) -> Result<(), CommandError> {
        self.flush().await?;
        if self.owed == Owed::Reply {
            self.send_marker(false);
        }
        if self.owed == (Owed::Marker { again: false }) {
            match time::timeout(GRACE, self.marked()).await {
                Ok(marked) => return marked,
                Err(_) => self.send_marker(true),
            }
        }
        self.marked().await
    }

    fn send_marker(&mut self, again: bool) {
        self.markers.0 += 1;
        let text = format!("{MARKER}{}", self.markers.0);
        let line = Command::new("GET FULL VARIABLE")
            .arg(text)
            .into_line(command::MAX_LINE);
        // Never an error: the line is short and plain.
        self.outgoing.extend(line.unwrap_or_default().into_bytes());
        self.owed = Owed::Marker { again };
    }

    /// Resolves when a marker came back. Cancel-safe.
    async fn marked(&mut self) -> Result<(), CommandError> {
        self.flush().await?;
        while self.owed != Owed::Nothing {
            if let Incoming::Reply(reply) = self.incoming().await? {
                self.unasked(&reply);
            }
        }
        Ok(())
    }

    /// Takes note of a reply that nobody waits for.
    fn unasked(&mut self, reply: &Reply) {
        if self.is_stray(reply) {
            return;
        }
        match self.owed {
            Owed::Reply => self.owed = Owed::Nothing,
            // Belongs to the abandoned command.
            Owed::Marker { .. } => {}
            // The stream of replies cannot be trusted.
            Owed::Nothing => self.closed = true,
        }
    }

    /// Whether a reply belongs to a marker, or to no command at all.
    fn is_stray(&mut self, reply: &Reply) -> bool {
        match reply {
            Reply::Success(success) if self.markers.1 < self.markers.0 => {
                let number = success.value().and_then(|value| value.strip_prefix(MARKER));
                let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) else {
                    return false;
                };
                if number <= self.markers.1 || number > self.markers.0 {
                    return false;
                }
                self.markers.1 = number;
                if let Owed::Marker { .. } = self.owed {
                    self.owed = Owed::Nothing;
                }
                true
            }
            Reply::Refused { code: 520, .. } => std::mem::take(&mut self.stray_usage),
            Reply::Success(_) | Reply::Refused { .. } => {
                // It would have come first.
                self.stray_usage = false;
                false
            }
        }
    }

    /// Writes what is queued. Cancel-safe: bytes leave the queue when the
    /// stream has taken them.
    async fn flush(&mut self) -> Result<(), CommandError> {
        if self.stream.write(&mut self.outgoing).await.is_err() {
            self.closed = true;
            return Err(self.gone());
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
            let room = self.decoder.space(READ_SIZE);
            if self.stream.read(room).await.is_err() {
                self.closed = true;
                return Err(self.gone());
            }
        }
    }
}
