//! Claiming contacts and committing attempts.
//!
//! A claim decides in the transaction that creates the attempts, under locks on every number,
//! person and debt concerned: two campaigns can never both believe that a cap has room. What
//! it decided, dials and refusals alike, goes to the ledger in the same transaction.
//!
//! Locks are taken in one order, so that claims wait for one another and never in a circle:
//! the campaign (shared), its contacts (those locked by others are passed over), numbers,
//! persons and debts in the order of their keys, the pool of caller ids, the head of the
//! campaign's ledger.

mod day;
mod decide;
mod facts;
mod terms;

use sqlx::{PgConnection, Postgres, Transaction};
use strowger_core::{
    compliance::{Packs, Refusal},
    ids::{AttemptId, CampaignId, ContactId, TrunkId, UserId},
    ledger::Entry,
    phone::PhoneNumber,
    switchboard::{NewAttempt, Target, Which},
    telephony::ServerName,
    time::{Timestamp, after},
};

use crate::{
    Error, Store,
    caller_ids::record_use,
    convert::{int, read, timestamp, uint, utc},
    hopper::{self, Filled, Taken},
    ledger,
};
pub(crate) use decide::segment;
use decide::{Decided, Line, Outcome};
use terms::Terms;

/// Most contacts of one transaction: it holds up to three locks for each until it ends.
const BATCH: usize = 100;

/// How often one claim takes more contacts because some were refused.
const ROUNDS: usize = 8;

/// So many more contacts are asked for when others are taking those in the hopper.
const SPARE: u32 = 100;

/// How often a transaction that lost against another is tried.
const TRIES: usize = 5;

/// A campaign with a full hopper, or with calls that may give their contacts back, is asked
/// again so soon.
const SOON_MS: u64 = 1_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The epoch of its runner.
    pub epoch: i64,
    /// The trunk to dial through.
    pub trunk: &'a TrunkId,
    /// The exchange of the trunk.
    pub server: &'a ServerName,
    /// An id for each attempt: as many are wanted.
    pub ids: &'a [AttemptId],
    /// Agents who can take a call: their personal callbacks that are due may be claimed too.
    pub agents: &'a [UserId],
    /// What pacing knew, for the ledger.
    pub pacing: &'a serde_json::Value,
    /// The rules.
    pub packs: &'a Packs,
    /// The time.
    pub now: Timestamp,
}

/// One call that an agent asks for: a preview, a manual call, a callback now.
#[derive(Debug, Clone, Copy)]
pub struct OneRequest<'a> {
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The epoch of its runner.
    pub epoch: i64,
    /// The trunk to dial through.
    pub trunk: &'a TrunkId,
    /// The exchange of the trunk.
    pub server: &'a ServerName,
    /// An id for the attempt.
    pub id: AttemptId,
    /// Whom.
    pub target: &'a Target,
    /// Who asks, and gets the call.
    pub agent: &'a UserId,
    /// The rules.
    pub packs: &'a Packs,
    /// The time.
    pub now: Timestamp,
}

/// What a claim gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The attempts, committed; they must be dialed or ended.
    pub attempts: Vec<NewAttempt>,
    /// When there were fewer contacts than asked for: when the next one is due, if any is left.
    pub next_due: Option<Timestamp>,
}

/// What one transaction gave.
struct Round {
    attempts: Vec<NewAttempt>,
    taken: usize,
}

