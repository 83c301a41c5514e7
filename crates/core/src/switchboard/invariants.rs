//! What must always hold, checked on the running machine.
//!
//! Three checks, by what they cost. Each action is looked at when it is asked for, against
//! what is remembered of open attempts and sessions: O(1). Agents are looked at after each
//! input: O(agents). Calls are looked at when [`Switchboard::check_all`] is called, which
//! the daemon does once a second. A fault that lasts counts once, when it appears.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use super::{Action, Switchboard};
use crate::{
    agent::{Agent, AgentState},
    call::{Call, Kind, Phase},
    ids::{AgentSessionId, AttemptId, CallId, UserId},
    record::Write,
    telephony::{self, ChannelId, ChannelOwner, OriginatePurpose},
};

/// Faults kept for the next [`Switchboard::check_all`]; more are counted and not told.
const MAX_NEWS: usize = 100;

/// What is remembered to judge actions by, apart from what decides on them.
#[derive(Debug, Default)]
pub(super) struct Witness {
    /// Attempts handed out and not ended, and whether their Originate has left.
    attempts: HashMap<AttemptId, bool>,
    /// Transfers that were asked for and have not ended.
    transfers: BTreeSet<(CallId, u32)>,
    /// The last leg dialed of each open agent session.
    legs: HashMap<AgentSessionId, u32>,
    /// What is broken now.
    broken: BTreeSet<Fault>,
    /// What broke since the last [`Switchboard::check_all`].
    news: Vec<String>,
}

/// What can be broken for a while, by whom it is broken for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// An agent and a call disagree.
    Agent(UserId),
    /// A call has the channel of something else.
    Channel(CallId),
    /// A call is not found by its channel.
    Lookup(CallId),
    /// A call and the waiting line disagree.
    Waiting(CallId),
    /// A call has an agent who does not have it.
    Connection(CallId),
    /// A call has no limit.
    Limit(CallId),
    /// A call and its transfers disagree.
    Transfer(CallId),
    /// An outbound call has no open attempt.
    NoAttempt(CallId),
    /// An open attempt has no call, so nothing will end it.
    NoCall(AttemptId),
}

impl Witness {
    /// A claim handed this attempt out: it may be dialed.
    pub(super) fn handed_out(&mut self, attempt: AttemptId) {
        self.attempts.entry(attempt).or_insert(false);
    }

    /// An earlier run may have dialed this attempt: it must not be dialed again.
    pub(super) fn dialed_before(&mut self, attempt: AttemptId) {
        self.attempts.insert(attempt, true);
    }

    /// An earlier run dialed so many legs of this session.
    pub(super) fn leg_dialed_before(&mut self, session: AgentSessionId, legs: u32) {
        self.legs.insert(session, legs);
    }

    /// An earlier run began this transfer and did not end it.
    pub(super) fn transferred_before(&mut self, call: CallId, ordinal: u32) {
        self.transfers.insert((call, ordinal));
    }

    /// What is wrong with an action. O(1).
    fn judge(&mut self, action: &Action) -> Option<String> {
        match action {
            Action::Telephony(telephony::Command::Originate(originate)) => {
                match originate.purpose {
                    OriginatePurpose::Customer { attempt, .. } => {
                        self.customer_dialed(attempt, &originate.channel)
                    }
                    OriginatePurpose::AgentLeg => self.leg_dialed(&originate.channel),
                    OriginatePurpose::Supervision { .. } => None,
                }
            }
            Action::Write(Write::AttemptEnded(end)) => {
                let open = self.attempts.remove(&end.attempt).is_some();
                (!open).then(|| format!("{} ends and is not open", end.attempt))
            }
            Action::Write(Write::TransferAsked { call, transfer, .. }) => {
                let key = (*call, transfer.ordinal);
                let new = self.transfers.insert(key);
                (!new).then(|| format!("transfer {} of {call} begins twice", transfer.ordinal))
            }
            Action::Write(Write::TransferEnded { call, ordinal, .. }) => {
                let open = self.transfers.remove(&(*call, *ordinal));
                (!open).then(|| format!("transfer {ordinal} of {call} ends and is not open"))
            }
            Action::Write(Write::CallClosed(record)) => {
                let call = record.call;
                let open = self.transfers.range((call, 0)..=(call, u32::MAX)).next();
                open.map(|(_, ordinal)| format!("transfer {ordinal} of {call} is left open"))
            }
            Action::Write(Write::SessionClosed { session, .. }) => {
                self.legs.remove(session);
                None
            }
            Action::Telephony(_)
            | Action::Write(_)
            | Action::Claim { .. }
            | Action::ClaimOne { .. }
            | Action::PickContact { .. }
            | Action::LookAtList { .. }
            | Action::FindPacing { .. }
            | Action::FindFlow { .. }
            | Action::Publish(_) => None,
        }
    }

    fn customer_dialed(&mut self, attempt: AttemptId, channel: &ChannelId) -> Option<String> {
        if *channel != ChannelId::for_attempt(attempt) {
            return Some(format!("{attempt} is dialed as channel {channel}"));
        }
        match self.attempts.get_mut(&attempt) {
            None => Some(format!("{attempt} is dialed and no claim handed it out")),
            Some(true) => Some(format!("{attempt} is dialed twice")),
            Some(dialed) => {
                *dialed = true;
                None
            }
        }
    }

