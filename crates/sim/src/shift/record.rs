//! Writes down what a policy hears.

use std::io::{self, Write};

use strowger_core::pacing::{Action, Config, Event};

use super::{
    policy::{Policy, Routing},
    wire,
};

/// A policy whose events are written as lines, after one with its configuration.
#[derive(Debug)]
pub struct Recorder<P, W> {
    policy: P,
    to: W,
    failed: Option<io::Error>,
}

impl<P: Policy, W: Write> Recorder<P, W> {
    /// Writes the configuration; the events follow.
    pub fn new(policy: P, config: &Config, to: W) -> Self {
        let mut recorder = Self {
            policy,
            to,
            failed: None,
        };
        recorder.write(0.0, &Event::Config(config.clone()));
        recorder
    }

    /// Says whether everything was written.
    pub fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }

    fn write(&mut self, now: f64, event: &Event<u64, u32>) {
        if self.failed.is_none() {
            self.failed = writeln!(self.to, "{}", wire::write(now, event)).err();
        }
    }
}

impl<P: Policy, W: Write> Policy for Recorder<P, W> {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.write(now, event);
        self.policy.handle(now, event);
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        self.policy.poll_action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        self.policy.poll_timeout()
    }

    fn routing(&self) -> Routing {
        self.policy.routing()
    }
}
