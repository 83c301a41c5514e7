//! Calls as the history of a contact, an agent or a campaign shows them.

use chrono::{DateTime, Utc};
use strowger_core::ids::{CampaignId, ContactId, UserId};
use uuid::Uuid;

use crate::{Error, Store};

/// A call in the history.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the columns of `call_records`, described by the migration and the API"
)]
pub struct PastCall {
    pub id: Uuid,
    pub direction: String,
    pub campaign_id: Option<String>,
    pub contact_id: Option<String>,
    pub agent_id: Option<String>,
    pub qualification_id: Option<String>,
    pub source: Option<String>,
    pub destination: String,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub bridged_at: Option<DateTime<Utc>>,
    pub unbridged_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub disposition: Option<String>,
    /// The region of the campaign, whose numbers need no country code; `FR` without one.
    pub region: String,
}

/// Which calls.
#[derive(Debug, Clone, Default)]
pub struct PastCalls {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// With this contact.
    pub contact: Option<ContactId>,
    /// Of this agent.
    pub agent: Option<UserId>,
}

impl Store {
    /// Calls, newest first, at most `limit` after the first `skip`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn past_calls(
        &self,
        which: &PastCalls,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<PastCall>, Error> {
        Ok(sqlx::query_as!(
            PastCall,
            r#"SELECT r.id, r.direction, r.campaign_id, r.contact_id, r.agent_id, r.qualification_id, r.source,
                      r.destination, r.started_at, r.answered_at, r.bridged_at, r.unbridged_at, r.ended_at,
                      r.disposition, coalesce(m.default_region, 'FR') AS "region!"
               FROM call_records r LEFT JOIN campaigns m ON m.id = r.campaign_id
               WHERE ($1::text IS NULL OR r.campaign_id = $1) AND ($2::text IS NULL OR r.contact_id = $2)
                 AND ($3::text IS NULL OR r.agent_id = $3)
               ORDER BY r.started_at DESC, r.id DESC OFFSET $4 LIMIT $5"#,
            which.campaign.as_ref().map(CampaignId::as_str),
            which.contact.as_ref().map(ContactId::as_str),
            which.agent.as_ref().map(UserId::as_str),
            i64::from(skip),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// How many calls there are in all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn past_call_count(&self) -> Result<i64, Error> {
        Ok(
            sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM call_records"#)
                .fetch_one(&self.pool)
                .await?,
        )
    }
}
