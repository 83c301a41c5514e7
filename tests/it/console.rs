//! Agents who work at the console, from the login to the next contact.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use strowger_core::{agent::AgentState, ids::CampaignId};
use tokio::time::{sleep, timeout};

use crate::harness::{Api, Centre, Ground, Plan, Program};

/// The pause in which an agent owes an answer for their last call.
const AFTER_CALL: &str = "En Post-Appel";

/// Asks until there is a contact, as the console does.
async fn next_contact(agent: &Api, campaign: &CampaignId) -> Value {
    let body = json!({ "agentId": "whoever", "activeCampaignId": campaign });
    for _ in 0..10 {
        let answer = agent.post("/api/campaigns/next-contact", &body).await;
        if !answer["contact"].is_null() {
            assert_eq!(answer["campaign"]["contacts"], json!([answer["contact"]]));
            return answer["contact"].clone();
        }
    }
    panic!("nobody was handed out");
}

async fn qualify(agent: &Api, contact: &Value, qualification: &str) {
    let path = format!("/api/contacts/{}/qualify", contact["id"].as_str().unwrap());
    let body = json!({ "qualificationId": qualification, "campaignId": "x", "agentId": "x" });
    agent.post(&path, &body).await;
}

async fn owes_an_answer(centre: &Centre) {
    centre
        .seen("the agent is kept from other calls", |now| {
            now.agents
                .iter()
                .all(|agent| agent.state == AgentState::Paused(AFTER_CALL.to_owned()))
        })
        .await;
}

#[tokio::test]
async fn an_agent_gets_whom_the_dialer_connects_and_the_next_one_when_they_have_said_what_came_of_it()
 {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 2,
        campaign: "mode = 'progressive', wrap_up_s = 1, retry_rules = '{}'",
        ..Plan::default()
    })
    .await;
    let campaign = centre.ground.planted.campaign.settings.id.clone();
    let agent = Api::log_in(&centre.ground, "agent1").await;
    let (first, ()) = tokio::join!(next_contact(&agent, &campaign), centre.start_campaign());
    let me = centre.ground.planted.agents[0].id.as_str();
    assert_eq!(first["lockedByAgentId"], me);
    let number = first["phoneNumber"].as_str().unwrap();
    assert!(
        number.starts_with("063998"),
        "as it is dialed in France: {number}"
    );
    // The person hangs up after a while. As long as nothing is said of the call, no other comes.
    owes_an_answer(&centre).await;
    let again = next_contact(&agent, &campaign).await;
    assert_eq!(
        again["id"], first["id"],
        "a page that was loaded again gets it again"
    );
    qualify(&agent, &first, "qual-92").await;
    agent.post("/api/v1/agents/me/ready", &json!({})).await;
    let second = next_contact(&agent, &campaign).await;
    assert_ne!(second["id"], first["id"]);
    owes_an_answer(&centre).await;
    qualify(&agent, &second, "qual-91").await;
    let path = format!("/api/contacts/{}/history", first["id"].as_str().unwrap());
    let past = agent.try_get(&path).await.unwrap();
    let calls = past["callHistory"].as_array().unwrap();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (
            &calls[0]["agentId"],
            &calls[0]["qualificationId"],
            &calls[0]["callStatus"],
            &calls[0]["callerNumber"]
        ),
        (
            &json!(me),
            &json!("qual-92"),
            &json!("ANSWERED"),
            &first["phoneNumber"]
        )
    );
    centre.close().await;
}

#[tokio::test]
async fn an_agent_who_dials_by_hand_looks_at_a_contact_calls_it_and_gets_the_next() {
    let centre = Centre::open(Plan {
        agents: 1,
        contacts: 2,
        campaign: "mode = 'manual', wrap_up_s = 1, retry_rules = '{}'",
        ..Plan::default()
    })
    .await;
    centre.start_campaign().await;
    let campaign = centre.ground.planted.campaign.settings.id.clone();
    let agent = Api::log_in(&centre.ground, "agent1").await;
    let first = next_contact(&agent, &campaign).await;
    centre
        .seen("the agent looks at it and has no call", |now| {
            now.calls.is_empty() && now.agents[0].state == AgentState::Preview
        })
        .await;
    let call = json!({ "agentId": "x", "destination": first["phoneNumber"], "contactId": first["id"],
                       "campaignId": campaign });
    let placed = agent.post("/api/call/originate", &call).await;
    assert!(placed["callId"].as_str().unwrap().starts_with("call_"));
    centre
        .seen("they talk", |now| now.agents[0].state == AgentState::OnCall)
        .await;
    owes_an_answer(&centre).await;
    qualify(&agent, &first, "qual-92").await;
    agent.post("/api/v1/agents/me/ready", &json!({})).await;
    let second = next_contact(&agent, &campaign).await;
    assert_ne!(second["id"], first["id"]);
    // Without a call as well: the agent is free at once.
    qualify(&agent, &second, "qual-96").await;
    centre
        .seen("the agent is free", |now| {
            now.agents[0].state == AgentState::Available
        })
        .await;
    centre.close().await;
}

#[tokio::test]
#[ignore = "a measurement of minutes: run scripts/bench-next-contact.sh"]
#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn agents_who_wait_cost_next_to_nothing() {
    const AGENTS: u32 = 200;
    const MEASURED: Duration = Duration::from_mins(1);
    let ground = Ground::new(Plan {
        agents: AGENTS,
        // Its hours are never open: everybody waits.
        campaign: "mode = 'progressive', schedule = '{\"windows\": {}}'",
        ..Plan::default()
    })
    .await;
    let program = Program::serve(&ground).await;
    program.put_to_work(&ground).await;
    let mut agents = Vec::new();
    for place in 1..=AGENTS {
        agents.push(Api::log_in(&ground, &format!("agent{place}")).await);
    }
    let campaign = &ground.planted.campaign.settings.id;
    let body = json!({ "agentId": "x", "activeCampaignId": campaign });
    let body = &body;
    let waiting = join_all(agents.iter().map(|agent| async move {
        while agent.post("/api/campaigns/next-contact", body).await["contact"].is_null() {}
    }));
    let measure = async {
        sleep(Duration::from_secs(15)).await;
        let before = program.cpu_ms();
        sleep(MEASURED).await;
        program.cpu_ms() - before
    };
    let used = tokio::select! {
        _ = timeout(MEASURED * 10, waiting) => panic!("the agents do not wait"),
        used = measure => used,
    };
    let millis = u64::try_from(MEASURED.as_millis()).unwrap();
    // Milliseconds of the processor in a thousand of the clock are tenths of a percent.
    println!(
        "{}",
        json!({ "agents": AGENTS, "seconds": MEASURED.as_secs(), "cpu_ms_per_second": used / MEASURED.as_secs() })
    );
    assert!(used * 100 < 5 * millis, "{used} ms of {millis} ms");
    program.stop().await;
}
