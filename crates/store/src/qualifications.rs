//! Qualifications and their groups.

use serde_json::{Value, json};
use strowger_core::{
    ids::{QualificationGroupId, QualificationId, UserId},
    retry::RetryRule,
    time::Timestamp,
};

use crate::{
    Error, Store, audit,
    convert::{read, utc},
};

/// An outcome that agents may choose.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said of an outcome by itself"
)]
pub struct Qualification {
    /// Its id.
    pub id: QualificationId,
    /// A short code, unique.
    pub code: String,
    /// What it says.
    pub description: String,
    /// `positive`, `neutral` or `negative`.
    pub kind: String,
    /// Its group.
    pub group: Option<QualificationGroupId>,
    /// The one that it refines.
    pub parent: Option<QualificationId>,
    /// Offered in every campaign.
    pub is_standard: bool,
    /// Contacts with it may be recycled.
    pub is_recyclable: bool,
    /// A conversation took place.
    pub is_conversation: bool,
    /// The person refused further calls.
    pub is_refusal: bool,
    /// It was a machine.
    pub is_machine: bool,
    /// The contact is dialed again by this rule; none: it is done.
    pub retry: Option<RetryRule>,
}

/// A set of qualifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: QualificationGroupId,
    /// Its name.
    pub name: String,
}

#[expect(clippy::struct_excessive_bools, reason = "a row of the table")]
struct Row {
    id: String,
    code: String,
    description: String,
    kind: String,
    group_id: Option<String>,
    parent_id: Option<String>,
    is_standard: bool,
    is_recyclable: bool,
    is_conversation: bool,
    is_refusal: bool,
    is_machine: bool,
    retry: Option<Value>,
}

fn corrupt(error: &serde_json::Error) -> Error {
    Error::Corrupt {
        what: "qualifications.retry",
        detail: error.to_string(),
    }
}

impl TryFrom<Row> for Qualification {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("qualifications.id", row.id)?,
            code: row.code,
            description: row.description,
            kind: row.kind,
            group: row
                .group_id
                .map(|id| read("qualifications.group_id", id))
                .transpose()?,
            parent: row
                .parent_id
                .map(|id| read("qualifications.parent_id", id))
                .transpose()?,
            is_standard: row.is_standard,
            is_recyclable: row.is_recyclable,
            is_conversation: row.is_conversation,
            is_refusal: row.is_refusal,
            is_machine: row.is_machine,
            retry: row
                .retry
                .map(serde_json::from_value)
                .transpose()
                .map_err(|error| corrupt(&error))?,
        })
    }
}

impl Store {
    /// Adds a qualification, or replaces the one with this id; tells whether it is new.
    ///
    /// # Errors
    /// [`Error::Taken`] for its code, [`Error::Missing`] for its group or parent.
    pub async fn save_qualification(
        &self,
        one: &Qualification,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let retry = one
            .retry
            .as_ref()
            .map(serde_json::to_value)
            .transpose()
            .map_err(|error| corrupt(&error))?;
        let mut tx = self.pool.begin().await?;
        let before = self
            .before(&mut tx, "qualification", one.id.as_str())
            .await?;
        let is_new = sqlx::query_scalar!(
            r#"INSERT INTO qualifications (id, code, description, type, group_id, parent_id, is_standard,
                   is_recyclable, is_conversation, is_refusal, is_machine, retry, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
               ON CONFLICT (id) DO UPDATE SET code = excluded.code, description = excluded.description,
                   type = excluded.type, group_id = excluded.group_id, parent_id = excluded.parent_id,
                   is_standard = excluded.is_standard, is_recyclable = excluded.is_recyclable,
                   is_conversation = excluded.is_conversation, is_refusal = excluded.is_refusal,
                   is_machine = excluded.is_machine, retry = excluded.retry, updated_at = excluded.updated_at
               RETURNING created_at = updated_at AS "is_new!""#,
            one.id.as_str(),
            one.code,
            one.description,
            one.kind,
            one.group.as_ref().map(QualificationGroupId::as_str),
            one.parent.as_ref().map(QualificationId::as_str),
            one.is_standard,
            one.is_recyclable,
            one.is_conversation,
            one.is_refusal,
            one.is_machine,
            retry,
            utc(now)
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "code", "the group or the parent"))?;
        self.changed(&mut tx, "qualification.saved", one.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(is_new)
    }

