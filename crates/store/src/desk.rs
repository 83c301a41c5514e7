//! How agents work at a campaign: their script, their qualifications, what they may hold.

use serde_json::Value;
use strowger_core::{
    ids::{CampaignId, QualificationGroupId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{int, read, uint, utc},
    lists::look_again,
};

/// How agents work at a campaign.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Desk {
    /// The script that they follow.
    pub script: Option<String>,
    /// The qualifications that they choose from; none: the standard ones and every other.
    pub qualification_group: Option<QualificationGroupId>,
    /// It dials by itself only while so many of its agents are logged in.
    pub min_agents: u32,
    /// Longest conversation in seconds; 0: no limit.
    pub max_call_s: u32,
    /// A conversation that is recorded has a tone in it from time to time.
    pub recording_beep: bool,
    /// Its quotas leave contacts out.
    pub quotas_enabled: bool,
    /// Minutes after which an agent who holds a contact without a call gives it back; 0: when
    /// they log out.
    pub unlock_after_min: u32,
    /// So many times busy or a machine end a contact; 0: never.
    pub unreachable_limit: u32,
    /// What a console sent that nothing else says.
    pub console: Value,
    /// When the campaign was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    script_id: Option<String>,
    qualification_group_id: Option<String>,
    min_agents: i32,
    max_call_s: i32,
    recording_beep: bool,
    quotas_enabled: bool,
    unlock_after_min: i32,
    unreachable_limit: i32,
    console: Value,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for (CampaignId, Desk) {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let group = row
            .qualification_group_id
            .map(|id| read("campaigns.qualification_group_id", id))
            .transpose()?;
        Ok((
            read("campaigns.id", row.id)?,
            Desk {
                script: row.script_id,
                qualification_group: group,
                min_agents: uint(row.min_agents),
                max_call_s: uint(row.max_call_s),
                recording_beep: row.recording_beep,
                quotas_enabled: row.quotas_enabled,
                unlock_after_min: uint(row.unlock_after_min),
                unreachable_limit: uint(row.unreachable_limit),
                console: row.console,
                created_at: crate::convert::timestamp(row.created_at),
                updated_at: crate::convert::timestamp(row.updated_at),
            },
        ))
    }
}

impl Store {
    /// How agents work at these campaigns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn desks(&self, campaigns: &[CampaignId]) -> Result<Vec<(CampaignId, Desk)>, Error> {
        let ids: Vec<String> = campaigns.iter().map(ToString::to_string).collect();
        sqlx::query_as!(
            Row,
            "SELECT id, script_id, qualification_group_id, min_agents, max_call_s, recording_beep, quotas_enabled,
                    unlock_after_min, unreachable_limit, console, created_at, updated_at
             FROM campaigns WHERE id = ANY($1) ORDER BY id",
            &ids
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(TryFrom::try_from)
        .collect()
    }

    /// How agents work at this campaign.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn desk(&self, campaign: &CampaignId) -> Result<Desk, Error> {
        let mut desks = self.desks(std::slice::from_ref(campaign)).await?;
        desks
            .pop()
            .map(|(_, desk)| desk)
            .ok_or(Error::Missing { what: "campaign" })
    }

    /// Changes how agents work at a campaign. When quotas begin or cease to count, what they left
    /// out is looked at again.
    ///
    /// # Errors
    /// [`Error::Missing`] for the campaign, its script or its group of qualifications.
    pub async fn set_desk(
        &self,
        campaign: &CampaignId,
        desk: &Desk,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let counted = sqlx::query_scalar!(
            "SELECT quotas_enabled FROM campaigns WHERE id = $1 FOR UPDATE",
            campaign.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        let before = self.before(&mut tx, "campaign", campaign.as_str()).await?;
        sqlx::query!(
            "UPDATE campaigns SET script_id = $2, qualification_group_id = $3, min_agents = $4, max_call_s = $5,
                 recording_beep = $6, quotas_enabled = $7, unlock_after_min = $8, unreachable_limit = $9,
                 console = $10, updated_at = $11
             WHERE id = $1",
            campaign.as_str(),
            desk.script,
            desk.qualification_group.as_ref().map(QualificationGroupId::as_str),
            int(desk.min_agents),
            int(desk.max_call_s),
            desk.recording_beep,
            desk.quotas_enabled,
            int(desk.unlock_after_min),
            int(desk.unreachable_limit),
            desk.console,
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "the script or the group of qualifications"))?;
        if counted != desk.quotas_enabled {
            look_again(&mut tx, campaign, now).await?;
        }
        self.changed(&mut tx, "campaign.desk-set", campaign.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Who works for these campaigns, in the order of campaigns and users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agents_of(
        &self,
        campaigns: &[CampaignId],
    ) -> Result<Vec<(CampaignId, UserId)>, Error> {
        let ids: Vec<String> = campaigns.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "SELECT campaign_id, user_id FROM campaign_agents WHERE campaign_id = ANY($1) ORDER BY campaign_id, user_id",
            &ids
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            Ok((
                read("campaign_agents.campaign_id", row.campaign_id)?,
                read("campaign_agents.user_id", row.user_id)?,
            ))
        })
        .collect()
    }

    /// Removes a stopped campaign with its contacts and lists; false when a call of it is still
    /// in progress. What was dialed stays known.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn delete_campaign(&self, campaign: &CampaignId) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        // Claims share this lock: none begins in between.
        sqlx::query_scalar!(
            "SELECT id FROM campaigns WHERE id = $1 FOR UPDATE",
            campaign.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        let before = self.before(&mut tx, "campaign", campaign.as_str()).await?;
        let done = sqlx::query!(
            "DELETE FROM campaigns WHERE id = $1 AND NOT EXISTS (
                 SELECT 1 FROM attempts WHERE campaign_id = $1 AND ended_at IS NULL)",
            campaign.as_str()
        )
        .execute(&mut *tx)
        .await?;
        let is_gone = done.rows_affected() > 0;
        if is_gone {
            self.changed(&mut tx, "campaign.deleted", campaign.as_str(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(is_gone)
    }
}