    fn leg_dialed(&mut self, channel: &ChannelId) -> Option<String> {
        let ChannelOwner::Leg { session, number } = channel.owner() else {
            return Some(format!("a leg is dialed as channel {channel}"));
        };
        match self.legs.entry(session) {
            // Numbers only grow, so an earlier one was dialed already.
            Entry::Occupied(last) if *last.get() >= number => {
                Some(format!("leg {channel} is dialed twice"))
            }
            entry => {
                entry.insert_entry(number);
                None
            }
        }
    }

    fn tell(&mut self, news: String) {
        if self.news.len() < MAX_NEWS {
            self.news.push(news);
        }
    }
}

impl Switchboard {
    /// Judges an action at the moment that it is asked for.
    pub(super) fn watch(&mut self, action: &Action) {
        if let Some(fault) = self.witness.judge(action) {
            self.stats.violations += 1;
            self.witness.tell(fault);
        }
    }

    /// Counts agents who broke. Runs after every input: O(agents), each in O(1).
    pub(super) fn check_invariants(&mut self) {
        let broken: BTreeMap<Fault, String> = self.broken_agents().collect();
        if broken.is_empty() && self.witness.broken.is_empty() {
            return;
        }
        self.witness
            .broken
            .retain(|fault| !matches!(fault, Fault::Agent(_)) || broken.contains_key(fault));
        self.count_broken(broken);
    }

    /// Looks at everything, counts what broke, and tells of what broke since it was called
    /// last. O(calls + agents): for once a second.
    pub fn check_all(&mut self) -> Vec<String> {
        let broken = self.find_broken();
        self.witness
            .broken
            .retain(|fault| broken.contains_key(fault));
        self.count_broken(broken);
        std::mem::take(&mut self.witness.news)
    }

    fn count_broken(&mut self, broken: BTreeMap<Fault, String>) {
        for (fault, news) in broken {
            if self.witness.broken.insert(fault) {
                self.stats.violations += 1;
                self.witness.tell(news);
            }
        }
    }

    /// Everything that does not hold now. Counts nothing. O(calls + agents).
    pub fn broken_invariants(&self) -> Vec<String> {
        self.find_broken().into_values().collect()
    }

    /// An agent has a call exactly in the states that have one, and that call has them.
    fn agent_holds(&self, agent: &Agent) -> bool {
        match (agent.state.has_call(), agent.call) {
            (true, Some(call)) => self
                .calls
                .get(&call)
                .is_some_and(|call| call.agent.as_ref() == Some(&agent.login.agent)),
            (false, None) => agent.state != AgentState::Offline,
            (true, None) | (false, Some(_)) => false,
        }
    }

    fn broken_agents(&self) -> impl Iterator<Item = (Fault, String)> {
        let broken = self
            .agents
            .values()
            .filter(|agent| !self.agent_holds(agent));
        broken.map(|agent| {
            let id = &agent.login.agent;
            let news = format!("agent {id} is {} with call {:?}", agent.state, agent.call);
            (Fault::Agent(id.clone()), news)
        })
    }

    fn find_broken(&self) -> BTreeMap<Fault, String> {
        let mut broken: BTreeMap<Fault, String> = self.broken_agents().collect();
        let waiting: BTreeSet<CallId> = self.waiting.iter().map(|(_, _, id)| *id).collect();
        for call in self.calls.values() {
            let (id, phase) = (call.id, call.phase);
            if let Kind::Outbound(facts) = &call.kind {
                let attempt = facts.attempt;
                if call.channel != ChannelId::for_attempt(attempt) {
                    let news = format!("{id} has a channel that is not its attempt's");
                    broken.insert(Fault::Channel(id), news);
                }
                if !self.witness.attempts.contains_key(&attempt) {
                    broken.insert(Fault::NoAttempt(id), format!("{id} has no open attempt"));
                }
            }
            if self.by_channel.get(&call.channel) != Some(&id) {
                let news = format!("{id} cannot be found by its channel");
                broken.insert(Fault::Lookup(id), news);
            }
            let waits = waiting.contains(&id);
            if waits != (phase == Phase::Waiting) {
                let news = format!("{id} is {phase:?} and waiting: {waits}");
                broken.insert(Fault::Waiting(id), news);
            }
            let agent = call.agent.as_ref().and_then(|id| self.agents.get(id));
            if call.agent.is_some() && agent.and_then(|a| a.call) != Some(id) {
                let news = format!("{id} has an agent who does not have it");
                broken.insert(Fault::Connection(id), news);
            }
            if !transfers_hold(call) {
                let news = format!("{id} is {phase:?} and does not follow its transfer");
                broken.insert(Fault::Transfer(id), news);
            }
            if !self.timers.contains(&(call.limit, super::Timer::Call(id))) {
                let news = format!("{id} is {phase:?} without a limit");
                broken.insert(Fault::Limit(id), news);
            }
        }
        for attempt in self.witness.attempts.keys() {
            if !self.calls.contains_key(&CallId::from(*attempt)) {
                let news = format!("{attempt} is open and has no call");
                broken.insert(Fault::NoCall(*attempt), news);
            }
        }
        broken
    }
}

/// A transfer is asked for while somebody talks; whoever talks to a number outside talks to no
/// agent; and a line is reserved exactly for a number outside.
fn transfers_hold(call: &Call) -> bool {
    let talks = call.phase == Phase::Bridged;
    let mut transfers = [&call.transfer, &call.transfer_asked].into_iter().flatten();
    let lines = transfers.all(|transfer| transfer.is_outside() == transfer.line.is_some());
    let connects = matches!(call.phase, Phase::Connecting | Phase::Bridged);
    let alone = !(call.is_outside() && connects) || call.agent.is_none();
    lines && alone && (talks || call.transfer_asked.is_none())
}
