//! Calls, their events, and what steers them.

use anyhow::{bail, ensure};
use strowger_ami::{
    ActionError, Event,
    actions::{self, Destination, OriginateRequest},
    event::{CdrDisposition, DialStatus},
};

use super::{
    bench::{Bench, CONTEXT, Call, is, text},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a call is told from its channel to its hang-up, under our id",
            life(bench),
        )
        .await;
    report
        .check(
            bench,
            "a call to nowhere has an OriginateResponse with our id",
            nowhere(bench),
        )
        .await;
    report
        .check(
            bench,
            "the outcome of a call of the carrier is typed",
            outcomes(bench),
        )
        .await;
    report
        .check(
            bench,
            "values of variables survive an Originate",
            variables(bench),
        )
        .await;
    report
        .check(bench, "variables are set and read", set_and_get(bench))
        .await;
    report
        .check(bench, "Redirect moves a channel", redirect(bench))
        .await;
    report
        .check(bench, "a call has a record", record(bench))
        .await;
}

async fn life(bench: &Bench) -> anyhow::Result<()> {
    let mut request = bench.request("stay");
    request.caller_id = Some("\"Zoé & fils\" <+33199000100>".into());
    request.account = Some("lab".into());
    let call = bench.answered(&request).await?;
    let journal = &bench.journal;
    let name = bench.channel(&call, &call.one).await?;
    ensure!(
        name.starts_with("Local/stay@lab-agi-") && name.ends_with(";1"),
        "it is {name}"
    );
    let account = journal
        .event("NewAccountCode", call.mark, |event| match event {
            Event::NewAccountCode(event) if is(event.channel(), &call.one) => Some((
                event.old_account_code().into_owned(),
                text(event.raw(), "AccountCode"),
            )),
            _ => None,
        })
        .await?;
    ensure!(
        account == (String::new(), "lab".into()),
        "the account code is {account:?}"
    );
    journal
        .event("DialBegin", call.mark, |event| match event {
            Event::DialBegin(event) => event.dest().filter(|dest| is(*dest, &call.one)).map(drop),
            _ => None,
        })
        .await?;
    let status = journal
        .event("DialEnd", call.mark, |event| match event {
            Event::DialEnd(event) if event.dest().is_some_and(|dest| is(dest, &call.one)) => {
                event.dial_status()
            }
            _ => None,
        })
        .await?;
    ensure!(status == DialStatus::Answer, "the dial ended with {status}");
    let caller = journal
        .event("OriginateResponse", call.mark, |event| match event {
            Event::OriginateResponse(event) if event.uniqueid().as_deref() == Some(&*call.one) => {
                Some((
                    event.reason(),
                    event.exten().into_owned(),
                    event.action_id().is_some(),
                ))
            }
            _ => None,
        })
        .await?;
    ensure!(
        caller == (4, "stay".into(), true),
        "the outcome is {caller:?}"
    );
    let shown = journal
        .event("a name", call.mark, |event| match event {
            Event::NewState(event) if is(event.channel(), &call.one) => {
                Some(event.channel().caller_id_name().into_owned())
            }
            _ => None,
        })
        .await?;
    // An Originate sets the other side of a Local channel.
    ensure!(
        shown.is_empty() || shown == "Zoé & fils",
        "the name is {shown:?}"
    );
    bench.client.send(actions::hangup(&name, Some(17))).await?;
    let cause = bench.gone(&call, &call.one).await?;
    ensure!(cause == 17, "the cause is {cause}");
    bench.gone(&call, &call.two).await?;
    Ok(())
}

/// The outcome of a call under our id.
async fn outcome(bench: &Bench, call: &Call) -> anyhow::Result<(bool, u16)> {
    bench
        .journal
        .event("OriginateResponse", call.mark, |event| match event {
            Event::OriginateResponse(event) if event.uniqueid().as_deref() == Some(&*call.one) => {
                Some((event.success(), event.reason()))
            }
            _ => None,
        })
        .await
}

async fn nowhere(bench: &Bench) -> anyhow::Result<()> {
    for channel in ["PJSIP/100@nobody", "Nothing/100"] {
        let mut request = bench.request("stay");
        request.channel = channel.into();
        let call = bench.place(&request).await?;
        let outcome = outcome(bench, &call).await?;
        ensure!(outcome == (false, 0), "{channel}: {outcome:?}");
    }
    Ok(())
}

fn to_carrier(bench: &Bench, behaviour: &str) -> OriginateRequest {
    OriginateRequest {
        channel: format!("PJSIP/+336399901{behaviour}@carrier"),
        other_channel_id: None,
        timeout_ms: 4_000,
        ..bench.request("stay")
    }
}

