//! FastAGI: what opens a session, what ends it, and what goes wrong in between.

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_agi::{Command, CommandError, Session};
use strowger_ami::{Event, actions};
use tokio::time::{Instant, timeout};

use super::{
    bench::{Bench, Call, is, text},
    report::Report,
};

/// A script that the desk serves.
const SCRIPT: &str = "agi://127.0.0.1:4574/protocol";

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(bench, "the environment of a call", environment(bench))
        .await;
    report
        .check(
            bench,
            "arguments and the query of a script",
            arguments(bench),
        )
        .await;
    report
        .check(
            bench,
            "an unknown command is refused with 510",
            unknown_command(bench),
        )
        .await;
    report
        .check(
            bench,
            "wrong usage is refused with 520 and the usage",
            wrong_usage(bench),
        )
        .await;
    report
        .check(
            bench,
            "a missing sound is refused, and is FAILURE to the dialplan",
            missing_sound(bench),
        )
        .await;
    report
        .check(
            bench,
            "a hang-up during a sound is HungUp",
            hangup_in_stream(bench),
        )
        .await;
    report
        .check(
            bench,
            "a hang-up is noticed between commands",
            wait_hangup(bench),
        )
        .await;
    report
        .check(
            bench,
            "a dead channel refuses what needs a living one",
            dead_channel(bench),
        )
        .await;
    report
        .check(
            bench,
            "after a timeout the next command finds its reply",
            after_timeout(bench),
        )
        .await;
    report
        .check(
            bench,
            "after a dropped command the next one finds its reply",
            after_drop(bench),
        )
        .await;
    report
        .check(
            bench,
            "a dropped session is SUCCESS to the dialplan",
            dropped(bench),
        )
        .await;
    report
        .check(
            bench,
            "a refused session is FAILURE to the dialplan",
            refused(bench),
        )
        .await;
    report
        .check(
            bench,
            "an unknown script is FAILURE to the dialplan",
            unknown_script(bench),
        )
        .await;
}

/// A call whose second half runs a script.
pub(super) async fn call_script(bench: &Bench, url: &str) -> anyhow::Result<Call> {
    let mut request = bench.request("url");
    request.variables = vec![
        ("__URL".into(), url.into()),
        ("__CASE".into(), request.channel_id.clone()),
    ];
    bench.answered(&request).await
}

/// A call and its session.
pub(super) async fn session(bench: &Bench) -> anyhow::Result<(Call, Session)> {
    session_of(bench, SCRIPT).await
}

async fn session_of(bench: &Bench, url: &str) -> anyhow::Result<(Call, Session)> {
    let mut request = bench.request("url");
    request.variables = vec![
        ("__URL".into(), url.into()),
        ("__CASE".into(), request.channel_id.clone()),
    ];
    let two = request.other_channel_id.clone().unwrap_or_default();
    let expected = bench.desk.expect(&two);
    let call = bench.answered(&request).await?;
    Ok((call, expected.session().await?))
}

/// What the dialplan has in `AGISTATUS` when the script has ended.
pub(super) async fn agi_status(bench: &Bench, call: &Call) -> anyhow::Result<String> {
    bench
        .journal
        .event("AgiEnd", call.mark, |event| match event {
            Event::UserEvent(event)
                if event.name() == "AgiEnd"
                    && event
                        .channel()
                        .is_some_and(|channel| is(channel, &call.two)) =>
            {
                Some(text(event.raw(), "Status"))
            }
            _ => None,
        })
        .await
}

/// Ends a session as handlers do; the dialplan must go on with this status.
pub(super) async fn end_with(
    bench: &Bench,
    call: &Call,
    session: Session,
    expected: &str,
) -> anyhow::Result<()> {
    drop(session);
    let status = agi_status(bench, call).await?;
    ensure!(status == expected, "AGISTATUS is {status}, not {expected}");
    bench.gone(call, &call.one).await?;
    Ok(())
}

