//! SIP carriers and PBX links.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    campaign::TrunkSettings,
    ids::TrunkId,
    live::{self, TrunkState},
    telephony::ServerName,
    time::Timestamp,
};
use utoipa::ToSchema;

use crate::{
    guard::{EditTrunks, May},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    reply::{Data, Page},
    state::Shared,
};

/// A trunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkView {
    /// Its id.
    #[schema(value_type = String, example = "trk_1")]
    id: TrunkId,
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
    /// working, resting (it failed too often and is left alone) or probing (one line finds out
    /// whether it works again); null when no campaign uses it.
    #[schema(value_type = Option<String>)]
    state: Option<TrunkState>,
    /// When a resting trunk is tried again.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

impl TrunkView {
    fn new(name: String, trunk: TrunkSettings, live: Option<&live::TrunkView>) -> Self {
        Self {
            state: live.map(|live| live.state),
            until: live.and_then(|live| live.until),
            id: trunk.id,
            name,
            server: trunk.server,
            endpoint: trunk.endpoint,
            max_channels: trunk.max_channels,
            max_calls_per_second: trunk.max_calls_per_second,
        }
    }
}

/// A trunk to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTrunk {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<TrunkId>,
    /// Its name.
    name: String,
    /// The exchange that it is connected to; the default one when absent.
    #[serde(default)]
    server: Option<String>,
    /// The PJSIP endpoint: 1 to 64 letters, digits, `_`, `.` or `-`.
    #[schema(example = "carrier")]
    endpoint: String,
    /// Most channels at once, 1 to 10,000.
    #[serde(default = "default_channels")]
    #[schema(default = 30)]
    max_channels: u32,
    /// Most calls placed per second, 1 to 1,000.
    #[serde(default = "default_rate")]
    #[schema(default = 10)]
    max_calls_per_second: u32,
}

const fn default_channels() -> u32 {
    30
}

const fn default_rate() -> u32 {
    10
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
    let trunks = app.api.store.trunks().await?;
    let live = app.api.hub.trunks();
    Ok(Page::whole(
        trunks
            .into_iter()
            .map(|(name, trunk)| {
                let live = live.iter().find(|live| live.id == trunk.id);
                TrunkView::new(name, trunk, live.map(AsRef::as_ref))
            })
            .collect(),
    ))
}

/// Add a trunk
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
    let mut check = Check::default();
    check.line("name", &new.name, 1..=200);
    check.name("endpoint", &new.endpoint, 64, "_.-");
    check.range("max_channels", &new.max_channels, &(1..=10_000));
    check.range(
        "max_calls_per_second",
        &new.max_calls_per_second,
        &(1..=1_000),
    );
    let server = check.ok("server", server(&app, new.server.as_deref()));
    check.done()?;
    let trunk = TrunkSettings {
        id: new.id.unwrap_or_else(|| TrunkId::generate(app.new_id())),
        server: server.unwrap_or_else(|| app.api.settings.default_server.clone()),
        endpoint: new.endpoint,
        max_channels: new.max_channels,
        max_calls_per_second: new.max_calls_per_second,
    };
    let name = new.name.trim().to_owned();
    caller.store(&app).create_trunk(&name, &trunk).await?;
    // The trunk exists whether or not campaigns that lack one take it now: saving them does, too.
    if let Err(problem) = crate::console::give_trunks(&app, &caller.store(&app)).await {
        tracing::warn!(
            detail = problem.detail(),
            "Campaigns without a trunk do not have the new one yet"
        );
    }
    Ok((
        StatusCode::CREATED,
        Data::of(TrunkView::new(name, trunk, None)),
    ))
}

/// The configured exchange with this name, or the default one.
pub(crate) fn server(app: &Shared, name: Option<&str>) -> Result<ServerName, String> {
    let settings = &app.api.settings;
    let Some(name) = name else {
        return Ok(settings.default_server.clone());
    };
    settings
        .servers
        .iter()
        .find(|server| &*server.0 == name)
        .cloned()
        .ok_or_else(|| {
            let known: Vec<&str> = settings.servers.iter().map(|server| &*server.0).collect();
            format!(
                "no such exchange is configured: choose one of {}",
                known.join(", ")
            )
        })
}
