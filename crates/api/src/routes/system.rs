//! How the machine and the daemon are.

pub(crate) mod reach;

use axum::{Json, extract::State};
use serde::Serialize;
use strowger_core::time::Timestamp;
use strowger_store::audit::Filter;
use tokio::time::{Duration, Instant, timeout};
use utoipa::ToSchema;

use crate::{
    guard::{May, ReadSystem},
    machine::Measured,
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// Lines of each log.
const LINES: u32 = 100;

/// Part of what there is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SpaceView {
    /// All of it, in bytes.
    pub(crate) total_bytes: u64,
    /// What is used, in bytes.
    pub(crate) used_bytes: u64,
}

/// How the machine is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Stats {
    /// The name of the processor.
    pub(crate) cpu_brand: String,
    /// How busy all processors are together, 0 to 100.
    pub(crate) cpu_load_percent: f32,
    /// Memory.
    pub(crate) memory: SpaceView,
    /// The disk that holds the data directory.
    pub(crate) disk: SpaceView,
    /// Files of recordings; counted once a minute.
    pub(crate) recording_files: u64,
    /// Their bytes.
    pub(crate) recording_bytes: u64,
}

impl From<Measured> for Stats {
    fn from(measured: Measured) -> Self {
        Self {
            cpu_brand: measured.brand,
            cpu_load_percent: measured.load,
            memory: SpaceView {
                total_bytes: measured.memory.total,
                used_bytes: measured.memory.used,
            },
            disk: SpaceView {
                total_bytes: measured.disk.total,
                used_bytes: measured.disk.used,
            },
            recording_files: measured.recordings.count,
            recording_bytes: measured.recordings.bytes,
        }
    }
}

/// A line of a log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    /// Differs from that of every other line.
    pub(crate) id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// How grave it is.
    #[schema(example = "WARN")]
    pub(crate) level: &'static str,
    /// The part of the daemon, or who did it.
    pub(crate) source: String,
    /// The text.
    pub(crate) message: String,
}

/// The last lines of each log, at most 100, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Logs {
    /// Of the daemon, since it was started.
    pub(crate) system: Vec<LineView>,
    /// Of what has to do with Asterisk.
    pub(crate) exchange: Vec<LineView>,
    /// Who changed what.
    pub(crate) security: Vec<LineView>,
}

/// Whether something answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// `database`, or the name of an exchange.
    name: String,
    /// `database` or `exchange`.
    kind: &'static str,
    /// It answers.
    up: bool,
    /// How long it took to answer, where that was measured.
    latency_ms: Option<u64>,
}

/// Show how the machine is
#[utoipa::path(
    get, path = "/api/v1/system/stats", tag = "system",
    responses(
        (status = 200, description = "Now", body = Data<Stats>),
        (status = 503, description = "The system does not tell", body = ProblemBody),
    )
)]
pub(crate) async fn stats(
    _caller: May<ReadSystem>,
    State(app): State<Shared>,
) -> Result<Json<Data<Stats>>, Problem> {
    let settings = &app.api.settings;
    let measured = app
        .machine
        .measure(&settings.data_directory, &settings.recordings)
        .await;
    let measured = measured.ok_or_else(|| {
        Problem::unavailable("no-figures", "the system does not tell how it is", 60)
    })?;
    Ok(Data::of(measured.into()))
}

/// Show the last lines of the logs
#[utoipa::path(
    get, path = "/api/v1/system/logs", tag = "system",
    responses((status = 200, description = "At most 100 of each, newest first", body = Data<Logs>))
)]
pub(crate) async fn logs(
    _caller: May<ReadSystem>,
    State(app): State<Shared>,
) -> Result<Json<Data<Logs>>, Problem> {
    let mut logs = of_daemon(&app);
    let changes = app
        .api
        .store
        .audit_log(&Filter::default(), None, LINES)
        .await?;
    logs.security = changes
        .into_iter()
        .map(|change| LineView {
            id: format!("audit-{}", change.id),
            at: change.at,
            level: "INFO",
            source: change.actor.unwrap_or_else(|| "system".to_owned()),
            message: format!("{} {}", change.action, change.subject),
        })
        .collect();
    Ok(Data::of(logs))
}

/// The last lines that the daemon wrote.
pub(crate) fn of_daemon(app: &App) -> Logs {
    let lines = app.api.system.log.as_ref().map(|log| log());
    let mut logs = Logs {
        system: Vec::new(),
        exchange: Vec::new(),
        security: Vec::new(),
    };
    for line in lines.unwrap_or_default().into_iter().rev() {
        let of_exchange = ["strowger_ami", "strowger_agi", "strowger_telephony"]
            .iter()
            .any(|part| line.target.starts_with(part));
        let list = if of_exchange {
            &mut logs.exchange
        } else {
            &mut logs.system
        };
        if list.len() < LINES as usize {
            list.push(LineView {
                id: format!("log-{}", line.number),
                at: line.at,
                level: line.level,
                source: line.target,
                message: line.message,
            });
        }
    }
    logs
}

/// Show whether the database and the exchanges answer
#[utoipa::path(
    get, path = "/api/v1/system/connectivity", tag = "system",
    responses((status = 200, description = "Each of them", body = Data<Vec<Link>>))
)]
pub(crate) async fn connectivity(
    _caller: May<ReadSystem>,
    State(app): State<Shared>,
) -> Result<Json<Data<Vec<Link>>>, Problem> {
    let began = Instant::now();
    let answered = timeout(Duration::from_secs(2), app.api.store.ping()).await;
    let up = matches!(answered, Ok(Ok(())));
    let mut links = vec![Link {
        name: "database".to_owned(),
        kind: "database",
        up,
        latency_ms: up.then(|| reach::millis(began)),
    }];
    let servers = (app.api.status)().servers;
    links.extend(servers.into_iter().map(|(name, up)| Link {
        name: name.to_string(),
        kind: "exchange",
        up,
        latency_ms: None,
    }));
    Ok(Data::of(links))
}
