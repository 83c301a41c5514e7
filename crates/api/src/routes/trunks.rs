//! SIP carriers and PBX links.

mod settings;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use strowger_core::{
    ids::TrunkId,
    live::{self, TrunkState},
    switchboard::Command,
    telephony::ServerName,
    time::Timestamp,
};
use strowger_store::trunks::{NotChanged, NotDeleted, Trunk, TrunkSecret};
use utoipa::ToSchema;

pub(crate) use settings::{
    NewTrunk, TrunkChanges, default_auth, default_channels, default_pattern, default_rate, server,
};

use super::campaigns;
use crate::{
    changes::{Kind, What},
    guard::{EditTrunks, May},
    input::{Body, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    state::{App, Shared},
    trunk_desk,
};

/// A trunk. Its password is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkView {
    /// Its id.
    #[schema(value_type = String, example = "trk_1")]
    pub(crate) id: TrunkId,
    /// Its name.
    name: String,
    /// The exchange that it is connected to.
    #[schema(value_type = String)]
    server: ServerName,
    /// The PJSIP endpoint.
    endpoint: String,
    /// Most channels at once.
    max_channels: u32,
    /// Most calls placed per second.
    max_calls_per_second: u32,
    /// Where the other end is, or empty.
    domain: String,
    /// What the exchange logs in with, or empty.
    login: String,
    /// A password is kept.
    has_password: bool,
    /// How the other end knows us: ip or register.
    auth_type: &'static str,
    /// Where and as whom to register, or empty.
    register_string: String,
    /// The numbers that it is for, as Asterisk writes patterns.
    dial_pattern: String,
    /// The context in which its calls arrive, or empty.
    inbound_context: String,
    /// Addresses and networks that its calls come from besides those in `domain`, or empty.
    match_addresses: String,
    /// Codecs in order of preference, or empty.
    codecs: String,
    /// The number in the From header of its calls, or empty.
    caller_id: String,
    /// Who configures the endpoint at the exchange: strowger, or somebody by hand.
    #[schema(example = "strowger")]
    configured_by: &'static str,
    /// working, resting (it failed too often and is left alone) or probing (one line finds out
    /// whether it works again); null when no campaign uses it.
    #[schema(value_type = Option<String>)]
    state: Option<TrunkState>,
    /// When a resting trunk is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl TrunkView {
    fn new(app: &App, trunk: Trunk, live: Option<&live::TrunkView>) -> Self {
        let configured_by = if is_configured_here(app, &trunk) {
            "strowger"
        } else {
            "hand"
        };
        let (settings, carrier) = (trunk.settings, trunk.carrier);
        Self {
            state: live.map(|live| live.state),
            until: live.and_then(|live| live.until),
            id: settings.id,
            name: trunk.name,
            server: settings.server,
            endpoint: settings.endpoint,
            max_channels: settings.max_channels,
            max_calls_per_second: settings.max_calls_per_second,
            domain: carrier.domain,
            login: carrier.login,
            has_password: trunk.has_password,
            auth_type: carrier.auth.as_str(),
            register_string: carrier.register_string,
            dial_pattern: carrier.dial_pattern,
            inbound_context: carrier.inbound_context,
            match_addresses: carrier.match_addresses,
            codecs: carrier.codecs,
            caller_id: carrier.caller_id,
            configured_by,
        }
    }

    /// With how it is doing.
    fn live(app: &App, trunk: Trunk) -> Self {
        let live = app.api.hub.trunks();
        let live = live.iter().find(|live| live.id == trunk.settings.id);
        Self::new(app, trunk, live.map(AsRef::as_ref))
    }
}

/// How a trunk is doing at its exchange.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct TrunkStatus {
    /// The exchange has the endpoint; null when the exchange cannot be asked now.
    configured: Option<bool>,
    /// The other end answers; null when the exchange does not know.
    reachable: Option<bool>,
    /// The state of its registration in Asterisk's words, such as Registered or Rejected; null
    /// when it has none.
    registration: Option<String>,
}

/// Whether the endpoint of a trunk is configured by us.
fn is_configured_here(app: &App, trunk: &Trunk) -> bool {
    let desk = app.api.trunks.as_deref();
    trunk.carrier.is_ours() && desk.is_some_and(|desk| desk.configures(&trunk.settings.server))
}

