//! Pools as people see and change them.

use serde_json::json;
use strowger_core::{
    caller_id::MAX_POOL,
    ids::{CallerIdPoolId, CampaignId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// A pool of caller ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its id.
    pub id: CallerIdPoolId,
    /// Its name.
    pub name: String,
    /// How many numbers it has, those not in use among them.
    pub numbers: u64,
    /// How many of them rest.
    pub resting: u64,
}

/// A number of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolNumber {
    /// The number.
    pub number: PhoneNumber,
    /// It may be shown.
    pub is_active: bool,
    /// It rests until then.
    pub rested_until: Option<Timestamp>,
    /// Why it rests or rested last.
    pub rest_reason: Option<String>,
    /// When it was shown last.
    pub last_used_at: Option<Timestamp>,
    /// How often it was shown.
    pub dials: u64,
    /// How many of these dials were answered, by a person or a machine.
    pub answers: u64,
}

/// What changes about a number; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolNumberChange {
    /// It may be shown.
    pub is_active: Option<bool>,
    /// It rests until then, or rests no more.
    pub rested_until: Option<Option<Timestamp>>,
}

/// What became of the wish to delete a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolDeleted {
    /// It is gone, with its numbers.
    Done,
    /// There is no such pool.
    Unknown,
    /// This campaign shows its numbers.
    UsedBy(CampaignId),
}

struct NumberRow {
    number: String,
    is_active: bool,
    rested_until: Option<chrono::DateTime<chrono::Utc>>,
    rest_reason: Option<String>,
    last_used_at: Option<chrono::DateTime<chrono::Utc>>,
    dials: i64,
    answers: i64,
}

