//! Outbound campaigns.

use strowger_core::{
    campaign::{CampaignSettings, CampaignState, MachineAction, TrunkSettings},
    ids::{CampaignId, UserId},
    retry::RetryRules,
    telephony::ServerName,
};

use crate::{
    Error, Store,
    convert::{int, parse, read, uint},
};

/// A campaign as it is stored.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// What it is set to.
    pub settings: CampaignSettings,
    /// Free text.
    pub description: String,
    /// Whether it runs.
    pub state: CampaignState,
    /// The epoch of its last runner.
    pub epoch: i64,
    /// Region of numbers without a country code, ISO 3166 two letters.
    pub default_region: String,
}

struct Row {
    id: String,
    name: String,
    description: String,
    state: String,
    epoch: i64,
    mode: String,
    ratio: f64,
    priority: i16,
    max_lines: i32,
    caller_id: Option<String>,
    ring_timeout_s: i32,
    abandon_after_ms: i32,
    safe_harbour: String,
    amd_enabled: bool,
    machine_message: Option<String>,
    recording_enabled: bool,
    wrap_up_s: i32,
    retry_rules: serde_json::Value,
    default_region: String,
    trunk_id: String,
    server: String,
    endpoint: String,
    max_channels: i32,
    max_calls_per_second: i32,
}

impl TryFrom<Row> for Campaign {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let retry: RetryRules =
            serde_json::from_value(row.retry_rules).map_err(|error| Error::Corrupt {
                what: "campaigns.retry_rules",
                detail: error.to_string(),
            })?;
        Ok(Self {
            settings: CampaignSettings {
                id: read("campaigns.id", row.id)?,
                name: row.name,
                mode: parse("campaigns.mode", &row.mode)?,
                ratio: row.ratio,
                priority: u8::try_from(row.priority).unwrap_or(10),
                max_lines: uint(row.max_lines),
                trunk: TrunkSettings {
                    id: read("trunks.id", row.trunk_id)?,
                    server: ServerName::from(row.server.as_str()),
                    endpoint: row.endpoint,
                    max_channels: uint(row.max_channels),
                    max_calls_per_second: uint(row.max_calls_per_second),
                },
                caller_id: row
                    .caller_id
                    .map(|number| read("campaigns.caller_id", number))
                    .transpose()?,
                ring_timeout_s: uint(row.ring_timeout_s),
                abandon_after_ms: u64::from(uint(row.abandon_after_ms)),
                safe_harbour: row.safe_harbour,
                amd: row.amd_enabled,
                machine_action: match row.machine_message {
                    Some(sound) => MachineAction::LeaveMessage { sound },
                    None => MachineAction::HangUp,
                },
                record: row.recording_enabled,
                wrap_up_s: uint(row.wrap_up_s),
                retry,
            },
            description: row.description,
            state: parse("campaigns.state", &row.state)?,
            epoch: row.epoch,
            default_region: row.default_region,
        })
    }
}

