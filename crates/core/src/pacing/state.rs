//! What a pacer believes.

/// What a pacer believes and why, for the ledger and the supervisor.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct State {
    /// Agents counted, and those idle.
    pub agents: usize,
    /// Agents who can take a call now.
    pub idle: usize,
    /// Lines dialed or ringing.
    pub ringing: usize,
    /// People waiting.
    pub waiting: usize,
    /// Chance that a line dialed now is answered by a person.
    pub answer_rate: f64,
    /// Mean of talk and wrap, in seconds.
    pub handle_time_s: f64,
    /// Highest chance of being late accepted for one more line.
    pub risk: f64,
    /// Chance that the person of one more line would be late.
    pub chance: f64,
    /// People who answered within the window.
    pub answered: f64,
    /// Those of them who were late.
    pub late: f64,
    /// Upper confidence bound (95 %) of the legal metric, as a fraction.
    pub metric_upper: f64,
    /// Share of the budget used.
    pub budget_used: f64,
    /// Chance of ending the window within the limit.
    pub compliant: f64,
    /// Whether failing lines look like an outage.
    pub outage: bool,
}
