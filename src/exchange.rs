//! The exchange task: the one owner of the switchboard.
//!
//! It feeds the switchboard with telephony events, requests, store results and time, and
//! carries its actions out. It waits for nothing but its own inputs: whatever takes time
//! runs beside it and comes back as an input.

mod asked;
mod clock;
mod flows;
mod writer;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use strowger_api::{ExchangeStatus, Request};
use strowger_core::{
    compliance::Packs,
    ids::{AttemptId, CampaignId, TrunkId, UserId},
    record::Write,
    switchboard::{self, Action, Input, Refused, Restored, Switchboard},
    telephony::{Command, Event, ServerName},
    time::{Timestamp, millis_between},
    transfer,
};
use strowger_realtime::Hub;
use strowger_store::{Store, attempts::ClaimRequest};
use strowger_telephony::asterisk::Adapter;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};
use uuid::Uuid;

use clock::Clock;
use flows::FlowCache;

/// Writes that may wait for the database: some minutes of a busy centre while it is away.
/// What comes on top is kept by the exchange, which places no call meanwhile: while the
/// database is away nothing can be claimed.
const WRITES: usize = 100_000;

/// Results that may wait for the exchange; the tasks that bring them wait then.
const RESULTS: usize = 1_024;

/// Telephony events handled in a row before other inputs get a turn.
const BURST: usize = 256;

/// Pause between two questions about a claim whose answer was lost.
const RECOVERY_PAUSE: Duration = Duration::from_secs(1);

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
    /// The rules that say who may be dialed.
    pub packs: Arc<Packs>,
    /// What transfers to numbers outside are held to.
    pub transfer_rules: transfer::Rules,
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
    /// Cancelled once the exchange was told to drain and no claim is on its way any more;
    /// the status is of that moment or later.
    drained: CancellationToken,
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

    /// Waits until nothing is dialed any more, and nothing is claimed. Never ends while the
    /// exchange is not told to drain.
    pub async fn drained(&self) {
        self.drained.cancelled().await;
    }
}

/// A claim as the switchboard asks for it.
struct Asked {
    campaign: CampaignId,
    epoch: i64,
    trunk: TrunkId,
    server: ServerName,
    agents: Vec<UserId>,
    pacing: serde_json::Value,
}

