//! Runs every client and server on the same work, one after the other, and compares.
//! `scripts/bench-peers.sh` prepares the peers and starts it.

mod agi;
mod ami;
mod figures;
mod machine;
mod options;
mod process;
mod stall;

use std::time::Duration;

use serde_json::{Map, Value, json};

use options::{Options, Part};

/// Time to spend on waiting for quiet moments: figures of a busy machine are worth less
/// than figures a minute later.
const WAIT: Duration = Duration::from_secs(90);

fn main() -> anyhow::Result<()> {
    let options = Options::from_env()?;
    let mut quiet = machine::Quiet::within(WAIT);
    let mut outcome = Map::new();
    let machine = json!({
        "cores": machine::cores(),
        "load_average": machine::load_average(),
        "statistic": "best of the runs, on the better runtime",
        "runs": options.runs,
    });
    outcome.insert("machine".into(), machine);
    for part in &options.parts {
        let (name, mut figures) = match part {
            Part::Ami => ("ami", ami::measure(&options, &mut quiet)?),
            Part::Agi => ("agi", agi::measure(&options, &mut quiet)?),
            Part::Stall => ("stall", stall::measure(&options, &mut quiet)?),
        };
        if let Value::Object(figures) = &mut figures {
            let busy = figures::rounded(quiet.take_worst(), 2);
            figures.insert("busy_before".into(), busy);
        }
        outcome.insert(name.into(), figures);
    }
    if options.json {
        println!("{}", Value::Object(outcome));
    }
    Ok(())
}
