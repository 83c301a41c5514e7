//! The state of the exchange, owned by one task.
//!
//! The world never waits for anybody: it takes one input or timer at a time,
//! changes its state, and puts frames and lines into bounded queues. A manager
//! connection or a session whose queue is full is closed.

mod actions;
mod bridges;
mod channels;
mod commands;
mod dialing;
mod handover;
mod spying;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use strowger_ami::Message;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{self, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Callee, CalleeModel, Outcome, SimConfig, SimStats, frame::Frame, link::Gate};
use actions::Link;
use bridges::Bridge;
use channels::Channel;

/// Inputs that wait for the world. A connection or session that has more waits
/// with reading; the world itself sends none, so nobody waits for ever.
pub(crate) const INPUTS: usize = 4_096;

/// Longest time to a timer. The daemon can ask for times whose end no clock
/// can express.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Key of a manager connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct LinkKey(pub(crate) u64);

/// Key of a FastAGI session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey(u64);

/// Key of a channel, in order of age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct ChannelKey(u64);

/// Key of a bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct BridgeKey(u64);

/// Something that happened outside of the world.
#[derive(Debug)]
pub(crate) enum Input {
    /// A manager connection was accepted.
    LinkOpened {
        link: LinkKey,
        sender: mpsc::Sender<Bytes>,
        cancel: CancellationToken,
    },
    /// A manager connection sent an action, or something that is none.
    Action {
        link: LinkKey,
        action: Result<Message, &'static str>,
    },
    /// A manager connection is gone.
    LinkClosed { link: LinkKey },
    /// The daemon accepted a session.
    AgiOpened { session: SessionKey },
    /// The daemon could not be reached.
    AgiFailed { session: SessionKey },
    /// The daemon sent a command line.
    AgiLine { session: SessionKey, line: String },
    /// The session is over.
    AgiClosed { session: SessionKey },
    /// The owner of the exchange wants something.
    Control(Control),
}

/// What the owner of the exchange can ask for.
#[derive(Debug)]
pub(crate) enum Control {
    Pin(String, Callee),
    Inbound {
        did: String,
        caller: String,
        callee: Callee,
        reply: oneshot::Sender<Option<String>>,
    },
    HangUp {
        channel: String,
        cause: u16,
        reply: oneshot::Sender<bool>,
    },
    CutLinks,
    Restart(Duration),
    Freeze(Duration),
    DuplicateEvents(f64),
    Stats(oneshot::Sender<SimStats>),
}

/// Something that happens later.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Timer {
    /// A called party begins to ring.
    Ring(ChannelKey),
    /// A called party answers or refuses.
    Settle(ChannelKey),
    /// Whoever dials gives up.
    RingLimit(ChannelKey),
    /// Answering machine detection is done.
    Detected(ChannelKey),
    /// The next handover to the daemon.
    Offer(ChannelKey),
    /// The safe harbour was heard.
    Unserved(ChannelKey),
    /// Somebody has waited long enough, if their generation is still this one.
    Patience(ChannelKey, u64),
    /// What a session is doing is done, if its generation is still this one.
    Activity(ChannelKey, u64),
    /// A conversation is over.
    TalkOver(BridgeKey),
    /// A refused login is answered.
    LoginRefused(LinkKey, Option<String>),
    /// The exchange is back.
    Restarted,
}

/// A timer in the heap; earlier ones first, equal ones in order of creation.
#[derive(Debug, PartialEq, Eq)]
struct Scheduled {
    at: Instant,
    number: u64,
    timer: Timer,
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The state of the exchange.
#[derive(Debug)]
pub(crate) struct World {
    config: SimConfig,
    started: Instant,
    rng: ChaCha8Rng,
    inputs: mpsc::Sender<Input>,
    tracker: TaskTracker,
    cancel: CancellationToken,
    gate: watch::Sender<Gate>,
    channels: BTreeMap<ChannelKey, Channel>,
    by_unique_id: HashMap<String, ChannelKey>,
    by_name: HashMap<String, ChannelKey>,
    bridges: HashMap<BridgeKey, Bridge>,
    sessions: HashMap<SessionKey, ChannelKey>,
    links: HashMap<LinkKey, Link>,
    timers: BinaryHeap<Reverse<Scheduled>>,
    /// Last number given to a key, name or timer.
    last: u64,
    duplicate_events: f64,
    stats: SimStats,
}

impl World {
    pub(crate) fn new(
        config: SimConfig,
        inputs: mpsc::Sender<Input>,
        tracker: TaskTracker,
        cancel: CancellationToken,
        gate: watch::Sender<Gate>,
    ) -> Self {
        Self {
            started: Instant::now(),
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            inputs,
            tracker,
            cancel,
            gate,
            channels: BTreeMap::new(),
            by_unique_id: HashMap::new(),
            by_name: HashMap::new(),
            bridges: HashMap::new(),
            sessions: HashMap::new(),
            links: HashMap::new(),
            timers: BinaryHeap::new(),
            last: 0,
            duplicate_events: 0.0,
            stats: SimStats::default(),
        }
    }

