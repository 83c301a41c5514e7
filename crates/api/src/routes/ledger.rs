//! The dial ledger: why each number was dialed or was not.

pub(crate) mod export;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{AttemptId, CampaignId},
    ledger::{Fault, Hash},
    time::{Timestamp, millis_between},
};
use strowger_store::ledger::{Page as After, Record, Subject, Which};
use utoipa::ToSchema;

use super::{audit::wrong_cursor, consents::number};
use crate::{
    guard::{May, ReadAudit, ReadLedger},
    input::{Check, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::Shared,
};

/// Verifying reads everything: not more often than once a minute.
const BETWEEN_MS: u64 = 60_000;

/// Which rows: of a number or of a campaign, in a period.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// About this number, in international form, in every campaign.
    number: Option<String>,
    /// Of this campaign.
    campaign_id: Option<String>,
    /// Not before this moment; from the beginning when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Before this moment; up to now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<String>,
}

impl Filter {
    fn read(self, now: Timestamp) -> Result<Which, Problem> {
        let mut check = Check::default();
        let some = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let moment = |check: &mut Check, field: &str, text: Option<String>, default: Timestamp| {
            text.map_or(Some(default), |text| {
                let read = text.trim().replace(' ', "+").parse::<Timestamp>();
                check.ok(
                    field,
                    read.map_err(|_| "write a moment as 2026-03-01T10:00:00Z"),
                )
            })
        };
        let subject = match (some(self.number), some(self.campaign_id)) {
            (Some(text), None) => check.ok("number", number(&text)).map(Subject::Number),
            (None, Some(id)) => check
                .ok("campaign_id", CampaignId::new(id))
                .map(Subject::Campaign),
            (Some(_), Some(_)) | (None, None) => {
                check.wrong("number", "give either a number or a campaign_id");
                None
            }
        };
        let from = moment(&mut check, "from", some(self.from), Timestamp::UNIX_EPOCH);
        let end = strowger_core::time::after(now, 1_000);
        let to = moment(&mut check, "to", some(self.to), end);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            check.wrong("to", "must be later than `from`");
        }
        check.done()?;
        match (subject, from, to) {
            (Some(subject), Some(from), Some(to)) => Ok(Which { subject, from, to }),
            _ => Err(Problem::internal()),
        }
    }
}

/// A row of the ledger, with what proves it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerView {
    /// The chain: the id of its campaign.
    chain: String,
    /// Its place in the chain, from 1.
    seq: i64,
    /// When it was decided.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// dial or refusal.
    kind: String,
    /// The contact.
    contact_id: String,
    /// The number.
    number: String,
    /// The attempt, when it was dialed.
    #[schema(value_type = Option<String>)]
    attempt_id: Option<AttemptId>,
    /// The rule that refused, when one did.
    rule: Option<String>,
    /// The text that was hashed: JSON with every rule consulted and what it saw.
    body: String,
    /// The hash of the row before it (SHA-256).
    #[schema(value_type = String)]
    previous: Hash,
    /// Its own.
    #[schema(value_type = String)]
    hash: Hash,
}

impl From<Record> for LedgerView {
    fn from(row: Record) -> Self {
        Self {
            chain: row.chain,
            seq: row.seq,
            at: row.at,
            kind: row.kind,
            contact_id: row.contact,
            number: row.number,
            attempt_id: row.attempt.map(AttemptId),
            rule: row.rule,
            body: row.body,
            previous: row.previous,
            hash: row.hash,
        }
    }
}

fn write_cursor(row: &Record) -> String {
    format!("{}.{}.{}", row.at.as_microsecond(), row.seq, row.chain)
}

fn read_cursor(text: &str) -> Option<After> {
    let mut parts = text.splitn(3, '.');
    Some(After {
        at: Timestamp::from_microsecond(parts.next()?.parse().ok()?).ok()?,
        seq: parts.next()?.parse().ok()?,
        chain: parts.next()?.to_owned(),
    })
}

