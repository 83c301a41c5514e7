//! Broadcasts, calls that agents ask for, and messages: what a person or a machine hears.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use strowger_core::{
    agent::AgentState,
    ids::{ContactId, FlowId, QueueId},
    phone::PhoneNumber,
    switchboard::{Command, Target, Which},
};
use strowger_sim::{Callee, Outcome};
use strowger_store::inbound::Queue;

use crate::harness::{Centre, Ground, Plan, number, until};

fn node(id: &str, kind: &str, content: &Value) -> Value {
    json!({ "id": id, "type": kind, "name": id, "x": 0, "y": 0, "content": content })
}

fn connection(from: &str, port: &str, to: &str) -> Value {
    json!({ "id": format!("{from}-{port}"), "fromNodeId": from, "fromPortId": port, "toNodeId": to, "toPortId": "in" })
}

/// A question with two answers.
fn question(id: &str) -> Value {
    let options = [
        json!({ "key": "1", "portId": "one", "label": "1" }),
        json!({ "key": "2", "portId": "two", "label": "2" }),
    ];
    node(
        id,
        "menu",
        &json!({ "audio": id, "options": options, "timeoutSeconds": 2, "maxAttempts": 1 }),
    )
}

/// News; then 1 leads to an agent, anything else to the end.
fn news() -> Value {
    json!({
        "nodes": [
            node("start", "start", &json!({})),
            node("news", "media", &json!({ "audio": "news" })),
            question("talk"),
            node("queue", "queue", &json!({ "queueId": "support", "maxWaitSeconds": 60 })),
            node("refused", "hangup", &json!({})),
            node("silent", "hangup", &json!({})),
        ],
        "connections": [
            connection("start", "out", "news"),
            connection("news", "out", "talk"),
            connection("talk", "one", "queue"),
            connection("talk", "two", "refused"),
            connection("talk", "out-timeout", "silent"),
        ],
    })
}

/// Two questions, the second one of those who said 1.
fn survey() -> Value {
    json!({
        "nodes": [
            node("start", "start", &json!({})),
            question("first"),
            question("second"),
            node("pleased", "media", &json!({ "audio": "pleased" })),
            node("sorry", "media", &json!({ "audio": "sorry" })),
        ],
        "connections": [
            connection("start", "out", "first"),
            connection("first", "one", "second"),
            connection("second", "one", "pleased"),
            connection("second", "two", "sorry"),
        ],
    })
}

/// Everybody of the list hears a flow; the agents serve its queue.
async fn broadcast(graph: Value, plan: Plan) -> Centre {
    let queue = QueueId::new("support").unwrap();
    let ground = Ground::new(Plan {
        queues: vec![queue.clone()],
        ..plan
    })
    .await;
    let members = ground.planted.agents.iter().map(|agent| agent.id.clone());
    let queue = Queue {
        id: queue,
        name: "Support".to_owned(),
        members: members.collect(),
    };
    ground.store.save_queue(&queue).await.unwrap();
    let flow = FlowId::new("broadcast").unwrap();
    let publisher = ground.planted.agents[0].id.clone();
    ground
        .store
        .save_flow(&flow, "Broadcast", &graph)
        .await
        .unwrap();
    ground
        .store
        .publish_flow(&flow, &graph, &publisher)
        .await
        .unwrap();
    sqlx::query("UPDATE campaigns SET mode = 'broadcast', broadcast_flow_id = 'broadcast'")
        .execute(ground.store.pool())
        .await
        .unwrap();
    Centre::on(ground).await
}

/// The nodes that each person walked, and whether they talked with an agent.
async fn walks(centre: &Centre) -> BTreeMap<String, (Vec<String>, bool)> {
    let rows: Vec<(String, Vec<String>, bool)> =
        sqlx::query_as("SELECT destination, flow_path, agent_id IS NOT NULL FROM call_records")
            .fetch_all(centre.ground.store.pool())
            .await
            .unwrap();
    rows.into_iter()
        .map(|(number, path, talked)| (number, (path, talked)))
        .collect()
}

