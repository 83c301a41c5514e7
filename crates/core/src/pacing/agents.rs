//! When agents become free.
//!
//! An agent who has talked for `e` seconds is free within `t` with the chance
//! `int_0^t f(u | e) W(t - u) du`: the call's residual life under its hazard, then the
//! wrap-up `W`. One in wrap-up needs only the residual wrap-up. A person may wait for the
//! legal threshold, so an agent freed so much later is free in time.

use std::collections::BTreeMap;

use super::{
    Key,
    forecast::{Row, STEPS, time_of},
    hazard::Duration,
};

/// What an agent does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    /// On a call of this campaign.
    Talk,
    /// On a call that is none of this campaign's, as far as known.
    Elsewhere,
    Wrap,
}

#[derive(Debug, Clone, Copy)]
struct Agent {
    phase: Phase,
    since: f64,
    /// When the call that is being wrapped up began.
    call: f64,
}

/// Knows what each agent does and how long such things last.
#[derive(Debug, Clone)]
pub(super) struct Agents<A> {
    all: BTreeMap<A, Agent>,
    talk: Duration,
    wrap: Duration,
    /// Times agents vanished from idle, and seconds agents were idle.
    vanished: f64,
    idle_s: f64,
    /// Ends of calls or wraps that gave an agent back, and all of them.
    back: [f64; 2],
    talk_rows: Vec<Row>,
    wrap_rows: Vec<Row>,
    idle: usize,
}

const WRAP_ROWS: usize = 120;

