//! What the packs of campaigns demand of how they dial.

use super::Switchboard;
use crate::{
    campaign::CampaignSettings,
    compliance::PackId,
    ids::CampaignId,
    time::{Timestamp, after},
};

/// How often the duties are looked at: a version of a pack comes into force with a date.
const REVIEW_MS: u64 = 60_000;

impl Switchboard {
    /// What a campaign goes by that is set to this.
    pub(super) fn keep_to_packs(
        &self,
        now: Timestamp,
        configured: &CampaignSettings,
    ) -> CampaignSettings {
        let selected: Vec<PackId> = configured.packs.iter().cloned().map(PackId).collect();
        let duties = self.packs.duties(&selected, &configured.purpose(), now);
        configured.clone().kept_to(&duties)
    }

    /// Lets campaigns go by the versions of their packs that are in force now.
    pub(super) fn review_duties(&mut self, now: Timestamp) {
        if self.duties_due.is_some_and(|due| now < due) {
            return;
        }
        self.duties_due = Some(after(now, REVIEW_MS));
        let changed: Vec<(CampaignId, CampaignSettings)> = self
            .campaigns
            .values()
            .map(|campaign| (campaign, self.keep_to_packs(now, &campaign.configured)))
            .filter(|(campaign, kept)| campaign.settings != *kept)
            .map(|(campaign, kept)| (campaign.settings.id.clone(), kept))
            .collect();
        for (id, kept) in changed {
            if let Some(campaign) = self.campaigns.get_mut(&id) {
                campaign.settings = kept;
            }
            self.touch(&id);
        }
    }
}
