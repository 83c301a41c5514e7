//! Contacts that agents look at before they are dialed, and lists that nobody dials from.

use strowger_core::{
    compliance::Packs,
    ids::{CampaignId, ContactId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, utc},
};

/// Contacts chosen at once when there is none to look at: the next agents find theirs.
const AHEAD: u32 = 10;

impl Store {
    /// The next contact of a campaign for an agent to look at: a callback that is due and theirs
    /// or anybody's, or else the first of the list that may be dialed now. It is kept for them
    /// until `until`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pick_contact(
        &self,
        campaign: &CampaignId,
        agent: &UserId,
        until: Timestamp,
        packs: &Packs,
        now: Timestamp,
    ) -> Result<Option<ContactId>, Error> {
        if let Some(due) = self.pick_callback(campaign, agent, until, now).await? {
            return Ok(Some(due));
        }
        if let Some(chosen) = self.pick_from_hopper(campaign, agent, until, now).await? {
            return Ok(Some(chosen));
        }
        self.fill_hopper(campaign, AHEAD, packs, now).await?;
        self.pick_from_hopper(campaign, agent, until, now).await
    }

    async fn pick_callback(
        &self,
        campaign: &CampaignId,
        agent: &UserId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ContactId>, Error> {
        let id = sqlx::query_scalar!(
            "UPDATE contacts SET locked_by = $2, locked_until = $3, locked_at = $4, updated_at = $4
             WHERE id = (
                 SELECT c.id FROM callbacks cb JOIN contacts c ON c.id = cb.contact_id
                 WHERE cb.campaign_id = $1 AND cb.state = 'pending' AND cb.due_at <= $4
                   AND (cb.agent_id IS NULL OR cb.agent_id = $2)
                   AND c.status = 'callback' AND (c.locked_until IS NULL OR c.locked_until <= $4)
                 ORDER BY cb.due_at, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED)
             RETURNING id",
            campaign.as_str(),
            agent.as_str(),
            utc(until),
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await?;
        id.map(|id| read("contacts.id", id)).transpose()
    }

    async fn pick_from_hopper(
        &self,
        campaign: &CampaignId,
        agent: &UserId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ContactId>, Error> {
        let id = sqlx::query_scalar!(
            "WITH picked AS (
                 SELECT h.contact_id FROM hopper h JOIN contacts c ON c.id = h.contact_id
                 WHERE h.campaign_id = $1 AND h.leased_until > $4
                   AND (c.locked_until IS NULL OR c.locked_until <= $4)
                 ORDER BY h.rank, h.contact_id LIMIT 1 FOR UPDATE OF c SKIP LOCKED
             ), taken AS (
                 DELETE FROM hopper USING picked WHERE hopper.contact_id = picked.contact_id
             )
             UPDATE contacts c SET status = 'ready', locked_by = $2, locked_until = $3, locked_at = $4, updated_at = $4
             FROM picked WHERE c.id = picked.contact_id RETURNING c.id",
            campaign.as_str(),
            agent.as_str(),
            utc(until),
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await?;
        id.map(|id| read("contacts.id", id)).transpose()
    }

    /// A contact of a campaign with this number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_with_number(
        &self,
        campaign: &CampaignId,
        number: &PhoneNumber,
    ) -> Result<Option<ContactId>, Error> {
        let id = sqlx::query_scalar!(
            "SELECT c.id FROM contact_phones p JOIN contacts c ON c.id = p.contact_id
             WHERE p.number = $2 AND c.campaign_id = $1 ORDER BY c.id LIMIT 1",
            campaign.as_str(),
            number.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        id.map(|id| read("contacts.id", id)).transpose()
    }

    /// Whether nobody of a campaign will be dialed any more, unless contacts are added, given
    /// back or changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_is_used_up(&self, campaign: &CampaignId) -> Result<bool, Error> {
        let left = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT 1 FROM contacts WHERE campaign_id = $1
                     AND status IN ('ready', 'waiting', 'hopper', 'claimed', 'callback')
               ) OR EXISTS (
                   SELECT 1 FROM contacts c JOIN campaigns g ON g.id = c.campaign_id
                   WHERE c.campaign_id = $1 AND c.status = 'filtered'
                     AND c.filters_version < g.filters_version
               ) AS "left!""#,
            campaign.as_str()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(!left)
    }
}
