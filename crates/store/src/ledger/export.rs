//! Handing rows out as evidence.

use strowger_core::{ids::CampaignId, ledger::Hash, phone::PhoneNumber, time::Timestamp};
use uuid::Uuid;

use super::read_hash;
use crate::{
    Error, Store,
    convert::{timestamp, utc},
};

/// Which rows.
#[derive(Debug, Clone)]
pub struct Which {
    /// About what.
    pub subject: Subject,
    /// Not before this moment.
    pub from: Timestamp,
    /// Before this moment.
    pub to: Timestamp,
}

/// About what.
#[derive(Debug, Clone)]
pub enum Subject {
    /// A number, in every campaign.
    Number(PhoneNumber),
    /// A campaign.
    Campaign(CampaignId),
}

/// Where a page begins: behind this row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// When it was decided.
    pub at: Timestamp,
    /// Its chain.
    pub chain: String,
    /// Its place.
    pub seq: i64,
}

/// A row of the ledger, with what proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its chain: the id of its campaign.
    pub chain: String,
    /// Its place.
    pub seq: i64,
    /// When it was decided.
    pub at: Timestamp,
    /// `dial` or `refusal`.
    pub kind: String,
    /// The contact.
    pub contact: String,
    /// The number.
    pub number: String,
    /// The attempt.
    pub attempt: Option<Uuid>,
    /// The rule that refused.
    pub rule: Option<String>,
    /// The text that was hashed, JSON.
    pub body: String,
    /// The hash of the row before it.
    pub previous: Hash,
    /// Its own.
    pub hash: Hash,
}

impl Record {
    /// Where the page behind this row begins.
    pub fn page(&self) -> Page {
        Page {
            at: self.at,
            chain: self.chain.clone(),
            seq: self.seq,
        }
    }
}

impl Store {
    /// Rows by number or by campaign, and period; oldest first, those behind `after`, at most
    /// `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_records(
        &self,
        which: &Which,
        after: Option<&Page>,
        limit: u32,
    ) -> Result<Vec<Record>, Error> {
        // What stands on the first page's edge has no row: nothing is before place 0.
        let (at, chain, seq) = after.map_or((utc(which.from), "", 0), |page| {
            (utc(page.at), page.chain.as_str(), page.seq)
        });
        let (to, limit) = (utc(which.to), i64::from(limit));
        // Two queries, because each has its index.
        let rows = match &which.subject {
            Subject::Number(number) => {
                sqlx::query_as!(
                    Row,
                    "SELECT chain, seq, at, kind, contact_id, number, attempt_id, rule, body, previous, hash
                     FROM ledger WHERE number = $1 AND at < $2 AND (at, chain, seq) > ($3, $4, $5)
                     ORDER BY at, chain, seq LIMIT $6",
                    number.as_str(),
                    to,
                    at,
                    chain,
                    seq,
                    limit
                )
                .fetch_all(&self.pool)
                .await?
            }
            Subject::Campaign(campaign) => {
                sqlx::query_as!(
                    Row,
                    "SELECT chain, seq, at, kind, contact_id, number, attempt_id, rule, body, previous, hash
                     FROM ledger WHERE campaign_id = $1 AND at < $2 AND (at, seq) > ($3, $4)
                     ORDER BY at, seq LIMIT $5",
                    campaign.as_str(),
                    to,
                    at,
                    seq,
                    limit
                )
                .fetch_all(&self.pool)
                .await?
            }
        };
        rows.into_iter().map(Record::try_from).collect()
    }
}

struct Row {
    chain: String,
    seq: i64,
    at: chrono::DateTime<chrono::Utc>,
    kind: String,
    contact_id: String,
    number: String,
    attempt_id: Option<Uuid>,
    rule: Option<String>,
    body: String,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

impl TryFrom<Row> for Record {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            chain: row.chain,
            seq: row.seq,
            at: timestamp(row.at),
            kind: row.kind,
            contact: row.contact_id,
            number: row.number,
            attempt: row.attempt_id,
            rule: row.rule,
            body: row.body,
            previous: read_hash("ledger.previous", row.previous)?,
            hash: read_hash("ledger.hash", row.hash)?,
        })
    }
}
