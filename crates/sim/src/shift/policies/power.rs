//! So many lines for each free agent.

use strowger_core::pacing::{Action, Event};

use super::floor::{Floor, count};
use crate::shift::{Policy, Routing};

/// Keeps `⌊lines per agent · free agents⌋` lines dialing. With 1 it is progressive
/// dialing, which abandons nobody. WombatDialer's boost (with no call waiting) and
/// GNUDialer's power mode, `max(0, int(maxratio·avail − dialing))`, are the same formula.
#[derive(Debug)]
pub struct Power {
    lines_per_agent: f64,
    floor: Floor,
}

impl Power {
    /// One line per free agent.
    pub fn progressive() -> Self {
        Self::new(1.0)
    }

    /// So many lines per free agent.
    pub fn new(lines_per_agent: f64) -> Self {
        Self {
            lines_per_agent,
            floor: Floor::default(),
        }
    }
}

impl Policy for Power {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.floor.handle(now, event);
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        let goal = (count(self.floor.ready.len()) * self.lines_per_agent).floor();
        self.floor.ask(goal - count(self.floor.in_progress()));
        self.floor.action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        None
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(5.0)
    }
}
