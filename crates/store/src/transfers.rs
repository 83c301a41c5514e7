//! Conversations that were handed on.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use strowger_core::{
    ids::{CallId, FlowId, UserId},
    time::Timestamp,
    transfer::{Line, Outcome, Target, Transfer},
};

use crate::{
    Error, Store,
    convert::{int, read, timestamp, uint, utc},
};

/// A transfer as it is listed.
#[derive(Debug, Clone)]
#[expect(
    missing_docs,
    reason = "the columns of `call_transfers`, described by the migration and the API"
)]
pub struct TransferRow {
    pub ordinal: i32,
    pub asked_by: Option<String>,
    pub asked_at: DateTime<Utc>,
    pub from_agent_id: Option<String>,
    pub kind: String,
    pub to_agent_id: Option<String>,
    pub to_flow_id: Option<String>,
    pub to_number: Option<String>,
    pub trunk_id: Option<String>,
    pub caller_id: Option<String>,
    pub answered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<String>,
}

/// The transfers of a call that goes on.
#[derive(Debug, Default)]
pub(crate) struct OfCall {
    /// How many were asked for.
    pub(crate) count: u32,
    /// The last one, unless it is over.
    pub(crate) open: Option<Transfer>,
}

impl Store {
    /// The transfers of a call, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn transfers(&self, call: CallId) -> Result<Vec<TransferRow>, Error> {
        let rows = sqlx::query_as!(
            TransferRow,
            "SELECT ordinal, asked_by, asked_at, from_agent_id, kind, to_agent_id, to_flow_id, to_number,
                    trunk_id, caller_id, answered_at, ended_at, outcome
             FROM call_transfers WHERE call_id = $1 ORDER BY ordinal",
            call.0
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Whether the profile of a user gives them a call control, such as `transfer`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_call_control(&self, user: &UserId, control: &str) -> Result<bool, Error> {
        let has = sqlx::query_scalar!(
            r#"SELECT coalesce((p.call_controls -> $2::text) = 'true'::jsonb, false) AS "has!"
               FROM users u JOIN agent_profiles p ON p.id = u.agent_profile_id WHERE u.id = $1"#,
            user.as_str(),
            control
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(has.unwrap_or(false))
    }

    /// The transfers of the calls that an earlier run left. One that another followed is over.
    pub(crate) async fn open_transfers(&self) -> Result<HashMap<CallId, OfCall>, Error> {
        sqlx::query!(
            "UPDATE call_transfers t SET ended_at = n.asked_at,
                 outcome = CASE WHEN t.answered_at IS NULL THEN 'failed' ELSE 'answered' END
             FROM call_transfers n
             WHERE t.ended_at IS NULL AND n.call_id = t.call_id AND n.ordinal = t.ordinal + 1"
        )
        .execute(&self.pool)
        .await?;
        let rows = sqlx::query!(
            r#"SELECT t.call_id, t.ordinal, t.asked_by, t.from_agent_id, t.kind, t.to_agent_id, t.to_flow_id,
                      t.to_number, t.trunk_id, t.caller_id, t.answered_at, t.ended_at
               FROM call_transfers t
               WHERE (t.call_id IN (SELECT id FROM attempts WHERE ended_at IS NULL)
                      OR t.call_id IN (SELECT id FROM call_records WHERE ended_at IS NULL))
                 AND NOT EXISTS (SELECT FROM call_transfers n WHERE n.call_id = t.call_id AND n.ordinal > t.ordinal)"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut calls = HashMap::new();
        for row in rows {
            let ordinal = uint(row.ordinal);
            let mut of_call = OfCall {
                count: ordinal,
                open: None,
            };
            let agent = |id: Option<String>| id.map(|id| read("call_transfers", id)).transpose();
            let (by, from) = (agent(row.asked_by)?, agent(row.from_agent_id)?);
            let to = match (&*row.kind, row.to_number, row.trunk_id, row.caller_id) {
                ("outside", Some(number), Some(trunk), Some(shown)) => {
                    let line = Line {
                        trunk: read("call_transfers.trunk_id", trunk)?,
                        // What was dialed is dialed already.
                        endpoint: String::new(),
                        caller_id: read("call_transfers.caller_id", shown)?,
                    };
                    let number = read("call_transfers.to_number", number)?;
                    Some((Target::Outside(number), Some(line)))
                }
                ("flow", ..) => match row.to_flow_id {
                    Some(flow) => {
                        let flow: FlowId = read("call_transfers.to_flow_id", flow)?;
                        Some((Target::Flow(flow), None))
                    }
                    None => None,
                },
                _ => agent(row.to_agent_id)?.map(|agent| (Target::Agent(agent), None)),
            };
            if let (None, Some((target, line)), Some(by)) = (row.ended_at, to, by) {
                of_call.open = Some(Transfer {
                    ordinal,
                    by,
                    from,
                    target,
                    line,
                    answered_at: row.answered_at.map(timestamp),
                });
            }
            calls.insert(CallId(row.call_id), of_call);
        }
        Ok(calls)
    }
}

/// Whether an agent had a call and handed it on.
pub(crate) async fn handed_on_by(
    db: &mut PgConnection,
    call: CallId,
    agent: &UserId,
) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM call_transfers WHERE call_id = $1 AND from_agent_id = $2
           ) AS "handed_on!""#,
        call.0,
        agent.as_str()
    )
    .fetch_one(db)
    .await?)
}

pub(crate) async fn asked(
    db: &mut PgConnection,
    call: CallId,
    transfer: &Transfer,
    at: Timestamp,
) -> Result<(), Error> {
    let (agent, number, flow) = match &transfer.target {
        Target::Agent(agent) => (Some(agent.as_str()), None, None),
        Target::Outside(number) => (None, Some(number.as_str()), None),
        Target::Flow(flow) => (None, None, Some(flow.as_str())),
    };
    let line = transfer.line.as_ref();
    sqlx::query!(
        "INSERT INTO call_transfers (call_id, ordinal, asked_by, asked_at, from_agent_id, kind, to_agent_id,
             to_flow_id, to_number, trunk_id, caller_id)
         VALUES ($1, $2, (SELECT id FROM users WHERE id = $3), $4, (SELECT id FROM users WHERE id = $5), $6,
             (SELECT id FROM users WHERE id = $7), (SELECT id FROM flows WHERE id = $8), $9, $10, $11)
         ON CONFLICT DO NOTHING",
        call.0,
        int(transfer.ordinal),
        transfer.by.as_str(),
        utc(at),
        transfer.from.as_ref().map(UserId::as_str),
        transfer.target.kind(),
        agent,
        flow,
        number,
        line.map(|line| line.trunk.as_str()),
        line.map(|line| line.caller_id.as_str())
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn answered(
    db: &mut PgConnection,
    call: CallId,
    ordinal: u32,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE call_transfers SET answered_at = coalesce(answered_at, $3) WHERE call_id = $1 AND ordinal = $2",
        call.0,
        int(ordinal),
        utc(at)
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(crate) async fn ended(
    db: &mut PgConnection,
    call: CallId,
    ordinal: u32,
    outcome: Outcome,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE call_transfers SET ended_at = coalesce(ended_at, $3), outcome = coalesce(outcome, $4)
         WHERE call_id = $1 AND ordinal = $2",
        call.0,
        int(ordinal),
        utc(at),
        outcome.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}