struct Exchange {
    switchboard: Switchboard,
    store: Store,
    hub: Hub,
    commands: mpsc::Sender<Command>,
    writes: mpsc::Sender<Write>,
    /// Writes that were asked for, and those of them that the database has.
    writes_asked: u64,
    writes_done: watch::Receiver<u64>,
    results: mpsc::Sender<Input>,
    links: Vec<(ServerName, strowger_ami::Client)>,
    flows: Arc<FlowCache>,
    packs: Arc<Packs>,
    new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
    tracker: TaskTracker,
    progress: Arc<Progress>,
    clock: Clock,
    /// Commands that found their queue full, in order.
    held_commands: VecDeque<Command>,
    /// Writes that found their queue full, in order.
    held_writes: VecDeque<Write>,
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
        packs,
        transfer_rules,
        new_id,
        tracker,
    } = parts;
    let (results, mut result_queue) = mpsc::channel(RESULTS);
    let (writes, write_queue) = mpsc::channel(WRITES);
    let (done, writes_done) = watch::channel(0);
    let writer = tracker.spawn(writer::run(store.clone(), write_queue, done));
    let mut events = adapter.events;
    let mut exchange = Exchange {
        switchboard: Switchboard::with_packs(Arc::clone(&packs))
            .with_transfer_rules(transfer_rules),
        store,
        hub,
        commands: adapter.commands,
        writes,
        writes_asked: 0,
        writes_done,
        results,
        links: adapter.links,
        flows: Arc::new(FlowCache::default()),
        packs,
        new_id,
        tracker,
        progress,
        clock: Clock::new(),
        held_commands: VecDeque::new(),
        held_writes: VecDeque::new(),
    };
    exchange.restore(restored);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draining = false;
    let (commands, writes) = (exchange.commands.clone(), exchange.writes.clone());
    loop {
        exchange.carry_out();
        exchange.progress.turns.fetch_add(1, Relaxed);
        if draining {
            exchange.report_drained();
        }
        let timeout = exchange.until_timeout();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = drain.cancelled(), if !draining => {
                draining = true;
                exchange.switchboard.drain();
            }
            Some(result) = result_queue.recv() => exchange.result(result),
            // Before telephony: a flood of events must not keep limits from being reached.
            () = sleep(timeout) => exchange.timeout(),
            _ = tick.tick() => exchange.tick(),
            Ok(room) = commands.reserve(), if !exchange.held_commands.is_empty() => {
                if let Some(command) = exchange.held_commands.pop_front() {
                    room.send(command);
                }
            }
            Ok(room) = writes.reserve(), if !exchange.held_writes.is_empty() => {
                if let Some(write) = exchange.held_writes.pop_front() {
                    room.send(write);
                }
            }
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
                let _ = reply.send(exchange.request(command));
            }
        }
    }
    exchange.carry_out();
    for write in std::mem::take(&mut exchange.held_writes) {
        // The writer takes what is there until it is durable.
        let _ = exchange.writes.send(write).await;
    }
    // The writer ends when nobody can write any more.
    drop((exchange, writes));
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
            .handle(self.clock.now(), Input::Restored(Box::new(restored)));
        self.carry_out();
        self.tick();
    }

    fn result(&mut self, input: Input) {
        self.switchboard.handle(self.clock.now(), input);
    }

    fn timeout(&mut self) {
        self.switchboard.handle_timeout(self.clock.now());
    }

    fn request(&mut self, command: switchboard::Command) -> Result<(), Refused> {
        self.switchboard.command(self.clock.now(), command)
    }

    fn telephony(&mut self, event: Event) {
        self.result(Input::Telephony(event));
        self.carry_out();
    }

    fn until_timeout(&self) -> Duration {
        let due = self
            .switchboard
            .poll_timeout()
            .map_or(60_000, |due| millis_between(self.clock.now(), due));
        // Rounded up: waking a fraction of a millisecond early would only wake again.
        Duration::from_millis(due + 1)
    }

    /// Says once that nothing is placed any more, when the last claim was answered.
    fn report_drained(&mut self) {
        if self.progress.drained.is_cancelled() || !self.switchboard.is_drained() {
            return;
        }
        self.tick();
        let calls = self.switchboard.stats(self.clock.now()).calls;
        info!(calls, "No call is placed any more");
        self.progress.drained.cancel();
    }

    fn tick(&mut self) {
        self.clock.correct();
        for broken in self.switchboard.check_all() {
            error!(broken, "An invariant does not hold");
        }
        let stats = self.switchboard.stats(self.clock.now());
        crate::telemetry::report(&stats, &self.links);
        // A server is up when its channels are known, not when a socket is connected.
        let known = self.hub.snapshot().servers;
        let servers = self
            .links
            .iter()
            .map(|(name, _)| {
                let up = known.iter().any(|server| server.name == *name && server.up);
                (name.clone(), up)
            })
            .collect();
        let waiting = self.writes.max_capacity() - self.writes.capacity() + self.held_writes.len();
        crate::telemetry::report_writes(waiting);
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

    fn carry_out(&mut self) {
        while let Some(action) = self.switchboard.poll_action() {
            self.carry_out_one(action);
        }
    }

    fn carry_out_one(&mut self, action: Action) {
        match action {
            Action::Telephony(command) => {
                if !self.held_commands.is_empty() {
                    self.held_commands.push_back(command);
                    return;
                }
                // Closed: the adapter is stopping, and so are we.
                if let Err(mpsc::error::TrySendError::Full(command)) =
                    self.commands.try_send(command)
                {
                    self.held_commands.push_back(command);
                }
            }
            Action::Write(write) => self.write(write),
            Action::Claim {
                campaign,
                epoch,
                trunk,
                server,
                count,
                agents,
                pacing,
            } => {
                let asked = Asked {
                    campaign,
                    epoch,
                    trunk,
                    server,
                    agents,
                    pacing,
                };
                self.claim(asked, count);
            }
            Action::ClaimOne {
                campaign,
                epoch,
                trunk,
                server,
                agent,
                target,
            } => {
                let one = asked::One {
                    campaign,
                    epoch,
                    trunk,
                    server,
                    agent,
                    target,
                };
                self.claim_one(one);
            }
            Action::PickContact {
                campaign,
                agent,
                until,
            } => self.pick_contact(campaign, agent, until),
            Action::LookAtList { campaign } => self.look_at_list(campaign),
            Action::FindPacing {
                campaign,
                stretch,
                detection_since,
            } => self.find_pacing(campaign, stretch, detection_since),
            Action::FindFlow { call, wanted } => {
                let (flows, store, results) = (
                    Arc::clone(&self.flows),
                    self.store.clone(),
                    self.results.clone(),
                );
                self.tracker.spawn(async move {
                    let route = flows.route(&store, &wanted).await;
                    let _ = results.send(Input::FlowFound { call, route }).await;
                });
            }
            Action::Publish(change) => self.hub.publish(change),
        }
    }

    fn write(&mut self, write: Write) {
        self.writes_asked += 1;
        if !self.held_writes.is_empty() {
            self.held_writes.push_back(write);
            return;
        }
        match self.writes.try_send(write) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(write)) => self.held_writes.push_back(write),
            Err(mpsc::error::TrySendError::Closed(write)) => {
                error!(?write, "The store writer is gone, a write is lost");
            }
        }
    }

    fn claim(&self, request: Asked, asked: u32) {
        let ids: Vec<AttemptId> = (0..asked).map(|_| AttemptId((self.new_id)())).collect();
        let (store, results, now) = (self.store.clone(), self.results.clone(), self.clock.now());
        let (asked_before, mut done) = (self.writes_asked, self.writes_done.clone());
        let packs = Arc::clone(&self.packs);
        self.tracker.spawn(async move {
            // A contact whose attempt has just ended is due, or due later, only once that is
            // written: a claim that overtook it would find the list used up.
            let in_turn = done.wait_for(|done| *done >= asked_before).await.is_ok();
            if !in_turn || results.is_closed() {
                return;
            }
            let campaign = request.campaign.clone();
            let claimed = store
                .claim(ClaimRequest {
                    campaign: &campaign,
                    epoch: request.epoch,
                    trunk: &request.trunk,
                    server: &request.server,
                    ids: &ids,
                    agents: &request.agents,
                    pacing: &request.pacing,
                    packs: &packs,
                    now,
                })
                .await;
            let result = match claimed {
                Ok(claimed) => Input::Claimed {
                    campaign,
                    asked,
                    attempts: claimed.attempts,
                    next_due: claimed.next_due,
                },
                Err(error) if error.is_transient() => {
                    warn!(%campaign, %error, "The answer to a claim was lost");
                    recover_claim(&store, campaign, asked, &ids, now).await
                }
                Err(error) => {
                    warn!(%campaign, %error, "Cannot claim contacts");
                    let stale = matches!(error, strowger_store::Error::Stale);
                    Input::ClaimFailed {
                        campaign,
                        asked,
                        stale,
                    }
                }
            };
            let _ = results.send(result).await;
        });
    }
}

/// The connection was lost while a claim was on its way: it may be committed. The database is
/// asked until it answers, because a committed attempt must be dialed or ended.
async fn recover_claim(
    store: &Store,
    campaign: CampaignId,
    asked: u32,
    ids: &[AttemptId],
    now: Timestamp,
) -> Input {
    loop {
        match store.committed_attempts(ids).await {
            Ok(attempts) if attempts.is_empty() => {
                return Input::ClaimFailed {
                    campaign,
                    asked,
                    stale: false,
                };
            }
            Ok(attempts) => {
                // Whether more are due is for the next claim to find out.
                return Input::Claimed {
                    campaign,
                    asked,
                    attempts,
                    next_due: Some(now),
                };
            }
            Err(error) => {
                warn!(%campaign, %error, "Cannot ask what became of a claim, asking again");
                sleep(RECOVERY_PAUSE).await;
            }
        }
    }
}

/// Compiled flows by id and version: a version never changes, so it is compiled once.
type Versions<K, V> = Mutex<HashMap<K, V>>;
