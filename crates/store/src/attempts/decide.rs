//! Deciding on contacts one after another, each with what was decided before it.

use sqlx::PgConnection;
use strowger_core::{
    caller_id::{self, CallerId},
    compliance::{Candidate, Consulted, PackId, Packs, Past, Refusal, check, consent_in_force},
    ids::{AttemptId, CallerIdPoolId, TrunkId},
    ledger::{Decision, Dial, Entry},
    lists::order::local_hour,
    pacing::Segment,
    phone::{PhoneNumber, number_type, zones_of},
    switchboard::NewAttempt,
    telephony::ServerName,
    time::{Timestamp, after},
};
use uuid::Uuid;

use super::{
    facts::{Gathered, lock_keys},
    terms::Terms,
};
use crate::{Error, caller_ids::pool_for, hopper::Taken};

/// A contact that cannot be dialed for want of a number to show waits so long.
const NO_CALLER_ID_MS: u64 = 300_000;

/// With what, and when.
pub(super) struct Line<'a> {
    pub(super) trunk: &'a TrunkId,
    pub(super) server: &'a ServerName,
    pub(super) epoch: i64,
    pub(super) pacing: &'a serde_json::Value,
    pub(super) packs: &'a Packs,
    pub(super) now: Timestamp,
}

/// What was decided about one contact.
pub(super) struct Outcome<'a> {
    pub(super) taken: &'a Taken,
    pub(super) at: Timestamp,
    pub(super) result: Result<NewAttempt, Refusal>,
    caller_id_why: String,
    candidate: Candidate,
    consulted: Vec<Consulted>,
    consent: Option<Uuid>,
}

/// What was decided in one transaction.
#[derive(Default)]
pub(super) struct Decided<'a> {
    pub(super) outcomes: Vec<Outcome<'a>>,
    /// The pool that caller ids were chosen from.
    pub(super) pool: Option<CallerIdPoolId>,
}

/// Locks what the contacts concern, gathers what is known of it, and decides on each. As many
/// `ids` must be given as contacts.
pub(super) async fn decide<'a>(
    db: &mut PgConnection,
    terms: &Terms,
    line: &Line<'_>,
    taken: &'a [Taken],
    ids: &[AttemptId],
) -> Result<Decided<'a>, Error> {
    if taken.is_empty() {
        return Ok(Decided::default());
    }
    lock_keys(db, taken).await?;
    let mut known = Gathered::load(db, terms, line.packs, line.now, taken).await?;
    let mut pool = pool_for(db, &terms.purpose.campaign).await?;
    let mut outcomes = Vec::with_capacity(taken.len());
    // A microsecond apart, so that no two attempts of a batch can be taken for one.
    for (place, (taken, id)) in (0..).zip(taken.iter().zip(ids)) {
        let at = after_micros(line.now, place);
        let candidate = Candidate {
            number: taken.number.clone(),
            zones: taken.zones.clone(),
            requested: taken.callback.is_some(),
        };
        let facts = known.facts(taken);
        let verdict = check(
            line.packs,
            &terms.selected,
            &terms.own,
            &terms.purpose,
            &candidate,
            &facts,
            at,
        );
        let shown = match verdict.refusal {
            Some(refusal) => Err(refusal),
            None => choose(terms, &mut pool, &taken.number, at),
        };
        let (result, caller_id_why) = match shown {
            Ok((caller_id, why)) => (Ok(new_attempt(*id, taken, caller_id, at)), why),
            Err(refusal) => (Err(refusal), String::new()),
        };
        if result.is_ok() {
            known.add(taken, &placed(terms, &candidate, at));
        }
        outcomes.push(Outcome {
            taken,
            at,
            result,
            caller_id_why,
            candidate,
            consulted: verdict.consulted,
            consent: consent_in_force(&facts.consents, &terms.purpose, at),
        });
    }
    Ok(Decided {
        outcomes,
        pool: pool.map(|(id, _)| id),
    })
}

/// The number to show, when it is not the campaign's own, and why.
fn choose(
    terms: &Terms,
    pool: &mut Option<(CallerIdPoolId, Vec<CallerId>)>,
    dialed: &PhoneNumber,
    at: Timestamp,
) -> Result<(Option<PhoneNumber>, String), Refusal> {
    let Some((id, numbers)) = pool else {
        return Ok((None, "the campaign's own".to_owned()));
    };
    match caller_id::take(numbers, dialed, at) {
        Some(choice) => Ok((Some(choice.number), format!("pool {id}: {}", choice.why))),
        None if terms.caller_id.is_some() => Ok((
            None,
            format!("the campaign's own: pool {id} has no number to show"),
        )),
        None => Err(Refusal {
            rule: "strowger/caller-id".to_owned(),
            reason: format!(
                "The pool {id} has no number to show, and the campaign none of its own: add one."
            ),
            until: Some(after(at, NO_CALLER_ID_MS)),
        }),
    }
}

