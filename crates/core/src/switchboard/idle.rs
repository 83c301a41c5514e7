//! Campaigns whose list runs dry: when they are over, and when they go on.

use super::{Action, Switchboard};
use crate::{
    agent::Agent,
    campaign::{CampaignState, DialingMode},
    ids::CampaignId,
    time::Timestamp,
};

impl Switchboard {
    /// The list of a campaign has something that is due at this time.
    pub(super) fn list_has_more(&mut self, id: &CampaignId, due: Timestamp) {
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        campaign.looking = false;
        if let Some(claim) = &mut campaign.claim {
            claim.recheck = Some(claim.recheck.map_or(due, |at| at.min(due)));
        }
        if campaign.used_up {
            campaign.used_up = false;
            campaign.idle_until = Some(due);
        } else {
            campaign.idle_until = campaign.idle_until.map(|until| until.min(due));
        }
    }

    /// A campaign without a call in progress may be over.
    pub(super) fn review_idle(&mut self, now: Timestamp, id: &CampaignId) {
        let asked = |agent: &Agent| {
            let preview = agent.preview.as_ref();
            preview.is_some_and(|p| p.asked.is_some() && p.campaign == *id)
        };
        if self.agents.values().any(asked) {
            return;
        }
        let Some(campaign) = self.campaigns.get(id).filter(|c| c.claim.is_none()) else {
            return;
        };
        match campaign.state {
            CampaignState::Running if campaign.used_up => {
                self.set_campaign(now, id, CampaignState::Finished);
            }
            CampaignState::Running => self.look_at_list(id),
            CampaignState::Draining => self.set_campaign(now, id, CampaignState::Stopped),
            CampaignState::Stopped | CampaignState::Paused | CampaignState::Finished => {}
        }
    }

    /// Whoever dials asks for contacts and learns when there are none any more. With nobody
    /// there to dial for, the list is looked at instead.
    fn look_at_list(&mut self, id: &CampaignId) {
        let too_few = self
            .campaigns
            .get(id)
            .is_some_and(|campaign| self.waits_for_staff(campaign));
        let nobody = too_few || self.agents_of(id).is_empty();
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        let asks = match campaign.settings.mode {
            // Its agents choose whom to call, also without a list.
            DialingMode::Manual => return,
            DialingMode::Broadcast => true,
            DialingMode::Preview => false,
            DialingMode::Predictive | DialingMode::Progressive | DialingMode::Power => !nobody,
        };
        if !asks && !campaign.looking {
            campaign.looking = true;
            self.act(Action::LookAtList {
                campaign: id.clone(),
            });
        }
    }

    pub(super) fn list_looked_at(&mut self, id: &CampaignId, used_up: bool) {
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        // Contacts that came meanwhile took the question back.
        if std::mem::take(&mut campaign.looking) && used_up && campaign.claim.is_none() {
            campaign.used_up = true;
            self.touch(id);
        }
    }
}