fn person() -> Callee {
    Callee::new(Outcome::Human)
        .patience(Duration::from_mins(2))
        .talk(Duration::from_secs(10))
}

fn path(nodes: &[&str]) -> Vec<String> {
    nodes.iter().map(|node| (*node).to_owned()).collect()
}

/// No machine detection: it would take its time.
const PLAIN: &str = "wrap_up_s = 0, retry_rules = '{}', amd_enabled = false";

#[tokio::test]
async fn a_broadcast_is_played_to_everybody_and_whoever_presses_1_gets_an_agent() {
    let centre = broadcast(
        news(),
        Plan {
            agents: 1,
            contacts: 4,
            campaign: PLAIN,
            callees: vec![
                (0, person().digits(["1"])),
                (1, person()),
                (2, person().digits(["2"])),
                (3, Callee::new(Outcome::Busy)),
            ],
            ..Plan::default()
        },
    )
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let walks = walks(&centre).await;
    assert_eq!(
        walks[&number(0)],
        (path(&["start", "news", "talk", "queue"]), true)
    );
    let listened = |end| (path(&["start", "news", "talk", end]), false);
    assert_eq!(walks[&number(1)], listened("silent"));
    assert_eq!(walks[&number(2)], listened("refused"));
    let dispositions = centre.ground.dispositions().await;
    let by_number: Vec<&str> = (0..4)
        .map(|place| &*dispositions[&number(place)][0])
        .collect();
    assert_eq!(
        by_number,
        ["answered-human", "answered-human", "answered-human", "busy"],
        "whoever heard it to the end was reached"
    );
    let stats = centre.ground.sim.stats().await;
    assert_eq!(
        (stats.played.get("news"), stats.conversations),
        (Some(&3), 1)
    );
    centre.close().await;
}

#[tokio::test]
async fn a_survey_keeps_what_each_person_answered() {
    let centre = broadcast(
        survey(),
        Plan {
            agents: 1,
            contacts: 3,
            campaign: PLAIN,
            callees: vec![
                (0, person().digits(["1", "2"])),
                (1, person().digits(["1", "1"])),
                // Hangs up after the first question, which nobody answers for a long time.
                (2, person().patience(Duration::from_secs(2))),
            ],
            ..Plan::default()
        },
    )
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let walks = walks(&centre).await;
    let answers = |place| walks[&number(place)].0.clone();
    assert_eq!(answers(0), ["start", "first", "second", "sorry"]);
    assert_eq!(answers(1), ["start", "first", "second", "pleased"]);
    assert_eq!(answers(2), ["start", "first"]);
    let dispositions = centre.ground.dispositions().await;
    assert_eq!(dispositions[&number(2)], ["answered-hangup"]);
    assert_eq!(dispositions[&number(0)], ["answered-human"]);
    centre.close().await;
}

#[tokio::test]
async fn an_agent_sees_a_contact_skips_it_and_talks_with_the_next() {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 2,
        campaign: "mode = 'preview', wrap_up_s = 0, retry_rules = '{}'",
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    let agent = centre.ground.planted.agents[0].id.clone();
    let campaign = centre.ground.planted.campaign.settings.id.clone();
    let asks = async || {
        let preview = Command::Preview {
            agent: agent.clone(),
            campaign: campaign.clone(),
            seconds: 60,
        };
        centre.send(preview).await;
        until("a contact is shown", async || {
            let now = centre.daemon.hub.snapshot();
            now.agents[0].preview.as_ref()?.contact_id.clone()
        })
        .await
    };
    let first = asks().await;
    assert_eq!(
        centre.ground.dialed().await,
        0,
        "nothing is dialed by itself"
    );
    centre.send(Command::SkipPreview(agent.clone())).await;
    centre.everybody_is_available().await;
    // The contact goes back to its list, which begins with it.
    asks().await;
    let dial = Command::DialPreview {
        agent: agent.clone(),
        number: Which::Next,
    };
    centre.send(dial).await;
    centre.ended(1).await;
    centre.everybody_is_available().await;
    until("the call is recorded", async || {
        let records: i64 = sqlx::query_scalar("SELECT count(*) FROM call_records")
            .fetch_one(centre.ground.store.pool())
            .await
            .unwrap();
        (records > 0).then_some(())
    })
    .await;
    let talked: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT disposition, agent_id FROM call_records")
            .fetch_all(centre.ground.store.pool())
            .await
            .unwrap();
    assert_eq!(
        talked,
        [("answered-human".to_owned(), Some(agent.to_string()))]
    );
    let locked: i64 =
        sqlx::query_scalar("SELECT count(*) FROM contacts WHERE locked_by IS NOT NULL")
            .fetch_one(centre.ground.store.pool())
            .await
            .unwrap();
    assert_eq!(locked, 0, "{first} is kept for nobody any more");
    centre.close().await;
}