fn after_micros(now: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_microsecond(now.as_microsecond().saturating_add(micros)).unwrap_or(now)
}

fn new_attempt(
    attempt: AttemptId,
    taken: &Taken,
    caller_id: Option<PhoneNumber>,
    at: Timestamp,
) -> NewAttempt {
    NewAttempt {
        attempt,
        contact: taken.contact.clone(),
        number: taken.number.clone(),
        ordinal: taken.attempts_made + 1,
        caller_id,
        agent: taken.agent.clone(),
        segment: segment(&taken.list, &taken.number, taken.zones.first(), at),
    }
}

/// An attempt that is about to be placed counts as placed.
fn placed(terms: &Terms, candidate: &Candidate, at: Timestamp) -> Past {
    Past {
        at,
        activity: terms.purpose.activity,
        requested: candidate.requested,
        placed: true,
        conversation: false,
        refused: false,
        abandoned: false,
    }
}

impl Outcome<'_> {
    /// What the ledger keeps of it.
    pub(super) fn entry(&self, terms: &Terms, line: &Line<'_>) -> Entry {
        let decision = match &self.result {
            Ok(new) => Decision::Dial(Dial {
                attempt: new.attempt,
                ordinal: new.ordinal,
                caller_id: new.caller_id.clone().or_else(|| terms.caller_id.clone()),
                caller_id_why: self.caller_id_why.clone(),
                trunk: line.trunk.clone(),
                server: line.server.clone(),
                agent: new.agent.clone(),
            }),
            Err(refusal) => Decision::Refusal(refusal.clone()),
        };
        Entry {
            campaign: terms.purpose.campaign.clone(),
            contact: self.taken.contact.clone(),
            number: self.taken.number.clone(),
            at: self.at,
            activity: terms.purpose.activity,
            channel: terms.purpose.channel,
            automated: terms.purpose.automated,
            requested: self.candidate.requested,
            zones: self.candidate.zones.clone(),
            consulted: self.consulted.clone(),
            consent: self.consent,
            packs: terms
                .selected
                .iter()
                .map(|id| version(line.packs, id, self.at))
                .collect(),
            pacing: line.pacing.clone(),
            decision,
        }
    }
}

/// A pack and its version in force.
fn version(packs: &Packs, id: &PackId, at: Timestamp) -> String {
    match packs.get(id).map(|pack| pack.version(at)) {
        Some(Some(version)) => format!("{id} {}", version.effective_from),
        Some(None) => format!("{id}, no version in force"),
        None => format!("{id}, not installed"),
    }
}

/// Which contacts answer alike: those of one list, one type of number and one hour of their
/// day, in `zone` or, when the list says none, in the first that the number may be in. FNV-1a,
/// and never the 0 of contacts of which nobody knows.
pub(crate) fn segment(
    list: &str,
    number: &PhoneNumber,
    zone: Option<&String>,
    at: Timestamp,
) -> Segment {
    let of_number = || zones_of(number).first().copied();
    let zone = zone.map(String::as_str).or_else(of_number);
    let hour = local_hour(zone.unwrap_or_default(), at);
    let kind = number_type(number);
    let hash = list
        .bytes()
        .chain([0])
        .chain(kind.as_str().bytes())
        .chain([0, hour])
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    Segment(hash.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_of_one_list_type_and_hour_of_their_day_are_one_segment() {
        let number = |text: &str| PhoneNumber::parse(text, "FR").unwrap();
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (mobile, fixed) = (number("+33639981234"), number("+33142278186"));
        let (ten, eleven) = (at("2026-01-12T09:10:00Z"), at("2026-01-12T10:10:00Z"));
        let one = segment("list", &mobile, None, ten);
        assert_eq!(
            segment("list", &number("+33639985678"), None, ten),
            one,
            "another mobile"
        );
        assert_eq!(
            segment("list", &mobile, None, at("2026-01-13T09:50:00Z")),
            one,
            "the same hour of another day"
        );
        let athens = "Europe/Athens".to_owned();
        let others = [
            segment("other", &mobile, None, ten),
            segment("list", &fixed, None, ten),
            segment("list", &mobile, None, eleven),
            segment("list", &mobile, Some(&athens), ten),
            Segment::default(),
        ];
        assert!(!others.contains(&one), "{others:?}");
        assert_eq!(
            others[3], others[2],
            "it is eleven in Athens already, by the clock of the contact"
        );
    }
}
