//! Events per second of manager clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use strowger_benches::recording::Recording;
use strowger_benches::report::{Listening, Received, Sent};

use crate::figures::{self, OURS, Table};
use crate::machine::Quiet;
use crate::options::Options;
use crate::process::{Kind, Running};

/// All clients beside ours.
pub(crate) const PEERS: &[&str] = &[
    "asterisk-rs-ami",
    "panoramisk",
    "asterisk-ami",
    "asterisk-manager",
];

const CANDIDATES: &[(&str, Kind)] = &[
    (OURS, Kind::Rust("ami_strowger", "multi")),
    (OURS, Kind::Rust("ami_strowger", "current")),
    ("asterisk-rs-ami", Kind::Rust("ami_asterisk_rs", "multi")),
    ("asterisk-rs-ami", Kind::Rust("ami_asterisk_rs", "current")),
    ("panoramisk", Kind::Python("ami_panoramisk.py")),
    ("asterisk-ami", Kind::Python("ami_asterisk_ami.py")),
    ("asterisk-manager", Kind::Node("ami_asterisk_manager.js")),
];

/// How often the recording is replayed in one run.
const ROUNDS: usize = 3;

/// One run of one client.
struct Run {
    received: Received,
    sent: Sent,
    /// Processor time of the client, its start among it.
    client_time_s: f64,
}

impl Run {
    /// From the first byte written to the receipt of the end marker. Events that the
    /// client lost do not count.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn events_per_s(&self) -> f64 {
        let elapsed_us = self
            .received
            .ended_at_us
            .saturating_sub(self.sent.started_at_us);
        self.received.events as f64 * 1e6 / elapsed_us.max(1) as f64
    }

    /// Events for each second of processor time of the client.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn events_per_cpu_s(&self) -> f64 {
        self.received.events as f64 / self.client_time_s.max(0.01)
    }

    /// Events that were sent and not received.
    fn lost(&self) -> u64 {
        (self.sent.events + 1).saturating_sub(self.received.events)
    }
}

pub(crate) fn measure(options: &Options, quiet: &mut Quiet) -> anyhow::Result<Value> {
    let (file, recorded) = unpack(options)?;
    let rounds = if options.quick { 1 } else { ROUNDS };
    let events = recorded * rounds;
    let mut table = Table::new();
    let mut ceilings = Vec::new();
    for run in 1..=options.runs {
        eprintln!(
            "AMI, run {run} of {}: {events} events for each client",
            options.runs
        );
        quiet.wait();
        let discard = Command::new(Options::program("ami_discard")?);
        ceilings.push(replay(&file, events, |numbers| {
            let mut discard = discard;
            for (name, number) in numbers {
                discard.arg(format!("--{name}")).arg(number.to_string());
            }
            Ok(discard)
        })?);
        for (peer, kind) in CANDIDATES {
            if *peer == OURS || options.wants(peer) {
                quiet.wait();
                let outcome = replay(&file, events, |numbers| kind.command(options, numbers));
                table.add(peer, kind.runtime(), outcome)?;
            }
        }
    }
    Ok(summary(&table, &ceilings))
}

/// The recording without its compression, and how many events it has.
fn unpack(options: &Options) -> anyhow::Result<(PathBuf, usize)> {
    let recording = Recording::load(&options.events)?;
    let file = options.cache.join("events");
    std::fs::write(&file, &recording.bytes)
        .with_context(|| format!("cannot write {}", file.display()))?;
    Ok((file, recording.ends.len()))
}

fn replay(
    file: &Path,
    events: usize,
    client: impl FnOnce(&[(&str, u64)]) -> anyhow::Result<Command>,
) -> anyhow::Result<Run> {
    let mut server = Command::new(Options::program("replay")?);
    server.arg("--file").arg(file);
    server.arg("--events").arg(events.to_string());
    let mut server = Running::start(server)?;
    let port = server.line::<Listening>()?.listening;
    let numbers = [("port", u64::from(port)), ("events", events as u64)];
    let mut client = Running::start(client(&numbers)?)?;
    let received = client.line::<Received>()?;
    let client_time_s = client.processor_time_s()?;
    client.stop()?;
    let sent = server.line::<Sent>()?;
    ensure!(
        received.events <= sent.events + 1,
        "the client counted {} events of {}",
        received.events,
        sent.events + 1
    );
    Ok(Run {
        received,
        sent,
        client_time_s,
    })
}

fn summary(table: &Table<Run>, ceilings: &[Run]) -> Value {
    let best = table.best(Run::events_per_s);
    let ceiling = figures::highest(ceilings.iter().map(Run::events_per_s));
    println!("\nAMI: events received per second, best of the runs");
    println!(
        "{:<18} {:>12} {:>12}  {:<8} runs",
        "", "events/s", "per cpu s", "runtime"
    );
    let mut lost = BTreeMap::new();
    for (peer, best) in &best {
        let runs = best
            .runs
            .iter()
            .map(|run| format!("{:.0}", run.events_per_s()));
        println!(
            "{peer:<18} {:>12.0} {:>12.0}  {:<8} {}",
            best.run.events_per_s(),
            best.run.events_per_cpu_s(),
            best.runtime,
            runs.collect::<Vec<_>>().join(" ")
        );
        if best.run.lost() > 0 {
            println!("{:<18} lost {} of its events", "", best.run.lost());
            lost.insert(*peer, best.run.lost());
        }
    }
    println!(
        "{:<18} {ceiling:>12.0}  reads and discards",
        "(replay ceiling)"
    );
    let sent = ceilings
        .first()
        .map(|run| (run.sent.events, run.sent.bytes));
    let (events, bytes) = sent.unwrap_or_default();
    let per_s = figures::of_best(&best, Run::events_per_s);
    let per_cpu_s = figures::of_best(&best, Run::events_per_cpu_s);
    json!({
        "events": events,
        "bytes": bytes,
        "events_per_s": figures::by_peer(&per_s, 0),
        "ratio_to_best": figures::ratio(&per_s, f64::max),
        "events_per_client_cpu_s": figures::by_peer(&per_cpu_s, 0),
        "replay_ceiling_events_per_s": figures::rounded(ceiling, 0),
        "runtime": figures::runtimes(&best),
        "runs": table.every_run(Run::events_per_s, 0),
        "lost": lost,
        "failed": table.failed(),
    })
}
