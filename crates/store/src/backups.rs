//! Backups of the database: what is known of them, and when they are due. Their files are not in
//! the database; [`keeper`] makes them with what [`dump`] runs.

pub mod dump;
pub mod keeper;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::{
    backups::{Frequency, Schedule, Tried},
    ids::UserId,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error, Store,
    audit::By,
    convert::{read, read_json, timestamp, utc},
};

/// Under which key of the settings the schedule is kept: `frequency`, `time`, `timeZone`.
pub const SCHEDULE: &str = "backup-schedule";

/// Most backups that are read at once, the newest.
const MOST: i64 = 2_000;

/// Why a backup is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A person asked for it.
    Asked,
    /// Its time had come.
    Scheduled,
}

impl Cause {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Scheduled => "scheduled",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its file is there.
    Made {
        /// Length of its file in bytes.
        size_bytes: u64,
    },
    /// There is none, for this reason.
    Failed(String),
}

/// A backup that is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Its id.
    pub id: Uuid,
    /// The name of its file in the directory of backups.
    pub file_name: String,
    /// Why it is made.
    pub cause: Cause,
    /// Who asked for it, unless they are gone.
    pub asked_by: Option<UserId>,
    /// When it was begun: it holds what was in the database then.
    pub started_at: Timestamp,
}

/// A backup that is done, or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// How it was begun.
    pub begun: Begun,
    /// When it was done.
    pub ended_at: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
}

struct Row {
    id: Uuid,
    file_name: String,
    cause: String,
    asked_by: Option<String>,
    started_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
    size_bytes: Option<i64>,
    error: Option<String>,
}

impl TryFrom<Row> for Backup {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let cause = match row.cause.as_str() {
            "asked" => Cause::Asked,
            "scheduled" => Cause::Scheduled,
            other => {
                return Err(Error::Corrupt {
                    what: "backups.cause",
                    detail: other.to_owned(),
                });
            }
        };
        let asked_by = row.asked_by.map(|id| read("backups.asked_by", id));
        let size = row.size_bytes.and_then(|size| u64::try_from(size).ok());
        Ok(Self {
            ended_at: timestamp(row.ended_at.unwrap_or(row.started_at)),
            begun: Begun {
                id: row.id,
                file_name: row.file_name,
                cause,
                asked_by: asked_by.transpose()?,
                started_at: timestamp(row.started_at),
            },
            outcome: match row.error {
                Some(error) => Outcome::Failed(error),
                None => Outcome::Made {
                    size_bytes: size.unwrap_or(0),
                },
            },
        })
    }
}

/// The schedule as it is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    frequency: Frequency,
    time: String,
    time_zone: String,
}

impl Store {
    /// Notes a backup that is done, or failed.
    ///
    /// # Errors
    /// [`Error::Taken`] when there is one whose file has this name.
    pub async fn add_backup(&self, backup: &Backup) -> Result<(), Error> {
        let (size, error) = match &backup.outcome {
            Outcome::Made { size_bytes } => (i64::try_from(*size_bytes).ok(), None),
            Outcome::Failed(why) => (None, Some(why.as_str())),
        };
        let begun = &backup.begun;
        // Who asked may have been deleted meanwhile.
        sqlx::query!(
            "INSERT INTO backups (id, file_name, cause, asked_by, started_at, ended_at, size_bytes, error)
             VALUES ($1, $2, $3, (SELECT id FROM users WHERE id = $4), $5, $6, $7, $8)",
            begun.id,
            begun.file_name,
            begun.cause.as_str(),
            begun.asked_by.as_ref().map(UserId::as_str),
            utc(begun.started_at),
            utc(backup.ended_at),
            size,
            error
        )
        .execute(&self.pool)
        .await
        .map_err(|error| Error::on_insert(error, "file_name", "user"))?;
        Ok(())
    }

    /// The backups whose files are not taken away, newest first, failed ones among them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backups(&self) -> Result<Vec<Backup>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, file_name, cause, asked_by, started_at, ended_at, size_bytes, error
             FROM backups WHERE removed_at IS NULL ORDER BY started_at DESC, id DESC LIMIT $1",
            MOST
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Backup::try_from)
        .collect()
    }

    /// The backup with this id, unless its file was taken away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backup(&self, id: Uuid) -> Result<Option<Backup>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, file_name, cause, asked_by, started_at, ended_at, size_bytes, error
             FROM backups WHERE id = $1 AND removed_at IS NULL",
            id
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Backup::try_from)
        .transpose()
    }

    /// The backup whose file has this name, unless it was taken away.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn backup_named(&self, file_name: &str) -> Result<Option<Backup>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, file_name, cause, asked_by, started_at, ended_at, size_bytes, error
             FROM backups WHERE file_name = $1 AND removed_at IS NULL",
            file_name
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Backup::try_from)
        .transpose()
    }

    /// Notes that the file of a backup is not needed any more, and gives its name. None when there
    /// is no such backup.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_backup(&self, id: Uuid, by: By<'_>) -> Result<Option<String>, Error> {
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query_scalar!(
            "UPDATE backups SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL RETURNING file_name",
            id,
            utc(by.now)
        )
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(file_name) = &removed {
            let change = json!({ "file_name": file_name });
            by.record(&mut tx, "backup.removed", &id.to_string(), &change)
                .await?;
            tx.commit().await?;
        }
        Ok(removed)
    }

    /// The schedule of backups and when it was set; none when it never was.
    ///
    /// # Errors
    /// When the database fails, or holds what is no schedule.
    pub async fn backup_schedule(&self) -> Result<Option<(Schedule, Timestamp)>, Error> {
        let row = sqlx::query!(
            "SELECT value, updated_at FROM settings WHERE key = $1",
            SCHEDULE
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((schedule(row.value)?, timestamp(row.updated_at))))
            .transpose()
    }

    /// When a scheduled backup was tried last, whether its file is still there or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_scheduled_backup(&self) -> Result<Option<Tried>, Error> {
        let row = sqlx::query!(
            r#"SELECT started_at, error IS NULL AS "made!" FROM backups
               WHERE cause = 'scheduled' ORDER BY started_at DESC LIMIT 1"#
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Tried {
            at: timestamp(row.started_at),
            made: row.made,
        }))
    }
}

fn schedule(kept: Value) -> Result<Schedule, Error> {
    let what = "settings.value of backup-schedule";
    let kept: Kept = read_json(what, kept)?;
    Schedule::new(kept.frequency, &kept.time, &kept.time_zone).map_err(|bad| Error::Corrupt {
        what,
        detail: bad.to_string(),
    })
}
