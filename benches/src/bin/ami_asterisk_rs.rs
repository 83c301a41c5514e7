//! asterisk-rs-ami: a subscription to all typed events, as its documentation shows.

use std::time::Instant;

use anyhow::{anyhow, bail};
use asterisk_rs_ami::AmiClient;
use asterisk_rs_ami::event::AmiEvent;
use asterisk_rs_core::event::EventReceive;
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Received};
use strowger_benches::runtime;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "events", "runtime", "capacity"])?;
    let port = arguments.required("port")?;
    let events: usize = arguments.required("events")?;
    // Its queue drops the oldest events when full: room for all, so that none is.
    let capacity = arguments.or("capacity", events + 16)?;
    let name = arguments.or("runtime", "multi".to_owned())?;
    runtime::block_on(&name, count(port, capacity))
}

async fn count(port: u16, capacity: usize) -> anyhow::Result<()> {
    let client = AmiClient::builder()
        .host("127.0.0.1")
        .port(port)
        .credentials("bench", "bench")
        .event_capacity(capacity)
        .build()
        .await
        .map_err(|error| anyhow!("{error}"))?;
    let mut subscription = client.subscribe();

    let (mut events, mut lost, mut first) = (0, 0, None);
    loop {
        match subscription.recv().await {
            EventReceive::Event(event) => {
                let first = *first.get_or_insert_with(Instant::now);
                events += 1;
                if matches!(&event, AmiEvent::UserEvent { user_event, .. } if user_event == "BenchEnd")
                {
                    return report::print(&Received {
                        events,
                        lost,
                        elapsed_s: first.elapsed().as_secs_f64(),
                        ended_at_us: report::wall_us(),
                        note: format!("event_capacity({capacity})"),
                    });
                }
            }
            EventReceive::Lagged(count) => lost += count,
            EventReceive::Closed => bail!("the subscription ended"),
        }
    }
}
