//! Agents and their sessions.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_core::{
    agent::{LegMode, Login},
    ids::{AgentSessionId, UserId},
    live::{AgentView, CallView},
    switchboard::Command,
    telephony::ServerName,
};
use strowger_store::users::User;
use utoipa::ToSchema;

use super::trunks::server;
use crate::{
    guard::{ManageAgents, May, WatchLive, WorkAsAgent},
    input::{Body, Check, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    state::{App, Asked, Shared},
};

/// Longest name of a station.
const MAX_STATION_LEN: usize = 40;

/// Where an agent wants to work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    /// The PJSIP endpoint of the device: 1 to 40 letters, digits, `_`, `.` or `-`.
    #[schema(example = "1001")]
    station: String,
    /// `nailed-up`: one leg stays up and customers are bridged to it at once; `ring-per-call`: it rings each time.
    #[schema(value_type = String, example = "nailed-up")]
    leg_mode: String,
    /// The exchange of the station; the default one when absent.
    #[serde(default)]
    server: Option<String>,
}

/// Why somebody pauses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    /// Shown on the board, 1 to 60 characters.
    #[schema(example = "lunch")]
    reason: String,
}

impl Pause {
    fn command(self, agent: UserId) -> Result<Command, Problem> {
        let mut check = Check::default();
        check.line("reason", &self.reason, 1..=60);
        check.done()?;
        Ok(Command::Pause {
            agent,
            reason: self.reason.trim().to_owned(),
        })
    }
}

/// An agent's own session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Own {
    /// The session; null when not logged in at a station.
    #[schema(value_type = Option<Object>)]
    agent: Option<Arc<AgentView>>,
    /// The call, if there is one.
    #[schema(value_type = Option<Object>)]
    call: Option<Arc<CallView>>,
}

/// Tells the switchboard what somebody asks of the session of `agent`, which may be their own.
async fn send(
    app: &Shared,
    by: &UserId,
    action: &'static str,
    agent: &UserId,
    command: Command,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::by(by, action, agent.as_str());
    let asked = match &command {
        Command::Pause { reason, .. } => asked.with(json!({ "reason": reason })),
        Command::LogIn(login) => asked.with(json!({ "station": login.station })),
        _ => asked,
    };
    app.tell(asked, command).await?;
    Ok(Done::ok())
}

/// List agents with a session
#[utoipa::path(
    get, path = "/api/v1/agents", tag = "agents",
    responses((status = 200, description = "As on the live view", body = Page<Object>))
)]
pub(crate) async fn list(
    _caller: May<WatchLive>,
    State(app): State<Shared>,
) -> Json<Page<Arc<AgentView>>> {
    Page::whole(app.api.hub.agents())
}

/// Show one's own session
#[utoipa::path(
    get, path = "/api/v1/agents/me", tag = "agents",
    responses((status = 200, description = "The session and the call", body = Data<Own>))
)]
pub(crate) async fn own(caller: May<WorkAsAgent>, State(app): State<Shared>) -> Json<Data<Own>> {
    let hub = &app.api.hub;
    let agent = hub.agent(caller.id());
    let call_id = agent.as_ref().and_then(|agent| agent.call_id);
    let call = call_id.and_then(|id| hub.call(id));
    Data::of(Own { agent, call })
}

