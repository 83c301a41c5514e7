//! What the programs tell `bench_peers`: one JSON object per line on standard output.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// A server accepts connections.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Port on 127.0.0.1.
    pub listening: u16,
}

/// What a client of the manager interface received.
#[derive(Debug, Serialize, Deserialize)]
pub struct Received {
    /// Events, the last one (`BenchEnd`) among them.
    pub events: u64,
    /// Events that the client says it lost.
    #[serde(default)]
    pub lost: u64,
    /// From the first event to `BenchEnd`, in seconds, by the client's own clock.
    pub elapsed_s: f64,
    /// When `BenchEnd` arrived, in microseconds since 1970.
    pub ended_at_us: u64,
    /// Anything worth a line in the output.
    #[serde(default)]
    pub note: String,
}

/// What the replaying server sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Events, without the end markers.
    pub events: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first byte was handed to the kernel, in microseconds since 1970.
    pub started_at_us: u64,
    /// How long writing took, in seconds.
    pub wrote_in_s: f64,
    /// Longest single write, in milliseconds. Asterisk closes a session at its
    /// `writetimeout`, 100 ms by default.
    pub longest_write_ms: f64,
    /// Whether the client closed the connection before everything was written.
    pub cut: bool,
    /// How many events of each name.
    pub names: std::collections::BTreeMap<String, u64>,
}

/// What the load of FastAGI sessions measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Load {
    /// Sessions that were measured.
    pub sessions: u64,
    /// Sessions that ended before their last command, warm-up included.
    pub failed: u64,
    /// Sessions per second.
    pub sessions_per_s: f64,
    /// Commands per second.
    pub commands_per_s: f64,
    /// Median time of a session from connecting to its end, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile of the same.
    pub p99_ms: f64,
    /// Share of one core that the load itself took, 0 to 1.
    pub load_cpu: f64,
}

/// What one consumer of our client received around a stall.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Consumed {
    /// Events, without end markers.
    pub received: u64,
    /// Events that its gaps account for, end markers among them.
    pub dropped: u64,
    /// How many gaps there were.
    pub gaps: u64,
    /// Whether the link was lost.
    pub link_lost: bool,
    /// Which end marker was the first to arrive, counted from 1.
    pub end_sequence: u64,
    /// How many events of each name.
    pub names: std::collections::BTreeMap<String, u64>,
}

/// What our client received while one of its two consumers slept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stalled {
    /// The consumer that may lose nothing.
    pub call_state: Consumed,
    /// The consumer that may.
    pub monitor: Consumed,
    /// How often reading paused.
    pub pauses: u64,
    /// Highest memory of the process before the first event, in KiB.
    pub idle_memory_kib: u64,
    /// Highest memory of the process, in KiB.
    pub peak_memory_kib: u64,
}

/// Prints one line for `bench_peers`.
///
/// # Errors
/// Standard output is closed.
pub fn print(line: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Microseconds since 1970, a clock that all programs share.
pub fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Highest resident memory of this process so far, in KiB.
///
/// # Errors
/// There is no `/proc`.
pub fn peak_memory_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let line = line.context("no VmHWM in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Processor time of this process so far, in seconds.
///
/// # Errors
/// There is no `/proc`.
pub fn processor_time_s() -> anyhow::Result<f64> {
    let schedstat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = schedstat
        .split_whitespace()
        .next()
        .context("/proc/self/schedstat is empty")?
        .parse()?;
    Ok(nanoseconds / 1e9)
}
