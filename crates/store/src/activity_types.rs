//! What agents can be doing besides calls.

use chrono::{DateTime, Utc};
use serde_json::json;
use strowger_core::{
    ids::{ActivityTypeId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Removal, Store, audit,
    convert::{read, timestamp, utc},
};

/// What an activity type is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivitySettings {
    /// Its name, unique: the status that agents choose.
    pub name: String,
    /// `#` and six hexadecimal digits.
    pub color: String,
    /// Whether agents may choose it.
    pub is_active: bool,
}

/// An activity type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityType {
    /// Its id.
    pub id: ActivityTypeId,
    /// What it is set to.
    pub settings: ActivitySettings,
    /// Part of how agents work: its name and colour stay, and it is not deleted.
    pub is_system: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    name: String,
    color: String,
    is_active: bool,
    is_system: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for ActivityType {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("activity_types.id", row.id)?,
            settings: ActivitySettings {
                name: row.name,
                color: row.color,
                is_active: row.is_active,
            },
            is_system: row.is_system,
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

impl Store {
    /// Activity types in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn activity_types(
        &self,
        after: Option<&ActivityTypeId>,
        limit: u32,
    ) -> Result<Vec<ActivityType>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, color, is_active, is_system, created_at, updated_at
             FROM activity_types WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", ActivityTypeId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(ActivityType::try_from)
        .collect()
    }

    /// Adds an activity type (`is_new`) or changes one; of a system one only whether it is
    /// active. None when it is to be changed and does not exist.
    ///
    /// # Errors
    /// [`Error::Taken`] for its id or name.
    pub async fn save_activity_type(
        &self,
        id: &ActivityTypeId,
        settings: &ActivitySettings,
        is_new: bool,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Option<ActivityType>, Error> {
        let mut tx = self.pool.begin().await?;
        let saved = if is_new {
            sqlx::query_as!(
                Row,
                "INSERT INTO activity_types (id, name, color, is_active, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $5)
                 RETURNING id, name, color, is_active, is_system, created_at, updated_at",
                id.as_str(),
                settings.name,
                settings.color,
                settings.is_active,
                utc(now)
            )
            .fetch_optional(&mut *tx)
            .await
        } else {
            sqlx::query_as!(
                Row,
                "UPDATE activity_types SET name = CASE WHEN is_system THEN name ELSE $2 END,
                     color = CASE WHEN is_system THEN color ELSE $3 END, is_active = $4, updated_at = $5
                 WHERE id = $1
                 RETURNING id, name, color, is_active, is_system, created_at, updated_at",
                id.as_str(),
                settings.name,
                settings.color,
                settings.is_active,
                utc(now)
            )
            .fetch_optional(&mut *tx)
            .await
        };
        let saved =
            saved.map_err(|error| Error::on_insert(error, "id or name", "activity type"))?;
        let Some(row) = saved else { return Ok(None) };
        let action = if is_new {
            "activity-type.created"
        } else {
            "activity-type.changed"
        };
        let change = json!({ "name": row.name, "color": row.color, "is_active": row.is_active });
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Some(row.try_into()?))
    }

    /// Deletes an activity type with what is planned of it. [`Removal::Kept`] when it is a system one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_activity_type(
        &self,
        id: &ActivityTypeId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Removal, Error> {
        let mut tx = self.pool.begin().await?;
        let found = sqlx::query!(
            "SELECT name, is_system FROM activity_types WHERE id = $1 FOR UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else {
            return Ok(Removal::Absent);
        };
        if found.is_system {
            return Ok(Removal::Kept);
        }
        sqlx::query!("DELETE FROM activity_types WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        let change = json!({ "name": found.name });
        let action = "activity-type.deleted";
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Removal::Removed)
    }
}
