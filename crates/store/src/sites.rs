//! Places with trunks and extensions of their own.

use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_core::{
    ids::{SiteId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Store,
    audit::By,
    convert::{read, read_json, timestamp},
};

/// A telephone of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// Its number.
    pub number: String,
    /// Sound goes directly to it; that of the site when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_media_enabled: Option<bool>,
    /// Whose it is, see [`crate::devices`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// What a site is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteSettings {
    /// Its name.
    pub name: String,
    /// The address of its gateway, or empty.
    pub ip_address: String,
    /// Its telephones.
    pub extensions: Vec<Extension>,
    /// Sound goes directly between its telephones.
    pub direct_media_enabled: bool,
    /// Its time zone.
    pub time_zone: String,
}

/// A place with trunks and extensions of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// What it is made of.
    pub settings: SiteSettings,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    name: String,
    ip_address: String,
    physical_extensions: serde_json::Value,
    direct_media_enabled: bool,
    time_zone: String,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for Site {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("sites.id", row.id)?,
            settings: SiteSettings {
                name: row.name,
                ip_address: row.ip_address,
                extensions: read_json("sites.physical_extensions", row.physical_extensions)?,
                direct_media_enabled: row.direct_media_enabled,
                time_zone: row.time_zone,
            },
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

impl Store {
    /// Sites in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sites(&self, after: Option<&SiteId>, limit: u32) -> Result<Vec<Site>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, ip_address, physical_extensions, direct_media_enabled, time_zone, created_at, updated_at
             FROM sites WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", SiteId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Site::try_from)
        .collect()
    }

    /// The site with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn site(&self, id: &SiteId) -> Result<Option<Site>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, ip_address, physical_extensions, direct_media_enabled, time_zone, created_at, updated_at
             FROM sites WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Site::try_from)
        .transpose()
    }

    /// Adds a site (`is_new`), or changes one. None when it is to be changed and does not exist.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn save_site(
        &self,
        id: &SiteId,
        site: &SiteSettings,
        is_new: bool,
        by: By<'_>,
    ) -> Result<Option<Site>, Error> {
        let extensions = json!(site.extensions);
        let mut tx = self.pool.begin().await?;
        let row = if is_new {
            sqlx::query_as!(
                Row,
                "INSERT INTO sites (id, name, ip_address, physical_extensions, direct_media_enabled, time_zone)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 RETURNING id, name, ip_address, physical_extensions, direct_media_enabled, time_zone,
                     created_at, updated_at",
                id.as_str(),
                site.name,
                site.ip_address,
                extensions,
                site.direct_media_enabled,
                site.time_zone
            )
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| Error::on_insert(error, "id", "site"))?
        } else {
            sqlx::query_as!(
                Row,
                "UPDATE sites SET name = $2, ip_address = $3, physical_extensions = $4,
                     direct_media_enabled = $5, time_zone = $6, updated_at = now()
                 WHERE id = $1
                 RETURNING id, name, ip_address, physical_extensions, direct_media_enabled, time_zone,
                     created_at, updated_at",
                id.as_str(),
                site.name,
                site.ip_address,
                extensions,
                site.direct_media_enabled,
                site.time_zone
            )
            .fetch_optional(&mut *tx)
            .await?
        };
        let Some(row) = row else { return Ok(None) };
        let action = if is_new {
            "site.created"
        } else {
            "site.changed"
        };
        let change = json!({
            "name": site.name, "ip_address": site.ip_address, "extensions": extensions,
            "direct_media_enabled": site.direct_media_enabled, "time_zone": site.time_zone
        });
        by.record(&mut tx, action, id.as_str(), &change).await?;
        tx.commit().await?;
        Ok(Some(row.try_into()?))
    }

    /// Deletes a site; its users have none then. False when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_site(&self, id: &SiteId, by: By<'_>) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let gone = sqlx::query!(
            "DELETE FROM sites WHERE id = $1 RETURNING name",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(gone) = gone else { return Ok(false) };
        by.record(
            &mut tx,
            "site.deleted",
            id.as_str(),
            &json!({"name": gone.name}),
        )
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
