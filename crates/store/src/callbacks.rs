//! Callbacks: calls that were promised to contacts.

use sqlx::PgConnection;
use strowger_core::{
    ids::{CallbackId, CampaignId, ContactId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// A callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Its id.
    pub id: CallbackId,
    /// The campaign of the contact.
    pub campaign: CampaignId,
    /// Who is called.
    pub contact: ContactId,
    /// On which number.
    pub number: PhoneNumber,
    /// Personal: by this agent. None: by any agent of the campaign.
    pub agent: Option<UserId>,
    /// When.
    pub due_at: Timestamp,
    /// `pending`, `done` or `cancelled`.
    pub state: String,
    /// What the agent should know.
    pub note: String,
    /// Who promised it.
    pub created_by: Option<UserId>,
    /// When it was promised.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: uuid::Uuid,
    campaign_id: String,
    contact_id: String,
    number: String,
    agent_id: Option<String>,
    due_at: chrono::DateTime<chrono::Utc>,
    state: String,
    note: String,
    created_by: Option<String>,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for Callback {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let user = |user: Option<String>| user.map(|id| read("callbacks user", id)).transpose();
        Ok(Self {
            id: CallbackId(row.id),
            campaign: read("callbacks.campaign_id", row.campaign_id)?,
            contact: read("callbacks.contact_id", row.contact_id)?,
            number: read("callbacks.number", row.number)?,
            agent: user(row.agent_id)?,
            due_at: timestamp(row.due_at),
            state: row.state,
            note: row.note,
            created_by: user(row.created_by)?,
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

/// A callback to be promised.
#[derive(Debug, Clone)]
pub struct NewCallback {
    /// Its id.
    pub id: CallbackId,
    /// Who is called.
    pub contact: ContactId,
    /// On which number; none: on the one that was dialed last, or the first.
    pub number: Option<PhoneNumber>,
    /// By this agent; none: by any.
    pub agent: Option<UserId>,
    /// When.
    pub due_at: Timestamp,
    /// What the agent should know.
    pub note: String,
    /// Who promises it.
    pub by: UserId,
}

/// What is changed of a callback; none leaves it.
#[derive(Debug, Clone, Default)]
pub struct CallbackChange {
    /// When.
    pub due_at: Option<Timestamp>,
    /// By whom; the inner none is any agent.
    pub agent: Option<Option<UserId>>,
    /// What the agent should know.
    pub note: Option<String>,
}

/// Which callbacks are listed.
#[derive(Debug, Clone, Default)]
pub struct CallbackFilter {
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this agent.
    pub agent: Option<UserId>,
    /// Those after this one, in the order of their time and id.
    pub after: Option<(Timestamp, CallbackId)>,
}

impl Store {
    /// Promises a call. It replaces a pending callback of the contact. The contact waits for it,
    /// once the call that it is in is over.
    ///
    /// # Errors
    /// [`Error::Missing`] for the contact, a number of it, or the agent.
    pub async fn create_callback(&self, new: &NewCallback, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self
            .before(&mut tx, "callback", &new.id.to_string())
            .await?;
        let contact = sqlx::query!(
            "SELECT campaign_id, status FROM contacts WHERE id = $1 FOR UPDATE",
            new.contact.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::Missing { what: "contact" })?;
        let number = match &new.number {
            Some(number) => number.to_string(),
            None => sqlx::query_scalar!(
                r#"SELECT coalesce(
                       (SELECT number FROM attempts WHERE contact_id = $1 ORDER BY created_at DESC LIMIT 1),
                       (SELECT number FROM contact_phones WHERE contact_id = $1 AND NOT is_dead
                        ORDER BY position LIMIT 1))"#,
                new.contact.as_str()
            )
            .fetch_one(&mut *tx)
            .await?
            .ok_or(Error::Missing {
                what: "a number of the contact",
            })?,
        };
        sqlx::query!(
            "UPDATE callbacks SET state = 'cancelled', updated_at = $2 WHERE contact_id = $1 AND state = 'pending'",
            new.contact.as_str(),
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO callbacks (id, campaign_id, contact_id, number, agent_id, due_at, note, created_by,
                 created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
            new.id.0,
            contact.campaign_id,
            new.contact.as_str(),
            number,
            new.agent.as_ref().map(UserId::as_str),
            utc(new.due_at),
            new.note,
            new.by.as_str(),
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "agent"))?;
        if contact.status != "claimed" {
            sqlx::query!(
                "UPDATE contacts SET status = 'callback', updated_at = $2 WHERE id = $1",
                new.contact.as_str(),
                utc(now)
            )
            .execute(&mut *tx)
            .await?;
        }
        self.changed(&mut tx, "callback.promised", &new.id.to_string(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The callback with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callback(&self, id: CallbackId) -> Result<Option<Callback>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, campaign_id, contact_id, number, agent_id, due_at, state, note, created_by, created_at,
                    updated_at FROM callbacks WHERE id = $1",
            id.0
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Callback::try_from)
        .transpose()
    }

    /// Pending callbacks in the order in which they are due, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callbacks(
        &self,
        filter: &CallbackFilter,
        limit: u32,
    ) -> Result<Vec<Callback>, Error> {
        let (at, id) = filter
            .after
            .map_or((Timestamp::UNIX_EPOCH, uuid::Uuid::nil()), |after| {
                (after.0, after.1.0)
            });
        sqlx::query_as!(
            Row,
            "SELECT id, campaign_id, contact_id, number, agent_id, due_at, state, note, created_by, created_at,
                    updated_at FROM callbacks
             WHERE state = 'pending' AND (due_at, id) > ($3, $4)
               AND ($1::text IS NULL OR campaign_id = $1) AND ($2::text IS NULL OR agent_id = $2)
             ORDER BY due_at, id LIMIT $5",
            filter.campaign.as_ref().map(CampaignId::as_str),
            filter.agent.as_ref().map(UserId::as_str),
            utc(at),
            id,
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Callback::try_from)
        .collect()
    }

    /// Changes a pending callback; false when it is not pending any more.
    ///
    /// # Errors
    /// [`Error::Missing`] for the agent.
    pub async fn change_callback(
        &self,
        id: CallbackId,
        change: &CallbackChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "callback", &id.to_string()).await?;
        let done = sqlx::query!(
            "UPDATE callbacks SET due_at = coalesce($2, due_at), note = coalesce($3, note),
                 agent_id = CASE WHEN $4 THEN $5 ELSE agent_id END, updated_at = $6
             WHERE id = $1 AND state = 'pending'",
            id.0,
            change.due_at.map(utc),
            change.note,
            change.agent.is_some(),
            change
                .agent
                .as_ref()
                .and_then(|agent| agent.as_ref())
                .map(UserId::as_str),
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "agent"))?;
        if done.rows_affected() > 0 {
            self.changed(&mut tx, "callback.changed", &id.to_string(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a promise back; false when it is not pending any more. The contact is as done, or as
    /// ready, as it was without it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_callback(&self, id: CallbackId, now: Timestamp) -> Result<bool, Error> {
        self.end_callback(id, "cancelled", now).await
    }

    /// Notes that a promise was kept without a call of the dialer; false when it is not pending
    /// any more. The contact is as done, or as ready, as it was without it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_callback(&self, id: CallbackId, now: Timestamp) -> Result<bool, Error> {
        self.end_callback(id, "done", now).await
    }

    async fn end_callback(
        &self,
        id: CallbackId,
        state: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "callback", &id.to_string()).await?;
        let contact = sqlx::query_scalar!(
            "UPDATE callbacks SET state = $3, updated_at = $2 WHERE id = $1 AND state = 'pending'
             RETURNING contact_id",
            id.0,
            utc(now),
            state
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(contact) = contact else {
            return Ok(false);
        };
        release(&mut tx, &contact, now).await?;
        self.changed(&mut tx, "callback.cancelled", &id.to_string(), before)
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn release(db: &mut PgConnection, contact: &str, now: Timestamp) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE contacts SET updated_at = $2,
             status = CASE WHEN qualification_id IS NOT NULL THEN 'qualified'
                           WHEN attempts_made > 0 THEN 'called' ELSE 'ready' END
         WHERE id = $1 AND status = 'callback'",
        contact,
        utc(now)
    )
    .execute(db)
    .await?;
    Ok(())
}
