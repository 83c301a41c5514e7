//! What goes wrong between the daemon and its exchange, and that nobody has to repair it.

use std::time::Duration;

use strowger_core::agent::AgentState;

use crate::harness::{Centre, Plan, until};

#[tokio::test]
async fn a_link_that_is_cut_again_and_again_costs_no_call_and_dials_nobody_twice() {
    let centre = Centre::open(Plan::mixed(5, 30)).await;
    centre.start_campaign().await;
    for ended in [3, 9, 15, 21] {
        centre.ended(ended).await;
        centre.ground.sim.cut_links().await;
        centre
            .seen("the link is down", |now| now.servers.iter().all(|s| !s.up))
            .await;
        centre
            .seen("the link is up", |now| now.servers.iter().all(|s| s.up))
            .await;
    }
    centre.comes_out_right().await;
    centre.everybody_is_available().await;
    centre.close().await;
}

#[tokio::test]
async fn a_link_that_is_dead_without_a_word_is_noticed_and_made_again() {
    let centre = Centre::open(Plan::mixed(5, 20)).await;
    centre.start_campaign().await;
    centre.ended(5).await;
    // A quarter of a minute of ours: longer than the daemon waits for the answer to a ping.
    centre.ground.sim.freeze_ami(Duration::from_mins(5)).await;
    centre
        .seen("the link is down", |now| now.servers.iter().all(|s| !s.up))
        .await;
    let (attempts, _) = centre.ground.attempts().await;
    centre
        .seen("the link is up", |now| now.servers.iter().all(|s| s.up))
        .await;
    assert_eq!(
        centre.ground.attempts().await.0,
        attempts,
        "nobody is dialed while the exchange cannot be seen"
    );
    centre.comes_out_right().await;
    centre.everybody_is_available().await;
    centre.close().await;
}

#[tokio::test]
async fn events_that_come_twice_change_nothing() {
    let centre = Centre::open(Plan::mixed(4, 18)).await;
    centre.ground.sim.duplicate_events(0.3).await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    centre.everybody_is_available().await;
    let outcomes = centre.ground.dispositions().await;
    let humans = outcomes
        .values()
        .filter(|outcomes| **outcomes == ["answered-human"])
        .count();
    assert_eq!((outcomes.len(), humans), (18, 12), "{outcomes:?}");
    centre.close().await;
}

#[tokio::test]
async fn an_exchange_that_is_restarted_in_the_middle_gets_its_legs_and_its_campaign_back() {
    let centre = Centre::open(Plan::mixed(5, 24)).await;
    centre.start_campaign().await;
    centre.ended(6).await;
    centre
        .seen("somebody talks", |now| {
            now.agents
                .iter()
                .any(|agent| agent.state == AgentState::OnCall)
        })
        .await;
    // One second of ours.
    centre.ground.sim.restart(Duration::from_secs(20)).await;
    centre
        .seen("nobody can be called", |now| {
            now.servers.iter().all(|server| !server.up)
        })
        .await;
    centre.everybody_is_available().await;
    let at_restart = centre.ground.sim.stats().await.conversations;
    centre.comes_out_right().await;
    until("there are conversations after the restart", async || {
        (centre.ground.sim.stats().await.conversations > at_restart).then_some(())
    })
    .await;
    centre.everybody_is_available().await;
    centre.close().await;
}
