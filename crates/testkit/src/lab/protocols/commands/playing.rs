//! Commands that play, listen and record.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use strowger_agi::{
    Case, CommandError, ControlEnd, ControlStatus, ControlStream, Gender, Record, RecordingEnd,
    Session,
};
use strowger_ami::actions;
use tokio::time::sleep;

use super::super::{
    bench::{Bench, Call},
    fast_agi::{end_with, refusal, session},
    report::{Lacks, Report},
};

/// A sound of a second or less, and one of many.
const SHORT: &str = "beep";
const LONG: &str = "demo-instruct";

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "STREAM FILE plays to its end, to a digit, from a position",
            stream(bench),
        )
        .await;
    report
        .check(
            bench,
            "CONTROL STREAM FILE is steered, ends, and fails",
            control(bench),
        )
        .await;
    report
        .check(bench, "GET OPTION hears a digit or none", get_option(bench))
        .await;
    report
        .check(bench, "GET DATA collects digits", get_data(bench))
        .await;
    report
        .check(
            bench,
            "WAIT FOR DIGIT hears a digit or none",
            wait_for_digit(bench),
        )
        .await;
    report
        .check(bench, "SET MUSIC on and off", set_music(bench))
        .await;
    report
        .check(
            bench,
            "RECORD FILE ends by time, by a digit and by a hang-up",
            record(bench),
        )
        .await;
    report
        .check(bench, "SAY NUMBER, DIGITS, ALPHA, PHONETIC", say(bench))
        .await;
    report
        .check(bench, "SAY ALPHA announces the case", say_case(bench))
        .await;
    report
        .check(bench, "SAY DATE, TIME, DATETIME", say_dates(bench))
        .await;
    report
        .check(bench, "SAY ends at a digit", say_digit(bench))
        .await;
}

/// Presses keys while a command runs, the first after half a second.
async fn pressing<T>(
    bench: &Bench,
    call: &Call,
    digits: &str,
    command: impl Future<Output = T>,
) -> anyhow::Result<T> {
    let keys = async {
        for digit in digits.chars() {
            sleep(Duration::from_millis(500)).await;
            bench.press(call, digit).await?;
        }
        anyhow::Ok(())
    };
    let (outcome, pressed) = tokio::join!(command, keys);
    pressed?;
    Ok(outcome)
}

