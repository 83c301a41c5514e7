//! A simulated shift: what a pacing policy does to agents and called people over a
//! working day, in virtual time.
//!
//! One thread, no clock and no network: [`run`] steps from event to event, so that eight
//! hours of thirty agents take a few milliseconds, and the same scenario, policy and seed
//! give the same figures. What is simulated is in a [`Scenario`]; who decides what to
//! dial is a [`Policy`], which hears the events of `strowger_core::pacing`, as the real
//! dialer's does.
//!
//! # Example
//!
//! ```
//! use strowger_sim::shift::{Scenario, policies, run};
//!
//! let mut scenario = Scenario::named("A").unwrap();
//! scenario.hours = 1.0;
//! let mut policy = policies::Power::progressive();
//! let outcome = run(&scenario, &mut policy, 1);
//! assert!(outcome.occupancy() > 50.0 && outcome.late2() == 0.0);
//! ```

mod batch;
mod chart;
mod draw;
mod engine;
mod observed;
mod outcome;
pub mod policies;
mod policy;
mod record;
mod scenario;
mod session;
mod timed;
pub mod wire;

pub use batch::{Summary, run_one, run_seeds};
pub use chart::{Course, chart};
pub use draw::{Duration, LogNormalDuration, Measured, NormalRing, Ring};
pub use engine::{run, run_shared};
pub use observed::{Observed, ObservedError, observe};
pub use outcome::{BIN_S, Bin, Counts, Outcome};
pub use policy::{Policy, Routing};
pub use record::Recorder;
pub use scenario::{
    Campaign, Inbound, NAMES, Outage, Pause, Scenario, ScenarioError, Staffing, Step, Target,
};
pub use session::{Reply, Session};
pub use timed::{Timed, Times};
