//! Supervisors who listen to agents.

use axum::{Json, extract::State};
use serde_json::json;
use strowger_core::{
    ids::{SupervisionId, UserId},
    switchboard::{Command, Supervise},
    telephony::Supervision,
};
use strowger_store::users::User;

use crate::{
    device,
    guard::{ManageAgents, May},
    input::Path,
    problem::{Problem, ProblemBody},
    reply::Done,
    state::{App, Shared},
};

/// Rings a supervisor's telephone, which then hears the agent. It is written down first who
/// listened to whom.
///
/// # Errors
/// When the agent cannot be heard, or the supervisor has no telephone.
pub(crate) async fn supervise(
    app: &App,
    supervisor: &User,
    agent: UserId,
    how: Supervision,
) -> Result<(), Problem> {
    let device = device::of(app, supervisor).await?;
    let change = json!({"how": how, "device": device.endpoint});
    let (store, actor) = (&app.api.store, Some(&supervisor.id));
    store
        .record_audit(actor, "agent.supervise", agent.as_str(), &change, app.now())
        .await?;
    let asked = Supervise {
        id: SupervisionId(app.new_id()),
        supervisor: supervisor.id.clone(),
        agent,
        how,
        server: device.server,
        device: device.endpoint,
    };
    Ok(app.api.exchange.send(Command::Supervise(asked)).await?)
}

/// Listen to an agent
///
/// Your telephone rings; answer it to hear the agent and whom they talk to. Neither hears you.
/// Another line of yours ends. With a station that stays connected it goes on from call to call
/// until you hang up.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/listen", tag = "agents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Your telephone rings", body = Done),
        (status = 409, description = "The agent cannot be heard, or you have no telephone", body = ProblemBody),
    )
)]
pub(crate) async fn listen(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    supervise(&app, &caller.user, agent, Supervision::Listen).await?;
    Ok(Done::ok())
}

/// Coach an agent
///
/// As listening, and the agent hears you; whom they talk to does not.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/coach", tag = "agents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Your telephone rings", body = Done),
        (status = 409, description = "The agent cannot be heard, or you have no telephone", body = ProblemBody),
    )
)]
pub(crate) async fn coach(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    supervise(&app, &caller.user, agent, Supervision::Coach).await?;
    Ok(Done::ok())
}

/// Barge in on an agent
///
/// As listening, and both hear you.
#[utoipa::path(
    post, path = "/api/v1/agents/{id}/barge", tag = "agents", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Your telephone rings", body = Done),
        (status = 409, description = "The agent cannot be heard, or you have no telephone", body = ProblemBody),
    )
)]
pub(crate) async fn barge(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(agent): Path<UserId>,
) -> Result<Json<Done>, Problem> {
    supervise(&app, &caller.user, agent, Supervision::Barge).await?;
    Ok(Done::ok())
}

/// Stop listening
#[utoipa::path(
    delete, path = "/api/v1/supervision", tag = "agents",
    responses(
        (status = 200, description = "Your line ends", body = Done),
        (status = 409, description = "You are not listening to anybody", body = ProblemBody),
    )
)]
pub(crate) async fn stop(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
) -> Result<Json<Done>, Problem> {
    let command = Command::StopSupervising(caller.id().clone());
    app.api.exchange.send(command).await?;
    Ok(Done::ok())
}
