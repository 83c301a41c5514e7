//! IVR flows: one draft each, and every version that was published.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use strowger_core::{
    ids::{FlowId, UserId},
    time::Timestamp,
};

use crate::{Error, Removal, Store, audit, convert::read, media_files::hold_sounds};

/// A flow with its draft.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its id.
    pub id: FlowId,
    /// Its name.
    pub name: String,
    /// The graph that is being edited.
    pub draft: Value,
    /// The version that callers walk.
    pub published_version: Option<i32>,
    /// When it was last saved.
    pub updated_at: DateTime<Utc>,
}

struct Row {
    id: String,
    name: String,
    draft: Value,
    published_version: Option<i32>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Flow {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("flows.id", row.id)?,
            name: row.name,
            draft: row.draft,
            published_version: row.published_version,
            updated_at: row.updated_at,
        })
    }
}

impl Store {
    /// Saves the draft of a flow, adding the flow when it is new. Callers do not notice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_flow(&self, id: &FlowId, name: &str, draft: &Value) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "flow", id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO flows (id, name, draft) VALUES ($1, $2, $3)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, draft = excluded.draft, updated_at = now()",
            id.as_str(),
            name,
            draft
        )
        .execute(&mut *tx)
        .await?;
        self.changed(&mut tx, "flow.saved", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The flow with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flow(&self, id: &FlowId) -> Result<Option<Flow>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, draft, published_version, updated_at FROM flows WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Flow::try_from)
        .transpose()
    }

    /// Flows in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flows(&self, after: Option<&FlowId>, limit: u32) -> Result<Vec<Flow>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, draft, published_version, updated_at FROM flows WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", FlowId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Flow::try_from)
        .collect()
    }

    /// Publishes a graph as the next version of a flow; calls in progress keep theirs.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such flow, or no such sound as it plays.
    pub async fn publish_flow(
        &self,
        id: &FlowId,
        graph: &Value,
        by: &UserId,
    ) -> Result<i32, Error> {
        let mut tx = self.pool.begin().await?;
        // The row lock makes two publications get two versions.
        sqlx::query!("SELECT id FROM flows WHERE id = $1 FOR UPDATE", id.as_str())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::Missing { what: "flow" })?;
        hold_sounds(&mut tx, graph).await?;
        let before = self.before(&mut tx, "flow", id.as_str()).await?;
        let version = sqlx::query_scalar!(
            r#"INSERT INTO flow_versions (flow_id, version, graph, published_by)
               SELECT $1, coalesce(max(version), 0) + 1, $2, $3 FROM flow_versions WHERE flow_id = $1
               RETURNING version"#,
            id.as_str(),
            graph,
            by.as_str()
        )
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE flows SET published_version = $2, updated_at = now() WHERE id = $1",
            id.as_str(),
            version
        )
        .execute(&mut *tx)
        .await?;
        self.changed(&mut tx, "flow.published", id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Deletes a flow with its versions. [`Removal::Kept`] when a campaign plays it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_flow(
        &self,
        id: &FlowId,
        by: &UserId,
        now: Timestamp,
    ) -> Result<Removal, Error> {
        let mut tx = self.pool.begin().await?;
        // The lock keeps a campaign from taking it up meanwhile; only then it is looked for.
        let name = sqlx::query_scalar!(
            "SELECT name FROM flows WHERE id = $1 FOR UPDATE",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(name) = name else {
            return Ok(Removal::Absent);
        };
        let is_used = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM campaigns WHERE machine_flow_id = $1 OR broadcast_flow_id = $1) AS "is_used!""#,
            id.as_str()
        )
        .fetch_one(&mut *tx)
        .await?;
        if is_used {
            return Ok(Removal::Kept);
        }
        sqlx::query!("DELETE FROM flows WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        let change = json!({ "name": name });
        audit::record(&mut tx, Some(by), "flow.deleted", id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(Removal::Removed)
    }
}
