//! Outbound campaigns.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use strowger_core::{
    campaign::{
        CampaignSettings, CampaignState, DeskSettings, MachineAction, PacingSettings, TrunkSettings,
    },
    compliance::Activity,
    ids::{CampaignId, FlowId, UserId},
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
    abandon_limit: f64,
    abandon_window_s: i32,
    min_ring_s: i32,
    boost: f64,
    caller_id: Option<String>,
    caller_id_pool_id: Option<String>,
    ring_timeout_s: i32,
    abandon_after_ms: i32,
    safe_harbour: String,
    amd_enabled: bool,
    amd: Value,
    amd_audit_share: f64,
    machine_message: Option<String>,
    machine_flow_id: Option<String>,
    broadcast_flow_id: Option<String>,
    recording_enabled: bool,
    wrap_up_s: i32,
    retry_rules: Value,
    activity: String,
    packs: Vec<String>,
    schedule: Value,
    filters: Value,
    dial_order: String,
    hopper_min: i32,
    default_region: String,
    min_agents: i32,
    max_call_s: i32,
    recording_beep: bool,
}

impl Row {
    fn with_trunks(self, trunks: Vec<TrunkSettings>) -> Result<Campaign, Error> {
        let retry: RetryRules = from_json("campaigns.retry_rules", self.retry_rules)?;
        let activity: Activity = from_json("campaigns.activity", Value::String(self.activity))?;
        let flow = |what, id: Option<String>| id.map(|id| read::<FlowId>(what, id)).transpose();
        let machine_flow = flow("campaigns.machine_flow_id", self.machine_flow_id)?;
        Ok(Campaign {
            settings: CampaignSettings {
                id: read("campaigns.id", self.id)?,
                name: self.name,
                mode: parse("campaigns.mode", &self.mode)?,
                ratio: self.ratio,
                priority: u8::try_from(self.priority).unwrap_or(10),
                max_lines: uint(self.max_lines),
                pacing: PacingSettings {
                    abandon_limit: self.abandon_limit,
                    window_s: uint(self.abandon_window_s),
                    min_ring_s: uint(self.min_ring_s),
                    boost: self.boost,
                },
                trunks,
                caller_id: self
                    .caller_id
                    .map(|number| read("campaigns.caller_id", number))
                    .transpose()?,
                caller_id_pool: self
                    .caller_id_pool_id
                    .map(|id| read("campaigns.caller_id_pool_id", id))
                    .transpose()?,
                ring_timeout_s: uint(self.ring_timeout_s),
                abandon_after_ms: u64::from(uint(self.abandon_after_ms)),
                safe_harbour: self.safe_harbour,
                amd: self.amd_enabled,
                amd_parameters: self.amd,
                amd_audit_share: self.amd_audit_share,
                machine_action: match (machine_flow, self.machine_message) {
                    (Some(flow), _) => MachineAction::Flow { flow },
                    (None, Some(sound)) => MachineAction::LeaveMessage { sound },
                    (None, None) => MachineAction::HangUp,
                },
                broadcast_flow: flow("campaigns.broadcast_flow_id", self.broadcast_flow_id)?,
                record: self.recording_enabled,
                wrap_up_s: uint(self.wrap_up_s),
                retry,
                activity,
                packs: self.packs,
                schedule: self.schedule,
                filters: self.filters,
                dial_order: parse("campaigns.dial_order", &self.dial_order)?,
                hopper_min: uint(self.hopper_min),
                desk: DeskSettings {
                    min_agents: uint(self.min_agents),
                    max_call_s: uint(self.max_call_s),
                    recording_beep: self.recording_beep,
                },
            },
            description: self.description,
            state: parse("campaigns.state", &self.state)?,
            epoch: self.epoch,
            default_region: self.default_region,
        })
    }
}

fn from_json<T: serde::de::DeserializeOwned>(what: &'static str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Corrupt {
        what,
        detail: error.to_string(),
    })
}

/// Columns that are not a field of the settings each.
struct Columns {
    machine_message: Option<String>,
    machine_flow: Option<String>,
    broadcast_flow: Option<String>,
    retry: Value,
    activity: String,
    trunks: Vec<String>,
}

impl Columns {
    fn of(settings: &CampaignSettings) -> Result<Self, Error> {
        let (machine_message, machine_flow) = match &settings.machine_action {
            MachineAction::HangUp => (None, None),
            MachineAction::LeaveMessage { sound } => (Some(sound.clone()), None),
            MachineAction::Flow { flow } => (None, Some(flow.to_string())),
        };
        let corrupt = |what| {
            move |error: serde_json::Error| Error::Corrupt {
                what,
                detail: error.to_string(),
            }
        };
        let activity =
            serde_json::to_value(settings.activity).map_err(corrupt("campaigns.activity"))?;
        Ok(Self {
            machine_message,
            machine_flow,
            broadcast_flow: settings.broadcast_flow.as_ref().map(ToString::to_string),
            retry: serde_json::to_value(&settings.retry)
                .map_err(corrupt("campaigns.retry_rules"))?,
            activity: activity.as_str().unwrap_or_default().to_owned(),
            trunks: settings.trunks.iter().map(|t| t.id.to_string()).collect(),
        })
    }
}

