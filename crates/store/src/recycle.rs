//! Recycling: contacts that are done are dialed again.

use serde_json::json;
use strowger_core::{
    disposition::Disposition,
    ids::{CampaignId, ListId, QualificationId, UserId},
    lists::order::{DialOrder, Ranked},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{parse, timestamp, utc},
};

/// Contacts changed in one transaction.
const BATCH: i64 = 2_000;

/// Which contacts are recycled: those that are done and had one of these outcomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recycle {
    /// Of this list; none: of every list of the campaign.
    pub list: Option<ListId>,
    /// Last disposition, of contacts that no agent qualified.
    pub dispositions: Vec<Disposition>,
    /// Qualification; one that is not recyclable counts for nothing.
    pub qualifications: Vec<QualificationId>,
    /// Also those that a rule blocked: they are checked again before they are dialed.
    pub blocked: bool,
}

impl Store {
    /// Makes contacts that are done ready again, with no attempts counted, and tells how many. It
    /// goes through the campaign in short transactions: what a failure leaves undone is done by
    /// asking again. The audit log keeps who did it and why.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn recycle(
        &self,
        campaign: &CampaignId,
        what: &Recycle,
        by: &UserId,
        reason: &str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let order = sqlx::query_scalar!(
            "SELECT dial_order FROM campaigns WHERE id = $1",
            campaign.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        let order: DialOrder = parse("campaigns.dial_order", &order)?;
        let mut after = String::new();
        let mut total = 0;
        while let Some((last, done)) = self
            .recycle_after(campaign, what, order, &after, now)
            .await?
        {
            after = last;
            total += done;
        }
        let change = json!({
            "contacts": total,
            "reason": reason,
            "list_id": what.list,
            "dispositions": what.dispositions,
            "qualification_ids": what.qualifications,
            "blocked": what.blocked,
        });
        let subject = campaign.as_str();
        self.record_audit(Some(by), "campaign.recycle", subject, &change, now)
            .await?;
        Ok(total)
    }

    /// Recycles the next batch; the last id of it and how many, or none when there are no more.
    async fn recycle_after(
        &self,
        campaign: &CampaignId,
        what: &Recycle,
        order: DialOrder,
        after: &str,
        now: Timestamp,
    ) -> Result<Option<(String, u64)>, Error> {
        let dispositions: Vec<String> = what
            .dispositions
            .iter()
            .map(|one| one.as_str().to_owned())
            .collect();
        let qualifications: Vec<String> = what
            .qualifications
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut tx = self.pool.begin().await?;
        let rows = sqlx::query!(
            "SELECT c.id, c.priority, c.created_at, c.best_hour FROM contacts c
             WHERE c.campaign_id = $1 AND c.id > $2 AND ($3::text IS NULL OR c.list_id = $3)
               AND ((c.status IN ('called', 'exhausted') AND c.qualification_id IS NULL AND c.last_disposition = ANY($4))
                 OR (c.status IN ('qualified', 'exhausted') AND c.qualification_id = ANY($5)
                     AND EXISTS (SELECT 1 FROM qualifications q WHERE q.id = c.qualification_id AND q.is_recyclable))
                 OR ($6 AND c.status = 'blocked'))
             ORDER BY c.id LIMIT $7 FOR UPDATE OF c SKIP LOCKED",
            campaign.as_str(),
            after,
            what.list.as_ref().map(ListId::as_str),
            &dispositions,
            &qualifications,
            what.blocked,
            BATCH
        )
        .fetch_all(&mut *tx)
        .await?;
        let Some(last) = rows.last().map(|row| row.id.clone()) else {
            return Ok(None);
        };
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let ranks: Vec<i64> = rows
            .iter()
            .map(|row| {
                Ranked {
                    attempts: 0,
                    priority: u8::try_from(row.priority).unwrap_or(0),
                    added_at: timestamp(row.created_at),
                    due_at: now,
                    best_hour: row.best_hour.and_then(|hour| u8::try_from(hour).ok()),
                }
                .rank(order)
            })
            .collect();
        if what.blocked {
            sqlx::query!(
                "UPDATE contact_phones SET blocked_by = NULL WHERE contact_id = ANY($1) AND blocked_by IS NOT NULL",
                &ids
            )
            .execute(&mut *tx)
            .await?;
        }
        let done = sqlx::query!(
            "UPDATE contacts c SET status = 'ready', attempts_made = 0, qualification_id = NULL, blocked_by = NULL,
                 next_attempt_at = $3, rank = t.rank, updated_at = $3
             FROM UNNEST($1::text[], $2::bigint[]) AS t (id, rank) WHERE c.id = t.id",
            &ids,
            &ranks,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some((last, done.rows_affected())))
    }
}
