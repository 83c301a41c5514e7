//! Deciding on contacts one after another, each with what was decided before it.

use sqlx::PgConnection;
use strowger_core::{
    compliance::{Candidate, Packs, Past, Refusal, Verdict, check},
    ids::{AttemptId, TrunkId},
    ledger::{Decision, Dial, Entry},
    pacing::Segment,
    phone::PhoneNumber,
    switchboard::NewAttempt,
    telephony::ServerName,
    time::Timestamp,
};

use super::{
    facts::{Gathered, consent_in_force, lock_keys},
    terms::Terms,
};
use crate::{Error, hopper::Taken};

/// With what, and when.
pub(super) struct Line<'a> {
    pub(super) trunk: &'a TrunkId,
    pub(super) server: &'a ServerName,
    pub(super) epoch: i64,
    pub(super) pacing: &'a serde_json::Value,
    pub(super) packs: &'a Packs,
    pub(super) now: Timestamp,
}

/// What was decided, in the order in which the contacts were taken.
#[derive(Default)]
pub(super) struct Decided {
    outcomes: Vec<(Taken, Result<NewAttempt, Refusal>)>,
    pub(super) entries: Vec<Entry>,
}

impl Decided {
    pub(super) fn accepted(&self) -> impl Iterator<Item = (&Taken, &NewAttempt)> {
        self.outcomes
            .iter()
            .filter_map(|(taken, outcome)| Some((taken, outcome.as_ref().ok()?)))
    }

    pub(super) fn refused(&self) -> impl Iterator<Item = (&Taken, &Refusal)> {
        self.outcomes
            .iter()
            .filter_map(|(taken, outcome)| Some((taken, outcome.as_ref().err()?)))
    }

    pub(super) fn attempts(&self) -> Vec<NewAttempt> {
        self.accepted().map(|(_, new)| new.clone()).collect()
    }
}

/// Locks what the contacts concern, gathers what is known of it, and decides on each.
pub(super) async fn decide(
    db: &mut PgConnection,
    terms: &Terms,
    line: &Line<'_>,
    taken: &[Taken],
    ids: &[AttemptId],
) -> Result<Decided, Error> {
    let mut decided = Decided::default();
    if taken.is_empty() {
        return Ok(decided);
    }
    lock_keys(db, taken).await?;
    let mut known = Gathered::load(db, terms, line, taken).await?;
    let mut ids = ids.iter();
    for contact in taken {
        let candidate = Candidate {
            number: contact.number.clone(),
            zones: contact.zones.clone(),
            requested: contact.callback.is_some(),
        };
        let facts = known.facts(contact);
        let consent = consent_in_force(&facts, terms, line.now);
        let verdict = check(
            line.packs,
            &terms.selected,
            &terms.own,
            &terms.purpose,
            &candidate,
            &facts,
            line.now,
        );
        let outcome = match verdict.refusal.clone() {
            Some(refusal) => Err(refusal),
            // As many were taken as there are ids.
            None => match ids.next() {
                Some(id) => Ok(new_attempt(*id, contact)),
                None => break,
            },
        };
        if outcome.is_ok() {
            known.add(contact, &placed_now(terms, line.now));
        }
        let entry = entry(terms, line, &candidate, verdict, &outcome, contact, consent);
        decided.entries.push(entry);
        decided.outcomes.push((contact.clone(), outcome));
    }
    Ok(decided)
}

fn new_attempt(attempt: AttemptId, taken: &Taken) -> NewAttempt {
    NewAttempt {
        attempt,
        contact: taken.contact.clone(),
        number: taken.number.clone(),
        ordinal: taken.attempts_made + 1,
        caller_id: None,
        agent: taken.agent.clone(),
        segment: segment(&taken.list, &taken.number),
    }
}

/// An attempt that is about to be placed counts as placed.
fn placed_now(terms: &Terms, now: Timestamp) -> Past {
    Past {
        at: now,
        activity: terms.purpose.activity,
        placed: true,
        conversation: false,
        refused: false,
        abandoned: false,
    }
}

fn entry(
    terms: &Terms,
    line: &Line<'_>,
    candidate: &Candidate,
    verdict: Verdict,
    outcome: &Result<NewAttempt, Refusal>,
    taken: &Taken,
    consent: Option<uuid::Uuid>,
) -> Entry {
    let decision = match outcome {
        Ok(new) => Decision::Dial(Dial {
            attempt: new.attempt,
            ordinal: new.ordinal,
            caller_id: new.caller_id.clone(),
            caller_id_why: "the campaign's own".to_owned(),
            trunk: line.trunk.clone(),
            server: line.server.clone(),
            agent: new.agent.clone(),
        }),
        Err(refusal) => Decision::Refusal(refusal.clone()),
    };
    Entry {
        campaign: terms.purpose.campaign.clone(),
        contact: taken.contact.clone(),
        number: taken.number.clone(),
        at: line.now,
        activity: terms.purpose.activity,
        channel: terms.purpose.channel,
        automated: terms.purpose.automated,
        requested: candidate.requested,
        zones: candidate.zones.clone(),
        consulted: verdict.consulted,
        consent,
        packs: terms.selected.iter().map(|pack| pack.0.clone()).collect(),
        pacing: line.pacing.clone(),
        decision,
    }
}

/// Which contacts answer alike: those of one list. FNV-1a, never the 0 of those that nobody knows.
pub(super) fn segment(list: &str, _number: &PhoneNumber) -> Segment {
    let hash = list
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    Segment(hash.max(1))
}
