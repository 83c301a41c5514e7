//! Recording, digits and the rest that happens on a channel.

use std::borrow::Cow;

use anyhow::{bail, ensure};
use strowger_ami::{
    Event, EventKind,
    actions::{self, RecordDirection},
    event::DtmfDirection,
};

use super::{
    bench::{Bench, is, text},
    report::{Lacks, Report},
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a recording is told from its begin to its end",
            mix_monitor(bench),
        )
        .await;
    report
        .check(bench, "a recording is muted", mix_monitor_mute(bench))
        .await;
    report
        .check(
            bench,
            "a digit is told from its begin to its end",
            digits(bench),
        )
        .await;
    report
        .check(
            bench,
            "an event of a user comes back with its ActionID",
            user_event(bench),
        )
        .await;
    report
        .check(
            bench,
            "an event of the dialplan has its channel",
            dialplan_event(bench),
        )
        .await;
    report.check(bench, "a reload is told", reload(bench)).await;
    report
        .check(bench, "messages that wait are told", message_waiting(bench))
        .await;
    report
        .check(
            bench,
            "a wrong secret is an event of class security",
            security(bench),
        )
        .await;
    report
        .check(bench, "a state of a device is told", device_state(bench))
        .await;
}

/// Whether an event of this kind about this channel comes.
async fn told(bench: &Bench, mark: usize, kind: EventKind, id: &str) -> anyhow::Result<()> {
    bench
        .journal
        .event(kind.name(), mark, |event| {
            (event.kind() == kind && text(event.raw(), "Uniqueid") == id).then_some(())
        })
        .await
}

async fn mix_monitor(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let name = bench.channel(&call, &call.one).await?;
    let file = format!("{}.wav", bench.name());
    bench
        .client
        .send(actions::mix_monitor(&name, &file, "i(LAB_RECORDING)"))
        .await?;
    let id = bench.variable(&name, "LAB_RECORDING").await?;
    ensure!(id.starts_with("0x"), "the recording is {id:?}");
    told(bench, call.mark, EventKind::MixMonitorStart, &call.one).await?;
    bench
        .client
        .send(actions::stop_mix_monitor(&name, Some(&id)))
        .await?;
    told(bench, call.mark, EventKind::MixMonitorStop, &call.one).await?;
    bench.end(&call).await
}

async fn mix_monitor_mute(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let name = bench.channel(&call, &call.one).await?;
    let file = format!("{}.wav", bench.name());
    bench
        .client
        .send(actions::mix_monitor(&name, &file, ""))
        .await?;
    for muted in [true, false] {
        let mark = bench.journal.mark();
        let mute = actions::mix_monitor_mute(&name, RecordDirection::Both, muted);
        bench.client.send(mute).await?;
        let told = bench
            .journal
            .event("MixMonitorMute", mark, |event| match event {
                Event::MixMonitorMute(event) if is(event.channel(), &call.one) => {
                    Some((event.direction().into_owned(), event.muted()))
                }
                _ => None,
            })
            .await?;
        ensure!(told == ("both".into(), muted), "{told:?}");
    }
    bench.end(&call).await
}

async fn digits(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let told = async |digit: char, begin: bool| {
        bench
            .journal
            .event("a digit", call.mark, |event| {
                let dtmf = match event {
                    Event::DtmfBegin(dtmf) if begin => dtmf,
                    Event::DtmfEnd(dtmf) if !begin => dtmf,
                    _ => return None,
                };
                (is(dtmf.channel(), &call.two) && dtmf.digit() == digit.to_string())
                    .then(|| (dtmf.duration().is_some(), dtmf.direction()))
            })
            .await
    };
    // A silent channel may tell the end of a digit only when the next one comes.
    let mut before = None;
    for digit in ['5', '#', '*', '0', 'A'] {
        bench.press(&call, digit).await?;
        let begin = told(digit, true).await?;
        ensure!(
            begin == (false, DtmfDirection::Received),
            "{digit} begins as {begin:?}"
        );
        if let Some(before) = before.replace(digit) {
            let end = told(before, false).await?;
            ensure!(
                end == (true, DtmfDirection::Received),
                "{before} ends as {end:?}"
            );
        }
    }
    bench.end(&call).await
}

