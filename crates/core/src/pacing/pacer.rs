//! What a pacer is told and keeps.

use std::collections::{BTreeMap, VecDeque};

use super::{
    Action, AnsweredBy, Config, Event, Key, LineEnd, Past, State,
    agents::Agents,
    answers::Answers,
    budget::Budget,
    lines::{Line, Stage},
};

/// Seconds after which a line that was asked for is taken for one that never comes.
const ASK_EXPIRES_S: f64 = 1.5;
/// Seconds between decisions when nothing happens.
const TICK_S: f64 = 0.5;
/// Seconds a line is believed in beyond its ring time, or a person beyond the answer,
/// when nothing more is heard.
const FORGOTTEN_S: f64 = 60.0;
/// Longest wait before more lines are asked for when there were too few, in seconds.
const LONGEST_HOLD_S: f64 = 8.0;

/// Paces one campaign.
///
/// Tell it what happens with [`Self::handle`], then carry out what [`Self::poll_action`]
/// gives until it gives nothing, and send [`Event::Tick`] at [`Self::poll_timeout`].
#[derive(Debug, Clone)]
pub struct Pacer<L, A> {
    pub(super) config: Config,
    pub(super) now: f64,
    pub(super) agents: Agents<A>,
    pub(super) lines: BTreeMap<L, Line>,
    pub(super) answers: Answers,
    pub(super) budget: Budget,
    /// Lines asked for and not dialed yet, and when.
    pub(super) asked: VecDeque<(f64, u32)>,
    pub(super) actions: VecDeque<Action<L>>,
    pub(super) refreshed: f64,
    /// Lines that may be dialed now without exceeding the rate.
    pub(super) tokens: f64,
    pub(super) hold_until: f64,
    hold_s: f64,
    pub(super) chance: f64,
    tick_s: f64,
}

impl<L: Key, A: Key> Pacer<L, A> {
    /// A pacer that knows nothing yet. `seed` spreads the ticks of many pacers.
    pub fn new(config: Config, seed: u64) -> Self {
        let spread = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / f64::from(1 << 24);
        Self {
            config: config.sane(),
            now: 0.0,
            agents: Agents::new(),
            lines: BTreeMap::new(),
            answers: Answers::new(),
            budget: Budget::new(),
            asked: VecDeque::new(),
            actions: VecDeque::new(),
            refreshed: f64::NEG_INFINITY,
            tokens: 1.0,
            hold_until: 0.0,
            hold_s: 1.0,
            chance: 0.0,
            tick_s: TICK_S * (1.0 - 0.1 * spread),
        }
    }

    /// Something happened at `now`, in seconds. A time before the last one, or no number,
    /// counts as the last one.
    pub fn handle(&mut self, now: f64, event: &Event<L, A>) {
        self.advance(now);
        self.take(event);
        match event {
            Event::AgentAvailable(_)
            | Event::AgentWrap(_)
            | Event::AgentGone(_)
            | Event::Answered(..)
            | Event::Abandoned(_)
            | Event::Ended(..)
            | Event::NotDialed(_)
            | Event::Tick => self.decide(),
            // These follow another event of the same moment, or change nothing.
            Event::Config(_)
            | Event::AgentBusy(_)
            | Event::Dialed(..)
            | Event::Ringing(_)
            | Event::Connected(..) => {}
        }
    }

    /// Takes in what was counted before this pacer was made, or before what it was told of so
    /// far: the limit holds over its whole window, whatever happened to the pacer within it.
    pub fn remember(&mut self, now: f64, past: &[Past]) {
        self.advance(now);
        self.budget.history(past, &self.config, self.now);
    }

    /// What to do next, until there is nothing.
    pub fn poll_action(&mut self) -> Option<Action<L>> {
        self.actions.pop_front()
    }

    /// When to send [`Event::Tick`] if nothing happens before.
    pub fn poll_timeout(&self) -> Option<f64> {
        (self.agents.len() > 0 || !self.lines.is_empty()).then_some(self.now + self.tick_s)
    }

