//! What becomes of a contact: after an attempt, and after an agent's qualification.

use sqlx::PgConnection;
use strowger_core::{
    caller_id::is_answered,
    disposition::Disposition,
    lists::order::{DialOrder, Ranked, local_hour},
    record::AttemptEnd,
    retry::{AfterAttempt, NextNumber, RetryRule, RetryRules},
    telephony::Amd,
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error,
    caller_ids::record_outcome,
    convert::{parse, read, timestamp, uint, utc},
};

/// What deciding the fate of a contact needs, read under a lock on it.
pub(crate) struct Case {
    pub(crate) contact: String,
    pub(crate) claimed_by: Option<Uuid>,
    attempts_made: i32,
    priority: i16,
    zones: String,
    best_hour: Option<i16>,
    created_at: chrono::DateTime<chrono::Utc>,
    /// An agent wants it dialed again from then on.
    relaunch_at: Option<chrono::DateTime<chrono::Utc>>,
    dial_order: String,
    retry_rules: serde_json::Value,
}

impl Case {
    pub(crate) async fn lock(db: &mut PgConnection, contact: &str) -> Result<Option<Self>, Error> {
        Ok(sqlx::query_as!(
            Self,
            "SELECT c.id AS contact, c.claimed_by, c.attempts_made, c.priority, c.zones, c.best_hour, c.created_at,
                    c.relaunch_at, m.dial_order, m.retry_rules
             FROM contacts c JOIN campaigns m ON m.id = c.campaign_id
             WHERE c.id = $1 FOR UPDATE OF c",
            contact
        )
        .fetch_optional(db)
        .await?)
    }

    pub(crate) fn attempts(&self) -> u32 {
        uint(self.attempts_made)
    }

    /// What becomes of the contact by its qualification, which has this retry rule: the time that
    /// the agent chose comes first.
    pub(crate) fn qualified(
        &self,
        retry: Option<serde_json::Value>,
        ended: Timestamp,
    ) -> Result<Fate, Error> {
        match self.relaunch_at {
            Some(at) => Ok(Fate::Dial {
                at: timestamp(at),
                attempts: self.attempts(),
            }),
            None => after_qualification(retry, self.attempts(), ended, &self.zones),
        }
    }

    pub(crate) fn rules(&self) -> Result<RetryRules, Error> {
        serde_json::from_value(self.retry_rules.clone()).map_err(|error| Error::Corrupt {
            what: "campaigns.retry_rules",
            detail: error.to_string(),
        })
    }

    fn rank(&self, attempts: u32, due: Timestamp) -> Result<i64, Error> {
        let order: DialOrder = parse("campaigns.dial_order", &self.dial_order)?;
        let ranked = Ranked {
            attempts,
            priority: u8::try_from(self.priority).unwrap_or(0),
            added_at: timestamp(self.created_at),
            due_at: due,
            best_hour: self.best_hour.and_then(|hour| u8::try_from(hour).ok()),
        };
        Ok(ranked.rank(order))
    }

