//! So many lines for each free agent.

use std::collections::BTreeSet;

use strowger_core::pacing::{Action, Event};

use crate::shift::{Policy, Routing};

/// Keeps a number of lines dialing per free agent: with 1 it is progressive dialing,
/// which abandons nobody.
#[derive(Debug)]
pub struct Power {
    lines_per_agent: f64,
    drop_after_s: f64,
    free: BTreeSet<u32>,
    dialing: BTreeSet<u64>,
    asked: u32,
}

impl Power {
    /// One line per free agent.
    pub fn progressive() -> Self {
        Self::new(1.0)
    }

    /// So many lines per free agent, rounded down over all agents.
    pub fn new(lines_per_agent: f64) -> Self {
        Self {
            lines_per_agent,
            drop_after_s: 5.0,
            free: BTreeSet::new(),
            dialing: BTreeSet::new(),
            asked: 0,
        }
    }
}

impl Policy for Power {
    fn handle(&mut self, _now: f64, event: &Event<u64, u32>) {
        match event {
            Event::AgentAvailable(agent) => {
                self.free.insert(*agent);
            }
            Event::AgentBusy(agent) | Event::AgentWrap(agent) | Event::AgentGone(agent) => {
                self.free.remove(agent);
            }
            Event::Dialed(line, _) => {
                self.asked = self.asked.saturating_sub(1);
                self.dialing.insert(*line);
            }
            Event::Connected(line, _) | Event::Ended(line, _) => {
                self.dialing.remove(line);
            }
            Event::NotDialed(lines) => self.asked = self.asked.saturating_sub(*lines),
            Event::Tick
            | Event::Config(_)
            | Event::Ringing(_)
            | Event::Answered(..)
            | Event::Abandoned(_) => {}
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of agents and lines are small"
    )]
    fn poll_action(&mut self) -> Option<Action<u64>> {
        let goal = (self.free.len() as f64 * self.lines_per_agent) as usize;
        let lines = goal.saturating_sub(self.dialing.len() + self.asked as usize);
        let lines = u32::try_from(lines).ok().filter(|lines| *lines > 0)?;
        self.asked += lines;
        Some(Action::Dial(lines))
    }

    fn poll_timeout(&self) -> Option<f64> {
        None
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(self.drop_after_s)
    }
}
