//! The dial ledger in the database: one chain per campaign.

mod export;
mod verify;

use sqlx::PgConnection;
use strowger_core::{
    ids::CampaignId,
    ledger::{Entry, Hash, genesis, row_hash},
};

use crate::{Error, Store, convert::utc};

pub use export::{Page, Record, Subject, Which};
pub use verify::Verification;

/// The end of a chain: kept outside of the database, it finds a chain that was rewritten as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain: the id of its campaign.
    pub chain: String,
    /// The place of the last row.
    pub seq: i64,
    /// Its hash.
    pub hash: Hash,
}

/// Appends entries of one campaign to its chain, in the transaction of what they tell of.
///
/// The head of the chain is locked until that transaction ends: call this last, so that
/// other runners of the campaign wait as shortly as can be. Other campaigns do not wait.
pub(crate) async fn append(
    db: &mut PgConnection,
    campaign: &CampaignId,
    entries: &[Entry],
) -> Result<(), Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let chain = campaign.as_str();
    let (mut seq, mut previous) = lock_head(db, chain).await?;
    let mut rows = Rows::default();
    for entry in entries {
        seq += 1;
        let body = entry.body();
        let hash = row_hash(&previous, chain, seq, &body);
        rows.push(seq, entry, body, previous, hash);
        previous = hash;
    }
    rows.insert(db, chain).await?;
    sqlx::query!(
        "UPDATE ledger_heads SET seq = $2, hash = $3 WHERE chain = $1",
        chain,
        seq,
        previous.0.as_slice()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The end of the chain, which nobody else moves until this transaction ends.
async fn lock_head(db: &mut PgConnection, chain: &str) -> Result<(i64, Hash), Error> {
    let before_first = genesis(chain);
    sqlx::query!(
        "INSERT INTO ledger_heads (chain, seq, hash) VALUES ($1, 0, $2) ON CONFLICT (chain) DO NOTHING",
        chain,
        before_first.0.as_slice()
    )
    .execute(&mut *db)
    .await?;
    let head = sqlx::query!(
        "SELECT seq, hash FROM ledger_heads WHERE chain = $1 FOR UPDATE",
        chain
    )
    .fetch_one(db)
    .await?;
    Ok((head.seq, read_hash("ledger_heads.hash", head.hash)?))
}

fn read_hash(what: &'static str, bytes: Vec<u8>) -> Result<Hash, Error> {
    <[u8; 32]>::try_from(bytes)
        .map(Hash)
        .map_err(|bytes| Error::Corrupt {
            what,
            detail: format!("{} bytes, a hash has 32", bytes.len()),
        })
}

/// Rows as columns, for one statement.
#[derive(Default)]
struct Rows {
    seq: Vec<i64>,
    at: Vec<chrono::DateTime<chrono::Utc>>,
    kind: Vec<String>,
    contact: Vec<String>,
    number: Vec<String>,
    attempt: Vec<Option<uuid::Uuid>>,
    rule: Vec<Option<String>>,
    body: Vec<String>,
    previous: Vec<Vec<u8>>,
    hash: Vec<Vec<u8>>,
}

impl Rows {
    fn push(&mut self, seq: i64, entry: &Entry, body: String, previous: Hash, hash: Hash) {
        self.seq.push(seq);
        self.at.push(utc(entry.at));
        self.kind.push(entry.kind().to_owned());
        self.contact.push(entry.contact.to_string());
        self.number.push(entry.number.to_string());
        self.attempt.push(entry.attempt().map(|id| id.0));
        self.rule.push(entry.rule().map(str::to_owned));
        self.body.push(body);
        self.previous.push(previous.0.to_vec());
        self.hash.push(hash.0.to_vec());
    }

    async fn insert(&self, db: &mut PgConnection, chain: &str) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO ledger (chain, campaign_id, seq, at, kind, contact_id, number, attempt_id, rule, body, previous, hash)
             SELECT $1, $1, * FROM UNNEST($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                 $7::uuid[], $8::text[], $9::text[], $10::bytea[], $11::bytea[])",
            chain,
            &self.seq,
            &self.at,
            &self.kind,
            &self.contact,
            &self.number,
            &self.attempt as &[Option<uuid::Uuid>],
            &self.rule as &[Option<String>],
            &self.body,
            &self.previous,
            &self.hash
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Appends entries to the chain of a campaign, in a transaction of their own: for entries
    /// that come from elsewhere. A claim writes its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_to_ledger(
        &self,
        campaign: &CampaignId,
        entries: &[Entry],
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        append(&mut tx, campaign, entries).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The ends of all chains, or of one, by their names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger_heads(&self, chain: Option<&str>) -> Result<Vec<ChainHead>, Error> {
        let rows = sqlx::query!(
            "SELECT chain, seq, hash FROM ledger_heads WHERE $1::text IS NULL OR chain = $1 ORDER BY chain",
            chain
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(ChainHead {
                    chain: row.chain,
                    seq: row.seq,
                    hash: read_hash("ledger_heads.hash", row.hash)?,
                })
            })
            .collect()
    }
}
