//! The exchange task: the one owner of the switchboard.
//!
//! It feeds the switchboard with telephony events, requests, store results and time, and
//! carries its actions out. It waits for nothing but its own inputs: whatever takes time
//! runs beside it and comes back as an input.

mod flows;
mod writer;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use strowger_api::{ExchangeStatus, Request};
use strowger_core::{
    ids::{AttemptId, CampaignId, TrunkId},
    record::Write,
    switchboard::{Action, Input, Restored, Switchboard},
    telephony::{Command, Event, ServerName},
    time::{Timestamp, millis_between},
};
use strowger_realtime::Hub;
use strowger_store::Store;
use strowger_telephony::asterisk::Adapter;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use uuid::Uuid;

use flows::FlowCache;

/// Writes that may wait for the database: some minutes of a busy centre while it is away.
/// Beyond that the exchange carries nothing more out until there is room.
const WRITES: usize = 100_000;

/// Results that may wait for the exchange; the tasks that bring them wait then.
const RESULTS: usize = 1_024;

/// Telephony events handled in a row before other inputs get a turn.
const BURST: usize = 256;

/// How often the status is refreshed and every invariant is looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the exchange works with.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The live view.
    pub hub: Hub,
    /// The adapter.
    pub adapter: Adapter,
    /// Requests of people.
    pub requests: mpsc::Receiver<Request>,
    /// What the database knows of an earlier run.
    pub restored: Restored,
    /// Makes unique numbers.
    pub new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
    /// Where tasks run.
    pub tracker: TaskTracker,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// What others may know of the running exchange.
#[derive(Debug, Default)]
pub struct Progress {
    /// Counts the turns of its loop; a count that stands still is a hung exchange.
    turns: AtomicU64,
    status: Mutex<ExchangeStatus>,
    writes_waiting: AtomicU64,
}

impl Progress {
    /// Turns of the loop so far; at least one a second when all is well.
    pub fn turns(&self) -> u64 {
        self.turns.load(Relaxed)
    }

    /// Figures as of the last second.
    pub fn status(&self) -> ExchangeStatus {
        self.status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Writes that the database has not taken yet.
    pub fn writes_waiting(&self) -> u64 {
        self.writes_waiting.load(Relaxed)
    }
}

struct Exchange {
    switchboard: Switchboard,
    store: Store,
    hub: Hub,
    commands: mpsc::Sender<Command>,
    writes: mpsc::Sender<Write>,
    results: mpsc::Sender<Input>,
    links: Vec<(ServerName, strowger_ami::Client)>,
    flows: Arc<FlowCache>,
    new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
    tracker: TaskTracker,
    progress: Arc<Progress>,
    /// An action that found its queue full; nothing after it is carried out before it.
    held: Option<Action>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge at which the switchboard gets its clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Runs the exchange until `stop` is cancelled, then makes durable what is still to be written.
///
/// When `drain` is cancelled it places no more calls.
pub async fn run(
    parts: Parts,
    progress: Arc<Progress>,
    drain: CancellationToken,
    stop: CancellationToken,
) {
    let Parts {
        store,
        hub,
        adapter,
        mut requests,
        restored,
        new_id,
        tracker,
    } = parts;
    let (results, mut result_queue) = mpsc::channel(RESULTS);
    let (writes, write_queue) = mpsc::channel(WRITES);
    let writer = tracker.spawn(writer::run(store.clone(), write_queue));
    let mut events = adapter.events;
    let mut exchange = Exchange {
        switchboard: Switchboard::new(),
        store,
        hub,
        commands: adapter.commands,
        writes,
        results,
        links: adapter.links,
        flows: Arc::new(FlowCache::default()),
        new_id,
        tracker,
        progress,
        held: None,
    };
    exchange.restore(restored);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draining = false;
    loop {
        exchange.carry_out();
        exchange.progress.turns.fetch_add(1, Relaxed);
        let timeout = exchange.until_timeout();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = drain.cancelled(), if !draining => {
                draining = true;
                exchange.switchboard.drain();
            }
            Some(result) = result_queue.recv() => exchange.switchboard.handle(now(), result),
            // Before telephony: a flood of events must not keep limits from being reached.
            () = sleep(timeout) => exchange.switchboard.handle_timeout(now()),
            _ = tick.tick() => exchange.tick(),
            () = exchange.room(), if exchange.held.is_some() => {}
            Some(event) = events.recv() => {
                exchange.telephony(event);
                for _ in 1..BURST {
                    match events.try_recv() {
                        Ok(event) => exchange.telephony(event),
                        Err(_) => break,
                    }
                }
            }
            Some(Request { command, reply }) = requests.recv() => {
                // Nobody waits for the answer when the connection is gone; it is carried out all the same.
                let _ = reply.send(exchange.switchboard.command(now(), command));
            }
        }
    }
    exchange.carry_out();
    drop(exchange);
    if let Err(error) = writer.await {
        error!(%error, "The store writer ended badly");
    }
}

impl Exchange {
    fn restore(&mut self, restored: Restored) {
        let (calls, sessions) = (restored.calls.len(), restored.sessions.len());
        if calls + sessions > 0 {
            info!(calls, sessions, "Taking up what an earlier run left");
        }
        self.switchboard
            .handle(now(), Input::Restored(Box::new(restored)));
        self.carry_out();
        self.tick();
    }

