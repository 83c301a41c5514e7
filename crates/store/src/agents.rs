//! What an agent works for.

use std::collections::BTreeSet;

use strowger_core::ids::{CampaignId, QueueId, UserId};

use crate::{Error, Store, convert::read};

impl Store {
    /// The campaigns and queues that a user is assigned to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn assignments(
        &self,
        user: &UserId,
    ) -> Result<(BTreeSet<CampaignId>, BTreeSet<QueueId>), Error> {
        let campaigns = sqlx::query_scalar!(
            "SELECT campaign_id FROM campaign_agents WHERE user_id = $1",
            user.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|id| read("campaign_agents.campaign_id", id))
        .collect::<Result<_, Error>>()?;
        let queues = sqlx::query_scalar!(
            "SELECT queue_id FROM queue_members WHERE user_id = $1",
            user.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|id| read("queue_members.queue_id", id))
        .collect::<Result<_, Error>>()?;
        Ok((campaigns, queues))
    }

    /// The users who work for a campaign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign_agents(&self, campaign: &CampaignId) -> Result<BTreeSet<UserId>, Error> {
        sqlx::query_scalar!(
            "SELECT user_id FROM campaign_agents WHERE campaign_id = $1",
            campaign.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|id| read("campaign_agents.user_id", id))
        .collect()
    }
}
