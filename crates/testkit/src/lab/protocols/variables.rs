//! Values that must come back from a channel as they went.

use anyhow::ensure;
use strowger_agi::{CommandError, ExecResult, InvalidArgument, Session};

use super::{
    bench::Bench,
    fast_agi::{end_with, session},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "every character of ASCII comes back from a variable",
            ascii(bench),
        )
        .await;
    report
        .check(
            bench,
            "values with brackets, quotes and UTF-8 come back from a variable",
            texts(bench),
        )
        .await;
    report
        .check(
            bench,
            "a value with line breaks is read whole",
            line_breaks(bench),
        )
        .await;
    report
        .check(
            bench,
            "a long value comes back, and a longer line is not sent",
            long(bench),
        )
        .await;
    report
        .check(
            bench,
            "arguments of an application stay apart",
            arguments(bench),
        )
        .await;
}

/// Writes a value and reads it back in both ways.
async fn round_trip(session: &mut Session, value: &str) -> anyhow::Result<()> {
    session.set_variable("LAB_VALUE", value).await?;
    let read = session.get_variable("LAB_VALUE").await?;
    // An empty value is as good as none.
    let expected = Some(value).filter(|value| !value.is_empty());
    ensure!(
        read.as_deref().filter(|value| !value.is_empty()) == expected,
        "{value:?} became {read:?}"
    );
    let full = session.get_full_variable("${LAB_VALUE}").await?;
    ensure!(
        full.as_deref().unwrap_or_default() == value,
        "in full {value:?} became {full:?}"
    );
    Ok(())
}

async fn ascii(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    for byte in b' '..=b'~' {
        let character = char::from(byte);
        for value in [
            format!("a{character}b"),
            format!("{character}x"),
            format!("x{character}"),
            format!("{character}{character}"),
        ] {
            round_trip(&mut session, &value).await?;
        }
    }
    let all: String = (b' '..=b'~').map(char::from).collect();
    round_trip(&mut session, &all).await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn texts(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    for value in [
        "",
        "(a) (b",
        "a) endpos=5",
        "200 result=1 (x)",
        "\"quoted\" 'single' `tick`",
        r"\n is no line break, \\ is two",
        "${EXTEN} and $[1 + 1]",
        "Zoé Łódź 東京 🎉 ٣",
        "\ttab\tand\u{1b}escape\u{7f}",
        "ends with a backslash \\",
        "HANGUP",
    ] {
        round_trip(&mut session, value).await?;
    }
    end_with(bench, &call, session, "SUCCESS").await
}

async fn line_breaks(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    // "a\nb) c\n\nHANGUP\nd"
    let value = session
        .get_full_variable("${BASE64_DECODE(YQpiKSBjCgpIQU5HVVAKZA==)}")
        .await?;
    ensure!(
        value.as_deref() == Some("a\nb) c\n\nHANGUP\nd"),
        "it is {value:?}"
    );
    ensure!(!session.is_hung_up(), "a value is taken for a hang-up");
    session.noop().await?;
    let refused = session.set_variable("LAB", "a\nb").await;
    ensure!(
        matches!(
            refused,
            Err(CommandError::InvalidArgument(
                InvalidArgument::ControlCharacter { index: 2 }
            ))
        ),
        "it is {refused:?}"
    );
    end_with(bench, &call, session, "SUCCESS").await
}

async fn long(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    // The longest line that every version reads, with its verb, its name and the quotes.
    let room = strowger_agi::command::MAX_LINE - "SET VARIABLE \"LAB\" \"\"".len();
    let value = "x".repeat(room);
    session.set_variable("LAB", &value).await?;
    let length = session.get_full_variable("${LEN(${LAB})}").await?;
    ensure!(
        length == Some(room.to_string()),
        "it has {length:?} of {room}"
    );
    let read = session.get_variable("LAB").await?;
    let length = read.map(|read| read.len());
    bench.figure("agi_get_variable_bytes_of_2026", length);
    let longest = if session.environment().major_version() >= Some(20) {
        strowger_agi::command::MAX_LINE_LONG
    } else {
        strowger_agi::command::MAX_LINE
    };
    let room = longest - "SET VARIABLE \"LAB\" \"\"".len();
    session.set_variable("LAB", &"y".repeat(room)).await?;
    let length = session.get_full_variable("${LEN(${LAB})}").await?;
    ensure!(
        length == Some(room.to_string()),
        "it has {length:?} of {room}"
    );
    let refused = session.set_variable("LAB", &"z".repeat(room + 1)).await;
    ensure!(
        matches!(
            refused,
            Err(CommandError::InvalidArgument(
                InvalidArgument::TooLong { .. }
            ))
        ),
        "it is {refused:?}"
    );
    session.noop().await?;
    end_with(bench, &call, session, "SUCCESS").await
}

async fn arguments(bench: &Bench) -> anyhow::Result<()> {
    let (call, mut session) = session(bench).await?;
    let values = ["LAB_A=a (b) [c]", "LAB_B=Zoé; x", "LAB_C=last"];
    let done = session.exec("MSet", &values).await?;
    ensure!(done == ExecResult::Returned(0), "{done:?}");
    for value in values {
        let (name, value) = value.split_once('=').unwrap_or_default();
        let read = session.get_variable(name).await?;
        ensure!(read.as_deref() == Some(value), "{name} is {read:?}");
    }
    end_with(bench, &call, session, "SUCCESS").await
}