async fn outcomes(bench: &Bench) -> anyhow::Result<()> {
    let mut reasons = serde_json::Map::new();
    for (behaviour, expected) in [
        ("20", DialStatus::Busy),
        ("30", DialStatus::NoAnswer),
        ("40", DialStatus::NoAnswer),
        ("50", DialStatus::NoAnswer),
        ("60", DialStatus::Congestion),
    ] {
        let call = bench.place(&to_carrier(bench, behaviour)).await?;
        let (success, reason) = outcome(bench, &call).await?;
        ensure!(!success, "{behaviour}: it was answered");
        ensure!(
            (reason == 3) == (behaviour == "30"),
            "{behaviour}: the reason is {reason}"
        );
        reasons.insert(behaviour.to_owned(), reason.into());
        if behaviour == "30" {
            // Asterisk 22 tells no end of a dial that an Originate gave up.
            bench.gone(&call, &call.one).await?;
            continue;
        }
        let status = bench
            .journal
            .event("DialEnd", call.mark, |event| match event {
                Event::DialEnd(event) if event.dest().is_some_and(|dest| is(dest, &call.one)) => {
                    event.dial_status()
                }
                _ => None,
            })
            .await?;
        ensure!(
            status == expected,
            "{behaviour}: the dial ended with {status}"
        );
        bench.gone(&call, &call.one).await?;
    }
    bench.figure("originate_reasons", reasons);
    Ok(())
}

const VALUES: [&str; 10] = [
    "plain",
    "one, two,three",
    r#"say "hi" and 'ho'"#,
    "(open [and) close]",
    r"C:\temp\new \\ end",
    "Zoé Łódź 東京 🎉",
    "a=b;c&d|e$f%g#h@i!j",
    "  blanks at both ends  ",
    "${EXTEN} $[1+1]",
    "<tag> {x} ~^`*+?/:_-",
];

async fn variables(bench: &Bench) -> anyhow::Result<()> {
    for value in VALUES {
        let mut request = bench.request("stay");
        request.variables = vec![
            ("__LAB_VALUE".into(), value.into()),
            ("LAB_SECOND".into(), "second".into()),
        ];
        let call = bench.answered(&request).await?;
        for id in [&call.one, &call.two] {
            let name = bench.channel(&call, id).await?;
            let read = bench.variable(&name, "LAB_VALUE").await?;
            ensure!(read == value, "{value:?} became {read:?}");
        }
        let name = bench.channel(&call, &call.one).await?;
        let second = bench.variable(&name, "LAB_SECOND").await?;
        ensure!(second == "second", "behind {value:?} it is {second:?}");
        bench.end(&call).await?;
    }
    Ok(())
}

async fn set_and_get(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let name = bench.channel(&call, &call.one).await?;
    for value in VALUES {
        bench
            .client
            .send(actions::set_var(&name, "LAB_SET", value))
            .await?;
        let value = value.trim_start_matches(' ');
        let read = bench.variable(&name, "LAB_SET").await?;
        ensure!(read == value, "{value:?} became {read:?}");
        bench
            .client
            .send(actions::set_global("LAB_GLOBAL", value))
            .await?;
        let answer = bench.client.send(actions::get_global("LAB_GLOBAL")).await?;
        let read = text(&answer, "Value");
        ensure!(read == value, "the global {value:?} became {read:?}");
        let told = bench
            .journal
            .event("VarSet", call.mark, |event| match event {
                Event::VarSet(event)
                    if event.variable() == "LAB_SET"
                        && event
                            .channel()
                            .is_some_and(|channel| is(channel, &call.one))
                        && event.value() == value =>
                {
                    Some(())
                }
                _ => None,
            })
            .await;
        ensure!(told.is_ok(), "no VarSet with {value:?}");
    }
    let state = bench.variable(&name, "CHANNEL(state)").await?;
    ensure!(state == "Up", "CHANNEL(state) is {state}");
    match bench.client.send(actions::get_var("Local/none", "X")).await {
        Err(ActionError::Rejected { message }) => {
            ensure!(message.contains("No such channel"), "it says {message:?}");
        }
        other => bail!("of no channel it is {other:?}"),
    }
    bench.end(&call).await
}

async fn redirect(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let name = bench.channel(&call, &call.two).await?;
    let to = Destination {
        context: CONTEXT.into(),
        exten: "echo".into(),
        priority: 1,
    };
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::redirect(&name, &to, None))
        .await?;
    bench
        .journal
        .event("Newexten", mark, |event| match event {
            Event::NewExten(event)
                if is(event.channel(), &call.two) && event.application() == "Echo" =>
            {
                Some(())
            }
            _ => None,
        })
        .await?;
    bench.end(&call).await
}

async fn record(bench: &Bench) -> anyhow::Result<()> {
    let mut request = to_carrier(bench, "80");
    request.account = Some("lab-record".into());
    let call = bench.answered(&request).await?;
    bench.gone(&call, &call.one).await?;
    let (disposition, billable, uniqueid) = bench
        .journal
        .event("Cdr", call.mark, |event| match event {
            Event::Cdr(event) if event.account_code() == "lab-record" => Some((
                event.disposition(),
                event.billable(),
                event.uniqueid().into_owned(),
            )),
            _ => None,
        })
        .await?;
    ensure!(
        disposition == CdrDisposition::Answered,
        "it is {disposition}"
    );
    ensure!(billable.is_some(), "nothing is billable");
    ensure!(uniqueid == call.one, "it is of {uniqueid}");
    Ok(())
}