    /// What the pacer believes now, and why it dials as it does.
    pub fn state(&self) -> State {
        State {
            agents: self.agents.len(),
            idle: self.agents.idle(),
            ringing: self.lines.values().filter(|line| line.may_answer()).count(),
            asked: self.asked(),
            waiting: self.lines.values().filter(|line| line.waits()).count(),
            answer_rate: self.answers.chance(0.0, 60.0),
            handle_time_s: self.agents.handle_time(),
            risk: self.budget.risk(&self.config),
            // A sum of shares, which rounds to a hair more than all.
            chance: self.chance.clamp(0.0, 1.0),
            answered: self.budget.answered(),
            late: self.budget.late(),
            metric_upper: self.budget.upper(),
            budget_used: self.budget.used(&self.config),
            compliant: self.budget.compliant(&self.config),
            outage: self.answers.outage(),
        }
    }

    /// Whether it was told of a line that has not ended.
    pub fn knows(&self, line: &L) -> bool {
        self.lines.contains_key(line)
    }

    pub(super) fn asked(&self) -> u32 {
        self.asked.iter().map(|(_, n)| n).sum()
    }

    fn advance(&mut self, now: f64) {
        if !now.is_finite() || now <= self.now {
            return;
        }
        let before = std::mem::replace(&mut self.now, now);
        let passed = now - before;
        self.budget.advance(now, self.config.window_s);
        self.agents.advance(passed);
        let most = self.config.max_cps.max(1.0);
        self.tokens = (self.tokens + passed * self.config.max_cps).min(most);
        while self
            .asked
            .front()
            .is_some_and(|(at, _)| now - at > ASK_EXPIRES_S)
        {
            self.asked.pop_front();
        }
        let longest = self.config.ring_timeout_s + FORGOTTEN_S;
        for line in self.lines.values_mut() {
            // Longer than anything rings is no evidence.
            let from = before.max(line.dialed).max(now - longest);
            let age = f64::midpoint(from, now) - line.dialed;
            match line.stage {
                Stage::Ringing | Stage::Detecting { .. } if now - line.dialed > longest => {
                    line.stage = Stage::Over;
                }
                Stage::Ringing => self.answers.rang(age, now - from, line.segment),
                Stage::Detecting { since } => {
                    self.answers.rang(age, now - from, line.segment);
                    let from = before.max(since);
                    self.answers
                        .wondered(f64::midpoint(from, now) - since, now - from);
                }
                Stage::Waiting { since, late } => {
                    if !late && self.config.late(now - since) {
                        self.budget.late_person(1.0);
                        line.stage = Stage::Waiting { since, late: true };
                    }
                    if now - since > FORGOTTEN_S {
                        line.stage = Stage::Over;
                    }
                }
                Stage::Connected | Stage::Over => {}
            }
        }
    }

    fn take(&mut self, event: &Event<L, A>) {
        let now = self.now;
        match event {
            Event::Config(config) => self.config = config.clone().sane(),
            Event::AgentAvailable(agent) => self.agents.available(agent, now),
            Event::AgentBusy(agent) => self.agents.busy_elsewhere(agent, now),
            Event::AgentWrap(agent) => self.agents.wrap(agent, now),
            Event::AgentGone(agent) => self.agents.gone(agent),
            Event::Dialed(line, segment) => {
                if !self.lines.contains_key(line) {
                    self.lines.insert(line.clone(), Line::new(now, *segment));
                    self.answers.dialed(*segment);
                    self.came(1);
                    self.hold_s = 1.0;
                }
            }
            Event::Ringing(line) => {
                if let Some(line) = self.lines.get_mut(line) {
                    line.rings_since.get_or_insert(now);
                }
            }
            Event::Answered(line, by) => self.answered(line, *by),
            Event::Connected(line, agent) => {
                self.agents.connected(agent, now);
                self.connected(line);
            }
            Event::Abandoned(line) => self.abandoned(line),
            Event::Ended(line, end) => self.ended(line, *end),
            Event::NotDialed(lines) => {
                self.came(*lines);
                self.hold_until = now + self.hold_s;
                self.hold_s = (self.hold_s * 2.0).min(LONGEST_HOLD_S);
            }
            Event::Tick => {}
        }
    }

