//! Campaigns with their contacts.

use serde_json::Value;
use strowger_core::{
    ids::{CampaignId, ContactId},
    time::Timestamp,
};

use crate::{Error, Store, convert::timestamp};

/// A page of a list: its entries as JSON, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonPage {
    /// The entries; empty when there are none.
    pub json: String,
    /// How many there are.
    pub count: u32,
    /// The id of the last one, after which the next page begins.
    pub last: Option<String>,
}

/// What a screen shows of a campaign besides what the dialer is set to.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the columns of `campaigns`")]
pub struct CampaignExtras {
    pub id: String,
    pub script_id: Option<String>,
    pub qualification_group_id: Option<String>,
    pub min_agents: i32,
    pub max_call_s: i32,
    pub recording_beep: bool,
    pub quotas_enabled: bool,
    pub unlock_after_min: i32,
    pub unreachable_limit: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Those who work for it, in the order of their ids.
    pub agents: Vec<String>,
    /// What a console sent that nothing else says.
    pub console: Value,
    /// Its quotas: `id`, `field`, `operator`, `value`, `target`, `reached`.
    pub quotas: Value,
}

impl Store {
    /// What a screen shows of these campaigns besides their settings, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign_extras(&self, ids: &[CampaignId]) -> Result<Vec<CampaignExtras>, Error> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let rows = sqlx::query!(
            r#"SELECT c.id, c.script_id, c.qualification_group_id, c.min_agents, c.max_call_s,
                      c.recording_beep, c.quotas_enabled, c.unlock_after_min, c.unreachable_limit,
                      c.created_at, c.updated_at, c.console,
                      ARRAY(SELECT user_id FROM campaign_agents WHERE campaign_id = c.id ORDER BY user_id) AS "agents!",
                      coalesce((SELECT jsonb_agg(jsonb_build_object('id', q.id, 'field', q.field, 'operator', q.operator,
                                    'value', q.value, 'target', q.target, 'reached', q.reached) ORDER BY q.field, q.value)
                                FROM quotas q WHERE q.campaign_id = c.id), '[]') AS "quotas!"
               FROM campaigns c WHERE c.id = ANY($1) ORDER BY c.id"#,
            &ids
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| CampaignExtras {
                id: row.id,
                script_id: row.script_id,
                qualification_group_id: row.qualification_group_id,
                min_agents: row.min_agents,
                max_call_s: row.max_call_s,
                recording_beep: row.recording_beep,
                quotas_enabled: row.quotas_enabled,
                unlock_after_min: row.unlock_after_min,
                unreachable_limit: row.unreachable_limit,
                created_at: timestamp(row.created_at),
                updated_at: timestamp(row.updated_at),
                agents: row.agents,
                console: row.console,
                quotas: row.quotas,
            })
            .collect())
    }

    /// The contacts of a campaign in the order of their ids, those after `after`, at most
    /// `limit`, as the console reads them.
    ///
    /// Of the nine statuses the console knows three: `pending` may still be dialed, `called` is
    /// over without an agent's word, `qualified` has one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contacts_json(
        &self,
        campaign: &CampaignId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<JsonPage, Error> {
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!", max(id) AS last
               FROM (
                   SELECT id, line FROM contact_screens
                   WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT $3
               ) page"#,
            campaign.as_str(),
            after.unwrap_or_default(),
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(JsonPage {
            json: row.json,
            count: u32::try_from(row.count).unwrap_or(u32::MAX),
            last: row.last,
        })
    }

    /// One contact as the console reads it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_json(&self, id: &ContactId) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT line AS "json!" FROM contact_screens WHERE id = $1"#,
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
