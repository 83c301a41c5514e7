//! How many agents are logged in for each campaign, and which campaigns wait for more of them.

use std::collections::BTreeMap;

use super::{Campaign, Switchboard};
use crate::{
    campaign::{CampaignSettings, DialingMode},
    ids::CampaignId,
    live::WaitsFor,
    telephony::ServerName,
};

/// Agents with a session, whatever their state, by their exchange and what they work for.
#[derive(Debug, Default)]
pub(super) struct Staff {
    counts: BTreeMap<ServerName, BTreeMap<CampaignId, u32>>,
    is_stale: bool,
}

impl Staff {
    /// Somebody logged in or out, or works for something else: they are counted again.
    pub(super) const fn changed(&mut self) {
        self.is_stale = true;
    }

    /// What a campaign waits for while fewer of its agents are logged in than it needs.
    fn awaited(&self, settings: &CampaignSettings) -> Option<WaitsFor> {
        match settings.mode {
            DialingMode::Predictive | DialingMode::Progressive | DialingMode::Power => {}
            // Agents ask for each line, or none are needed.
            DialingMode::Preview | DialingMode::Manual | DialingMode::Broadcast => return None,
        }
        let needed = settings.desk.min_agents;
        let there = settings.server().and_then(|server| self.counts.get(server));
        let logged_in = there.and_then(|counts| counts.get(&settings.id)).copied();
        let logged_in = logged_in.unwrap_or(0);
        (logged_in < needed).then_some(WaitsFor::Agents { needed, logged_in })
    }
}

impl Switchboard {
    /// What a campaign waits for while fewer of its agents are logged in than it needs.
    pub(super) fn staff_awaited(&self, settings: &CampaignSettings) -> Option<WaitsFor> {
        self.staff.awaited(settings)
    }

    /// A campaign leaves its agents to others, as there are too few of them. One that needs a
    /// single agent and has none has nobody to leave.
    pub(super) fn waits_for_staff(&self, campaign: &Campaign) -> bool {
        campaign.settings.desk.min_agents > 1 && self.staff.awaited(&campaign.settings).is_some()
    }

    /// Counts who is logged in, and has those who watch told of campaigns that wait for agents.
    /// O(agents × their campaigns + campaigns); nothing while nobody comes or goes.
    pub(super) fn review_staff(&mut self) {
        if !self.staff.is_stale {
            return;
        }
        let mut staff = Staff::default();
        for agent in self.agents.values() {
            let there = staff.counts.entry(agent.login.server.clone()).or_default();
            for campaign in &agent.login.campaigns {
                *there.entry(campaign.clone()).or_default() += 1;
            }
        }
        let told = self
            .campaigns
            .values()
            .map(|campaign| &campaign.settings)
            .filter(|settings| self.staff.awaited(settings) != staff.awaited(settings))
            .map(|settings| settings.id.clone());
        self.touched.extend(told);
        self.staff = staff;
    }
}
