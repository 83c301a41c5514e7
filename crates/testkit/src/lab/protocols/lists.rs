//! Lists and their typed items.

use anyhow::{bail, ensure};
use strowger_ami::{
    ActionError, Event, Message, actions,
    event::{
        AgentState, ContactState, DeviceState, DeviceStateChange, PresenceState,
        lists::{
            AorList, ChannelStatus, ContactList, ContactStatusDetail, CoreShowChannel, DbEntry,
            DialplanStep, EndpointDetail, EndpointList, ParkingLot, QueueStatusItem, QueueSummary,
        },
    },
};

use super::{
    bench::{Bench, Call, eventually, text},
    report::{Lacks, Report},
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a list of channels has both halves of each call",
            channels(bench),
        )
        .await;
    report
        .check(
            bench,
            "Status has one channel, typed, with variables",
            status(bench),
        )
        .await;
    report
        .check(bench, "QueueStatus is typed", queue_status(bench))
        .await;
    report
        .check(bench, "QueueSummary is typed", queue_summary(bench))
        .await;
    report
        .check(bench, "endpoints of PJSIP are typed", endpoints(bench))
        .await;
    report
        .check(bench, "one endpoint of PJSIP is typed", endpoint(bench))
        .await;
    report
        .check(bench, "contacts of PJSIP are typed", contacts(bench))
        .await;
    report
        .check(bench, "devices and their state are typed", devices(bench))
        .await;
    report
        .check(
            bench,
            "the dialplan, parking lots and bridges are typed",
            other_lists(bench),
        )
        .await;
    report
        .check(bench, "the database is written and read", database(bench))
        .await;
    report
        .check(
            bench,
            "a list that is empty is no items, or an error that says so",
            empty(bench),
        )
        .await;
    report
        .check(bench, "presence of a person is read", presence(bench))
        .await;
    report
        .check(
            bench,
            "every list of the server is answered or refused",
            every_list(bench),
        )
        .await;
}

/// Types each item; the first that is not typed is an error.
fn typed<T>(
    items: Vec<Message>,
    make: impl Fn(Message) -> Result<T, Message>,
) -> anyhow::Result<Vec<T>> {
    items
        .into_iter()
        .map(|item| make(item).map_err(|item| anyhow::anyhow!("{item:?} is not typed")))
        .collect()
}

async fn channels(bench: &Bench) -> anyhow::Result<()> {
    const CALLS: usize = 5;
    let mut calls: Vec<Call> = Vec::new();
    for _ in 0..CALLS {
        calls.push(bench.call("stay").await?);
    }
    let listed = async || {
        let items = bench.client.list(actions::core_show_channels()).await?;
        typed(items, CoreShowChannel::new)
    };
    // The halves answer first.
    eventually("all wait", || async {
        Ok(listed()
            .await?
            .iter()
            .all(|item| item.application() == "Wait"))
    })
    .await?;
    let items = listed().await?;
    for call in &calls {
        for id in [&call.one, &call.two] {
            let Some(item) = items.iter().find(|item| item.channel().uniqueid() == **id) else {
                bail!("{id} is missing");
            };
            ensure!(item.channel().linkedid() == call.one, "{item:?}");
            ensure!(
                item.application() == "Wait",
                "{id} runs {}",
                item.application()
            );
            ensure!(item.application_data() == "600", "{item:?}");
            ensure!(item.duration().is_some(), "{item:?}");
        }
    }
    ensure!(items.len() == CALLS * 2, "{} items", items.len());
    for call in &calls {
        bench.end(call).await?;
    }
    Ok(())
}

async fn status(bench: &Bench) -> anyhow::Result<()> {
    let mut request = bench.request("stay");
    request.variables = vec![("__LAB_NOTE".into(), "here".into())];
    let call = bench.answered(&request).await?;
    let name = bench.channel(&call, &call.two).await?;
    let asked = actions::status(Some(&name), &["LAB_NOTE"]);
    let items = typed(bench.client.list(asked).await?, ChannelStatus::new)?;
    ensure!(items.len() == 1, "{} items", items.len());
    let item = &items[0];
    ensure!(item.channel().uniqueid() == call.two, "{item:?}");
    ensure!(item.channel_type() == "Local", "{item:?}");
    ensure!(item.duration().is_some(), "{item:?}");
    ensure!(text(item.raw(), "Variable") == "LAB_NOTE=here", "{item:?}");
    bench.end(&call).await
}