/// Log in at a station
///
/// The session begins paused: say ready to take calls.
#[utoipa::path(
    post, path = "/api/v1/agents/me/login", tag = "agents", request_body = LogIn,
    responses(
        (status = 200, description = "Logged in", body = Done),
        (status = 409, description = "Already logged in, or the station is somebody else's", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn log_in(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<LogIn>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    check.name("station", &request.station, MAX_STATION_LEN, "_.-");
    let leg_mode = check.ok("leg_mode", request.leg_mode.parse::<LegMode>());
    let server = check.ok("server", server(&app, request.server.as_deref()));
    check.done()?;
    let (Some(leg_mode), Some(server)) = (leg_mode, server) else {
        return Err(Problem::internal());
    };
    let trunks = app.api.store.trunks().await?;
    let is_trunk = trunks.iter().any(|(_, trunk)| {
        trunk.server == server && trunk.endpoint.eq_ignore_ascii_case(&request.station)
    });
    if is_trunk {
        return Err(Problem::field(
            "station",
            "this is a trunk to a carrier and not a station: give the endpoint of your own device",
        ));
    }
    let station = format!("PJSIP/{}", request.station);
    let login = login(&app, &caller.user, server, station, leg_mode).await?;
    send(
        &app,
        caller.id(),
        "agent.logged-in",
        caller.id(),
        Command::LogIn(login),
    )
    .await
}

/// A session of a user at a station, with what they are assigned to.
///
/// # Errors
/// When the database fails.
pub(crate) async fn login(
    app: &App,
    user: &User,
    server: ServerName,
    station: String,
    leg_mode: LegMode,
) -> Result<Login, Problem> {
    let (campaigns, queues) = app.api.store.assignments(&user.id).await?;
    Ok(Login {
        agent: user.id.clone(),
        name: user.display_name(),
        session: AgentSessionId(app.new_id()),
        server,
        station,
        leg_mode,
        campaigns,
        queues,
    })
}

/// Take calls
#[utoipa::path(
    post, path = "/api/v1/agents/me/ready", tag = "agents",
    responses(
        (status = 200, description = "Ready, or as soon as the station is reached", body = Done),
        (status = 409, description = "Not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn ready(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.ready",
        caller.id(),
        Command::Ready(caller.id().clone()),
    )
    .await
}

/// Take no calls
///
/// During a call it takes effect after it.
#[utoipa::path(
    post, path = "/api/v1/agents/me/pause", tag = "agents", request_body = Pause,
    responses(
        (status = 200, description = "Paused, or after the call", body = Done),
        (status = 409, description = "Not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn pause(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<Pause>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.paused",
        caller.id(),
        request.command(caller.id().clone())?,
    )
    .await
}

/// End one's wrap-up
#[utoipa::path(
    post, path = "/api/v1/agents/me/wrap-up/end", tag = "agents",
    responses(
        (status = 200, description = "Ended", body = Done),
        (status = 409, description = "There is no wrap-up", body = ProblemBody),
    )
)]
pub(crate) async fn end_wrap_up(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.wrap-up-ended",
        caller.id(),
        Command::EndWrapUp(caller.id().clone()),
    )
    .await
}

/// Log out of one's station
///
/// During a call it takes effect after it.
#[utoipa::path(
    post, path = "/api/v1/agents/me/logout", tag = "agents",
    responses(
        (status = 200, description = "Logged out, or after the call", body = Done),
        (status = 409, description = "Not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn log_out(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.logged-out",
        caller.id(),
        Command::LogOut(caller.id().clone()),
    )
    .await
}

/// Make an agent take calls
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/ready", tag = "agents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Ready, or as soon as the station is reached", body = Done),
        (status = 409, description = "The agent is not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn make_ready(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.ready",
        &agent,
        Command::Ready(agent.clone()),
    )
    .await
}

/// Pause an agent
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/pause", tag = "agents", params(("id" = String, Path)), request_body = Pause,
    responses(
        (status = 200, description = "Paused, or after the call", body = Done),
        (status = 409, description = "The agent is not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn make_pause(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
    Body(request): Body<Pause>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.paused",
        &agent,
        request.command(agent.clone())?,
    )
    .await
}

/// Log an agent out
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/logout", tag = "agents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Logged out, or after the call", body = Done),
        (status = 409, description = "The agent is not logged in", body = ProblemBody),
    )
)]
pub(crate) async fn make_log_out(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    send(
        &app,
        caller.id(),
        "agent.logged-out",
        &agent,
        Command::LogOut(agent.clone()),
    )
    .await
}
