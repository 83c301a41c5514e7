//! Sounds that flows and campaigns play: what is known of them. Their files are not in the
//! database.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgConnection;
use strowger_core::{
    ids::{MediaFileId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Store, audit,
    convert::{read, timestamp, utc},
};

/// A sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Its id, by which flows and campaigns name it.
    pub id: MediaFileId,
    /// Its name, for people.
    pub name: String,
    /// The name of its file in the media directory.
    pub file_name: String,
    /// The media type of its file.
    pub content_type: String,
    /// How long it is, in seconds.
    pub duration_s: u32,
    /// Length of its file in bytes.
    pub size_bytes: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What became of a sound that was to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SoundRemoval {
    /// It is gone, and its file of this name is not needed any more.
    Removed(String),
    /// There was none.
    Absent,
    /// It stays, because these play it: `flow Welcome`, `campaign Autumn`.
    Played(Vec<String>),
}

struct Row {
    id: String,
    name: String,
    file_name: String,
    content_type: String,
    duration_s: i32,
    size_bytes: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for MediaFile {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("media_files.id", row.id)?,
            name: row.name,
            file_name: row.file_name,
            content_type: row.content_type,
            duration_s: u32::try_from(row.duration_s).unwrap_or(0),
            size_bytes: u64::try_from(row.size_bytes).unwrap_or(0),
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

/// Holds the sounds of the library that a graph plays, until the transaction ends.
///
/// # Errors
/// [`Error::Missing`] when one of them does not exist.
pub(crate) async fn hold_sounds(db: &mut PgConnection, graph: &Value) -> Result<(), Error> {
    let played = sqlx::query_scalar!(
        r#"SELECT DISTINCT sound #>> '{}' AS "id!"
           FROM jsonb_path_query($1, '$.** ? (@.type() == "string" && @ like_regex "^med_[0-9a-fA-F]{32}$")') AS sound"#,
        graph
    )
    .fetch_all(&mut *db)
    .await?;
    let held = sqlx::query_scalar!(
        "SELECT id FROM media_files WHERE id = ANY($1) ORDER BY id FOR KEY SHARE",
        &played
    )
    .fetch_all(&mut *db)
    .await?;
    if held.len() < played.len() {
        return Err(Error::Missing {
            what: "a sound that it plays (med_…)",
        });
    }
    Ok(())
}

impl Store {
    /// The sound with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media_file(&self, id: &MediaFileId) -> Result<Option<MediaFile>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, file_name, content_type, duration_s, size_bytes, created_at, updated_at
             FROM media_files WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(MediaFile::try_from)
        .transpose()
    }

    /// The sound whose file has this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media_file_named(&self, file_name: &str) -> Result<Option<MediaFile>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, file_name, content_type, duration_s, size_bytes, created_at, updated_at
             FROM media_files WHERE file_name = $1",
            file_name
        )
        .fetch_optional(&self.pool)
        .await?
        .map(MediaFile::try_from)
        .transpose()
    }

    /// Sounds in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn media_files(
        &self,
        after: Option<&MediaFileId>,
        limit: u32,
    ) -> Result<Vec<MediaFile>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, file_name, content_type, duration_s, size_bytes, created_at, updated_at
             FROM media_files WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", MediaFileId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(MediaFile::try_from)
        .collect()
    }

    /// Adds a sound whose file is in its place.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id or the name of the file is in use.
    pub async fn add_media_file(&self, file: &MediaFile, by: &UserId) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO media_files (id, name, file_name, content_type, duration_s, size_bytes, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            file.id.as_str(),
            file.name,
            file.file_name,
            file.content_type,
            i32::try_from(file.duration_s).unwrap_or(i32::MAX),
            i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
            utc(file.created_at),
            utc(file.updated_at)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "media file"))?;
        let change = json!({
            "name": file.name, "file_name": file.file_name,
            "duration_s": file.duration_s, "size_bytes": file.size_bytes,
        });
        let (action, id) = ("media-file.created", file.id.as_str());
        audit::record(&mut tx, Some(by), action, id, &change, file.created_at).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a sound another name. None when there is no such sound.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rename_media_file(
        &self,
        id: &MediaFileId,
        name: &str,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Option<MediaFile>, Error> {
        let mut tx = self.pool.begin().await?;
        let before = sqlx::query_scalar!(
            "SELECT name FROM media_files WHERE id = $1 FOR NO KEY UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(before) = before else {
            return Ok(None);
        };
        let row = sqlx::query_as!(
            Row,
            "UPDATE media_files SET name = $2, updated_at = $3 WHERE id = $1
             RETURNING id, name, file_name, content_type, duration_s, size_bytes, created_at, updated_at",
            id.as_str(),
            name,
            utc(now)
        )
        .fetch_one(&mut *tx)
        .await?;
        let change = json!({ "before": { "name": before }, "after": { "name": name } });
        let action = "media-file.changed";
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Some(row.try_into()?))
    }

    /// Deletes a sound, unless a flow or a campaign plays it: the draft of a flow, the version of
    /// it that callers walk, the messages of a campaign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_media_file(
        &self,
        id: &MediaFileId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<SoundRemoval, Error> {
        let mut tx = self.pool.begin().await?;
        // The lock keeps a flow that plays it from being published meanwhile; only then they are
        // looked for.
        let file = sqlx::query!(
            "SELECT name, file_name FROM media_files WHERE id = $1 FOR UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(file) = file else {
            return Ok(SoundRemoval::Absent);
        };
        let players = sqlx::query_scalar!(
            r#"SELECT 'flow ' || f.name AS "player!"
               FROM flows f
               LEFT JOIN flow_versions v ON v.flow_id = f.id AND v.version = f.published_version
               WHERE jsonb_path_exists(f.draft, '$.** ? (@ == $id)', jsonb_build_object('id', $1::text))
                  OR jsonb_path_exists(v.graph, '$.** ? (@ == $id)', jsonb_build_object('id', $1::text))
               UNION ALL
               SELECT 'campaign ' || name FROM campaigns WHERE machine_message = $1 OR safe_harbour = $1
               ORDER BY 1 LIMIT 5"#,
            id.as_str()
        )
        .fetch_all(&mut *tx)
        .await?;
        if !players.is_empty() {
            return Ok(SoundRemoval::Played(players));
        }
        sqlx::query!("DELETE FROM media_files WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        let change = json!({ "name": file.name, "file_name": file.file_name });
        let action = "media-file.deleted";
        audit::record(&mut tx, Some(by), action, id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(SoundRemoval::Removed(file.file_name))
    }
}
