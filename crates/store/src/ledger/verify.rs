//! Reading whole chains again.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use strowger_core::ledger::{Anchor, ChainReport, Fault, Head, Row, Verifier};

use super::ChainHead;
use crate::{Error, Store, convert::timestamp};

/// Most faults that are kept; further ones are counted.
const MAX_FAULTS: usize = 1_000;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// Chains read.
    pub chains: u64,
    /// Rows read.
    pub rows: u64,
    /// What is wrong, at most the first 1,000.
    pub faults: Vec<Fault>,
    /// How much is wrong in all.
    pub fault_count: u64,
}

impl Verification {
    fn add(&mut self, report: ChainReport) {
        self.chains += 1;
        self.rows += report.rows;
        self.fault_count += report.fault_count;
        let room = MAX_FAULTS.saturating_sub(self.faults.len());
        self.faults.extend(report.faults.into_iter().take(room));
    }
}

impl Store {
    /// Reads every chain, or that of one campaign, from its beginning, at one moment: rows that
    /// are appended meanwhile do not disturb it. `anchors` are ends that were kept outside.
    /// Its memory does not grow with the rows.
    ///
    /// # Errors
    /// When the database fails. A fault of a chain is none: it is in the answer.
    pub async fn verify_ledger(
        &self,
        chain: Option<&str>,
        anchors: &[ChainHead],
    ) -> Result<Verification, Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *tx)
            .await?;
        let heads = sqlx::query!(
            "SELECT chain, seq, hash FROM ledger_heads WHERE $1::text IS NULL OR chain = $1",
            chain
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut ends = Ends::default();
        for head in heads {
            let hash = head.hash;
            ends.heads.insert(
                head.chain,
                Head {
                    seq: head.seq,
                    hash,
                },
            );
        }
        for anchor in anchors {
            if chain.is_none_or(|chain| chain == anchor.chain) {
                let (seq, hash) = (anchor.seq, anchor.hash);
                ends.anchors
                    .insert(anchor.chain.clone(), Anchor { seq, hash });
            }
        }
        let mut found = Verification::default();
        let mut current: Option<Verifier> = None;
        {
            let mut rows = sqlx::query!(
                "SELECT chain, seq, at, kind, campaign_id, contact_id, number, attempt_id, rule, body, previous, hash
                 FROM ledger WHERE $1::text IS NULL OR chain = $1 ORDER BY chain, seq",
                chain
            )
            .fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                if current.as_ref().is_none_or(|now| now.chain() != row.chain) {
                    if let Some(done) = current.take() {
                        found.add(done.finish());
                    }
                    current = Some(ends.begin(&row.chain));
                }
                if let Some(verifier) = &mut current {
                    verifier.row(&Row {
                        seq: row.seq,
                        kind: &row.kind,
                        at: timestamp(row.at),
                        campaign: &row.campaign_id,
                        contact: &row.contact_id,
                        number: &row.number,
                        attempt: row.attempt_id,
                        rule: row.rule.as_deref(),
                        body: &row.body,
                        previous: &row.previous,
                        hash: &row.hash,
                    });
                }
            }
        }
        if let Some(done) = current.take() {
            found.add(done.finish());
        }
        while let Some(chain) = ends.left() {
            found.add(ends.begin(&chain).finish());
        }
        tx.commit().await?;
        Ok(found)
    }
}

/// Where each chain ends, as far as anybody says.
#[derive(Default)]
struct Ends {
    heads: BTreeMap<String, Head>,
    anchors: BTreeMap<String, Anchor>,
}

impl Ends {
    fn begin(&mut self, chain: &str) -> Verifier {
        Verifier::new(chain, self.heads.remove(chain), self.anchors.remove(chain))
    }

    /// A chain that should have rows and has none.
    fn left(&self) -> Option<String> {
        self.heads
            .keys()
            .next()
            .or_else(|| self.anchors.keys().next())
            .cloned()
    }
}
