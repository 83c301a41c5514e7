//! The system itself, for super administrators.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answer, Caller, ConsoleProblem, Json, instant};
use crate::{
    guard::{EditSettings, ReadSystem, RunDatabaseQueries},
    input::Body,
    problem::Problem,
    reply::Data,
    routes::{
        database,
        settings::{self as settings_v1, mail},
        system::{self, reach},
    },
    settings::for_v1,
    state::{Service, ServiceKind, Shared},
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/system/stats", get(stats))
        .route("/api/system/logs", get(logs))
        .route("/api/system/ping", post(ping))
        .route("/api/system/test-db", post(test_database))
        .route("/api/system/test-ami", post(test_manager))
        .route("/api/system/db-schema", get(schema))
        .route("/api/system/db-query", post(query))
        .route("/api/system/app-settings", put(set_appearance))
        .route("/api/system/smtp-settings", put(set_mail))
        .route("/api/system/module-visibility", put(set_modules))
        .route("/api/system/test-email", post(test_mail))
        .route("/api/system-connection", post(set_connections))
        .route("/api/system/connection", post(set_connections))
}

/// What the console shows when something was done.
pub(super) fn said(message: &str) -> axum::Json<Value> {
    axum::Json(json!({ "message": message }))
}

/// A problem that the console reads under `message` as well, and as a failure of the server when
/// another machine failed.
pub(super) struct Told(ConsoleProblem);

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
    let body = settings_v1::read(&for_v1(only(sent, &names)))?;
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
    let body = settings_v1::read(&sent)?;
    let _done = settings_v1::set_connections(caller, State(app), Body(body)).await?;
    Ok(said(
        "Enregistré. Strowger lui-même se connecte selon son fichier de configuration.",
    ))
}

async fn stats(
    Caller(caller): Caller<ReadSystem>,
    State(app): State<Shared>,
) -> Answer<axum::Json<Value>> {
    let axum::Json(Data { data, .. }) = system::stats(caller, State(app)).await?;
    let space =
        |space: system::SpaceView| json!({"total": space.total_bytes, "used": space.used_bytes});
    Ok(axum::Json(json!({
        // A text, as the console reads it.
        "cpu": {"brand": data.cpu_brand, "load": format!("{:.1}", data.cpu_load_percent)},
        "ram": space(data.memory),
        "disk": space(data.disk),
        "recordings": {"size": data.recording_bytes, "files": data.recording_files},
    })))
}

/// What can be tried with `/api/system/ping`, as the console lists it.
pub(super) fn services(services: &[Service]) -> Vec<Value> {
    let managers = |one: &&Service| matches!(one.kind, ServiceKind::Manager(_));
    let is_only = services.iter().filter(managers).count() == 1;
    let view = |service: &Service| {
        let (id, name) = match &service.kind {
            ServiceKind::Database => ("db".to_owned(), "Base de données".to_owned()),
            ServiceKind::Manager(_) if is_only => ("ami".to_owned(), "Asterisk AMI".to_owned()),
            ServiceKind::Manager(server) => {
                (format!("ami-{server}"), format!("Asterisk AMI ({server})"))
            }
        };
        json!({"id": id, "name": name, "target": format!("{}:{}", service.host, service.port)})
    };
    services.iter().map(view).collect()
}

pub(super) fn log(lines: Vec<system::LineView>) -> Vec<Value> {
    let view = |line: system::LineView| {
        let level = match line.level {
            "ERROR" => "ERROR",
            "WARN" => "WARNING",
            _ => "INFO",
        };
        json!({"id": line.id, "timestamp": instant(line.at), "level": level, "service": line.source,
            "message": line.message})
    };
    lines.into_iter().map(view).collect()
}

async fn logs(
    Caller(caller): Caller<ReadSystem>,
    State(app): State<Shared>,
) -> Answer<axum::Json<Value>> {
    let axum::Json(Data { data, .. }) = system::logs(caller, State(app)).await?;
    Ok(axum::Json(json!({
        "system": log(data.system), "ami": log(data.exchange), "security": log(data.security),
    })))
}