async fn environment(bench: &Bench) -> anyhow::Result<()> {
    let mut request = bench.request("fast");
    request.caller_id = Some("\"Zoé & fils\" <+33199000100>".into());
    request.account = Some("lab".into());
    request.variables = vec![("__CASE".into(), "a b%2Cc".into())];
    let two = request.other_channel_id.clone().unwrap_or_default();
    let expected = bench.desk.expect(&two);
    let call = bench.answered(&request).await?;
    let session = expected.session().await?;
    let environment = session.environment();
    let lines = environment.iter().count();
    ensure!(lines == 22, "{lines} lines");
    ensure!(
        environment.network_script() == "protocol",
        "{environment:?}"
    );
    let case = environment.query_value("case");
    ensure!(case == Some("a b,c"), "the case is {case:?}");
    ensure!(
        environment.request() == Some("agi://127.0.0.1:4574/protocol?case=a b%2Cc"),
        "{:?}",
        environment.request()
    );
    ensure!(
        environment.unique_id() == Some(&*call.two),
        "{:?}",
        environment.unique_id()
    );
    let name = bench.channel(&call, &call.two).await?;
    ensure!(
        environment.channel() == Some(&*name),
        "{:?}",
        environment.channel()
    );
    ensure!(
        environment.channel_type() == Some("Local"),
        "{:?}",
        environment.channel_type()
    );
    ensure!(
        environment.context() == Some("lab-agi"),
        "{:?}",
        environment.context()
    );
    ensure!(
        environment.extension() == Some("fast"),
        "{:?}",
        environment.extension()
    );
    ensure!(
        environment.priority() == Some(2),
        "{:?}",
        environment.priority()
    );
    ensure!(
        environment.language() == Some("en"),
        "{:?}",
        environment.language()
    );
    ensure!(
        environment.account_code() == Some("lab"),
        "{:?}",
        environment.account_code()
    );
    ensure!(!environment.enhanced(), "it is enhanced");
    let version = bench.asterisk.version().await?;
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    ensure!(
        environment.major_version() == major,
        "{:?}",
        environment.version()
    );
    ensure!(environment.args().count() == 0, "it has arguments");
    drop(session);
    bench.end(&call).await
}

async fn arguments(bench: &Bench) -> anyhow::Result<()> {
    let url = format!("{SCRIPT}?flow=7&n=%2B33%20x,one,,three (3),Zoé");
    let (call, session) = session_of(bench, &url).await?;
    let environment = session.environment();
    let arguments: Vec<_> = environment.args().collect();
    ensure!(
        arguments == ["one", "", "three (3)", "Zoé"],
        "{arguments:?}"
    );
    ensure!(environment.arg(2).is_none(), "the second is no argument");
    ensure!(
        environment.query_value("flow") == Some("7"),
        "{:?}",
        environment.query()
    );
    ensure!(
        environment.query_value("n") == Some("+33 x"),
        "{:?}",
        environment.query()
    );
    end_with(bench, &call, session, "SUCCESS").await
}

/// The code and the text of a refusal.
pub(super) fn refusal<T: std::fmt::Debug>(
    outcome: Result<T, CommandError>,
) -> anyhow::Result<(u16, String)> {
    match outcome {
        Err(CommandError::Refused { code, message }) => Ok((code, message)),
        other => bail!("it is {other:?}"),
    }
}

