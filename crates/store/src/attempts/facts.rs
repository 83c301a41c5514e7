//! Everything that rules ask about the contacts of one claim, read with few queries.

use std::collections::HashMap;

use sqlx::PgConnection;
use strowger_core::{
    compliance::{Consent, DoNotCall, Facts, OptOut, Packs, Past},
    disposition::Disposition,
    time::Timestamp,
};

use super::terms::Terms;
use crate::{
    Error,
    convert::{parse, timestamp, utc, word},
    hopper::Taken,
};

/// Attempts that are read of one number, person or debt, newest first: far more than any cap.
const HISTORY: i64 = 500;

/// Consents and opt-outs that are read of one number or person, newest first.
const STATEMENTS: i64 = 200;

type Moment = chrono::DateTime<chrono::Utc>;

/// Locks the numbers, persons and debts of the contacts until the transaction ends: nobody
/// else decides about one of them meanwhile. All take them in the order of their hashes, so
/// that nobody waits in a circle; two keys of one hash only wait for one another.
pub(super) async fn lock_keys(db: &mut PgConnection, taken: &[Taken]) -> Result<(), Error> {
    let mut keys = Vec::with_capacity(3 * taken.len());
    for contact in taken {
        keys.push(format!("number {}", contact.number));
        keys.extend(
            contact
                .person_key
                .as_ref()
                .map(|key| format!("person {key}")),
        );
        keys.extend(contact.debt_key.as_ref().map(|key| format!("debt {key}")));
    }
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hash) FROM (
             SELECT DISTINCT hashtextextended(key, 0) AS hash FROM UNNEST($1::text[]) AS key ORDER BY hash
         ) AS sorted",
        &keys
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What is known, by number, person and debt.
#[derive(Default)]
pub(super) struct Gathered {
    of_number: HashMap<String, Vec<Past>>,
    of_person: HashMap<String, Vec<Past>>,
    of_debt: HashMap<String, Vec<Past>>,
    consents: Vec<Statement<Consent>>,
    opt_outs: Vec<Statement<OptOut>>,
    do_not_call: HashMap<String, Vec<DoNotCall>>,
    scrubbed: Vec<(String, Option<Timestamp>)>,
}

/// What was said of a number, a person or both.
struct Statement<T> {
    number: Option<String>,
    person: Option<String>,
    what: T,
}

impl<T> Statement<T> {
    fn concerns(&self, taken: &Taken) -> bool {
        self.number.as_deref() == Some(taken.number.as_str())
            || (self.person.is_some() && self.person == taken.person_key)
    }
}

/// Attempts since a moment, newest first and not more than [`HISTORY`] of each key, that have
/// one of `$keys` in `$column`: each column has its own index.
macro_rules! past {
    ($db:expr, $column:literal, $keys:expr, $since:expr) => {{
        let rows = sqlx::query_as!(
            PastRow,
            r#"SELECT k.key AS "key!", a.created_at, a.activity, a.disposition, a.conversation, a.refused,
                      a.callback_id IS NOT NULL AS "requested!"
               FROM (SELECT DISTINCT key FROM UNNEST($1::text[]) AS key) k CROSS JOIN LATERAL (
                 SELECT * FROM attempts WHERE "# + $column + r#" = k.key AND created_at >= $2
                 ORDER BY created_at DESC LIMIT $3
               ) a ORDER BY a.created_at DESC"#,
            $keys,
            utc($since),
            HISTORY
        )
        .fetch_all(&mut *$db)
        .await?;
        by_key(rows)?
    }};
}

