//! Backups of the database: made now or by schedule, fetched, deleted. Restoring one is a command
//! of the program: nobody takes the database away under calls.

use std::fmt::Display;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use strowger_core::{
    backups::{BadSchedule, Frequency, Schedule},
    ids::UserId,
    time::Timestamp,
};
use strowger_store::backups::{
    Backup, Begun, Cause, Outcome,
    keeper::{Keeper, UnderWay},
};
use tokio::task::JoinHandle;
use utoipa::ToSchema;
use uuid::Uuid;

use super::settings::{keep, kept, value};
use crate::{
    guard::{May, RunBackups},
    input::{Body, Check, Path},
    library,
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    settings::{backup_schedule, for_keeping, for_v1, keys},
    state::{App, Shared},
};

/// What a backup is sent as.
const DUMP: &str = "application/octet-stream";

/// How a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BackupState {
    /// It is being made.
    Running,
    /// It can be fetched and restored.
    Made,
    /// There is none: `error` says why.
    Failed,
}

/// A backup of the database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupView {
    /// Its id.
    pub(crate) id: Uuid,
    /// The name of its file in the directory of backups.
    #[schema(example = "strowger-20261121T010000Z-0198c0de.dump")]
    pub(crate) file_name: String,
    /// How it is.
    pub(crate) state: BackupState,
    /// Length of its file in bytes.
    size_bytes: Option<u64>,
    /// `asked` by a person, or `scheduled`.
    #[schema(value_type = String)]
    cause: &'static str,
    /// The person who asked for it, unless they were deleted.
    #[schema(value_type = Option<String>)]
    asked_by: Option<UserId>,
    /// When it was begun: it holds what was in the database then.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) started_at: Timestamp,
    /// When it was done.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

impl From<Begun> for BackupView {
    fn from(begun: Begun) -> Self {
        Self {
            id: begun.id,
            file_name: begun.file_name,
            state: BackupState::Running,
            size_bytes: None,
            cause: begun.cause.as_str(),
            asked_by: begun.asked_by,
            started_at: begun.started_at,
            ended_at: None,
            error: None,
        }
    }
}

impl From<Backup> for BackupView {
    fn from(backup: Backup) -> Self {
        let (state, size_bytes, error) = match backup.outcome {
            Outcome::Made { size_bytes } => (BackupState::Made, Some(size_bytes), None),
            Outcome::Failed(why) => (BackupState::Failed, None, Some(why)),
        };
        Self {
            state,
            size_bytes,
            error,
            ended_at: Some(backup.ended_at),
            ..backup.begun.into()
        }
    }
}

/// When backups are made by themselves.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleBody {
    /// `none`, `daily`, `weekly` on Sundays, or `monthly` on the first.
    #[schema(value_type = String, example = "daily")]
    pub(crate) frequency: Frequency,
    /// The time of day on the clock of the zone.
    #[schema(example = "02:00")]
    pub(crate) time: String,
    /// An IANA name; what was set before when absent, `UTC` at first.
    #[serde(default)]
    #[schema(example = "Europe/Paris")]
    pub(crate) time_zone: Option<String>,
}

/// The schedule as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    frequency: Frequency,
    time: String,
    time_zone: String,
}

/// When backups are made by themselves, and when the next one is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScheduleView {
    /// `none`, `daily`, `weekly` or `monthly`.
    #[schema(value_type = String, example = "daily")]
    frequency: Frequency,
    /// The time of day on the clock of the zone.
    #[schema(example = "02:00")]
    time: String,
    /// An IANA name.
    #[schema(example = "Europe/Paris")]
    time_zone: String,
    /// When the next one is made; null when none is.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Timestamp>,
}

impl Kept {
    fn schedule(&self) -> Result<Schedule, Problem> {
        let made = Schedule::new(self.frequency, &self.time, &self.time_zone);
        made.map_err(|bad| {
            let field = match bad {
                BadSchedule::Time => "time",
                BadSchedule::Zone => "time_zone",
            };
            Problem::field(field, bad.to_string())
        })
    }

