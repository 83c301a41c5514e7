//! SIP carriers and PBX links.

mod settings;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use strowger_core::{
    ids::TrunkId,
    live::{self, TrunkState},
    telephony::ServerName,
    time::Timestamp,
};
use strowger_store::trunks::{Trunk, TrunkChanged, TrunkDeleted, TrunkSecret};
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
    /// working, resting (it failed too often and is left alone) or probing (one line finds out
    /// whether it works again); null when no campaign uses it.
    #[schema(value_type = Option<String>)]
    state: Option<TrunkState>,
    /// When a resting trunk is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl TrunkView {
    fn new(trunk: Trunk, live: Option<&live::TrunkView>) -> Self {
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
        }
    }

    /// With how it is doing.
    fn live(app: &App, trunk: Trunk) -> Self {
        let live = app.api.hub.trunks();
        let live = live.iter().find(|live| live.id == trunk.settings.id);
        Self::new(trunk, live.map(AsRef::as_ref))
    }
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
                TrunkView::new(trunk, live.map(AsRef::as_ref))
            })
            .collect(),
    ))
}

/// Add a trunk
///
/// The endpoint is configured at the exchange, see `scripts/add-site-trunk.sh`.
#[utoipa::path(
    post, path = "/api/v1/trunks", tag = "trunks", request_body = NewTrunk,
    responses(
        (status = 201, description = "Added", body = Data<TrunkView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
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
    store
        .add_trunk(&trunk, sealed.transpose()?.as_deref())
        .await?;
    app.changes.tell(Kind::Trunk, What::Created, id);
    // The trunk exists whether or not campaigns that lack one take it now: saving them does, too.
    if let Err(problem) = crate::console::give_trunks(&app, &store).await {
        tracing::warn!(
            detail = problem.detail(),
            "Campaigns without a trunk do not have the new one yet"
        );
    }
    Ok((StatusCode::CREATED, Data::of(TrunkView::new(trunk, None))))
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
        (status = 409, description = "Campaigns use it, and it is to move to another exchange", body = ProblemBody),
        (status = 422, description = "Not valid; nothing was changed", body = ProblemBody),
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
    let (mut trunk, password) = changes.read(&app, before)?;
    let secret = match password {
        None => TrunkSecret::Stays,
        Some(None) => TrunkSecret::None,
        Some(Some(password)) => TrunkSecret::Sealed(app.api.auth.seal_trunk(&id, &password)?),
    };
    match caller.store(&app).change_trunk(&trunk, &secret).await? {
        TrunkChanged::Done => {}
        TrunkChanged::Unknown => return Err(no_such(&id)),
        TrunkChanged::CannotMove => {
            return Err(Problem::conflict(
                "campaigns dial through this trunk, and the trunks of a campaign are of one exchange: \
                 take it out of them before it moves to another",
            ));
        }
    }
    app.changes.tell(Kind::Trunk, What::Updated, id.clone());
    // Even when nothing of it changed: it may be said again because it was not heard.
    for campaign in app.api.store.campaigns_of_trunk(&id).await? {
        campaigns::tell_again(&app, &campaign).await?;
    }
    match secret {
        TrunkSecret::Stays => {}
        TrunkSecret::None => trunk.has_password = false,
        TrunkSecret::Sealed(_) => trunk.has_password = true,
    }
    Ok(Data::of(TrunkView::live(&app, trunk)))
}

/// Delete a trunk
///
/// One that neither campaigns nor numbers use.
#[utoipa::path(
    delete, path = "/api/v1/trunks/{id}", tag = "trunks", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such trunk", body = ProblemBody),
        (status = 409, description = "Campaigns or numbers use it", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
) -> Result<Json<Done>, Problem> {
    match caller.store(&app).delete_trunk(&id).await? {
        TrunkDeleted::Done => {
            app.changes.tell(Kind::Trunk, What::Deleted, id);
            Ok(Done::ok())
        }
        TrunkDeleted::Unknown => Err(no_such(&id)),
        TrunkDeleted::InUse { campaigns, dids } => Err(Problem::conflict(format!(
            "campaigns ({campaigns}) or numbers ({dids}) use this trunk: give them another first"
        ))),
    }
}

fn no_such(id: &TrunkId) -> Problem {
    Problem::not_found(format!("there is no trunk {id}"))
}