async fn stream(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let whole = session.stream_file(SHORT, "").await?;
    ensure!(whole.digit.is_none() && whole.end_position > 0, "{whole:?}");
    let cut = pressing(bench, &call, "5", session.stream_file(LONG, "15")).await??;
    ensure!(cut.digit == Some('5') && cut.end_position > 0, "{cut:?}");
    let on = session.stream_file_from(LONG, "#", cut.end_position);
    let on = pressing(bench, &call, "#", on).await??;
    ensure!(on.digit == Some('#'), "{on:?}");
    ensure!(on.end_position > cut.end_position, "{cut:?}, then {on:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn control(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let before = session.control_stream_status().await?;
    ensure!(before.is_none(), "{before:?}");
    let whole = session
        .control_stream_file(&ControlStream::new(SHORT))
        .await?;
    ensure!(whole.end == ControlEnd::Finished, "{whole:?}");
    let status = session.control_stream_status().await?;
    ensure!(status == Some(ControlStatus::Success), "{status:?}");

    let steered = ControlStream {
        stop: "0",
        pause: Some('5'),
        skip: Duration::from_secs(1),
        offset: Duration::from_secs(1),
        ..ControlStream::new(LONG)
    };
    let stopped = session.control_stream_file(&steered);
    let stopped = pressing(bench, &call, "#0", stopped).await??;
    ensure!(stopped.end == ControlEnd::Digit('0'), "{stopped:?}");
    // One second of offset, one of skip, and what was heard.
    let position = stopped.offset.unwrap_or_default();
    ensure!(
        position > Duration::from_secs(2),
        "it ended at {position:?}"
    );
    let status = session.control_stream_status().await?;
    ensure!(status == Some(ControlStatus::UserStopped), "{status:?}");

    let name = bench.channel(&call, &call.two).await?;
    let (ended, sent) = tokio::join!(session.control_stream_file(&steered), async {
        sleep(Duration::from_millis(500)).await;
        let stop = actions::control_playback(&name, actions::Playback::Stop);
        bench.client.send(stop).await
    });
    sent?;
    let ended = ended?;
    ensure!(ended.end == ControlEnd::Finished, "{ended:?}");
    let status = session.control_stream_status().await?;
    ensure!(status == Some(ControlStatus::RemoteStopped), "{status:?}");

    let (code, _) = refusal(
        session
            .control_stream_file(&ControlStream::new("no-such-sound"))
            .await,
    )?;
    ensure!(code == 200, "{code}");
    let status = session.control_stream_status().await?;
    ensure!(status == Some(ControlStatus::Error), "{status:?}");
    drop(session);
    bench.end(&call).await
}

async fn get_option(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let pressed = session.get_option(LONG, "12", Duration::from_secs(2));
    let pressed = pressing(bench, &call, "2", pressed).await??;
    ensure!(pressed.digit == Some('2'), "{pressed:?}");
    let none = session
        .get_option(SHORT, "12", Duration::from_millis(300))
        .await?;
    ensure!(none.digit.is_none(), "{none:?}");
    let after = session.get_option(SHORT, "12", Duration::from_secs(5));
    let after = pressing(bench, &call, "1", after).await??;
    ensure!(after.digit == Some('1'), "{after:?}");
    let (code, _) = refusal(
        session
            .get_option("no-such-sound", "1", Duration::ZERO)
            .await,
    )?;
    ensure!(code == 200, "{code}");
    drop(session);
    bench.end(&call).await
}

async fn get_data(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let patience = Duration::from_secs(2);
    for (pressed, max, digits, timed_out) in [
        ("4711", 4, "4711", false),
        ("12#", 8, "12", false),
        ("73", 8, "73", true),
        ("*0", 2, "*0", false),
    ] {
        let entry = session.get_data(LONG, patience, max);
        let entry = pressing(bench, &call, pressed, entry).await??;
        ensure!(
            entry.digits == digits && entry.timed_out == timed_out,
            "{pressed} is {:?}, timed out {}",
            entry.digits,
            entry.timed_out
        );
    }
    let none = session
        .get_data(SHORT, Duration::from_millis(500), 4)
        .await?;
    ensure!(none.digits.is_empty() && none.timed_out, "{none:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn wait_for_digit(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let none = session.wait_for_digit(Duration::from_millis(200)).await?;
    ensure!(none.is_none(), "{none:?}");
    for digit in ['0', '9', '*', '#', 'A', 'D'] {
        let waiting = session.wait_for_digit(Duration::from_secs(5));
        let heard = pressing(bench, &call, &digit.to_string(), waiting).await??;
        ensure!(heard == Some(digit), "{digit} is {heard:?}");
    }
    end_with(bench, &call, session, "SUCCESS").await
}

async fn set_music(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let mark = bench.journal.mark();
    session.set_music(true, None).await?;
    session.set_music(false, None).await?;
    session.set_music(true, Some("default")).await?;
    session.set_music(false, None).await?;
    for kind in [
        strowger_ami::EventKind::MusicOnHoldStart,
        strowger_ami::EventKind::MusicOnHoldStop,
    ] {
        bench
            .journal
            .event(kind.name(), mark, |event| {
                (event.kind() == kind).then_some(())
            })
            .await?;
    }
    end_with(bench, &call, session, "SUCCESS").await
}

async fn record(bench: &Bench) -> anyhow::Result<()> {
    let spool = bench.asterisk.path("pbx_spool")?.to_owned();
    let file = format!("{spool}/recording/{}", bench.name());
    let (call, mut session) = session(bench).await?;
    let timed = session
        .record_file(&file, "wav", "#", Duration::from_secs(1), true, None)
        .await?;
    ensure!(timed.end == RecordingEnd::Timeout, "{timed:?}");
    let record = Record {
        escape_digits: "#5",
        max_duration: Some(Duration::from_secs(20)),
        ..Record::new(&file, "wav")
    };
    let by_digit = pressing(bench, &call, "5", session.record(&record)).await??;
    ensure!(by_digit.end == RecordingEnd::Dtmf('5'), "{by_digit:?}");
    let silent = Record {
        silence: Some(Duration::from_secs(1)),
        ..record
    };
    // A Local channel without sound has no packets either, so that silence is not heard.
    let silent = pressing(bench, &call, "#", session.record(&silent)).await??;
    ensure!(
        matches!(silent.end, RecordingEnd::Dtmf('#') | RecordingEnd::Timeout),
        "{silent:?}"
    );
    let name = bench.channel(&call, &call.one).await?;
    let (ended, hangup) = tokio::join!(session.record(&record), async {
        sleep(Duration::from_millis(700)).await;
        bench.client.send(actions::hangup(&name, None)).await
    });
    hangup?;
    let ended = ended?;
    ensure!(ended.end == RecordingEnd::Hangup, "{ended:?}");
    ensure!(session.is_hung_up(), "the session does not know");
    let size = std::fs::metadata(format!("{file}.wav")).map(|file| file.len());
    ensure!(size.is_ok(), "there is no file: {size:?}");
    let _ = std::fs::remove_file(format!("{file}.wav"));
    drop(session);
    bench.gone(&call, &call.two).await?;
    failing_record(bench).await
}

/// A recording that cannot be written.
async fn failing_record(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let failed = session
        .record(&Record::new("/proc/none/here", "wav"))
        .await?;
    ensure!(failed.end == RecordingEnd::Failed, "{failed:?}");
    session.noop().await?;
    drop(session);
    bench.end(&call).await
}

/// Nothing was pressed.
fn unheard(what: &str, said: Result<Option<char>, CommandError>) -> anyhow::Result<()> {
    match said.with_context(|| what.to_owned())? {
        None => Ok(()),
        Some(digit) => bail!("{what} heard {digit}"),
    }
}

async fn say(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    unheard("SAY NUMBER", session.say_number(7, "").await)?;
    unheard("SAY NUMBER", session.say_number(-1, "#").await)?;
    unheard(
        "SAY NUMBER",
        session.say_number_as(2, "", Gender::Feminine).await,
    )?;
    unheard("SAY DIGITS", session.say_digits("01", "#").await)?;
    let (code, _) = refusal(session.say_digits("x", "").await)?;
    ensure!(code == 520, "{code}");
    unheard("SAY ALPHA", session.say_alpha("aB", "", Case::None).await)?;
    unheard("SAY PHONETIC", session.say_phonetic("z", "*").await)?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn say_case(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let sixteen = session.environment().major_version() == Some(16);
    for case in [Case::Lower, Case::Upper, Case::All] {
        match session.say_alpha("aB", "", case).await {
            Err(CommandError::Refused { code: 200, .. }) if sixteen => {
                let why = "Asterisk 16 looks for a sound `lowercaseletters/a`, which is none";
                return Err(Lacks(why.into()).into());
            }
            said => unheard(&format!("SAY ALPHA {case:?}"), said)?,
        }
    }
    end_with(bench, &call, session, "SUCCESS").await
}

async fn say_dates(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    unheard("SAY DATE", session.say_date(1_700_000_000, "#").await)?;
    unheard("SAY TIME", session.say_time(1_700_000_000, "").await)?;
    let zone = Some("Europe/Paris");
    unheard(
        "SAY DATETIME",
        session
            .say_datetime(1_700_000_000, "", Some("HM"), zone)
            .await,
    )?;
    unheard(
        "SAY DATETIME",
        session
            .say_datetime(1_700_000_000, "", Some("A"), None)
            .await,
    )?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn say_digit(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let said = speak(&mut session);
    let heard = pressing(bench, &call, "3", said).await??;
    ensure!(heard == Some('3'), "{heard:?}");
    end_with(bench, &call, session, "SUCCESS").await
}

async fn speak(session: &mut Session) -> Result<Option<char>, CommandError> {
    session.say_digits("123456789", "3").await
}