    fn view(self, now: Timestamp) -> Result<ScheduleView, Problem> {
        Ok(ScheduleView {
            next_at: self.schedule()?.next(now),
            frequency: self.frequency,
            time: self.time,
            time_zone: self.time_zone,
        })
    }
}

fn keeper(app: &App) -> Result<&Keeper, Problem> {
    app.api.system.backups.as_ref().ok_or_else(|| {
        Problem::unavailable("no-backups", "backups are not set up on this server", 3_600)
    })
}

fn no_such(what: impl Display) -> Problem {
    Problem::not_found(format!("there is no backup {what}"))
}

impl From<UnderWay> for Problem {
    fn from(under_way: UnderWay) -> Self {
        Self::conflict(under_way.to_string())
    }
}

/// Those that there are, newest first.
pub(crate) async fn views(app: &App) -> Result<Vec<BackupView>, Problem> {
    let running = app.api.system.backups.as_ref().and_then(Keeper::running);
    let done = app.api.store.backups().await?;
    // It may have been done between the two looks.
    let running = running.filter(|begun| done.iter().all(|one| one.begun.id != begun.id));
    let running = running.into_iter().map(BackupView::from);
    Ok(running
        .chain(done.into_iter().map(BackupView::from))
        .collect())
}

/// List backups
///
/// All of them, newest first, the one that is being made and those that failed among them.
#[utoipa::path(
    get, path = "/api/v1/backups", tag = "backups",
    responses((status = 200, description = "Backups", body = Page<BackupView>))
)]
pub(crate) async fn list(
    _caller: May<RunBackups>,
    State(app): State<Shared>,
) -> Result<Json<Page<BackupView>>, Problem> {
    Ok(Page::whole(views(&app).await?))
}

/// Begins a backup that goes on by itself.
pub(crate) async fn begin(
    app: &Shared,
    caller: &May<RunBackups>,
) -> Result<(Begun, JoinHandle<Option<Backup>>), Problem> {
    let now = app.now();
    let by = Some(caller.id().clone());
    let turn = keeper(app)?.begin(app.new_id(), Cause::Asked, by, now)?;
    let begun = turn.begun().clone();
    let change = json!({ "file_name": begun.file_name });
    let (store, id) = (&app.api.store, begun.id.to_string());
    store
        .record_audit(Some(caller.id()), "backup.asked", &id, &change, now)
        .await?;
    let (clock, stop) = (app.api.clock.clone(), app.api.shutdown.clone());
    let work = async move {
        let made = tokio::select! {
            made = turn.make(|| clock()) => made,
            () = stop.cancelled() => return None,
        };
        made.inspect_err(|error| tracing::error!(%error, "What came of a backup is not noted"))
            .ok()
    };
    Ok((begun, app.tasks.spawn(work)))
}

/// Make a backup
///
/// It is begun and goes on by itself: the list says when it is done. The telephony goes on
/// meanwhile. When more than `backup.keep` are there then, the oldest are deleted.
#[utoipa::path(
    post, path = "/api/v1/backups", tag = "backups",
    responses(
        (status = 202, description = "Begun", body = Data<BackupView>),
        (status = 409, description = "Another one is being made", body = ProblemBody),
        (status = 503, description = "Backups are not set up", body = ProblemBody),
    )
)]
pub(crate) async fn make(
    caller: May<RunBackups>,
    State(app): State<Shared>,
) -> Result<(StatusCode, Json<Data<BackupView>>), Problem> {
    let (begun, _goes_on) = begin(&app, &caller).await?;
    Ok((StatusCode::ACCEPTED, Data::of(begun.into())))
}

