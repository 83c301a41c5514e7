//! decide
use std::collections::{BTreeMap, VecDeque};

use super::{
    Action, AnsweredBy, Config, Event, Key, LineEnd, Segment, State,
    agents::Agents,
    answers::Answers,
    budget::Budget,
    forecast::{Forecast, STEP_S, STEPS, time_of},
    lines::{Line, Stage},
    tuning::Tuning,
};

/// pacer
#[derive(Clone)]
pub struct Pacer<L, A> {
    config: Config,
    tuning: Tuning,
    now: f64,
    agents: Agents<A>,
    lines: BTreeMap<L, Line>,
    answers: Answers,
    budget: Budget,
    asked: VecDeque<(f64, u32)>,
    actions: VecDeque<Action<L>>,
    refreshed: f64,
    tokens: f64,
    hold_until: f64,
    backoff: f64,
    chance: f64,
    dial_lag: f64,
}

const ASK_EXPIRES: f64 = 1.5;

impl<L: Key, A: Key> Pacer<L, A> {
    /// new
    pub fn new(config: Config, _seed: u64) -> Self {
        let tuning = Tuning::default();
        Self {
            budget: Budget::new(&tuning),
            config,
            tuning,
            now: 0.0,
            agents: Agents::new(),
            lines: BTreeMap::new(),
            answers: Answers::new(),
            asked: VecDeque::new(),
            actions: VecDeque::new(),
            refreshed: f64::NEG_INFINITY,
            tokens: 0.0,
            hold_until: 0.0,
            backoff: 1.0,
            chance: 0.0,
            dial_lag: 0.0,
        }
    }

    /// handle
    pub fn handle(&mut self, now: f64, event: &Event<L, A>) {
        self.advance(now);
        self.take(event);
        self.decide();
    }

    /// poll
    pub fn poll_action(&mut self) -> Option<Action<L>> {
        self.actions.pop_front()
    }

    /// timeout
    pub fn poll_timeout(&self) -> Option<f64> {
        (self.agents.len() > 0 || !self.lines.is_empty()).then_some(self.now + self.tuning.tick)
    }

    fn advance(&mut self, now: f64) {
        if !(now > self.now) {
            return;
        }
        let dt = now - self.now;
        self.now = now;
        self.budget.advance(now, &self.config);
        self.agents.advance(dt);
        self.tokens = (self.tokens + dt * self.config.max_cps).min(self.config.max_cps.max(1.0));
        while self.asked.front().is_some_and(|a| now - a.0 > ASK_EXPIRES) {
            self.asked.pop_front();
        }
        for line in self.lines.values_mut() {
            match line.stage {
                Stage::Ringing => {
                    let from = (now - dt).max(line.dialed);
                    self.answers.rang(
                        ((from + now) / 2.0 - line.dialed).max(0.0),
                        now - from,
                        line.segment,
                    );
                }
                Stage::Detecting { since } => {
                    let from = (now - dt).max(since);
                    self.answers
                        .detecting
                        .spend((from + now) / 2.0 - since, now - from, 1.0);
                }
                Stage::Waiting { since, late } => {
                    if !late && now - since > self.config.threshold_s + 1e-6 {
                        line.stage = Stage::Waiting { since, late: true };
                        self.budget.late(1.0);
                    }
                }
                Stage::Connected | Stage::Over => {}
            }
        }
    }

    fn take(&mut self, event: &Event<L, A>) {
        let now = self.now;
        match event {
            Event::Config(c) => self.config = c.clone(),
            Event::AgentAvailable(a) => self.agents.available(a, now),
            Event::AgentBusy(a) => self.agents.busy_elsewhere(a, now),
            Event::AgentWrap(a) => self.agents.wrap(a, now),
            Event::AgentGone(a) => self.agents.gone(a),
            Event::Dialed(l, segment) => {
                if let Some(first) = self.asked.front_mut() {
                    first.1 -= 1;
                    if first.1 == 0 {
                        self.asked.pop_front();
                    }
                }
                self.backoff = 1.0;
                self.answers.dialed(*segment);
                self.lines.entry(l.clone()).or_insert(Line {
                    dialed: now,
                    ringing: None,
                    segment: *segment,
                    stage: Stage::Ringing,
                    given_up: false,
                });
            }
            Event::Ringing(l) => {
                if let Some(line) = self.lines.get_mut(l) {
                    line.ringing.get_or_insert(now);
                }
            }
            Event::Answered(l, by) => self.answered(l, *by),
            Event::Connected(l, a) => {
                self.agents.connected(a, now);
                if let Some(line) = self.lines.get_mut(l) {
                    match line.stage {
                        Stage::Ringing | Stage::Detecting { .. } => {
                            let (age, seg) = (now - line.dialed, line.segment);
                            if line.stage == Stage::Ringing {
                                self.answers.human(age, seg);
                            }
                            self.budget.human(1.0, &self.config, &self.tuning);
                        }
                        Stage::Waiting { .. } | Stage::Connected | Stage::Over => {}
                    }
                    line.stage = Stage::Connected;
                }
            }
            Event::Abandoned(l) => {
                if let Some(line) = self.lines.get_mut(l) {
                    if let Stage::Waiting { late: false, .. } = line.stage {
                        self.budget.late(1.0);
                    }
                    line.stage = Stage::Over;
                }
            }
            Event::Ended(l, end) => self.ended(l, *end),
            Event::NotDialed(n) => {
                let mut n = *n;
                while n > 0 {
                    let Some(first) = self.asked.front_mut() else {
                        break;
                    };
                    let k = n.min(first.1);
                    first.1 -= k;
                    n -= k;
                    if first.1 == 0 {
                        self.asked.pop_front();
                    }
                }
                self.hold_until = now + self.backoff;
                self.backoff = (self.backoff * 2.0).min(8.0);
            }
            Event::Tick => {}
        }
    }