    /// So many of the lines asked for came, or never will.
    fn came(&mut self, mut lines: u32) {
        while let Some((_, asked)) = self.asked.front_mut() {
            let some = lines.min(*asked);
            *asked -= some;
            lines -= some;
            if *asked > 0 {
                break;
            }
            self.asked.pop_front();
        }
    }

    fn answered(&mut self, line: &L, by: AnsweredBy) {
        let now = self.now;
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        let since = match line.stage {
            Stage::Ringing => None,
            Stage::Detecting { since } => Some(since),
            Stage::Waiting { .. } | Stage::Connected | Stage::Over => return,
        };
        let (age, detected) = (now - line.dialed, since.map(|since| now - since));
        match by {
            AnsweredBy::Human => {
                self.answers.person(age, line.segment, detected);
                self.budget.person(1.0, &self.config);
                let greeted = since.map_or(now, |since| since + self.config.greeting_s);
                line.stage = Stage::Waiting {
                    since: greeted.min(now),
                    late: false,
                };
            }
            AnsweredBy::Machine => {
                self.answers.other(age, detected);
                line.stage = Stage::Over;
                let mistaken = self.config.amd_false_positive;
                if mistaken > 0.0 {
                    self.budget.person(mistaken, &self.config);
                    self.budget.late_person(mistaken);
                }
            }
            AnsweredBy::Unknown => {
                line.stage = Stage::Detecting {
                    since: since.unwrap_or(now),
                };
            }
        }
    }

    fn connected(&mut self, line: &L) {
        let now = self.now;
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        match line.stage {
            // Whoever talks to an agent is a person, told or not.
            Stage::Ringing | Stage::Detecting { .. } => {
                self.answers.person(now - line.dialed, line.segment, None);
                self.budget.person(1.0, &self.config);
            }
            Stage::Waiting { since, late: false } if self.config.late(now - since) => {
                self.budget.late_person(1.0);
            }
            Stage::Waiting { .. } | Stage::Connected | Stage::Over => {}
        }
        line.stage = Stage::Connected;
    }

    fn abandoned(&mut self, line: &L) {
        let Some(line) = self.lines.get_mut(line) else {
            return;
        };
        match line.stage {
            // Nobody is abandoned who did not answer.
            Stage::Ringing | Stage::Detecting { .. } => {
                self.answers
                    .person(self.now - line.dialed, line.segment, None);
                self.budget.person(1.0, &self.config);
                self.budget.late_person(1.0);
            }
            // Connected: the agent's station did not take the call, and nobody else was in time.
            Stage::Waiting { late: false, .. } | Stage::Connected => self.budget.late_person(1.0),
            Stage::Waiting { late: true, .. } | Stage::Over => {}
        }
        line.stage = Stage::Over;
    }

    fn ended(&mut self, line: &L, end: LineEnd) {
        let Some(line) = self.lines.remove(line) else {
            return;
        };
        let age = self.now - line.dialed;
        match line.stage {
            Stage::Ringing => match end {
                LineEnd::Failed => self.answers.failed(age),
                LineEnd::Busy | LineEnd::NoAnswer | LineEnd::Completed => {
                    self.answers.other(age, None);
                }
                LineEnd::Cancelled => {}
            },
            Stage::Detecting { since } => self.answers.other(age, Some(self.now - since)),
            // Hung up before an agent came: not connected, so it counts.
            Stage::Waiting { late: false, .. } => self.budget.late_person(1.0),
            Stage::Waiting { late: true, .. } | Stage::Connected | Stage::Over => {}
        }
    }
}
