//! Issabel's predictor.

use std::collections::{BTreeMap, VecDeque};

use strowger_core::pacing::{Action, AnsweredBy, Event};

use super::floor::{Floor, count};
use crate::shift::{Policy, Routing};

/// `entretiempo`: between two looks, in seconds.
const EVERY_S: f64 = 5.0;
/// Quality of service: a busy agent counts when a conversation would be over by the time
/// of the answer with this probability.
const QOS: f64 = 0.97;
/// Time to the answer until it is measured, in seconds.
const FIRST_ANSWER_S: f64 = 8.0;
/// Calls before anything is predicted or placed beyond the agents.
const CALLS_NEEDED: usize = 10;
/// Window of the answer rate, in seconds.
const HISTORY_S: f64 = 1800.0;
/// The answer rate is taken to be no lower.
const LOWEST_RATE: f64 = 0.20;

/// Predictive with overcommit, both as by default but switched on: agents that are free
/// or will be by the time of an answer, divided by the answer rate of half an hour.
#[derive(Debug, Default)]
pub struct Issabel {
    floor: Floor,
    next: f64,
    talks: f64,
    talk_sum_s: f64,
    answers: f64,
    answer_sum_s: f64,
    started: BTreeMap<u64, f64>,
    /// Finished dials with the time and whether a person answered.
    history: VecDeque<(f64, bool)>,
    answered: usize,
}

impl Issabel {
    fn finished(&mut self, now: f64, answered: bool) {
        self.history.push_back((now, answered));
        self.answered += usize::from(answered);
        while let Some((at, answered)) = self.history.front().copied() {
            if at >= now - HISTORY_S {
                break;
            }
            self.history.pop_front();
            self.answered -= usize::from(answered);
        }
    }

    fn look(&mut self) {
        let mut agents = count(self.floor.ready.len());
        if self.talks >= count(CALLS_NEEDED) {
            let talk_s = self.talk_sum_s / self.talks;
            let answer_s = if self.answers > 0.0 {
                self.answer_sum_s / self.answers
            } else {
                FIRST_ANSWER_S
            };
            let soon = self
                .floor
                .talking
                .values()
                .filter(|since| {
                    let elapsed = answer_s + self.floor.now - **since;
                    1.0 - (-elapsed / talk_s).exp() >= QOS
                })
                .count();
            agents += count(soon);
        }
        let calls = (agents - count(self.floor.waiting.len())).max(0.0);
        let calls = (calls - count(self.floor.in_progress())).max(0.0);
        let rate = if self.history.len() >= CALLS_NEEDED {
            (count(self.answered) / count(self.history.len())).max(LOWEST_RATE)
        } else {
            1.0
        };
        self.floor.ask((calls / rate).round());
    }
}

impl Policy for Issabel {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        match event {
            Event::Answered(line, AnsweredBy::Human) => {
                if let Some(dialed) = self.floor.dialing.get(line) {
                    self.answers += 1.0;
                    self.answer_sum_s += now - dialed;
                    self.finished(now, true);
                }
            }
            Event::Connected(line, _) => {
                self.started.insert(*line, now);
            }
            Event::Ended(line, _) => {
                if let Some(start) = self.started.remove(line) {
                    self.talks += 1.0;
                    self.talk_sum_s += now - start;
                }
                if self.floor.dialing.contains_key(line) {
                    self.finished(now, false);
                }
            }
            Event::Config(_)
            | Event::AgentAvailable(_)
            | Event::AgentBusy(_)
            | Event::AgentWrap(_)
            | Event::AgentGone(_)
            | Event::Dialed(..)
            | Event::Ringing(_)
            | Event::Answered(..)
            | Event::Abandoned(_)
            | Event::NotDialed(_)
            | Event::Tick => {}
        }
        self.floor.handle(now, event);
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        if self.floor.now >= self.next {
            self.next = self.floor.now + EVERY_S;
            self.look();
        }
        self.floor.action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        Some(self.next)
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(5.0)
    }
}
