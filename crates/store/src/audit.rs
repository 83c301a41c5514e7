//! Who changed what: the audit log.

use std::sync::Arc;

use serde_json::{Map, Value};
use sqlx::PgConnection;
use strowger_core::{
    ids::{CallbackId, UserId},
    time::Timestamp,
};

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

/// Who changes what is changed through a [`Store`]: see [`Store::by`].
#[derive(Debug, Clone)]
pub(crate) struct Person {
    actor: UserId,
    at: Timestamp,
}

/// How something was before it is changed: see [`Store::before`].
pub(crate) struct Before(Option<Value>);

/// What differs between two states of a thing, under `before` and `after`; all of it when it is
/// new or gone.
pub(crate) fn difference(before: Option<&Value>, after: Option<&Value>) -> Value {
    let only = |state: Option<&Value>, other: Option<&Value>| {
        let mut state = state?.as_object()?.clone();
        state.retain(|key, value| other.and_then(|other| other.get(key)) != Some(value));
        Some(Value::Object(state))
    };
    let states = [
        ("before", only(before, after)),
        ("after", only(after, before)),
    ];
    let there = states
        .into_iter()
        .filter_map(|(name, state)| Some((name.to_owned(), state?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// A thing as the audit log shows it: its columns and what else belongs to it, without passwords
/// and without what is large, which is only told apart. None when there is no such thing.
async fn state(db: &mut PgConnection, what: &str, id: &str) -> Result<Option<Value>, Error> {
    let uuid = id.parse::<CallbackId>().ok().map(|id| id.0);
    let (pool, number) = id.split_once('/').unwrap_or((id, ""));
    let state = sqlx::query_scalar!(
        r#"SELECT CASE $1
             WHEN 'user' THEN (SELECT to_jsonb(t) - 'password_hash' FROM users t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'trunk' THEN (
               SELECT to_jsonb(t) - 'password_sealed' || jsonb_build_object('sealed_md5', md5(t.password_sealed))
               FROM trunks t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'campaign' THEN (
               SELECT to_jsonb(t) - 'filters_version' || jsonb_build_object(
                 'trunk_ids', ARRAY(SELECT trunk_id FROM campaign_trunks WHERE campaign_id = t.id ORDER BY position),
                 'agent_ids', ARRAY(SELECT user_id FROM campaign_agents WHERE campaign_id = t.id ORDER BY user_id),
                 'quotas', (SELECT jsonb_object_agg(field || '=' || value, target) FROM quotas WHERE campaign_id = t.id))
               FROM campaigns t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'list' THEN (SELECT to_jsonb(t) FROM lists t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'callback' THEN (SELECT to_jsonb(t) FROM callbacks t WHERE id = $3 FOR NO KEY UPDATE)
             WHEN 'qualification' THEN (SELECT to_jsonb(t) FROM qualifications t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'qualification-group' THEN
               (SELECT to_jsonb(t) FROM qualification_groups t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'caller-id-pool' THEN (SELECT to_jsonb(t) FROM caller_id_pools t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'caller-id' THEN
               (SELECT to_jsonb(t) - 'health' FROM caller_ids t WHERE pool_id = $4 AND number = $5 FOR NO KEY UPDATE)
             WHEN 'flow' THEN (
               SELECT to_jsonb(t) - 'draft' || jsonb_build_object('draft_md5', md5(t.draft::text))
               FROM flows t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'did' THEN (SELECT to_jsonb(t) FROM dids t WHERE id = $2 FOR NO KEY UPDATE)
             WHEN 'queue' THEN (
               SELECT to_jsonb(t) || jsonb_build_object(
                 'member_ids', ARRAY(SELECT user_id FROM queue_members WHERE queue_id = t.id ORDER BY user_id))
               FROM queues t WHERE id = $2 FOR NO KEY UPDATE)
           END - '{created_at,updated_at}'::text[]"#,
        what,
        id,
        uuid,
        pool,
        number
    )
    .fetch_one(db)
    .await?;
    Ok(state)
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
    /// The same database for a person: whatever they change through it is noted in the audit log,
    /// in the transaction that changes it. What the system does by itself needs no such store.
    #[must_use]
    pub fn by(&self, actor: &UserId, at: Timestamp) -> Self {
        Self {
            by: Some(Arc::new(Person {
                actor: actor.clone(),
                at,
            })),
            ..self.clone()
        }
    }

    /// Notes what a person did, in the transaction that does it; nothing when it is the system.
    pub(crate) async fn note(
        &self,
        db: &mut PgConnection,
        action: &str,
        subject: &str,
        change: &Value,
    ) -> Result<(), Error> {
        match &self.by {
            Some(by) => record(db, Some(&by.actor), action, subject, change, by.at).await,
            None => Ok(()),
        }
    }

    /// How a thing is now, held until the transaction ends, for [`Store::changed`].
    pub(crate) async fn before(
        &self,
        db: &mut PgConnection,
        what: &str,
        id: &str,
    ) -> Result<Before, Error> {
        match &self.by {
            Some(_) => Ok(Before(state(db, what, id).await?)),
            None => Ok(Before(None)),
        }
    }

    /// Notes what a person changed about a thing. `action` begins with what it is, such as
    /// `trunk.added`; see [`state`].
    pub(crate) async fn changed(
        &self,
        db: &mut PgConnection,
        action: &str,
        id: &str,
        before: Before,
    ) -> Result<(), Error> {
        if self.by.is_none() {
            return Ok(());
        }
        let what = action.split('.').next().unwrap_or_default();
        let after = state(db, what, id).await?;
        let change = difference(before.0.as_ref(), after.as_ref());
        self.note(db, action, id, &change).await
    }

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_shows_what_differs_and_what_is_new_or_gone_as_a_whole() {
        let old = json!({"id": "trk_1", "name": "Old", "max_channels": 30});
        let new = json!({"id": "trk_1", "name": "New", "max_channels": 30});
        assert_eq!(
            difference(Some(&old), Some(&new)),
            json!({"before": {"name": "Old"}, "after": {"name": "New"}})
        );
        assert_eq!(difference(None, Some(&new)), json!({"after": new}));
        assert_eq!(difference(Some(&old), None), json!({"before": old}));
    }
}