impl Store {
    /// Adds a campaign, stopped.
    ///
    /// # Errors
    /// [`Error::Taken`] for its id, [`Error::Missing`] for its trunk.
    pub async fn create_campaign(&self, campaign: &Campaign) -> Result<(), Error> {
        let s = &campaign.settings;
        let message = match &s.machine_action {
            MachineAction::HangUp => None,
            MachineAction::LeaveMessage { sound } => Some(sound.as_str()),
        };
        let retry = serde_json::to_value(&s.retry).map_err(|error| Error::Corrupt {
            what: "campaigns.retry_rules",
            detail: error.to_string(),
        })?;
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO campaigns (id, name, description, mode, ratio, priority, max_lines, caller_id,
                 ring_timeout_s, abandon_after_ms, safe_harbour, amd_enabled, machine_message, recording_enabled,
                 wrap_up_s, retry_rules, default_region)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
            s.id.as_str(),
            s.name,
            campaign.description,
            s.mode.as_str(),
            s.ratio,
            i16::from(s.priority),
            int(s.max_lines),
            s.caller_id.as_ref().map(strowger_core::phone::PhoneNumber::as_str),
            int(s.ring_timeout_s),
            i32::try_from(s.abandon_after_ms).unwrap_or(i32::MAX),
            s.safe_harbour,
            s.amd,
            message,
            s.record,
            int(s.wrap_up_s),
            retry,
            campaign.default_region
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "campaign"))?;
        sqlx::query!(
            "INSERT INTO campaign_trunks (campaign_id, trunk_id, position) VALUES ($1, $2, 0)",
            s.id.as_str(),
            s.trunk.id.as_str()
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "trunk_id"))?;
        sqlx::query!(
            "INSERT INTO lists (id, campaign_id, name, default_region) VALUES ($1, $1, $2, $3)",
            s.id.as_str(),
            s.name,
            campaign.default_region
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "list id", "campaign"))?;
        tx.commit().await?;
        Ok(())
    }

    /// The campaign with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign(&self, id: &CampaignId) -> Result<Option<Campaign>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT c.id, c.name, c.description, c.state, c.epoch, c.mode, c.ratio, c.priority, c.max_lines,
                    c.caller_id, c.ring_timeout_s, c.abandon_after_ms, c.safe_harbour, c.amd_enabled,
                    c.machine_message, c.recording_enabled, c.wrap_up_s, c.retry_rules, c.default_region,
                    t.id AS trunk_id, t.server, t.endpoint, t.max_channels, t.max_calls_per_second
             FROM campaigns c
             JOIN campaign_trunks ct ON ct.campaign_id = c.id AND ct.position = 0
             JOIN trunks t ON t.id = ct.trunk_id WHERE c.id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Campaign::try_from)
        .transpose()
    }

    /// Campaigns in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaigns(
        &self,
        after: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<Campaign>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT c.id, c.name, c.description, c.state, c.epoch, c.mode, c.ratio, c.priority, c.max_lines,
                    c.caller_id, c.ring_timeout_s, c.abandon_after_ms, c.safe_harbour, c.amd_enabled,
                    c.machine_message, c.recording_enabled, c.wrap_up_s, c.retry_rules, c.default_region,
                    t.id AS trunk_id, t.server, t.endpoint, t.max_channels, t.max_calls_per_second
             FROM campaigns c
             JOIN campaign_trunks ct ON ct.campaign_id = c.id AND ct.position = 0
             JOIN trunks t ON t.id = ct.trunk_id
             WHERE c.id > $1 ORDER BY c.id LIMIT $2",
            after.map_or("", CampaignId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Campaign::try_from)
        .collect()
    }

    /// Makes a campaign run and gives its runner a new epoch; earlier runners write nothing any more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn start_campaign(&self, id: &CampaignId) -> Result<i64, Error> {
        sqlx::query_scalar!(
            "UPDATE campaigns SET state = 'running', epoch = epoch + 1, updated_at = now()
             WHERE id = $1 RETURNING epoch",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Error::Missing { what: "campaign" })
    }

    /// Stores the state of a campaign, whoever runs it. Does nothing when it is that already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_campaign_state(
        &self,
        id: &CampaignId,
        state: CampaignState,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE campaigns SET state = $2, updated_at = now() WHERE id = $1 AND state <> $2",
            id.as_str(),
            state.as_str()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Replaces the agents who work for a campaign.
    ///
    /// # Errors
    /// [`Error::Missing`] when the campaign or one of the users does not exist; nothing is changed then.
    pub async fn assign_agents(&self, id: &CampaignId, agents: &[UserId]) -> Result<(), Error> {
        let users: Vec<String> = agents.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "DELETE FROM campaign_agents WHERE campaign_id = $1",
            id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO campaign_agents (campaign_id, user_id)
             SELECT $1, user_id FROM UNNEST($2::text[]) AS user_id ON CONFLICT DO NOTHING",
            id.as_str(),
            &users
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "agent", "campaign or agent"))?;
        tx.commit().await?;
        Ok(())
    }

    /// Contacts of a campaign by status.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_counts(&self, id: &CampaignId) -> Result<Vec<(String, i64)>, Error> {
        let rows = sqlx::query!(
            r#"SELECT status, count(*) AS "count!" FROM contacts WHERE campaign_id = $1 GROUP BY status ORDER BY status"#,
            id.as_str()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (row.status, row.count))
            .collect())
    }
}
