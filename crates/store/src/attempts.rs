//! Claiming contacts and committing attempts.

use strowger_core::{
    ids::{AttemptId, CampaignId, TrunkId, UserId},
    pacing::Segment,
    switchboard::NewAttempt,
    telephony::ServerName,
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, timestamp, uint, utc},
};

/// What is claimed, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The epoch of its runner.
    pub epoch: i64,
    /// The trunk to write on the attempts.
    pub trunk: &'a TrunkId,
    /// The exchange that will dial.
    pub server: &'a ServerName,
    /// Ids for the attempts: so many contacts are claimed at most.
    pub ids: &'a [AttemptId],
    /// Agents who can take a call: what is kept for one of them may be claimed too.
    pub agents: &'a [UserId],
    /// What pacing knew, for the ledger.
    pub pacing: &'a serde_json::Value,
    /// The moment of the claim.
    pub now: Timestamp,
}

/// What a claim gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The attempts, committed; they must be dialed or ended.
    pub attempts: Vec<NewAttempt>,
    /// When there were fewer contacts than asked for: when the next one is due, if any is left.
    pub next_due: Option<Timestamp>,
}

impl Store {
    /// Claims up to `ids.len()` contacts that are due and commits one attempt for each,
    /// in one transaction: what it returns may be dialed, and nothing else may.
    ///
    /// Contacts that another transaction is claiming are passed over. The numbers of a
    /// contact are tried in turn, one per attempt.
    ///
    /// # Errors
    /// [`Error::Stale`] when the campaign has a newer runner or does not run.
    pub async fn claim(&self, request: ClaimRequest<'_>) -> Result<Claimed, Error> {
        let ClaimRequest {
            campaign,
            epoch,
            trunk,
            server,
            ids,
            agents: _,
            pacing: _,
            now,
        } = request;
        let mut tx = self.pool.begin().await?;
        // The share lock makes a change of runner wait for this claim, and this claim for it.
        let current = sqlx::query_scalar!(
            "SELECT epoch FROM campaigns WHERE id = $1 AND state = 'running' FOR SHARE",
            campaign.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        if current != Some(epoch) {
            return Err(Error::Stale);
        }
        let uuids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            r#"WITH picked AS (
                 SELECT id, attempts_made FROM contacts
                 WHERE campaign_id = $1 AND status IN ('ready', 'waiting') AND next_attempt_at <= $2
                 ORDER BY next_attempt_at, id
                 LIMIT $3 FOR UPDATE SKIP LOCKED
               ), numbered AS (
                 SELECT p.id, p.attempts_made, ($4::uuid[])[row_number() OVER (ORDER BY p.id)] AS attempt_id
                 FROM picked p
               ), claimed AS (
                 UPDATE contacts c
                 SET status = 'claimed', claimed_by = n.attempt_id, attempts_made = c.attempts_made + 1, updated_at = $2
                 FROM numbered n WHERE c.id = n.id
                 RETURNING c.id, n.attempt_id, c.attempts_made
               )
               INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, created_at)
               SELECT cl.attempt_id, $1, cl.id, cl.attempts_made, ph.number, $5, $6, $7, $2
               FROM claimed cl
               JOIN LATERAL (
                 SELECT number FROM contact_phones WHERE contact_id = cl.id ORDER BY position
                 OFFSET (cl.attempts_made - 1) % (SELECT count(*) FROM contact_phones WHERE contact_id = cl.id)
                 LIMIT 1
               ) ph ON true
               RETURNING id, contact_id, number, ordinal"#,
            campaign.as_str(),
            utc(now),
            i64::try_from(ids.len()).unwrap_or(i64::MAX),
            &uuids,
            trunk.as_str(),
            &*server.0,
            epoch
        )
        .fetch_all(&mut *tx)
        .await?;
        let next_due = if rows.len() < ids.len() {
            // An open attempt may give its contact back: its end may even have happened already
            // and wait to be written. While there is one, the list is not used up.
            sqlx::query_scalar!(
                "SELECT least(
                     (SELECT min(next_attempt_at) FROM contacts WHERE campaign_id = $1 AND status IN ('ready', 'waiting')),
                     (SELECT $2::timestamptz + interval '1 second' WHERE EXISTS (
                         SELECT 1 FROM attempts
                         WHERE campaign_id = $1 AND ended_at IS NULL AND NOT (id = ANY($3))))
                 )",
                campaign.as_str(),
                utc(now),
                &uuids
            )
            .fetch_one(&mut *tx)
            .await?
        } else {
            None
        };
        tx.commit().await?;
        let attempts = rows
            .into_iter()
            .map(|row| new_attempt(row.id, row.contact_id, row.number, row.ordinal))
            .collect::<Result<_, Error>>()?;
        Ok(Claimed {
            attempts,
            next_due: next_due.map(timestamp),
        })
    }

    /// Which of these attempts are committed: asked when the answer to their claim was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn committed_attempts(&self, ids: &[AttemptId]) -> Result<Vec<NewAttempt>, Error> {
        let uuids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            "SELECT id, contact_id, number, ordinal FROM attempts WHERE id = ANY($1) AND ended_at IS NULL",
            &uuids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| new_attempt(row.id, row.contact_id, row.number, row.ordinal))
            .collect()
    }
}

fn new_attempt(
    id: uuid::Uuid,
    contact: String,
    number: String,
    ordinal: i32,
) -> Result<NewAttempt, Error> {
    Ok(NewAttempt {
        attempt: AttemptId(id),
        contact: read("attempts.contact_id", contact)?,
        number: read("attempts.number", number)?,
        ordinal: uint(ordinal),
        caller_id: None,
        agent: None,
        segment: Segment::default(),
    })
}
