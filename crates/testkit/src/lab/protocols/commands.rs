//! Every typed command of FastAGI.

mod playing;
mod refusing;

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_agi::{ChannelStatus, DatabaseTree, ExecResult, Priority, Subroutine};
use strowger_ami::{Event, actions};

use super::{
    bench::{Bench, is},
    fast_agi::{end_with, session},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "ANSWER, CHANNEL STATUS, NOOP, VERBOSE, ASYNCAGI BREAK",
            channel(bench),
        )
        .await;
    report
        .check(bench, "SET CALLERID and SET AUTOHANGUP", settings(bench))
        .await;
    report
        .check(
            bench,
            "HANGUP of the channel and of another one",
            hangup(bench),
        )
        .await;
    report
        .check(
            bench,
            "GET VARIABLE of nothing, of a function, of another channel",
            reading(bench),
        )
        .await;
    report
        .check(
            bench,
            "EXEC tells what an application returned",
            exec(bench),
        )
        .await;
    report
        .check(bench, "GOSUB returns, or finds nothing", gosub(bench))
        .await;
    report
        .check(
            bench,
            "SET CONTEXT, SET EXTENSION and SET PRIORITY move the dialplan",
            moving(bench),
        )
        .await;
    report
        .check(bench, "DATABASE PUT, GET, DEL and DELTREE", database(bench))
        .await;
    playing::check(bench, report).await;
    refusing::check(bench, report).await;
}

async fn channel(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    session.answer().await?;
    session.noop().await?;
    session.verbose("the lab says \"hello\" (é)", 3).await?;
    session.asyncagi_break().await?;
    let status = session.channel_status().await?;
    ensure!(status == ChannelStatus::Up, "{status:?}");
    let name = bench.channel(&call, &call.one).await?;
    let other = session.channel_status_of(&name).await?;
    ensure!(other == Some(ChannelStatus::Up), "{other:?}");
    let none = session.channel_status_of("Local/none").await?;
    ensure!(none.is_none(), "{none:?}");
    // One command failed on the living channel, as the crate says.
    end_with(bench, &call, session, "SUCCESS").await
}