async fn queue_status(bench: &Bench) -> anyhow::Result<()> {
    let items = bench
        .client
        .list(actions::queue_status(Some("lab-queue")))
        .await?;
    let items = typed(items, QueueStatusItem::parse)?;
    let [QueueStatusItem::Params(queue)] = &items[..] else {
        bail!("the items are {items:?}");
    };
    ensure!(
        queue.queue() == "lab-queue" && queue.strategy() == "rrmemory",
        "{queue:?}"
    );
    Ok(())
}

async fn queue_summary(bench: &Bench) -> anyhow::Result<()> {
    let items = bench
        .client
        .list(actions::queue_summary(Some("lab-queue")))
        .await?;
    let items = typed(items, QueueSummary::new)?;
    ensure!(
        items.len() == 1 && items[0].queue() == "lab-queue",
        "{items:?}"
    );
    ensure!(items[0].logged_in() == 0, "{items:?}");
    Ok(())
}

async fn endpoints(bench: &Bench) -> anyhow::Result<()> {
    let items = bench.client.list(actions::pjsip_show_endpoints()).await?;
    let items = typed(items, EndpointList::new)?;
    let Some(station) = items.iter().find(|item| item.name() == "1001") else {
        bail!("1001 is missing in {items:?}");
    };
    ensure!(station.aors() == "1001", "{station:?}");
    ensure!(
        station.device_state() == DeviceState::NotInUse,
        "{station:?}"
    );
    ensure!(items.len() >= 21, "{} endpoints", items.len());
    Ok(())
}

async fn endpoint(bench: &Bench) -> anyhow::Result<()> {
    let mut items = bench
        .client
        .list(actions::pjsip_show_endpoint("1001"))
        .await?;
    let aor = items.iter().position(|item| item.name() == "AorDetail");
    let contact = items
        .iter()
        .position(|item| item.name() == "ContactStatusDetail");
    let (Some(aor), Some(contact)) = (aor, contact) else {
        bail!("parts are missing");
    };
    let contact = typed(vec![items[contact].clone()], ContactStatusDetail::new)?;
    ensure!(
        contact[0].aor() == "1001" && contact[0].state() == ContactState::Reachable,
        "{contact:?}"
    );
    let aor = typed(vec![items.swap_remove(aor)], AorList::new)?;
    ensure!(
        aor[0].name() == "1001" && aor[0].max_contacts() >= 1,
        "{aor:?}"
    );
    let endpoint = typed(vec![items.swap_remove(0)], EndpointDetail::new)?;
    ensure!(
        endpoint[0].name() == "1001" && endpoint[0].aors() == "1001",
        "{endpoint:?}"
    );
    Ok(())
}

async fn contacts(bench: &Bench) -> anyhow::Result<()> {
    let items = bench.client.list(actions::pjsip_show_contacts()).await?;
    let items = typed(items, ContactList::new)?;
    let Some(station) = items.iter().find(|item| item.endpoint() == "1001") else {
        bail!("1001 is missing");
    };
    ensure!(
        station.uri().starts_with("sip:1001@127.0.0.3"),
        "{station:?}"
    );
    ensure!(station.state() == ContactState::Reachable, "{station:?}");
    ensure!(station.roundtrip().is_some(), "{station:?}");
    Ok(())
}

async fn devices(bench: &Bench) -> anyhow::Result<()> {
    let items = bench.client.list(actions::device_state_list()).await?;
    let items = typed(items, DeviceStateChange::new)?;
    let station = items.iter().find(|item| item.device() == "PJSIP/1001");
    ensure!(
        station.is_some_and(|item| item.state() == DeviceState::NotInUse),
        "PJSIP/1001 is {station:?}"
    );
    Ok(())
}

async fn other_lists(bench: &Bench) -> anyhow::Result<()> {
    let asked = actions::show_dialplan(Some("lab-agi"), Some("stay"));
    let steps = typed(bench.client.list(asked).await?, DialplanStep::new)?;
    let wait = steps.iter().find(|step| step.application() == "Wait");
    ensure!(
        wait.is_some_and(|step| step.priority() == Some(2) && step.app_data() == "600"),
        "the steps are {steps:?}"
    );
    let lots = typed(
        bench.client.list(actions::parking_lots()).await?,
        ParkingLot::new,
    )?;
    ensure!(lots.iter().any(|lot| lot.name() == "default"), "{lots:?}");
    let technologies = bench.client.list(actions::bridge_technology_list()).await?;
    ensure!(
        technologies
            .iter()
            .any(|item| text(item, "BridgeTechnology") == "simple_bridge"),
        "{technologies:?}"
    );
    bench.client.list(actions::extension_state_list()).await?;
    Ok(())
}