impl Store {
    /// Claims up to `ids.len()` contacts that may be dialed now and commits one attempt for
    /// each: what it returns may be dialed, and nothing else may. Fills the hopper first when it
    /// holds too little.
    ///
    /// Each contact is checked against every rule in the transaction that commits its
    /// attempt; a refused one goes back to its list, with the reason in the ledger, and
    /// another takes its place.
    ///
    /// # Errors
    /// [`Error::Stale`] when the campaign has a newer runner or does not run. After an error
    /// that [is transient](Error::is_transient) some attempts may be committed: ask
    /// [`Store::committed_attempts`].
    pub async fn claim(&self, request: ClaimRequest<'_>) -> Result<Claimed, Error> {
        let soon = Some(after(request.now, SOON_MS));
        let mut attempts: Vec<NewAttempt> = Vec::with_capacity(request.ids.len());
        let mut spare = 0;
        for _ in 0..ROUNDS {
            let ids = request.ids.get(attempts.len()..).unwrap_or_default();
            let part = ClaimRequest {
                ids: ids.get(..BATCH).unwrap_or(ids),
                ..request
            };
            let round = match self.claim_more(&part, spare).await {
                Ok(round) => round,
                // What is committed must be dialed, whatever became of the rest.
                Err(error) if !attempts.is_empty() && !error.is_transient() => {
                    let next_due = Some(request.now);
                    return Ok(Claimed { attempts, next_due });
                }
                Err(error) => return Err(error),
            };
            let (filled, round) = round;
            attempts.extend(round.attempts);
            if attempts.len() == request.ids.len() {
                let next_due = None;
                return Ok(Claimed { attempts, next_due });
            }
            match filled {
                _ if round.taken > 0 => {}
                Some(filled) => {
                    let next_due = filled.next_due;
                    return Ok(Claimed { attempts, next_due });
                }
                None if spare > 0 => break,
                // What is in the hopper is being taken by others.
                None => spare = SPARE,
            }
        }
        let next_due = soon;
        Ok(Claimed { attempts, next_due })
    }

    async fn claim_more(
        &self,
        request: &ClaimRequest<'_>,
        spare: u32,
    ) -> Result<(Option<Filled>, Round), Error> {
        let filled = self.fill_if_low(request, spare).await?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.claim_round(request).await {
                Err(Error::Database(error)) if tries < TRIES && lost_a_race(&error) => {}
                round => return Ok((filled, round?)),
            }
        }
    }

    async fn fill_if_low(
        &self,
        request: &ClaimRequest<'_>,
        spare: u32,
    ) -> Result<Option<Filled>, Error> {
        let wanted = u32::try_from(request.ids.len())
            .unwrap_or(u32::MAX)
            .saturating_add(spare);
        let there = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM (SELECT 1 FROM hopper WHERE campaign_id = $1 LIMIT $2) AS first"#,
            request.campaign.as_str(),
            i64::from(wanted)
        )
        .fetch_one(&self.pool)
        .await?;
        if there >= i64::from(wanted) {
            return Ok(None);
        }
        self.fill_hopper(request.campaign, wanted, request.packs, request.now)
            .await
            .map(Some)
    }

    async fn claim_round(&self, request: &ClaimRequest<'_>) -> Result<Round, Error> {
        let mut tx = self.pool.begin().await?;
        let terms = Terms::lock(&mut tx, request.campaign, request.epoch).await?;
        let limit = u32::try_from(request.ids.len()).unwrap_or(u32::MAX);
        let taken = hopper::take(
            &mut tx,
            request.campaign,
            request.agents,
            limit,
            request.now,
        )
        .await?;
        let line = Line {
            trunk: request.trunk,
            server: request.server,
            epoch: request.epoch,
            pacing: request.pacing,
            packs: request.packs,
            now: request.now,
        };
        let decided = decide::decide(&mut tx, &terms, &line, &taken, request.ids).await?;
        let refused: Vec<(ContactId, &Refusal)> = decided
            .outcomes
            .iter()
            .filter_map(|one| Some((one.taken.contact.clone(), one.result.as_ref().err()?)))
            .collect();
        hopper::put_back(&mut tx, &refused, request.now).await?;
        let attempts = commit(tx, &terms, &line, &decided).await?;
        Ok(Round {
            attempts,
            taken: taken.len(),
        })
    }

    /// Commits one attempt for a contact that an agent chose, or says which rule refuses it. A
    /// refusal is in the ledger and changes nothing else.
    ///
    /// # Errors
    /// [`Error::Stale`] when the campaign has a newer runner or does not run;
    /// [`Error::Missing`] when it has no such contact, or the contact no such number;
    /// [`Error::Taken`] when another call to the contact is under way.
    pub async fn claim_one(
        &self,
        request: OneRequest<'_>,
    ) -> Result<Result<NewAttempt, Refusal>, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_one(&request).await {
                Err(Error::Database(error)) if tries < TRIES && lost_a_race(&error) => {}
                done => return done,
            }
        }
    }

    async fn try_one(
        &self,
        request: &OneRequest<'_>,
    ) -> Result<Result<NewAttempt, Refusal>, Error> {
        let mut tx = self.pool.begin().await?;
        let mut terms = Terms::lock(&mut tx, request.campaign, request.epoch).await?;
        // A person chose the moment.
        terms.purpose.automated = false;
        let taken = [take_one(&mut tx, request).await?];
        let line = Line {
            trunk: request.trunk,
            server: request.server,
            epoch: request.epoch,
            pacing: &serde_json::Value::Null,
            packs: request.packs,
            now: request.now,
        };
        let decided = decide::decide(&mut tx, &terms, &line, &taken, &[request.id]).await?;
        let [one] = decided.outcomes.as_slice() else {
            return Err(Error::Missing { what: "contact" });
        };
        let result = one.result.clone();
        if result.is_ok() {
            sqlx::query!(
                "DELETE FROM hopper WHERE contact_id = $1",
                request.target.contact.as_str()
            )
            .execute(&mut *tx)
            .await?;
        }
        commit(tx, &terms, &line, &decided).await?;
        Ok(result)
    }

    /// Which of these attempts are committed: asked when the answer to their claim was lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn committed_attempts(&self, ids: &[AttemptId]) -> Result<Vec<NewAttempt>, Error> {
        let uuids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = sqlx::query!(
            "SELECT a.id, a.contact_id, a.number, a.ordinal, a.caller_id, a.agent_id, a.list_id, a.created_at,
                 c.time_zone
             FROM attempts a JOIN contacts c ON c.id = a.contact_id
             WHERE a.id = ANY($1) AND a.ended_at IS NULL",
            &uuids
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let number: PhoneNumber = read("attempts.number", row.number)?;
                Ok(NewAttempt {
                    attempt: AttemptId(row.id),
                    contact: read("attempts.contact_id", row.contact_id)?,
                    segment: segment(
                        row.list_id.as_deref().unwrap_or_default(),
                        &number,
                        row.time_zone.as_ref(),
                        timestamp(row.created_at),
                    ),
                    number,
                    ordinal: uint(row.ordinal),
                    caller_id: row
                        .caller_id
                        .map(|number| read("attempts.caller_id", number))
                        .transpose()?,
                    agent: row
                        .agent_id
                        .map(|agent| read("attempts.agent_id", agent))
                        .transpose()?,
                })
            })
            .collect()
    }
}