impl Gathered {
    /// Reads it. Call [`lock_keys`] first, in a statement before: what is read then is what
    /// the last holder of the locks left.
    pub(super) async fn load(
        db: &mut PgConnection,
        terms: &Terms,
        packs: &Packs,
        now: Timestamp,
        taken: &[Taken],
    ) -> Result<Self, Error> {
        let numbers: Vec<String> = taken.iter().map(|one| one.number.to_string()).collect();
        let persons: Vec<String> = taken
            .iter()
            .filter_map(|one| one.person_key.clone())
            .collect();
        let debts: Vec<String> = taken
            .iter()
            .filter_map(|one| one.debt_key.clone())
            .collect();
        let since = now
            .checked_sub(packs.lookback().max(terms.own.lookback()))
            .unwrap_or(Timestamp::MIN);
        let mut known = Self::default();
        known
            .histories(db, since, &numbers, &persons, &debts)
            .await?;
        known.consents = consents(db, &numbers, &persons).await?;
        known.opt_outs = opt_outs(db, terms.purpose.campaign.as_str(), &numbers, &persons).await?;
        known
            .lists(db, terms.purpose.campaign.as_str(), &numbers)
            .await?;
        Ok(known)
    }

    /// What rules ask about this contact.
    pub(super) fn facts(&self, taken: &Taken) -> Facts {
        let of = |map: &HashMap<String, Vec<Past>>, key: Option<&str>| {
            key.and_then(|key| map.get(key))
                .cloned()
                .unwrap_or_default()
        };
        Facts {
            of_number: of(&self.of_number, Some(taken.number.as_str())),
            of_person: of(&self.of_person, taken.person_key.as_deref()),
            of_debt: (taken.debt_key.as_deref()).map(|key| of(&self.of_debt, Some(key))),
            consents: concerning(&self.consents, taken),
            opt_outs: concerning(&self.opt_outs, taken),
            do_not_call: self
                .do_not_call
                .get(taken.number.as_str())
                .cloned()
                .unwrap_or_default(),
            scrubbed: self.scrubbed.clone(),
        }
    }

    /// Counts an attempt that is committed together with those decided after it.
    pub(super) fn add(&mut self, taken: &Taken, past: &Past) {
        let add = |map: &mut HashMap<String, Vec<Past>>, key: Option<&str>| {
            if let Some(key) = key {
                map.entry(key.to_owned())
                    .or_default()
                    .insert(0, past.clone());
            }
        };
        add(&mut self.of_number, Some(taken.number.as_str()));
        add(&mut self.of_person, taken.person_key.as_deref());
        add(&mut self.of_debt, taken.debt_key.as_deref());
    }

    async fn histories(
        &mut self,
        db: &mut PgConnection,
        since: Timestamp,
        numbers: &[String],
        persons: &[String],
        debts: &[String],
    ) -> Result<(), Error> {
        self.of_number = past!(db, "number", numbers, since);
        if !persons.is_empty() {
            self.of_person = past!(db, "person_key", persons, since);
        }
        if !debts.is_empty() {
            self.of_debt = past!(db, "debt_key", debts, since);
        }
        Ok(())
    }

    async fn lists(
        &mut self,
        db: &mut PgConnection,
        campaign: &str,
        numbers: &[String],
    ) -> Result<(), Error> {
        let rows = sqlx::query!(
            "SELECT n.number, n.list_id, n.added_at, l.kind FROM dnc_numbers n JOIN dnc_lists l ON l.id = n.list_id
             WHERE n.number = ANY($1) AND (l.campaign_id IS NULL OR l.campaign_id = $2)
             ORDER BY n.added_at DESC",
            numbers,
            campaign
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let hit = DoNotCall {
                list: row.list_id,
                kind: word("dnc_lists.kind", row.kind)?,
                since: timestamp(row.added_at),
            };
            self.do_not_call.entry(row.number).or_default().push(hit);
        }
        let rows = sqlx::query!(
            "SELECT id, scrubbed_at FROM dnc_lists WHERE kind = 'imported' ORDER BY id"
        )
        .fetch_all(db)
        .await?;
        self.scrubbed = rows
            .into_iter()
            .map(|row| (row.id, row.scrubbed_at.map(timestamp)))
            .collect();
        Ok(())
    }
}

