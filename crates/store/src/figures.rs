//! What agents did today.

use strowger_core::{ids::UserId, time::Timestamp};

use crate::{Error, Store, convert::utc};

/// What an agent did since midnight at their site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentFigures {
    /// Calls that they talked in.
    pub calls: i64,
    /// Seconds that they talked.
    pub talked_s: i64,
    /// Seconds from being given a call to the end of its wrap-up.
    pub handling_s: i64,
    /// How often they paused.
    pub pauses: i64,
    /// How often they went to a training.
    pub trainings: i64,
    /// Seconds paused, trainings not included.
    pub paused_s: i64,
    /// Seconds of training.
    pub training_s: i64,
    /// Seconds with a session.
    pub connected_s: i64,
}

impl AgentFigures {
    /// Seconds of talk for each call; 0 without any.
    pub fn average_talk_s(&self) -> i64 {
        self.talked_s.checked_div(self.calls).unwrap_or(0)
    }

    /// Seconds of work for each call, wrap-up included; 0 without any.
    pub fn average_handling_s(&self) -> i64 {
        self.handling_s.checked_div(self.calls).unwrap_or(0)
    }
}

impl Store {
    /// What an agent did since midnight, by the clock of their site or else UTC.
    ///
    /// # Errors
    /// When the database fails, or a site has a time zone that it does not know.
    pub async fn agent_figures(
        &self,
        agent: &UserId,
        now: Timestamp,
    ) -> Result<AgentFigures, Error> {
        let figures = sqlx::query_as!(
            AgentFigures,
            r#"WITH day AS (
                   SELECT date_trunc('day', $2::timestamptz AT TIME ZONE zone) AT TIME ZONE zone AS begins
                   FROM (SELECT COALESCE((SELECT s.time_zone FROM users u JOIN sites s ON s.id = u.site_id
                                          WHERE u.id = $1), 'UTC') AS zone) AS z
               ), sessions AS (
                   SELECT id, login_at, COALESCE(logout_at, $2) AS ends
                   FROM agent_sessions, day
                   WHERE user_id = $1 AND COALESCE(logout_at, $2) > day.begins
               ), states AS (
                   SELECT t.state, t.reason, t.at, t.call_id,
                          LEAD(t.at, 1, sessions.ends) OVER (PARTITION BY t.session_id ORDER BY t.id) AS until
                   FROM agent_states t JOIN sessions ON sessions.id = t.session_id
               ), spent AS (
                   SELECT state, reason, call_id, at >= day.begins AS today,
                          GREATEST(EXTRACT(EPOCH FROM until - GREATEST(at, day.begins)), 0) AS seconds
                   FROM states, day WHERE until > day.begins
               ), conversations AS (
                   SELECT EXTRACT(EPOCH FROM COALESCE(unbridged_at, ended_at, $2) - bridged_at) AS seconds
                   FROM call_records r, day
                   WHERE agent_id = $1 AND started_at >= day.begins AND bridged_at IS NOT NULL
                     AND NOT EXISTS (SELECT FROM call_transfers t WHERE t.call_id = r.id)
                   UNION ALL
                   -- Of a call that was handed on, each agent has their own part.
                   SELECT SUM(seconds) FROM spent
                   WHERE state IN ('on-call', 'on-hold')
                     AND EXISTS (SELECT FROM call_transfers t WHERE t.call_id = spent.call_id)
                   GROUP BY call_id
               ), talks AS (
                   SELECT COUNT(*) AS calls, SUM(seconds) AS seconds FROM conversations
               )
               SELECT (SELECT calls FROM talks) AS "calls!",
                      (SELECT COALESCE(seconds, 0)::bigint FROM talks) AS "talked_s!",
                      COALESCE(SUM(seconds) FILTER (
                          WHERE state IN ('reserved', 'ringing', 'on-call', 'on-hold', 'wrap-up')), 0)::bigint AS "handling_s!",
                      COUNT(*) FILTER (WHERE state = 'paused' AND today
                          AND reason NOT IN ('Formation', 'logged-in')) AS "pauses!",
                      COUNT(*) FILTER (WHERE state = 'paused' AND today AND reason = 'Formation') AS "trainings!",
                      COALESCE(SUM(seconds) FILTER (
                          WHERE state = 'paused' AND reason IS DISTINCT FROM 'Formation'), 0)::bigint AS "paused_s!",
                      COALESCE(SUM(seconds) FILTER (
                          WHERE state = 'paused' AND reason = 'Formation'), 0)::bigint AS "training_s!",
                      COALESCE(SUM(seconds) FILTER (WHERE state <> 'offline'), 0)::bigint AS "connected_s!"
               FROM spent"#,
            agent.as_str(),
            utc(now)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(figures)
    }
}