    /// Lives until cancelled.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let cancel = self.cancel.clone();
        loop {
            let next = self.timers.peek().map(|Reverse(next)| next.at);
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = wait(next) => self.run_due_timers(),
                input = inputs.recv() => {
                    let Some(input) = input else { return };
                    self.input(input);
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::LinkOpened {
                link,
                sender,
                cancel,
            } => self.link_opened(link, sender, cancel),
            Input::Action { link, action } => self.action(link, action),
            Input::LinkClosed { link } => self.link_closed(link),
            Input::AgiOpened { session } => self.session_opened(session),
            Input::AgiFailed { session } => self.session_failed(session),
            Input::AgiLine { session, line } => self.session_line(session, &line),
            Input::AgiClosed { session } => self.session_closed(session),
            Input::Control(control) => self.control(control),
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Pin(number, callee) => {
                self.config.pins.insert(number, callee);
            }
            Control::Inbound {
                did,
                caller,
                callee,
                reply,
            } => {
                let _ = reply.send(self.inbound(&did, &caller, callee));
            }
            Control::HangUp {
                channel,
                cause,
                reply,
            } => {
                let key = self.find(&channel);
                if let Some(key) = key {
                    self.hang_up(key, cause, channels::By::Party);
                }
                let _ = reply.send(key.is_some());
            }
            Control::CutLinks => self.cut_links(),
            Control::Restart(down_for) => self.restart(down_for),
            Control::Freeze(duration) => {
                let until = Instant::now() + self.scaled(duration);
                self.gate
                    .send_modify(|gate| gate.frozen_until = Some(until));
            }
            Control::DuplicateEvents(probability) => self.duplicate_events = probability,
            Control::Stats(reply) => {
                let mut stats = self.stats.clone();
                stats.channels = self.channels.len();
                stats.bridges = self.bridges.len();
                stats.sessions = self.sessions.len();
                stats.links = self.links.values().filter(|link| link.logged_in()).count();
                let _ = reply.send(stats);
            }
        }
    }

    /// The process of the exchange dies and starts again: nothing is told.
    fn restart(&mut self, down_for: Duration) {
        self.gate.send_modify(|gate| gate.down = true);
        self.cut_links();
        for channel in self.channels.values_mut() {
            // Ends the tasks of the sessions, which close their sockets.
            channel.handover = None;
        }
        self.channels.clear();
        self.by_unique_id.clear();
        self.by_name.clear();
        self.bridges.clear();
        self.sessions.clear();
        self.timers.clear();
        self.after(down_for, Timer::Restarted);
    }

    fn run_due_timers(&mut self) {
        let now = Instant::now();
        while self
            .timers
            .peek()
            .is_some_and(|Reverse(next)| next.at <= now)
        {
            if let Some(Reverse(due)) = self.timers.pop() {
                self.timer(due.timer);
            }
        }
    }

    fn timer(&mut self, timer: Timer) {
        match timer {
            Timer::Ring(key) => self.ring(key),
            Timer::Settle(key) => self.settle(key),
            Timer::RingLimit(key) => self.ring_limit(key),
            Timer::Detected(key) => self.detected(key),
            Timer::Offer(key) => self.offer(key),
            Timer::Unserved(key) => self.hang_up(key, 16, channels::By::Dialplan),
            Timer::Patience(key, generation) => self.impatient(key, generation),
            Timer::Activity(key, generation) => self.activity_over(key, generation),
            Timer::TalkOver(bridge) => self.talk_over(bridge),
            Timer::LoginRefused(link, action_id) => {
                self.login_refused(link, action_id.as_deref());
            }
            Timer::Restarted => {
                self.started = Instant::now();
                self.gate.send_modify(|gate| gate.down = false);
            }
        }
    }

    /// A duration of the simulated world on the real clock.
    fn scaled(&self, duration: Duration) -> Duration {
        Duration::try_from_secs_f64(duration.as_secs_f64() / self.config.time_scale)
            .unwrap_or(FOR_EVER)
            .min(FOR_EVER)
    }

    /// Time that has passed in the simulated world.
    fn elapsed_since(&self, instant: Instant) -> Duration {
        let real = instant.elapsed();
        Duration::try_from_secs_f64(real.as_secs_f64() * self.config.time_scale).unwrap_or(real)
    }

    fn after(&mut self, duration: Duration, timer: Timer) {
        let at = Instant::now() + self.scaled(duration);
        let number = self.number();
        self.timers.push(Reverse(Scheduled { at, number, timer }));
    }

    /// A number that was never given before.
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Sends an event to every connection that reads it.
    fn emit(&mut self, frame: &Frame) {
        self.stats.events += 1;
        let bytes = frame.bytes();
        let twice = self.duplicate_events > 0.0 && self.rng.random::<f64>() < self.duplicate_events;
        let mut slow = Vec::new();
        for (key, link) in &mut self.links {
            let copies = if twice { 2 } else { 1 };
            for _ in 0..copies {
                if !link.event(frame.class(), &bytes, &self.config.read) {
                    slow.push(*key);
                }
            }
        }
        for key in slow {
            self.drop_slow_link(key);
        }
    }

    /// How a number or station behaves.
    fn callee(&self, dialed: &dialing::Dialed) -> Callee {
        let trunk = dialed.trunk.as_ref();
        if trunk.is_some_and(|trunk| self.config.failing_trunks.contains(trunk)) {
            return Callee::new(Outcome::Congestion).ring(Duration::ZERO);
        }
        if let Some(callee) = self.config.pins.get(&dialed.number) {
            return callee.clone();
        }
        if dialed.trunk.is_some() {
            return self.config.model.callee(self.config.seed, &dialed.number);
        }
        // The model of a station differs from that of a number in its ring only.
        let station = CalleeModel {
            ring: self.config.agent_answer,
            ..CalleeModel::default()
        };
        let ring = station.callee(self.config.seed, &dialed.number).ring;
        Callee::new(Outcome::Human).ring(ring)
    }
}

/// Waits for an instant, for ever without one.
async fn wait(until: Option<Instant>) {
    match until {
        Some(until) => time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
