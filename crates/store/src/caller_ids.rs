//! Pools of caller ids, and what their use teaches.

mod pools;

use jiff::SignedDuration;
use sqlx::PgConnection;
use strowger_core::{
    caller_id::{Baseline, CallerId, Health, Rest},
    ids::{CallerIdPoolId, CampaignId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    Error,
    convert::{read, timestamp, utc},
};

pub use pools::{Pool, PoolDeleted, PoolNumber, PoolNumberChange};

/// What a number saw so long ago no longer counts: it has faded to a four-thousandth.
const FADED_AFTER: SignedDuration = SignedDuration::from_hours(6);

/// The pool of a campaign and its active numbers, for [`strowger_core::caller_id::take`]; none when
/// the campaign has no pool. Those that rest are among them.
///
/// # Errors
/// When the database fails.
pub async fn pool_for(
    db: &mut PgConnection,
    campaign: &CampaignId,
) -> Result<Option<(CallerIdPoolId, Vec<CallerId>)>, Error> {
    let pool = sqlx::query_scalar!(
        "SELECT caller_id_pool_id FROM campaigns WHERE id = $1",
        campaign.as_str()
    )
    .fetch_optional(&mut *db)
    .await?
    .flatten();
    let Some(pool) = pool else { return Ok(None) };
    let rows = sqlx::query!(
        "SELECT number, rested_until, last_used_at, dials FROM caller_ids WHERE pool_id = $1 AND is_active",
        pool
    )
    .fetch_all(db)
    .await?;
    let numbers = rows
        .into_iter()
        .map(|row| {
            let mut caller = CallerId::new(read("caller_ids.number", row.number)?);
            caller.rested_until = row.rested_until.map(timestamp);
            caller.last_used_at = row.last_used_at.map(timestamp);
            caller.dials = u64::try_from(row.dials).unwrap_or(0);
            Ok(caller)
        })
        .collect::<Result<_, Error>>()?;
    Ok(Some((read("caller_id_pools.id", pool)?, numbers)))
}

/// Notes that numbers were shown, once for each time that one is among `numbers`.
///
/// It locks the pool, as [`record_outcome`] does: call it last in a transaction.
///
/// # Errors
/// When the database fails.
pub async fn record_use(
    db: &mut PgConnection,
    pool: &CallerIdPoolId,
    numbers: &[PhoneNumber],
    now: Timestamp,
) -> Result<(), Error> {
    if numbers.is_empty() {
        return Ok(());
    }
    lock(db, pool).await?;
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "UPDATE caller_ids c SET dials = c.dials + used.times, last_used_at = greatest(c.last_used_at, $3)
         FROM (SELECT number, count(*) AS times FROM unnest($2::text[]) AS shown (number) GROUP BY number) used
         WHERE c.pool_id = $1 AND c.number = used.number",
        pool.as_str(),
        &numbers,
        utc(now)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One transaction at a time writes to the numbers of a pool. With a lock on each number instead,
/// those that write several would wait for each other in a circle.
async fn lock(db: &mut PgConnection, pool: &CallerIdPoolId) -> Result<(), Error> {
    sqlx::query_scalar!(
        "SELECT id FROM caller_id_pools WHERE id = $1 FOR NO KEY UPDATE",
        pool.as_str()
    )
    .fetch_optional(db)
    .await?;
    Ok(())
}

/// Notes whether a dial that showed `number` was answered
/// ([`strowger_core::caller_id::is_answered`]), compares the number with the others of its pool and
/// gives it a rest when it has to take one. A number that left the pool is passed over.
///
/// # Errors
/// When the database fails, or [`Error::Corrupt`] for a state that no version writes.
pub async fn record_outcome(
    db: &mut PgConnection,
    pool: &CallerIdPoolId,
    number: &PhoneNumber,
    answered: bool,
    now: Timestamp,
) -> Result<Option<Rest>, Error> {
    lock(&mut *db, pool).await?;
    let own = sqlx::query_scalar!(
        "SELECT health FROM caller_ids WHERE pool_id = $1 AND number = $2",
        pool.as_str(),
        number.as_str()
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(own) = own else { return Ok(None) };
    let faded = now.checked_sub(FADED_AFTER).unwrap_or(Timestamp::MIN);
    // Numbers that rest are poor, and no measure for others.
    let others = sqlx::query_scalar!(
        "SELECT health FROM caller_ids
         WHERE pool_id = $1 AND number <> $2 AND (rested_until IS NULL OR rested_until <= $3)
             AND last_used_at > $4",
        pool.as_str(),
        number.as_str(),
        utc(now),
        utc(faded)
    )
    .fetch_all(&mut *db)
    .await?
    .into_iter()
    .map(health)
    .collect::<Result<Vec<Health>, Error>>()?;
    let mut own = health(own)?;
    let rest = own.observe(answered, Baseline::of(&others, now), now);
    let state = serde_json::to_value(&own).map_err(|error| Error::Corrupt {
        what: "caller_ids.health",
        detail: error.to_string(),
    })?;
    sqlx::query!(
        "UPDATE caller_ids SET health = $3, answers = answers + $4,
             rested_until = coalesce($5, rested_until), rest_reason = coalesce($6, rest_reason)
         WHERE pool_id = $1 AND number = $2",
        pool.as_str(),
        number.as_str(),
        state,
        i64::from(answered),
        rest.as_ref().map(|rest| utc(rest.until)),
        rest.as_ref().map(|rest| rest.reason.as_str())
    )
    .execute(db)
    .await?;
    Ok(rest)
}

fn health(state: serde_json::Value) -> Result<Health, Error> {
    serde_json::from_value(state).map_err(|error| Error::Corrupt {
        what: "caller_ids.health",
        detail: error.to_string(),
    })
}