async fn database(bench: &Bench) -> anyhow::Result<()> {
    let client = &bench.client;
    let value = r#"a "b" (c), d;e\f"#;
    client
        .send(actions::db_put("lab", "key/one", value))
        .await?;
    let entry = typed(
        client.list(actions::db_get("lab", "key/one")).await?,
        DbEntry::new,
    )?;
    ensure!(entry.len() == 1 && entry[0].value() == value, "{entry:?}");
    if bench.has_action("DBGetTree").await? {
        let tree = client.list(actions::db_get_tree("lab", None)).await?;
        let tree = typed(tree, DbEntry::new)?;
        ensure!(
            tree.len() == 1 && tree[0].key() == "/lab/key/one",
            "{tree:?}"
        );
    }
    client.send(actions::db_del("lab", "key/one")).await?;
    match client.list(actions::db_get("lab", "key/one")).await {
        Err(ActionError::Rejected { message }) => {
            ensure!(message.contains("not found"), "it says {message:?}");
        }
        other => bail!("after its end it is {other:?}"),
    }
    Ok(())
}

async fn empty(bench: &Bench) -> anyhow::Result<()> {
    eventually("no channels", || async {
        Ok(bench
            .client
            .list(actions::core_show_channels())
            .await?
            .is_empty())
    })
    .await?;
    let parked = bench.client.list(actions::parked_calls(None)).await?;
    ensure!(parked.is_empty(), "{} parked calls", parked.len());
    match bench.client.list(actions::confbridge_list_rooms()).await {
        Err(ActionError::Rejected { message }) => {
            ensure!(
                message.contains("No active conferences"),
                "it says {message:?}"
            );
            Ok(())
        }
        other => bail!("without conferences it is {other:?}"),
    }
}

async fn presence(bench: &Bench) -> anyhow::Result<()> {
    if !bench.has_action("PresenceState").await? {
        return Err(Lacks("no action PresenceState".into()).into());
    }
    let mark = bench.journal.mark();
    let name = "PRESENCE_STATE(CustomPresence:lab)";
    // A function is no plain variable, so that `set_global` would refuse it.
    let write = strowger_ami::Action::new("Setvar")
        .header("Variable", name)
        .header("Value", "away,lunch,back soon");
    bench.client.send(write).await?;
    bench
        .journal
        .event("PresenceStateChange", mark, |event| match event {
            Event::PresenceStateChange(event) if event.presentity() == "CustomPresence:lab" => {
                Some(event.state())
            }
            _ => None,
        })
        .await
        .and_then(|state| {
            ensure!(state == PresenceState::Away, "it is {state}");
            Ok(())
        })?;
    let answer = bench
        .client
        .send(actions::presence_state("CustomPresence:lab"))
        .await?;
    ensure!(text(&answer, "State") == "away", "{answer:?}");
    ensure!(text(&answer, "Subtype") == "lunch", "{answer:?}");
    Ok(())
}

/// No list stays open: each ends or is refused well before its patience is over.
async fn every_list(bench: &Bench) -> anyhow::Result<()> {
    let lists = [
        actions::agents(),
        actions::bridge_list(None),
        actions::core_show_channels(),
        actions::device_state_list(),
        actions::extension_state_list(),
        actions::parked_calls(None),
        actions::parking_lots(),
        actions::pjsip_show_aors(),
        actions::pjsip_show_auths(),
        actions::pjsip_show_inbound_contacts(),
        actions::pjsip_show_maintenance(None),
        actions::pjsip_show_registrations_inbound(),
        actions::pjsip_show_registrations_outbound(),
        actions::presence_state_list(),
        actions::queue_status(None),
        actions::queue_summary(None),
        actions::show_dialplan(None, None),
        actions::status(None, &[]),
        actions::voicemail_users_list(),
        actions::mwi_get("1001@lab"),
    ];
    for list in lists {
        let name = list.name().to_owned();
        match bench.client.list(list).await {
            Ok(items) => {
                let agents = items.iter().filter(|item| item.name() == "Agents");
                for agent in agents.cloned() {
                    let agent = typed(vec![agent], strowger_ami::event::lists::Agent::new)?;
                    ensure!(
                        !matches!(agent[0].state(), AgentState::Other(_)),
                        "{agent:?}"
                    );
                }
            }
            Err(ActionError::Rejected { .. }) => {}
            Err(error) => bail!("{name}: {error}"),
        }
    }
    Ok(())
}
