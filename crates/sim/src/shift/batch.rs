//! Many seeds at once, and what they have in common.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use serde::Serialize;
use strowger_core::pacing::Config;

use super::{
    engine::{run, run_shared},
    outcome::Outcome,
    policies::{self, UnknownPolicy},
    scenario::{Scenario, Target},
};

/// Figures of a scenario under a policy, over several seeds. Percentages are numbers from
/// 0 to 100; each is the mean of the seeds unless its name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the policy.
    pub policy: String,
    /// How many seeds.
    pub seeds: u64,
    /// Talk and wrap-up, of the time that agents were logged in.
    pub occupancy: f64,
    /// People not connected within 2 s, of those who answered.
    pub late2: f64,
    /// People never connected, of those who answered.
    pub abandoned: f64,
    /// Lines dialed per hour that an agent was logged in.
    pub dials_per_agent_hour: f64,
    /// Lowest occupancy of a seed.
    pub occupancy_min: f64,
    /// Highest occupancy of a seed.
    pub occupancy_max: f64,
    /// Lowest late2 of a seed.
    pub late2_min: f64,
    /// Highest late2 of a seed.
    pub late2_max: f64,
    /// Highest late2 of any hour of any seed.
    pub late2_hour_max: f64,
    /// Lines that were given up per 100 dials.
    pub cancelled: f64,
    /// Of these, before they had rung 15 s, in all seeds: there should be none.
    pub cancelled_early: u64,
    /// Mean wait of the callers of blended campaigns, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers_wait_s: Option<f64>,
    /// Callers who gave up, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers_lost: Option<f64>,
    /// What our own pacing should reach in this scenario.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Whether it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<bool>,
}

/// Runs a scenario with each seed from 1 on, on every core.
pub fn run_seeds(
    scenario: &Scenario,
    policy: &str,
    config: &Config,
    seeds: u64,
) -> Result<Vec<Outcome>, UnknownPolicy> {
    policies::named(policy, config, 0)?;
    let next = AtomicU64::new(1);
    let worker = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > seeds {
                return Ok(outcomes);
            }
            outcomes.push(run_one(scenario, policy, config, seed)?);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut outcomes = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Result<Vec<_>, _>>()
            .map(|outcomes| outcomes.into_iter().flatten().collect::<Vec<_>>())
    })?;
    outcomes.sort_by_key(|outcome| outcome.seed);
    Ok(outcomes)
}

/// Runs a scenario once. Policies that draw at random do so by the same seed.
pub fn run_one(
    scenario: &Scenario,
    policy: &str,
    config: &Config,
    seed: u64,
) -> Result<Outcome, UnknownPolicy> {
    let mut first = policies::named(policy, config, seed)?;
    Ok(if scenario.second.is_some() {
        let mut second = policies::named(policy, config, seed)?;
        run_shared(scenario, [&mut *first, &mut *second], seed)
    } else {
        run(scenario, &mut *first, seed)
    })
}

/// Rounds to so many hundredths that it reads well.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Summary {
    /// What these outcomes of one scenario and one policy have in common.
    pub fn of(scenario: &str, policy: &str, outcomes: &[Outcome]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a few seeds")]
        let count = outcomes.len().max(1) as f64;
        let mean =
            |of: &dyn Fn(&Outcome) -> f64| hundredths(outcomes.iter().map(of).sum::<f64>() / count);
        let low = |of: &dyn Fn(&Outcome) -> f64| {
            hundredths(outcomes.iter().map(of).fold(f64::INFINITY, f64::min))
        };
        let high =
            |of: &dyn Fn(&Outcome) -> f64| hundredths(outcomes.iter().map(of).fold(0.0, f64::max));
        let callers = outcomes
            .iter()
            .any(|outcome| outcome.counts.callers_served + outcome.counts.callers_lost > 0);
        Self {
            scenario: scenario.to_owned(),
            policy: policy.to_owned(),
            seeds: outcomes.len() as u64,
            occupancy: mean(&Outcome::occupancy),
            late2: mean(&Outcome::late2),
            abandoned: mean(&Outcome::abandoned),
            dials_per_agent_hour: mean(&Outcome::dials_per_agent_hour),
            occupancy_min: low(&Outcome::occupancy),
            occupancy_max: high(&Outcome::occupancy),
            late2_min: low(&Outcome::late2),
            late2_max: high(&Outcome::late2),
            late2_hour_max: high(&|outcome| outcome.worst_hour),
            cancelled: mean(&Outcome::cancelled),
            cancelled_early: outcomes
                .iter()
                .map(|outcome| outcome.counts.cancelled_early)
                .sum(),
            callers_wait_s: callers.then(|| mean(&|outcome| outcome.callers_wait_s)),
            callers_lost: callers.then(|| mean(&Outcome::callers_lost)),
            target: None,
            reached: None,
        }
    }

    /// The same beside a target.
    #[must_use]
    pub fn beside(mut self, target: Option<&Target>) -> Self {
        self.reached = target.map(|target| {
            self.occupancy >= target.occupancy
                && self.late2 <= target.late2
                && target
                    .late2_hour
                    .is_none_or(|hour| self.late2_hour_max <= hour)
        });
        self.target = target.cloned();
        self
    }
}
