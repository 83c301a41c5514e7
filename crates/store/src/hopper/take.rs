//! Taking contacts to dial, and putting back those that may not be dialed.

use std::collections::HashMap;

use sqlx::PgConnection;
use strowger_core::{
    compliance::Refusal,
    ids::{CampaignId, ContactId, UserId},
    phone::PhoneNumber,
    time::{Timestamp, after},
};
use uuid::Uuid;

use super::{Taken, split_zones};
use crate::{
    Error,
    convert::{read, uint, utc},
};

struct Row {
    contact_id: String,
    list_id: String,
    position: i16,
    number: String,
    zones: String,
    person_key: Option<String>,
    debt_key: Option<String>,
    attempts_made: i32,
    callback_id: Option<Uuid>,
    agent_id: Option<String>,
}

impl TryFrom<Row> for Taken {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let number: PhoneNumber = read("hopper.number", row.number)?;
        Ok(Self {
            contact: read("hopper.contact_id", row.contact_id)?,
            list: row.list_id,
            position: row.position,
            zones: split_zones(&row.zones)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            number,
            person_key: row.person_key,
            debt_key: row.debt_key,
            attempts_made: uint(row.attempts_made),
            callback: row.callback_id,
            agent: row
                .agent_id
                .map(|agent| read("callbacks.agent_id", agent))
                .transpose()?,
        })
    }
}

/// Takes up to `limit` contacts that are dialed next, in the caller's transaction: callbacks
/// that are due come first, those of `agents` (who are available) before those for anybody,
/// then the hopper in its order. What another transaction is taking is passed over.
///
/// The contacts keep their status until the caller sets it to `claimed` or calls [`put_back`].
///
/// # Errors
/// When the database fails.
pub async fn take(
    db: &mut PgConnection,
    campaign: &CampaignId,
    agents: &[UserId],
    limit: u32,
    now: Timestamp,
) -> Result<Vec<Taken>, Error> {
    let users: Vec<String> = agents.iter().map(ToString::to_string).collect();
    let mut rows = sqlx::query_as!(
        Row,
        r#"SELECT b.contact_id, c.list_id, coalesce(p.position, c.next_position) AS "position!", b.number,
                  coalesce(c.time_zone, p.zones, c.zones) AS "zones!", c.person_key, c.debt_key, c.attempts_made,
                  b.id AS "callback_id?", b.agent_id
           FROM callbacks b
           JOIN contacts c ON c.id = b.contact_id
           LEFT JOIN contact_phones p ON p.contact_id = b.contact_id AND p.number = b.number
           WHERE b.campaign_id = $1 AND b.state = 'pending' AND b.due_at <= $2 AND c.status = 'callback'
             AND (b.agent_id IS NULL OR b.agent_id = ANY($3))
             AND (c.locked_until IS NULL OR c.locked_until <= $2)
           ORDER BY b.agent_id IS NULL, b.due_at, b.id LIMIT $4
           FOR UPDATE OF b, c SKIP LOCKED"#,
        campaign.as_str(),
        utc(now),
        &users,
        i64::from(limit)
    )
    .fetch_all(&mut *db)
    .await?;
    let missing = i64::from(limit) - i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if missing > 0 {
        let hopper = sqlx::query_as!(
            Row,
            r#"WITH picked AS (
                 SELECT h.contact_id, h.rank FROM hopper h
                 JOIN contacts c ON c.id = h.contact_id
                 WHERE h.campaign_id = $1 AND h.leased_until > $2
                   AND (c.locked_until IS NULL OR c.locked_until <= $2)
                 ORDER BY h.rank, h.contact_id LIMIT $3
                 FOR UPDATE OF h, c SKIP LOCKED
               ), gone AS (
                 DELETE FROM hopper h USING picked p WHERE h.contact_id = p.contact_id
                 RETURNING h.contact_id, h.rank, h.list_id, h.position, h.number, h.zones
               )
               SELECT g.contact_id, g.list_id, g.position, g.number, g.zones, c.person_key, c.debt_key,
                      c.attempts_made, NULL::uuid AS "callback_id?", NULL::text AS "agent_id?"
               FROM gone g JOIN contacts c ON c.id = g.contact_id
               WHERE c.status = 'ready'
               ORDER BY g.rank, g.contact_id"#,
            campaign.as_str(),
            utc(now),
            missing
        )
        .fetch_all(db)
        .await?;
        rows.extend(hopper);
    }
    rows.into_iter().map(Taken::try_from).collect()
}

