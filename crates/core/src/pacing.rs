//! Predictive pacing: how many lines to dial now, and which ringing ones to give up.
//!
//! One [`Pacer`] per campaign. It is told what happens to agents and lines and answers
//! with [`Action`]s. Time is seconds on any clock that never goes back: the pacer reads
//! none by itself, and the same events give the same actions.
//!
//! An agent counts for one campaign at a time: whoever runs several campaigns with the
//! same agents tells [`Event::AgentGone`] to one pacer and [`Event::AgentAvailable`] to
//! another when it moves an agent.
//!
//! # How it decides
//!
//! At each event, and twice a second, one question is asked again and again: if one more
//! line were dialed now, how likely is it that its person answers and finds nobody free
//! within the legal time? As long as that chance is below the accepted *risk*, the line
//! is dialed.
//!
//! - `agents` says when each agent will be free, from how long they have talked or wrapped
//!   up and what was learned of handle times;
//! - `answers` says when each line will be answered, from how long it has rung, at what
//!   level the list answers now, and from which segment it is;
//! - `forecast` puts both together: the balance of free agents and people ahead;
//! - `budget` moves the risk so that the people who are late follow what the limit allows,
//!   and takes it away before the limit is reached;
//! - `decide` asks the question.
//!
//! A pacer that is made anew is told what was counted within the legal window before
//! ([`Pacer::remember`]): a restart gives no budget back. What it learned of people and
//! agents is learned again, from the careful beginning.
//!
//! There is one setting for every list: [`Config::abandon_limit`]. A campaign begins as a
//! progressive one and becomes faster as people answer: the limit is a share of them, and
//! with none there is nothing to spend.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "counts of agents and lines, and ages in seconds, become each other as indices and means; all are small and clamped"
)]

use std::fmt::Debug;

mod agents;
mod answers;
mod budget;
mod decide;
mod forecast;
mod hazard;
mod lines;
mod pacer;
mod state;

pub use pacer::Pacer;
pub use state::State;

/// What may name a line or an agent.
pub trait Key: Clone + Ord + Debug {}
impl<T: Clone + Ord + Debug> Key for T {}

/// What a campaign allows. See [`Config::default`] for the values of the FTC's rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Most of the people who answered that may be abandoned, as a fraction: 0.03.
    pub abandon_limit: f64,
    /// A person is abandoned when not connected within so many seconds: 2.
    pub threshold_s: f64,
    /// Over how long the limit is kept, in seconds: 86,400.
    pub window_s: f64,
    /// How long a line may ring, in seconds.
    pub ring_timeout_s: f64,
    /// No line is given up before it has rung so long, in seconds: 15.
    pub min_ring_s: f64,
    /// Most lines at once, connected ones among them.
    pub max_lines: u32,
    /// Most lines dialed per second.
    pub max_cps: f64,
    /// A supervisor's wish to go faster or slower, 1 for neither: it scales how much of
    /// the legal budget is spent, and never lifts the limit.
    pub boost: f64,
    /// Share of machines' answers that are people (false positives of machine detection),
    /// upper bound: they count as abandoned people. 0 without detection.
    pub amd_false_positive: f64,
    /// Longest time from dialing to ringing where the exchange does not tell
    /// [`Event::Ringing`], in seconds: such a line is given up so much later.
    pub setup_s: f64,
    /// Longest greeting of a person, in seconds. Where machine detection tells
    /// [`AnsweredBy::Unknown`] first, the threshold runs from the end of the greeting (16
    /// CFR 310.4(b)(4)(ii)): so much after the answer, or from the detection if that is
    /// earlier. 0 counts from the answer.
    pub greeting_s: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            abandon_limit: 0.03,
            threshold_s: 2.0,
            window_s: 86_400.0,
            ring_timeout_s: 26.0,
            min_ring_s: 15.0,
            max_lines: 10_000,
            max_cps: 1_000.0,
            boost: 1.0,
            amd_false_positive: 0.0,
            setup_s: 2.0,
            greeting_s: 0.0,
        }
    }
}

impl Config {
    /// The same with every field within what it can mean.
    fn sane(self) -> Self {
        let default = Self::default();
        let or = |value: f64, other: f64| if value.is_finite() { value } else { other };
        Self {
            abandon_limit: or(self.abandon_limit, default.abandon_limit).clamp(0.0, 1.0),
            threshold_s: or(self.threshold_s, default.threshold_s).clamp(0.0, 60.0),
            window_s: or(self.window_s, default.window_s).max(60.0),
            ring_timeout_s: or(self.ring_timeout_s, default.ring_timeout_s).clamp(1.0, 120.0),
            min_ring_s: or(self.min_ring_s, default.min_ring_s).max(0.0),
            max_lines: self.max_lines,
            max_cps: or(self.max_cps, default.max_cps).max(0.0),
            boost: or(self.boost, default.boost).max(0.0),
            amd_false_positive: or(self.amd_false_positive, 0.0).clamp(0.0, 1.0),
            setup_s: or(self.setup_s, default.setup_s).max(0.0),
            greeting_s: or(self.greeting_s, default.greeting_s).max(0.0),
        }
    }

    /// Whether a person who has waited so long is late. A clock's rounding is none.
    fn late(&self, waited_s: f64) -> bool {
        waited_s > self.threshold_s + 1e-6
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    /// A person.
    Human,
    /// A machine.
    Machine,
    /// Not known (yet).
    Unknown,
}

/// How a line ended, as far as pacing cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// A conversation or a message was over.
    Completed,
    /// Nobody answered within the ring time.
    NoAnswer,
    /// Busy.
    Busy,
    /// Not reached: invalid number, congestion, carrier failure.
    Failed,
    /// Given up before the answer.
    Cancelled,
}

/// Which contacts a line belongs to, for learning: a list, a type of number, or both.
/// 0 when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Segment(pub u32);

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event<L, A> {
    /// The settings changed.
    Config(Config),
    /// An agent can take a call.
    AgentAvailable(A),
    /// An agent talks: with the line last connected to them, or on a call that is none
    /// of this campaign's (inbound, manual).
    AgentBusy(A),
    /// An agent wraps up.
    AgentWrap(A),
    /// An agent paused, logged out or counts for another campaign.
    AgentGone(A),
    /// A line is being dialed.
    Dialed(L, Segment),
    /// A line rings. Optional: without it the set-up time is learned from answers.
    Ringing(L),
    /// A line was answered. May be told twice, first with `Unknown`.
    Answered(L, AnsweredBy),
    /// A line was connected to an agent.
    Connected(L, A),
    /// A person was not connected in time.
    Abandoned(L),
    /// A line is gone.
    Ended(L, LineEnd),
    /// Fewer lines can be dialed than were asked for (an empty list, a carrier limit):
    /// so many of them will not come.
    NotDialed(u32),
    /// Nothing but the passing of time.
    Tick,
}

/// People counted within a stretch of time before the pacer was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    /// When it began, in seconds on the clock of the pacer.
    pub from: f64,
    /// When it ended.
    pub until: f64,
    /// People who answered within it.
    pub people: u32,
    /// People who turned out within it not to be connected in time.
    pub late: u32,
    /// Calls that machine detection took for a machine's within it.
    pub machines: u32,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action<L> {
    /// Dial so many lines. Each is expected to be told as [`Event::Dialed`] soon.
    Dial(u32),
    /// Give this ringing line up.
    Cancel(L),
}

#[cfg(test)]
mod tests;
