//! The reading and writing of one session.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::dispatch::Dispatch;
use super::handshake::{Session, Writer};
use super::health::Shared;
use super::keepalive::KeepAlive;
use super::pending::{Pending, Reply};
use super::{ActionError, ClientConfig, Command, DownReason};
use crate::actions;
use crate::event::EventSet;

/// Bytes that may wait for a server that does not read; then no more actions
/// are taken from the queues.
const MAX_UNWRITTEN_BYTES: usize = 64 * 1024;

/// After so many bytes that were read without a pause, the other session has its turn:
/// some 0.2 ms of work. Both are in one task, and a long list would keep the answers of
/// call control waiting until its end.
const TURN_BYTES: usize = 128 * 1024;

/// What one session does: the actions that are sent on it, and their answers.
#[derive(Debug)]
pub(super) struct Lane {
    /// Actions that take Asterisk no time.
    pub(super) quick: Option<mpsc::Receiver<Command>>,
    /// Actions that may keep the session busy: one is sent at a time, so that on a
    /// session with both kinds a quick one waits for one slow one at most.
    pub(super) slow: Option<mpsc::Receiver<Command>>,
    pub(super) prefix: String,
    pending: Pending,
    output: BytesMut,
    shared: Arc<Shared>,
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    Lost(DownReason),
    /// Nobody consumes anything any more.
    Stop,
}

impl Lane {
    pub(super) fn new(prefix: String, shared: Arc<Shared>) -> Self {
        Self {
            quick: None,
            slow: None,
            pending: Pending::new(prefix.clone(), Arc::clone(&shared)),
            prefix,
            output: BytesMut::new(),
            shared,
        }
    }

    /// Serves a session until it ends. With `events`, it is the session that
    /// carries them.
    pub(super) async fn serve(
        &mut self,
        session: &mut Session,
        config: &ClientConfig,
        mut dispatch: Option<&mut Dispatch>,
    ) -> End {
        let Session {
            reader,
            writer,
            decoder,
            mask,
            ..
        } = session;
        let carries_events = dispatch.is_some();
        let mut nobody = Dispatch::nobody(&self.shared);
        let dispatch = dispatch.get_or_insert(&mut nobody);
        let mut filtered = dispatch.wanted();
        if carries_events {
            // A consumer that came during the login was not asked for by it.
            self.ask_for(filtered, mask);
            self.filter(filtered, config);
        }
        let mut alive = KeepAlive::new(config);
        let (mut unflushed, mut turn) = (false, 0);
        let ping = dispatch.take(decoder, &mut self.pending, Instant::now());
        self.answered(ping, &mut alive);
        loop {
            let has_room = self.output.len() < MAX_UNWRITTEN_BYTES && self.pending.has_room();
            let takes_slow = has_room && !self.pending.is_slow_in_flight();
            let reads = !dispatch.needs_room();
            if carries_events && self.shared.pause(!reads) {
                // What the server has sent meanwhile is still to be read.
                alive.heard();
            }
            tokio::select! {
                read = reader.read_buf(decoder.space()), if reads => match read {
                    Ok(0) => return End::Lost(DownReason::Closed),
                    Ok(count) => {
                        let now = Instant::now();
                        alive.heard();
                        let ping = dispatch.take(decoder, &mut self.pending, now);
                        self.answered(ping, &mut alive);
                        turn += count;
                        if turn >= TURN_BYTES {
                            turn = 0;
                            yield_now().await;
                        }
                    }
                    Err(error) => return End::Lost(DownReason::Io(error.to_string())),
                },
                pushed = push(writer, &mut self.output, &mut unflushed), if unflushed || !self.output.is_empty() => {
                    if let Err(error) = pushed {
                        return End::Lost(DownReason::Io(error.to_string()));
                    }
                }
                Some(command) = next(&mut self.quick), if has_room => self.send(command),
                Some(command) = next(&mut self.slow), if takes_slow => self.send(command),
                () = self.shared.room.notified(), if !reads => {}
                () = self.shared.changed.notified(), if carries_events => {
                    dispatch.refresh();
                    if !dispatch.has_consumers() {
                        return End::Stop;
                    }
                    let wanted = dispatch.wanted();
                    self.ask_for(wanted, mask);
                    if wanted != filtered {
                        filtered = wanted;
                        self.filter(wanted, config);
                        // No filter takes another back, but one lets all through.
                        if config.server_filters && wanted.filters().is_empty() {
                            self.write_own(&actions::filter("^Event: "), Reply::Filter);
                        }
                    }
                }
                () = sleep_until(alive.deadline()), if reads => {
                    // Asterisk says nothing on a session while it works on an action
                    // of it, which is given up by whoever waits for it.
                    if self.pending.is_slow_unanswered() {
                        alive.excuse();
                    } else if alive.is_dead() {
                        return End::Lost(DownReason::Silent);
                    } else {
                        alive.pinged();
                        self.write_own(&actions::ping(), Reply::Ping(Instant::now()));
                    }
                }
            }
        }
    }

