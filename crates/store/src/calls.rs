//! Call records, as they are read.

use chrono::{DateTime, Utc};
use strowger_core::ids::CallId;
use uuid::Uuid;

use crate::{Error, Store};

/// A call record (CDR) as it is listed.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the columns of `call_records`, described by the migration and the API"
)]
pub struct CallRecordRow {
    pub id: Uuid,
    pub direction: String,
    pub campaign_id: Option<String>,
    pub contact_id: Option<String>,
    pub agent_id: Option<String>,
    pub source: Option<String>,
    pub destination: String,
    pub flow_id: Option<String>,
    pub queue_id: Option<String>,
    pub transferred_to: Option<String>,
    pub started_at: DateTime<Utc>,
    pub answered_at: Option<DateTime<Utc>>,
    pub bridged_at: Option<DateTime<Utc>>,
    pub unbridged_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub disposition: Option<String>,
    pub cause: Option<i16>,
    pub recording: Option<String>,
    pub voicemail: Option<String>,
    pub voicemail_ms: Option<i64>,
}

/// Where a page of call records begins: the last row of the page before it.
#[derive(Debug, Clone, Copy)]
pub struct Before {
    /// Its start.
    pub started_at: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

impl Store {
    /// Call records, newest first, at most `limit`; of one campaign when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_records(
        &self,
        campaign: Option<&str>,
        before: Option<Before>,
        limit: u32,
    ) -> Result<Vec<CallRecordRow>, Error> {
        let (at, id) = before.map_or((DateTime::<Utc>::MAX_UTC, Uuid::max()), |b| {
            (b.started_at, b.id)
        });
        // Two queries, because one with an optional filter cannot use both indexes.
        let rows = match campaign {
            Some(campaign) => {
                sqlx::query_as!(
                    CallRecordRow,
                    "SELECT id, direction, campaign_id, contact_id, agent_id, source, destination, flow_id, queue_id,
                            transferred_to, started_at, answered_at, bridged_at, unbridged_at, ended_at, disposition,
                            cause, recording, voicemail, voicemail_ms
                     FROM call_records WHERE campaign_id = $1 AND (started_at, id) < ($2, $3)
                     ORDER BY started_at DESC, id DESC LIMIT $4",
                    campaign,
                    at,
                    id,
                    i64::from(limit)
                )
                .fetch_all(&self.pool)
                .await?
            }
            None => {
                sqlx::query_as!(
                    CallRecordRow,
                    "SELECT id, direction, campaign_id, contact_id, agent_id, source, destination, flow_id, queue_id,
                            transferred_to, started_at, answered_at, bridged_at, unbridged_at, ended_at, disposition,
                            cause, recording, voicemail, voicemail_ms
                     FROM call_records WHERE (started_at, id) < ($1, $2)
                     ORDER BY started_at DESC, id DESC LIMIT $3",
                    at,
                    id,
                    i64::from(limit)
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        Ok(rows)
    }
}

/// The files of a call, by their names in the directory of recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFiles {
    /// The conversation.
    pub recording: Option<String>,
    /// The message that the caller left.
    pub voicemail: Option<String>,
}

impl Store {
    /// What was recorded of a call; none when there is no such call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_files(&self, id: CallId) -> Result<Option<CallFiles>, Error> {
        let files = sqlx::query_as!(
            CallFiles,
            "SELECT recording, voicemail FROM call_records WHERE id = $1",
            id.0
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(files)
    }
}