impl<A: Key> Agents<A> {
    pub(super) fn new() -> Self {
        let mut agents = Self {
            all: BTreeMap::new(),
            talk: Duration::new(90.0, 1.0, 3.0),
            wrap: Duration::new(15.0, 0.8, 3.0),
            vanished: 0.0,
            idle_s: 3_600.0,
            back: [20.0, 20.0],
            talk_rows: Vec::new(),
            wrap_rows: Vec::new(),
            idle: 0,
        };
        agents.refresh(0.0, 2.0);
        agents
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn idle(&self) -> usize {
        self.idle
    }

    pub(super) fn handle_time(&self) -> f64 {
        self.talk.mean() + self.wrap.mean()
    }

    fn set(&mut self, agent: &A, phase: Phase, now: f64, call: f64) {
        let before = self.all.insert(
            agent.clone(),
            Agent {
                phase,
                since: now,
                call,
            },
        );
        self.idle -= usize::from(before.is_some_and(|a| a.phase == Phase::Idle));
        self.idle += usize::from(phase == Phase::Idle);
    }

    pub(super) fn available(&mut self, agent: &A, now: f64) {
        if let Some(a) = self.all.get(agent).copied() {
            match a.phase {
                Phase::Idle => return,
                Phase::Talk => {
                    self.talk.complete(now - a.since);
                    self.wrap.complete(0.5);
                    self.gave_back(true);
                }
                Phase::Elsewhere => self.gave_back(true),
                Phase::Wrap => {
                    self.wrap.complete(now - a.since);
                    self.gave_back(true);
                }
            }
        }
        self.set(agent, Phase::Idle, now, now);
    }

    fn gave_back(&mut self, yes: bool) {
        for value in &mut self.back {
            *value *= 0.99;
        }
        self.back[0] += f64::from(u8::from(yes));
        self.back[1] += 1.0;
    }

    /// An agent talks; whether with a person of this campaign is told by `connected`.
    pub(super) fn busy_elsewhere(&mut self, agent: &A, now: f64) {
        match self.all.get(agent).map(|a| a.phase) {
            Some(Phase::Talk | Phase::Elsewhere) => {}
            Some(Phase::Idle) => {
                self.vanished += 1.0;
                self.set(agent, Phase::Elsewhere, now, now);
            }
            Some(Phase::Wrap) | None => self.set(agent, Phase::Elsewhere, now, now),
        }
    }

    pub(super) fn connected(&mut self, agent: &A, now: f64) {
        match self.all.get(agent).copied() {
            Some(a) if a.phase == Phase::Talk => {}
            Some(a) if a.phase == Phase::Elsewhere && now - a.since < 2.0 => {
                self.vanished = (self.vanished - 1.0).max(0.0);
                self.set(agent, Phase::Talk, a.since, a.since);
            }
            Some(_) | None => self.set(agent, Phase::Talk, now, now),
        }
    }

    pub(super) fn wrap(&mut self, agent: &A, now: f64) {
        let Some(a) = self.all.get(agent).copied() else {
            self.set(agent, Phase::Wrap, now, now);
            return;
        };
        match a.phase {
            Phase::Wrap => return,
            Phase::Talk => self.talk.complete(now - a.since),
            Phase::Idle | Phase::Elsewhere => {}
        }
        self.set(agent, Phase::Wrap, now, a.call);
    }

    pub(super) fn gone(&mut self, agent: &A) {
        let Some(a) = self.all.remove(agent) else {
            return;
        };
        match a.phase {
            Phase::Idle => {
                self.idle -= 1;
                self.vanished += 1.0;
            }
            Phase::Talk | Phase::Elsewhere | Phase::Wrap => self.gave_back(false),
        }
    }

    /// Time passes.
    pub(super) fn advance(&mut self, seconds: f64) {
        self.idle_s += seconds * self.idle as f64;
        let keep = (1.0 - seconds / 3_600.0).max(0.0);
        self.vanished *= keep;
        self.idle_s = (self.idle_s * keep).max(600.0);
    }

    /// How often an idle agent goes elsewhere, per second.
    pub(super) fn vanishing(&self) -> f64 {
        self.vanished / self.idle_s
    }

    /// Chances that each busy agent is free in time for a person who answers at the
    /// times of the forecast.
    pub(super) fn rows(&self, now: f64) -> impl Iterator<Item = &Row> {
        self.all.values().filter_map(move |a| {
            let age = (now - a.since).max(0.0);
            let (rows, index) = match a.phase {
                Phase::Idle => return None,
                Phase::Talk | Phase::Elsewhere => (&self.talk_rows, talk_row(age)),
                Phase::Wrap => (&self.wrap_rows, age as usize),
            };
            rows.get(index.min(rows.len() - 1))
        })
    }

    /// Takes what was learned into the chances.
    pub(super) fn refresh(&mut self, now: f64, grace: f64) {
        let ages = |phase: Phase| {
            self.all
                .values()
                .filter(move |a| a.phase == phase)
                .map(move |a| now - a.since)
                .collect::<Vec<_>>()
        };
        let (talking, wrapping) = (ages(Phase::Talk), ages(Phase::Wrap));
        self.talk.refresh(talking.into_iter());
        self.wrap.refresh(wrapping.into_iter());
        let back = self.back[0] / self.back[1];
        self.wrap_rows = (0..WRAP_ROWS)
            .map(|i| {
                let age = i as f64 + 0.5;
                let from = self.wrap.hazard(age);
                std::array::from_fn(|k| {
                    let until = self.wrap.hazard(age + time_of(k) + grace);
                    back * (1.0 - (from - until).exp())
                })
            })
            .collect();
        let horizon = (time_of(STEPS - 1) + grace).ceil() as usize + 1;
        let wrapped: Vec<f64> = (0..=2 * horizon)
            .map(|half| 1.0 - (-self.wrap.hazard(half as f64 / 2.0)).exp())
            .collect();
        self.talk_rows = (0..TALK_ROWS)
            .map(|i| {
                let age = talk_row_age(i);
                let from = self.talk.hazard(age);
                let mut left = 1.0;
                let ends: Vec<f64> = (1..=horizon)
                    .map(|s| {
                        let survival = (from - self.talk.hazard(age + s as f64)).exp();
                        let mass = left - survival;
                        left = survival;
                        mass
                    })
                    .collect();
                std::array::from_fn(|k| {
                    let until = time_of(k) + grace;
                    let mut free = 0.0;
                    for (s, mass) in ends.iter().enumerate() {
                        let rest = until - s as f64 - 0.5;
                        if rest <= 0.0 {
                            break;
                        }
                        free += mass * wrapped[(rest * 2.0) as usize];
                    }
                    back * free
                })
            })
            .collect();
    }
}

const TALK_ROWS: usize = 80;

/// Rows grow with age: 5 s apart at first, an eighth of the age later.
fn talk_row(age: f64) -> usize {
    if age < 40.0 {
        (age / 5.0) as usize
    } else {
        8 + (8.0 * (age / 40.0).ln()) as usize
    }
}

fn talk_row_age(row: usize) -> f64 {
    if row < 8 {
        row as f64 * 5.0 + 2.5
    } else {
        40.0 * (((row - 8) as f64 + 0.5) / 8.0).exp()
    }
}
