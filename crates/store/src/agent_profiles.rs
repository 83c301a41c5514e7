//! Which call controls agents have.

use std::collections::BTreeMap;

use serde_json::json;
use strowger_core::{ids::AgentProfileId, time::Timestamp};

use crate::{
    Error, Store,
    audit::By,
    convert::{read, read_json, timestamp},
};

/// The profile of whoever has no other; it is not deleted.
pub const DEFAULT_PROFILE: &str = "default-profile";

/// Which call controls an agent has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentProfile {
    /// Its id.
    pub id: AgentProfileId,
    /// Its name.
    pub name: String,
    /// Whether the agent has a control, by the name of the control.
    pub call_controls: BTreeMap<String, bool>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// What became of the deletion of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileDeleted {
    /// It is gone.
    Done,
    /// There is no such profile.
    Unknown,
    /// Somebody has it, or everybody who has no other.
    InUse,
}

struct Row {
    id: String,
    name: String,
    call_controls: serde_json::Value,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for AgentProfile {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("agent_profiles.id", row.id)?,
            name: row.name,
            call_controls: read_json("agent_profiles.call_controls", row.call_controls)?,
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

impl Store {
    /// Profiles in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn agent_profiles(
        &self,
        after: Option<&AgentProfileId>,
        limit: u32,
    ) -> Result<Vec<AgentProfile>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, name, call_controls, created_at, updated_at FROM agent_profiles
             WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", AgentProfileId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(AgentProfile::try_from)
        .collect()
    }

    /// Adds a profile (`is_new`), or changes one. None when it is to be changed and does not exist.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn save_agent_profile(
        &self,
        id: &AgentProfileId,
        name: &str,
        call_controls: &BTreeMap<String, bool>,
        is_new: bool,
        by: By<'_>,
    ) -> Result<Option<AgentProfile>, Error> {
        let controls = json!(call_controls);
        let mut tx = self.pool.begin().await?;
        let row = if is_new {
            sqlx::query_as!(
                Row,
                "INSERT INTO agent_profiles (id, name, call_controls) VALUES ($1, $2, $3)
                 RETURNING id, name, call_controls, created_at, updated_at",
                id.as_str(),
                name,
                controls
            )
            .fetch_optional(&mut *tx)
            .await
            .map_err(|error| Error::on_insert(error, "id", "profile"))?
        } else {
            sqlx::query_as!(
                Row,
                "UPDATE agent_profiles SET name = $2, call_controls = $3, updated_at = now() WHERE id = $1
                 RETURNING id, name, call_controls, created_at, updated_at",
                id.as_str(),
                name,
                controls
            )
            .fetch_optional(&mut *tx)
            .await?
        };
        let Some(row) = row else { return Ok(None) };
        let action = if is_new {
            "agent-profile.created"
        } else {
            "agent-profile.changed"
        };
        let change = json!({"name": name, "call_controls": controls});
        by.record(&mut tx, action, id.as_str(), &change).await?;
        tx.commit().await?;
        Ok(Some(row.try_into()?))
    }

    /// Deletes a profile that nobody has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_agent_profile(
        &self,
        id: &AgentProfileId,
        by: By<'_>,
    ) -> Result<ProfileDeleted, Error> {
        if id.as_str() == DEFAULT_PROFILE {
            return Ok(ProfileDeleted::InUse);
        }
        let mut tx = self.pool.begin().await?;
        let gone = sqlx::query!(
            "DELETE FROM agent_profiles WHERE id = $1 RETURNING name",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "user"));
        let gone = match gone {
            Err(Error::Missing { .. }) => return Ok(ProfileDeleted::InUse),
            other => other?,
        };
        let Some(gone) = gone else {
            return Ok(ProfileDeleted::Unknown);
        };
        by.record(
            &mut tx,
            "agent-profile.deleted",
            id.as_str(),
            &json!({"name": gone.name}),
        )
        .await?;
        tx.commit().await?;
        Ok(ProfileDeleted::Done)
    }
}