fn concerning<T: Clone>(statements: &[Statement<T>], taken: &Taken) -> Vec<T> {
    statements
        .iter()
        .filter(|statement| statement.concerns(taken))
        .map(|statement| statement.what.clone())
        .collect()
}

struct PastRow {
    key: String,
    created_at: Moment,
    activity: String,
    disposition: Option<String>,
    conversation: bool,
    refused: bool,
    requested: bool,
}

fn by_key(rows: Vec<PastRow>) -> Result<HashMap<String, Vec<Past>>, Error> {
    let mut map: HashMap<String, Vec<Past>> = HashMap::new();
    for row in rows {
        let disposition = row
            .disposition
            .map(|word| parse::<Disposition>("attempts.disposition", &word))
            .transpose()?;
        let past = Past {
            at: timestamp(row.created_at),
            activity: word("attempts.activity", row.activity)?,
            requested: row.requested,
            placed: disposition.is_none_or(was_placed),
            conversation: row.conversation,
            refused: row.refused,
            abandoned: disposition == Some(Disposition::Abandoned),
        };
        map.entry(row.key).or_default().push(past);
    }
    Ok(map)
}

/// It reached the person's network. An attempt that we ended, or of which nobody knows how
/// it ended, may have rung: it counts.
fn was_placed(disposition: Disposition) -> bool {
    match disposition {
        Disposition::AnsweredHuman
        | Disposition::AnsweredMachine
        | Disposition::Abandoned
        | Disposition::AnsweredHangup
        | Disposition::Busy
        | Disposition::NoAnswer
        | Disposition::Rejected
        | Disposition::Cancelled
        | Disposition::Unknown => true,
        Disposition::Unreachable
        | Disposition::Invalid
        | Disposition::CarrierFailure
        | Disposition::ConfigurationFailure => false,
    }
}

async fn consents(
    db: &mut PgConnection,
    numbers: &[String],
    persons: &[String],
) -> Result<Vec<Statement<Consent>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT s.id AS "id!", s.number, s.person_key, s.channel AS "channel!", s.activity AS "activity!",
                  s.statement AS "statement!", s.at AS "at!", s.expires_at,
                  s.source AS "source!"
           FROM (
             SELECT c.* FROM (SELECT DISTINCT key FROM UNNEST($1::text[]) AS key) k CROSS JOIN LATERAL (
               SELECT * FROM consents WHERE number = k.key ORDER BY at DESC LIMIT $3) c
             UNION
             SELECT c.* FROM (SELECT DISTINCT key FROM UNNEST($2::text[]) AS key) k CROSS JOIN LATERAL (
               SELECT * FROM consents WHERE person_key = k.key ORDER BY at DESC LIMIT $3) c
           ) s ORDER BY s.at DESC, s.recorded_at DESC, s.id"#,
        numbers,
        persons,
        STATEMENTS
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Statement {
                number: row.number,
                person: row.person_key,
                what: Consent {
                    id: row.id,
                    channel: word("consents.channel", row.channel)?,
                    activity: word("consents.activity", row.activity)?,
                    given: row.statement == "given",
                    at: timestamp(row.at),
                    expires_at: row.expires_at.map(timestamp),
                    source: row.source,
                },
            })
        })
        .collect()
}

async fn opt_outs(
    db: &mut PgConnection,
    campaign: &str,
    numbers: &[String],
    persons: &[String],
) -> Result<Vec<Statement<OptOut>>, Error> {
    let rows = sqlx::query!(
        "SELECT number, person_key, channel, at FROM opt_outs
         WHERE (number = ANY($1) OR person_key = ANY($2)) AND (campaign_id IS NULL OR campaign_id = $3)
         ORDER BY at DESC",
        numbers,
        persons,
        campaign
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Statement {
                number: row.number,
                person: row.person_key,
                what: OptOut {
                    channel: match row.channel.as_str() {
                        "all" => None,
                        _ => Some(word("opt_outs.channel", row.channel)?),
                    },
                    at: timestamp(row.at),
                },
            })
        })
        .collect()
}
