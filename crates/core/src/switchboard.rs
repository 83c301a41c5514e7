//! The switchboard: every call, agent, campaign and queue of a node in one machine.
//!
//! The contract, after the manner of sans-IO protocol machines:
//! - [`Switchboard::handle`] takes what happened, [`Switchboard::command`] what a person
//!   asks for, [`Switchboard::handle_timeout`] the passing of time; each is told the time;
//! - [`Switchboard::poll_action`] gives what is to be done, in order, until it is empty;
//! - [`Switchboard::poll_timeout`] says when to call `handle_timeout`.
//!
//! Nothing else changes the state of a call or an agent, so there is no race between
//! them. Every phase of a call has a limit and a way out when it is reached
//! ([`Switchboard::handle_timeout`]), so no call and no agent can be stuck.

mod agents;
mod calls;
mod commands;
mod connecting;
mod dialing;
mod duties;
mod ends;
mod idle;
mod inbound;
mod invariants;
mod links;
mod pacing;
mod phases;
mod preview;
mod shares;
mod staff;
mod supervision;
#[cfg(test)]
mod tests;
mod transfers;
mod trunks;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    agent::{Agent, AgentState},
    amd::Calibration,
    breaker::Breaker,
    call::Call,
    campaign::{CampaignCounters, CampaignSettings, CampaignState, TrunkSettings},
    compliance::Packs,
    dialer::RateLimit,
    ids::{
        AgentSessionId, AttemptId, CallId, CampaignId, ContactId, FlowId, QueueId, TrunkId, UserId,
    },
    ivr,
    limits::Limits,
    live::{Change, ServerView},
    pacing::Segment,
    phone::PhoneNumber,
    record::Write,
    telephony::{self, ChannelId, ServerName, SessionId},
    time::Timestamp,
    transfer,
};

pub use commands::{Command, Refused};
pub use links::{Restored, RestoredCall, RestoredSession};
pub use supervision::Supervise;
pub use transfers::TransferCall;

/// Late signals of an unanswered attempt are awaited this long after its channel is gone:
/// for a busy number Asterisk reports the Originate's outcome before the end of the dial.
const SETTLE_MS: u64 = 500;

/// A channel that was told to end, or should have told of itself, is looked for after this time.
const OVERDUE_MS: u64 = 5_000;

/// Set-up time on top of the ring time before a line that says nothing is looked for.
const SET_UP_MS: u64 = 10_000;

/// Answer to hand-over: answering machine detection takes 5 s at most by default.
const HAND_OVER_MS: u64 = 20_000;

/// Time for a bridge to a nailed-up leg to come up.
const CONNECT_MS: u64 = 5_000;

/// How long an agent's station rings for one call, in seconds.
const STATION_RING_S: u32 = 20;

/// How long a number outside rings for a transfer, in seconds.
const OUTSIDE_RING_S: u32 = 30;

/// Time for a conversation to end that is ended for a transfer.
const HAND_ON_MS: u64 = 5_000;

/// A message is hung up after this time, however long its sound file is.
const MESSAGE_MS: u64 = 120_000;

/// An exchange that took no Originate, because it is shutting down or its link is gone, is
/// left alone for this long: the contact goes back to the list and would be dialed again at once.
const HOLD_MS: u64 = 2_000;

/// Calls that say nothing for so long are looked for.
const LOOK_MS: u64 = 300_000;

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// On an exchange.
    Telephony(telephony::Event),
    /// A claim was carried out: these attempts are committed and may be dialed.
    Claimed {
        /// For which campaign.
        campaign: CampaignId,
        /// How many were asked for.
        asked: u32,
        /// The attempts, at most as many as asked for.
        attempts: Vec<NewAttempt>,
        /// When the list has something more, if it had less than asked for;
        /// `None` with fewer attempts than asked for means that the list is used up.
        next_due: Option<Timestamp>,
    },
    /// A claim could not be carried out.
    ClaimFailed {
        /// For which campaign.
        campaign: CampaignId,
        /// How many were asked for.
        asked: u32,
        /// Another runner has taken the campaign over.
        stale: bool,
    },
    /// A contact was chosen for an agent to look at, and is kept for them.
    Picked {
        /// For whom.
        agent: UserId,
        /// Whom they look at; none when nobody of the list may be dialed now.
        contact: Option<ContactId>,
    },
    /// The one contact that an agent asked for was claimed, or refused.
    ClaimedOne {
        /// For whom.
        agent: UserId,
        /// The attempt, committed, or why there is none, for the agent to read.
        attempt: Result<NewAttempt, String>,
    },
    /// The list of a campaign was looked at.
    ListLookedAt {
        /// Of which campaign.
        campaign: CampaignId,
        /// Nothing of it will ever be dialed, unless something is added or changed.
        used_up: bool,
    },
    /// What pacing needs to know of the past of a campaign.
    PacingFound {
        /// Of which campaign.
        campaign: CampaignId,
        /// The people of the stretch that was asked for.
        past: Vec<Counted>,
        /// What is known of its machine detection.
        calibration: Calibration,
    },
    /// A flow was looked up.
    FlowFound {
        /// For which call.
        call: CallId,
        /// The published flow, if there is one.
        route: Option<InboundRoute>,
    },
    /// What the database knows after a start, once, before anything else.
    Restored(Box<Restored>),
}