impl TryFrom<NumberRow> for PoolNumber {
    type Error = Error;
    fn try_from(row: NumberRow) -> Result<Self, Error> {
        Ok(Self {
            number: read("caller_ids.number", row.number)?,
            is_active: row.is_active,
            rested_until: row.rested_until.map(timestamp),
            rest_reason: row.rest_reason,
            last_used_at: row.last_used_at.map(timestamp),
            dials: count(row.dials),
            answers: count(row.answers),
        })
    }
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

impl Store {
    /// Adds a pool without numbers.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn create_caller_id_pool(
        &self,
        id: &CallerIdPoolId,
        name: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "caller-id-pool", id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO caller_id_pools (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)",
            id.as_str(),
            name,
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "pool"))?;
        self.changed(&mut tx, "caller-id-pool.added", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a pool another name. False when there is no such pool.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_caller_id_pool(
        &self,
        id: &CallerIdPoolId,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "caller-id-pool", id.as_str()).await?;
        let done = sqlx::query!(
            "UPDATE caller_id_pools SET name = $2, updated_at = $3 WHERE id = $1",
            id.as_str(),
            name,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            self.changed(&mut tx, "caller-id-pool.renamed", id.as_str(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a pool that no campaign uses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_caller_id_pool(&self, id: &CallerIdPoolId) -> Result<PoolDeleted, Error> {
        let mut tx = self.pool.begin().await?;
        // A campaign that takes the pool at this moment waits, and then finds it gone.
        let found = sqlx::query_scalar!(
            "SELECT id FROM caller_id_pools WHERE id = $1 FOR UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        if found.is_none() {
            return Ok(PoolDeleted::Unknown);
        }
        let user = sqlx::query_scalar!(
            "SELECT id FROM campaigns WHERE caller_id_pool_id = $1 ORDER BY id LIMIT 1",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(campaign) = user {
            return Ok(PoolDeleted::UsedBy(read("campaigns.id", campaign)?));
        }
        let before = self.before(&mut tx, "caller-id-pool", id.as_str()).await?;
        sqlx::query!("DELETE FROM caller_id_pools WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        self.changed(&mut tx, "caller-id-pool.removed", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(PoolDeleted::Done)
    }

    /// The pool with this id, with its numbers counted at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn caller_id_pool(
        &self,
        id: &CallerIdPoolId,
        now: Timestamp,
    ) -> Result<Option<Pool>, Error> {
        let row = sqlx::query!(
            r#"SELECT p.id, p.name, count(c.number) AS "numbers!",
                 count(*) FILTER (WHERE c.rested_until > $2) AS "resting!"
             FROM caller_id_pools p LEFT JOIN caller_ids c ON c.pool_id = p.id
             WHERE p.id = $1 GROUP BY p.id"#,
            id.as_str(),
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Pool {
                id: read("caller_id_pools.id", row.id)?,
                name: row.name,
                numbers: count(row.numbers),
                resting: count(row.resting),
            })
        })
        .transpose()
    }

    /// Pools in the order of their ids, those after `after`, at most `limit`, with their numbers
    /// counted at `now`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn caller_id_pools(
        &self,
        after: Option<&CallerIdPoolId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Pool>, Error> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.name, n.numbers AS "numbers!", n.resting AS "resting!"
             FROM (SELECT id, name FROM caller_id_pools WHERE id > $1 ORDER BY id LIMIT $2) p
             CROSS JOIN LATERAL (
                 SELECT count(*) AS numbers, count(*) FILTER (WHERE rested_until > $3) AS resting
                 FROM caller_ids WHERE pool_id = p.id
             ) n ORDER BY p.id"#,
            after.map_or("", CallerIdPoolId::as_str),
            i64::from(limit),
            utc(now)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Pool {
                    id: read("caller_id_pools.id", row.id)?,
                    name: row.name,
                    numbers: count(row.numbers),
                    resting: count(row.resting),
                })
            })
            .collect()
    }

    /// The numbers of a pool in their order, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn caller_ids(
        &self,
        pool: &CallerIdPoolId,
        after: Option<&PhoneNumber>,
        limit: u32,
    ) -> Result<Vec<PoolNumber>, Error> {
        sqlx::query_as!(
            NumberRow,
            "SELECT number, is_active, rested_until, rest_reason, last_used_at, dials, answers
             FROM caller_ids WHERE pool_id = $1 AND number > $2 ORDER BY number LIMIT $3",
            pool.as_str(),
            after.map_or("", PhoneNumber::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(PoolNumber::try_from)
        .collect()
    }

    /// Adds numbers to a pool, all or none, and says how many were not there yet. None when the
    /// pool would have more than [`MAX_POOL`].
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such pool.
    pub async fn add_caller_ids(
        &self,
        pool: &CallerIdPoolId,
        numbers: &[PhoneNumber],
    ) -> Result<Option<u64>, Error> {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        // Whoever adds to the same pool waits: the count below is right.
        sqlx::query_scalar!(
            "SELECT id FROM caller_id_pools WHERE id = $1 FOR UPDATE",
            pool.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Missing { what: "the pool" })?;
        let added = sqlx::query!(
            "INSERT INTO caller_ids (pool_id, number)
             SELECT $1, number FROM unnest($2::text[]) AS given (number) ORDER BY number
             ON CONFLICT DO NOTHING",
            pool.as_str(),
            &numbers
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let total = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM caller_ids WHERE pool_id = $1"#,
            pool.as_str()
        )
        .fetch_one(&mut *tx)
        .await?;
        if usize::try_from(total).is_ok_and(|total| total > MAX_POOL) {
            return Ok(None);
        }
        let change = json!({ "numbers": numbers, "added": added });
        self.note(
            &mut tx,
            "caller-id-pool.numbers-added",
            pool.as_str(),
            &change,
        )
        .await?;
        tx.commit().await?;
        Ok(Some(added))
    }

    /// Changes a number of a pool and gives it as it is now; none when the pool does not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_caller_id(
        &self,
        pool: &CallerIdPoolId,
        number: &PhoneNumber,
        change: PoolNumberChange,
    ) -> Result<Option<PoolNumber>, Error> {
        let rest = change.rested_until;
        let mut tx = self.pool.begin().await?;
        let subject = format!("{pool}/{number}");
        let before = self.before(&mut tx, "caller-id", &subject).await?;
        let row = sqlx::query_as!(
            NumberRow,
            "UPDATE caller_ids SET is_active = coalesce($3, is_active),
                 rested_until = CASE WHEN $4 THEN $5 ELSE rested_until END,
                 rest_reason = CASE WHEN $4 THEN CASE WHEN $5::timestamptz IS NULL THEN NULL ELSE 'set by hand' END
                     ELSE rest_reason END
             WHERE pool_id = $1 AND number = $2
             RETURNING number, is_active, rested_until, rest_reason, last_used_at, dials, answers",
            pool.as_str(),
            number.as_str(),
            change.is_active,
            rest.is_some(),
            rest.flatten().map(utc)
        )
        .fetch_optional(&mut *tx)
        .await?;
        if row.is_some() {
            self.changed(&mut tx, "caller-id.changed", &subject, before)
                .await?;
        }
        tx.commit().await?;
        row.map(PoolNumber::try_from).transpose()
    }

    /// Takes a number out of a pool. False when the pool does not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_caller_id(
        &self,
        pool: &CallerIdPoolId,
        number: &PhoneNumber,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let subject = format!("{pool}/{number}");
        let before = self.before(&mut tx, "caller-id", &subject).await?;
        let done = sqlx::query!(
            "DELETE FROM caller_ids WHERE pool_id = $1 AND number = $2",
            pool.as_str(),
            number.as_str()
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 1 {
            self.changed(&mut tx, "caller-id.removed", &subject, before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}
