//! How long it takes to verify a dial ledger, and whether one flipped bit in it is found.
//!
//! Appends rows as claims do, to a database of its own, verifies them, flips one bit and
//! verifies again. Ends with code 1 when the verification is slower than it may be or does not
//! name the row. Run it by `scripts/bench-ledger.sh`.
#![expect(clippy::disallowed_types, reason = "it measures time")]

use std::{process::ExitCode, time::Instant};

use anyhow::{Context as _, ensure};
use serde_json::json;
use strowger_core::{
    compliance::{Activity, Channel, Consulted},
    ids::{AttemptId, CampaignId, ContactId, TrunkId},
    ledger::{Decision, Dial, Entry},
    phone::PhoneNumber,
    telephony::ServerName,
    time::{Timestamp, after},
};
use strowger_store::Store;
use strowger_testkit::database::fresh;
use uuid::Uuid;

/// Rows of the ledger.
const ROWS: u64 = 100_000;

/// Rows appended in one transaction.
const BATCH: u64 = 500;

/// The row whose bit is flipped.
const FLIPPED: i64 = 61_803;

/// Longest that a verification may take, in seconds.
const LIMIT_S: f64 = 5.0;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let as_json = std::env::args().any(|argument| argument == "--json");
    let database = fresh().await?;
    let store = &database.store;
    let campaign = CampaignId::new("bench")?;
    let began = Instant::now();
    for first in (0..ROWS).step_by(usize::try_from(BATCH)?) {
        let entries = (first..first + BATCH)
            .map(|place| entry(&campaign, place))
            .collect::<anyhow::Result<Vec<_>>>()?;
        store.append_to_ledger(&campaign, &entries).await?;
    }
    let append_s = began.elapsed().as_secs_f64();
    let body_bytes: i64 = sqlx::query_scalar("SELECT sum(octet_length(body))::bigint FROM ledger")
        .fetch_one(store.pool())
        .await?;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let verified = store.verify_ledger(None, &[]).await?;
        runs.push(began.elapsed().as_secs_f64());
        ensure!(
            (verified.rows, verified.fault_count) == (ROWS, 0),
            "the ledger as it was written has faults: {:?}",
            verified.faults
        );
    }
    let bit = flip(store).await?;
    let began = Instant::now();
    let verified = store.verify_ledger(None, &[]).await?;
    let found_s = began.elapsed().as_secs_f64();
    let slowest = runs.iter().copied().fold(found_s, f64::max);
    let named = verified.faults.len() == 1 && verified.faults.iter().all(|f| f.seq == FLIPPED);
    let good = named && slowest <= LIMIT_S;
    let faults: Vec<String> = verified.faults.iter().map(ToString::to_string).collect();
    let report = json!({
        "rows": ROWS, "body_bytes": body_bytes, "append_s": append_s, "verify_s": runs,
        "flipped": { "row": FLIPPED, "bit": bit }, "verify_flipped_s": found_s, "faults": faults,
        "limit_s": LIMIT_S, "good": good,
    });
    print(&if as_json {
        report.to_string()
    } else {
        format!(
            "{ROWS} rows ({} MB) appended in {append_s:.1} s, verified in {runs:.2?} s\n\
             bit {bit} of row {FLIPPED} flipped; verified in {found_s:.2} s: {}",
            body_bytes / 1_000_000,
            faults.join("; ")
        )
    });
    database.drop_now().await?;
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

#[expect(clippy::print_stdout, reason = "what the program is for")]
fn print(text: &str) {
    println!("{text}");
}

/// Flips the lowest bit of the last digit in the text of a row: what was seen of a cap.
async fn flip(store: &Store) -> anyhow::Result<i32> {
    let body: String = sqlx::query_scalar("SELECT body FROM ledger WHERE seq = $1")
        .bind(FLIPPED)
        .fetch_one(store.pool())
        .await?;
    let byte = body.find(" of 3").context("the text tells of a cap")? - 1;
    let bit = i32::try_from(byte * 8)?;
    sqlx::query(
        "UPDATE ledger SET body = convert_from(set_bit(convert_to(body, 'UTF8'), $2, 1 - get_bit(convert_to(body, 'UTF8'), $2)), 'UTF8')
         WHERE seq = $1",
    )
    .bind(FLIPPED)
    .bind(bit)
    .execute(store.pool())
    .await?;
    Ok(bit)
}

/// As much text as a call under a few rules has.
fn entry(campaign: &CampaignId, place: u64) -> anyhow::Result<Entry> {
    let start: Timestamp = "2026-05-04T08:00:00Z".parse()?;
    let saw = |rule: &str, value: String| Consulted {
        rule: rule.to_owned(),
        value,
    };
    let consulted = vec![
        saw("strowger/opt-out", "none".to_owned()),
        saw("strowger/do-not-call", "on no list".to_owned()),
        saw("fr", "version of 2026-08-11".to_owned()),
        saw("fr/consent", "given on 2026-02-01T10:00:00Z".to_owned()),
        saw(
            "fr/60-days-after-refusal",
            "no refusal since 2026-03-04T23:00:00Z".to_owned(),
        ),
        saw(
            "fr/calls-per-30-days",
            format!("{} of 3 since 2026-04-04T22:00:00Z", place % 3),
        ),
        saw("fr/calling-hours", "10:00 in Europe/Paris".to_owned()),
    ];
    Ok(Entry {
        campaign: campaign.clone(),
        contact: ContactId::new(format!("contact-{place}"))?,
        number: PhoneNumber::try_from(format!("+336399{place:06}"))?,
        at: after(start, place * 100),
        activity: Activity::Solicitation,
        channel: Channel::Voice,
        automated: true,
        requested: false,
        zones: vec!["Europe/Paris".to_owned()],
        consulted,
        consent: Some(Uuid::from_u128(u128::from(place))),
        packs: vec!["fr 2026-08-11".to_owned()],
        pacing: json!({ "agents": 12, "available": 3, "lines": 17, "risk": 0.0123 }),
        decision: Decision::Dial(Dial {
            attempt: AttemptId(Uuid::from_u128(u128::from(place))),
            ordinal: 1,
            caller_id: Some(PhoneNumber::try_from("+33142000001".to_owned())?),
            caller_id_why: "pool paris: same country, 1 leading digits in common".to_owned(),
            trunk: TrunkId::new("carrier")?,
            server: ServerName::from("pbx"),
            agent: None,
        }),
    })
}
