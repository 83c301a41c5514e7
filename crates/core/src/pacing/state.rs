//! What a pacer believes.

/// What a pacer believes and why it dials as it does: for the ledger and the supervisor.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct State {
    /// Agents counted.
    pub agents: usize,
    /// Those who can take a call now.
    pub idle: usize,
    /// Lines that a person may still answer.
    pub ringing: usize,
    /// Lines asked for and not dialed yet.
    pub asked: u32,
    /// People waiting for an agent.
    pub waiting: usize,
    /// Chance that a line dialed now is answered by a person.
    pub answer_rate: f64,
    /// Mean time of a call and its wrap-up, in seconds.
    pub handle_time_s: f64,
    /// Highest chance of being late that one more person is dialed at.
    pub risk: f64,
    /// Chance of being late of the person of one more line, at the last decision.
    pub chance: f64,
    /// People who answered within the window.
    pub answered: f64,
    /// Those of them who were not connected in time.
    pub late: f64,
    /// Upper confidence bound (95 %) of their share: the legal metric.
    pub metric_upper: f64,
    /// Share of the allowed late people used: 1 at the limit.
    pub budget_used: f64,
    /// Chance of being within the limit after another hour like this.
    pub compliant: f64,
    /// So many lines fail that it looks like an outage: only one line per idle agent is
    /// dialed.
    pub outage: bool,
}
