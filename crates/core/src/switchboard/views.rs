//! What those who watch are told.

use super::{Action, Switchboard};
use crate::{
    call::{Kind, Phase},
    campaign::CampaignState,
    ids::{CallId, CampaignId, UserId},
    live::{AgentView, CallView, CampaignView, Change, PreviewView},
    time::Timestamp,
    transfer::Target,
};

impl Switchboard {
    pub(super) fn publish_agent(&mut self, id: &UserId) {
        if let Some(agent) = self.agents.get(id) {
            let view = AgentView {
                id: id.clone(),
                name: agent.login.name.clone(),
                session_id: agent.login.session,
                state: agent.state.clone(),
                since: agent.since,
                station: agent.login.station.clone(),
                leg_mode: agent.login.leg_mode,
                reachable: agent.reachable(),
                call_id: agent.call,
                preview: agent.preview.as_ref().map(|preview| PreviewView {
                    campaign_id: preview.campaign.clone(),
                    contact_id: preview.contact.clone(),
                    until: preview.until,
                    asked: preview.asked.is_some(),
                }),
                notice: agent.notice.clone(),
                busy_ms: agent.busy_ms,
                waiting_ms: agent.waiting_ms,
            };
            self.act(Action::Publish(Change::Agent(view)));
        }
    }

    pub(super) fn publish_call(&mut self, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let queue_id = call.walk.queue.clone();
        let transferred_to = call
            .transfer
            .as_ref()
            .and_then(|transfer| match &transfer.target {
                Target::Outside(number) => Some(number.to_string()),
                Target::Agent(_) | Target::Flow(_) => None,
            });
        let (number, did) = match &call.kind {
            Kind::Outbound(facts) => (Some(facts.number.to_string()), None),
            Kind::Inbound(facts) => (facts.caller.clone(), Some(facts.did.clone())),
        };
        let view = CallView {
            id,
            direction: call.direction(),
            campaign_id: call.campaign().cloned(),
            queue_id: queue_id.filter(|_| call.phase == Phase::Waiting),
            number,
            did,
            phase: call.phase,
            since: call.since,
            started_at: call.started_at,
            // Whoever handed it on to a number outside has it no more.
            agent_id: call
                .agent
                .clone()
                .or_else(|| call.talked_to.clone())
                .filter(|_| transferred_to.is_none()),
            transferred_to,
        };
        self.act(Action::Publish(Change::Call(view)));
    }

    pub(super) fn publish_campaign(&mut self, now: Timestamp, id: &CampaignId, pending_lines: u32) {
        if let Some(campaign) = self.campaigns.get(id) {
            let runs = campaign.state == CampaignState::Running;
            let view = CampaignView {
                id: id.clone(),
                name: campaign.settings.name.clone(),
                state: campaign.state,
                mode: campaign.settings.mode,
                boost: campaign.settings.pacing.boost,
                pending_lines,
                waits_for: runs.then(|| self.waits_for(now, campaign)).flatten(),
                counters: campaign.counters,
            };
            self.act(Action::Publish(Change::Campaign(view)));
        }
    }
}