/// An attempt that was committed and waits to be dialed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its contact.
    pub contact: ContactId,
    /// The number to dial.
    pub number: PhoneNumber,
    /// Which attempt of the contact this is, from 1.
    pub ordinal: u32,
    /// The number to show, when one was chosen for this call; none: the campaign's own.
    pub caller_id: Option<PhoneNumber>,
    /// A personal callback, or a call that an agent asked for: it goes to this agent.
    pub agent: Option<UserId>,
    /// What kind of contact it is, for pacing to learn by.
    pub segment: Segment,
}

/// Whom an agent wants to call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The contact.
    pub contact: ContactId,
    /// By which number.
    pub number: Which,
}

/// Which number of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one whose turn it is.
    Next,
    /// The one in this place, from 0.
    Position(i16),
    /// This one, whether the contact has it or not.
    Other(PhoneNumber),
}

/// A stretch of time in which people answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// They answered at this time or later,
    pub from: Timestamp,
    /// and before this time.
    pub to: Timestamp,
    /// Whoever was not connected, and whose call had not ended, at this time is left out: they
    /// are counted live.
    pub until: Timestamp,
}

/// People counted within a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// When it began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// People who answered within it and were owed an agent.
    pub people: u32,
    /// People who turned out within it to have got none in time.
    pub late: u32,
    /// Calls that machine detection took for a machine's within it.
    pub machines: u32,
}

/// Which flow is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowWanted {
    /// That of a number of ours which was dialed.
    OfNumber {
        /// The number.
        did: String,
        /// The exchange that it arrived at.
        server: ServerName,
        /// The endpoint that it came in through, when it came through one: a number that is
        /// bound to a trunk is ours on that trunk only.
        endpoint: Option<String>,
    },
    /// This one, as published.
    Flow(FlowId),
}

/// The flow that a call hears.
#[derive(Debug, Clone)]
pub struct InboundRoute {
    /// The flow.
    pub id: FlowId,
    /// Its published version.
    pub version: i32,
    /// The flow itself.
    pub flow: Arc<ivr::Flow>,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Tell an adapter.
    Telephony(telephony::Command),
    /// Make this durable.
    Write(Write),
    /// Claim contacts and commit attempts; answered by [`Input::Claimed`] or [`Input::ClaimFailed`].
    Claim {
        /// For which campaign.
        campaign: CampaignId,
        /// The epoch of this runner.
        epoch: i64,
        /// The trunk and caller id to write on the attempts.
        trunk: TrunkId,
        /// The exchange that will dial.
        server: ServerName,
        /// How many.
        count: u32,
        /// Agents who can take a call of it: what is kept for one of them may be claimed too.
        agents: Vec<UserId>,
        /// What pacing knew, for the ledger.
        pacing: serde_json::Value,
    },
    /// Choose a contact for an agent to look at and keep it for them; answered by
    /// [`Input::Picked`].
    PickContact {
        /// Of which campaign.
        campaign: CampaignId,
        /// For whom.
        agent: UserId,
        /// Until when it is kept.
        until: Timestamp,
    },
    /// Claim one contact for an agent who asked for it, and commit its attempt; answered by
    /// [`Input::ClaimedOne`].
    ClaimOne {
        /// For which campaign.
        campaign: CampaignId,
        /// The epoch of this runner.
        epoch: i64,
        /// The trunk to write on the attempt.
        trunk: TrunkId,
        /// The exchange that will dial.
        server: ServerName,
        /// For whom.
        agent: UserId,
        /// Whom to call.
        target: Target,
    },
    /// Find out whether the list of a campaign is used up; answered by [`Input::ListLookedAt`].
    LookAtList {
        /// Of which campaign.
        campaign: CampaignId,
    },
    /// Count who answered the calls of a campaign, and how far its machine detection can be
    /// trusted; answered by [`Input::PacingFound`].
    FindPacing {
        /// Of which campaign.
        campaign: CampaignId,
        /// Count those who answered within this stretch of time and were connected, or whose
        /// call ended, before `until` of it; none: only the detection is asked about.
        stretch: Option<Stretch>,
        /// Since when its machine detection is looked at.
        detection_since: Timestamp,
    },
    /// Look a flow up; answered by [`Input::FlowFound`].
    FindFlow {
        /// For which call.
        call: CallId,
        /// Which flow.
        wanted: FlowWanted,
    },
    /// Tell those who watch.
    Publish(Change),
}

