//! Measures how long the next batch of contacts takes out of a large list.
//!
//! `bench_hopper [--contacts N] [--batches N] [--directory PATH] [--keep]` makes a private
//! PostgreSQL in the directory, fills a campaign with N contacts in two lists and five zones,
//! three of which may be dialed at the hour of the measurement, and then fills the hopper and
//! takes 100 contacts from it again and again. The last line is one JSON object. With `--keep`
//! a list that is there already is used again, and left there.
//!
//! See `scripts/bench-lists.sh`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures time")]

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use strowger_core::{
    compliance::Packs,
    ids::CampaignId,
    lists::order::{DialOrder, Ranked},
    time::{Timestamp, after},
};
use strowger_store::{Store, cluster::Cluster, hopper};

type Failure = Box<dyn std::error::Error>;

/// Contacts of one batch.
const BATCH: u32 = 100;

/// In Europe it is 15:30, in New York 9:30, in Chicago 8:30; further west it is too early.
const NOW: &str = "2026-11-20T14:30:00Z";

const SCHEDULE: &str = r#"{"windows": {"monday": ["08:00-21:00"], "tuesday": ["08:00-21:00"],
    "wednesday": ["08:00-21:00"], "thursday": ["08:00-21:00"], "friday": ["08:00-21:00"]}}"#;

struct Options {
    contacts: u32,
    batches: u32,
    directory: PathBuf,
    keep: bool,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let mut options = Self {
            contacts: 10_000_000,
            batches: 500,
            directory: PathBuf::from("/var/tmp/strowger-bench-lists"),
            keep: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
            match name.as_str() {
                "--contacts" => options.contacts = value()?.parse()?,
                "--batches" => options.batches = value()?.parse()?,
                "--directory" => options.directory = value()?.into(),
                "--keep" => options.keep = true,
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::read()?;
    let cluster = Cluster::start(&options.directory).await?;
    let store = Store::connect(cluster.options(), 4).await?;
    store.migrate().await?;
    let now: Timestamp = NOW.parse()?;
    let built = build(store.pool(), options.contacts, now).await?;
    let result = measure(&store, options.batches, now).await;
    let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(store.pool())
        .await?;
    store.close().await;
    if !options.keep {
        cluster.stop().await?;
        std::fs::remove_dir_all(&options.directory)?;
    }
    let Measured { fill, take, both } = result?;
    let line = json!({
        "benchmark": "hopper",
        "contacts": options.contacts,
        "zones": 5,
        "batch": BATCH,
        "batches": options.batches,
        "build_s": built.as_secs(),
        "database_mb": size / 1_000_000,
        "fill_ms": percentiles(fill),
        "take_ms": percentiles(take),
        "batch_ms": percentiles(both),
    });
    println!("{line}");
    Ok(())
}

fn percentiles(mut times: Vec<Duration>) -> serde_json::Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times
            .get(place)
            .map_or(0.0, |time| (time.as_secs_f64() * 1e5).round() / 100.0)
    };
    json!({ "p50": at(50), "p95": at(95), "p99": at(99), "max": at(100) })
}

struct Measured {
    fill: Vec<Duration>,
    take: Vec<Duration>,
    both: Vec<Duration>,
}

async fn measure(store: &Store, batches: u32, now: Timestamp) -> Result<Measured, Failure> {
    let campaign = CampaignId::new("bench")?;
    let packs = Packs::built_in()?;
    let mut measured = Measured {
        fill: Vec::new(),
        take: Vec::new(),
        both: Vec::new(),
    };
    for batch in 0..batches {
        // The clock goes on, as it does for a daemon that dials.
        let now = after(now, u64::from(batch) * 100);
        let start = Instant::now();
        let filled = store.fill_hopper(&campaign, BATCH, &packs, now).await?;
        let fill = start.elapsed();
        let mut tx = store.pool().begin().await?;
        let taken = hopper::take(&mut tx, &campaign, &[], BATCH, now).await?;
        let take = start.elapsed().saturating_sub(fill);
        let ids: Vec<String> = taken.iter().map(|one| one.contact.to_string()).collect();
        sqlx::query(
            "UPDATE contacts SET status = 'claimed', claimed_by = gen_random_uuid() WHERE id = ANY($1)",
        )
        .bind(&ids)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if taken.len() != BATCH as usize || filled.added != BATCH {
            return Err(format!("batch {batch} has {} of {BATCH} contacts", taken.len()).into());
        }
        let closed = taken.iter().flat_map(|one| &one.zones);
        if let Some(zone) = closed
            .into_iter()
            .find(|zone| ["America/Denver", "America/Los_Angeles"].contains(&zone.as_str()))
        {
            return Err(
                format!("batch {batch} has a contact in {zone}, where it is too early").into(),
            );
        }
        measured.fill.push(fill);
        measured.take.push(take);
        measured.both.push(fill + take);
    }
    Ok(measured)
}

