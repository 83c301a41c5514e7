//! Measures imports through the API of a running daemon.
//!
//! `bench_lists (--import | --dnc) [--lines N] [--directory PATH]` starts `strowger serve` with a
//! private database in the directory and sends it a file, made while it is sent: contacts with
//! `--import`, a do-not-call list with `--dnc`, in which numbers are then looked up. What the
//! daemon answers is compared with what the file holds. The last line is one JSON object.
//!
//! See `scripts/bench-lists.sh`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

mod daemon;
mod file;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use daemon::Daemon;
use file::{Contacts, Register};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Numbers looked up in the do-not-call list, one after the other.
const LOOKUPS: u32 = 20_000;

struct Options {
    what: What,
    lines: u32,
    directory: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Import,
    Dnc,
}

impl Options {
    fn read() -> anyhow::Result<Self> {
        let (mut what, mut lines) = (None, 1_000_000);
        let mut directory = PathBuf::from("/var/tmp/strowger-bench-import");
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .with_context(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--import" => what = Some(What::Import),
                "--dnc" => what = Some(What::Dnc),
                "--lines" => lines = value()?.parse()?,
                "--directory" => directory = value()?.into(),
                other => bail!("unknown option {other}"),
            }
        }
        let what = what.context("give --import or --dnc")?;
        Ok(Self {
            what,
            lines,
            directory,
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::read()?;
    let mut daemon = Daemon::start(&options.directory).await?;
    let measured = match options.what {
        What::Import => import(&daemon, options.lines).await,
        What::Dnc => dnc(&daemon, options.lines).await,
    };
    daemon.stop().await?;
    let line = measured?;
    std::fs::remove_dir_all(&options.directory)?;
    println!("{line}");
    Ok(())
}

async fn import(daemon: &Daemon, lines: u32) -> anyhow::Result<Value> {
    let trunk = daemon.get("/api/v1/trunks").await?["data"][0]["id"].clone();
    let campaign =
        json!({ "id": "bench", "name": "Benchmark", "mode": "progressive", "trunk_ids": [trunk] });
    daemon.post("/api/v1/campaigns", &campaign).await?;
    let before = daemon.memory()?;
    println!("importing {lines} lines");
    let start = Instant::now();
    let answer = daemon
        .send(
            "/api/v1/campaigns/bench/contacts/import",
            "text/csv",
            Contacts::new(lines),
        )
        .await?;
    let seconds = start.elapsed().as_secs_f64();
    let after = daemon.memory()?;
    let cpu_s = daemon.cpu_seconds()?;
    let report = &answer["data"];
    let expected = file::expected(lines);
    let count = |name: &str| report[name].as_u64().unwrap_or(u64::MAX);
    ensure!(
        (count("total"), count("duplicates"), count("rejected"))
            == (
                u64::from(lines),
                expected.duplicates,
                expected.duplicates + expected.bad
            ),
        "the file has {lines} lines with {} duplicates and {} bad numbers, but the daemon answered {}",
        expected.duplicates,
        expected.bad,
        json!({ "total": report["total"], "duplicates": report["duplicates"], "rejected": report["rejected"] }),
    );
    let refused: Vec<u64> = report["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["line"].as_u64())
        .collect();
    ensure!(
        refused == expected.first_refused,
        "the lines that were refused first are not those of the file"
    );
    let stored = daemon.get("/api/v1/campaigns/bench").await?["data"]["contacts"]["ready"].clone();
    ensure!(
        stored == report["imported"],
        "{stored} contacts are stored, {} were reported",
        report["imported"]
    );
    Ok(json!({
        "benchmark": "import",
        "lines": lines,
        "lines_per_s": (f64::from(lines) / seconds).round(),
        "seconds": tenths(seconds),
        "peak_rss_mb": after.peak_mb,
        "rss_before_mb": before.now_mb,
        "daemon_cpu_s": tenths(cpu_s),
        "imported": report["imported"],
        "duplicates": report["duplicates"],
        "refused": report["rejected"],
        "load_average": load_average()?,
    }))
}

async fn dnc(daemon: &Daemon, lines: u32) -> anyhow::Result<Value> {
    let list = json!({ "id": "register", "name": "Register", "kind": "imported" });
    daemon.post("/api/v1/dnc-lists", &list).await?;
    let mut seconds = Vec::new();
    for (mode, added) in [("add", lines), ("replace", 0)] {
        println!("importing {lines} numbers, mode {mode}");
        let start = Instant::now();
        let path = format!("/api/v1/dnc-lists/register/import?mode={mode}");
        let answer = daemon
            .send(&path, "text/plain", Register::new(lines))
            .await?;
        seconds.push(start.elapsed().as_secs_f64());
        ensure!(
            answer["data"]["added"] == added && answer["data"]["rejected"] == 0,
            "{added} numbers are to be added, but the daemon answered {answer}"
        );
    }
    let memory = daemon.memory()?;
    println!("looking up {LOOKUPS} numbers");
    let mut times = Vec::new();
    for place in 0..LOOKUPS {
        // Every second one is on the list; none is looked up twice in a row.
        let on_it = place % 2 == 0;
        let within = place.wrapping_mul(48_271) % lines;
        let number = file::register_number(if on_it { within } else { lines + within });
        let start = Instant::now();
        let answer = daemon
            .get(&format!(
                "/api/v1/dnc-lists?number=%2B{}",
                number.trim_start_matches('+')
            ))
            .await?;
        times.push(start.elapsed());
        let found = answer["data"].as_array().map_or(0, Vec::len);
        ensure!(
            found == usize::from(on_it),
            "{number} is on {found} lists: {answer}"
        );
    }
    Ok(json!({
        "benchmark": "dnc",
        "numbers": lines,
        "import_s": tenths(seconds[0]),
        "numbers_per_s": (f64::from(lines) / seconds[0]).round(),
        "replace_s": tenths(seconds[1]),
        "peak_rss_mb": memory.peak_mb,
        "lookups": LOOKUPS,
        "lookup_ms": percentiles(times),
        "load_average": load_average()?,
    }))
}

fn percentiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times
            .get(place)
            .map_or(0.0, |time| (time.as_secs_f64() * 1e5).round() / 100.0)
    };
    json!({ "p50": at(50), "p95": at(95), "p99": at(99), "max": at(100) })
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Of the last minute: what else the machine did matters to what was measured.
fn load_average() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    let first = text
        .split_whitespace()
        .next()
        .context("/proc/loadavg is empty")?;
    Ok(first.parse()?)
}
