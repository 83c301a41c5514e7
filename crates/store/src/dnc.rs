//! Do-not-call lists.

use futures_util::{Stream, StreamExt as _};
use serde_json::json;
use strowger_core::{
    compliance::DncKind,
    ids::{CampaignId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{
    Error, Store, audit,
    convert::{read, text_of, timestamp, utc, word},
};

/// A do-not-call list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DncList {
    /// Its id: the one that a pack names, when it is that list.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub kind: DncKind,
    /// The campaign of a list of [`DncKind::Campaign`].
    pub campaign: Option<CampaignId>,
    /// When it was last brought up to date by an import.
    pub scrubbed_at: Option<Timestamp>,
}

/// What an import does with numbers that are on the list and not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// They stay.
    Add,
    /// They go: the file is the whole list.
    Replace,
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Numbers put on the list.
    pub added: u64,
    /// Numbers taken off it.
    pub removed: u64,
}

struct Row {
    id: String,
    name: String,
    kind: String,
    campaign_id: Option<String>,
    scrubbed_at: Option<chrono::DateTime<chrono::Utc>>,
}

impl TryFrom<Row> for DncList {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            name: row.name,
            kind: word("dnc_lists.kind", row.kind)?,
            campaign: row
                .campaign_id
                .map(|id| read("dnc_lists.campaign_id", id))
                .transpose()?,
            scrubbed_at: row.scrubbed_at.map(timestamp),
        })
    }
}