    /// Qualifications in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn qualifications(
        &self,
        group: Option<&QualificationGroupId>,
        after: Option<&QualificationId>,
        limit: u32,
    ) -> Result<Vec<Qualification>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, code, description, type AS kind, group_id, parent_id, is_standard, is_recyclable,
                    is_conversation, is_refusal, is_machine, retry
             FROM qualifications WHERE id > $1 AND ($2::text IS NULL OR group_id = $2) ORDER BY id LIMIT $3",
            after.map_or("", QualificationId::as_str),
            group.map(QualificationGroupId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Qualification::try_from)
        .collect()
    }

    /// The qualification with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn qualification(
        &self,
        id: &QualificationId,
    ) -> Result<Option<Qualification>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, code, description, type AS kind, group_id, parent_id, is_standard, is_recyclable,
                    is_conversation, is_refusal, is_machine, retry
             FROM qualifications WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Qualification::try_from)
        .transpose()
    }

    /// Puts these qualifications into a group, and takes all others out of it. Ids that do not
    /// exist are passed over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_group_qualifications(
        &self,
        group: &QualificationGroupId,
        members: &[QualificationId],
        by: &UserId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let ids: Vec<String> = members.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "UPDATE qualifications SET group_id = CASE WHEN id = ANY($2) THEN $1 END, updated_at = $3
             WHERE (id = ANY($2)) <> (group_id IS NOT DISTINCT FROM $1)",
            group.as_str(),
            &ids,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        let change = json!({ "qualification_ids": ids });
        let action = "qualification-group.filled";
        audit::record(&mut tx, Some(by), action, group.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes a qualification; false when there is none. Calls that have it keep no trace of it
    /// but their attempt's conversation, refusal and machine.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_qualification(&self, id: &QualificationId) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "qualification", id.as_str()).await?;
        let done = sqlx::query!("DELETE FROM qualifications WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() > 0 {
            self.changed(&mut tx, "qualification.removed", id.as_str(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Adds a group, or renames the one with this id; tells whether it is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_qualification_group(
        &self,
        group: &Group,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let id = group.id.as_str();
        let before = self.before(&mut tx, "qualification-group", id).await?;
        let is_new = sqlx::query_scalar!(
            r#"INSERT INTO qualification_groups (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)
               ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = excluded.updated_at
               RETURNING created_at = updated_at AS "is_new!""#,
            group.id.as_str(),
            group.name,
            utc(now)
        )
        .fetch_one(&mut *tx)
        .await?;
        self.changed(&mut tx, "qualification-group.saved", id, before)
            .await?;
        tx.commit().await?;
        Ok(is_new)
    }

    /// Groups in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn qualification_groups(
        &self,
        after: Option<&QualificationGroupId>,
        limit: u32,
    ) -> Result<Vec<Group>, Error> {
        let rows = sqlx::query!(
            "SELECT id, name FROM qualification_groups WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", QualificationGroupId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Group {
                    id: read("qualification_groups.id", row.id)?,
                    name: row.name,
                })
            })
            .collect()
    }

    /// Removes a group; its qualifications stay without one. False when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_qualification_group(
        &self,
        id: &QualificationGroupId,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = self
            .before(&mut tx, "qualification-group", id.as_str())
            .await?;
        let done = sqlx::query!(
            "DELETE FROM qualification_groups WHERE id = $1",
            id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() > 0 {
            self.changed(&mut tx, "qualification-group.removed", id.as_str(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