/// Figures of the whole switchboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Invariants found broken; one that stays broken counts once.
    pub violations: u64,
    /// Calls of an earlier run that were found alive.
    pub adopted: u64,
    /// Differences that a snapshot corrected.
    pub corrected: u64,
    /// Channels without an owner that were hung up.
    pub orphans: u64,
    /// Calls that are not closed.
    pub calls: usize,
    /// Outbound lines that are open.
    pub lines: usize,
    /// Agents with a session.
    pub agents: usize,
    /// Milliseconds that agents spent on calls and wrapping up.
    pub busy_ms: u64,
    /// Milliseconds that agents spent waiting for a call.
    pub waiting_ms: u64,
}

#[derive(Debug)]
struct Campaign {
    /// What it goes by: what it is set to, kept to the duties of its packs.
    settings: CampaignSettings,
    /// What it is set to.
    configured: CampaignSettings,
    state: CampaignState,
    epoch: i64,
    counters: CampaignCounters,
    /// What was asked for and is not yet answered by the store.
    claim: Option<Claim>,
    /// The list had nothing more; asked again at this time.
    idle_until: Option<Timestamp>,
    /// The list is used up: the campaign is finished when its last call is closed.
    used_up: bool,
    /// Its list is being looked at, because nobody is there to ask for contacts.
    looking: bool,
    /// Contacts given back after failures of a carrier.
    given_back: BTreeMap<ContactId, GivenBack>,
}

/// What is remembered of a contact that was given back after a failure of a carrier.
#[derive(Debug, Clone)]
struct GivenBack {
    /// How often in a row.
    times: u8,
    /// The trunk that failed last.
    trunk: TrunkId,
}

impl Campaign {
    /// Contacts asked for and not yet answered by the store.
    fn claiming(&self) -> u32 {
        self.claim.as_ref().map_or(0, |claim| claim.count)
    }
}

/// Contacts that were asked for.
#[derive(Debug)]
struct Claim {
    count: u32,
    /// The epoch under which they were asked for.
    epoch: i64,
    /// The trunk that they will be dialed through.
    trunk: TrunkId,
    /// Meanwhile the list got something that is due at this time: the answer may be older
    /// than that.
    recheck: Option<Timestamp>,
}

#[derive(Debug)]
struct Trunk {
    settings: TrunkSettings,
    rate: RateLimit,
    breaker: Breaker,
    /// When its breaker changed last.
    since: Timestamp,
}

