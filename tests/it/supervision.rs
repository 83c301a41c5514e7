//! A supervisor who listens to an agent, from the API to the exchange.

use serde_json::json;
use strowger_ami::actions;

use crate::harness::{Api, Centre, Plan, until};

/// What the channels that listen were started with.
async fn lines(centre: &Centre) -> Vec<String> {
    let list = centre.daemon.links[0].list(actions::core_show_channels());
    let channels = list.await.unwrap();
    let lines = channels
        .iter()
        .filter(|channel| channel.get("Application").as_deref() == Some("ChanSpy"));
    lines
        .filter_map(|channel| Some(channel.get("ApplicationData")?.into_owned()))
        .collect()
}

#[tokio::test]
async fn a_supervisor_hears_the_leg_of_an_agent_until_it_ends() {
    let plan = Plan {
        agents: 1,
        ..Plan::default()
    };
    let centre = Centre::open(plan).await;
    let admin = Api::log_in(&centre.ground, "admin").await;
    let agent = &centre.ground.planted.agents[0].id;
    let session = centre.daemon.hub.agent(agent).unwrap().session_id;
    let leg = format!("leg_{}_1", session.0.simple());
    for (action, options) in [("listen", "quES"), ("coach", "qwuES"), ("barge", "qBuES")] {
        let path = format!("/api/v1/agents/{agent}/{action}");
        admin.post(&path, &json!({})).await;
        let wanted = [format!("{leg},{options}")];
        // The line before it ends: a supervisor has one telephone.
        let only = async || (lines(&centre).await == wanted).then_some(());
        until("the line, and no other", only).await;
    }
    let path = format!("/api/v1/agents/{agent}/logout");
    admin.post(&path, &json!({})).await;
    let none = async || lines(&centre).await.is_empty().then_some(());
    until("the line ends with the leg", none).await;
    centre.close().await;
}