/// Fills the tables, unless they hold so many contacts already. Indexes and foreign keys are
/// made afterwards, as a restore does it.
async fn build(pool: &PgPool, contacts: u32, now: Timestamp) -> Result<Duration, Failure> {
    let start = Instant::now();
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM contacts")
        .fetch_one(pool)
        .await?;
    if there == i64::from(contacts) {
        println!("{there} contacts are there already");
        return Ok(Duration::ZERO);
    }
    println!("making {contacts} contacts");
    let mut db = pool.acquire().await?;
    let tables = ["contacts", "contact_phones"];
    let mut again = Vec::new();
    for table in tables {
        let constraints = sqlx::query(
            "SELECT conname, pg_get_constraintdef(oid) AS definition, contype::text AS kind FROM pg_constraint
             WHERE conrelid = $1::regclass AND contype = 'f'",
        )
        .bind(table)
        .fetch_all(&mut *db)
        .await?;
        for constraint in constraints {
            let (name, definition): (String, String) = (constraint.get(0), constraint.get(1));
            sqlx::raw_sql(AssertSqlSafe(format!(
                "ALTER TABLE {table} DROP CONSTRAINT {name}"
            )))
            .execute(&mut *db)
            .await?;
            again.push(format!(
                "ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID"
            ));
        }
        let indexes = sqlx::query(
            "SELECT i.indexname, i.indexdef FROM pg_indexes i
             WHERE i.tablename = $1 AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conname = i.indexname)",
        )
        .bind(table)
        .fetch_all(&mut *db)
        .await?;
        for index in indexes {
            let (name, definition): (String, String) = (index.get(0), index.get(1));
            sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {name}")))
                .execute(&mut *db)
                .await?;
            again.insert(0, definition);
        }
    }
    let first = Ranked {
        attempts: 0,
        priority: 0,
        added_at: now,
        due_at: now,
        best_hour: None,
    }
    .rank(DialOrder::NewFirst);
    let statements = format!(
        "SET synchronous_commit = off; SET maintenance_work_mem = '512MB';
         TRUNCATE campaigns, lists, contacts, contact_phones, hopper CASCADE;
         INSERT INTO campaigns (id, name, mode, schedule, hopper_min, state)
             VALUES ('bench', 'Benchmark', 'predictive', '{SCHEDULE}', 1, 'running');
         INSERT INTO lists (id, campaign_id, name, weight)
             VALUES ('bench', 'bench', 'Main', 70), ('bench-2', 'bench', 'Second', 30);
         INSERT INTO contacts (id, campaign_id, list_id, first_name, last_name, postal_code, custom_fields, status,
                               next_attempt_at, zones, rank, created_at)
         SELECT 'con_' || lpad(to_hex(i), 32, '0'), 'bench', CASE WHEN i % 10 < 7 THEN 'bench' ELSE 'bench-2' END,
                'First' || i % 5000, 'Last' || i % 70000, lpad((i % 100000)::text, 5, '0'),
                jsonb_build_object('balance', (i % 9000)::text, 'city', 'City ' || i % 300),
                CASE WHEN i % 20 = 7 THEN 'waiting' WHEN i % 20 = 13 THEN 'called' ELSE 'ready' END,
                '{now}'::timestamptz + interval '1 day', z.zone, {first} + i, '{now}'
         FROM generate_series(1, {contacts}) i,
         LATERAL (SELECT (ARRAY['Europe/Paris', 'America/New_York', 'America/Chicago', 'America/Denver',
                                'America/Los_Angeles'])[1 + (i / 3) % 5] AS zone) z;
         INSERT INTO contact_phones (contact_id, position, number, type, zones)
         SELECT id, 0, '+1' || (2000000000 + row_number() OVER ())::text, 'fixed-or-mobile', zones FROM contacts;"
    );
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut *db)
        .await?;
    println!("rows after {} s; making indexes", start.elapsed().as_secs());
    for statement in again {
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *db)
            .await?;
    }
    sqlx::raw_sql("VACUUM ANALYZE contacts; ")
        .execute(&mut *db)
        .await?;
    sqlx::raw_sql("VACUUM ANALYZE contact_phones")
        .execute(&mut *db)
        .await?;
    Ok(start.elapsed())
}