#[derive(Debug)]
struct Server {
    up: bool,
    /// It took no Originate a moment ago: nothing is placed on it before this time.
    hold_until: Option<Timestamp>,
    since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The phase that the call is in has reached its limit. One per call, at [`Call::limit`]:
    /// several phases can begin at one timestamp, so the time of entry names none of them.
    Call(CallId),
    /// The state that the agent entered at this time has reached its limit.
    Agent(UserId, Timestamp),
    /// Dial the leg of this agent session again, if it still has this number of legs.
    Leg(AgentSessionId, u32),
    /// Ask this exchange for a snapshot.
    Sync(ServerName),
    /// Look at the campaigns again: a rate limit or a due retry lets lines go.
    Dial,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Switchboard {
    campaigns: BTreeMap<CampaignId, Campaign>,
    trunks: BTreeMap<TrunkId, Trunk>,
    agents: BTreeMap<UserId, Agent>,
    sessions_of_agents: HashMap<AgentSessionId, UserId>,
    staff: staff::Staff,
    calls: HashMap<CallId, Call>,
    by_channel: HashMap<ChannelId, CallId>,
    by_session: HashMap<SessionId, CallId>,
    /// The line of each supervisor who listens.
    supervisions: BTreeMap<UserId, supervision::Line>,
    /// Calls that wait for an agent, outbound ones first, then by how long they have waited.
    waiting: BTreeSet<(bool, Timestamp, CallId)>,
    servers: BTreeMap<ServerName, Server>,
    /// Snapshots that were asked for and have not come, and when they were asked for.
    syncing: BTreeMap<ServerName, Timestamp>,
    timers: BTreeSet<(Timestamp, Timer)>,
    /// The one [`Timer::Dial`] that is armed.
    dial_at: Option<Timestamp>,
    /// Campaigns of which something changed in this input: told to those who watch, and
    /// finished when they are done, once at its end.
    touched: BTreeSet<CampaignId>,
    actions: VecDeque<Action>,
    draining: bool,
    packs: Arc<Packs>,
    /// What transfers outside are held to.
    transfer_rules: transfer::Rules,
    /// When the duties of the packs are looked at next: they change with the date.
    duties_due: Option<Timestamp>,
    pacers: pacing::Pacers,
    witness: invariants::Witness,
    limits: Limits,
    stats: Stats,
}

impl Switchboard {
    /// An empty switchboard, whose campaigns keep to nothing but their own settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty switchboard, whose campaigns keep to the packs that they name.
    pub fn with_packs(packs: Arc<Packs>) -> Self {
        Self {
            packs,
            ..Self::default()
        }
    }

    /// What transfers to numbers outside are held to from now on.
    #[must_use]
    pub fn with_transfer_rules(mut self, rules: transfer::Rules) -> Self {
        self.transfer_rules = rules;
        self
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::Telephony(event) => self.telephony(now, event),
            Input::Claimed {
                campaign,
                asked,
                attempts,
                next_due,
            } => {
                self.claimed(now, &campaign, asked, attempts, next_due);
            }
            Input::ClaimFailed {
                campaign,
                asked,
                stale,
            } => self.claim_failed(now, &campaign, asked, stale),
            Input::Picked { agent, contact } => self.picked(now, &agent, contact),
            Input::ClaimedOne { agent, attempt } => self.claimed_one(now, &agent, attempt),
            Input::ListLookedAt { campaign, used_up } => self.list_looked_at(&campaign, used_up),
            Input::PacingFound {
                campaign,
                past,
                calibration,
            } => self.pacing_found(now, &campaign, &past, calibration),
            Input::FlowFound { call, route } => self.flow_found(now, call, route),
            Input::Restored(restored) => self.restore(now, *restored),
        }
        self.settle(now);
    }

    /// Carries out what a person asks for.
    ///
    /// # Errors
    /// [`Refused`], with a text for the person, when it cannot be done; nothing has changed then.
    pub fn command(&mut self, now: Timestamp, command: Command) -> Result<(), Refused> {
        let result = self.carry_out(now, command);
        self.settle(now);
        result
    }

