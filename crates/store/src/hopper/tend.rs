//! What keeps the lists in order beside filling the hopper: leases that are over, contacts that
//! became due, those left out under older filters, ranks made for another order.

use sqlx::PgConnection;
use strowger_core::{ids::CampaignId, lists::order::Ranked, time::Timestamp};

use super::fill::Choice;
use crate::{
    Error, Store,
    convert::{timestamp, uint, utc},
};

/// What one round of tending the lists of a campaign did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tended {
    /// Contacts whose lease in the hopper was over.
    pub expired: u64,
    /// Contacts that became due.
    pub promoted: u64,
    /// Contacts looked at again because the filters or quotas changed.
    pub examined: u64,
    /// Contacts ranked again because the order changed.
    pub ranked: u64,
}

impl Tended {
    /// Whether another round has something to do.
    pub fn is_unfinished(&self, limit: u32) -> bool {
        [self.expired, self.promoted, self.examined, self.ranked]
            .iter()
            .any(|done| *done >= u64::from(limit))
    }
}

impl Store {
    /// Tends the lists of a campaign, at most `limit` contacts of each kind in one short
    /// transaction. Call it now and then, and again at once while [`Tended::is_unfinished`].
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn tend_lists(
        &self,
        campaign: &CampaignId,
        limit: u32,
        now: Timestamp,
    ) -> Result<Tended, Error> {
        let mut tx = self.pool.begin().await?;
        let choice = Choice::load(&mut tx, campaign, now).await?;
        let rows = i64::from(limit);
        let tended = Tended {
            expired: expire_leases(&mut tx, campaign, now, rows).await?,
            promoted: promote(&mut tx, campaign, now, rows).await?,
            examined: examine(&mut tx, campaign, &choice, now, rows).await?,
            ranked: rank_again(&mut tx, campaign, &choice, now, rows).await?,
        };
        // A lock that is over means nothing; this keeps those that do easy to find.
        sqlx::query!(
            "UPDATE contacts SET locked_by = NULL, locked_until = NULL, locked_at = NULL WHERE id = ANY(ARRAY(
                 SELECT id FROM contacts WHERE campaign_id = $1 AND locked_until <= $2 LIMIT $3 FOR UPDATE SKIP LOCKED))",
            campaign.as_str(),
            utc(now),
            rows
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(tended)
    }
}

/// Zones (IANA names joined by `|`) of contacts of a list that may be dialed.
pub(super) struct ZoneKey {
    pub(super) list_id: String,
    pub(super) priority: i16,
    pub(super) weight: i16,
    pub(super) zones: String,
}

/// The distinct zones in each list that is in use, found by skipping through the index: it
/// costs as many steps as there are zones. Lists of one priority stand together, each in one piece.
pub(super) async fn zone_keys(
    db: &mut PgConnection,
    campaign: &CampaignId,
) -> Result<Vec<ZoneKey>, Error> {
    Ok(sqlx::query_as!(
        ZoneKey,
        r#"WITH RECURSIVE key AS (
             (SELECT list_id, zones FROM contacts WHERE campaign_id = $1 AND status = 'ready'
              ORDER BY list_id, zones LIMIT 1)
             UNION ALL
             SELECT next.list_id, next.zones FROM key
             CROSS JOIN LATERAL (
               SELECT c.list_id, c.zones FROM contacts c
               WHERE c.campaign_id = $1 AND c.status = 'ready' AND (c.list_id, c.zones) > (key.list_id, key.zones)
               ORDER BY c.list_id, c.zones LIMIT 1
             ) next
           )
           SELECT l.id AS list_id, l.priority, l.weight, key.zones AS "zones!"
           FROM key JOIN lists l ON l.id = key.list_id
           WHERE l.is_active AND l.weight > 0
           ORDER BY l.priority, l.id, key.zones"#,
        campaign.as_str()
    )
    .fetch_all(db)
    .await?)
}