#[tokio::test]
async fn an_agent_types_a_number_and_talks_with_whoever_answers_it() {
    let centre = Centre::open(Plan {
        agents: 2,
        contacts: 2,
        campaign: "mode = 'manual', wrap_up_s = 0, retry_rules = '{}'",
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    // The other one has been idle for longer.
    let agent = centre.ground.planted.agents[1].id.clone();
    let contact: String =
        sqlx::query_scalar("SELECT contact_id FROM contact_phones WHERE number = $1")
            .bind(number(1))
            .fetch_one(centre.ground.store.pool())
            .await
            .unwrap();
    let typed = number(77);
    centre
        .send(Command::DialFor {
            agent: agent.clone(),
            campaign: centre.ground.planted.campaign.settings.id.clone(),
            target: Target {
                contact: ContactId::new(contact).unwrap(),
                number: Which::Other(PhoneNumber::try_from(typed.clone()).unwrap()),
            },
        })
        .await;
    centre
        .seen("the agent talks", |now| {
            now.agents
                .iter()
                .any(|one| one.id == agent && one.state == AgentState::OnCall)
        })
        .await;
    centre.ended(1).await;
    centre.everybody_is_available().await;
    centre.ground.ended(1).await;
    assert_eq!(
        centre.ground.dispositions().await,
        BTreeMap::from([(typed, vec!["answered-human".to_owned()])]),
        "and nobody of the list is dialed by itself"
    );
    centre.close().await;
}

#[tokio::test]
async fn a_person_for_whom_there_is_no_agent_hears_the_message_to_its_end_and_is_hung_up() {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 2,
        campaign:
            "mode = 'power', ratio = 2, wrap_up_s = 0, abandon_after_ms = 300, retry_rules = '{}',
            safe_harbour = 'nobody-here', amd_enabled = false",
        callees: vec![
            // Both answer at the same moment; neither would ever hang up.
            (0, person().patience(Duration::from_hours(2))),
            (1, person().patience(Duration::from_hours(2))),
        ],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let stats = centre.ground.sim.stats().await;
    assert_eq!(stats.played, [("nobody-here".to_owned(), 1)].into());
    let (disposition, heard_s): (String, f64) = sqlx::query_as(
        "SELECT disposition, extract(epoch FROM ended_at - waiting_since)::float8
         FROM call_records WHERE agent_id IS NULL",
    )
    .fetch_one(centre.ground.store.pool())
    .await
    .unwrap();
    assert_eq!(disposition, "abandoned");
    // 300 ms of waiting, then the 3 s of the message, twenty times as fast as ours.
    assert!((0.44..10.0).contains(&heard_s), "{heard_s} s");
    centre.close().await;
}

#[tokio::test]
async fn a_machine_hears_the_message_once_it_has_spoken() {
    let machine = Callee::new(Outcome::Machine)
        .greeting(Duration::from_secs(12))
        .patience(Duration::from_mins(2));
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 1,
        campaign: "mode = 'progressive', wrap_up_s = 0, retry_rules = '{}', machine_message = 'call-us-back'",
        callees: vec![(0, machine)],
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    let stats = centre.ground.sim.stats().await;
    assert_eq!(stats.played, [("call-us-back".to_owned(), 1)].into());
    assert_eq!(stats.talked_over, 0, "not into its greeting");
    assert_eq!(
        centre.ground.dispositions().await[&number(0)],
        ["answered-machine"]
    );
    centre.close().await;
}
