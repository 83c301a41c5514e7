//! Carrying out what the switchboard asks to be kept.

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use strowger_core::{
    ids::{ContactId, UserId},
    record::{CallRecord, Write},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{int, utc},
    outcomes, transfers,
};

struct Event {
    at: chrono::DateTime<chrono::Utc>,
    kind: &'static str,
    subject: String,
    payload: Value,
}

impl Store {
    /// Carries writes out in order, all or none. Carrying out the same ones again changes nothing
    /// but the event log.
    ///
    /// # Errors
    /// When the database fails; [`Error::is_transient`] tells whether to try again.
    pub async fn apply(&self, writes: &[Write]) -> Result<(), Error> {
        let mut tx: Transaction<'_, Postgres> = self.pool.begin().await?;
        let mut events = Vec::with_capacity(writes.len());
        for write in writes {
            if let Some(event) = apply_one(&mut tx, write).await? {
                events.push(event);
            }
        }
        log(&mut tx, &events).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn apply_one(db: &mut PgConnection, write: &Write) -> Result<Option<Event>, Error> {
    let event = match write {
        Write::AttemptAnswered { attempt, at } => {
            sqlx::query!(
                "UPDATE attempts SET answered_at = coalesce(answered_at, $2) WHERE id = $1",
                attempt.0,
                utc(*at)
            )
            .execute(db)
            .await?;
            event(*at, "attempt.answered", attempt, json!({}))
        }
        Write::AttemptBridged {
            attempt,
            agent,
            at,
            late,
        } => {
            sqlx::query!(
                "UPDATE attempts SET agent_id = $2, bridged_at = coalesce(bridged_at, $3), late = coalesce(late, $4) WHERE id = $1",
                attempt.0,
                agent.as_str(),
                utc(*at),
                late
            )
            .execute(db)
            .await?;
            event(
                *at,
                "attempt.bridged",
                attempt,
                json!({ "agent_id": agent }),
            )
        }
        Write::AttemptEnded(end) => {
            outcomes::attempt_ended(db, end).await?;
            let payload = json!({ "disposition": end.disposition, "cause": end.cause, "sip_code": end.sip_code });
            event(end.at, "attempt.ended", &end.attempt, payload)
        }
        Write::InboundStarted {
            call,
            server,
            channel,
            did,
            caller,
            at,
        } => {
            sqlx::query!(
                "INSERT INTO call_records (id, direction, server, channel, source, destination, started_at, answered_at)
                 VALUES ($1, 'inbound', $2, $3, $4, $5, $6, $6) ON CONFLICT (id) DO NOTHING",
                call.0,
                &*server.0,
                &*channel.0,
                caller.as_deref(),
                did,
                utc(*at)
            )
            .execute(db)
            .await?;
            event(*at, "call.started", call, json!({ "did": did }))
        }
        Write::InboundBridged {
            call,
            agent,
            queue,
            at,
        } => {
            sqlx::query!(
                "UPDATE call_records SET agent_id = $2, bridged_at = coalesce(bridged_at, $3),
                     queue_id = (SELECT id FROM queues WHERE id = $4)
                 WHERE id = $1",
                call.0,
                agent.as_str(),
                utc(*at),
                queue.as_ref().map(strowger_core::ids::QueueId::as_str)
            )
            .execute(db)
            .await?;
            event(*at, "call.bridged", call, json!({ "agent_id": agent }))
        }
        Write::TransferAsked { call, transfer, at } => {
            transfers::asked(db, *call, transfer, *at).await?;
            let payload = json!({ "ordinal": transfer.ordinal, "kind": transfer.target.kind(), "by": transfer.by });
            event(*at, "call.transfer-asked", call, payload)
        }
        Write::TransferAnswered { call, ordinal, at } => {
            transfers::answered(db, *call, *ordinal, *at).await?;
            let payload = json!({ "ordinal": ordinal });
            event(*at, "call.transfer-answered", call, payload)
        }
        Write::TransferEnded {
            call,
            ordinal,
            outcome,
            at,
        } => {
            transfers::ended(db, *call, *ordinal, *outcome, *at).await?;
            let payload = json!({ "ordinal": ordinal, "outcome": outcome });
            event(*at, "call.transfer-ended", call, payload)
        }
        Write::CallClosed(record) => {
            call_closed(db, record).await?;
            let payload = json!({ "disposition": record.disposition, "agent_id": record.agent });
            event(record.ended_at, "call.closed", &record.call, payload)
        }
        Write::SessionOpened {
            session,
            agent,
            server,
            station,
            leg_mode,
            at,
        } => {
            sqlx::query!(
                "INSERT INTO agent_sessions (id, user_id, server, station, leg_mode, login_at)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
                session.0,
                agent.as_str(),
                &*server.0,
                station,
                leg_mode.as_str(),
                utc(*at)
            )
            .execute(db)
            .await?;
            event(
                *at,
                "agent.logged-in",
                agent,
                json!({ "session_id": session, "station": station }),
            )
        }
        Write::LegDialed { session, number } => {
            sqlx::query!(
                "UPDATE agent_sessions SET legs_dialed = greatest(legs_dialed, $2) WHERE id = $1",
                session.0,
                int(*number)
            )
            .execute(db)
            .await?;
            return Ok(None);
        }
        Write::AgentChanged {
            session,
            agent,
            state,
            cause,
            call,
            at,
        } => {
            sqlx::query!(
                "WITH changed AS (
                     UPDATE agent_sessions SET state = $2, state_reason = $3 WHERE id = $1 RETURNING id
                 )
                 INSERT INTO agent_states (session_id, state, reason, cause, call_id, at)
                 SELECT id, $2, $3, $4, $5, $6 FROM changed",
                session.0,
                state.as_str(),
                state.reason(),
                *cause,
                call.map(|call| call.0),
                utc(*at)
            )
            .execute(db)
            .await?;
            event(
                *at,
                "agent.changed",
                agent,
                json!({ "state": state.as_str(), "reason": state.reason(), "cause": cause }),
            )
        }
        Write::SessionClosed { session, cause, at } => {
            sqlx::query!(
                "UPDATE agent_sessions SET logout_at = $2, logout_cause = $3, state = 'offline', state_reason = NULL
                 WHERE id = $1 AND logout_at IS NULL",
                session.0,
                utc(*at),
                *cause
            )
            .execute(db)
            .await?;
            event(*at, "agent.logged-out", session, json!({ "cause": cause }))
        }
        Write::ContactReleased { contact, agent, at } => {
            contact_released(db, contact, agent, *at).await?;
            return Ok(None);
        }
        Write::CampaignChanged {
            campaign,
            epoch,
            state,
            at,
        } => {
            sqlx::query!(
                "UPDATE campaigns SET state = $3, updated_at = $4 WHERE id = $1 AND epoch = $2",
                campaign.as_str(),
                *epoch,
                state.as_str(),
                utc(*at)
            )
            .execute(db)
            .await?;
            event(*at, "campaign.changed", campaign, json!({ "state": state }))
        }
    };
    Ok(Some(event))
}

fn event(at: Timestamp, kind: &'static str, subject: &impl ToString, payload: Value) -> Event {
    Event {
        at: utc(at),
        kind,
        subject: subject.to_string(),
        payload,
    }
}

async fn log(db: &mut PgConnection, events: &[Event]) -> Result<(), Error> {
    let at: Vec<_> = events.iter().map(|e| e.at).collect();
    let kind: Vec<String> = events.iter().map(|e| e.kind.to_owned()).collect();
    let subject: Vec<String> = events.iter().map(|e| e.subject.clone()).collect();
    let payload: Vec<Value> = events.iter().map(|e| e.payload.clone()).collect();
    sqlx::query!(
        "INSERT INTO events (at, kind, subject, payload)
         SELECT * FROM UNNEST($1::timestamptz[], $2::text[], $3::text[], $4::jsonb[])",
        &at,
        &kind,
        &subject,
        &payload
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A contact that was looked at and not dialed comes up again in a quarter of an hour: the
/// next one to be looked at is another.
async fn contact_released(
    db: &mut PgConnection,
    contact: &ContactId,
    agent: &UserId,
    at: Timestamp,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE contacts SET locked_by = NULL, locked_until = NULL, locked_at = NULL, updated_at = $3,
             next_attempt_at = CASE WHEN status = 'ready' THEN $3::timestamptz + interval '15 minutes' ELSE next_attempt_at END,
             status = CASE WHEN status = 'ready' THEN 'waiting' ELSE status END
         WHERE id = $1 AND locked_by = $2",
        contact.as_str(),
        agent.as_str(),
        utc(at)
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn call_closed(db: &mut PgConnection, record: &CallRecord) -> Result<(), Error> {
    let at = |moment: Option<Timestamp>| moment.map(utc);
    let (flow, version) = record.flow.clone().unzip();
    let (voicemail, voicemail_ms) = record.voicemail.clone().unzip();
    sqlx::query!(
        "INSERT INTO call_records (id, direction, server, channel, attempt_id, campaign_id, contact_id, agent_id, qualification_id, source,
             destination, flow_id, flow_version, flow_path, queue_id, transferred_to, started_at, answered_at,
             waiting_since, bridged_at, unbridged_at, ended_at, disposition, cause, recording, voicemail, voicemail_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, (SELECT qualification_id FROM attempts WHERE id = $5), $9, $10, $11, $12, $13,
             (SELECT id FROM queues WHERE id = $14), $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26)
         ON CONFLICT (id) DO UPDATE SET agent_id = excluded.agent_id, flow_id = excluded.flow_id,
             flow_version = excluded.flow_version, flow_path = excluded.flow_path, queue_id = excluded.queue_id,
             transferred_to = excluded.transferred_to, waiting_since = excluded.waiting_since,
             bridged_at = excluded.bridged_at, unbridged_at = excluded.unbridged_at, ended_at = excluded.ended_at,
             disposition = excluded.disposition, cause = excluded.cause, recording = excluded.recording,
             voicemail = excluded.voicemail, voicemail_ms = excluded.voicemail_ms",
        record.call.0,
        record.direction.as_str(),
        &*record.server.0,
        &*record.channel.0,
        record.attempt.map(|attempt| attempt.0),
        record.campaign.as_ref().map(strowger_core::ids::CampaignId::as_str),
        record.contact.as_ref().map(ContactId::as_str),
        record.agent.as_ref().map(UserId::as_str),
        record.source,
        record.destination,
        flow.as_ref().map(strowger_core::ids::FlowId::as_str),
        version,
        &record.path,
        record.queue.as_ref().map(strowger_core::ids::QueueId::as_str),
        record.transferred_to,
        utc(record.started_at),
        at(record.answered_at),
        at(record.waiting_since),
        at(record.bridged_at),
        at(record.unbridged_at),
        utc(record.ended_at),
        record.disposition.map(strowger_core::disposition::Disposition::as_str),
        record.cause.and_then(|cause| i16::try_from(cause).ok()),
        record.recording,
        voicemail,
        voicemail_ms.and_then(|ms| i64::try_from(ms).ok())
    )
    .execute(db)
    .await?;
    Ok(())
}
