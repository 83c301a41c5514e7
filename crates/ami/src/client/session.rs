//! The task that owns the socket.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::handshake::{Failure, READ_BYTES, Session, establish};
use super::health::{LinkState, Shared};
use super::outbox::Outbox;
use super::pending::{Pending, Reply};
use super::{ActionError, ClientConfig, Command, DownReason, Notice};
use crate::actions;
use crate::codec::{Decoded, Decoder};
use crate::message::Kind;

/// Bytes that may wait for a server that does not read; then no more actions
/// are taken from the queue.
const MAX_UNWRITTEN_BYTES: usize = 64 * 1024;

/// How long a polite goodbye may take.
const LOGOFF_TIME: Duration = Duration::from_millis(250);

pub(super) struct Link {
    config: ClientConfig,
    commands: mpsc::Receiver<Command>,
    outbox: Outbox,
    pending: Pending,
    shared: Arc<Shared>,
    rng: StdRng,
    prefix: String,
    cancel: CancellationToken,
}

/// How a session ended.
enum End {
    Lost(DownReason),
    /// Cancelled, or the owner of the notices is gone.
    Stop,
}

impl Link {
    pub(super) fn new(
        config: ClientConfig,
        commands: mpsc::Receiver<Command>,
        outbox: Outbox,
        shared: Arc<Shared>,
        mut rng: StdRng,
        cancel: CancellationToken,
    ) -> Self {
        let prefix = format!("sw{:08x}", rng.random::<u32>());
        Self {
            config,
            commands,
            outbox,
            pending: Pending::new(prefix.clone(), Arc::clone(&shared)),
            shared,
            rng,
            prefix,
            cancel,
        }
    }

    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut refused = false;
        loop {
            self.shared.set_state(LinkState::Connecting);
            let connecting = establish(self.config.clone(), self.prefix.clone());
            let Some(outcome) = self.refusing(connecting).await else {
                break;
            };
            let pause = match outcome {
                Ok(session) => {
                    refused = false;
                    let since = Instant::now();
                    let End::Lost(reason) = self.session(session).await else {
                        break;
                    };
                    tracing::debug!(ami.server = %self.config.server, %reason, "AMI link lost");
                    self.shared.set_error(Some(reason.to_string()));
                    self.outbox.down(reason);
                    if since.elapsed() >= self.config.stable_after {
                        failures = 0;
                    }
                    self.pause(&mut failures)
                }
                Err(Failure::Refused { message }) => {
                    self.shared
                        .set_error(Some(format!("the server refused the account: {message}")));
                    if !refused {
                        refused = true;
                        tracing::debug!(
                            ami.server = %self.config.server,
                            message,
                            "Asterisk refused the manager account"
                        );
                        self.outbox.refused(message);
                    }
                    self.config.auth_retry
                }
                Err(Failure::Transport(reason)) => {
                    tracing::info!(ami.server = %self.config.server, %reason, "No AMI link");
                    self.shared.set_error(Some(reason.to_string()));
                    self.pause(&mut failures)
                }
            };
            self.shared.set_state(LinkState::Backoff);
            if self.refusing(sleep(pause)).await.is_none() {
                break;
            }
        }
        self.shared.set_state(LinkState::Stopped);
        self.commands.close();
        while let Some(command) = self.commands.recv().await {
            command.reply.fail(ActionError::NotConnected);
        }
    }

    /// Exponential backoff with full jitter: servers that fail together are not
    /// called again together.
    fn pause(&mut self, failures: &mut u32) -> Duration {
        let bound = backoff_bound(self.config.backoff_min, self.config.backoff_max, *failures);
        *failures = failures.saturating_add(1);
        bound.mul_f64(self.rng.random::<f64>())
    }

    /// Does `work` while there is no session: actions fail at once, and notices
    /// still reach the owner. `None` when the link is to end.
    async fn refusing<F: Future>(&mut self, work: F) -> Option<F::Output> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                () = self.cancel.cancelled() => return None,
                () = self.outbox.closed() => return None,
                output = &mut work => return Some(output),
                Some(command) = self.commands.recv() => {
                    command.reply.fail(ActionError::NotConnected);
                }
                () = self.outbox.room(), if self.outbox.is_waiting() => self.outbox.flush(),
            }
        }
    }

    /// Serves one session until it ends.
    async fn session(&mut self, session: Session) -> End {
        let Session {
            mut stream,
            mut decoder,
            ami_version,
            asterisk_version,
            boot,
        } = session;
        tracing::debug!(ami.server = %self.config.server, ami.version = %ami_version, "AMI link up");
        // Before the notice: who has seen it may send at once.
        self.shared.set_state(LinkState::Up);
        self.outbox.up(Notice::Up {
            ami_version,
            asterisk_version,
            boot,
        });
        let mut output = BytesMut::new();
        let end = self.serve(&mut stream, &mut decoder, &mut output).await;
        // Before the failures: who sees one must not find the link up.
        self.shared.set_state(LinkState::Backoff);
        self.pending.fail_all();
        // Not sent, and not to be sent to a server that has started anew.
        while let Ok(command) = self.commands.try_recv() {
            command.reply.fail(ActionError::NotConnected);
        }
        if matches!(end, End::Stop) {
            goodbye(&mut stream, output).await;
        }
        end
    }

    async fn serve(
        &mut self,
        stream: &mut TcpStream,
        decoder: &mut Decoder,
        output: &mut BytesMut,
    ) -> End {
        let (mut reader, mut writer) = stream.split();
        let mut input = vec![0; READ_BYTES];
        let mut alive = KeepAlive::new(&self.config);
        self.take_frames(decoder, &mut alive);
        loop {
            let accepts = output.len() < MAX_UNWRITTEN_BYTES && self.pending.has_room();
            tokio::select! {
                () = self.cancel.cancelled() => return End::Stop,
                () = self.outbox.closed() => return End::Stop,
                read = reader.read(&mut input) => match read {
                    Ok(0) => return End::Lost(DownReason::Closed),
                    Ok(read) => {
                        alive.last_read = Instant::now();
                        decoder.push(&input[..read]);
                        self.take_frames(decoder, &mut alive);
                    }
                    Err(error) => return End::Lost(DownReason::Io(error.to_string())),
                },
                written = writer.write_buf(output), if output.has_remaining() => {
                    if let Err(error) = written {
                        return End::Lost(DownReason::Io(error.to_string()));
                    }
                }
                Some(command) = self.commands.recv(), if accepts => self.take(command, output),
                () = self.outbox.room(), if self.outbox.is_waiting() => self.outbox.flush(),
                () = sleep_until(alive.deadline()) => {
                    if alive.is_dead() {
                        return End::Lost(DownReason::Silent);
                    }
                    let ping = actions::ping().encode(&self.pending.next_id());
                    output.extend_from_slice(&ping.expect("a Ping has nothing to refuse"));
                    alive.pinged = Some(Instant::now());
                    self.pending.insert(Reply::Ping(Instant::now()));
                }
            }
        }
    }

    /// Writes an action to the output, unless its sender has gone meanwhile.
    fn take(&mut self, command: Command, output: &mut BytesMut) {
        let Command { action, reply } = command;
        if reply.is_abandoned() {
            return;
        }
        match action.encode(&self.pending.next_id()) {
            Ok(bytes) => {
                output.extend_from_slice(&bytes);
                self.pending.insert(reply);
            }
            Err(error) => reply.fail(error.into()),
        }
    }

    /// Deals with every complete frame that was read.
    fn take_frames(&mut self, decoder: &mut Decoder, alive: &mut KeepAlive) {
        let mut events = 0;
        while let Some(decoded) = decoder.next() {
            match decoded {
                Ok(Decoded::Frame(frame)) => match frame.kind() {
                    Kind::Event => {
                        events += 1;
                        if let Some(event) = self.pending.list_event(frame) {
                            self.outbox.event(event);
                        }
                    }
                    Kind::Response => {
                        if let Some(sent) = self.pending.response(frame) {
                            self.shared.set_rtt(sent.elapsed());
                            alive.answered();
                        }
                    }
                    Kind::Action | Kind::Other => {
                        tracing::debug!(ami.server = %self.config.server, "Unexpected AMI frame");
                    }
                },
                Ok(Decoded::Banner { .. }) => {}
                Err(error) => {
                    // The owner is told by the gap; garbage must not flood the log too.
                    tracing::debug!(ami.server = %self.config.server, %error, "AMI frame skipped");
                    self.outbox.skipped(error);
                }
            }
        }
        if events > 0 {
            self.shared.count_events(events);
        }
    }
}

