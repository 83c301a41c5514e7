//! Trunks. Consoles of different age look for them in three places.
//!
//! A trunk of the console is the PJSIP endpoint with its id; one that was made otherwise keeps
//! the endpoint that it has.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use strowger_core::ids::TrunkId;
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditTrunks,
    input::{self, Body},
    reply::Data,
    routes::{
        trunks::{self as v1, NewTrunk, TrunkChanges},
        users::Becomes,
    },
    state::Shared,
};

/// Where consoles look for trunks.
const PATHS: [&str; 3] = ["/api/trunks", "/api/trunks/trunks", "/api/telephony/trunks"];

/// Longest name of an endpoint.
const MAX_ENDPOINT: usize = 64;

pub(super) fn router() -> Router<Shared> {
    PATHS.into_iter().fold(Router::new(), |router, path| {
        router
            .route(path, post(create))
            .route(&format!("{path}/{{id}}"), put(change).delete(delete))
    })
}

/// A trunk as the console sends it; an empty password is the one before.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<TrunkId>,
    name: String,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    password: Option<SecretString>,
    #[serde(default)]
    auth_type: Option<String>,
    #[serde(default)]
    register_string: Option<String>,
    #[serde(default)]
    dial_pattern: Option<String>,
    #[serde(default)]
    inbound_context: Option<String>,
}

impl Sent {
    fn changes(self) -> TrunkChanges {
        let trimmed = |text: Option<String>| text.map(|text| text.trim().to_owned());
        let given = |text: Option<String>| trimmed(text).filter(|text| !text.is_empty());
        let password = self.password;
        let password = password.filter(|password| !password.expose_secret().is_empty());
        TrunkChanges {
            name: Some(self.name),
            domain: trimmed(self.domain),
            login: trimmed(self.login),
            password: password.map_or(Becomes::Stays, |password| Becomes::New(Some(password))),
            auth_type: given(self.auth_type),
            register_string: trimmed(self.register_string),
            dial_pattern: given(self.dial_pattern),
            inbound_context: trimmed(self.inbound_context),
            ..TrunkChanges::default()
        }
    }
}

/// The endpoint of a trunk of the console: its id, without what endpoints do not have.
fn endpoint(id: &TrunkId) -> String {
    let legal = id.as_str().chars().map(|c| if c == ':' { '-' } else { c });
    legal.take(MAX_ENDPOINT).collect()
}

async fn create(
    Caller(caller): Caller<EditTrunks>,
    State(app): State<Shared>,
    Json(mut sent): Json<Sent>,
) -> Answer<Response> {
    let id = sent.id.take();
    let id = id.unwrap_or_else(|| TrunkId::generate(app.new_id()));
    let sent = sent.changes();
    let new = NewTrunk {
        endpoint: endpoint(&id),
        id: Some(id.clone()),
        name: sent.name.unwrap_or_default(),
        server: None,
        max_channels: v1::default_channels(),
        max_calls_per_second: v1::default_rate(),
        domain: sent.domain.unwrap_or_default(),
        login: sent.login.unwrap_or_default(),
        password: sent.password.named().flatten(),
        auth_type: sent.auth_type.unwrap_or_else(v1::default_auth),
        register_string: sent.register_string.unwrap_or_default(),
        dial_pattern: sent.dial_pattern.unwrap_or_else(v1::default_pattern),
        inbound_context: sent.inbound_context.unwrap_or_default(),
        match_addresses: String::new(),
        codecs: String::new(),
        caller_id: String::new(),
    };
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), Body(new)).await?;
    shown(&app, status, Screen::Trunk, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let changes = Body(sent.changes());
    let _done = v1::change(caller, State(app.clone()), input::Path(id.clone()), changes).await?;
    shown(&app, StatusCode::OK, Screen::Trunk, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditTrunks>,
    State(app): State<Shared>,
    Path(id): Path<TrunkId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
