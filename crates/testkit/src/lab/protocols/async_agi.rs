//! AGI over AMI, by the glue that the daemon has for it.

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_agi::{CommandError, ExecResult, Session};
use strowger_ami::{ClientConfig, Consumer, Event, EventKind, EventSet, actions};
use strowger_telephony::async_agi::AsyncAgi;
use tokio::time::sleep;

use super::{
    bench::{Bench, Call, Link, is, up},
    desk::Desk,
    fast_agi::{agi_status, end_with, refusal},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    let held = Held::new(bench).await;
    let held = match &held {
        Ok(held) => held,
        Err(error) => {
            let why = format!("{error:#}");
            return report
                .check(bench, "sessions over AMI are served", async { bail!(why) })
                .await;
        }
    };
    report
        .check(
            bench,
            "over AMI: the environment, variables and applications",
            commands(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: values come back from a variable",
            values(bench, held),
        )
        .await;
    report
        .check(bench, "over AMI: sounds and digits", sounds(bench, held))
        .await;
    report
        .check(
            bench,
            "over AMI: a dropped session lets the dialplan go on",
            dropped(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: ASYNCAGI BREAK lets the dialplan go on",
            broken(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: a missing sound is refused and ends the session",
            missing(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: an unknown command is refused and the session goes on",
            unknown(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: a hang-up during a sound is HungUp",
            hung_up(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: a hang-up is noticed between commands",
            wait_hangup(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: after a dropped command the next one finds its reply",
            after_drop(bench, held),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: a call over the limit goes on",
            over_limit(bench),
        )
        .await;
    report
        .check(
            bench,
            "over AMI: twenty sessions at once",
            many(bench, held),
        )
        .await;
}

/// A link that serves `AGI(agi:async)`.
struct Held {
    desk: Desk,
    _link: Link,
}

impl Held {
    async fn new(bench: &Bench) -> anyhow::Result<Self> {
        Self::with(bench, 100).await
    }

    async fn with(bench: &Bench, max_sessions: usize) -> anyhow::Result<Self> {
        let nothing = EventSet::of(&[EventKind::FullyBooted]);
        let config: ClientConfig = bench.account()?;
        let link = bench.link(config, Consumer::call_state().of(nothing));
        up(&link.journal, 0).await?;
        let desk = Desk::default();
        let arrivals = desk.clone();
        let glue = AsyncAgi {
            command_timeout: Duration::from_secs(5),
            max_sessions,
        };
        let serving = glue.serve(link.client.clone(), bench.tracker.clone(), move |session| {
            let desk = arrivals.clone();
            async move { desk.arrived(session) }
        });
        bench.tracker.spawn(serving);
        // The mask of the session has the class of AGI by now, or soon.
        let seen = || async {
            let consumers = link.client.health().consumers;
            Ok(consumers
                .iter()
                .any(|consumer| consumer.name == "async-agi"))
        };
        super::bench::eventually("the consumer", seen).await?;
        link.client.send(actions::ping()).await?;
        sleep(Duration::from_millis(300)).await;
        Ok(Self { desk, _link: link })
    }

    async fn session(&self, bench: &Bench) -> anyhow::Result<(Call, Session)> {
        let request = bench.request("held");
        let expected = self
            .desk
            .expect(request.other_channel_id.as_deref().unwrap_or_default());
        let call = bench.answered(&request).await?;
        Ok((call, expected.session().await?))
    }
}

async fn commands(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let environment = session.environment();
    ensure!(
        environment.unique_id() == Some(&*call.two),
        "{environment:?}"
    );
    ensure!(environment.context() == Some("lab-agi"), "{environment:?}");
    ensure!(environment.extension() == Some("held"), "{environment:?}");
    bench.figure("async_agi_environment_lines", environment.iter().count());
    session.answer().await?;
    session.set_variable("LAB", "x").await?;
    let read = session.get_variable("LAB").await?;
    ensure!(read.as_deref() == Some("x"), "{read:?}");
    let none = session.get_variable("LAB_NOTHING").await?;
    ensure!(none.is_none(), "{none:?}");
    let done = session.exec("NoOp", &["one", "two (2)"]).await?;
    ensure!(done == ExecResult::Returned(0), "{done:?}");
    let waited = session.exec("Wait", &["0.3"]).await?;
    ensure!(waited == ExecResult::Returned(0), "{waited:?}");
    let name = bench.channel(&call, &call.two).await?;
    let read = bench.variable(&name, "LAB").await?;
    ensure!(read == "x", "the channel has {read:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn values(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let all: String = (b' '..=b'~').map(char::from).collect();
    for value in [
        &*all,
        "Zoé Łódź 東京 🎉",
        "a) endpos=5",
        "100% of a+b %41",
        "(open",
        r#""quoted" \ and, commas"#,
    ] {
        session.set_variable("LAB", value).await?;
        let read = session.get_variable("LAB").await?;
        ensure!(read.as_deref() == Some(value), "{value:?} became {read:?}");
        let full = session.get_full_variable("${LAB}").await?;
        ensure!(
            full.as_deref() == Some(value),
            "in full {value:?} became {full:?}"
        );
    }
    let lines = session
        .get_full_variable("${BASE64_DECODE(YQpiKSBjCgpIQU5HVVAKZA==)}")
        .await?;
    ensure!(
        lines.as_deref() == Some("a\nb) c\n\nHANGUP\nd"),
        "it is {lines:?}"
    );
    end_with(bench, &call, session, "SUCCESS").await
}

async fn sounds(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let whole = session.stream_file("beep", "").await?;
    ensure!(whole.digit.is_none() && whole.end_position > 0, "{whole:?}");
    let keys = async |digits: &str| {
        for digit in digits.chars() {
            sleep(Duration::from_millis(500)).await;
            bench.press(&call, digit).await?;
        }
        anyhow::Ok(())
    };
    let (cut, pressed) = tokio::join!(session.stream_file("demo-instruct", "5"), keys("5"));
    pressed?;
    let cut = cut?;
    ensure!(cut.digit == Some('5'), "{cut:?}");
    let entry = session.get_data("demo-instruct", Duration::from_secs(2), 4);
    let (entry, pressed) = tokio::join!(entry, keys("4711"));
    pressed?;
    let entry = entry?;
    ensure!(entry.digits == "4711", "{:?}", entry.digits);
    end_with(bench, &call, session, "SUCCESS").await
}

async fn dropped(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, session) = held.session(bench).await?;
    end_with(bench, &call, session, "SUCCESS").await?;
    bench
        .journal
        .event("AsyncAGIEnd", call.mark, |event| match event {
            Event::AsyncAgiEnd(event) if is(event.channel(), &call.two) => Some(()),
            _ => None,
        })
        .await
}

async fn broken(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    session.asyncagi_break().await?;
    let after = session.noop().await;
    ensure!(after == Err(CommandError::Disconnected), "it is {after:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn missing(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let outcome = session.stream_file("no-such-sound", "").await;
    match outcome {
        Err(CommandError::Refused { code: 200, .. } | CommandError::Disconnected) => {}
        other => bail!("it is {other:?}"),
    }
    let after = session.noop().await;
    ensure!(after == Err(CommandError::Disconnected), "it is {after:?}");
    drop(session);
    let status = agi_status(bench, &call).await?;
    bench.figure("async_agi_status_after_failure", status);
    bench.gone(&call, &call.one).await?;
    Ok(())
}

async fn unknown(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let unknown = session
        .command(strowger_agi::Command::new("NO SUCH THING"))
        .await;
    let (code, _) = refusal(unknown)?;
    ensure!(code == 510, "{code}");
    let (code, message) = refusal(
        session
            .command(strowger_agi::Command::new("GET DATA"))
            .await,
    )?;
    ensure!(
        code == 520 && message.lines().count() > 1,
        "{code} {message}"
    );
    session.noop().await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn hung_up(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    let name = bench.channel(&call, &call.one).await?;
    let (outcome, hangup) = tokio::join!(session.stream_file("demo-instruct", ""), async {
        sleep(Duration::from_millis(400)).await;
        bench.client.send(actions::hangup(&name, None)).await
    });
    hangup?;
    ensure!(outcome == Err(CommandError::HungUp), "it is {outcome:?}");
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn wait_hangup(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    session.noop().await?;
    let name = bench.channel(&call, &call.one).await?;
    bench.client.send(actions::hangup(&name, None)).await?;
    tokio::time::timeout(Duration::from_secs(10), session.wait_hangup()).await?;
    let after = session.noop().await;
    ensure!(after == Err(CommandError::HungUp), "it is {after:?}");
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn after_drop(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let (call, mut session) = held.session(bench).await?;
    session.set_variable("LAB", "found").await?;
    // Over AMI a further command interrupts nothing, so that this one must be short.
    let wait = session.exec("Wait", &["1"]);
    let cut = tokio::time::timeout(Duration::from_millis(200), wait).await;
    ensure!(cut.is_err(), "it ended by itself");
    let value = session.get_variable("LAB").await?;
    ensure!(value.as_deref() == Some("found"), "{value:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn over_limit(bench: &Bench) -> anyhow::Result<()> {
    // The only one that may serve, so that no other link takes the call.
    let none = Held::with(bench, 0).await?;
    let call = bench.answered(&bench.request("held")).await?;
    let status = agi_status(bench, &call).await?;
    ensure!(status == "SUCCESS", "AGISTATUS is {status}");
    drop(none);
    bench.gone(&call, &call.one).await?;
    Ok(())
}

async fn many(bench: &Bench, held: &Held) -> anyhow::Result<()> {
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(held.session(bench).await?);
    }
    let mut running = tokio::task::JoinSet::new();
    for (call, mut session) in open {
        running.spawn(async move {
            for turn in 0..5 {
                session
                    .set_variable("LAB", &format!("{}/{turn}", call.two))
                    .await?;
                let read = session.get_variable("LAB").await?;
                ensure!(read == Some(format!("{}/{turn}", call.two)), "{read:?}");
            }
            anyhow::Ok((call, session))
        });
    }
    while let Some(done) = running.join_next().await {
        let (call, session) = done??;
        end_with(bench, &call, session, "SUCCESS").await?;
    }
    Ok(())
}