/// Gives a campaign these trunks, in this order, and no others.
async fn set_trunks(
    db: &mut PgConnection,
    id: &CampaignId,
    trunks: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM campaign_trunks WHERE campaign_id = $1",
        id.as_str()
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "INSERT INTO campaign_trunks (campaign_id, trunk_id, position)
         SELECT $1, trunk, position - 1 FROM UNNEST($2::text[]) WITH ORDINALITY AS t (trunk, position)",
        id.as_str(),
        trunks
    )
    .execute(db)
    .await
    .map_err(|error| Error::on_insert(error, "trunk", "trunk"))?;
    Ok(())
}

/// Writes everything that a campaign is set to but its desk, see [`Store::set_desk`]. Other
/// filters are a new version of them: what the earlier ones left out is looked at again.
async fn write_settings(db: &mut PgConnection, campaign: &Campaign) -> Result<(), Error> {
    let s = &campaign.settings;
    let columns = Columns::of(s)?;
    let changed = sqlx::query!(
        "UPDATE campaigns SET name = $2, description = $3, mode = $4, ratio = $5, priority = $6, max_lines = $7,
             abandon_limit = $8, abandon_window_s = $9, min_ring_s = $10, boost = $11, caller_id = $12,
             caller_id_pool_id = $13, ring_timeout_s = $14, abandon_after_ms = $15, safe_harbour = $16,
             amd_enabled = $17, amd = $18, machine_message = $19, machine_flow_id = $20, broadcast_flow_id = $21,
             recording_enabled = $22, wrap_up_s = $23, retry_rules = $24, activity = $25, packs = $26,
             schedule = $27, filters = $28,
             filters_version = filters_version + CASE WHEN filters = $28 THEN 0 ELSE 1 END,
             dial_order = $29, hopper_min = $30, default_region = $31, amd_audit_share = $32, updated_at = now()
         WHERE id = $1",
        s.id.as_str(),
        s.name,
        campaign.description,
        s.mode.as_str(),
        s.ratio,
        i16::from(s.priority),
        int(s.max_lines),
        s.pacing.abandon_limit,
        int(s.pacing.window_s),
        int(s.pacing.min_ring_s),
        s.pacing.boost,
        s.caller_id.as_ref().map(strowger_core::phone::PhoneNumber::as_str),
        s.caller_id_pool.as_ref().map(strowger_core::ids::CallerIdPoolId::as_str),
        int(s.ring_timeout_s),
        i32::try_from(s.abandon_after_ms).unwrap_or(i32::MAX),
        s.safe_harbour,
        s.amd,
        s.amd_parameters,
        columns.machine_message,
        columns.machine_flow,
        columns.broadcast_flow,
        s.record,
        int(s.wrap_up_s),
        columns.retry,
        columns.activity,
        &s.packs,
        s.schedule,
        s.filters,
        s.dial_order.as_str(),
        int(s.hopper_min),
        campaign.default_region,
        s.amd_audit_share
    )
    .execute(&mut *db)
    .await
    .map_err(|error| Error::on_insert(error, "id", "flow or caller_id_pool_id"))?;
    if changed.rows_affected() == 0 {
        return Err(Error::Missing { what: "campaign" });
    }
    set_trunks(db, &s.id, &columns.trunks).await
}

