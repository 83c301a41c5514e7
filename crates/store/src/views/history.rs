//! What happened, newest first.

use strowger_core::ids::UserId;

use super::JsonPage;
use crate::{Error, Store};

/// Out of the row `(json, count)` of an aggregate.
fn page(json: String, count: i64) -> JsonPage {
    JsonPage {
        json,
        count: u32::try_from(count).unwrap_or(u32::MAX),
        last: None,
    }
}

impl Store {
    /// Calls as the console reads them, newest first; of one agent when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calls_json(&self, of: Option<&UserId>, limit: u32) -> Result<JsonPage, Error> {
        // Two queries each, because one with an optional filter cannot use both indexes.
        if let Some(agent) = of {
            let row = sqlx::query!(
                r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
                   FROM (SELECT line FROM call_screens WHERE agent_id = $1
                         ORDER BY started_at DESC, id DESC LIMIT $2) page"#,
                agent.as_str(),
                i64::from(limit)
            )
            .fetch_one(&self.pool)
            .await?;
            return Ok(page(row.json, row.count));
        }
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
               FROM (SELECT line FROM call_screens ORDER BY started_at DESC, id DESC LIMIT $1) page"#,
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(page(row.json, row.count))
    }

    /// Sessions of agents, newest first; of one agent when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_json(&self, of: Option<&UserId>, limit: u32) -> Result<JsonPage, Error> {
        if let Some(agent) = of {
            let row = sqlx::query!(
                r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
                   FROM (SELECT line FROM session_screens WHERE user_id = $1
                         ORDER BY login_at DESC LIMIT $2) page"#,
                agent.as_str(),
                i64::from(limit)
            )
            .fetch_one(&self.pool)
            .await?;
            return Ok(page(row.json, row.count));
        }
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
               FROM (SELECT line FROM session_screens ORDER BY login_at DESC LIMIT $1) page"#,
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(page(row.json, row.count))
    }

    /// Notes on contacts, newest first; those of the campaigns of an agent when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notes_json(&self, of: Option<&UserId>, limit: u32) -> Result<JsonPage, Error> {
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
               FROM (SELECT line FROM note_screens
                     WHERE $1::text IS NULL OR campaign_id = ANY (ARRAY(SELECT campaign_id FROM campaign_agents WHERE user_id = $1))
                     ORDER BY created_at DESC, id LIMIT $2) page"#,
            of.map(UserId::as_str),
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(page(row.json, row.count))
    }

    /// Callbacks that agents have promised and not made, the next one first; of one agent when
    /// given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn callbacks_json(&self, of: Option<&UserId>, limit: u32) -> Result<JsonPage, Error> {
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
               FROM (SELECT line FROM callback_screens
                     WHERE state = 'pending' AND agent_id = coalesce($1, agent_id)
                     ORDER BY due_at, id LIMIT $2) page"#,
            of.map(UserId::as_str),
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(page(row.json, row.count))
    }

    /// The id of the site of a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn site_of(&self, user: &UserId) -> Result<Option<String>, Error> {
        let site = sqlx::query_scalar!("SELECT site_id FROM users WHERE id = $1", user.as_str());
        Ok(site.fetch_optional(&self.pool).await?.flatten())
    }

    /// A text that is another one as soon as anything in the database has changed: which
    /// transactions can be seen. Who was shown something under the same text may keep it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn state_of_everything(&self) -> Result<String, Error> {
        Ok(
            sqlx::query_scalar!(r#"SELECT pg_current_snapshot()::text AS "snapshot!""#)
                .fetch_one(&self.pool)
                .await?,
        )
    }
}
