//! A queue: members, callers and the calls between them.

use anyhow::ensure;
use strowger_ami::{
    Event,
    actions::{self, OriginateRequest, QueueMemberRequest},
    event::{CompleteReason, lists::QueueStatusItem},
};

use super::{
    bench::{Bench, Call, is},
    report::Report,
};

const QUEUE: &str = "lab-queue";
const MEMBER: &str = "Local/wait@lab-agi/n";

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a member joins, pauses for a reason and leaves a queue",
            member(bench),
        )
        .await;
    report
        .check(
            bench,
            "a caller and an agent meet in a queue",
            conversation(bench),
        )
        .await;
    report
        .check(
            bench,
            "a caller gives up waiting in a queue",
            abandon(bench),
        )
        .await;
}

fn add() -> strowger_ami::Action {
    actions::queue_add(&QueueMemberRequest {
        queue: QUEUE.into(),
        interface: MEMBER.into(),
        penalty: Some(3),
        member_name: Some("Agent Zoé".into()),
        ..QueueMemberRequest::default()
    })
}

async fn member(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    let client = &bench.client;
    client.send(add()).await?;
    let (name, penalty, paused) = bench
        .journal
        .event("QueueMemberAdded", mark, |event| match event {
            Event::QueueMemberAdded(event) if event.interface() == MEMBER => Some((
                event.member_name().into_owned(),
                event.penalty(),
                event.paused(),
            )),
            _ => None,
        })
        .await?;
    ensure!(
        (&*name, penalty, paused) == ("Agent Zoé", 3, false),
        "{name}, {penalty}, {paused}"
    );
    for paused in [true, false] {
        let reason = if paused { "coffee & cake" } else { "" };
        let pause = actions::queue_pause(MEMBER, Some(QUEUE), paused, Some(reason));
        let mark = bench.journal.mark();
        client.send(pause).await?;
        let told = bench
            .journal
            .event("QueueMemberPause", mark, |event| match event {
                Event::QueueMemberPause(event) if event.queue() == QUEUE => {
                    Some((event.paused(), event.paused_reason().into_owned()))
                }
                _ => None,
            })
            .await?;
        ensure!(told == (paused, reason.to_owned()), "{told:?}");
    }
    client
        .send(actions::queue_penalty(MEMBER, Some(QUEUE), 5))
        .await?;
    let items = client.list(actions::queue_status(Some(QUEUE))).await?;
    let mut members = items
        .into_iter()
        .filter_map(|item| QueueStatusItem::parse(item).ok());
    let penalty = members.find_map(|item| match item {
        QueueStatusItem::Member(member) => Some(member.penalty()),
        QueueStatusItem::Params(_) | QueueStatusItem::Entry(_) => None,
    });
    ensure!(penalty == Some(5), "the penalty is {penalty:?}");
    client.send(actions::queue_remove(QUEUE, MEMBER)).await?;
    bench
        .journal
        .event("QueueMemberRemoved", mark, |event| match event {
            Event::QueueMemberRemoved(event) if event.interface() == MEMBER => Some(()),
            _ => None,
        })
        .await
}

/// A caller in the queue.
async fn caller(bench: &Bench) -> anyhow::Result<Call> {
    let request = OriginateRequest {
        context: QUEUE.into(),
        exten: "s".into(),
        ..bench.request("stay")
    };
    let call = bench.answered(&request).await?;
    let (position, count) = bench
        .journal
        .event("QueueCallerJoin", call.mark, |event| match event {
            Event::QueueCallerJoin(event) if is(event.channel(), &call.one) => {
                Some((event.position(), event.count()))
            }
            _ => None,
        })
        .await?;
    ensure!(
        (position, count) == (1, 1),
        "position {position} of {count}"
    );
    Ok(call)
}

async fn conversation(bench: &Bench) -> anyhow::Result<()> {
    bench.client.send(add()).await?;
    let call = caller(bench).await?;
    let journal = &bench.journal;
    let member = journal
        .event("AgentCalled", call.mark, |event| match event {
            Event::AgentCalled(event) => Some((
                event.interface().into_owned(),
                event.member_name().into_owned(),
                event.agent().is_some(),
                event
                    .channel()
                    .is_some_and(|channel| is(channel, &call.one)),
            )),
            _ => None,
        })
        .await?;
    ensure!(
        member == (MEMBER.into(), "Agent Zoé".into(), true, true),
        "{member:?}"
    );
    let times = journal
        .event("AgentConnect", call.mark, |event| match event {
            Event::AgentConnect(event) if event.queue() == QUEUE => {
                Some((event.hold_time(), event.ring_time()))
            }
            _ => None,
        })
        .await?;
    ensure!(times.0.is_some() && times.1.is_some(), "{times:?}");
    journal
        .event("QueueCallerLeave", call.mark, |event| match event {
            Event::QueueCallerLeave(event) if is(event.channel(), &call.one) => Some(()),
            _ => None,
        })
        .await?;
    bench.end(&call).await?;
    let (reason, talk) = journal
        .event("AgentComplete", call.mark, |event| match event {
            Event::AgentComplete(event) => Some((event.reason(), event.talk_time())),
            _ => None,
        })
        .await?;
    ensure!(reason == CompleteReason::Caller, "{reason} ended it");
    ensure!(talk.is_some(), "no time of talk");
    bench
        .client
        .send(actions::queue_remove(QUEUE, MEMBER))
        .await?;
    Ok(())
}

async fn abandon(bench: &Bench) -> anyhow::Result<()> {
    let call = caller(bench).await?;
    let items = bench
        .client
        .list(actions::queue_status(Some(QUEUE)))
        .await?;
    let entries = items
        .into_iter()
        .filter_map(|item| QueueStatusItem::parse(item).ok())
        .filter_map(|item| match item {
            QueueStatusItem::Entry(entry) => Some(entry.uniqueid().into_owned()),
            QueueStatusItem::Params(_) | QueueStatusItem::Member(_) => None,
        })
        .collect::<Vec<_>>();
    ensure!(entries == [call.one.clone()], "waiting: {entries:?}");
    bench.end(&call).await?;
    bench
        .journal
        .event("QueueCallerAbandon", call.mark, |event| match event {
            Event::QueueCallerAbandon(event) if is(event.channel(), &call.one) => Some((
                event.position(),
                event.original_position(),
                event.hold_time().is_some(),
            )),
            _ => None,
        })
        .await
        .and_then(|told| {
            ensure!(told == (1, 1, true), "{told:?}");
            Ok(())
        })
}