impl Store {
    /// Adds a campaign, stopped. Its desk is as the tables have it, see [`Store::set_desk`].
    ///
    /// # Errors
    /// [`Error::Taken`] for its id, [`Error::Missing`] for a trunk, a flow or its caller-id pool.
    pub async fn create_campaign(&self, campaign: &Campaign) -> Result<(), Error> {
        let id = &campaign.settings.id;
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO campaigns (id, name, mode) VALUES ($1, $2, $3)",
            id.as_str(),
            campaign.settings.name,
            campaign.settings.mode.as_str()
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "campaign"))?;
        write_settings(&mut tx, campaign).await?;
        sqlx::query!(
            "INSERT INTO lists (id, campaign_id, name, default_region) VALUES ($1, $1, $2, $3)",
            id.as_str(),
            campaign.settings.name,
            campaign.default_region
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "list id", "campaign"))?;
        self.changed(&mut tx, "campaign.added", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes what a campaign is set to, its description and its region. Whether it runs, its
    /// desk and its runner's epoch stay.
    ///
    /// # Errors
    /// [`Error::Missing`] for the campaign, a trunk, a flow or its caller-id pool; nothing is
    /// changed then.
    pub async fn update_campaign(&self, campaign: &Campaign) -> Result<(), Error> {
        let id = campaign.settings.id.as_str();
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id).await?;
        write_settings(&mut tx, campaign).await?;
        self.changed(&mut tx, "campaign.changed", id, before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores a supervisor's wish to go faster or slower.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn set_boost(&self, id: &CampaignId, boost: f64) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id.as_str()).await?;
        let changed = sqlx::query!(
            "UPDATE campaigns SET boost = $2, updated_at = now() WHERE id = $1",
            id.as_str(),
            boost
        )
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Error::Missing { what: "campaign" });
        }
        self.changed(&mut tx, "campaign.boosted", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The campaign with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign(&self, id: &CampaignId) -> Result<Option<Campaign>, Error> {
        let mut found = self.read_campaigns(Some(id), None, 1).await?;
        Ok(found.pop())
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
        self.read_campaigns(None, after, limit).await
    }

    async fn read_campaigns(
        &self,
        only: Option<&CampaignId>,
        after: Option<&CampaignId>,
        limit: u32,
    ) -> Result<Vec<Campaign>, Error> {
        let rows = sqlx::query_as!(
            Row,
            "SELECT id, name, description, state, epoch, mode, ratio, priority, max_lines, abandon_limit,
                    abandon_window_s, min_ring_s, boost, caller_id, caller_id_pool_id, ring_timeout_s,
                    abandon_after_ms, safe_harbour, amd_enabled, amd, machine_message, machine_flow_id,
                    broadcast_flow_id, recording_enabled, wrap_up_s, retry_rules, activity, packs, schedule,
                    filters, dial_order, hopper_min, default_region, amd_audit_share, min_agents, max_call_s,
                    recording_beep
             FROM campaigns WHERE id = coalesce($1, id) AND id > $2 ORDER BY id LIMIT $3",
            only.map(CampaignId::as_str),
            after.map_or("", CampaignId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let mut trunks = self.trunks_of(&ids).await?;
        rows.into_iter()
            .map(|row| {
                let own = trunks.remove(&row.id).unwrap_or_default();
                row.with_trunks(own)
            })
            .collect()
    }

    /// The trunks of campaigns, in order of preference.
    async fn trunks_of(
        &self,
        campaigns: &[String],
    ) -> Result<HashMap<String, Vec<TrunkSettings>>, Error> {
        let rows = sqlx::query!(
            "SELECT ct.campaign_id, t.id, t.server, t.endpoint, t.max_channels, t.max_calls_per_second
             FROM campaign_trunks ct JOIN trunks t ON t.id = ct.trunk_id
             WHERE ct.campaign_id = ANY($1) ORDER BY ct.campaign_id, ct.position",
            campaigns
        )
        .fetch_all(&self.pool)
        .await?;
        let mut trunks: HashMap<String, Vec<TrunkSettings>> = HashMap::new();
        for row in rows {
            let trunk = TrunkSettings {
                id: read("trunks.id", row.id)?,
                server: ServerName::from(row.server.as_str()),
                endpoint: row.endpoint,
                max_channels: uint(row.max_channels),
                max_calls_per_second: uint(row.max_calls_per_second),
            };
            trunks.entry(row.campaign_id).or_default().push(trunk);
        }
        Ok(trunks)
    }

    /// Makes a campaign run and gives its runner a new epoch; earlier runners write nothing any more.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn start_campaign(&self, id: &CampaignId) -> Result<i64, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id.as_str()).await?;
        let epoch = sqlx::query_scalar!(
            "UPDATE campaigns SET state = 'running', epoch = epoch + 1, updated_at = now()
             WHERE id = $1 RETURNING epoch",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        self.changed(&mut tx, "campaign.started", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(epoch)
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
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id.as_str()).await?;
        sqlx::query!(
            "UPDATE campaigns SET state = $2, updated_at = now() WHERE id = $1 AND state <> $2",
            id.as_str(),
            state.as_str()
        )
        .execute(&mut *tx)
        .await?;
        let action = format!("campaign.{state}");
        self.changed(&mut tx, &action, id.as_str(), before).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Replaces the agents who work for a campaign.
    ///
    /// # Errors
    /// [`Error::Missing`] when the campaign or one of the users does not exist; nothing is changed then.
    pub async fn assign_agents(&self, id: &CampaignId, agents: &[UserId]) -> Result<(), Error> {
        let users: Vec<String> = agents.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", id.as_str()).await?;
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
        self.changed(&mut tx, "campaign.agents-set", id.as_str(), before)
            .await?;
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
