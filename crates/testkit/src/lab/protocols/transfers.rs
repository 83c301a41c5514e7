//! Calls that are bridged, parked and transferred.

use anyhow::ensure;
use strowger_ami::{
    Event,
    actions::{self, OriginateRequest, ParkRequest},
    event::{TransferDestination, TransferResult},
};

use super::{
    bench::{Bench, CONTEXT, Call, is},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a bridge is told from its begin to its end",
            bridge(bench),
        )
        .await;
    report
        .check(bench, "a call is parked and gives up", park(bench))
        .await;
    report
        .check(
            bench,
            "an attended transfer is typed, and holds",
            attended_transfer(bench),
        )
        .await;
    report
        .check(bench, "a blind transfer is typed", blind_transfer(bench))
        .await;
}

/// Waits for a channel to enter a bridge, which must not be `other`; gives the bridge.
async fn entered(
    bench: &Bench,
    mark: usize,
    id: &str,
    other: Option<&str>,
) -> anyhow::Result<String> {
    bench
        .journal
        .event("BridgeEnter", mark, |event| match event {
            Event::BridgeEnter(event) if is(event.channel(), id) => {
                let bridge = event.bridge().uniqueid().into_owned();
                (other != Some(&*bridge)).then_some(bridge)
            }
            _ => None,
        })
        .await
}

async fn bridge(bench: &Bench) -> anyhow::Result<()> {
    let (left, right) = (bench.call("stay").await?, bench.call("stay").await?);
    let names = (
        bench.channel(&left, &left.one).await?,
        bench.channel(&right, &right.one).await?,
    );
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::bridge(&names.0, &names.1))
        .await?;
    let bridge = entered(bench, mark, &left.one, None).await?;
    ensure!(
        entered(bench, mark, &right.one, None).await? == bridge,
        "two bridges"
    );
    bench
        .journal
        .event("BridgeCreate", mark, |event| match event {
            Event::BridgeCreate(event) if event.bridge().uniqueid() == bridge => Some(()),
            _ => None,
        })
        .await?;
    let inside = bench.client.list(actions::bridge_info(&bridge)).await?;
    ensure!(inside.len() == 2, "{} channels in it", inside.len());
    bench.end(&left).await?;
    bench
        .journal
        .event("BridgeLeave", mark, |event| match event {
            Event::BridgeLeave(event) if is(event.channel(), &left.one) => Some(()),
            _ => None,
        })
        .await?;
    bench
        .journal
        .event("BridgeDestroy", mark, |event| match event {
            Event::BridgeDestroy(event) if event.bridge().uniqueid() == bridge => Some(()),
            _ => None,
        })
        .await?;
    bench.end(&right).await
}

async fn park(bench: &Bench) -> anyhow::Result<()> {
    let call = bench.call("stay").await?;
    let name = bench.channel(&call, &call.one).await?;
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::park(&ParkRequest {
            channel: name,
            timeout_ms: Some(20_000),
            ..ParkRequest::default()
        }))
        .await?;
    let (lot, space) = bench
        .journal
        .event("ParkedCall", mark, |event| match event {
            Event::ParkedCall(event) if is(event.parkee(), &call.one) => {
                Some((event.parkinglot().into_owned(), event.space()))
            }
            _ => None,
        })
        .await?;
    ensure!(
        lot == "default" && space.is_some(),
        "it is in {lot}, {space:?}"
    );
    let parked = bench.client.list(actions::parked_calls(None)).await?;
    ensure!(parked.len() == 1, "{} parked calls", parked.len());
    bench.end(&call).await?;
    bench
        .journal
        .event("ParkedCallGiveUp", mark, |event| match event {
            Event::ParkedCallGiveUp(event) if is(event.parkee(), &call.one) => Some(()),
            _ => None,
        })
        .await
}

/// A phone in a conversation with the carrier; gives the call and its bridge.
async fn pair(bench: &Bench, station: &str) -> anyhow::Result<(Call, String)> {
    let request = OriginateRequest {
        channel: format!("PJSIP/{station}"),
        other_channel_id: None,
        context: "lab-out".into(),
        exten: "+33639990190".into(),
        ..bench.request("stay")
    };
    let call = bench.answered(&request).await?;
    let bridge = entered(bench, call.mark, &call.one, None).await?;
    Ok((call, bridge))
}

async fn attended_transfer(bench: &Bench) -> anyhow::Result<()> {
    let (call, bridge) = pair(bench, "1011").await?;
    let name = bench.channel(&call, &call.one).await?;
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::atxfer(&name, "lab-out", "500"))
        .await?;
    bench
        .journal
        .event("Hold", mark, |event| match event {
            Event::Hold(event) => Some(event.channel().uniqueid().into_owned()),
            _ => None,
        })
        .await?;
    entered(bench, mark, &call.one, Some(&bridge)).await?;
    bench.client.send(actions::hangup(&name, None)).await?;
    let (result, dest, transferer) = bench
        .journal
        .event("AttendedTransfer", mark, |event| match event {
            Event::AttendedTransfer(event) => Some((
                event.result(),
                event.dest_type(),
                event.orig_transferer().uniqueid().into_owned(),
            )),
            _ => None,
        })
        .await?;
    ensure!(result == TransferResult::Success, "the result is {result}");
    ensure!(
        matches!(dest, TransferDestination::Bridge | TransferDestination::App),
        "it leads to {dest}"
    );
    ensure!(transferer == call.one, "the transferer is {transferer}");
    bench.clear().await
}

async fn blind_transfer(bench: &Bench) -> anyhow::Result<()> {
    let (call, bridge) = pair(bench, "1012").await?;
    let name = bench.channel(&call, &call.one).await?;
    let mark = bench.journal.mark();
    bench
        .client
        .send(actions::blind_transfer(&name, CONTEXT, "stay"))
        .await?;
    bench
        .journal
        .event("BlindTransfer", mark, |event| match event {
            Event::BlindTransfer(event) if is(event.transferer(), &call.one) => Some((
                event.result() == TransferResult::Success,
                event.exten().into_owned(),
                event.bridge().map(|bridge| bridge.uniqueid().into_owned()),
            )),
            _ => None,
        })
        .await
        .and_then(|told| {
            ensure!(told == (true, "stay".into(), Some(bridge)), "{told:?}");
            Ok(())
        })?;
    bench.clear().await
}
