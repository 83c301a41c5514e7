//! One call that was handed over: commands, deadlines and the hang-up.

mod commands;
mod deadline;
mod opening;
mod resync;
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
    resync::{Owed, StrayUsage},
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

/// From this version on Asterisk reads long lines.
const LONG_LINES_SINCE: u32 = 20;

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
    /// What every marker of this session begins with; empty before the first.
    marker: String,
    /// Markers sent, and those whose replies came.
    markers: (u32, u32),
    /// Replies that came since the first of the markers was sent.
    skipped: u8,
    usage: StrayUsage,
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
            marker: String::new(),
            markers: (0, 0),
            skipped: 0,
            usage: StrayUsage::default(),
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
    ///
    /// Where the dialplan has set `AGISIGHUP=no`, Asterisk says nothing of a
    /// hang-up, and this waits on; [`Self::check_hung_up`] asks.
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
        let exec = command.verb().eq_ignore_ascii_case("EXEC");
        let line = command.into_line(self.line_limit)?;
        if self.closed {
            return Err(self.gone());
        }
        let reply = match deadline {
            None => self.exchange(line, exec).await?,
            Some(deadline) => {
                // Taken out, since the exchange needs the rest. A dropped
                // future loses it, and the next command makes a new one.
                let mut timer = std::mem::take(&mut self.timer);
                let reply = timer.within(deadline, self.exchange(line, exec)).await;
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
    /// -1 on a call that seems alive is followed by [`Self::check_hung_up`].
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
    /// application returns 0 whoever ended the conversation. The question is
    /// `CHANNEL STATUS`, which Asterisk refuses on a dead channel, so that it
    /// is answered with `AGISIGHUP=no` as well.
    ///
    /// # Errors
    ///
    /// See [`CommandError`]; never [`CommandError::HungUp`].
    pub async fn check_hung_up(&mut self) -> Result<bool, CommandError> {
        if !self.is_hung_up() {
            match self.command(Command::new("CHANNEL STATUS")).await {
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
    ///
    /// A hang-up that is noticed here ends the wait after `command_timeout`:
    /// Asterisk cuts whatever plays or waits, so a reply that does not come
    /// then is one to a line that it has overlooked (see [`Self::settle`]).
    async fn exchange(&mut self, line: String, exec: bool) -> Result<Reply, CommandError> {
        let was_hung_up = self.hung_up;
        self.settle().await?;
        self.take_buffered()?;
        // Whatever was queued before has been answered.
        self.outgoing = line.into_bytes();
        self.owed = Owed::Reply;
        self.usage.exec = exec;
        self.flush().await?;
        while was_hung_up || !self.hung_up {
            if let Some(reply) = self.own_reply().await? {
                return Ok(reply);
            }
        }
        let patience = self.command_timeout;
        let last = async {
            loop {
                if let Some(reply) = self.own_reply().await? {
                    return Ok(reply);
                }
            }
        };
        time::timeout(patience, last)
            .await
            .unwrap_or(Err(CommandError::HungUp))
    }

    /// The next line, if it is the reply to the command that was sent.
    async fn own_reply(&mut self) -> Result<Option<Reply>, CommandError> {
        if let Incoming::Reply(reply) = self.incoming().await?
            && !self.is_stray(&reply)
        {
            self.owed = Owed::Nothing;
            self.answered(&reply);
            return Ok(Some(reply));
        }
        Ok(None)
    }

    /// Writes what is queued. Cancel-safe: bytes leave the queue when the
    /// stream has taken them.
    async fn flush(&mut self) -> Result<(), CommandError> {
        if self.stream.write(&mut self.outgoing).await.is_err() {
            self.outgoing.clear();
            // What came before the end tells whether the caller hung up.
            let rest = async { while self.incoming().await.is_ok() {} };
            let _ = time::timeout(GRACE, rest).await;
            self.closed = true;
            return Err(self.gone());
        }
        Ok(())
    }

    /// The next line or reply. Cancel-safe. Notes a hang-up.
    async fn incoming(&mut self) -> Result<Incoming, CommandError> {
        loop {
            if let Some(incoming) = self.decoded()? {
                return Ok(incoming);
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

    /// The next line or reply that was read already. Notes a hang-up.
    fn decoded(&mut self) -> Result<Option<Incoming>, CommandError> {
        match self.decoder.next_line() {
            Ok(incoming) => {
                self.hung_up |= incoming == Some(Incoming::Hangup);
                Ok(incoming)
            }
            Err(error) => {
                self.closed = true;
                Err(CommandError::Protocol {
                    reason: error.to_string(),
                })
            }
        }
    }
}