async fn unknown_command(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let (code, message) = refusal(session.command(Command::new("NO SUCH THING")).await)?;
    ensure!(code == 510, "{code}");
    ensure!(
        message.contains("Invalid or unknown command"),
        "it says {message:?}"
    );
    session.noop().await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn wrong_usage(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let (code, message) = refusal(session.command(Command::new("GET DATA")).await)?;
    ensure!(code == 520, "{code}");
    ensure!(
        message.lines().count() > 1,
        "there is no usage: {message:?}"
    );
    bench.figure("usage_lines", message.lines().count());
    session.noop().await?;
    let (code, _) = refusal(
        session
            .set_priority(strowger_agi::Priority::Label("none"))
            .await,
    )?;
    ensure!(code == 520, "{code}");
    session.noop().await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn missing_sound(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let (code, _) = refusal(session.stream_file("no-such-sound", "").await)?;
    ensure!(code == 200, "{code}");
    session.noop().await?;
    end_with(bench, &call, session, "FAILURE").await
}

async fn hangup_in_stream(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let name = bench.channel(&call, &call.one).await?;
    let began = Instant::now();
    let (outcome, hangup) = tokio::join!(session.stream_file("demo-instruct", ""), async {
        // It plays when the exchange says so.
        tokio::time::sleep(Duration::from_millis(300)).await;
        bench.client.send(actions::hangup(&name, None)).await
    });
    hangup?;
    ensure!(outcome == Err(CommandError::HungUp), "it is {outcome:?}");
    ensure!(
        began.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        began.elapsed()
    );
    ensure!(session.is_hung_up(), "the session does not know");
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn wait_hangup(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    session.noop().await?;
    let name = bench.channel(&call, &call.one).await?;
    bench.client.send(actions::hangup(&name, None)).await?;
    timeout(Duration::from_secs(10), session.wait_hangup()).await?;
    ensure!(session.is_hung_up(), "the session does not know");
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn dead_channel(bench: &Bench) -> anyhow::Result<()> {
    let mut request = bench.request("url");
    let name = request.channel_id.clone();
    request.channel = "Local/s@lab-agi-dead/n".into();
    request.variables = vec![("__URL".into(), SCRIPT.into())];
    let expected = bench.desk.expect(&format!("{name}-2"));
    let call = bench.place(&request).await?;
    let mut session = expected.session().await?;
    session.noop().await?;
    session.set_variable("LAB", "x").await?;
    ensure!(
        session.get_variable("LAB").await?.as_deref() == Some("x"),
        "no variable"
    );
    let (extension, enhanced) = (
        session.environment().extension().map(str::to_owned),
        session.environment().enhanced(),
    );
    ensure!(
        extension.as_deref() == Some("h") && !enhanced,
        "{extension:?}"
    );
    let outcome = session.stream_file("beep", "").await;
    ensure!(outcome == Err(CommandError::HungUp), "it is {outcome:?}");
    ensure!(session.is_hung_up(), "the session does not know");
    // What needs no living channel goes on.
    session.database_put("lab", "dead", "1").await?;
    session.database_del("lab", "dead").await?;
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn after_timeout(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    session.set_variable("LAB", "found").await?;
    for application in ["Wait", "NoOp"] {
        let outcome = session
            .exec_within(application, &["1"], Some(Duration::from_millis(100)))
            .await;
        if application == "Wait" {
            ensure!(outcome == Err(CommandError::TimedOut), "it is {outcome:?}");
        }
        let value = session.get_variable("LAB").await?;
        ensure!(
            value.as_deref() == Some("found"),
            "behind {application}: {value:?}"
        );
    }
    end_with(bench, &call, session, "SUCCESS").await
}

async fn after_drop(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let mut slowest = Duration::ZERO;
    for turn in 0..6 {
        session.set_variable("LAB", &turn.to_string()).await?;
        let patience = Duration::from_millis(150);
        let cut = match turn % 3 {
            0 => timeout(patience, session.stream_file("demo-instruct", ""))
                .await
                .is_err(),
            1 => {
                let data = session.get_data("demo-instruct", Duration::from_secs(5), 4);
                timeout(patience, data).await.is_err()
            }
            _ => {
                let digit = session.wait_for_digit(Duration::from_secs(5));
                timeout(patience, digit).await.is_err()
            }
        };
        ensure!(cut, "turn {turn} ended by itself");
        let began = Instant::now();
        let value = session.get_variable("LAB").await?;
        slowest = slowest.max(began.elapsed());
        ensure!(value == Some(turn.to_string()), "turn {turn}: {value:?}");
    }
    bench.figure("agi_resync_slowest_ms", u64::try_from(slowest.as_millis())?);
    end_with(bench, &call, session, "SUCCESS").await
}

async fn dropped(bench: &Bench) -> anyhow::Result<()> {
    let (call, session) = session(bench).await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn refused(bench: &Bench) -> anyhow::Result<()> {
    let (call, session) = session(bench).await?;
    session.refuse().await;
    let status = agi_status(bench, &call).await?;
    ensure!(status == "FAILURE", "AGISTATUS is {status}");
    Ok(())
}

async fn unknown_script(bench: &Bench) -> anyhow::Result<()> {
    let call = call_script(bench, "agi://127.0.0.1:4574/nobody?x=1").await?;
    let status = agi_status(bench, &call).await?;
    ensure!(status == "FAILURE", "AGISTATUS is {status}");
    Ok(())
}
