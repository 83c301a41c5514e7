//! Our own pacing.

use std::collections::VecDeque;

use strowger_core::pacing::{Action, Config, Event, Pacer};

use crate::shift::{Policy, Routing};

/// The pacer of the daemon, told each event and asked after each, as `strowger pace
/// --stdio` does. Who waits longer than the threshold is dropped, with the legal message.
pub struct Strowger {
    pacer: Pacer<u64, u32>,
    drop_after_s: f64,
    actions: VecDeque<Action<u64>>,
}

impl Strowger {
    /// A campaign with these settings; the seed is that of the pacer's draws.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            drop_after_s: config.threshold_s,
            pacer: Pacer::new(config, seed),
            actions: VecDeque::new(),
        }
    }
}

impl Policy for Strowger {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.pacer.handle(now, event);
        while let Some(action) = self.pacer.poll_action() {
            self.actions.push_back(action);
        }
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        self.actions.pop_front()
    }

    fn poll_timeout(&self) -> Option<f64> {
        self.pacer.poll_timeout()
    }

    fn routing(&self) -> Routing {
        Routing::instantaneous(self.drop_after_s)
    }
}
