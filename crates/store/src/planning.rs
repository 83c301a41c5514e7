//! What agents are planned to do.

use serde_json::json;
use strowger_core::{ids::UserId, planning::Plan, time::Timestamp};

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// The zone of agents of whom no site says another.
pub const ZONE: &str = "Europe/Paris";

/// An event of the planning of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanningEvent {
    /// Its id.
    pub id: String,
    /// Whose.
    pub agent: UserId,
    /// What they do then.
    pub activity: String,
    /// When.
    pub plan: Plan,
    /// Where.
    pub site: Option<String>,
    /// When it was planned.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    agent_id: String,
    activity_id: String,
    starts_at: chrono::DateTime<chrono::Utc>,
    ends_at: chrono::DateTime<chrono::Utc>,
    rrule: Option<String>,
    site_id: Option<String>,
    zone: String,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for PlanningEvent {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            agent: read("planning_events.agent_id", row.agent_id)?,
            activity: row.activity_id,
            plan: Plan {
                starts_at: timestamp(row.starts_at),
                ends_at: timestamp(row.ends_at),
                rule: row.rrule,
                zone: row.zone,
            },
            site: row.site_id,
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

impl Store {
    /// The zones of these agents: that of their site. Those who do not exist are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn zones_of_agents(&self, agents: &[UserId]) -> Result<Vec<(UserId, String)>, Error> {
        let ids: Vec<String> = agents.iter().map(ToString::to_string).collect();
        sqlx::query!(
            r#"SELECT u.id, coalesce(s.time_zone, $2) AS "zone!" FROM users u LEFT JOIN sites s ON s.id = u.site_id
               WHERE u.id = ANY($1) ORDER BY u.id"#,
            &ids,
            ZONE
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| Ok((read("users.id", row.id)?, row.zone)))
        .collect()
    }

    /// The members of these groups of users.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members_of(&self, groups: &[String]) -> Result<Vec<UserId>, Error> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let ids = sqlx::query_scalar!(
            "SELECT DISTINCT user_id FROM user_group_members WHERE group_id = ANY($1) ORDER BY user_id",
            groups
        )
        .fetch_all(&self.pool)
        .await?;
        ids.into_iter()
            .map(|id| read("user_group_members.user_id", id))
            .collect()
    }

    /// Adds events, all or none.
    ///
    /// # Errors
    /// [`Error::Taken`] for an id, [`Error::Missing`] for an agent, an activity or a site.
    pub async fn add_planning(&self, events: &[PlanningEvent]) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        for event in events {
            sqlx::query!(
                "INSERT INTO planning_events (id, agent_id, activity_id, starts_at, ends_at, rrule, repeats_until,
                     site_id, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
                event.id,
                event.agent.as_str(),
                event.activity,
                utc(event.plan.starts_at),
                utc(event.plan.ends_at),
                event.plan.rule,
                event.plan.is_over_at().map(utc),
                event.site,
                utc(event.created_at)
            )
            .execute(&mut *tx)
            .await
            .map_err(|error| Error::on_insert(error, "id", "the agent, the activity or the site"))?;
            let noted = json!({ "agent_id": event.agent, "activity_id": event.activity });
            self.note(&mut tx, "planning.added", &event.id, &noted)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Replaces an event; false when there is none with this id.
    ///
    /// # Errors
    /// [`Error::Missing`] for an agent, an activity or a site.
    pub async fn change_planning(
        &self,
        event: &PlanningEvent,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE planning_events SET agent_id = $2, activity_id = $3, starts_at = $4, ends_at = $5, rrule = $6,
                 repeats_until = $7, site_id = $8, updated_at = $9 WHERE id = $1",
            event.id,
            event.agent.as_str(),
            event.activity,
            utc(event.plan.starts_at),
            utc(event.plan.ends_at),
            event.plan.rule,
            event.plan.is_over_at().map(utc),
            event.site,
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "the agent, the activity or the site"))?;
        let is_there = done.rows_affected() > 0;
        if is_there {
            let noted = json!({ "agent_id": event.agent, "activity_id": event.activity });
            self.note(&mut tx, "planning.changed", &event.id, &noted)
                .await?;
        }
        tx.commit().await?;
        Ok(is_there)
    }

    /// The event with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn planning_event(&self, id: &str) -> Result<Option<PlanningEvent>, Error> {
        sqlx::query_as!(
            Row,
            r#"SELECT e.id, e.agent_id, e.activity_id, e.starts_at, e.ends_at, e.rrule, e.site_id, e.created_at,
                      e.updated_at, coalesce(s.time_zone, t.time_zone, $2) AS "zone!"
               FROM planning_events e JOIN users u ON u.id = e.agent_id
               LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN sites t ON t.id = u.site_id
               WHERE e.id = $1"#,
            id,
            ZONE
        )
        .fetch_optional(&self.pool)
        .await?
        .map(PlanningEvent::try_from)
        .transpose()
    }

    /// Events that happen, or may, within a time span, in the order of their beginnings, at most
    /// `limit`; of one agent when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn planning(
        &self,
        from: Timestamp,
        until: Timestamp,
        agent: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<PlanningEvent>, Error> {
        sqlx::query_as!(
            Row,
            r#"SELECT e.id, e.agent_id, e.activity_id, e.starts_at, e.ends_at, e.rrule, e.site_id, e.created_at,
                      e.updated_at, coalesce(s.time_zone, t.time_zone, $5) AS "zone!"
               FROM planning_events e JOIN users u ON u.id = e.agent_id
               LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN sites t ON t.id = u.site_id
               WHERE e.starts_at < $2 AND ($3::text IS NULL OR e.agent_id = $3)
                 AND (CASE WHEN e.rrule IS NULL THEN e.ends_at > $1
                           ELSE e.repeats_until IS NULL OR e.repeats_until > $1 END)
               ORDER BY e.starts_at, e.id LIMIT $4"#,
            utc(from),
            utc(until),
            agent.map(UserId::as_str),
            i64::from(limit),
            ZONE
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(PlanningEvent::try_from)
        .collect()
    }

    /// Removes events; none: all of them. Names the agents whose they were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_planning(&self, ids: Option<&[String]>) -> Result<Vec<UserId>, Error> {
        let mut tx = self.pool.begin().await?;
        let agents = sqlx::query_scalar!(
            "DELETE FROM planning_events WHERE $1::text[] IS NULL OR id = ANY($1) RETURNING agent_id",
            ids
        )
        .fetch_all(&mut *tx)
        .await?;
        if !agents.is_empty() {
            let subject = match ids {
                None => "all",
                Some([one]) => one.as_str(),
                Some(_) => "several",
            };
            let noted = json!({ "events": agents.len() });
            self.note(&mut tx, "planning.removed", subject, &noted)
                .await?;
        }
        tx.commit().await?;
        agents
            .into_iter()
            .map(|id| read("planning_events.agent_id", id))
            .collect()
    }
}
