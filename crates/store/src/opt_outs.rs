//! People who asked not to be contacted.

use serde_json::json;
use strowger_core::{
    compliance::Channel,
    ids::{CampaignId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error, Store, audit,
    consents::{Before, Who},
    convert::{read, text_of, timestamp, utc, word},
};

/// An opt-out.
#[derive(Debug, Clone, PartialEq)]
pub struct OptOut {
    /// Its id.
    pub id: Uuid,
    /// By whom.
    pub who: Who,
    /// From which channel; none: from all.
    pub channel: Option<Channel>,
    /// From which campaign; none: from every one.
    pub campaign: Option<CampaignId>,
    /// How it was told.
    pub source: String,
    /// When.
    pub at: Timestamp,
    /// Who recorded it.
    pub recorded_by: Option<UserId>,
}

/// The word for all channels.
const ALL: &str = "all";

impl Store {
    /// Records an opt-out: from now on no claim dials what it covers.
    ///
    /// # Errors
    /// [`Error::Missing`] when the campaign does not exist.
    pub async fn record_opt_out(&self, opt_out: &OptOut, now: Timestamp) -> Result<(), Error> {
        let channel = opt_out
            .channel
            .map_or_else(|| ALL.to_owned(), |channel| text_of(&channel));
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO opt_outs (id, number, person_key, channel, campaign_id, source, at, recorded_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            opt_out.id,
            opt_out.who.number.as_ref().map(PhoneNumber::as_str),
            opt_out.who.person_key,
            channel,
            opt_out.campaign.as_ref().map(CampaignId::as_str),
            opt_out.source,
            utc(opt_out.at),
            opt_out.recorded_by.as_ref().map(UserId::as_str)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "campaign"))?;
        let change = json!({ "id": opt_out.id, "channel": channel, "campaign_id": opt_out.campaign,
            "source": opt_out.source, "at": opt_out.at });
        audit::record(
            &mut tx,
            opt_out.recorded_by.as_ref(),
            "opt-out.recorded",
            &opt_out.who.subject(),
            &change,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes an opt-out back that was recorded by mistake. The audit log keeps what it said.
    /// False when there is none with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn withdraw_opt_out(
        &self,
        id: Uuid,
        by: &UserId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            "DELETE FROM opt_outs WHERE id = $1
             RETURNING number, person_key, channel, campaign_id, source, at",
            id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(false) };
        let change = json!({ "before": { "id": id, "number": row.number, "person_key": row.person_key,
            "channel": row.channel, "campaign_id": row.campaign_id, "source": row.source, "at": row.at } });
        let subject = row
            .number
            .or_else(|| row.person_key.map(|key| format!("person {key}")))
            .unwrap_or_default();
        audit::record(
            &mut tx,
            Some(by),
            "opt-out.withdrawn",
            &subject,
            &change,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Opt-outs of a number or a person, newest first, those before `before`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opt_outs(
        &self,
        who: &Who,
        before: Option<Before>,
        limit: u32,
    ) -> Result<Vec<OptOut>, Error> {
        let (at, id) = before.unwrap_or((Timestamp::MAX, Uuid::max()));
        let rows = sqlx::query!(
            "SELECT id, number, person_key, channel, campaign_id, source, at, recorded_by FROM opt_outs
             WHERE (number = $1 OR person_key = $2) AND (at, id) < ($3, $4)
             ORDER BY at DESC, id DESC LIMIT $5",
            who.number.as_ref().map(PhoneNumber::as_str),
            who.person_key,
            utc(at),
            id,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(OptOut {
                    id: row.id,
                    who: Who {
                        number: row
                            .number
                            .map(|number| read("opt_outs.number", number))
                            .transpose()?,
                        person_key: row.person_key,
                    },
                    channel: match row.channel.as_str() {
                        ALL => None,
                        _ => Some(word("opt_outs.channel", row.channel)?),
                    },
                    campaign: row
                        .campaign_id
                        .map(|id| read("opt_outs.campaign_id", id))
                        .transpose()?,
                    source: row.source,
                    at: timestamp(row.at),
                    recorded_by: row
                        .recorded_by
                        .map(|user| read("opt_outs.recorded_by", user))
                        .transpose()?,
                })
            })
            .collect()
    }
}