/// The database ended this transaction so that another could go on, and asks to try again.
fn lost_a_race(error: &sqlx::Error) -> bool {
    // Serialization failure, deadlock.
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["40001", "40P01"].contains(&code.as_ref()))
}

/// Locks the contact that an agent chose.
async fn take_one(db: &mut PgConnection, request: &OneRequest<'_>) -> Result<Taken, Error> {
    let target = request.target;
    let contact = sqlx::query!(
        "SELECT status, list_id, next_position, person_key, debt_key, attempts_made, time_zone
         FROM contacts WHERE id = $1 AND campaign_id = $2 FOR UPDATE",
        target.contact.as_str(),
        request.campaign.as_str()
    )
    .fetch_optional(&mut *db)
    .await?
    .ok_or(Error::Missing { what: "contact" })?;
    if contact.status == "claimed" {
        return Err(Error::Taken {
            field: "contact in a call",
        });
    }
    let (position, number) = match &target.number {
        Which::Other(number) => (contact.next_position, Some(number.clone())),
        Which::Position(position) => (*position, None),
        Which::Next => (contact.next_position, None),
    };
    let number = match number {
        Some(number) => number,
        None => {
            let number = sqlx::query_scalar!(
                "SELECT number FROM contact_phones WHERE contact_id = $1 AND position = $2",
                target.contact.as_str(),
                position
            )
            .fetch_optional(&mut *db)
            .await?
            .ok_or(Error::Missing {
                what: "number of the contact",
            })?;
            read("contact_phones.number", number)?
        }
    };
    let callback = sqlx::query_scalar!(
        "SELECT id FROM callbacks WHERE contact_id = $1 AND state = 'pending' AND number = $2",
        target.contact.as_str(),
        number.as_str()
    )
    .fetch_optional(&mut *db)
    .await?;
    Ok(Taken {
        contact: target.contact.clone(),
        list: contact.list_id,
        position,
        zones: contact.time_zone.into_iter().collect(),
        number,
        person_key: contact.person_key,
        debt_key: contact.debt_key,
        attempts_made: uint(contact.attempts_made),
        callback,
        agent: Some(request.agent.clone()),
    })
}

