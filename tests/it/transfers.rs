//! Conversations that are handed on, from the API to the exchange.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use strowger_ami::actions;
use strowger_core::{
    agent::{AgentState, LegMode},
    ids::UserId,
};
use strowger_sim::{Callee, Outcome};

use crate::harness::{Api, Centre, Plan, until};

/// A colleague outside: a fixed line of our own country.
const OUTSIDE: &str = "+33142278187";

/// Two agents and a person who talks for long.
fn plan(leg_mode: LegMode) -> Plan {
    let patient = Callee::new(Outcome::Human)
        .talk(Duration::from_hours(1))
        .patience(Duration::from_hours(1));
    Plan {
        agents: 2,
        contacts: 1,
        leg_mode,
        campaign: "mode = 'progressive', wrap_up_s = 300, caller_id = '+33142278186'",
        callees: vec![(0, patient)],
        ..Plan::default()
    }
}

/// Who talks: the agent, the call, and the agent who waits.
async fn conversation(centre: &Centre) -> (UserId, String, UserId) {
    centre.start_campaign().await;
    let talks = |state: &AgentState| *state == AgentState::OnCall;
    centre
        .seen("somebody talks", |now| {
            now.agents.iter().any(|agent| talks(&agent.state))
        })
        .await;
    let now = centre.daemon.hub.snapshot();
    let busy = now.agents.iter().find(|agent| talks(&agent.state)).unwrap();
    let other = now.agents.iter().find(|agent| agent.id != busy.id).unwrap();
    let call = busy.call_id.unwrap().to_string();
    (busy.id.clone(), call, other.id.clone())
}

/// The channels that are in a bridge, by it.
async fn bridges(centre: &Centre) -> Vec<Vec<String>> {
    let list = centre.daemon.links[0].list(actions::core_show_channels());
    let mut bridges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for channel in list.await.unwrap() {
        let bridge = channel.get("BridgeId").unwrap_or_default().into_owned();
        let id = channel.get("Uniqueid").unwrap().into_owned();
        if !bridge.is_empty() {
            bridges.entry(bridge).or_default().push(id);
        }
    }
    let mut bridges: Vec<_> = bridges.into_values().collect();
    for channels in &mut bridges {
        channels.sort();
    }
    bridges
}

async fn are(centre: &Centre, agent: &UserId, state: AgentState) {
    let is = |id: &UserId| id == agent;
    centre
        .seen(&format!("{agent} is {state}"), |now| {
            now.agents.iter().any(|a| is(&a.id) && a.state == state)
        })
        .await;
}

async fn transfers(admin: &Api, call: &str) -> Value {
    let path = format!("/api/v1/calls/{call}/transfers");
    admin.try_get(&path).await.unwrap()["data"].take()
}

#[tokio::test]
async fn a_conversation_goes_to_another_agent_and_then_outside_and_is_hung_up() {
    let centre = Centre::open(plan(LegMode::NailedUp)).await;
    let admin = Api::log_in(&centre.ground, "admin").await;
    let (first, call, second) = conversation(&centre).await;
    let path = format!("/api/v1/calls/{call}/transfer");
    admin.post(&path, &json!({ "agent_id": second })).await;
    are(&centre, &second, AgentState::OnCall).await;
    are(&centre, &first, AgentState::WrapUp).await;
    // Asterisk's own list says the same.
    let session = centre.daemon.hub.agent(&second).unwrap().session_id;
    let leg = format!("leg_{}_1", session.0.simple());
    let customer = call.replace("call_", "att_");
    let mut wanted = vec![customer.clone(), leg];
    wanted.sort();
    let only = async || (bridges(&centre).await == [wanted.clone()]).then_some(());
    until("the customer with the second agent, and nobody else", only).await;

    admin.post(&path, &json!({ "number": OUTSIDE })).await;
    are(&centre, &second, AgentState::WrapUp).await;
    let outside = async || {
        let bridges = bridges(&centre).await;
        let [channels] = &bridges[..] else {
            return None;
        };
        let with_customer = channels.len() == 2 && channels.contains(&customer);
        let leg = channels.iter().any(|channel| channel.starts_with("leg_"));
        (with_customer && !leg).then_some(())
    };
    until("the customer with somebody outside", outside).await;
    let answered = async || {
        let rows = transfers(&admin, &call).await;
        (!rows[1]["answered_at"].is_null()).then_some(rows)
    };
    let rows = until("the second leg is on record", answered).await;
    assert_eq!(rows[0]["from_agent_id"], json!(first));
    assert_eq!(rows[0]["to_agent_id"], json!(second));
    assert_eq!(rows[0]["outcome"], "answered");
    assert_eq!(rows[1]["to_number"], OUTSIDE);
    assert_eq!(rows[1]["caller_id"], "+33142278186");

    let hang_up = format!("/api/v1/calls/{call}/hangup");
    admin.post(&hang_up, &json!({})).await;
    let none = async || bridges(&centre).await.is_empty().then_some(());
    until("everybody has hung up", none).await;
    centre.figures().await;
    let closed = async || {
        let rows = transfers(&admin, &call).await;
        (rows[1]["outcome"] == "answered").then_some(())
    };
    until("the second leg has ended", closed).await;
    let records = admin.try_get("/api/v1/call-records").await.unwrap();
    let record = &records["data"][0];
    assert_eq!(record["agent_id"], json!(second));
    assert_eq!(record["transferred_to"], OUTSIDE);
    assert_eq!(record["disposition"], "answered-human");
    assert_eq!(centre.figures().await.violations, 0);
    centre.close().await;
}

#[tokio::test]
async fn a_station_that_does_not_answer_gives_the_call_back() {
    let silent = Callee::new(Outcome::NoAnswer);
    let plan = Plan {
        stations: vec![("1001", Callee::new(Outcome::Human)), ("1002", silent)],
        ..plan(LegMode::RingPerCall)
    };
    let centre = Centre::open(plan).await;
    let admin = Api::log_in(&centre.ground, "admin").await;
    let (first, call, second) = conversation(&centre).await;
    let silent = &centre.ground.planted.agents[1].id;
    assert_eq!(*silent, second, "whoever logged in first is called first");
    let path = format!("/api/v1/calls/{call}/transfer");
    admin.post(&path, &json!({ "agent_id": second })).await;
    let not_taken = async || {
        let rows = transfers(&admin, &call).await;
        (rows[0]["outcome"] == "no-answer").then_some(())
    };
    until("the second station rang in vain", not_taken).await;
    are(&centre, &first, AgentState::OnCall).await;
    let notice = centre.daemon.hub.agent(&first).unwrap().notice.clone();
    assert!(notice.unwrap().contains("came back"));
    let path = format!("/api/v1/calls/{call}/hangup");
    admin.post(&path, &json!({})).await;
    assert_eq!(centre.figures().await.violations, 0);
    centre.close().await;
}
