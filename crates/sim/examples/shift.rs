//! Figures of a scenario under a policy: `shift A progressive 4`, the last being the
//! number of seeds.

use std::process::ExitCode;

use strowger_core::pacing::Config;
use strowger_sim::shift::{Scenario, run_one};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it is for")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "A".to_owned());
    let policy = arguments.next().unwrap_or_else(|| "progressive".to_owned());
    let seeds = arguments
        .next()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(4_u64);
    let scenario = match Scenario::named(&name) {
        Ok(scenario) => scenario,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let (mut occupancy, mut late2, mut abandoned, mut dials, mut worst) =
        (0.0, 0.0, 0.0, 0.0, 0.0_f64);
    for seed in 1..=seeds {
        let outcome = match run_one(&scenario, &policy, &Config::default(), seed) {
            Ok(outcome) => outcome,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        println!(
            "seed {seed}: occupancy {:.2} late2 {:.2} abandoned {:.2} worst hour {:.2} cancelled {} (early {})",
            outcome.occupancy(),
            outcome.late2(),
            outcome.abandoned(),
            outcome.worst_hour,
            outcome.counts.cancelled,
            outcome.counts.cancelled_early,
        );
        occupancy += outcome.occupancy();
        late2 += outcome.late2();
        abandoned += outcome.abandoned();
        dials += outcome.dials_per_agent_hour();
        worst = worst.max(outcome.worst_hour);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few seeds")]
    let n = seeds.max(1) as f64;
    println!(
        "{name} {policy}: occupancy {:.2} late2 {:.2} abandoned {:.2} dials/agent/h {:.1} worst hour {worst:.2}",
        occupancy / n,
        late2 / n,
        abandoned / n,
        dials / n,
    );
    ExitCode::SUCCESS
}
