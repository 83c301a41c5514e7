//! What Asterisk sends follows what the consumers want.

use std::time::Duration;

use anyhow::ensure;
use strowger_ami::{ClientConfig, Consumer, Event, EventClass, EventKind, EventSet, actions};
use tokio::time::sleep;

use super::{
    bench::{Bench, Call, Link, account, is, up},
    report::Report,
};

const HANGUPS: EventSet = EventSet::of(&[EventKind::Hangup]);

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "the classes that are sent follow the consumers",
            mask(bench),
        )
        .await;
    report
        .check(
            bench,
            "filters of the server leave out what nobody wants",
            filters(bench),
        )
        .await;
    report
        .check(
            bench,
            "an account without class system goes on without filters",
            no_filters(bench),
        )
        .await;
}

/// One call from begin to end, seen by a link; gives the events and bytes that it received.
async fn received(bench: &Bench, link: &Link) -> anyhow::Result<(u64, u64)> {
    let before = link.client.health();
    let mark = link.journal.mark();
    let call = bench.call("stay").await?;
    bench.end(&call).await?;
    bench.gone(&call, &call.two).await?;
    seen(link, mark, &call).await?;
    let after = link.client.health();
    Ok((
        after.events - before.events,
        after.received_bytes - before.received_bytes,
    ))
}

/// Waits until the link has told the end of both halves.
async fn seen(link: &Link, mark: usize, call: &Call) -> anyhow::Result<()> {
    for id in [&call.one, &call.two] {
        link.journal
            .event("Hangup", mark, |event| match event {
                Event::Hangup(event) if is(event.channel(), id) => Some(()),
                _ => None,
            })
            .await?;
    }
    Ok(())
}

/// The events of a call that came over a link, and those of the classes that it asked for as the
/// journal has them, which is sent everything.
async fn call_and_compare(bench: &Bench, link: &Link) -> anyhow::Result<(u64, u64)> {
    let journal = bench.journal.mark();
    let (narrow, _) = received(bench, link).await?;
    // A link asks for class system, too, where a server tells that it has booted. The
    // frame says the class: one name may be of another class in another version.
    let asked = bench.journal.count(journal, |event| {
        let privilege = event.raw().get("Privilege").unwrap_or_default();
        let class = privilege.split(',').next().unwrap_or_default();
        [EventClass::Call, EventClass::System]
            .iter()
            .any(|wanted| wanted.name() == class)
    });
    let steps = bench
        .journal
        .count(journal, |event| event.kind() == EventKind::NewExten);
    ensure!(steps > 0, "the call has no steps");
    Ok((narrow, u64::try_from(asked)?))
}

async fn mask(bench: &Bench) -> anyhow::Result<()> {
    let link = bench.link(bench.account()?, Consumer::call_state().of(HANGUPS));
    up(&link.journal, 0).await?;
    // Two links tell the same event at two times: one that falls on the edge of what is counted
    // may be seen by one of them only. Not three times in a row.
    let mut counted = call_and_compare(bench, &link).await?;
    for _ in 1..3 {
        if counted.0 > counted.1 {
            counted = call_and_compare(bench, &link).await?;
        }
    }
    let (narrow, asked) = counted;
    ensure!(
        narrow <= asked,
        "{narrow} events came, {asked} are of the classes that were asked for"
    );
    let mut late = link
        .client
        .subscribe(Consumer::monitor("late").of(EventSet::DIALPLAN));
    // The mask changes while the link is up.
    let changed = async {
        loop {
            let call = bench.call("stay").await?;
            bench.end(&call).await?;
            while let Some(notice) = late.try_recv() {
                if let strowger_ami::Notice::Event(Event::NewExten(_)) = notice {
                    return anyhow::Ok(());
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), changed).await??;
    let (wide, _) = received(bench, &link).await?;
    ensure!(wide > narrow, "{narrow} events became {wide}");
    bench.figure("events_of_a_call_of_class_call", narrow);
    bench.figure("events_of_a_call_with_dialplan", wide);
    Ok(())
}

async fn filters(bench: &Bench) -> anyhow::Result<()> {
    let mut figures = Vec::new();
    for server_filters in [false, true] {
        let config = ClientConfig {
            server_filters,
            ..bench.account()?
        };
        let link = bench.link(config, Consumer::call_state().of(HANGUPS));
        up(&link.journal, 0).await?;
        figures.push(received(bench, &link).await?);
    }
    let [without, with] = figures[..] else {
        return Ok(());
    };
    bench.figure("events_without_filters", without.0);
    bench.figure("events_with_filters", with.0);
    bench.figure("bytes_without_filters", without.1);
    bench.figure("bytes_with_filters", with.1);
    // Two hang-ups are all that is wanted.
    ensure!(with.0 == 2, "{} events came with filters", with.0);
    ensure!(
        with.1 * 3 < without.1,
        "{with:?} with filters, {without:?} without"
    );
    Ok(())
}

async fn no_filters(bench: &Bench) -> anyhow::Result<()> {
    let config = ClientConfig {
        server_filters: true,
        ..account(&bench.asterisk, "pbx_ami")?
    };
    let link = bench.link(config, Consumer::call_state().of(HANGUPS));
    up(&link.journal, 0).await?;
    received(bench, &link).await?;
    link.client.send(actions::ping()).await?;
    let downs = link.journal.count_notices(0, |notice| {
        matches!(notice, strowger_ami::Notice::Down { .. })
    });
    ensure!(downs == 0, "the link was lost");
    Ok(())
}