    fn telephony(&mut self, event: Event) {
        self.switchboard.handle(now(), Input::Telephony(event));
        self.carry_out();
    }

    fn until_timeout(&self) -> Duration {
        let due = self
            .switchboard
            .poll_timeout()
            .map_or(60_000, |due| millis_between(now(), due));
        // Rounded up: waking a fraction of a millisecond early would only wake again.
        Duration::from_millis(due + 1)
    }

    fn tick(&mut self) {
        let stats = self.switchboard.stats(now());
        crate::telemetry::report(&stats, &self.links);
        for broken in self.switchboard.broken_invariants() {
            error!(broken, "An invariant does not hold");
        }
        let servers = self
            .links
            .iter()
            .map(|(name, client)| {
                (
                    name.clone(),
                    client.health().state == strowger_ami::LinkState::Up,
                )
            })
            .collect();
        let waiting = self.writes.max_capacity() - self.writes.capacity();
        self.progress.writes_waiting.store(waiting as u64, Relaxed);
        let mut status = self
            .progress
            .status
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *status = ExchangeStatus {
            started: true,
            stats,
            servers,
        };
    }

    /// Carries actions out until there are none or a queue is full.
    fn carry_out(&mut self) {
        while let Some(action) = self.held.take().or_else(|| self.switchboard.poll_action()) {
            if let Some(action) = self.carry_out_one(action) {
                self.held = Some(action);
                return;
            }
        }
    }

    /// Gives the action back when its queue is full.
    fn carry_out_one(&mut self, action: Action) -> Option<Action> {
        match action {
            Action::Telephony(command) => match self.commands.try_send(command) {
                // Closed: the adapter is stopping, and so are we.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
                Err(mpsc::error::TrySendError::Full(command)) => Some(Action::Telephony(command)),
            },
            Action::Write(write) => match self.writes.try_send(write) {
                Ok(()) => None,
                Err(mpsc::error::TrySendError::Full(write)) => Some(Action::Write(write)),
                Err(mpsc::error::TrySendError::Closed(write)) => {
                    error!(?write, "The store writer is gone, a write is lost");
                    None
                }
            },
            Action::Claim {
                campaign,
                epoch,
                trunk,
                server,
                count,
            } => {
                self.claim(campaign, epoch, trunk, server, count);
                None
            }
            Action::FindFlow { call, did } => {
                let (flows, store, results) = (
                    Arc::clone(&self.flows),
                    self.store.clone(),
                    self.results.clone(),
                );
                self.tracker.spawn(async move {
                    let route = flows.route(&store, &did).await;
                    let _ = results.send(Input::FlowFound { call, route }).await;
                });
                None
            }
            Action::Publish(change) => {
                self.hub.publish(change);
                None
            }
        }
    }

    /// Waits until the queue of the held action has room.
    async fn room(&self) {
        match &self.held {
            Some(Action::Telephony(_)) => drop(self.commands.reserve().await),
            Some(Action::Write(_)) => drop(self.writes.reserve().await),
            Some(Action::Claim { .. } | Action::FindFlow { .. } | Action::Publish(_)) | None => {}
        }
    }

    fn claim(
        &self,
        campaign: CampaignId,
        epoch: i64,
        trunk: TrunkId,
        server: ServerName,
        count: u32,
    ) {
        let ids: Vec<AttemptId> = (0..count).map(|_| AttemptId((self.new_id)())).collect();
        let (store, results) = (self.store.clone(), self.results.clone());
        self.tracker.spawn(async move {
            let result = match store
                .claim(&campaign, epoch, &trunk, &server, &ids, now())
                .await
            {
                Ok(claimed) => Input::Claimed {
                    campaign,
                    asked: count,
                    attempts: claimed.attempts,
                    next_due: claimed.next_due,
                },
                Err(error) => {
                    let stale = matches!(error, strowger_store::Error::Stale);
                    warn!(%campaign, %error, "Cannot claim contacts");
                    Input::ClaimFailed {
                        campaign,
                        asked: count,
                        stale,
                    }
                }
            };
            let _ = results.send(result).await;
        });
    }
}

/// Compiled flows by id and version: a version never changes, so it is compiled once.
type Versions<K, V> = Mutex<HashMap<K, V>>;