async fn settings(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    session.set_callerid("Zoé <+33199000100>").await?;
    let number = session.get_variable("CALLERID(num)").await?;
    ensure!(number.as_deref() == Some("+33199000100"), "{number:?}");
    let name = session.get_variable("CALLERID(name)").await?;
    ensure!(name.as_deref() == Some("Zoé"), "{name:?}");
    session.set_autohangup(Some(Duration::from_mins(1))).await?;
    let set = session.get_variable("TIMEOUT(absolute)").await?;
    ensure!(set.as_deref().is_some_and(|left| left != "0"), "{set:?}");
    session.set_autohangup(None).await?;
    let set = session.get_variable("TIMEOUT(absolute)").await?;
    ensure!(
        set.as_deref()
            .is_some_and(|left| left.trim_start_matches("0.").trim_matches('0').is_empty()),
        "{set:?}"
    );
    session
        .set_autohangup(Some(Duration::from_millis(300)))
        .await?;
    tokio::time::timeout(Duration::from_secs(10), session.wait_hangup()).await?;
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn hangup(bench: &Bench) -> anyhow::Result<()> {
    let other = bench.call("stay").await?;
    let name = bench.channel(&other, &other.one).await?;
    let (call, mut session) = session(bench).await?;
    ensure!(session.hangup_channel(&name).await?, "there was one");
    bench.gone(&other, &other.one).await?;
    ensure!(
        !session.hangup_channel("Local/none").await?,
        "there was none"
    );
    session.hangup().await?;
    ensure!(session.is_hung_up(), "the session does not know");
    session.hangup().await?;
    drop(session);
    bench.gone(&call, &call.two).await?;
    Ok(())
}

async fn reading(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let none = session.get_variable("LAB_NOTHING").await?;
    ensure!(none.is_none(), "{none:?}");
    let language = session.get_variable("CHANNEL(language)").await?;
    ensure!(language.as_deref() == Some("en"), "{language:?}");
    let full = session
        .get_full_variable("${CHANNEL(language)}-${LAB_NOTHING}!")
        .await?;
    ensure!(full.as_deref() == Some("en-!"), "{full:?}");
    let name = bench.channel(&call, &call.one).await?;
    bench
        .client
        .send(actions::set_var(&name, "LAB_OTHER", "there"))
        .await?;
    let there = session.get_full_variable_of("${LAB_OTHER}", &name).await?;
    ensure!(there.as_deref() == Some("there"), "{there:?}");
    let none = session
        .get_full_variable_of("${LAB_OTHER}", "Local/none")
        .await?;
    ensure!(none.is_none(), "{none:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn exec(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let done = session.exec("NoOp", &["one", "two"]).await?;
    ensure!(done == ExecResult::Returned(0), "{done:?}");
    let none = session.exec("NoSuchApplication", &[]).await?;
    ensure!(none == ExecResult::NoSuchApplication, "{none:?}");
    session.noop().await?;
    // Reaches nobody, and says so in a variable.
    session.exec("Dial", &["PJSIP/100@nobody", "1"]).await?;
    let status = session.get_variable("DIALSTATUS").await?;
    ensure!(status.as_deref() == Some("CHANUNAVAIL"), "{status:?}");
    drop(session);
    bench.end(&call).await
}

async fn gosub(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let done = session
        .gosub("lab-agi", "sub", Priority::Number(1), &["a b", "é"])
        .await?;
    ensure!(done == Subroutine::Returned, "{done:?}");
    let value = session.get_variable("GOSUB_RETVAL").await?;
    ensure!(value.as_deref() == Some("a b+é"), "{value:?}");
    let none = session
        .gosub("lab-agi", "none", Priority::Number(1), &[])
        .await?;
    ensure!(none == Subroutine::NotFound, "{none:?}");
    session.noop().await?;
    drop(session);
    bench.end(&call).await
}

async fn moving(bench: &Bench) -> anyhow::Result<()> {
    for by_label in [true, false] {
        let (call, mut session) = session(bench).await?;
        if by_label {
            session.set_priority(Priority::Label("moved")).await?;
        } else {
            session.set_context("lab-agi").await?;
            session.set_extension("url").await?;
            session.set_priority(Priority::Number(5)).await?;
        }
        drop(session);
        bench
            .journal
            .event("AgiMoved", call.mark, |event| match event {
                Event::UserEvent(event) if event.name() == "AgiMoved" => event
                    .channel()
                    .filter(|channel| is(*channel, &call.two))
                    .map(drop),
                _ => None,
            })
            .await?;
        bench.gone(&call, &call.one).await?;
    }
    Ok(())
}

async fn database(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let value = r#"a "b" (c), d\e é"#;
    session.database_put("lab agi", "key/one", value).await?;
    let read = session.database_get("lab agi", "key/one").await?;
    ensure!(read.as_deref() == Some(value), "{read:?}");
    session.database_put("lab agi", "key/two", "").await?;
    session.database_del("lab agi", "key/two").await?;
    let none = session.database_get("lab agi", "key/two").await?;
    ensure!(none.is_none(), "{none:?}");
    // 1 or 0 for an entry that is not there, by version.
    match session.database_del("lab agi", "key/two").await {
        Ok(()) | Err(strowger_agi::CommandError::Refused { code: 200, .. }) => {}
        Err(error) => bail!("{error}"),
    }
    let deleted = session.database_deltree("lab agi", Some("key")).await?;
    ensure!(deleted == DatabaseTree::Deleted, "{deleted:?}");
    let nothing = session.database_deltree("lab agi", None).await?;
    ensure!(nothing == DatabaseTree::Nothing, "{nothing:?}");
    end_with(bench, &call, session, "SUCCESS").await
}