async fn user_event(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    let note = "Ünïcode: a, b; c \"d\"";
    let action = actions::user_event("LabNote", &[("Note", note), ("Empty", "")]);
    bench.client.send(action).await?;
    let (note_told, action_id, channel) = bench
        .journal
        .event("UserEvent", mark, |event| match event {
            Event::UserEvent(event) if event.name() == "LabNote" => Some((
                text(event.raw(), "Note"),
                event.action_id().map(Cow::into_owned),
                event.channel().is_some(),
            )),
            _ => None,
        })
        .await?;
    ensure!(note_told == note, "the note is {note_told:?}");
    ensure!(
        action_id.as_deref().is_some_and(|id| id.starts_with("sw")),
        "the ActionID is {action_id:?}"
    );
    ensure!(!channel, "it has a channel");
    Ok(())
}

async fn dialplan_event(bench: &Bench) -> anyhow::Result<()> {
    let mut request = bench.request("url");
    // Nobody listens there.
    request.variables = vec![
        ("__URL".into(), "agi://127.0.0.1:4599/none".into()),
        ("__CASE".into(), "nobody".into()),
    ];
    let call = bench.place(&request).await?;
    let (status, case) = bench
        .journal
        .event("UserEvent", call.mark, |event| match event {
            Event::UserEvent(event)
                if event
                    .channel()
                    .is_some_and(|channel| is(channel, &call.two)) =>
            {
                Some((text(event.raw(), "Status"), text(event.raw(), "Case")))
            }
            _ => None,
        })
        .await?;
    ensure!(status == "FAILURE" && case == "nobody", "{status}, {case}");
    bench.gone(&call, &call.one).await?;
    Ok(())
}

async fn reload(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::reload(Some("cdr_manager.so")))
        .await?;
    let (module, status) = bench
        .journal
        .event("Reload", mark, |event| match event {
            Event::Reload(event) => {
                Some((event.module().into_owned(), event.status().into_owned()))
            }
            _ => None,
        })
        .await?;
    ensure!(
        module.contains("cdr_manager") && status == "0",
        "{module}: {status}"
    );
    Ok(())
}

async fn message_waiting(bench: &Bench) -> anyhow::Result<()> {
    if !bench.has_action("MWIUpdate").await? {
        return Err(Lacks(
            "res_mwi_external_ami is not loaded, which excludes app_voicemail".into(),
        )
        .into());
    }
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::mwi_update("1001@lab", 2, 1))
        .await?;
    let told = bench
        .journal
        .event("MessageWaiting", mark, |event| match event {
            Event::MessageWaiting(event) if event.mailbox() == "1001@lab" => {
                Some((event.waiting(), event.new_messages(), event.old_messages()))
            }
            _ => None,
        })
        .await?;
    ensure!(told == (true, Some(2), Some(1)), "{told:?}");
    bench.client.send(actions::mwi_delete("1001@lab")).await?;
    Ok(())
}

async fn security(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    let config = strowger_ami::ClientConfig {
        secret: "none-of-the-lab".to_owned().into(),
        auth: strowger_ami::Auth::Plain,
        ..bench.account()?
    };
    let link = bench.link(config, strowger_ami::Consumer::call_state());
    let (account, service, address) = bench
        .journal
        .event("InvalidPassword", mark, |event| match event {
            Event::InvalidPassword(event) => Some((
                event.account().into_owned(),
                event.service().into_owned(),
                event.remote_ip(),
            )),
            _ => None,
        })
        .await?;
    drop(link);
    ensure!(account == "lab" && service == "AMI", "{account}, {service}");
    let Some(address) = address else {
        bail!("no address");
    };
    ensure!(address.is_loopback(), "it came from {address}");
    Ok(())
}

async fn device_state(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    for (state, expected) in [
        ("INUSE", strowger_ami::event::DeviceState::InUse),
        ("NOT_INUSE", strowger_ami::event::DeviceState::NotInUse),
    ] {
        let write = strowger_ami::Action::new("Setvar")
            .header("Variable", "DEVICE_STATE(Custom:lab)")
            .header("Value", state);
        bench.client.send(write).await?;
        bench
            .journal
            .event("DeviceStateChange", mark, |event| match event {
                Event::DeviceStateChange(event)
                    if event.device() == "Custom:lab" && event.state() == expected =>
                {
                    Some(())
                }
                _ => None,
            })
            .await?;
    }
    Ok(())
}