/// List rows of the dial ledger
#[utoipa::path(
    get, path = "/api/v1/ledger", tag = "compliance", params(Filter, PageQuery),
    responses(
        (status = 200, description = "Oldest first", body = Page<LedgerView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<ReadLedger>,
    State(app): State<Shared>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<LedgerView>>, Problem> {
    let limit = page.limit()?;
    let which = filter.read(app.now())?;
    let after = page
        .cursor()
        .map(|text| read_cursor(text).ok_or_else(wrong_cursor))
        .transpose()?;
    let store = &app.api.store;
    let rows = store
        .ledger_records(&which, after.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(rows, limit, write_cursor, LedgerView::from))
}

/// The end of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HeadView {
    /// The chain: the id of its campaign.
    chain: String,
    /// The place of its last row.
    seq: i64,
    /// The hash of that row.
    #[schema(value_type = String)]
    hash: Hash,
}

/// List the ends of all chains
///
/// Kept outside of the database, they find a chain that was rewritten as a whole.
#[utoipa::path(
    get, path = "/api/v1/ledger/heads", tag = "compliance",
    responses((status = 200, description = "By chain", body = Page<HeadView>))
)]
pub(crate) async fn heads(
    _caller: May<ReadLedger>,
    State(app): State<Shared>,
) -> Result<Json<Page<HeadView>>, Problem> {
    let heads = app.api.store.ledger_heads(None).await?;
    let view = |head: strowger_store::ledger::ChainHead| HeadView {
        chain: head.chain,
        seq: head.seq,
        hash: head.hash,
    };
    Ok(Page::whole(heads.into_iter().map(view).collect()))
}

/// What to verify.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct VerifyQuery {
    /// Only the chain of this campaign.
    campaign_id: Option<String>,
}

/// What a verification found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifyView {
    /// Nothing is wrong.
    intact: bool,
    /// Chains read.
    chains: u64,
    /// Rows read.
    rows: u64,
    /// How much is wrong.
    fault_count: u64,
    /// What is wrong, at most the first 1,000.
    faults: Vec<FaultView>,
}

/// Something in a chain is not as it was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaultView {
    /// The chain.
    chain: String,
    /// The row.
    seq: i64,
    /// altered, column-altered, moved, detached, missing, inserted, head-altered, head-missing or
    /// anchor-differs.
    problem: &'static str,
    /// The same in a sentence.
    text: String,
}

impl From<Fault> for FaultView {
    fn from(fault: Fault) -> Self {
        Self {
            text: fault.to_string(),
            problem: fault.problem.word(),
            chain: fault.chain,
            seq: fault.seq,
        }
    }
}

/// Verify the dial ledger
///
/// Reads every row again and names those that were altered, removed, inserted or moved. At most
/// once a minute.
#[utoipa::path(
    post, path = "/api/v1/ledger/verify", tag = "compliance", params(VerifyQuery),
    responses(
        (status = 200, description = "Read to its end", body = Data<VerifyView>),
        (status = 429, description = "It was verified less than a minute ago, or is being verified", body = ProblemBody),
    )
)]
pub(crate) async fn verify(
    _caller: May<ReadAudit>,
    State(app): State<Shared>,
    Query(query): Query<VerifyQuery>,
) -> Result<Json<Data<VerifyView>>, Problem> {
    let campaign = query.campaign_id.filter(|id| !id.is_empty());
    let busy = |seconds| {
        Problem::too_many(
            "the ledger is verified at most once a minute: try again later",
            seconds,
        )
    };
    let mut last = app.verified_at.try_lock().map_err(|_| busy(60))?;
    let now = app.now();
    if last.is_some_and(|last| millis_between(last, now) < BETWEEN_MS) {
        return Err(busy(60));
    }
    *last = Some(now);
    let found = app
        .api
        .store
        .verify_ledger(campaign.as_deref(), &[])
        .await?;
    Ok(Data::of(VerifyView {
        intact: found.fault_count == 0,
        chains: found.chains,
        rows: found.rows,
        fault_count: found.fault_count,
        faults: found.faults.into_iter().map(FaultView::from).collect(),
    }))
}
