//! Backups, for super administrators.

use std::time::Duration;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{delete, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::backups::Frequency;
use strowger_store::backups::{Backup, Outcome};

use super::{
    Answer, Caller, Json, Path, instant,
    system::{Told, said},
};
use crate::{
    guard::RunBackups,
    input::{Body, Path as Id},
    problem::Problem,
    routes::backups::{self as v1, BackupState},
    state::{App, Shared},
};

/// How long the console waits for a backup, which itself gives up after 15 seconds: it reads its
/// list when it has the answer.
const WAITS: Duration = Duration::from_secs(12);

/// Most backups that the console is told of.
const LOGS: usize = 100;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/system/backups", post(make))
        .route("/api/system/backups/restore", post(restore))
        .route("/api/system/backups/{file_name}", delete(remove))
        .route("/api/system/backup-schedule", put(set_schedule))
}

/// The backups that are done or failed, newest first, as the console lists them.
pub(super) async fn logs(app: &App) -> Result<Vec<Value>, Problem> {
    let views = v1::views(app).await?.into_iter();
    let line = |view: v1::BackupView| {
        let status = match view.state {
            BackupState::Running => return None,
            BackupState::Made => "success",
            BackupState::Failed => "failure",
        };
        Some(json!({
            "id": view.id, "timestamp": instant(view.started_at), "status": status,
            "fileName": view.file_name,
        }))
    };
    Ok(views.filter_map(line).take(LOGS).collect())
}

async fn make(
    Caller(caller): Caller<RunBackups>,
    State(app): State<Shared>,
) -> Result<(StatusCode, axum::Json<Value>), Told> {
    let (_, goes_on) = v1::begin(&app, &caller).await?;
    let message = match tokio::time::timeout(WAITS, goes_on).await {
        Ok(Ok(Some(Backup {
            outcome: Outcome::Made { .. },
            ..
        }))) => "Sauvegarde effectuée.",
        Ok(Ok(Some(Backup {
            outcome: Outcome::Failed(why),
            ..
        }))) => return Err(Problem::unavailable("backup-failed", why, 60).into()),
        Ok(Ok(None) | Err(_)) => return Err(Problem::internal().into()),
        Err(_) => {
            "La sauvegarde est en cours : elle apparaîtra dans la liste quand elle sera terminée."
        }
    };
    Ok((StatusCode::CREATED, said(message)))
}

async fn named(app: &App, file_name: &str) -> Result<Backup, Problem> {
    let found = app.api.store.backup_named(file_name).await?;
    found.ok_or_else(|| Problem::not_found("there is no backup with this name"))
}

async fn remove(
    Caller(caller): Caller<RunBackups>,
    State(app): State<Shared>,
    Path(file_name): Path<String>,
) -> Answer<StatusCode> {
    let backup = named(&app, &file_name).await?;
    let _done = v1::delete(caller, State(app), Id(backup.begun.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentRestore {
    file_name: String,
}

/// Says how: nobody takes the database away from under the calls that are being made.
async fn restore(
    _caller: Caller<RunBackups>,
    State(app): State<Shared>,
    Json(sent): Json<SentRestore>,
) -> Result<axum::Json<Value>, Told> {
    let backup = named(&app, &sent.file_name).await?;
    let name = backup.begun.file_name;
    let path = match &app.api.system.backups {
        Some(keeper) => keeper.directory().join(name).display().to_string(),
        None => name,
    };
    Err(Problem::conflict(format!(
        "Rien n'a été modifié : une restauration se fait sur le serveur, dans une base de données vide, \
         avec la commande « strowger backup restore {path} --into postgres://… » ; \
         mettez ensuite cette adresse dans database.url et redémarrez Strowger."
    ))
    .into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentSchedule {
    frequency: Frequency,
    time: String,
    #[serde(default)]
    time_zone: Option<String>,
}

async fn set_schedule(
    Caller(caller): Caller<RunBackups>,
    State(app): State<Shared>,
    Json(sent): Json<SentSchedule>,
) -> Answer<axum::Json<Value>> {
    let body = v1::ScheduleBody {
        frequency: sent.frequency,
        time: sent.time,
        time_zone: sent.time_zone,
    };
    let _done = v1::set_schedule(caller, State(app), Body(body)).await?;
    Ok(said("Planification des sauvegardes enregistrée."))
}
