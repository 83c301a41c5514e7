//! `strowger trunk password`.

use anyhow::{Context, bail};
use clap::Subcommand;
use secrecy::ExposeSecret as _;
use strowger_core::ids::TrunkId;

use crate::{
    config::Config,
    daemon::{self, Database, Purpose},
};

/// What to do with trunks.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Print the password of a trunk, for the configuration of its exchange.
    Password {
        /// The id of the trunk.
        id: TrunkId,
    },
}

/// Carries it out.
///
/// # Errors
/// When the database cannot be read, there is no such password, or it was sealed with another
/// `secrets.key`.
#[expect(clippy::print_stdout, reason = "what the command is for")]
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let Command::Password { id } = command;
    let database = Database::open(&config, Purpose::OneCommand, config.database.migrate).await?;
    let found = database.store.trunk_secret(&id).await;
    database.close().await;
    let Some(sealed) = found? else {
        bail!("no password is kept of a trunk {id}: see GET /api/v1/trunks");
    };
    let auth = daemon::sealing(&config)?;
    let password = auth.open_trunk(&id, &sealed).context(
        "secrets.key is not the one that sealed this password: use that, or set the password again",
    )?;
    println!("{}", password.expose_secret());
    Ok(())
}
