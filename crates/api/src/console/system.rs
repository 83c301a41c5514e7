//! The system itself, for super administrators.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Caller, ConsoleProblem, Json};
use crate::{
    guard::EditSettings,
    input::Body,
    problem::Problem,
    routes::settings::{self as settings_v1, mail},
    settings::for_v1,
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/system/app-settings", put(set_appearance))
        .route("/api/system/smtp-settings", put(set_mail))
        .route("/api/system/module-visibility", put(set_modules))
        .route("/api/system/test-email", post(test_mail))
        .route("/api/system-connection", post(set_connections))
        .route("/api/system/connection", post(set_connections))
}

/// What the console shows when something was done.
fn said(message: &str) -> axum::Json<Value> {
    axum::Json(json!({ "message": message }))
}

/// A problem that the console reads under `message` as well, and as a failure of the server when
/// another machine failed.
struct Told(ConsoleProblem);

impl<P: Into<Problem>> From<P> for Told {
    fn from(problem: P) -> Self {
        Self(problem.into().into())
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let status = match self.0.0.status() {
            StatusCode::UNAUTHORIZED => return self.0.into_response(),
            StatusCode::BAD_GATEWAY => StatusCode::INTERNAL_SERVER_ERROR,
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        let text = self.0.detail();
        let body = json!({ "error": text, "message": text, "details": text });
        (status, axum::Json(body)).into_response()
    }
}

/// Takes over those fields of an object that are asked for.
fn only(mut sent: Map<String, Value>, names: &[&str]) -> Value {
    sent.retain(|name, _| names.contains(&name.as_str()));
    Value::Object(sent)
}

async fn set_appearance(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<Map<String, Value>>,
) -> Answer<axum::Json<Value>> {
    let names = [
        "companyAddress",
        "appLogoDataUrl",
        "appFaviconDataUrl",
        "colorPalette",
        "appName",
        "defaultLanguage",
        "fontFamily",
        "fontSize",
    ];
    let body = settings_v1::read(for_v1(only(sent, &names)))?;
    let _done = settings_v1::set_appearance(caller, State(app), Body(body)).await?;
    Ok(said("Paramètres enregistrés."))
}

async fn set_mail(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<mail::MailBody>,
) -> Answer<axum::Json<Value>> {
    let _done = mail::save(caller, State(app), Body(sent)).await?;
    Ok(said("Paramètres de messagerie enregistrés."))
}

async fn set_modules(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<settings_v1::Modules>,
) -> Answer<axum::Json<Value>> {
    let _done = settings_v1::set_modules(caller, State(app), Body(sent)).await?;
    Ok(said("Modules enregistrés."))
}

/// A mail to try a server with, as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentTest {
    smtp_config: mail::MailBody,
    recipient: String,
}

async fn test_mail(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<SentTest>,
) -> Result<axum::Json<Value>, Told> {
    let test = mail::MailTest::new(sent.smtp_config, sent.recipient);
    let _done = mail::test(caller, State(app), Body(test)).await?;
    Ok(said("E-mail de test envoyé."))
}

/// Connections as the console sends them: with passwords, which are not kept.
#[derive(Deserialize)]
struct SentConnections {
    database: Map<String, Value>,
    asterisk: Map<String, Value>,
}

async fn set_connections(
    Caller(caller): Caller<EditSettings>,
    State(app): State<Shared>,
    Json(sent): Json<SentConnections>,
) -> Answer<axum::Json<Value>> {
    let database = only(sent.database, &["host", "port", "user", "database"]);
    let asterisk = only(sent.asterisk, &["amiHost", "amiPort", "amiUser", "agiPort"]);
    let sent = for_v1(json!({ "database": database, "asterisk": asterisk }));
    let body = settings_v1::read(sent)?;
    let _done = settings_v1::set_connections(caller, State(app), Body(body)).await?;
    Ok(said(
        "Enregistré. Strowger lui-même se connecte selon son fichier de configuration.",
    ))
}