    /// Gives the contact its new status. A callback that is pending takes precedence: its contact
    /// waits for it, and a retry puts it off when it was the callback that was tried.
    pub(crate) async fn settle(
        &self,
        db: &mut PgConnection,
        fate: Fate,
        callback: Option<Uuid>,
        now: Timestamp,
    ) -> Result<(), Error> {
        if let Some(callback) = callback {
            let put_off = match fate {
                Fate::Dial { at, .. } => Some(utc(at)),
                Fate::Done(_) => None,
            };
            // Moved on during its own call, it is another promise and stays.
            sqlx::query!(
                "UPDATE callbacks SET updated_at = $3, due_at = coalesce($2, due_at),
                     state = CASE WHEN $2::timestamptz IS NULL THEN 'done' ELSE state END
                 WHERE id = $1 AND state = 'pending' AND due_at <= $3",
                callback,
                put_off,
                utc(now)
            )
            .execute(&mut *db)
            .await?;
        }
        let (status, due, attempts) = match fate {
            Fate::Dial { at, attempts } if at > now => ("waiting", at, attempts),
            Fate::Dial { at, attempts } => ("ready", at, attempts),
            Fate::Done(status) => (status, now, self.attempts()),
        };
        sqlx::query!(
            "UPDATE contacts SET claimed_by = NULL, next_attempt_at = $3, rank = $4, attempts_made = $5, updated_at = $6,
                 status = CASE WHEN EXISTS (SELECT 1 FROM callbacks WHERE contact_id = $1 AND state = 'pending')
                               THEN 'callback' ELSE $2 END
             WHERE id = $1",
            self.contact,
            status,
            utc(due),
            self.rank(attempts, due)?,
            i32::try_from(attempts).unwrap_or(i32::MAX),
            utc(now)
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// What becomes of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is dialed again, from then on, with so many attempts counted.
    Dial { at: Timestamp, attempts: u32 },
    /// It is done, with this status.
    Done(&'static str),
}

/// The fate of a contact whose qualification has this retry rule, after so many attempts.
fn after_qualification(
    retry: Option<serde_json::Value>,
    attempts: u32,
    ended: Timestamp,
    zones: &str,
) -> Result<Fate, Error> {
    let Some(rule) = retry else {
        return Ok(Fate::Done("qualified"));
    };
    let rule: RetryRule = serde_json::from_value(rule).map_err(|error| Error::Corrupt {
        what: "qualifications.retry",
        detail: error.to_string(),
    })?;
    Ok(match rule.decide(attempts, ended) {
        AfterAttempt::Retry(at) => Fate::Dial {
            at: rule.another_hour(at, ended, zones),
            attempts,
        },
        AfterAttempt::GiveBack => Fate::Dial {
            at: ended,
            attempts,
        },
        AfterAttempt::Called | AfterAttempt::Exhausted => Fate::Done("exhausted"),
    })
}

/// Ends an attempt and decides what becomes of its contact, in the caller's transaction.
/// Ending it again changes nothing.
///
/// A qualification that the agent chose during the call decides; otherwise the outcome does.
/// A number that does not exist is dead, and the next one is dialed at once.
pub(crate) async fn attempt_ended(db: &mut PgConnection, end: &AttemptEnd) -> Result<(), Error> {
    let talked = end.disposition == Disposition::AnsweredHuman;
    let ended = sqlx::query!(
        "UPDATE attempts a SET disposition = $2, cause = $3, sip_code = $4, amd = $5, ended_at = $6, amd_cause = $8,
             late = coalesce(a.late, $9), amd_audited = $10,
             conversation = CASE WHEN a.qualification_id IS NULL THEN $7 ELSE a.conversation END
         WHERE id = $1 AND ended_at IS NULL
         RETURNING number, callback_id, qualification_id, caller_id, campaign_id",
        end.attempt.0,
        end.disposition.as_str(),
        end.cause.and_then(|cause| i16::try_from(cause).ok()),
        end.sip_code.and_then(|code| i16::try_from(code).ok()),
        end.amd.map(amd_name),
        utc(end.at),
        talked,
        end.amd_cause,
        end.late,
        end.amd_audited
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(attempt) = ended else {
        return Ok(());
    };
    if let Some(shown) = attempt.caller_id {
        caller_id_told(db, attempt.campaign_id, shown, end).await?;
    }
    let Some(case) = Case::lock(db, end.contact.as_str()).await? else {
        return Ok(());
    };
    if case.claimed_by != Some(end.attempt.0) {
        return Ok(());
    }
    let hour = end
        .disposition
        .is_human()
        .then(|| i16::from(local_hour(&case.zones, end.at)));
    sqlx::query!(
        "UPDATE contacts SET last_disposition = $2, best_hour = coalesce($3, best_hour) WHERE id = $1",
        case.contact,
        end.disposition.as_str(),
        hour
    )
    .execute(&mut *db)
    .await?;
    let rules = case.rules()?;
    let number = match end.after {
        // What did not count says nothing of the number either.
        AfterAttempt::GiveBack => NextNumber::Same,
        AfterAttempt::Retry(_) | AfterAttempt::Called | AfterAttempt::Exhausted => {
            rules.next_number(end.disposition)
        }
    };
    let has_other = advance(db, &case.contact, &attempt.number, number).await?;
    let attempts = case.attempts();
    let fate = if let Some(qualification) = attempt.qualification_id {
        let retry = sqlx::query_scalar!(
            "SELECT retry FROM qualifications WHERE id = $1",
            qualification
        )
        .fetch_one(&mut *db)
        .await?;
        case.qualified(retry, end.at)?
    } else if unreachable(db, &case.contact, end).await? {
        Fate::Done("exhausted")
    } else {
        let is_dead = number == NextNumber::Dead;
        match end.after {
            AfterAttempt::Retry(_) | AfterAttempt::Called if is_dead && has_other => Fate::Dial {
                at: end.at,
                attempts,
            },
            AfterAttempt::Retry(_) if is_dead => Fate::Done("exhausted"),
            AfterAttempt::Retry(at) => Fate::Dial {
                at: rules.another_hour(end.disposition, at, end.at, &case.zones),
                attempts,
            },
            AfterAttempt::Called => Fate::Done("called"),
            AfterAttempt::Exhausted => Fate::Done("exhausted"),
            AfterAttempt::GiveBack => Fate::Dial {
                at: end.at,
                attempts: attempts.saturating_sub(1),
            },
        }
    };
    case.settle(db, fate, attempt.callback_id, end.at).await
}

/// Whether the contact was busy or a machine as often as its campaign takes, this attempt among
/// them. Its qualification says so then.
async fn unreachable(
    db: &mut PgConnection,
    contact: &str,
    end: &AttemptEnd,
) -> Result<bool, Error> {
    if !matches!(
        end.disposition,
        Disposition::Busy | Disposition::AnsweredMachine
    ) {
        return Ok(false);
    }
    let marked = sqlx::query!(
        "UPDATE contacts c SET qualification_id = (SELECT id FROM qualifications WHERE id = 'qual-99')
         FROM campaigns m
         WHERE c.id = $1 AND m.id = c.campaign_id AND m.unreachable_limit > 0 AND m.unreachable_limit <= (
             SELECT count(*) FROM attempts
             WHERE contact_id = $1 AND (disposition IN ('busy', 'answered-machine')
                 OR qualification_id IN ('qual-90', 'qual-93')))",
        contact
    )
    .execute(db)
    .await?;
    Ok(marked.rows_affected() > 0)
}

/// What the attempt says of the number that was shown, when it is one of the campaign's pool.
async fn caller_id_told(
    db: &mut PgConnection,
    campaign: String,
    shown: String,
    end: &AttemptEnd,
) -> Result<(), Error> {
    let Some(answered) = is_answered(end.disposition) else {
        return Ok(());
    };
    let pool = sqlx::query_scalar!(
        "SELECT caller_id_pool_id FROM campaigns WHERE id = $1",
        campaign
    )
    .fetch_one(&mut *db)
    .await?;
    let Some(pool) = pool else { return Ok(()) };
    let pool = read("caller_id_pools.id", pool)?;
    let shown = read("attempts.caller_id", shown)?;
    if let Some(rest) = record_outcome(db, &pool, &shown, answered, end.at).await? {
        tracing::warn!(%pool, until = %rest.until, reason = rest.reason, "A caller id rests");
    }
    Ok(())
}

/// Chooses the number that is dialed next; tells whether there is one that is not dead.
async fn advance(
    db: &mut PgConnection,
    contact: &str,
    number: &str,
    next: NextNumber,
) -> Result<bool, Error> {
    if next == NextNumber::Dead {
        sqlx::query!(
            "UPDATE contact_phones SET is_dead = true WHERE contact_id = $1 AND number = $2",
            contact,
            number
        )
        .execute(&mut *db)
        .await?;
    }
    if next == NextNumber::Same {
        return Ok(true);
    }
    // The number just dialed comes last in the turn, unless it was none of the list.
    let moved = sqlx::query!(
        "UPDATE contacts c SET next_position = n.position, zones = coalesce(c.time_zone, n.zones)
         FROM (
             SELECT p.contact_id, p.position, p.zones FROM contact_phones p
             JOIN contacts k ON k.id = p.contact_id
             LEFT JOIN contact_phones d ON d.contact_id = p.contact_id AND d.number = $2
             WHERE p.contact_id = $1 AND NOT p.is_dead AND p.blocked_by IS NULL
             ORDER BY (p.position - coalesce(d.position + 1, k.next_position) + 10) % 10 LIMIT 1
         ) n
         WHERE c.id = n.contact_id",
        contact,
        number
    )
    .execute(db)
    .await?;
    Ok(moved.rows_affected() > 0)
}

fn amd_name(amd: Amd) -> &'static str {
    match amd {
        Amd::Human => "human",
        Amd::Machine => "machine",
        Amd::NotSure => "not-sure",
    }
}