    fn answered(&mut self, l: &L, by: AnsweredBy) {
        let now = self.now;
        let Some(line) = self.lines.get_mut(l) else {
            return;
        };
        let age = now - line.dialed;
        let since = match line.stage {
            Stage::Ringing => None,
            Stage::Detecting { since } => Some(since),
            Stage::Waiting { .. } | Stage::Connected | Stage::Over => return,
        };
        match by {
            AnsweredBy::Human => {
                match since {
                    None => self.answers.human(age, line.segment),
                    Some(s) => {
                        self.answers.detecting.end_wanted(now - s);
                        self.answers.detected_human(age, line.segment);
                    }
                }
                line.stage = Stage::Waiting {
                    since: since.unwrap_or(now),
                    late: false,
                };
                self.budget.human(1.0, &self.config, &self.tuning);
            }
            AnsweredBy::Machine => {
                match since {
                    None => self.answers.other(age),
                    Some(s) => self.answers.detecting.end_other(now - s),
                }
                line.stage = Stage::Over;
                let fp = self.config.amd_false_positive;
                if fp > 0.0 {
                    self.budget.human(fp, &self.config, &self.tuning);
                    self.budget.late(fp);
                }
            }
            AnsweredBy::Unknown => {
                if since.is_none() {
                    self.answers.picked_up(age, line.segment);
                    line.stage = Stage::Detecting { since: now };
                }
            }
        }
    }

    fn ended(&mut self, l: &L, end: LineEnd) {
        let Some(line) = self.lines.remove(l) else {
            return;
        };
        let age = self.now - line.dialed;
        match line.stage {
            Stage::Ringing => match end {
                LineEnd::Failed => self.answers.failed(age),
                LineEnd::Busy | LineEnd::NoAnswer | LineEnd::Completed => self.answers.other(age),
                LineEnd::Cancelled => {}
            },
            Stage::Detecting { since } => self.answers.detecting.end_other(self.now - since),
            Stage::Waiting { late: false, .. } => self.budget.late(1.0),
            Stage::Waiting { late: true, .. } | Stage::Connected | Stage::Over => {}
        }
    }

    fn ringing(&self) -> usize {
        self.lines
            .values()
            .filter(|l| matches!(l.stage, Stage::Ringing | Stage::Detecting { .. }))
            .count()
    }
    fn waiting(&self) -> usize {
        self.lines
            .values()
            .filter(|l| matches!(l.stage, Stage::Waiting { .. }))
            .count()
    }

    fn row(&self, line: &Line) -> [f64; STEPS] {
        let c = match line.stage {
            Stage::Ringing => {
                let age = self.now - line.dialed;
                let f = self.answers.factor(line.segment) / self.answers.mix();
                return std::array::from_fn(|k| {
                    (f * self.answers.ringing.chance(age, time_of(k))).min(0.98)
                });
            }
            Stage::Detecting { since } => (self.now - since, &self.answers.detecting),
            _ => return [0.0; STEPS],
        };
        std::array::from_fn(|k| c.1.chance(c.0, time_of(k)))
    }