/// Contacts whose lease is over leave the hopper: they may be chosen again.
pub(super) async fn expire_leases(
    db: &mut PgConnection,
    campaign: &CampaignId,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "DELETE FROM hopper WHERE contact_id IN (
             SELECT contact_id FROM hopper WHERE campaign_id = $1 AND leased_until <= $2
             ORDER BY leased_until LIMIT $3 FOR UPDATE SKIP LOCKED
         )",
        campaign.as_str(),
        utc(now),
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Contacts that waited and are due may be dialed.
pub(super) async fn promote(
    db: &mut PgConnection,
    campaign: &CampaignId,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "UPDATE contacts SET status = 'ready', updated_at = $2
         WHERE status = 'waiting' AND id = ANY(ARRAY(
             SELECT id FROM contacts WHERE campaign_id = $1 AND status = 'waiting' AND next_attempt_at <= $2
             ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED
         ))",
        campaign.as_str(),
        utc(now),
        limit
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Looks again at contacts that were left out under an older version of the filters. One
/// that the filters leave out again is marked with this version; the others may be dialed.
async fn examine(
    db: &mut PgConnection,
    campaign: &CampaignId,
    choice: &Choice,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    let found = super::fill::filtered_before(db, campaign, choice.version, limit).await?;
    if found.is_empty() {
        return Ok(0);
    }
    let (left_out, kept): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|candidate| choice.leaves_out(&candidate.facts()));
    let ids = |candidates: Vec<&super::fill::Candidate>| -> Vec<String> {
        candidates.into_iter().map(|one| one.id.clone()).collect()
    };
    sqlx::query!(
        "UPDATE contacts SET filters_version = $2,
             status = CASE WHEN id = ANY($3) THEN 'ready' ELSE 'filtered' END, updated_at = $4
         WHERE (id = ANY($1) OR id = ANY($3)) AND status = 'filtered'",
        &ids(left_out),
        choice.version,
        &ids(kept),
        utc(now)
    )
    .execute(db)
    .await?;
    Ok(found.len() as u64)
}

/// Ranks contacts again that were ranked for another order.
async fn rank_again(
    db: &mut PgConnection,
    campaign: &CampaignId,
    choice: &Choice,
    now: Timestamp,
    limit: i64,
) -> Result<u64, Error> {
    let keys = zone_keys(db, campaign).await?;
    let (low, high) = choice.order.bounds();
    let mut done = 0;
    for key in keys {
        let rows = sqlx::query!(
            r#"SELECT c.id AS "id!", c.attempts_made AS "attempts_made!", c.priority AS "priority!",
                      c.created_at AS "created_at!", c.next_attempt_at AS "next_attempt_at!", c.best_hour
               FROM (
                 (SELECT * FROM contacts r WHERE r.campaign_id = $1 AND r.list_id = $2 AND r.status = 'ready'
                    AND r.zones = $3 AND r.rank < $4 ORDER BY r.rank, r.id LIMIT $6)
                 UNION ALL
                 (SELECT * FROM contacts r WHERE r.campaign_id = $1 AND r.list_id = $2 AND r.status = 'ready'
                    AND r.zones = $3 AND r.rank > $5 ORDER BY r.rank, r.id LIMIT $6)
               ) c LIMIT $6"#,
            campaign.as_str(),
            key.list_id,
            key.zones,
            low,
            high,
            limit - done
        )
        .fetch_all(&mut *db)
        .await?;
        if rows.is_empty() {
            continue;
        }
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let ranks: Vec<i64> = rows
            .iter()
            .map(|row| {
                Ranked {
                    attempts: uint(row.attempts_made),
                    priority: u8::try_from(row.priority).unwrap_or(0),
                    added_at: timestamp(row.created_at),
                    due_at: timestamp(row.next_attempt_at),
                    best_hour: row.best_hour.and_then(|hour| u8::try_from(hour).ok()),
                }
                .rank(choice.order)
            })
            .collect();
        sqlx::query!(
            "UPDATE contacts c SET rank = t.rank, updated_at = $3
             FROM UNNEST($1::text[], $2::bigint[]) AS t (id, rank) WHERE c.id = t.id AND c.status = 'ready'",
            &ids,
            &ranks,
            utc(now)
        )
        .execute(&mut *db)
        .await?;
        done += i64::try_from(ids.len()).unwrap_or(limit);
        if done >= limit {
            break;
        }
    }
    Ok(u64::try_from(done).unwrap_or(0))
}
