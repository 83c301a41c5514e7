//! What every policy keeps count of: agents and lines.

use std::collections::{BTreeMap, BTreeSet};

use strowger_core::pacing::{Action, AnsweredBy, Event};

/// The agents and lines of a campaign, and the lines that were asked for and are not
/// there yet.
#[derive(Debug, Default)]
pub(super) struct Floor {
    pub(super) now: f64,
    pub(super) ready: BTreeSet<u32>,
    /// With the start of the conversation.
    pub(super) talking: BTreeMap<u32, f64>,
    pub(super) wrapping: BTreeSet<u32>,
    /// Dialed and not known to be answered by a person, with the time of the dial.
    pub(super) dialing: BTreeMap<u64, f64>,
    /// Answered by a person who has no agent yet.
    pub(super) waiting: BTreeSet<u64>,
    /// With an agent.
    pub(super) connected: BTreeSet<u64>,
    asked: u32,
    action: Option<u32>,
}

impl Floor {
    pub(super) fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.now = now;
        match event {
            Event::AgentAvailable(agent) => {
                self.forget(*agent);
                self.ready.insert(*agent);
            }
            Event::AgentBusy(agent) => {
                self.forget(*agent);
                self.talking.insert(*agent, now);
            }
            Event::AgentWrap(agent) => {
                self.forget(*agent);
                self.wrapping.insert(*agent);
            }
            Event::AgentGone(agent) => self.forget(*agent),
            Event::Dialed(line, _) => {
                self.asked = self.asked.saturating_sub(1);
                self.dialing.insert(*line, now);
            }
            Event::Answered(line, AnsweredBy::Human) => {
                self.dialing.remove(line);
                self.waiting.insert(*line);
            }
            Event::Connected(line, _) => {
                self.dialing.remove(line);
                self.waiting.remove(line);
                self.connected.insert(*line);
            }
            Event::Ended(line, _) => {
                self.dialing.remove(line);
                self.waiting.remove(line);
                self.connected.remove(line);
            }
            Event::NotDialed(lines) => self.asked = self.asked.saturating_sub(*lines),
            Event::Config(_)
            | Event::Ringing(_)
            | Event::Answered(_, AnsweredBy::Machine | AnsweredBy::Unknown)
            | Event::Abandoned(_)
            | Event::Tick => {}
        }
    }

    fn forget(&mut self, agent: u32) {
        self.ready.remove(&agent);
        self.talking.remove(&agent);
        self.wrapping.remove(&agent);
    }

    /// Agents who are logged in.
    pub(super) fn logged_in(&self) -> usize {
        self.ready.len() + self.talking.len() + self.wrapping.len()
    }

    /// Lines that no person has answered, those that are only asked for included.
    pub(super) fn in_progress(&self) -> usize {
        self.dialing.len() + self.asked as usize
    }

    /// Asks for so many lines; none if it is not more than 0.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates"
    )]
    pub(super) fn ask(&mut self, lines: f64) {
        let lines = lines.max(0.0) as u32;
        if lines > 0 {
            self.asked += lines;
            self.action = Some(self.action.unwrap_or(0) + lines);
        }
    }

    pub(super) fn action(&mut self) -> Option<Action<u64>> {
        self.action.take().map(Action::Dial)
    }
}

/// A number of agents or lines.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of agents and lines are small"
)]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}