/// Puts back taken contacts that may not be dialed, in the caller's transaction.
///
/// A refusal that ends makes the contact, or its callback, wait until then. One that does not
/// blocks the number: the contact goes on with its next number, and is blocked for good when
/// it has no other, or when it was a callback: another number is not what was asked for.
///
/// # Errors
/// When the database fails.
pub async fn put_back(
    db: &mut PgConnection,
    refused: &[(ContactId, &Refusal)],
    now: Timestamp,
) -> Result<(), Error> {
    // A contact is there once, or the updates below would pick one of its rows.
    let refused: HashMap<&str, &Refusal> = refused
        .iter()
        .map(|(contact, refusal)| (contact.as_str(), *refusal))
        .collect();
    // A refusal whose end has come by now is asked again in a second, not in a loop.
    let soonest = after(now, 1_000);
    let (mut later, mut until) = (Vec::new(), Vec::new());
    let (mut blocked, mut rules) = (Vec::new(), Vec::new());
    for (contact, refusal) in refused {
        if let Some(end) = refusal.until {
            later.push(contact.to_owned());
            until.push(utc(end.max(soonest)));
        } else {
            blocked.push(contact.to_owned());
            rules.push(refusal.rule.clone());
        }
    }
    if !later.is_empty() {
        sqlx::query!(
            "WITH t AS (SELECT * FROM UNNEST($1::text[], $2::timestamptz[]) AS t (id, until)),
             postponed AS (
                 UPDATE callbacks b SET due_at = t.until, updated_at = $3
                 FROM t WHERE b.contact_id = t.id AND b.state = 'pending' RETURNING b.contact_id
             )
             UPDATE contacts c SET next_attempt_at = t.until, claimed_by = NULL, updated_at = $3,
                 status = CASE WHEN t.id IN (SELECT contact_id FROM postponed) THEN 'callback' ELSE 'waiting' END
             FROM t WHERE c.id = t.id",
            &later,
            &until,
            utc(now)
        )
        .execute(&mut *db)
        .await?;
    }
    if !blocked.is_empty() {
        sqlx::query!(
            "UPDATE contact_phones p SET blocked_by = taken.rule
             FROM UNNEST($1::text[], $2::text[]) AS t (id, rule)
             JOIN contacts c ON c.id = t.id
             LEFT JOIN callbacks b ON b.contact_id = c.id AND b.state = 'pending'
             CROSS JOIN LATERAL (
                 SELECT k.contact_id, k.position, t.rule FROM contact_phones k
                 WHERE k.contact_id = c.id
                   AND CASE WHEN b.id IS NULL THEN NOT k.is_dead AND k.blocked_by IS NULL ELSE k.number = b.number END
                 ORDER BY (k.position - c.next_position + 10) % 10 LIMIT 1
             ) taken
             WHERE p.contact_id = taken.contact_id AND p.position = taken.position",
            &blocked,
            &rules
        )
        .execute(&mut *db)
        .await?;
        sqlx::query!(
            "WITH t AS (SELECT * FROM UNNEST($1::text[], $2::text[]) AS t (id, rule)),
             cancelled AS (
                 UPDATE callbacks b SET state = 'cancelled', updated_at = $3
                 FROM t WHERE b.contact_id = t.id AND b.state = 'pending' RETURNING b.contact_id
             ), next AS (
                 SELECT t.id, t.rule, p.position, coalesce(k.time_zone, p.zones, '') AS zones
                 FROM t JOIN contacts k ON k.id = t.id
                 LEFT JOIN LATERAL (
                     SELECT position, zones FROM contact_phones
                     WHERE contact_id = t.id AND NOT is_dead AND blocked_by IS NULL
                       AND NOT EXISTS (SELECT 1 FROM cancelled WHERE cancelled.contact_id = t.id)
                     ORDER BY (position - k.next_position + 10) % 10 LIMIT 1
                 ) p ON true
             )
             UPDATE contacts c SET claimed_by = NULL, updated_at = $3,
                 status = CASE WHEN n.position IS NULL THEN 'blocked' ELSE 'ready' END,
                 blocked_by = CASE WHEN n.position IS NULL THEN n.rule END,
                 next_position = coalesce(n.position, c.next_position),
                 zones = CASE WHEN n.position IS NULL THEN c.zones ELSE n.zones END
             FROM next n WHERE c.id = n.id",
            &blocked,
            &rules,
            utc(now)
        )
        .execute(db)
        .await?;
    }
    Ok(())
}
