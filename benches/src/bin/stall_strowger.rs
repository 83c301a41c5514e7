//! Our client while one of its consumers sleeps: what arrives at each, what the gaps
//! account for, and how much memory it takes.

use std::time::Duration;

use anyhow::{Context as _, bail};
use strowger_ami::{ClientConfig, Consumer, Event, Events, GapReason, Notice, connect};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Consumed, Stalled};
use strowger_benches::runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The sleeper falls asleep at this event: when the stream is running.
const SLEEP_AT: u64 = 10_000;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "sleep-ms", "sleeper", "runtime"])?;
    let port = arguments.required("port")?;
    let sleep = Duration::from_millis(arguments.or("sleep-ms", 5_000)?);
    let sleeper = arguments.required::<String>("sleeper")?;
    let name = arguments.or("runtime", "multi".to_owned())?;
    runtime::block_on(&name, stall(port, sleep, sleeper))
}

async fn stall(port: u16, sleep: Duration, sleeper: String) -> anyhow::Result<()> {
    let config = ClientConfig {
        port,
        // The replay serves one connection, and its account does not read class `system`.
        two_sessions: false,
        boot_wait: Duration::ZERO,
        ..ClientConfig::new("127.0.0.1", "bench", "bench")
    };
    let (client, call_state) = connect(
        config,
        Consumer::call_state(),
        &TaskTracker::new(),
        CancellationToken::new(),
    );
    let monitor = client.subscribe(Consumer::monitor("monitor"));
    let (call_sleep, monitor_sleep) = match sleeper.as_str() {
        "call-state" => (Some(sleep), None),
        "monitor" => (None, Some(sleep)),
        other => bail!("--sleeper is call-state or monitor, not {other}"),
    };
    let idle_memory_kib = report::peak_memory_kib()?;
    let call_state = tokio::spawn(consume(call_state, call_sleep));
    let monitor = tokio::spawn(consume(monitor, monitor_sleep));
    report::print(&Stalled {
        call_state: call_state.await.context("the call state")??,
        monitor: monitor.await.context("the monitor")??,
        pauses: client.health().pauses,
        idle_memory_kib,
        peak_memory_kib: report::peak_memory_kib()?,
    })
}

/// Takes events up to the first end marker, with a sleep near the beginning.
async fn consume(mut events: Events, sleep: Option<Duration>) -> anyhow::Result<Consumed> {
    let mut consumed = Consumed::default();
    while let Some(notice) = events.recv().await {
        match notice {
            Notice::Event(event) => {
                if let Some(sequence) = end_marker(&event) {
                    consumed.end_sequence = sequence;
                    break;
                }
                consumed.received += 1;
                let name = event.raw().name();
                match consumed.names.get_mut(&*name) {
                    Some(count) => *count += 1,
                    None => drop(consumed.names.insert(name.into_owned(), 1)),
                }
                if let Some(sleep) = sleep.filter(|_| consumed.received == SLEEP_AT) {
                    tokio::time::sleep(sleep).await;
                }
            }
            Notice::Gap { reason } => {
                consumed.gaps += 1;
                consumed.dropped += match reason {
                    GapReason::QueueFull { dropped } => dropped,
                    GapReason::Skipped(_) => 1,
                };
            }
            Notice::Up { .. } => {}
            Notice::Down { .. } => consumed.link_lost = true,
            Notice::AuthenticationRefused { message } => bail!("refused: {message}"),
        }
    }
    Ok(consumed)
}

/// The number of the end marker that this event is.
fn end_marker(event: &Event) -> Option<u64> {
    match event {
        Event::UserEvent(event) if event.name() == "BenchEnd" => {
            event.raw().get("Sequence")?.parse().ok()
        }
        _ => None,
    }
}
