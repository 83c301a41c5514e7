//! Our client while one of its consumers sleeps: no event of call state may be lost,
//! others only with a gap, the link must stay, and memory must stay bounded.

use std::process::Command;

use serde_json::{Value, json};
use strowger_benches::report::{Consumed, Listening, Sent, Stalled};

use crate::figures;
use crate::machine::Quiet;
use crate::options::Options;
use crate::process::Running;

/// Bytes of one write, small so that the longest write says how long the server waits.
const WRITE_BYTES: &str = "16384";

/// Who sleeps: the consumer that may lose events, and the one that may not.
const SLEEPERS: [&str; 2] = ["monitor", "call-state"];

pub(crate) fn measure(options: &Options, quiet: &mut Quiet) -> anyhow::Result<Value> {
    let mut outcomes = Vec::new();
    for sleeper in SLEEPERS {
        quiet.wait();
        outcomes.push(one(options, sleeper)?);
    }
    let sum = |key: &str| -> u64 {
        outcomes
            .iter()
            .filter_map(|outcome| outcome[key].as_u64())
            .sum()
    };
    let peak = outcomes
        .iter()
        .filter_map(|outcome| outcome["peak_mb"].as_f64())
        .fold(0.0, f64::max);
    let lost_links = outcomes
        .iter()
        .filter(|outcome| outcome["link_lost"] == true);
    Ok(json!({
        "lost_call_events": sum("lost_call_events"),
        "gaps": sum("gaps_of_monitor"),
        "gaps_of_call_state": sum("gaps_of_call_state"),
        "disconnections": lost_links.count(),
        "peak_mb": peak,
        "while_asleep": outcomes,
    }))
}

fn one(options: &Options, sleeper: &str) -> anyhow::Result<Value> {
    let (events, sleep_ms) = if options.quick {
        (300_000, 2_000)
    } else {
        (1_000_000, 5_000)
    };
    eprintln!("Stall: {events} events, the {sleeper} sleeps for {sleep_ms} ms");
    let mut server = Command::new(Options::program("replay")?);
    server.arg("--file").arg(&options.events);
    server.arg("--events").arg(events.to_string());
    server.args(["--write-bytes", WRITE_BYTES]);
    let mut server = Running::start(server)?;
    let port = server.line::<Listening>()?.listening;
    let mut client = Command::new(Options::program("stall_strowger")?);
    client.arg("--port").arg(port.to_string());
    client.arg("--sleep-ms").arg(sleep_ms.to_string());
    client.args(["--sleeper", sleeper]);
    let mut client = Running::start(client)?;
    let stalled = client.line::<Stalled>()?;
    drop(client);
    let sent = server.line::<Sent>()?;
    Ok(summary(&sent, &stalled, sleeper, sleep_ms))
}

/// Events of each name that were sent and did not arrive.
fn lost(sent: &Sent, consumed: &Consumed) -> u64 {
    let missing = sent.names.iter().map(|(name, count)| {
        let received = consumed.names.get(name).copied().unwrap_or(0);
        count.saturating_sub(received)
    });
    missing.sum()
}

/// Whether every event was received or counted by a gap. The markers before the one
/// that arrived were dropped like events.
fn accounted(sent: &Sent, consumed: &Consumed) -> bool {
    let written = sent.events + consumed.end_sequence.saturating_sub(1);
    consumed.received + consumed.dropped == written
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn summary(sent: &Sent, stalled: &Stalled, sleeper: &str, sleep_ms: u64) -> Value {
    let Stalled {
        call_state,
        monitor,
        ..
    } = stalled;
    let mib = |kib: u64| kib as f64 / 1024.0;
    let lost_call_events = lost(sent, call_state);
    let link_lost = call_state.link_lost || monitor.link_lost || sent.cut;
    let accounted = accounted(sent, call_state) && accounted(sent, monitor);
    println!(
        "\nStall: {} events while the {sleeper} slept {sleep_ms} ms",
        sent.events
    );
    println!(
        "call state         {:>12}  received, {lost_call_events} lost, {} gaps",
        call_state.received, call_state.gaps
    );
    println!(
        "monitor            {:>12}  received, {} dropped in {} gaps",
        monitor.received, monitor.dropped, monitor.gaps
    );
    println!("all accounted for  {accounted:>12}");
    println!("link lost          {link_lost:>12}");
    println!("reading paused     {:>12}  times", stalled.pauses);
    println!(
        "longest write      {:>12.1}  ms (the server waits)",
        sent.longest_write_ms
    );
    println!("server writing     {:>12.2}  s", sent.wrote_in_s);
    println!(
        "peak memory        {:>12.1}  MB (idle {:.1})",
        mib(stalled.peak_memory_kib),
        mib(stalled.idle_memory_kib)
    );
    json!({
        "sleeper": sleeper,
        "events": sent.events,
        "sleep_ms": sleep_ms,
        "received_by_call_state": call_state.received,
        "lost_call_events": lost_call_events,
        "gaps_of_call_state": call_state.gaps,
        "received_by_monitor": monitor.received,
        "dropped_by_monitor": monitor.dropped,
        "gaps_of_monitor": monitor.gaps,
        "accounted": accounted,
        "link_lost": link_lost,
        "pauses": stalled.pauses,
        "longest_write_ms": figures::rounded(sent.longest_write_ms, 1),
        "wrote_in_s": figures::rounded(sent.wrote_in_s, 2),
        "idle_mb": figures::rounded(mib(stalled.idle_memory_kib), 1),
        "peak_mb": figures::rounded(mib(stalled.peak_memory_kib), 1),
    })
}
