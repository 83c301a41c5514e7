//! What an earlier console calls its licence, for super administrators: plain limits here.
//!
//! Its numbers are 0 for no limit, and its date is never missing: a year of 9999 is for ever.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Caller, ConsoleError, Json, system::said};
use crate::{
    guard::EditSettings,
    input::Body,
    problem::Problem,
    routes::settings::limits::{self as v1, LimitsBody},
    state::{App, Shared},
};

/// The date that stands for none.
const FOR_EVER: &str = "9999-12-31";

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/system/license-settings", put(set))
        .route("/api/system/apply-license", post(no_keys))
        .route("/api/system/generate-fingerprint", post(no_keys))
}

/// The limits and what is used of them.
pub(super) async fn info(app: &App) -> Result<Value, Problem> {
    let limits = app.api.store.limits().await?;
    let used = v1::view(app, &limits);
    let last = limits.active_until.map(|last| last.to_string());
    Ok(json!({
        "activeUntil": format!("{}T00:00:00.000Z", last.as_deref().unwrap_or(FOR_EVER)),
        "maxAgents": limits.max_agents.unwrap_or(0), "currentAgents": used.agents,
        "maxChannels": limits.max_lines.unwrap_or(0), "currentChannels": used.lines,
        "machineFingerprint": "",
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    active_until: String,
    max_agents: u32,
    max_channels: u32,
}

async fn set(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<axum::Json<Value>> {
    let limit = |number: u32| Some(number).filter(|number| *number > 0);
    let day = sent.active_until.split('T').next().unwrap_or_default();
    let body = LimitsBody {
        max_agents: limit(sent.max_agents),
        max_lines: limit(sent.max_channels),
        active_until: Some(day.to_owned()).filter(|day| day != FOR_EVER),
    };
    let _done = v1::save(caller, State(app), Body(body)).await?;
    Ok(said("Limites enregistrées."))
}

/// There are no keys to buy, and nothing depends on the machine.
async fn no_keys(_caller: Caller<EditSettings>) -> ConsoleError {
    ConsoleError::Said(
        StatusCode::BAD_REQUEST,
        "Strowger n'a ni clé de licence ni empreinte : fixez les limites dans la configuration manuelle."
            .to_owned(),
    )
}
