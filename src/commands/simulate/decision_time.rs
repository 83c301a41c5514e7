//! How long a pacing decision takes.

use serde_json::json;
use strowger_core::pacing::Config;
use strowger_sim::shift::{Scenario, Timed, policies, run};

/// Agents who are logged in.
const AGENTS: u32 = 1000;
/// Most lines at once.
const LINES: u32 = 3000;

/// Runs a quarter of an hour of a big floor and times each decision: an event and the
/// actions that follow. Gives the figures for people and as JSON.
pub(super) fn measure() -> (String, String) {
    let scenario = Scenario {
        hours: 0.5,
        warm_up_s: 900.0,
        agents: AGENTS,
        max_lines: LINES,
        ..floor()
    };
    let config = Config {
        max_lines: LINES,
        ..Config::default()
    };
    let mut timed = Timed::new(policies::Strowger::new(config, 1), 900.0);
    let outcome = run(&scenario, &mut timed, 1);
    let times = timed.finish();
    let json = json!({
        "agents": AGENTS,
        "lines": LINES,
        "lines_mean": times.lines_mean,
        "lines_max": times.lines_max,
        "decisions": times.decisions,
        "p50_us": times.p50_us,
        "p99_us": times.p99_us,
        "max_us": times.max_us,
    });
    let text = format!(
        "{AGENTS} agents, {:.0} lines at once on average and {} at most, {} decisions, occupancy \
         {:.1} %: p50 {:.1} us, p99 {:.1} us, at most {:.1} us",
        times.lines_mean,
        times.lines_max,
        times.decisions,
        outcome.occupancy(),
        times.p50_us,
        times.p99_us,
        times.max_us
    );
    (text, json.to_string())
}

/// A list with so low an answer rate that the lines are used up.
fn floor() -> Scenario {
    Scenario::plain("floor", 0.06)
}
