//! Trying to reach other machines from this one.

use std::time::Duration;

use axum::{Json, extract::State};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_store::reader::try_login;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::{Instant, timeout},
};
use utoipa::ToSchema;

use crate::{
    guard::{May, ReadSystem},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    state::{App, Shared},
};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// How long an exchange may take to greet and to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Most bytes that are read of an exchange.
const MAX_ANSWER: u64 = 8 * 1024;

/// Milliseconds since then.
pub(super) fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A place in the network.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PingBody {
    /// A name or an address.
    pub(crate) host: String,
    /// A TCP port.
    pub(crate) port: u16,
}

/// Whether a place could be reached.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Pong {
    /// A connection was made.
    pub(crate) reached: bool,
    /// How long that took.
    pub(crate) latency_ms: Option<u64>,
    /// Why not.
    pub(crate) error: Option<String>,
}

fn place(check: &mut Check, host: &str, port: u16) {
    check.name("host", host, 253, "_.-:");
    check.range("port", &port, &(1..=u16::MAX));
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    match timeout(CONNECT, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer within 2 seconds".to_owned()),
    }
}

/// Try to reach a place in the network
#[utoipa::path(
    post, path = "/api/v1/system/ping", tag = "system", request_body = PingBody,
    responses(
        (status = 200, description = "Whether a TCP connection was made within 2 seconds", body = Data<Pong>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn ping(
    _caller: May<ReadSystem>,
    State(_app): State<Shared>,
    Body(body): Body<PingBody>,
) -> Result<Json<Data<Pong>>, Problem> {
    let mut check = Check::default();
    place(&mut check, &body.host, body.port);
    check.done()?;
    let began = Instant::now();
    Ok(Data::of(match connect(&body.host, body.port).await {
        Ok(_) => Pong {
            reached: true,
            latency_ms: Some(millis(began)),
            error: None,
        },
        Err(error) => Pong {
            reached: false,
            latency_ms: None,
            error: Some(error),
        },
    }))
}

/// A database and somebody who logs in there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatabaseLogin {
    /// A name or an address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// Whom to log in as.
    pub(crate) user: String,
    /// Their password.
    #[schema(value_type = String)]
    pub(crate) password: SecretString,
    /// The name of the database.
    pub(crate) database: String,
}

/// Notes that somebody tried a password from here: it could be guessed so.
async fn note(
    app: &App,
    caller: &May<ReadSystem>,
    what: &str,
    host: &str,
    port: u16,
    user: &str,
) -> Result<(), Problem> {
    let subject = format!("{host}:{port}");
    let change = json!({ "user": user });
    let store = &app.api.store;
    store
        .record_audit(Some(caller.id()), what, &subject, &change, app.now())
        .await?;
    Ok(())
}

/// Try to log in to a PostgreSQL database
#[utoipa::path(
    post, path = "/api/v1/system/test-database", tag = "system", request_body = DatabaseLogin,
    responses(
        (status = 200, description = "It answers", body = Done),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 502, description = "It does not", body = ProblemBody),
    )
)]
pub(crate) async fn database(
    caller: May<ReadSystem>,
    State(app): State<Shared>,
    Body(body): Body<DatabaseLogin>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    // A name only: what begins with a slash would be a socket of this machine.
    place(&mut check, &body.host, body.port);
    check.line("user", &body.user, 1..=63);
    check.line("database", &body.database, 1..=63);
    check.line("password", body.password.expose_secret(), 0..=500);
    check.done()?;
    note(
        &app,
        &caller,
        "database.tested",
        &body.host,
        body.port,
        &body.user,
    )
    .await?;
    let password = body.password.expose_secret();
    match try_login(&body.host, body.port, &body.user, password, &body.database).await {
        Ok(()) => Ok(Done::ok()),
        Err(error) => Err(Problem::elsewhere(one_line(&error.to_string()))),
    }
}

fn one_line(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(300).collect()
}

/// An exchange and somebody who logs in there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManagerLogin {
    /// A name or an address.
    pub(crate) host: String,
    /// The port of the manager interface.
    pub(crate) port: u16,
    /// Whom to log in as.
    pub(crate) user: String,
    /// Their secret.
    #[schema(value_type = String)]
    pub(crate) password: SecretString,
}

/// Try to log in to the manager interface of an Asterisk
#[utoipa::path(
    post, path = "/api/v1/system/test-manager", tag = "system", request_body = ManagerLogin,
    responses(
        (status = 200, description = "It answers", body = Done),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 502, description = "It does not", body = ProblemBody),
    )
)]
pub(crate) async fn manager(
    caller: May<ReadSystem>,
    State(app): State<Shared>,
    Body(body): Body<ManagerLogin>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    place(&mut check, &body.host, body.port);
    // Lines end a header there: one more would be another action.
    check.line("user", &body.user, 1..=100);
    check.line("password", body.password.expose_secret(), 0..=500);
    check.done()?;
    note(
        &app,
        &caller,
        "exchange.tested",
        &body.host,
        body.port,
        &body.user,
    )
    .await?;
    let mut stream = connect(&body.host, body.port)
        .await
        .map_err(Problem::elsewhere)?;
    match timeout(ANSWER, log_in(&mut stream, &body)).await {
        Ok(Ok(())) => Ok(Done::ok()),
        Ok(Err(why)) => Err(Problem::elsewhere(why)),
        Err(_) => Err(Problem::elsewhere("no answer within 5 seconds")),
    }
}

/// Logs in, and out again by closing the connection.
async fn log_in(stream: &mut TcpStream, login: &ManagerLogin) -> Result<(), String> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read.take(MAX_ANSWER)).lines();
    let mut next = async || {
        let line = lines.next_line().await.map_err(|error| error.to_string())?;
        line.ok_or_else(|| "it closed the connection".to_owned())
    };
    let banner = next().await?;
    if !banner.contains("Call Manager") {
        return Err("this is not the manager interface of an Asterisk".to_owned());
    }
    let action = format!(
        "Action: Login\r\nUsername: {}\r\nSecret: {}\r\nEvents: off\r\n\r\n",
        login.user,
        login.password.expose_secret()
    );
    write
        .write_all(action.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    let mut failed = false;
    loop {
        let line = next().await?;
        match line.split_once(": ") {
            Some(("Response", "Success")) => return Ok(()),
            Some(("Response", _)) => failed = true,
            Some(("Message", message)) if failed => return Err(one_line(message)),
            None if failed => return Err("it refuses the login".to_owned()),
            Some(_) | None => {}
        }
    }
}
