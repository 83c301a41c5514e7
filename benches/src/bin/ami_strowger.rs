//! Our client: counts typed events by kind and reads the identity of each channel.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::bail;
use strowger_ami::{Channel, ClientConfig, Consumer, Event, Events, Notice, connect};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Received};
use strowger_benches::runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "events", "runtime"])?;
    let (port, events) = (arguments.required("port")?, arguments.required("events")?);
    let name = arguments.or("runtime", "multi".to_owned())?;
    runtime::block_on(&name, count(port, events))
}

async fn count(port: u16, events: usize) -> anyhow::Result<()> {
    let config = ClientConfig {
        port,
        // The replay serves one connection, and its account does not read class `system`.
        two_sessions: false,
        boot_wait: Duration::ZERO,
        ..ClientConfig::new("127.0.0.1", "bench", "bench")
    };
    let (_client, notices) = connect(
        config,
        Consumer::call_state(),
        &TaskTracker::new(),
        CancellationToken::new(),
    );
    // A task of its own, as in a program: the main thread of a runtime is no worker.
    tokio::spawn(take(notices, events)).await?
}

async fn take(mut notices: Events, expected: usize) -> anyhow::Result<()> {
    let mut tally = Tally::default();
    let (mut lost, mut first) = (0, None);
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Event(event) => {
                let first = *first.get_or_insert_with(Instant::now);
                tally.count(&event);
                if matches!(&event, Event::UserEvent(event) if event.name() == "BenchEnd") {
                    let events = tally.kinds.0.iter().sum();
                    return report::print(&Received {
                        events,
                        lost,
                        elapsed_s: first.elapsed().as_secs_f64(),
                        ended_at_us: report::wall_us(),
                        note: tally.note(expected),
                    });
                }
            }
            Notice::Gap { reason } => {
                lost += match reason {
                    strowger_ami::GapReason::QueueFull { dropped } => dropped,
                    strowger_ami::GapReason::Skipped(_) => 1,
                };
            }
            Notice::Up { .. } => {}
            Notice::Down { reason } => bail!("the link was lost: {reason}"),
            Notice::AuthenticationRefused { message } => bail!("refused: {message}"),
        }
    }
    bail!("the link ended");
}

/// Events by kind, and the bytes of the identities that were read.
#[derive(Default)]
struct Tally {
    kinds: Kinds,
    uniqueid_bytes: usize,
}

/// How often each kind came, by its number.
struct Kinds([u64; 128]);

impl Default for Kinds {
    fn default() -> Self {
        Self([0; 128])
    }
}

impl Tally {
    fn count(&mut self, event: &Event) {
        self.kinds.0[event.kind() as usize] += 1;
        self.uniqueid_bytes += identity(event).len();
    }

    fn note(&self, expected: usize) -> String {
        let seen = self.kinds.0.iter().filter(|count| **count > 0).count();
        format!(
            "{seen} kinds, {} bytes of identities, {expected} expected",
            self.uniqueid_bytes
        )
    }
}

/// The channel that an event of call state is about, read from its typed field.
fn identity(event: &Event) -> Cow<'_, str> {
    match event {
        Event::NewChannel(event) | Event::NewState(event) => event.channel().uniqueid(),
        Event::Hangup(event) => event.channel().uniqueid(),
        Event::HangupRequest(event) | Event::SoftHangupRequest(event) => event.channel().uniqueid(),
        Event::DialBegin(event) | Event::DialState(event) | Event::DialEnd(event) => {
            event.dest().map(Channel::uniqueid).unwrap_or_default()
        }
        Event::OriginateResponse(event) => event.uniqueid().unwrap_or_default(),
        Event::BridgeEnter(event) | Event::BridgeLeave(event) => event.channel().uniqueid(),
        _ => Cow::Borrowed(""),
    }
}
