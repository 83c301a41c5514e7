//! Many calls at once, and calls behind long lists.

use std::time::Duration;

use anyhow::ensure;
use serde_json::json;
use strowger_ami::{ClientConfig, Consumer, Event, EventKind, EventSet, actions};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    bench::{Bench, Call, eventually, up},
    report::Report,
};

/// Calls that make the list of channels long, of two channels each.
const LONG: usize = 300;

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "two hundred calls at once are accepted",
            at_once(bench),
        )
        .await;
    report
        .check(
            bench,
            "calls do not wait behind long lists on a session of their own",
            lists(bench),
        )
        .await;
}

async fn at_once(bench: &Bench) -> anyhow::Result<()> {
    const CALLS: usize = 200;
    let mark = bench.journal.mark();
    let began = Instant::now();
    let mut sending = JoinSet::new();
    let mut ids = Vec::new();
    for _ in 0..CALLS {
        let request = bench.request("stay");
        ids.push(request.channel_id.clone());
        let client = bench.client.clone();
        sending.spawn(async move { client.send(actions::originate(&request)).await });
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    bench.figure("originates_200_accepted_ms", millis(began.elapsed()));
    let answered = || {
        bench.journal.count(mark, |event| match event {
            Event::OriginateResponse(event) => {
                event.success()
                    && event
                        .uniqueid()
                        .is_some_and(|id| ids.iter().any(|x| *x == id))
            }
            _ => false,
        })
    };
    eventually("all are answered", || async { Ok(answered() == CALLS) }).await?;
    bench.figure("originates_200_answered_ms", millis(began.elapsed()));
    bench.clear().await?;
    let gaps = bench.journal.count_notices(mark, |notice| {
        matches!(notice, strowger_ami::Notice::Gap { .. })
    });
    ensure!(gaps == 0, "{gaps} gaps");
    Ok(())
}

async fn lists(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    for _ in 0..LONG {
        bench.place(&bench.request("stay")).await?;
    }
    let up = || {
        bench
            .journal
            .count(mark, |event| event.kind() == EventKind::OriginateResponse)
    };
    eventually("the calls are up", || async { Ok(up() == LONG) }).await?;
    let two = latency(bench, true).await?;
    let one = latency(bench, false).await?;
    bench.clear().await?;
    bench.figure("originate_behind_lists_two_sessions", two.figures());
    bench.figure("originate_behind_lists_one_session", one.figures());
    // The worst one of fifty says more about the machine.
    let (two, one) = (
        percentile(&two.originates, 50),
        percentile(&one.originates, 50),
    );
    ensure!(
        two < one,
        "two sessions do not help: {two:?}, with one {one:?}"
    );
    Ok(())
}

/// How long Originates took, and how long the lists beside them.
struct Latency {
    /// In order.
    originates: Vec<Duration>,
    lists: Vec<Duration>,
    items: usize,
}

impl Latency {
    fn figures(&self) -> serde_json::Value {
        let ms = |duration: Option<Duration>| duration.map(millis);
        json!({
            "originates": self.originates.len(),
            "p50_ms": ms(percentile(&self.originates, 50)),
            "p99_ms": ms(percentile(&self.originates, 99)),
            "lists": self.lists.len(),
            "list_items": self.items,
            "list_p50_ms": ms(percentile(&self.lists, 50)),
        })
    }
}

/// Fifty Originates while the list of all channels is asked for without a pause.
async fn latency(bench: &Bench, two_sessions: bool) -> anyhow::Result<Latency> {
    let config = ClientConfig {
        two_sessions,
        ..bench.account()?
    };
    let consumer = Consumer::call_state().of(EventSet::of(&[EventKind::OriginateResponse]));
    let link = bench.link(config, consumer);
    up(&link.journal, 0).await?;
    let stop = CancellationToken::new();
    let mut asking = JoinSet::new();
    for _ in 0..2 {
        let (client, stop) = (link.client.clone(), stop.clone());
        asking.spawn(async move {
            let (mut lists, mut items) = (Vec::new(), 0);
            while !stop.is_cancelled() {
                let began = Instant::now();
                items = client.list(actions::core_show_channels()).await?.len();
                lists.push(began.elapsed());
            }
            anyhow::Ok((lists, items))
        });
    }
    let mut originates = Vec::new();
    let mut calls: Vec<Call> = Vec::new();
    for _ in 0..50 {
        let request = bench.request("stay");
        let began = Instant::now();
        let call = Call {
            one: request.channel_id.clone(),
            two: String::new(),
            mark: bench.journal.mark(),
        };
        link.client.send(actions::originate(&request)).await?;
        originates.push(began.elapsed());
        calls.push(call);
    }
    stop.cancel();
    let (mut lists, mut items) = (Vec::new(), 0);
    while let Some(asked) = asking.join_next().await {
        let (some, last) = asked??;
        lists.extend(some);
        items = items.max(last);
    }
    for call in &calls {
        bench.end(call).await?;
    }
    originates.sort_unstable();
    lists.sort_unstable();
    Ok(Latency {
        originates,
        lists,
        items,
    })
}

fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied()
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