/// Notices a peer that is gone without closing the connection.
struct KeepAlive {
    interval: Duration,
    patience: Duration,
    next_ping: Instant,
    /// When the Ping without an answer was sent.
    pinged: Option<Instant>,
    /// Anything that arrives shows life: behind many events the answer is late.
    last_read: Instant,
}

impl KeepAlive {
    fn new(config: &ClientConfig) -> Self {
        let now = Instant::now();
        Self {
            interval: config.ping_interval,
            patience: config.ping_timeout,
            next_ping: now + config.ping_interval,
            pinged: None,
            last_read: now,
        }
    }

    fn answered(&mut self) {
        self.pinged = None;
        self.next_ping = Instant::now() + self.interval;
    }

    /// When to send a Ping, or when to give the link up.
    fn deadline(&self) -> Instant {
        match self.pinged {
            None => self.next_ping,
            Some(sent) => sent.max(self.last_read) + self.patience,
        }
    }

    fn is_dead(&self) -> bool {
        self.pinged.is_some() && Instant::now() >= self.deadline()
    }
}

/// Says goodbye, as far as that goes quickly.
async fn goodbye(stream: &mut TcpStream, mut output: BytesMut) {
    let logoff = actions::logoff().encode("logoff");
    output.extend_from_slice(&logoff.expect("a Logoff has nothing to refuse"));
    let polite = async {
        stream.write_all(&output).await?;
        stream.shutdown().await
    };
    // The link ends either way, and the server notices that.
    let _ = timeout(LOGOFF_TIME, polite).await;
}

/// Longest pause after that many failures in a row: `min` doubled each time, up to `max`.
fn backoff_bound(min: Duration, max: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.min(31));
    min.saturating_mul(factor).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let (min, max) = (Duration::from_millis(250), Duration::from_secs(15));
        let bounds: Vec<_> = (0..8)
            .map(|failures| backoff_bound(min, max, failures).as_millis())
            .collect();
        assert_eq!(bounds, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
        assert_eq!(backoff_bound(min, max, u32::MAX), max);
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_after_a_ping_is_death() {
        let config = ClientConfig::new("h", "u", "s");
        let mut alive = KeepAlive::new(&config);
        tokio::time::advance(config.ping_interval).await;
        assert!(!alive.is_dead());
        assert!(Instant::now() >= alive.deadline());
        alive.pinged = Some(Instant::now());
        tokio::time::advance(config.ping_timeout / 2).await;
        alive.last_read = Instant::now();
        tokio::time::advance(config.ping_timeout / 2).await;
        assert!(!alive.is_dead());
        tokio::time::advance(config.ping_timeout / 2).await;
        assert!(alive.is_dead());
        alive.answered();
        assert!(!alive.is_dead());
    }
}
