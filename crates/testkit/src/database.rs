//! A database for each test.
//!
//! The server is the one named by `STROWGER_TEST_DATABASE` (a `postgres://` URL whose user
//! may create databases); without it, a private cluster in `/var/tmp/strowger-test` is
//! started and left running for the next test. A template is migrated once per schema; each
//! test copies it, which takes some 50 ms.

use std::{env, fs::File, path::Path, str::FromStr};

use anyhow::Context;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection, Executor, PgConnection,
    postgres::PgConnectOptions,
};
use strowger_store::{Store, cluster::Cluster};
use uuid::Uuid;

/// Where the private cluster of the tests lives.
const DIRECTORY: &str = "/var/tmp/strowger-test";

/// A database of one test, dropped with this value. Only a test that is killed leaves it behind.
#[derive(Debug)]
pub struct TestDatabase {
    /// The database, migrated and empty.
    pub store: Store,
    /// How to connect to it.
    pub options: PgConnectOptions,
    name: String,
    server: PgConnectOptions,
}

/// A migrated, empty database of the caller's own.
///
/// # Errors
/// When no server can be reached or started.
pub async fn fresh() -> anyhow::Result<TestDatabase> {
    let server = server().await?;
    let template = template(&server).await?;
    make(server, &template).await
}

/// A database of the caller's own without any table.
///
/// # Errors
/// When no server can be reached or started.
pub async fn bare() -> anyhow::Result<TestDatabase> {
    make(server().await?, "template0").await
}

async fn make(server: PgConnectOptions, template: &str) -> anyhow::Result<TestDatabase> {
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect_with(&server).await?;
    connection
        .execute(AssertSqlSafe(format!(
            "CREATE DATABASE {name} TEMPLATE {template}"
        )))
        .await
        .context("cannot copy the template database")?;
    connection.close().await?;
    let options = server.clone().database(&name);
    let store = Store::connect(options.clone(), 8).await?;
    Ok(TestDatabase {
        store,
        options,
        name,
        server,
    })
}

impl TestDatabase {
    /// How to connect to it, as `database.url` of the configuration wants it.
    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }

    /// Drops the database and tells when the server refuses.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn drop_now(mut self) -> anyhow::Result<()> {
        self.store.close().await;
        let name = std::mem::take(&mut self.name);
        drop_database(&self.server, &name).await
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if self.name.is_empty() {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        // A value cannot wait while it is dropped, a thread can.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(drop_database(&server, &name))
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            #[expect(clippy::print_stderr, reason = "for the person who runs the tests")]
            {
                eprintln!("the database {} is left behind", self.name);
            }
        }
    }
}

async fn drop_database(server: &PgConnectOptions, name: &str) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect_with(server).await?;
    connection
        .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .await?;
    Ok(())
}

async fn server() -> anyhow::Result<PgConnectOptions> {
    if let Ok(url) = env::var("STROWGER_TEST_DATABASE") {
        return PgConnectOptions::from_str(&url).context("STROWGER_TEST_DATABASE");
    }
    let directory = Path::new(DIRECTORY);
    let _lock = lock()?;
    let cluster = Cluster::start(directory).await?;
    Ok(cluster.options().database("postgres"))
}

/// Tests run as processes of their own: one at a time makes the cluster and the template.
fn lock() -> anyhow::Result<File> {
    let file = File::create("/var/tmp/strowger-test.lock")?;
    file.lock()?;
    Ok(file)
}

/// The name of the migrated template; it names the schema, so that another schema gets another one.
async fn template(server: &PgConnectOptions) -> anyhow::Result<String> {
    let name = format!("template_{:016x}", strowger_store::schema_fingerprint());
    let _lock = lock()?;
    let mut connection = PgConnection::connect_with(server).await?;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        let partial = format!("{name}_new");
        connection
            .execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {partial}")))
            .await?;
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {partial}")))
            .await?;
        let store = Store::connect(server.clone().database(&partial), 2).await?;
        store.migrate().await?;
        store.close().await;
        connection
            .execute(AssertSqlSafe(format!(
                "ALTER DATABASE {partial} RENAME TO {name}"
            )))
            .await?;
    }
    connection.close().await?;
    Ok(name)
}