/// Fetch a backup
///
/// In PostgreSQL's custom format, for `strowger backup restore` or `pg_restore`. With `Range` a
/// part of it. It holds everything, the hashes of passwords as well; who fetched it is in the
/// audit log.
#[utoipa::path(
    get, path = "/api/v1/backups/{id}/content", tag = "backups", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The backup", content_type = "application/octet-stream", body = String),
        (status = 206, description = "The part that was asked for", content_type = "application/octet-stream", body = String),
        (status = 404, description = "No such backup, or it failed, or its file is gone", body = ProblemBody),
        (status = 416, description = "It does not have such a part"),
    )
)]
pub(crate) async fn content(
    caller: May<RunBackups>,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
    request: Request,
) -> Result<Response, Problem> {
    let found = app.api.store.backup(id).await?;
    let backup = found.ok_or_else(|| no_such(id))?;
    if let Outcome::Failed(why) = backup.outcome {
        return Err(Problem::not_found(format!("this backup failed: {why}")));
    }
    let (directory, name) = (keeper(&app)?.directory(), &backup.begun.file_name);
    let served = library::serve(directory, name, DUMP, "the backup", request).await?;
    let mut response = served.ok_or_else(|| {
        tracing::error!(file = name, "The file of a backup is gone");
        Problem::not_found("the file of this backup is gone from the directory of backups")
    })?;
    if response.status().is_success() {
        let disposition = format!("attachment; filename=\"{name}\"");
        if let Ok(disposition) = HeaderValue::from_str(&disposition) {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        let change = json!({ "file_name": name });
        let (store, now) = (&app.api.store, app.now());
        let id = id.to_string();
        store
            .record_audit(Some(caller.id()), "backup.fetched", &id, &change, now)
            .await?;
    }
    Ok(response)
}

/// Delete a backup
///
/// One that failed as well: it goes from the list.
#[utoipa::path(
    delete, path = "/api/v1/backups/{id}", tag = "backups", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such backup, or it is still being made", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<RunBackups>,
    State(app): State<Shared>,
    Path(id): Path<Uuid>,
) -> Result<Json<Done>, Problem> {
    let (app_, keeper) = (app.clone(), keeper(&app)?.clone());
    let work = async move {
        let removed = keeper.remove(id, caller.by(app_.now())).await?;
        removed.map(|_| Done::ok()).ok_or_else(|| no_such(id))
    };
    app.finish(work).await
}

async fn current(app: &App) -> Result<Kept, Problem> {
    kept(app, keys::BACKUPS, |kept| for_v1(backup_schedule(kept))).await
}

/// Show when backups are made
#[utoipa::path(
    get, path = "/api/v1/settings/backup-schedule", tag = "settings",
    responses((status = 200, description = "The schedule, and when the next one is", body = Data<ScheduleView>))
)]
pub(crate) async fn schedule(
    _caller: May<RunBackups>,
    State(app): State<Shared>,
) -> Result<Json<Data<ScheduleView>>, Problem> {
    Ok(Data::of(current(&app).await?.view(app.now())?))
}

/// Change when backups are made
///
/// What was missed while the daemon was not running is made once when it runs again; one that
/// failed is tried again after an hour.
#[utoipa::path(
    put, path = "/api/v1/settings/backup-schedule", tag = "settings", request_body = ScheduleBody,
    responses(
        (status = 200, description = "Changed", body = Data<ScheduleView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_schedule(
    caller: May<RunBackups>,
    State(app): State<Shared>,
    Body(sent): Body<ScheduleBody>,
) -> Result<Json<Data<ScheduleView>>, Problem> {
    let time_zone = match sent.time_zone {
        Some(zone) => zone,
        None => current(&app).await?.time_zone,
    };
    let mut check = Check::default();
    check.line("time_zone", &time_zone, 1..=100);
    check.done()?;
    let schedule = Kept {
        frequency: sent.frequency,
        time: sent.time,
        time_zone,
    };
    schedule.schedule()?;
    keep(
        &app,
        &caller,
        keys::BACKUPS,
        &for_keeping(value(&schedule)?),
    )
    .await?;
    Ok(Data::of(schedule.view(app.now())?))
}
