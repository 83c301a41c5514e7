//! Pacing by the Erlang loss formula, blind to what agents do at the moment.

use std::collections::{BTreeMap, VecDeque};

use strowger_core::pacing::{Action, AnsweredBy, Event};

use super::floor::{Floor, count};
use crate::shift::{Policy, Routing};

/// Dials at the steady rate at which the Erlang B formula loses 3 % of the answered
/// calls: `λ` with `B(N, λT) = 3 %`, divided by the fraction that a person answers.
#[derive(Debug, Default)]
pub struct Erlang {
    floor: Floor,
    credit: f64,
    last: f64,
    /// Finished dials of the last half hour, and whether a person answered.
    history: VecDeque<(f64, bool)>,
    answers: usize,
    handles: f64,
    handle_sum_s: f64,
    busy_since: BTreeMap<u32, f64>,
}

/// Loss that is aimed at.
const LOSS: f64 = 0.03;
/// Dials before a rate is known; until then one line per free agent.
const DIALS_NEEDED: usize = 50;
/// Window of the answer rate, in seconds.
const HISTORY_S: f64 = 1800.0;

/// The Erlang B formula: the fraction lost of `load` erlangs on so many servers.
fn erlang_b(servers: usize, load: f64) -> f64 {
    (1..=servers).fold(1.0, |loss, n| load * loss / (count(n) + load * loss))
}

/// The load of which so many servers lose 3 %.
fn load_for(servers: usize) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * count(servers));
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if erlang_b(servers, middle) > LOSS {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

impl Erlang {
    fn finished(&mut self, now: f64, answered: bool) {
        self.history.push_back((now, answered));
        self.answers += usize::from(answered);
        while let Some((at, answered)) = self.history.front().copied() {
            if at >= now - HISTORY_S {
                break;
            }
            self.history.pop_front();
            self.answers -= usize::from(answered);
        }
    }

    fn pace(&mut self) {
        let passed = self.floor.now - self.last;
        self.last = self.floor.now;
        if self.history.len() < DIALS_NEEDED || self.answers == 0 || self.handles < 1.0 {
            let free = count(self.floor.ready.len());
            self.floor.ask(free - count(self.floor.in_progress()));
            return;
        }
        let handle_s = self.handle_sum_s / self.handles;
        let answered = count(self.answers) / count(self.history.len());
        let rate = load_for(self.floor.logged_in()) / handle_s / answered;
        self.credit += rate * passed;
        let lines = self.credit.floor();
        self.credit -= lines;
        self.floor.ask(lines);
    }
}

impl Policy for Erlang {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        match event {
            Event::Answered(_, AnsweredBy::Human) => self.finished(now, true),
            Event::Ended(line, _) if self.floor.dialing.contains_key(line) => {
                self.finished(now, false);
            }
            Event::AgentBusy(agent) => {
                self.busy_since.insert(*agent, now);
            }
            Event::AgentAvailable(agent) | Event::AgentGone(agent) => {
                if let Some(since) = self.busy_since.remove(agent) {
                    self.handles += 1.0;
                    self.handle_sum_s += now - since;
                }
            }
            Event::Config(_)
            | Event::AgentWrap(_)
            | Event::Dialed(..)
            | Event::Ringing(_)
            | Event::Answered(..)
            | Event::Connected(..)
            | Event::Abandoned(_)
            | Event::Ended(..)
            | Event::NotDialed(_)
            | Event::Tick => {}
        }
        self.floor.handle(now, event);
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        if self.floor.now >= self.last + 1.0 || self.floor.now == 0.0 {
            self.pace();
        }
        self.floor.action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        Some(self.last + 1.0)
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(5.0)
    }
}
