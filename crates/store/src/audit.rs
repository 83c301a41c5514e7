//! Who changed what: the audit log.

use serde_json::Value;
use sqlx::PgConnection;
use strowger_core::{ids::UserId, time::Timestamp};

use crate::{
    Error, Store,
    convert::{timestamp, utc},
};

/// Who changes something, and when.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who; none is the system itself.
    pub actor: Option<&'a UserId>,
    /// When.
    pub now: Timestamp,
}

impl By<'_> {
    /// Notes a change, in the transaction that makes it: see [`record()`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(
        &self,
        db: &mut PgConnection,
        action: &str,
        subject: &str,
        change: &Value,
    ) -> Result<(), Error> {
        record(db, self.actor, action, subject, change, self.now).await
    }
}

/// Notes a change, in the transaction that makes it.
///
/// `action` is a word such as `consent.given`, `subject` what was changed, such as the id of a
/// list, and `change` what was there before and what is there now. No actor is the system itself.
///
/// # Errors
/// When the database fails.
pub async fn record(
    db: &mut PgConnection,
    actor: Option<&UserId>,
    action: &str,
    subject: &str,
    change: &Value,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO audit_log (at, actor_id, action, subject, change) VALUES ($1, $2, $3, $4, $5)",
        utc(now),
        actor.map(UserId::as_str),
        action,
        subject,
        change
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A change as it was noted.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Its place in the log.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who; none is the system itself.
    pub actor: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// What was there before and what is there now.
    pub change: Value,
}

/// Which changes.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those of this user.
    pub actor: Option<String>,
    /// Only those of this subject.
    pub subject: Option<String>,
}

impl Store {
    /// Notes a change in a transaction of its own: for what is not kept in the database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_audit(
        &self,
        actor: Option<&UserId>,
        action: &str,
        subject: &str,
        change: &Value,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut db = self.pool.acquire().await?;
        record(&mut db, actor, action, subject, change, now).await
    }

    /// Changes, newest first, those before `before`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(
        &self,
        filter: &Filter,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Change>, Error> {
        let rows = sqlx::query!(
            "SELECT id, at, actor_id, action, subject, change FROM audit_log
             WHERE id < $1 AND ($2::text IS NULL OR actor_id = $2) AND ($3::text IS NULL OR subject = $3)
             ORDER BY id DESC LIMIT $4",
            before.unwrap_or(i64::MAX),
            filter.actor,
            filter.subject,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Change {
                id: row.id,
                at: timestamp(row.at),
                actor: row.actor_id,
                action: row.action,
                subject: row.subject,
                change: row.change,
            })
            .collect())
    }
}
