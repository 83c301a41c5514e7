//! What a simulated exchange is told at its start.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    time::Duration,
};

use secrecy::SecretString;

use crate::{Callee, CalleeModel, Spread};

/// Configuration of a [`SimExchange`](crate::SimExchange).
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Where to listen for manager connections; port 0 takes a free one.
    pub ami_listen: SocketAddr,
    /// Where the daemon answers FastAGI (`STROWGER_AGI` of a dialplan).
    pub agi_addr: SocketAddr,
    /// Manager account.
    pub username: String,
    /// Secret of the account.
    pub secret: SecretString,
    /// Event classes that the account reads.
    pub read: Vec<String>,
    /// Action classes that the account writes.
    pub write: Vec<String>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// How numbers behave.
    pub model: CalleeModel,
    /// Numbers and stations that behave as told, and not as drawn.
    pub pins: HashMap<String, Callee>,
    /// Trunks without a line: whatever is dialed through one ends as
    /// [`Outcome::Congestion`](crate::Outcome::Congestion).
    pub failing_trunks: HashSet<String>,
    /// How long a station rings before its agent answers.
    pub agent_answer: Spread,
    /// Length of every prompt.
    pub prompt: Duration,
    /// Length of the message for a caller whom the daemon does not take.
    pub safe_harbour: Duration,
    /// All durations of the simulated world are divided by this: 1.0 is real
    /// time, 20.0 suits tests. Must be positive.
    pub time_scale: f64,
    /// Most channels at once; an Originate beyond fails.
    pub max_channels: usize,
}

impl SimConfig {
    /// A world in real time on a free loopback port, with the permissions that
    /// the manager account of the daemon has on a real server.
    pub fn new(
        agi_addr: SocketAddr,
        username: impl Into<String>,
        secret: impl Into<SecretString>,
    ) -> Self {
        let classes = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            ami_listen: ([127, 0, 0, 1], 0).into(),
            agi_addr,
            username: username.into(),
            secret: secret.into(),
            read: classes(&["system", "call", "user"]),
            write: classes(&["originate", "call", "reporting"]),
            seed: 1,
            model: CalleeModel::default(),
            pins: HashMap::new(),
            failing_trunks: HashSet::new(),
            agent_answer: Spread::millis(800, 300),
            prompt: Duration::from_secs(3),
            safe_harbour: Duration::from_secs(4),
            time_scale: 1.0,
            max_channels: 20_000,
        }
    }

    /// Makes a number or a station behave as told.
    #[must_use]
    pub fn pin(mut self, number: impl Into<String>, callee: Callee) -> Self {
        self.pins.insert(number.into(), callee);
        self
    }
}
