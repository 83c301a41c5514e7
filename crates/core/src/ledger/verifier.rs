//! Reading a chain from its beginning.

use std::fmt;

use serde::Deserialize;
use uuid::Uuid;

use super::{Hash, genesis, row_hash};
use crate::{ids::AttemptId, time::Timestamp};

/// Most faults that are told of one chain; further ones are counted.
const MAX_FAULTS: usize = 100;

/// How far from its place a row is looked for when it was moved.
const NEARBY: i64 = 64;

/// A row as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// Its place, from 1.
    pub seq: i64,
    /// `dial` or `refusal`.
    pub kind: &'a str,
    /// When it was decided.
    pub at: Timestamp,
    /// The campaign.
    pub campaign: &'a str,
    /// The contact.
    pub contact: &'a str,
    /// The number.
    pub number: &'a str,
    /// The attempt.
    pub attempt: Option<Uuid>,
    /// The rule that refused.
    pub rule: Option<&'a str>,
    /// The text that was hashed.
    pub body: &'a str,
    /// The hash of the row before it, as it is stored.
    pub previous: &'a [u8],
    /// Its hash, as it is stored.
    pub hash: &'a [u8],
}

/// The end of a chain, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The place of the last row; 0 for none.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// The end that a chain had when somebody wrote it down elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    /// The place of the row that was then the last; 0 for none.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
}

/// Something in a chain is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The chain.
    pub chain: String,
    /// The row.
    pub seq: i64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// Its text, its place or its hash was altered, or it was never written by Strowger.
    Altered,
    /// A column holds something else than the text that was hashed.
    Column(&'static str),
    /// It is in order by itself, and stands where another row was written.
    Moved {
        /// The place at which it was written.
        from: i64,
    },
    /// It is in order by itself, and does not follow the row before it.
    Detached,
    /// This row and those up to `to` are missing.
    Missing {
        /// The last one that is missing.
        to: i64,
    },
    /// It stands before the first or after the last row of the chain.
    Inserted,
    /// The head has another hash than this row, which it names as the last.
    Head,
    /// The chain has no head.
    NoHead,
    /// It has another hash than the one that was kept outside.
    Anchor,
}

impl Problem {
    /// A word for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Altered => "altered",
            Self::Column(_) => "column-altered",
            Self::Moved { .. } => "moved",
            Self::Detached => "detached",
            Self::Missing { .. } => "missing",
            Self::Inserted => "inserted",
            Self::Head => "head-altered",
            Self::NoHead => "head-missing",
            Self::Anchor => "anchor-differs",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            chain,
            seq,
            problem,
        } = self;
        write!(f, "chain {chain}, row {seq}: ")?;
        match problem {
            Problem::Altered => f.write_str("it was altered, or put in by somebody else"),
            Problem::Column(name) => {
                write!(f, "its column {name} was altered: it differs from what was hashed")
            }
            Problem::Moved { from } => write!(
                f,
                "it was written as row {from}: rows were reordered, inserted, or removed and numbered anew"
            ),
            Problem::Detached => write!(
                f,
                "it does not follow row {}: one of the two was replaced and hashed anew, or inserted",
                seq.saturating_sub(1)
            ),
            Problem::Missing { to } if to == seq => f.write_str("it is missing"),
            Problem::Missing { to } => write!(f, "it and all rows up to {to} are missing"),
            Problem::Inserted => f.write_str("it was inserted: the chain has no such place"),
            Problem::Head => f.write_str(
                "the head of the chain has another hash: the head was altered, or this row was replaced and hashed anew",
            ),
            Problem::NoHead => f.write_str("the head of the chain was removed"),
            Problem::Anchor => {
                f.write_str("it has another hash than the one kept outside: the chain was rewritten")
            }
        }
    }
}

/// What was found of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// The chain.
    pub chain: String,
    /// Rows read.
    pub rows: u64,
    /// What is wrong, at most the first 100.
    pub faults: Vec<Fault>,
    /// How much is wrong in all.
    pub fault_count: u64,
    /// The place of the last row read; 0 for none.
    pub last: i64,
}

/// Reads one chain, row by row in their order, and keeps nothing of them but hashes.
#[derive(Debug)]
pub struct Verifier {
    chain: String,
    head: Option<Head>,
    anchor: Option<Anchor>,
    anchor_seen: bool,
    last: i64,
    last_hash: Hash,
    /// After a faulty row: the hash that it should have had.
    or_else: Option<Hash>,
    rows: u64,
    faults: Vec<Fault>,
    fault_count: u64,
}

/// What the columns must agree with.
#[derive(Deserialize)]
struct Hashed<'a> {
    #[serde(borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    campaign: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    contact: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    number: std::borrow::Cow<'a, str>,
    attempt: Option<AttemptId>,
    at: Timestamp,
    #[serde(borrow)]
    rule: Option<std::borrow::Cow<'a, str>>,
}

