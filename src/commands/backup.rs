//! `strowger backup restore`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
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
        /// password is read from PGPASSWORD or ~/.pgpass: everybody sees arguments.
        #[arg(long, value_name = "DATABASE_URL")]
        into: Option<String>,
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
            if has_password(url) {
                bail!(
                    "--into has a password, which everybody on this machine can see: leave it out, \
                     and give it in the environment as PGPASSWORD, or in ~/.pgpass"
                );
            }
            let options = url.parse::<PgConnectOptions>();
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

/// Whether there is a password in the URL of a database.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split(['/', '?']).next().unwrap_or_default();
    let of_user = place
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'));
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    of_user || query.split('&').any(|pair| pair.starts_with("password="))
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_is_found_wherever_a_url_can_have_one() {
        for url in [
            "postgres://ada:secret@localhost/new",
            "postgresql://ada:@[::1]:5432/new",
            "postgres://ada@localhost/new?sslmode=require&password=secret",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in [
            "postgres://ada@localhost:5432/new",
            "postgres://localhost:5432/a:b@c",
            "postgres:///new?host=/run/postgresql&user=ada",
            "new",
        ] {
            assert!(!has_password(url), "{url}");
        }
    }
}
