//! Contacts that a person works on: nobody else is given them meanwhile.

use serde_json::json;
use strowger_core::{
    ids::{CampaignId, ContactId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// A contact that somebody keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// The contact.
    pub contact: ContactId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Who keeps it.
    pub agent: UserId,
    /// Until when.
    pub until: Timestamp,
}

impl Store {
    /// The contacts of a campaign that somebody keeps at `now`, in the order of their ids, those
    /// after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn locks(
        &self,
        campaign: &CampaignId,
        after: Option<&ContactId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Lock>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, first_name, last_name, locked_by AS "locked_by!", locked_until AS "locked_until!"
               FROM contacts
               WHERE campaign_id = $1 AND locked_until > $2 AND locked_by IS NOT NULL AND id > $3
               ORDER BY id LIMIT $4"#,
            campaign.as_str(),
            utc(now),
            after.map_or("", ContactId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Lock {
                    contact: read("contacts.id", row.id)?,
                    first_name: row.first_name,
                    last_name: row.last_name,
                    agent: read("contacts.locked_by", row.locked_by)?,
                    until: timestamp(row.locked_until),
                })
            })
            .collect()
    }

    /// Gives a contact free, whoever keeps it; false when nobody does.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_lock(
        &self,
        campaign: &CampaignId,
        contact: &ContactId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let kept = sqlx::query!(
            "SELECT locked_by, locked_until FROM contacts
             WHERE id = $1 AND campaign_id = $2 AND locked_until > $3 FOR NO KEY UPDATE",
            contact.as_str(),
            campaign.as_str(),
            utc(now)
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(kept) = kept else {
            return Ok(false);
        };
        sqlx::query!(
            "UPDATE contacts SET locked_by = NULL, locked_until = NULL, updated_at = $2 WHERE id = $1",
            contact.as_str(),
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        let change = json!({
            "before": { "locked_by": kept.locked_by, "locked_until": kept.locked_until.map(timestamp) }
        });
        self.note(&mut tx, "contact.released", contact.as_str(), &change)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
