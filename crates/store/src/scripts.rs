//! Scripts that agents read and fill in.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use strowger_core::{
    ids::{ScriptId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Removal, Store, audit,
    convert::{read, timestamp, utc},
};

/// What a script is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptSettings {
    /// Its name.
    pub name: String,
    /// Its pages with their blocks, as the builder writes them: an array.
    pub pages: Value,
    /// The page that it begins with.
    pub start_page_id: String,
    /// A colour.
    pub background_color: String,
}

/// A script.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Its id.
    pub id: ScriptId,
    /// What it is made of.
    pub settings: ScriptSettings,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A script in a list: without its pages, which may hold pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptEntry {
    /// Its id.
    pub id: ScriptId,
    /// Its name.
    pub name: String,
    /// How many pages it has.
    pub pages: u32,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    name: String,
    pages: Value,
    start_page_id: String,
    background_color: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Script {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("scripts.id", row.id)?,
            settings: ScriptSettings {
                name: row.name,
                pages: row.pages,
                start_page_id: row.start_page_id,
                background_color: row.background_color,
            },
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

impl Store {
    /// The script with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn script(&self, id: &ScriptId) -> Result<Option<Script>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, pages, start_page_id, background_color, created_at, updated_at
             FROM scripts WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Script::try_from)
        .transpose()
    }

    /// Scripts in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn scripts(
        &self,
        after: Option<&ScriptId>,
        limit: u32,
    ) -> Result<Vec<ScriptEntry>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, name, jsonb_array_length(pages) AS "pages!", created_at, updated_at
               FROM scripts WHERE id > $1 ORDER BY id LIMIT $2"#,
            after.map_or("", ScriptId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ScriptEntry {
                    id: read("scripts.id", row.id)?,
                    name: row.name,
                    pages: u32::try_from(row.pages).unwrap_or(0),
                    created_at: timestamp(row.created_at),
                    updated_at: timestamp(row.updated_at),
                })
            })
            .collect()
    }

    /// Adds a script (`is_new`) or changes one. None when it is to be changed and does not exist.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn save_script(
        &self,
        id: &ScriptId,
        script: &ScriptSettings,
        is_new: bool,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Option<Script>, Error> {
        let mut tx = self.pool.begin().await?;
        let saved = if is_new {
            sqlx::query_as!(
                Row,
                "INSERT INTO scripts (id, name, pages, start_page_id, background_color, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $6)
                 RETURNING id, name, pages, start_page_id, background_color, created_at, updated_at",
                id.as_str(),
                script.name,
                script.pages,
                script.start_page_id,
                script.background_color,
                utc(now)
            )
            .fetch_optional(&mut *tx)
            .await
        } else {
            sqlx::query_as!(
                Row,
                "UPDATE scripts SET name = $2, pages = $3, start_page_id = $4, background_color = $5, updated_at = $6
                 WHERE id = $1
                 RETURNING id, name, pages, start_page_id, background_color, created_at, updated_at",
                id.as_str(),
                script.name,
                script.pages,
                script.start_page_id,
                script.background_color,
                utc(now)
            )
            .fetch_optional(&mut *tx)
            .await
        };
        let saved = saved.map_err(|error| Error::on_insert(error, "id", "script"))?;
        let Some(row) = saved else { return Ok(None) };
        let action = if is_new {
            "script.created"
        } else {
            "script.changed"
        };
        // Pages may be megabytes; the log tells their number.
        let pages = row.pages.as_array().map_or(0, Vec::len);
        let change = json!({ "name": row.name, "pages": pages });
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Some(row.try_into()?))
    }

    /// Deletes a script. [`Removal::Kept`] when a campaign uses it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_script(
        &self,
        id: &ScriptId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Removal, Error> {
        let mut tx = self.pool.begin().await?;
        // The lock keeps a campaign from taking it up meanwhile; only then it is looked for.
        let name = sqlx::query_scalar!(
            "SELECT name FROM scripts WHERE id = $1 FOR UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(name) = name else {
            return Ok(Removal::Absent);
        };
        let is_used = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM campaigns WHERE script_id = $1) AS "is_used!""#,
            id.as_str()
        )
        .fetch_one(&mut *tx)
        .await?;
        if is_used {
            return Ok(Removal::Kept);
        }
        sqlx::query!("DELETE FROM scripts WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        let change = json!({ "name": name });
        let action = "script.deleted";
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Removal::Removed)
    }
}
