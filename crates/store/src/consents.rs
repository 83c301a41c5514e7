//! What people allowed and took back: statements that are only ever added.

use serde_json::{Value, json};
use strowger_core::{
    compliance::{Activity, Channel},
    ids::UserId,
    phone::PhoneNumber,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error, Store, audit,
    convert::{read, text_of, timestamp, utc, word},
};

/// Whom a statement is about: a number, a person, or both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    /// The number.
    pub number: Option<PhoneNumber>,
    /// The person, by the key that lists give.
    pub person_key: Option<String>,
}

impl Who {
    /// For the audit log.
    pub(crate) fn subject(&self) -> String {
        match (&self.number, &self.person_key) {
            (Some(number), _) => number.to_string(),
            (None, Some(key)) => format!("person {key}"),
            (None, None) => String::new(),
        }
    }
}

/// A statement about a consent.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its id: the proof that the dial ledger names.
    pub id: Uuid,
    /// By whom.
    pub who: Who,
    /// For which channel.
    pub channel: Channel,
    /// For what.
    pub activity: Activity,
    /// Given, or revoked.
    pub given: bool,
    /// When.
    pub at: Timestamp,
    /// Until when it is good, when it says so.
    pub expires_at: Option<Timestamp>,
    /// How it was obtained.
    pub source: String,
    /// Where the proof lies, and what else proves it.
    pub proof: Value,
    /// Who recorded it.
    pub recorded_by: Option<UserId>,
}

/// Where a page begins: behind this statement.
pub type Before = (Timestamp, Uuid);

impl Store {
    /// Records a statement. It is never changed: who takes a consent back makes another one.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn record_consent(&self, statement: &Statement, now: Timestamp) -> Result<(), Error> {
        let word = if statement.given { "given" } else { "revoked" };
        let (channel, activity) = (text_of(&statement.channel), text_of(&statement.activity));
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO consents (id, number, person_key, channel, activity, statement, at, expires_at, source, proof,
                 recorded_by, recorded_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            statement.id,
            statement.who.number.as_ref().map(PhoneNumber::as_str),
            statement.who.person_key,
            channel,
            activity,
            word,
            utc(statement.at),
            statement.expires_at.map(utc),
            statement.source,
            statement.proof,
            statement.recorded_by.as_ref().map(UserId::as_str),
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "user"))?;
        let change = json!({ "id": statement.id, "channel": channel, "activity": activity, "at": statement.at,
            "expires_at": statement.expires_at, "source": statement.source });
        audit::record(
            &mut tx,
            statement.recorded_by.as_ref(),
            &format!("consent.{word}"),
            &statement.who.subject(),
            &change,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Statements about a number or a person, newest first, those before `before`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn consents(
        &self,
        who: &Who,
        before: Option<Before>,
        limit: u32,
    ) -> Result<Vec<Statement>, Error> {
        let (at, id) = before.unwrap_or((Timestamp::MAX, Uuid::max()));
        let rows = sqlx::query!(
            "SELECT id, number, person_key, channel, activity, statement, at, expires_at, source, proof, recorded_by
             FROM consents WHERE (number = $1 OR person_key = $2) AND (at, id) < ($3, $4)
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
                Ok(Statement {
                    id: row.id,
                    who: Who {
                        number: row
                            .number
                            .map(|number| read("consents.number", number))
                            .transpose()?,
                        person_key: row.person_key,
                    },
                    channel: word("consents.channel", row.channel)?,
                    activity: word("consents.activity", row.activity)?,
                    given: row.statement == "given",
                    at: timestamp(row.at),
                    expires_at: row.expires_at.map(timestamp),
                    source: row.source,
                    proof: row.proof,
                    recorded_by: row
                        .recorded_by
                        .map(|user| read("consents.recorded_by", user))
                        .transpose()?,
                })
            })
            .collect()
    }
}