/// A port as a number or as its digits.
fn port(value: Option<&Value>, default: u16) -> Answer<u16> {
    let read = match value {
        None | Some(Value::Null) => Some(default),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(other) => other.as_u64().and_then(|number| number.try_into().ok()),
    };
    Ok(read.ok_or_else(|| Problem::field("port", "must be 1 to 65535"))?)
}

#[derive(Deserialize)]
struct SentPing {
    ip: String,
    #[serde(default)]
    port: Option<Value>,
}

async fn ping(
    Caller(caller): Caller<ReadSystem>,
    State(app): State<Shared>,
    Json(sent): Json<SentPing>,
) -> Answer<axum::Json<Value>> {
    let body = reach::PingBody {
        host: sent.ip,
        port: port(sent.port.as_ref(), 80)?,
    };
    let axum::Json(Data { data, .. }) = reach::ping(caller, State(app), Body(body)).await?;
    Ok(axum::Json(if data.reached {
        json!({"status": "success", "latency": data.latency_ms})
    } else {
        json!({"status": "failure", "error": data.error})
    }))
}

#[derive(Deserialize)]
struct SentDatabase {
    host: String,
    #[serde(default)]
    port: Option<Value>,
    user: String,
    #[serde(default)]
    password: SecretString,
    database: String,
}

async fn test_database(
    Caller(caller): Caller<ReadSystem>,
    State(app): State<Shared>,
    Json(sent): Json<SentDatabase>,
) -> Result<axum::Json<Value>, Told> {
    let body = reach::DatabaseLogin {
        port: port(sent.port.as_ref(), 5432).map_err(Told)?,
        host: sent.host,
        user: sent.user,
        password: sent.password,
        database: sent.database,
    };
    let _done = reach::database(caller, State(app), Body(body)).await?;
    Ok(said("Connexion à la base de données réussie."))
}

#[derive(Deserialize)]
struct SentManager {
    #[serde(rename = "amiHost")]
    host: String,
    #[serde(rename = "amiPort", default)]
    port: Option<Value>,
    #[serde(rename = "amiUser")]
    user: String,
    #[serde(rename = "amiPassword", default)]
    password: SecretString,
}

async fn test_manager(
    Caller(caller): Caller<ReadSystem>,
    State(app): State<Shared>,
    Json(sent): Json<SentManager>,
) -> Result<axum::Json<Value>, Told> {
    let body = reach::ManagerLogin {
        port: port(sent.port.as_ref(), 5038).map_err(Told)?,
        host: sent.host,
        user: sent.user,
        password: sent.password,
    };
    let _done = reach::manager(caller, State(app), Body(body)).await?;
    Ok(said("Connexion à Asterisk réussie."))
}

async fn schema(
    Caller(caller): Caller<RunDatabaseQueries>,
    State(app): State<Shared>,
) -> Answer<axum::Json<Value>> {
    let axum::Json(Data { data, .. }) = database::tables(caller, State(app)).await?;
    let tables = data.into_iter().map(|table| {
        let columns = table.columns.into_iter();
        let columns =
            columns.map(|column| Value::from(format!("{} ({})", column.name, column.kind)));
        (table.name, Value::Array(columns.collect()))
    });
    Ok(axum::Json(Value::Object(tables.collect())))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentQuery {
    query: String,
    #[serde(default)]
    read_only: Option<bool>,
}

async fn query(
    Caller(caller): Caller<RunDatabaseQueries>,
    State(app): State<Shared>,
    Json(sent): Json<SentQuery>,
) -> Result<axum::Json<Value>, Told> {
    if sent.read_only == Some(false) {
        return Err(Problem::forbidden(
            "the database can only be read from here: use the API to change something",
        )
        .into());
    }
    let body = database::QueryBody { query: sent.query };
    let axum::Json(Data { data, .. }) = database::query(caller, State(app), Body(body)).await?;
    let columns: Vec<String> = data.columns.into_iter().map(|column| column.name).collect();
    Ok(axum::Json(json!({
        "columns": columns, "rowCount": data.rows.len(), "rows": data.rows,
    })))
}
