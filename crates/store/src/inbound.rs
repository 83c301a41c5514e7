//! Numbers that are called, and queues that callers wait in.

use serde_json::{Value, json};
use strowger_core::{
    ids::{DidId, FlowId, QueueId, TrunkId, UserId},
    telephony::ServerName,
    time::Timestamp,
};

use crate::{Error, Store, audit, convert::read};

/// An inbound number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Did {
    /// Its id.
    pub id: DidId,
    /// The number as the carrier delivers it.
    pub number: String,
    /// Free text.
    pub description: String,
    /// The trunk that it comes in through; with one, calls of others are not for it.
    pub trunk_id: Option<TrunkId>,
    /// The flow that its callers walk.
    pub flow_id: Option<FlowId>,
}

/// The flow that a caller of a number walks.
#[derive(Debug, Clone)]
pub struct Route {
    /// The flow.
    pub flow: FlowId,
    /// Its published version.
    pub version: i32,
    /// The graph of that version.
    pub graph: Value,
}

/// An inbound waiting line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its id.
    pub id: QueueId,
    /// Its name.
    pub name: String,
    /// Who serves it.
    pub members: Vec<UserId>,
}

impl Store {
    /// Adds a number or changes it.
    ///
    /// # Errors
    /// [`Error::Taken`] when another DID has the number, [`Error::Missing`] for its flow or trunk.
    pub async fn save_did(&self, did: &Did) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "did", did.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO dids (id, number, description, trunk_id, flow_id) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (id) DO UPDATE SET number = excluded.number, description = excluded.description,
                 trunk_id = excluded.trunk_id, flow_id = excluded.flow_id, updated_at = now()",
            did.id.as_str(),
            did.number,
            did.description,
            did.trunk_id.as_ref().map(TrunkId::as_str),
            did.flow_id.as_ref().map(FlowId::as_str)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "number", "flow or trunk"))?;
        self.changed(&mut tx, "did.saved", did.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Deletes a number; false when there is none. Its callers hear that it leads nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_did(&self, id: &DidId, by: &UserId, now: Timestamp) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let gone = sqlx::query_scalar!(
            "DELETE FROM dids WHERE id = $1 RETURNING number",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(number) = gone else {
            return Ok(false);
        };
        let change = json!({ "number": number });
        audit::record(&mut tx, Some(by), "did.deleted", id.as_str(), &change, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Numbers in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dids(&self, after: Option<&DidId>, limit: u32) -> Result<Vec<Did>, Error> {
        let rows = sqlx::query!(
            "SELECT id, number, description, trunk_id, flow_id FROM dids WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", DidId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Did {
                    id: read("dids.id", row.id)?,
                    number: row.number,
                    description: row.description,
                    trunk_id: row
                        .trunk_id
                        .map(|id| read("dids.trunk_id", id))
                        .transpose()?,
                    flow_id: row.flow_id.map(|id| read("dids.flow_id", id)).transpose()?,
                })
            })
            .collect()
    }

    /// Where callers of this number go: the published version of its flow. Carriers
    /// deliver numbers with and without the leading `+`; both find the DID. One that is bound to
    /// a trunk is found by calls that came in through its endpoint only.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn route(
        &self,
        number: &str,
        server: &ServerName,
        endpoint: Option<&str>,
    ) -> Result<Option<Route>, Error> {
        let bare = number.trim_start_matches('+');
        let row = sqlx::query!(
            "SELECT f.id, v.version, v.graph
             FROM dids d
             JOIN flows f ON f.id = d.flow_id
             JOIN flow_versions v ON v.flow_id = f.id AND v.version = f.published_version
             LEFT JOIN trunks t ON t.id = d.trunk_id
             WHERE (d.number = $1 OR d.number = $2)
               AND (t.id IS NULL OR (t.server = $3 AND t.endpoint = $4)) LIMIT 1",
            bare,
            format!("+{bare}"),
            &*server.0,
            endpoint
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Route {
                flow: read("flows.id", row.id)?,
                version: row.version,
                graph: row.graph,
            })
        })
        .transpose()
    }

    /// The published version of a flow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn published_flow(&self, id: &FlowId) -> Result<Option<Route>, Error> {
        let row = sqlx::query!(
            "SELECT f.id, v.version, v.graph
             FROM flows f JOIN flow_versions v ON v.flow_id = f.id AND v.version = f.published_version
             WHERE f.id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Route {
                flow: read("flows.id", row.id)?,
                version: row.version,
                graph: row.graph,
            })
        })
        .transpose()
    }

    /// Adds a queue or changes it; its members are replaced.
    ///
    /// # Errors
    /// [`Error::Missing`] when a member does not exist; nothing is changed then.
    pub async fn save_queue(&self, queue: &Queue) -> Result<(), Error> {
        let members: Vec<String> = queue.members.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "queue", queue.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO queues (id, name) VALUES ($1, $2)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, updated_at = now()",
            queue.id.as_str(),
            queue.name
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "DELETE FROM queue_members WHERE queue_id = $1",
            queue.id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO queue_members (queue_id, user_id)
             SELECT $1, user_id FROM UNNEST($2::text[]) AS user_id ON CONFLICT DO NOTHING",
            queue.id.as_str(),
            &members
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "member", "queue member"))?;
        self.changed(&mut tx, "queue.saved", queue.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Queues with their members, in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn queues(&self, after: Option<&QueueId>, limit: u32) -> Result<Vec<Queue>, Error> {
        let rows = sqlx::query!(
            r#"SELECT q.id, q.name, coalesce(array_agg(m.user_id ORDER BY m.user_id) FILTER (WHERE m.user_id IS NOT NULL), '{}') AS "members!"
               FROM queues q LEFT JOIN queue_members m ON m.queue_id = q.id
               WHERE q.id > $1 GROUP BY q.id ORDER BY q.id LIMIT $2"#,
            after.map_or("", QueueId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let members = row
                    .members
                    .into_iter()
                    .map(|id| read("queue_members.user_id", id));
                Ok(Queue {
                    id: read("queues.id", row.id)?,
                    name: row.name,
                    members: members.collect::<Result<_, Error>>()?,
                })
            })
            .collect()
    }
}
