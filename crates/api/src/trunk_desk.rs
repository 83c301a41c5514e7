//! A change of a trunk is kept when its exchange has taken it.
//!
//! It is made in a transaction first. What the exchange is given is the table as it will be; then
//! the transaction is committed. When anything fails, the exchange gets the table as it is. A
//! crash in between leaves an exchange that is ahead of the table, which the daemon sees when it
//! connects the next time.

use secrecy::ExposeSecret as _;
use strowger_core::{
    ids::TrunkId,
    telephony::ServerName,
    trunk_file::{Fault, OwnTrunk, Password, Refused},
};
use strowger_store::trunks::{OwnRow, Saving, Trunk, TrunkAuth};

use crate::{
    auth::Auth,
    problem::{FieldError, Problem},
    state::{App, TrunkDesk},
};

/// A password that was sealed with another key, or for another trunk.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the password of trunk {0} cannot be opened with this secrets.key: set it again, or remove it"
)]
pub struct NotOpened(pub TrunkId);

/// What an exchange is told of trunks of the database.
///
/// # Errors
/// The first trunk whose password cannot be opened.
pub fn own_trunks(auth: &Auth, rows: Vec<OwnRow>) -> Result<Vec<OwnTrunk>, NotOpened> {
    let own = |(trunk, sealed): OwnRow| {
        let id = &trunk.settings.id;
        let password = sealed.map(|sealed| auth.open_trunk(id, &sealed));
        let password = password.transpose().map_err(|_| NotOpened(id.clone()))?;
        let password = password.map(|password| Password::new(password.expose_secret()));
        Ok(own_trunk(&trunk, password))
    };
    rows.into_iter().map(own).collect()
}

/// What an exchange is told of a trunk.
pub(crate) fn own_trunk(trunk: &Trunk, password: Option<Password>) -> OwnTrunk {
    let carrier = trunk.carrier.clone();
    OwnTrunk {
        endpoint: trunk.settings.endpoint.clone(),
        domain: carrier.domain,
        login: carrier.login,
        password,
        registers: carrier.auth == TrunkAuth::Register,
        register_string: carrier.register_string,
        inbound_context: carrier.inbound_context,
        match_addresses: carrier.match_addresses,
        codecs: carrier.codecs,
        caller_id: carrier.caller_id,
    }
}

/// Has the exchanges take a change of the trunk at this endpoint, then keeps it. To be run to its
/// end ([`App::finish`](crate::state::App::finish)).
///
/// # Errors
/// Says what the exchange said; then nothing is changed.
pub(crate) async fn keep(
    app: &App,
    mut saving: Saving,
    endpoint: &str,
    servers: Vec<ServerName>,
) -> Result<(), Problem> {
    let Some(desk) = app.api.trunks.as_deref() else {
        return Ok(saving.commit().await?);
    };
    let mut told = Vec::new();
    for server in servers {
        if !desk.configures(&server) {
            continue;
        }
        let given = give(app, desk, &mut saving, &server, endpoint).await;
        told.push(server);
        if let Err(problem) = given {
            drop(saving);
            told.pop();
            give_as_it_is(app, desk, told).await;
            return Err(problem);
        }
    }
    if let Err(error) = saving.commit().await {
        // Kept or not: the table says.
        give_as_it_is(app, desk, told).await;
        return Err(error.into());
    }
    Ok(())
}

async fn give(
    app: &App,
    desk: &dyn TrunkDesk,
    saving: &mut Saving,
    server: &ServerName,
    endpoint: &str,
) -> Result<(), Problem> {
    let trunks = own_trunks(&app.api.auth, saving.ours(server).await?)
        .map_err(|error| Problem::conflict(error.to_string()))?;
    let applied = desk.apply(server.clone(), trunks).await;
    applied.map_err(|refused| problem(refused, endpoint))
}

/// Gives exchanges what the table says.
async fn give_as_it_is(app: &App, desk: &dyn TrunkDesk, servers: Vec<ServerName>) {
    for server in servers {
        let again = async {
            let mut held = app.api.store.hold_trunks().await?;
            let trunks = own_trunks(&app.api.auth, held.ours(&server).await?)
                .map_err(|error| Problem::conflict(error.to_string()))?;
            let applied = desk.apply(server.clone(), trunks).await;
            applied.map_err(|refused| problem(refused, ""))
        };
        if let Err(problem) = again.await {
            tracing::error!(%server, detail = problem.detail(), "The exchange may have other trunks than the database until it is connected anew");
        }
    }
}

/// What a refusal means for a change of the trunk at this endpoint.
fn problem(refused: Refused, endpoint: &str) -> Problem {
    let text = refused.to_string();
    match refused {
        Refused::Faulty(faulty) if faulty.endpoint == endpoint => {
            Problem::invalid(fields(faulty.faults))
        }
        Refused::NoContext { endpoint: of, .. } if of == endpoint => {
            Problem::field("inbound_context", text)
        }
        Refused::Faulty(_) | Refused::Clash(_) | Refused::NoContext { .. } => {
            Problem::conflict(text)
        }
        Refused::Unreachable(_) => Problem::unavailable("exchange-down", text, 5),
        Refused::File(_) => Problem::unavailable("trunks-file", text, 30),
        Refused::NotTaken(_) | Refused::NotRestored { .. } => Problem::elsewhere(text),
    }
}

fn fields(faults: Vec<Fault>) -> Vec<FieldError> {
    let field = |fault: Fault| FieldError {
        field: fault.field.to_owned(),
        reason: fault.reason,
    };
    faults.into_iter().map(field).collect()
}