    fn answered(&self, ping_sent: Option<Instant>, alive: &mut KeepAlive) {
        if let Some(sent) = ping_sent {
            self.shared.set_rtt(sent.elapsed());
            alive.answered();
        }
    }

    /// Writes an action to the output, unless its sender has gone meanwhile.
    fn send(&mut self, command: Command) {
        let Command { action, reply } = command;
        if reply.is_abandoned() {
            return;
        }
        match action.encode(&self.pending.next_id()) {
            Ok(bytes) => {
                self.output.extend_from_slice(&bytes);
                self.pending.insert(reply, action.is_slow());
            }
            Err(error) => reply.fail(error.into()),
        }
    }

    /// Writes an action of the link itself, which is always well-formed.
    fn write_own(&mut self, action: &crate::Action, reply: Reply) {
        if let Ok(bytes) = action.encode(&self.pending.next_id()) {
            self.output.extend_from_slice(&bytes);
            self.pending.insert(reply, false);
        }
    }

    /// Asks Asterisk for the classes of these events, unless it sends them already.
    fn ask_for(&mut self, wanted: EventSet, mask: &mut String) {
        let wanted = wanted.mask();
        if *mask != wanted {
            self.write_own(&actions::events(&wanted), Reply::nobody());
            *mask = wanted;
        }
    }

    /// Asks Asterisk to send no other events. A filter more lets more through, and
    /// none can be taken back: what is no longer wanted is dropped here.
    fn filter(&mut self, wanted: EventSet, config: &ClientConfig) {
        if !config.server_filters {
            return;
        }
        for filter in wanted.filters() {
            self.write_own(&actions::filter(&filter), Reply::Filter);
        }
    }

    /// The session is over: what was written may have happened, what was not
    /// written is not sent to a server that has started anew.
    /// Whether the end of the output is the end of an action.
    pub(super) fn fail_all(&mut self) -> bool {
        self.pending.fail_all();
        let is_whole = self.output.is_empty();
        self.output.clear();
        for queue in [&mut self.quick, &mut self.slow].into_iter().flatten() {
            while let Ok(command) = queue.try_recv() {
                command.reply.fail(ActionError::NotConnected);
            }
        }
        is_whole
    }

    /// The next action while there is no session, to be refused.
    pub(super) async fn refused(&mut self) -> Command {
        loop {
            tokio::select! {
                Some(command) = next(&mut self.quick) => return command,
                Some(command) = next(&mut self.slow) => return command,
                else => std::future::pending().await,
            }
        }
    }

    /// Takes no more actions, and refuses those that wait.
    pub(super) fn close(&mut self) {
        for queue in [&mut self.quick, &mut self.slow].into_iter().flatten() {
            queue.close();
        }
        self.fail_all();
    }
}

/// Writes what the socket takes, and flushes when that is all: TLS holds bytes back
/// until it is told that there are no more. Cancel-safe.
async fn push(
    writer: &mut Writer,
    output: &mut BytesMut,
    unflushed: &mut bool,
) -> std::io::Result<()> {
    if output.is_empty() {
        writer.flush().await?;
        *unflushed = false;
    } else {
        writer.write_buf(output).await?;
        *unflushed = true;
    }
    Ok(())
}

/// The next action of a queue; never, of none.
async fn next(queue: &mut Option<mpsc::Receiver<Command>>) -> Option<Command> {
    match queue {
        Some(queue) => queue.recv().await,
        None => std::future::pending().await,
    }
}