impl Verifier {
    /// Begins a chain that ends with `head`, and held `anchor` when that was written down.
    pub fn new(chain: &str, head: Option<Head>, anchor: Option<Anchor>) -> Self {
        Self {
            chain: chain.to_owned(),
            head,
            anchor,
            anchor_seen: false,
            last: 0,
            last_hash: genesis(chain),
            or_else: None,
            rows: 0,
            faults: Vec::new(),
            fault_count: 0,
        }
    }

    /// The chain that is read.
    pub fn chain(&self) -> &str {
        &self.chain
    }

    /// Reads the next row.
    pub fn row(&mut self, row: &Row<'_>) {
        self.rows += 1;
        let before = self.fault_count;
        if row.seq <= self.last {
            self.fault(row.seq, Problem::Inserted);
            return;
        }
        let gap = row.seq > self.last + 1;
        if gap {
            let to = row.seq - 1;
            self.fault(self.last + 1, Problem::Missing { to });
        }
        let stored = <[u8; 32]>::try_from(row.hash).ok().map(Hash);
        let previous = <[u8; 32]>::try_from(row.previous).ok().map(Hash);
        // Behind a gap the row itself says what it follows; behind a faulty row either hash may be meant.
        let expected = match (gap, previous, self.or_else) {
            (true, Some(previous), _) => previous,
            (_, Some(previous), Some(other)) if previous == other => other,
            _ => self.last_hash,
        };
        let computed = row_hash(&expected, &self.chain, row.seq, row.body);
        if stored == Some(computed) {
            if previous != Some(expected) {
                self.fault(row.seq, Problem::Column("previous"));
            }
        } else {
            let problem = self.diagnose(row, previous, stored);
            self.fault(row.seq, problem);
        }
        // Of a row that is known to be altered there is no more to say.
        if stored == Some(computed)
            && let Some(column) = self.differing_column(row)
        {
            self.fault(row.seq, Problem::Column(column));
        }
        if self.head.as_ref().is_some_and(|head| row.seq > head.seq) {
            self.fault(row.seq, Problem::Inserted);
        }
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.seq == row.seq) {
            self.anchor_seen = true;
            if stored != Some(anchor.hash) {
                self.fault(row.seq, Problem::Anchor);
            }
        }
        self.last = row.seq;
        self.last_hash = stored.unwrap_or(computed);
        self.or_else = (self.fault_count > before).then_some(computed);
    }

    /// Ends the chain.
    pub fn finish(mut self) -> ChainReport {
        let last = self.last;
        match self.head.take() {
            None if self.rows > 0 => self.fault(last, Problem::NoHead),
            Some(head) if head.seq > last => {
                self.fault(last + 1, Problem::Missing { to: head.seq });
            }
            Some(head) if head.seq == last && head.hash != self.last_hash.0 => {
                self.fault(last, Problem::Head);
            }
            None | Some(_) => {}
        }
        if let Some(anchor) = self.anchor.filter(|anchor| anchor.seq > 0)
            && !self.anchor_seen
        {
            let problem = if anchor.seq > last {
                Problem::Missing { to: anchor.seq }
            } else {
                Problem::Anchor
            };
            self.fault((last + 1).min(anchor.seq), problem);
        }
        ChainReport {
            chain: self.chain,
            rows: self.rows,
            faults: self.faults,
            fault_count: self.fault_count,
            last,
        }
    }

    /// Why the stored hash is not that of the row in its place.
    fn diagnose(&self, row: &Row<'_>, previous: Option<Hash>, stored: Option<Hash>) -> Problem {
        let (Some(previous), Some(stored)) = (previous, stored) else {
            return Problem::Altered;
        };
        let fits = |seq: i64| row_hash(&previous, &self.chain, seq, row.body) == stored;
        if fits(row.seq) {
            return Problem::Detached;
        }
        (1..=NEARBY)
            .flat_map(|way| [row.seq.checked_sub(way), row.seq.checked_add(way)])
            .flatten()
            .find(|seq| fits(*seq))
            .map_or(Problem::Altered, |from| Problem::Moved { from })
    }

    /// The first column that does not say what the text says.
    fn differing_column(&self, row: &Row<'_>) -> Option<&'static str> {
        let Ok(hashed) = serde_json::from_str::<Hashed<'_>>(row.body) else {
            return Some("body");
        };
        [
            ("kind", hashed.kind == row.kind),
            (
                "campaign_id",
                hashed.campaign == row.campaign && row.campaign == self.chain,
            ),
            ("contact_id", hashed.contact == row.contact),
            ("number", hashed.number == row.number),
            ("attempt_id", hashed.attempt.map(|id| id.0) == row.attempt),
            ("at", hashed.at.as_microsecond() == row.at.as_microsecond()),
            ("rule", hashed.rule.as_deref() == row.rule),
        ]
        .into_iter()
        .find_map(|(name, agrees)| (!agrees).then_some(name))
    }

    fn fault(&mut self, seq: i64, problem: Problem) {
        self.fault_count += 1;
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault {
                chain: self.chain.clone(),
                seq,
                problem,
            });
        }
    }
}