/// List trunks
#[utoipa::path(
    get, path = "/api/v1/trunks", tag = "trunks",
    responses((status = 200, description = "All trunks by name, at most 1,000", body = Page<TrunkView>))
)]
pub(crate) async fn list(
    _caller: May<EditTrunks>,
    State(app): State<Shared>,
) -> Result<Json<Page<TrunkView>>, Problem> {
    let trunks = app.api.store.whole_trunks().await?;
    let live = app.api.hub.trunks();
    Ok(Page::whole(
        trunks
            .into_iter()
            .map(|trunk| {
                let live = live.iter().find(|live| live.id == trunk.settings.id);
                TrunkView::new(&app, trunk, live.map(AsRef::as_ref))
            })
            .collect(),
    ))
}

/// Add a trunk
///
/// With a domain, its endpoint is configured at the exchange, which must take it: otherwise
/// nothing is added. Without one, or where the exchange has no `trunks_file`, somebody configures
/// the endpoint there, see `scripts/add-site-trunk.sh`.
#[utoipa::path(
    post, path = "/api/v1/trunks", tag = "trunks", request_body = NewTrunk,
    responses(
        (status = 201, description = "Added", body = Data<TrunkView>),
        (status = 409, description = "The id is in use, or the exchange has such an endpoint already", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 502, description = "Asterisk did not take it, and said this", body = ProblemBody),
        (status = 503, description = "The exchange cannot be asked now", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditTrunks>,
    State(app): State<Shared>,
    Body(new): Body<NewTrunk>,
) -> Result<(StatusCode, Json<Data<TrunkView>>), Problem> {
    let (trunk, password) = new.read(&app)?;
    let id = trunk.settings.id.clone();
    let sealed = password.map(|password| app.api.auth.seal_trunk(&id, &password));
    let store = caller.store(&app);
    let saving = store
        .add_trunk(&trunk, sealed.transpose()?.as_deref())
        .await?;
    let (whole, added, servers) = (app.clone(), trunk.clone(), exchanges([&trunk]));
    let work = async move {
        trunk_desk::keep(&whole, saving, &added.settings.endpoint, servers).await?;
        whole.changes.tell(Kind::Trunk, What::Created, id);
        // The trunk exists whether or not campaigns that lack one take it now: saving them does, too.
        if let Err(problem) = crate::console::give_trunks(&whole, &store).await {
            tracing::warn!(
                detail = problem.detail(),
                "Campaigns without a trunk do not have the new one yet"
            );
        }
        Ok(())
    };
    app.finish(Box::pin(work)).await?;
    Ok((
        StatusCode::CREATED,
        Data::of(TrunkView::new(&app, trunk, None)),
    ))
}

/// Change a trunk
///
/// What is not named stays as it is. It takes effect on the next line that is dialed; calls in
/// progress are not touched.
#[utoipa::path(
    patch, path = "/api/v1/trunks/{id}", tag = "trunks", params(("id" = String, Path)), request_body = TrunkChanges,
    responses(
        (status = 200, description = "Changed", body = Data<TrunkView>),
        (status = 404, description = "No such trunk", body = ProblemBody),
        (status = 409, description = "Campaigns use it, and it is to move to another exchange; or the exchange has such an endpoint already", body = ProblemBody),
        (status = 422, description = "Not valid; nothing was changed", body = ProblemBody),
        (status = 502, description = "Asterisk did not take it, said this and has the former one again; nothing was changed", body = ProblemBody),
        (status = 503, description = "Changed in the database only, as the switchboard is busy or down: say it again", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
    Body(changes): Body<TrunkChanges>,
) -> Result<Json<Data<TrunkView>>, Problem> {
    let before = app
        .api
        .store
        .trunk(&id)
        .await?
        .ok_or_else(|| no_such(&id))?;
    let (trunk, password) = changes.read(&app, before.clone())?;
    let secret = match password {
        None => TrunkSecret::Stays,
        Some(None) => TrunkSecret::None,
        Some(Some(password)) => TrunkSecret::Sealed(app.api.auth.seal_trunk(&id, &password)?),
    };
    let stays = trunk.settings.endpoint == before.settings.endpoint
        && trunk.settings.server == before.settings.server
        && trunk.carrier.is_ours();
    if !stays {
        let_go(&app, &before)?;
    }
    let saving = match caller.store(&app).change_trunk(&trunk, &secret).await? {
        Ok(saving) => saving,
        Err(NotChanged::Unknown) => return Err(no_such(&id)),
        Err(NotChanged::CannotMove) => {
            return Err(Problem::conflict(
                "campaigns dial through this trunk, and the trunks of a campaign are of one exchange: \
                 take it out of them before it moves to another",
            ));
        }
    };
    let (whole, saved, servers) = (app.clone(), trunk.clone(), exchanges([&before, &trunk]));
    let work = async move {
        trunk_desk::keep(&whole, saving, &saved.settings.endpoint, servers).await?;
        whole.changes.tell(Kind::Trunk, What::Updated, id.clone());
        // Even when nothing of it changed: it may be said again because it was not heard.
        for campaign in whole.api.store.campaigns_of_trunk(&id).await? {
            campaigns::tell_again(&whole, &campaign).await?;
        }
        Ok(())
    };
    app.finish(Box::pin(work)).await?;
    Ok(Data::of(TrunkView::live(&app, trunk)))
}

/// Delete a trunk
///
/// One that neither campaigns nor numbers use. Calls that go on through it are not cut off.
#[utoipa::path(
    delete, path = "/api/v1/trunks/{id}", tag = "trunks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such trunk", body = ProblemBody),
        (status = 409, description = "Campaigns or numbers use it", body = ProblemBody),
        (status = 502, description = "Asterisk did not let go of it; nothing was changed", body = ProblemBody),
        (status = 503, description = "The exchange cannot be asked now", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
) -> Result<Json<Done>, Problem> {
    let before = app.api.store.trunk(&id).await?;
    let before = before.ok_or_else(|| no_such(&id))?;
    let_go(&app, &before)?;
    let saving = match caller.store(&app).delete_trunk(&id).await? {
        Ok(saving) => saving,
        Err(NotDeleted::Unknown) => return Err(no_such(&id)),
        Err(NotDeleted::InUse { campaigns, dids }) => {
            return Err(Problem::conflict(format!(
                "campaigns ({campaigns}) or numbers ({dids}) use this trunk: give them another first"
            )));
        }
    };
    let (whole, servers) = (app.clone(), exchanges([&before]));
    let work = async move {
        trunk_desk::keep(&whole, saving, &before.settings.endpoint, servers).await?;
        // Campaigns do not have it any more; the switchboard may not have heard of that.
        if let Err(error) = whole.api.exchange.notify(Command::TrunkGone(id.clone())) {
            tracing::warn!(trunk = %id, %error, "The switchboard did not hear that a trunk was deleted");
        }
        whole.changes.tell(Kind::Trunk, What::Deleted, id);
        Ok(())
    };
    app.finish(Box::pin(work)).await?;
    Ok(Done::ok())
}

/// Ask how a trunk is doing
///
/// Asks its exchange now: whether it has the endpoint, whether the other end answers, and the
/// state of the registration.
#[utoipa::path(
    get, path = "/api/v1/trunks/{id}/status", tag = "trunks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "What the exchange says; all null when it cannot be asked now", body = Data<TrunkStatus>),
        (status = 404, description = "No such trunk", body = ProblemBody),
    )
)]
pub(crate) async fn status(
    _caller: May<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
) -> Result<Json<Data<TrunkStatus>>, Problem> {
    let trunk = app.api.store.trunk(&id).await?;
    let settings = trunk.ok_or_else(|| no_such(&id))?.settings;
    let seen = match app.api.trunks.as_deref() {
        Some(desk) => desk.seen(settings.server, settings.endpoint).await,
        None => None,
    };
    Ok(Data::of(match seen {
        Some(seen) => TrunkStatus {
            configured: Some(seen.configured),
            reachable: seen.reachable,
            registration: seen.registration,
        },
        None => TrunkStatus::default(),
    }))
}

/// Whether an endpoint that we configured may go: calls are transferred through the one that the
/// configuration names.
fn let_go(app: &App, trunk: &Trunk) -> Result<(), Problem> {
    let outside = app.api.settings.outside_trunk.as_deref();
    if is_configured_here(app, trunk) && outside == Some(trunk.settings.endpoint.as_str()) {
        return Err(Problem::conflict(format!(
            "asterisk.transfer_trunk names the endpoint {} of this trunk: change that first",
            trunk.settings.endpoint
        )));
    }
    Ok(())
}

/// The exchanges whose configuration knows these trunks.
fn exchanges<const N: usize>(trunks: [&Trunk; N]) -> Vec<ServerName> {
    let mut servers: Vec<ServerName> = Vec::new();
    for trunk in trunks {
        let server = &trunk.settings.server;
        if trunk.carrier.is_ours() && !servers.contains(server) {
            servers.push(server.clone());
        }
    }
    servers
}

fn no_such(id: &TrunkId) -> Problem {
    Problem::not_found(format!("there is no trunk {id}"))
}
