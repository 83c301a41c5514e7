//! What supervisors do to agents from the console.

use axum::{Router, extract::State, routing::post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_core::{ids::UserId, switchboard::Command, telephony::Supervision};
use strowger_store::{login_sessions::LoginEnd, users::User};

use super::{Answer, Caller, Json, live};
use crate::{guard::ManageAgents, problem::Problem, routes::supervision::supervise, state::Shared};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/supervisor/listen", post(listen))
        .route("/api/supervisor/coach", post(coach))
        .route("/api/supervisor/barge", post(barge))
        .route("/api/supervisor/force-pause", post(force_pause))
        .route("/api/supervisor/force-logout", post(force_logout))
}

/// To whom.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whom {
    agent_id: String,
}

#[derive(Debug, Serialize)]
struct Message {
    message: String,
}

enum Act {
    Supervise(Supervision),
    Pause,
    LogOut,
}

impl Act {
    /// The name that the console has for it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Supervise(how) => how.as_str(),
            Self::Pause => "force-pause",
            Self::LogOut => "force-logout",
        }
    }
}

/// Logins that are looked at; somebody has one, and seldom a few.
const OPEN: u32 = 500;

/// The reason of a pause that a supervisor imposes: the status that consoles show.
const PAUSE: &str = "En Pause";

async fn act(
    app: &Shared,
    caller: &Caller<ManageAgents>,
    whom: Whom,
    act: Act,
) -> Answer<axum::Json<Message>> {
    let id = UserId::new(whom.agent_id)
        .map_err(|invalid| Problem::field("agentId", invalid.to_string()))?;
    let agent = app.api.store.user(&id).await?;
    let agent = agent.ok_or_else(|| Problem::not_found(format!("there is no user {id}")))?;
    match act {
        Act::Supervise(how) => supervise(app, &caller.0.user, id, how).await?,
        Act::Pause => {
            let command = Command::Pause {
                agent: id.clone(),
                reason: PAUSE.to_owned(),
            };
            app.api.exchange.send(command).await?;
            note(app, caller, "agent.pause", &id).await?;
        }
        Act::LogOut => {
            throw_out(app, caller, &agent).await?;
            note(app, caller, "agent.logout", &id).await?;
        }
    }
    let message = format!(
        "Action '{}' exécutée avec succès sur l'agent {}.",
        act.name(),
        agent.display_name()
    );
    Ok(axum::Json(Message { message }))
}

/// Ends every login of an agent, and their session at the station.
async fn throw_out(
    app: &Shared,
    caller: &Caller<ManageAgents>,
    agent: &User,
) -> Result<(), Problem> {
    if agent.role > caller.0.user.role {
        return Err(Problem::forbidden(format!(
            "the role {} is above yours: ask an administrator",
            agent.role
        )));
    }
    let store = &app.api.store;
    let mut ended = Vec::new();
    for login in store.logins(&agent.id, OPEN).await? {
        let by = caller.0.by(app.now());
        if login.ended_at.is_none()
            && store
                .end_login(login.id, &agent.id, LoginEnd::Revoked, by)
                .await?
        {
            ended.push(login.id);
        }
    }
    app.logins_ended(&agent.id, &ended, LoginEnd::Revoked);
    live::log_out(app, &agent.id).await;
    Ok(())
}

async fn note(
    app: &Shared,
    caller: &Caller<ManageAgents>,
    action: &str,
    agent: &UserId,
) -> Result<(), Problem> {
    let actor = Some(caller.0.id());
    let store = &app.api.store;
    store
        .record_audit(actor, action, agent.as_str(), &json!({}), app.now())
        .await?;
    Ok(())
}

async fn listen(
    caller: Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(whom): Json<Whom>,
) -> Answer<axum::Json<Message>> {
    act(&app, &caller, whom, Act::Supervise(Supervision::Listen)).await
}

async fn coach(
    caller: Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(whom): Json<Whom>,
) -> Answer<axum::Json<Message>> {
    act(&app, &caller, whom, Act::Supervise(Supervision::Coach)).await
}

async fn barge(
    caller: Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(whom): Json<Whom>,
) -> Answer<axum::Json<Message>> {
    act(&app, &caller, whom, Act::Supervise(Supervision::Barge)).await
}

async fn force_pause(
    caller: Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(whom): Json<Whom>,
) -> Answer<axum::Json<Message>> {
    act(&app, &caller, whom, Act::Pause).await
}

async fn force_logout(
    caller: Caller<ManageAgents>,
    State(app): State<Shared>,
    Json(whom): Json<Whom>,
) -> Answer<axum::Json<Message>> {
    act(&app, &caller, whom, Act::LogOut).await
}
