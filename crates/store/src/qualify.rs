//! The outcome that an agent chooses: what it says of the attempt, and what becomes of the contact.

mod contact;

pub use contact::ContactOutcome;

use serde_json::{Value, json};
use sqlx::PgConnection;
use strowger_core::{
    ids::{CallId, CampaignId, QualificationId, UserId},
    lists::filter::{Facts, Quota},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{uint, utc, word},
    outcomes::Case,
    transfers,
};

/// Why a call is not qualified.
#[derive(Debug, thiserror::Error)]
pub enum NotQualified {
    /// There is no such call.
    #[error("there is no such call")]
    NoCall,
    /// Another agent talked.
    #[error("another agent took this call")]
    NotYours,
    /// The campaign offers another group of qualifications.
    #[error("the campaign of this call does not offer this qualification")]
    NotOffered,
    /// There is no such qualification.
    #[error("there is no such qualification")]
    NoQualification,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<sqlx::Error> for NotQualified {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[expect(clippy::struct_excessive_bools, reason = "columns of the table")]
struct Meaning {
    kind: String,
    group_id: Option<String>,
    is_standard: bool,
    is_conversation: bool,
    is_refusal: bool,
    is_machine: bool,
    retry: Option<Value>,
}

impl Store {
    /// Keeps the qualification of a call. `only` is the agent whose call it must be; none lets any
    /// call be qualified, also again.
    ///
    /// Of an outbound call, the attempt learns whether there was a conversation, a refusal, a
    /// machine; the contact is qualified, or dialed again by the rule of the qualification, at once
    /// or, while the call goes on, when it ends; quotas count it once while it is positive. A
    /// refusal is kept on the attempt, where the rules of compliance look for it; whoever wants
    /// no calls at all is put on a do-not-call list or opts out, which is said separately.
    ///
    /// # Errors
    /// [`NotQualified`].
    pub async fn qualify(
        &self,
        call: CallId,
        qualification: &QualificationId,
        only: Option<&UserId>,
        now: Timestamp,
    ) -> Result<(), NotQualified> {
        let change = json!({ "qualification_id": qualification });
        let mut tx = self.pool.begin().await?;
        qualify_call(&mut tx, call, qualification, only, now).await?;
        self.note(&mut tx, "call.qualified", &call.to_string(), &change)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn meaning(
    db: &mut PgConnection,
    qualification: &QualificationId,
) -> Result<Meaning, NotQualified> {
    sqlx::query_as!(
        Meaning,
        "SELECT type AS kind, group_id, is_standard, is_conversation, is_refusal, is_machine, retry
         FROM qualifications WHERE id = $1",
        qualification.as_str()
    )
    .fetch_optional(db)
    .await?
    .ok_or(NotQualified::NoQualification)
}

async fn qualify_call(
    db: &mut PgConnection,
    call: CallId,
    qualification: &QualificationId,
    only: Option<&UserId>,
    now: Timestamp,
) -> Result<(), NotQualified> {
    let meaning = meaning(&mut *db, qualification).await?;
    let attempt = sqlx::query!(
        r#"SELECT a.contact_id, a.campaign_id, a.agent_id, a.ended_at, a.callback_id,
                  m.qualification_group_id
           FROM attempts a JOIN campaigns m ON m.id = a.campaign_id WHERE a.id = $1 FOR UPDATE OF a"#,
        call.0
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(attempt) = attempt else {
        return qualify_inbound(db, call, qualification, only).await;
    };
    may_say(&mut *db, call, attempt.agent_id.as_deref(), only).await?;
    let offered = attempt.qualification_group_id.is_none()
        || meaning.is_standard
        || meaning.group_id == attempt.qualification_group_id;
    if !offered {
        return Err(NotQualified::NotOffered);
    }
    sqlx::query!(
        "UPDATE attempts SET qualification_id = $2, conversation = $3, refused = $4, was_machine = $5 WHERE id = $1",
        call.0,
        qualification.as_str(),
        meaning.is_conversation && !meaning.is_machine,
        meaning.is_refusal,
        meaning.is_machine
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE call_records SET qualification_id = $2 WHERE id = $1",
        call.0,
        qualification.as_str()
    )
    .execute(&mut *db)
    .await?;
    let case = Case::lock(&mut *db, &attempt.contact_id).await?;
    if let Some(case) = case {
        let campaign = CampaignId::new(attempt.campaign_id).map_err(|error| Error::Corrupt {
            what: "attempts.campaign_id",
            detail: error.to_string(),
        })?;
        let is_last = is_last(&mut *db, &case.contact, call).await?;
        if is_last {
            count_quotas(
                &mut *db,
                &campaign,
                &case.contact,
                meaning.kind == "positive",
                now,
            )
            .await?;
            sqlx::query!(
                "UPDATE contacts SET qualification_id = $2 WHERE id = $1",
                case.contact,
                qualification.as_str()
            )
            .execute(&mut *db)
            .await?;
        }
        // While the call goes on, its end decides by the qualification.
        if is_last && attempt.ended_at.is_some() && case.claimed_by.is_none() {
            let fate = case.qualified(meaning.retry, now)?;
            case.settle(&mut *db, fate, attempt.callback_id, now)
                .await?;
            sqlx::query!("DELETE FROM hopper WHERE contact_id = $1", case.contact)
                .execute(&mut *db)
                .await?;
        }
    }
    sqlx::query!(
        "INSERT INTO events (at, kind, subject, payload) VALUES ($1, 'call.qualified', $2, $3)",
        utc(now),
        call.to_string(),
        json!({ "qualification_id": qualification, "agent_id": only })
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Whether an agent may say what came of a call: they have it, or had it and handed it on. None
/// is somebody who may for every call.
async fn may_say(
    db: &mut PgConnection,
    call: CallId,
    has_it: Option<&str>,
    only: Option<&UserId>,
) -> Result<(), NotQualified> {
    match only {
        None => Ok(()),
        Some(agent) if has_it == Some(agent.as_str()) => Ok(()),
        Some(agent) if transfers::handed_on_by(db, call, agent).await? => Ok(()),
        Some(_) => Err(NotQualified::NotYours),
    }
}

/// Whether no later attempt was made: an old call may be qualified again without undoing what
/// was decided since.
async fn is_last(db: &mut PgConnection, contact: &str, call: CallId) -> Result<bool, Error> {
    Ok(sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (
               SELECT 1 FROM attempts later JOIN attempts this ON this.id = $2
               WHERE later.contact_id = $1 AND later.created_at > this.created_at
           ) AS "is_last!""#,
        contact,
        call.0
    )
    .fetch_one(db)
    .await?)
}

async fn qualify_inbound(
    db: &mut PgConnection,
    call: CallId,
    qualification: &QualificationId,
    only: Option<&UserId>,
) -> Result<(), NotQualified> {
    let agent = sqlx::query_scalar!(
        "SELECT agent_id FROM call_records WHERE id = $1 FOR UPDATE",
        call.0
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(NotQualified::NoCall)?;
    may_say(&mut *db, call, agent.as_deref(), only).await?;
    sqlx::query!(
        "UPDATE call_records SET qualification_id = $2 WHERE id = $1",
        call.0,
        qualification.as_str()
    )
    .execute(&mut *db)
    .await?;
    Ok(())
}

/// Counts a contact in the quotas of its kind when its qualification becomes positive, and takes
/// it out when it no longer is. A quota that becomes full empties the hopper, which may hold more
/// of the kind: it is filled again at once, without them.
async fn count_quotas(
    db: &mut PgConnection,
    campaign: &CampaignId,
    contact: &str,
    is_positive: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let quotas = sqlx::query!(
        "SELECT id, field, value, operator, target, reached FROM quotas WHERE campaign_id = $1 ORDER BY id FOR UPDATE",
        campaign.as_str()
    )
    .fetch_all(&mut *db)
    .await?;
    if quotas.is_empty() {
        return Ok(());
    }
    let row = sqlx::query!(
        r#"SELECT c.first_name, c.last_name, c.postal_code, c.priority, c.attempts_made, c.list_id, c.zones,
                  c.last_disposition, c.qualification_id, c.custom_fields, p.type AS "number_type?",
                  p.number AS "number?",
                  coalesce(q.type = 'positive', false) AS "was_positive!"
           FROM contacts c
           LEFT JOIN qualifications q ON q.id = c.qualification_id
           LEFT JOIN contact_phones p ON p.contact_id = c.id AND p.position = c.next_position
           WHERE c.id = $1"#,
        contact
    )
    .fetch_one(&mut *db)
    .await?;
    if row.was_positive == is_positive {
        return Ok(());
    }
    let facts = Facts {
        first_name: &row.first_name,
        last_name: &row.last_name,
        postal_code: &row.postal_code,
        priority: u8::try_from(row.priority).unwrap_or(0),
        attempts: uint(row.attempts_made),
        list: &row.list_id,
        number_type: row.number_type.as_deref().unwrap_or("other"),
        number: row.number.as_deref().unwrap_or_default(),
        zones: &row.zones,
        last_disposition: row.last_disposition.as_deref(),
        qualification: row.qualification_id.as_deref(),
        custom: &row.custom_fields,
    };
    let change = if is_positive { 1 } else { -1 };
    let mut changed = false;
    for quota in quotas {
        let before = Quota {
            field: quota.field,
            value: quota.value,
            operator: word("quotas.operator", quota.operator)?,
            target: uint(quota.target),
            reached: uint(quota.reached),
        };
        if !before.counts(&facts) {
            continue;
        }
        let reached = quota.reached.saturating_add(change).max(0);
        sqlx::query!(
            "UPDATE quotas SET reached = $2 WHERE id = $1",
            quota.id,
            reached
        )
        .execute(&mut *db)
        .await?;
        let is_full = uint(reached) >= before.target;
        changed |= is_full != before.is_full();
    }
    if changed {
        crate::lists::look_again(db, campaign, now).await?;
    }
    Ok(())
}
