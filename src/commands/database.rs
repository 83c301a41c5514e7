//! `strowger migrate` and `strowger user create`.

use std::io::Read as _;

use anyhow::Context;
use strowger_core::{ids::UserId, permission::Role};
use strowger_store::{
    agent_profiles::DEFAULT_PROFILE,
    audit::By,
    users::{NewPerson, Profile, User},
};

use crate::{
    config::Config,
    daemon::{self, Database, Purpose},
};

/// Brings the schema up to date.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config, Purpose::OneCommand, true).await?;
    database.close().await;
    Ok(())
}

/// Adds a user whose password is the first line of standard input.
///
/// # Errors
/// When the password is too short or the login id is taken.
pub async fn create_user(
    config: Config,
    login_id: String,
    role: Role,
    first_name: String,
    last_name: String,
) -> anyhow::Result<()> {
    let mut input = String::new();
    std::io::stdin()
        .take(4_096)
        .read_to_string(&mut input)
        .context("cannot read the password from standard input")?;
    let password = input.lines().next().unwrap_or_default();
    let password_hash = daemon::hash_password(&login_id, password, config.auth.min_password_len)
        .await
        .context("give the password on the first line of standard input")?;
    let user = User {
        id: UserId::generate(daemon::new_id()),
        login_id,
        first_name,
        last_name,
        email: None,
        role,
        is_active: true,
        password_hash,
    };
    let database = Database::open(&config, Purpose::OneCommand, config.database.migrate).await?;
    let person = NewPerson {
        user,
        profile: Profile {
            agent_profile: Some(DEFAULT_PROFILE.to_owned().try_into()?),
            ..Profile::default()
        },
        picture: None,
    };
    // Nobody is logged in: the audit log names the system itself.
    let by = By {
        actor: None,
        now: daemon::now(),
    };
    let created = database.store.add_users(&[person], by).await;
    database.close().await;
    created
        .map_err(|(_, error)| error)
        .context("cannot add the user")?;
    Ok(())
}
