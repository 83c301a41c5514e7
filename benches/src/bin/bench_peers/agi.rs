//! FastAGI sessions per second of servers.

use std::net::TcpListener;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use strowger_benches::report::{Listening, Load};

use crate::figures::{self, OURS, Table};
use crate::machine::Quiet;
use crate::options::Options;
use crate::process::{Kind, Running};

/// All servers beside ours.
pub(crate) const PEERS: &[&str] = &["asterisk-rs-agi", "panoramisk", "ding-dong"];

const CANDIDATES: &[(&str, Kind)] = &[
    (OURS, Kind::Rust("agi_strowger", "multi")),
    (OURS, Kind::Rust("agi_strowger", "current")),
    ("asterisk-rs-agi", Kind::Rust("agi_asterisk_rs", "multi")),
    ("asterisk-rs-agi", Kind::Rust("agi_asterisk_rs", "current")),
    ("panoramisk", Kind::Python("agi_panoramisk.py")),
    ("ding-dong", Kind::Node("agi_ding_dong.js")),
];

/// Sessions at the same time.
const PARALLEL: u64 = 100;

/// One run of one server.
struct Run {
    load: Load,
    /// Sessions for each second of processor time of the server, which still tells
    /// servers apart when the load is slower than they are.
    sessions_per_cpu_s: f64,
}

pub(crate) fn measure(options: &Options, quiet: &mut Quiet) -> anyhow::Result<Value> {
    let (warmup, sessions) = if options.quick {
        (500, 1_500)
    } else {
        (1_000, 5_000)
    };
    let mut table = Table::new();
    let mut ceilings = Vec::new();
    for run in 1..=options.runs {
        eprintln!(
            "FastAGI, run {run} of {}: {sessions} sessions for each server",
            options.runs
        );
        quiet.wait();
        let floor = Command::new(Options::program("agi_floor")?);
        ceilings.push(load(floor, warmup, sessions)?);
        for (peer, kind) in CANDIDATES {
            if *peer == OURS || options.wants(peer) {
                quiet.wait();
                let server = kind.command(options, &[("port", free_port()?)])?;
                table.add(peer, kind.runtime(), load(server, warmup, sessions))?;
            }
        }
    }
    Ok(summary(&table, &ceilings, sessions))
}

/// A port that nobody listens on: not every server can say which one it took.
fn free_port() -> anyhow::Result<u64> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port().into())
}

fn load(server: Command, warmup: u64, sessions: u64) -> anyhow::Result<Run> {
    let mut server = Running::start(server)?;
    let port = server.line::<Listening>()?.listening;
    let mut load = Command::new(Options::program("agi_load")?);
    let numbers = [
        ("port", u64::from(port)),
        ("parallel", PARALLEL),
        ("warmup", warmup),
        ("sessions", sessions),
    ];
    for (name, number) in numbers {
        load.arg(format!("--{name}")).arg(number.to_string());
    }
    let before = server.processor_time_s()?;
    let load = Running::start(load)?.line::<Load>()?;
    ensure!(load.failed == 0, "{} sessions failed", load.failed);
    let server_time_s = server.processor_time_s()? - before;
    server.stop()?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let served = (warmup + sessions) as f64;
    Ok(Run {
        load,
        sessions_per_cpu_s: served / server_time_s.max(0.01),
    })
}

fn summary(table: &Table<Run>, ceilings: &[Run], sessions: u64) -> Value {
    let best = table.best(|run| run.load.sessions_per_s);
    println!("\nFastAGI: {PARALLEL} sessions in parallel, 20 GET VARIABLE each, best of the runs");
    println!(
        "{:<18} {:>10} {:>10} {:>8} {:>8} {:>9} {:>9}  {:<8} runs",
        "", "sessions/s", "commands/s", "p50 ms", "p99 ms", "load cpu", "per cpu s", "runtime"
    );
    for (peer, best) in &best {
        print_row(peer, best.runtime, best.run, best.runs);
    }
    let ceiling = figures::highest(ceilings.iter().map(|run| run.load.sessions_per_s));
    for run in ceilings {
        if run.load.sessions_per_s >= ceiling {
            print_row("(load ceiling)", "", run, ceilings);
        }
    }
    let per_s = figures::of_best(&best, |run| run.load.sessions_per_s);
    let per_cpu_s = figures::of_best(&best, |run| run.sessions_per_cpu_s);
    let p50 = figures::of_best(&best, |run| run.load.p50_ms);
    let p99 = figures::of_best(&best, |run| run.load.p99_ms);
    json!({
        "sessions": sessions,
        "parallel": PARALLEL,
        "sessions_per_s": figures::by_peer(&per_s, 0),
        "p50_ms": figures::by_peer(&p50, 2),
        "p99_ms": figures::by_peer(&p99, 2),
        "ratio_to_best": figures::ratio(&per_s, f64::max),
        "p99_ratio": figures::ratio(&p99, f64::min),
        "sessions_per_server_cpu_s": figures::by_peer(&per_cpu_s, 0),
        "cpu_ratio_to_best": figures::ratio(&per_cpu_s, f64::max),
        "load_ceiling_sessions_per_s": figures::rounded(ceiling, 0),
        "runtime": figures::runtimes(&best),
        "runs": table.every_run(|run| run.load.sessions_per_s, 0),
        "p99_runs_ms": table.every_run(|run| run.load.p99_ms, 2),
        "cpu_runs": table.every_run(|run| run.sessions_per_cpu_s, 0),
        "failed": table.failed(),
    })
}

fn print_row(peer: &str, runtime: &str, run: &Run, runs: &[Run]) {
    let every = runs
        .iter()
        .map(|run| format!("{:.0}", run.load.sessions_per_s));
    println!(
        "{peer:<18} {:>10.0} {:>10.0} {:>8.1} {:>8.1} {:>8.0}% {:>9.0}  {runtime:<8} {}",
        run.load.sessions_per_s,
        run.load.commands_per_s,
        run.load.p50_ms,
        run.load.p99_ms,
        run.load.load_cpu * 100.0,
        run.sessions_per_cpu_s,
        every.collect::<Vec<_>>().join(" ")
    );
}