    /// Lets time pass: whatever reached its limit takes its way out.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((due, _)) = self.timers.first() {
            if *due > now {
                break;
            }
            if let Some((_, timer)) = self.timers.pop_first() {
                match timer {
                    Timer::Call(call) => self.call_overdue(now, call),
                    Timer::Agent(agent, since) => self.agent_overdue(now, &agent, since),
                    Timer::Leg(session, legs) => self.redial_leg(now, session, legs),
                    Timer::Sync(server) => self.sync(now, server),
                    Timer::Dial => self.dial_at = None,
                }
            }
        }
        self.settle(now);
    }

    /// When to call [`Self::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Figures of the whole switchboard. O(agents + calls).
    pub fn stats(&self, now: Timestamp) -> Stats {
        let mut stats = Stats {
            calls: self.calls.len(),
            lines: self.open_lines(),
            agents: self.agents.len(),
            ..self.stats
        };
        for agent in self.agents.values() {
            let mut agent = agent.clone();
            agent.account(now);
            stats.busy_ms += agent.busy_ms;
            stats.waiting_ms += agent.waiting_ms;
        }
        stats
    }

    /// Stops placing calls; those in progress go on. A claim that is on its way is answered
    /// still: what it brings is written down, not dialed, and given back.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Nothing is dialed any more, and no claim is on its way: what the store holds of
    /// attempts grows no more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let asked = |agent: &Agent| agent.preview.as_ref().is_some_and(|p| p.asked.is_some());
        self.draining
            && self.campaigns.values().all(|c| c.claim.is_none())
            && !self.agents.values().any(asked)
    }

    /// What follows from any change: waiting calls get agents, campaigns dial.
    fn settle(&mut self, now: Timestamp) {
        self.review_duties(now);
        self.review_staff();
        self.assign(now);
        self.dial(now);
        self.review_campaigns(now);
        self.check_invariants();
    }

    fn act(&mut self, action: Action) {
        self.watch(&action);
        self.actions.push_back(action);
    }

    fn telephony_command(&mut self, command: telephony::Command) {
        self.act(Action::Telephony(command));
    }

    fn session_command(&mut self, session: SessionId, command: telephony::SessionCommand) {
        self.telephony_command(telephony::Command::Session { session, command });
    }

    fn write(&mut self, write: Write) {
        self.act(Action::Write(write));
    }

    fn arm(&mut self, at: Timestamp, timer: Timer) {
        self.timers.insert((at, timer));
    }

    /// Wakes up at this time, or sooner, to look at the campaigns.
    fn arm_dial(&mut self, at: Timestamp) {
        match self.dial_at {
            Some(armed) if armed <= at => return,
            Some(armed) => _ = self.timers.remove(&(armed, Timer::Dial)),
            None => {}
        }
        self.dial_at = Some(at);
        self.arm(at, Timer::Dial);
    }

    /// Asks for a snapshot, unless one is on its way: a thousand calls that are looked for
    /// at once need one list of channels, not a thousand.
    fn sync(&mut self, now: Timestamp, server: ServerName) {
        let on_its_way = self.syncing.get(&server).is_some_and(|asked| {
            *asked <= now && crate::time::millis_between(*asked, now) < OVERDUE_MS
        });
        if on_its_way {
            return;
        }
        self.syncing.insert(server.clone(), now);
        self.telephony_command(telephony::Command::Sync { server });
    }

    // === Agents ===

    /// The only place where the state of an agent changes.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers make the state for this call"
    )]
    fn set_agent(&mut self, now: Timestamp, id: &UserId, state: AgentState, cause: &'static str) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        agent.account(now);
        let was_available = agent.state == AgentState::Available;
        agent.state = state.clone();
        agent.since = now;
        if !state.has_call() {
            agent.call = None;
        }
        let write = Write::AgentChanged {
            session: agent.login.session,
            agent: id.clone(),
            state: state.clone(),
            cause,
            call: agent.call,
            at: now,
        };
        self.write(write);
        self.pace_agent(now, id);
        self.publish_agent(id);
        if was_available && matches!(state, AgentState::Offline | AgentState::Paused(_)) {
            // They may have been the last who could ask for contacts.
            let work = self.agents.get(id).map(|agent| &agent.login.campaigns);
            self.touched.extend(work.into_iter().flatten().cloned());
        }
    }

    // === Campaigns and servers ===

    fn count(&mut self, campaign: &CampaignId, count: impl FnOnce(&mut CampaignCounters)) {
        if let Some(entry) = self.campaigns.get_mut(campaign) {
            count(&mut entry.counters);
            self.touch(campaign);
        }
    }

    fn touch(&mut self, campaign: &CampaignId) {
        self.touched.insert(campaign.clone());
    }

    fn set_server(&mut self, now: Timestamp, name: &ServerName, up: bool) {
        let server = self.servers.entry(name.clone()).or_insert(Server {
            up: !up,
            hold_until: None,
            since: now,
        });
        if server.up != up {
            server.up = up;
            server.since = now;
            let view = ServerView {
                name: name.clone(),
                up,
                since: now,
            };
            self.act(Action::Publish(Change::Server(view)));
            let dial_through = |c: &&Campaign| c.settings.server() == Some(name);
            let users = self.campaigns.values().filter(dial_through);
            self.touched.extend(users.map(|c| c.settings.id.clone()));
        }
    }

    fn server_up(&self, name: &ServerName) -> bool {
        self.servers.get(name).is_some_and(|server| server.up)
    }

    /// Agents on this exchange who serve this queue, whatever their state.
    fn queue_has_agents(&self, server: &ServerName, queue: &QueueId) -> bool {
        self.agents
            .values()
            .any(|agent| agent.login.server == *server && agent.login.queues.contains(queue))
    }
}