    fn decide(&mut self) {
        let now = self.now;
        let grace = self.config.threshold_s * self.tuning.grace;
        if now - self.refreshed >= 5.0 {
            self.refreshed = now;
            self.agents.refresh(now, grace);
            self.budget.pace(
                self.agents.len() as f64 * 3600.0 / self.agents.handle_time(),
                &self.config,
            );
        }
        self.answers.refresh(self.tuning.pess);
        let (ringing, waiting) = (self.ringing(), self.waiting());
        let asked: u32 = self.asked.iter().map(|a| a.1).sum();
        let idle = self.agents.idle();
        if self.agents.len() == 0 {
            return;
        }
        let exact = self.agents.busy() + ringing + (asked as usize) < 150;
        let mut f = Forecast::new(idle as i64 - waiting as i64, exact);
        for row in self.agents.rows(now) {
            f.freed(row);
        }
        let v = self.agents.vanishing();
        if v > 0.0 {
            let row: [f64; STEPS] = std::array::from_fn(|k| 1.0 - (-v * time_of(k)).exp());
            for _ in 0..idle {
                f.answered(&row);
            }
        }
        let new = self.new_row();
        let mut oldest: Option<(f64, L, [f64; STEPS])> = None;
        for (l, line) in &self.lines {
            if line.given_up {
                continue;
            }
            if !matches!(line.stage, Stage::Ringing | Stage::Detecting { .. }) {
                continue;
            }
            let row = self.row(line);
            f.answered(&row);
            if line.stage == Stage::Ringing {
                let ok = match line.ringing {
                    Some(r) => now - r >= self.config.min_ring_s,
                    None => now - line.dialed >= self.config.min_ring_s + self.config.setup_s,
                };
                if ok && oldest.as_ref().is_none_or(|o| line.dialed < o.0) {
                    oldest = Some((line.dialed, l.clone(), row));
                }
            }
        }
        for _ in 0..asked {
            f.answered(&new);
        }
        let theta = self.budget.risk(&self.config, &self.tuning, 0.0);
        // cancel
        if let Some((_, l, row)) = oldest {
            let none = f.none();
            let r = Self::late(&row, &none, self.tuning.ext);
            if r > (self.tuning.cancel * theta).min(0.9) {
                if let Some(line) = self.lines.get_mut(&l) {
                    line.given_up = true;
                }
                self.actions.push_back(Action::Cancel(l));
            }
        }
        // dial
        let room = (self.config.max_lines as usize)
            .saturating_sub(self.lines.len() + asked as usize)
            .min(self.tokens as usize);
        let mut n = 0usize;
        let progressive = idle.saturating_sub(waiting + ringing + asked as usize);
        loop {
            let none = f.none();
            let r = Self::late(&new, &none, self.tuning.ext);
            if n == 0 {
                self.chance = r;
            }
            if n >= room {
                break;
            }
            if self.answers.outage() {
                if n >= progressive {
                    break;
                }
            } else if r > theta && n >= progressive {
                break;
            }
            f.answered(&new);
            n += 1;
        }
        if n > 0 && now >= self.hold_until {
            self.tokens -= n as f64;
            self.asked.push_back((now, n as u32));
            self.actions.push_back(Action::Dial(n as u32));
        }
    }

    fn new_row(&self) -> [f64; STEPS] {
        std::array::from_fn(|k| self.answers.ringing.chance(0.0, time_of(k) + self.dial_lag))
    }

    /// chance of late given an answer with the distribution `row`
    fn late(row: &[f64; STEPS], none: &[f64; STEPS], ext: f64) -> f64 {
        let (mut sum, mut all, mut before) = (0.0, 1e-12, 0.0);
        for k in 0..STEPS {
            let edge = (row[k] + row.get(k + 1).copied().unwrap_or(row[k])) / 2.0;
            let mass = (edge - before).max(0.0);
            before = edge;
            let mut worst = none[k];
            if ext > 0.0 {
                for j in 1..=3 {
                    if k + j < STEPS {
                        worst = worst.max(ext * none[k + j]);
                    }
                }
            }
            sum += mass * worst;
            all += mass;
        }
        let _ = STEP_S;
        sum / all
    }

    /// state
    pub fn state(&self) -> State {
        let n = self.budget.answered;
        let limit = self.config.abandon_limit;
        State {
            agents: self.agents.len(),
            idle: self.agents.idle(),
            ringing: self.ringing(),
            waiting: self.waiting(),
            answer_rate: self.answers.ringing.chance(0.0, 60.0),
            handle_time_s: self.agents.handle_time(),
            risk: self.budget.risk(&self.config, &self.tuning, 0.0),
            chance: self.chance,
            answered: n,
            late: self.budget.late,
            metric_upper: self.budget.upper(),
            budget_used: self.budget.late / (limit * n).max(1e-9),
            compliant: 0.0,
            outage: self.answers.outage(),
        }
    }
}
