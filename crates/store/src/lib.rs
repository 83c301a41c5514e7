//! PostgreSQL: the only source of truth of Strowger.
//!
//! One module per aggregate, each a set of named queries on [`Store`]; SQL is checked
//! against the schema when the crate is compiled (the answers are kept in `.sqlx/`, so
//! that building needs no database). To add a query, write it with `sqlx::query!` in the
//! module of its aggregate and run `scripts/gen.sh`.
//!
//! [`cluster`] runs a private PostgreSQL server when none is configured.
#![forbid(unsafe_code)]

pub mod activity_types;
pub mod agent_profiles;
pub mod agents;
pub mod amd;
pub mod api_keys;
pub mod attempts;
pub mod audit;
pub mod backups;
pub mod callbacks;
pub mod caller_ids;
pub mod calls;
pub mod campaigns;
pub mod cards;
pub mod cluster;
pub mod consents;
pub mod contacts;
mod convert;
pub mod desk;
pub mod devices;
pub mod dnc;
mod error;
pub mod figures;
pub mod flows;
pub mod history;
pub mod hopper;
pub mod inbound;
pub mod ledger;
pub mod lists;
pub mod locks;
pub mod login_sessions;
pub mod media_files;
pub mod mfa;
pub mod notes;
pub mod opt_outs;
mod outcomes;
pub mod pacing;
pub mod password_resets;
pub mod planning;
mod preview;
pub mod qualifications;
pub mod qualify;
pub mod reader;
pub mod recycle;
pub mod restore;
pub mod scripts;
pub mod settings;
pub mod sites;
pub mod transfers;
pub mod trunks;
pub mod user_groups;
pub mod users;
pub mod views;
mod writes;

use std::{sync::Arc, time::Duration};

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use error::Error;

/// The migrations of this version.
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// A number that differs between schemas: tests keep a migrated template per schema.
pub fn schema_fingerprint() -> u64 {
    MIGRATIONS
        .iter()
        .flat_map(|migration| migration.checksum.iter())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

/// The advisory lock of the daemon: "strowger" in ASCII.
const NODE_LOCK: i64 = 0x7374_726f_7767_6572;

/// Held by the one daemon that works on a database; released when it is dropped or its
/// process ends, however it ends.
#[derive(Debug)]
pub struct NodeLock {
    _connection: sqlx::PgConnection,
}

/// What became of something that was to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// There was none.
    Absent,
    /// It stays, as it is needed.
    Kept,
}

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    /// The person for whom it works; none is the system itself.
    by: Option<Arc<audit::Person>>,
}

impl Store {
    /// Connects with at most `connections` connections.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when the server does not answer within 10 seconds.
    pub async fn connect(options: PgConnectOptions, connections: u32) -> Result<Self, Error> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options.application_name("strowger"))
            .await
            .map_err(Error::Unreachable)?;
        Ok(Self { pool, by: None })
    }

    /// Brings the schema up to this version; does nothing when it is.
    ///
    /// # Errors
    /// [`Error::Migrate`] when a migration fails or the schema is newer than this version.
    pub async fn migrate(&self) -> Result<(), Error> {
        MIGRATIONS.run(&self.pool).await.map_err(Error::Migrate)
    }

    /// Whether the schema is that of this version.
    ///
    /// # Errors
    /// [`Error::Outdated`] names what is missing.
    pub async fn check_schema(&self) -> Result<(), Error> {
        let applied: Option<i64> =
            sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&self.pool)
                .await
                .unwrap_or(None);
        let wanted = MIGRATIONS.iter().map(|migration| migration.version).max();
        if applied == wanted {
            Ok(())
        } else {
            Err(Error::Outdated { applied, wanted })
        }
    }

    /// Makes this the one daemon that works on the database, for as long as the lock is kept.
    /// A lock of a daemon that was just killed is waited for.
    ///
    /// # Errors
    /// [`Error::InUse`] when another daemon holds it for 10 seconds.
    pub async fn lock_node(&self) -> Result<NodeLock, Error> {
        let mut connection = self.pool.acquire().await?.detach();
        for _ in 0..100 {
            let locked: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
                .bind(NODE_LOCK)
                .fetch_one(&mut connection)
                .await?;
            if locked {
                return Ok(NodeLock {
                    _connection: connection,
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(Error::InUse)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Database`] when it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    /// How many events have been recorded. Walks the whole table: for demos and tests.
    ///
    /// # Errors
    /// [`Error::Database`] when the database does not answer.
    pub async fn event_count(&self) -> Result<i64, Error> {
        let count = sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM events"#)
            .fetch_one(&self.pool)
            .await?;
        Ok(count)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The pool, for tests that look at tables.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}
