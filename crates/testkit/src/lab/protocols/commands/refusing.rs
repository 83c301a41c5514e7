//! Commands for what a plain channel does not have: they are refused, and the session
//! goes on.

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_agi::{CommandError, TddMode};

use super::super::{
    bench::Bench,
    fast_agi::{refusal, session},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "SEND TEXT, SEND IMAGE, TDD MODE on a plain channel",
            sending(bench),
        )
        .await;
    report
        .check(
            bench,
            "RECEIVE CHAR and RECEIVE TEXT without a text",
            receiving(bench),
        )
        .await;
    report
        .check(bench, "SPEECH without an engine is refused", speech(bench))
        .await;
}

async fn sending(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    session.send_text("Zoé says \"hi\"").await?;
    match session.send_image("asterisk-logo").await {
        Ok(()) | Err(CommandError::Refused { code: 200, .. }) => {}
        Err(error) => bail!("SEND IMAGE: {error}"),
    }
    for mode in [TddMode::On, TddMode::Mate, TddMode::Off] {
        let can = session.tdd_mode(mode).await?;
        ensure!(!can, "a Local channel has {mode:?}");
    }
    session.noop().await?;
    drop(session);
    bench.end(&call).await
}

async fn receiving(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let patience = Some(Duration::from_millis(200));
    let none = session.receive_char(patience).await?;
    ensure!(none.is_none(), "{none:?}");
    let none = session.receive_text(patience).await?;
    ensure!(none.is_none(), "{none:?}");
    session.noop().await?;
    drop(session);
    bench.end(&call).await
}

async fn speech(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let refused = [
        ("CREATE", refusal(session.speech_create("lab").await)),
        ("SET", refusal(session.speech_set("a", "b").await)),
        (
            "LOAD GRAMMAR",
            refusal(session.speech_load_grammar("a", "/b").await),
        ),
        (
            "UNLOAD GRAMMAR",
            refusal(session.speech_unload_grammar("a").await),
        ),
        (
            "ACTIVATE GRAMMAR",
            refusal(session.speech_activate_grammar("a").await),
        ),
        (
            "DEACTIVATE GRAMMAR",
            refusal(session.speech_deactivate_grammar("a").await),
        ),
        (
            "RECOGNIZE",
            refusal(session.speech_recognize("beep", None, 0).await),
        ),
    ];
    for (verb, outcome) in refused {
        let (code, message) = outcome?;
        ensure!(code == 200, "SPEECH {verb}: {code} {message}");
    }
    ensure!(!session.speech_destroy().await?, "there was one to destroy");
    session.noop().await?;
    drop(session);
    bench.end(&call).await
}
