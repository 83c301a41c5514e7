//! `strowger backup restore`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgConnectOptions;
use strowger_store::{backups::dump::Programs, cluster::Cluster};

use crate::{config::Config, daemon};

/// What to do with backups.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Restore a backup into an empty database.
    ///
    /// The daemon cannot work on it meanwhile. Afterwards `strowger serve` brings its schema up to
    /// date.
    Restore {
        /// The file of the backup.
        file: PathBuf,
        /// `postgres://user@host/name` of an empty database; the configured one when absent. A
        /// password is better given in PGPASSWORD or ~/.pgpass: everybody sees arguments.
        #[arg(
            long,
            value_name = "DATABASE_URL",
            env = "STROWGER_RESTORE_INTO",
            hide_env_values = true
        )]
        into: Option<SecretString>,
    },
}

/// Carries it out.
///
/// # Errors
/// When the database is not empty or cannot be reached, or the file is no backup.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let Command::Restore { file, into } = command;
    let (options, cluster) = match &into {
        Some(url) => {
            let options = url.expose_secret().parse::<PgConnectOptions>();
            let said = "--into must be the URL of a database, postgres://user@host/name";
            (options.context(said)?, None)
        }
        None => daemon::place(&config).await?,
    };
    let configured = Some(config.backup.programs.clone());
    let configured = configured.filter(|path| !path.as_os_str().is_empty());
    let own = cluster.as_ref().map(|one| one.binaries().to_owned());
    let restored = match Programs::find(configured.or(own).as_deref()) {
        Ok(programs) => programs.restore(&file, &options).await,
        Err(error) => Err(error),
    };
    // One that runs already is a daemon's.
    if let Some(cluster) = cluster.filter(Cluster::launched) {
        cluster.stop().await.context("private database")?;
    }
    restored?;
    let name = options.get_database().unwrap_or(options.get_username());
    println!("{} is restored into the database {name}.", file.display());
    if into.is_some() {
        println!(
            "Point database.url of the configuration at it and start strowger, which brings its schema up to date."
        );
    }
    Ok(())
}