/// Writes what was decided and commits. The ledger comes last: see [`ledger::append`].
async fn commit(
    mut tx: Transaction<'_, Postgres>,
    terms: &Terms,
    line: &Line<'_>,
    decided: &Decided<'_>,
) -> Result<Vec<NewAttempt>, Error> {
    let outcomes = &decided.outcomes;
    let attempts: Vec<NewAttempt> = outcomes
        .iter()
        .filter_map(|one| one.result.as_ref().ok().cloned())
        .collect();
    insert(&mut tx, terms, line, outcomes).await?;
    if let Some(pool) = &decided.pool {
        let shown: Vec<PhoneNumber> = attempts
            .iter()
            .filter_map(|attempt| attempt.caller_id.clone())
            .collect();
        record_use(&mut tx, pool, &shown, line.now).await?;
    }
    let entries: Vec<Entry> = outcomes.iter().map(|one| one.entry(terms, line)).collect();
    ledger::append(&mut tx, &terms.purpose.campaign, &entries).await?;
    tx.commit().await?;
    Ok(attempts)
}

/// Attempts as columns, for one statement.
#[derive(Default)]
struct Columns {
    ids: Vec<uuid::Uuid>,
    contacts: Vec<String>,
    ordinals: Vec<i32>,
    numbers: Vec<String>,
    lists: Vec<String>,
    persons: Vec<Option<String>>,
    debts: Vec<Option<String>>,
    caller_ids: Vec<Option<String>>,
    callbacks: Vec<Option<uuid::Uuid>>,
    agents: Vec<Option<String>>,
    at: Vec<chrono::DateTime<chrono::Utc>>,
}

impl Columns {
    fn push(&mut self, taken: &Taken, new: &NewAttempt, at: Timestamp) {
        self.ids.push(new.attempt.0);
        self.contacts.push(new.contact.to_string());
        self.ordinals.push(int(new.ordinal));
        self.numbers.push(new.number.to_string());
        self.lists.push(taken.list.clone());
        self.persons.push(taken.person_key.clone());
        self.debts.push(taken.debt_key.clone());
        self.caller_ids
            .push(new.caller_id.as_ref().map(ToString::to_string));
        self.callbacks.push(taken.callback);
        self.agents
            .push(new.agent.as_ref().map(ToString::to_string));
        self.at.push(utc(at));
    }
}

async fn insert(
    db: &mut PgConnection,
    terms: &Terms,
    line: &Line<'_>,
    decided: &[Outcome<'_>],
) -> Result<(), Error> {
    let mut new = Columns::default();
    for one in decided {
        if let Ok(attempt) = &one.result {
            new.push(one.taken, attempt, one.at);
        }
    }
    if new.ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "WITH new AS (
             SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[],
                 $7::text[], $8::text[], $9::uuid[], $10::text[], $11::timestamptz[])
                 AS t (id, contact_id, ordinal, number, list_id, person_key, debt_key, caller_id, callback_id,
                       agent_id, created_at)
         ), claimed AS (
             UPDATE contacts c
             SET status = 'claimed', claimed_by = n.id, attempts_made = n.ordinal, updated_at = n.created_at
             FROM new n WHERE c.id = n.contact_id
         )
         INSERT INTO attempts (id, contact_id, ordinal, number, list_id, person_key, debt_key, caller_id, callback_id,
             agent_id, created_at, campaign_id, trunk_id, server, epoch, activity)
         SELECT n.*, $12, $13, $14, $15, $16 FROM new n",
        &new.ids,
        &new.contacts,
        &new.ordinals,
        &new.numbers,
        &new.lists,
        &new.persons as &[Option<String>],
        &new.debts as &[Option<String>],
        &new.caller_ids as &[Option<String>],
        &new.callbacks as &[Option<uuid::Uuid>],
        &new.agents as &[Option<String>],
        &new.at,
        terms.purpose.campaign.as_str(),
        line.trunk.as_str(),
        &*line.server.0,
        line.epoch,
        terms.activity
    )
    .execute(db)
    .await?;
    Ok(())
}