impl Store {
    /// Adds an empty list.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use, [`Error::Missing`] when the campaign does not exist.
    pub async fn create_dnc_list(
        &self,
        list: &DncList,
        by: &UserId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let kind = text_of(&list.kind);
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO dnc_lists (id, name, kind, campaign_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
            list.id,
            list.name,
            kind,
            list.campaign.as_ref().map(CampaignId::as_str),
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "campaign"))?;
        let change =
            json!({ "after": { "name": list.name, "kind": kind, "campaign_id": list.campaign } });
        audit::record(
            &mut tx,
            Some(by),
            "dnc-list.created",
            &list.id,
            &change,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a list another name. False when there is none with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_dnc_list(
        &self,
        id: &str,
        name: &str,
        by: &UserId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let before = sqlx::query_scalar!("SELECT name FROM dnc_lists WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(before) = before else {
            return Ok(false);
        };
        sqlx::query!(
            "UPDATE dnc_lists SET name = $2, updated_at = $3 WHERE id = $1",
            id,
            name,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        let change = json!({ "before": { "name": before }, "after": { "name": name } });
        audit::record(&mut tx, Some(by), "dnc-list.renamed", id, &change, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes a list with its numbers: they may be dialed again. False when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_dnc_list(
        &self,
        id: &str,
        by: &UserId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let numbers = sqlx::query!("DELETE FROM dnc_numbers WHERE list_id = $1", id)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        let name = sqlx::query_scalar!("DELETE FROM dnc_lists WHERE id = $1 RETURNING name", id)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(name) = name else { return Ok(false) };
        let change = json!({ "before": { "name": name, "numbers": numbers } });
        audit::record(&mut tx, Some(by), "dnc-list.deleted", id, &change, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Lists in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dnc_lists(&self, after: Option<&str>, limit: u32) -> Result<Vec<DncList>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, kind, campaign_id, scrubbed_at FROM dnc_lists WHERE id > $1 ORDER BY id LIMIT $2",
            after.unwrap_or(""),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(DncList::try_from)
        .collect()
    }

    /// The list with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dnc_list(&self, id: &str) -> Result<Option<DncList>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, kind, campaign_id, scrubbed_at FROM dnc_lists WHERE id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?
        .map(DncList::try_from)
        .transpose()
    }

    /// The lists that hold a number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dnc_lists_with(&self, number: &PhoneNumber) -> Result<Vec<DncList>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT l.id, l.name, l.kind, l.campaign_id, l.scrubbed_at
             FROM dnc_numbers n JOIN dnc_lists l ON l.id = n.list_id WHERE n.number = $1 ORDER BY l.id",
            number.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(DncList::try_from)
        .collect()
    }

    /// Puts a number on a list, if it is not there already. False when there is no such list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_dnc_number(
        &self,
        list: &str,
        number: &PhoneNumber,
        by: &UserId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let found = sqlx::query_scalar!("SELECT id FROM dnc_lists WHERE id = $1 FOR SHARE", list)
            .fetch_optional(&mut *tx)
            .await?;
        if found.is_none() {
            return Ok(false);
        }
        let added = sqlx::query!(
            "INSERT INTO dnc_numbers (number, list_id, added_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            number.as_str(),
            list,
            utc(now)
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if added > 0 {
            let change = json!({ "after": { "number": number } });
            audit::record(&mut tx, Some(by), "dnc-number.added", list, &change, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes a number off a list. False when it was not on it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_dnc_number(
        &self,
        list: &str,
        number: &PhoneNumber,
        by: &UserId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query!(
            "DELETE FROM dnc_numbers WHERE list_id = $1 AND number = $2",
            list,
            number.as_str()
        )
        .execute(&mut *tx)
        .await?
        .rows_affected()
            > 0;
        if removed {
            let change = json!({ "before": { "number": number } });
            audit::record(&mut tx, Some(by), "dnc-number.removed", list, &change, now).await?;
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Puts numbers on a list as they come, all or none, and notes that it is up to date. What
    /// was on it from the beginning of the transaction stays in force until it is committed.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such list; the error of `numbers` when it ends with one.
    pub async fn import_dnc_numbers<S, E>(
        &self,
        list: &str,
        mode: ImportMode,
        mut numbers: S,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Imported, E>
    where
        S: Stream<Item = Result<Vec<PhoneNumber>, E>> + Unpin,
        E: From<Error>,
    {
        let failed = |error: sqlx::Error| E::from(Error::from(error));
        let mut tx = self.pool.begin().await.map_err(failed)?;
        // Imports into one list come one after the other.
        let found = sqlx::query_scalar!("SELECT id FROM dnc_lists WHERE id = $1 FOR UPDATE", list)
            .fetch_optional(&mut *tx)
            .await
            .map_err(failed)?;
        if found.is_none() {
            let what = "do-not-call list";
            return Err(Error::Missing { what }.into());
        }
        sqlx::query("CREATE TEMPORARY TABLE dnc_import (number text NOT NULL) ON COMMIT DROP")
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        let mut copy = tx
            .copy_in_raw("COPY pg_temp.dnc_import (number) FROM STDIN")
            .await
            .map_err(failed)?;
        while let Some(batch) = numbers.next().await {
            match batch {
                Ok(batch) => {
                    // E.164 holds nothing that the text format of COPY would have to escape.
                    let lines: String = batch
                        .iter()
                        .flat_map(|number| [number.as_str(), "\n"])
                        .collect();
                    copy.send(lines.as_bytes()).await.map_err(failed)?;
                }
                Err(error) => {
                    copy.abort("the list could not be read to its end")
                        .await
                        .map_err(failed)?;
                    return Err(error);
                }
            }
        }
        copy.finish().await.map_err(failed)?;
        let imported = merge_import(&mut tx, list, mode, now)
            .await
            .map_err(failed)?;
        let change = json!({ "after": { "added": imported.added, "removed": imported.removed,
            "replaced": mode == ImportMode::Replace } });
        audit::record(&mut tx, Some(by), "dnc-list.imported", list, &change, now).await?;
        tx.commit().await.map_err(failed)?;
        Ok(imported)
    }
}

/// Queries of a table that only this transaction has cannot be checked when compiled.
async fn merge_import(
    db: &mut sqlx::PgConnection,
    list: &str,
    mode: ImportMode,
    now: Timestamp,
) -> Result<Imported, sqlx::Error> {
    let mut imported = Imported::default();
    if mode == ImportMode::Replace {
        sqlx::query("CREATE INDEX ON pg_temp.dnc_import (number)")
            .execute(&mut *db)
            .await?;
        sqlx::query("ANALYZE pg_temp.dnc_import")
            .execute(&mut *db)
            .await?;
        imported.removed = sqlx::query(
            "DELETE FROM dnc_numbers n WHERE n.list_id = $1
             AND NOT EXISTS (SELECT 1 FROM pg_temp.dnc_import i WHERE i.number = n.number)",
        )
        .bind(list)
        .execute(&mut *db)
        .await?
        .rows_affected();
    }
    imported.added = sqlx::query(
        "INSERT INTO dnc_numbers (number, list_id, added_at)
         SELECT DISTINCT number, $1, $2 FROM pg_temp.dnc_import ON CONFLICT DO NOTHING",
    )
    .bind(list)
    .bind(utc(now))
    .execute(&mut *db)
    .await?
    .rows_affected();
    sqlx::query!(
        "UPDATE dnc_lists SET scrubbed_at = $2, updated_at = $2 WHERE id = $1",
        list,
        utc(now)
    )
    .execute(db)
    .await?;
    Ok(imported)
}
