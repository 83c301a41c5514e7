//! Makes backups, one at a time, and keeps as many as it is told.
//!
//! A backup is written to a file of another name and gets its own when it is whole and on the
//! disk. What failed leaves a row with the reason and no file.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sqlx::postgres::PgConnectOptions;
use strowger_core::{backups::surplus, ids::UserId, time::Timestamp};
use tokio::fs::{self, File};
use uuid::Uuid;

use super::{
    Backup, Begun, Cause, Outcome,
    dump::{DumpError, Programs},
};
use crate::{Error, Store, audit::By};

/// How the files end that are not whole yet.
const PART: &str = ".part";

/// What the files of backups begin and end with.
const NAME: (&str, &str) = ("strowger-", ".dump");

/// How backups are kept.
#[derive(Debug, Clone)]
pub struct BackupSettings {
    /// The directory of their files.
    pub directory: PathBuf,
    /// Makes the directory when it is not there. One that somebody has to mount is not made: the
    /// backups would go to the disk that they are to outlive.
    pub make_directory: bool,
    /// Most backups that are kept.
    pub keep: usize,
    /// Where PostgreSQL's programs are; none to look for them.
    pub programs: Option<PathBuf>,
    /// The database.
    pub database: PgConnectOptions,
}

/// Another backup is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a backup is being made: wait until it is done")]
pub struct UnderWay;

/// Makes backups and keeps their files. Cheap to clone; all clones share one turn.
#[derive(Debug, Clone)]
pub struct Keeper {
    store: Store,
    settings: Arc<BackupSettings>,
    running: Arc<Mutex<Option<Begun>>>,
}

/// The turn of one backup; over when it is dropped.
#[derive(Debug)]
pub struct Turn {
    keeper: Keeper,
    begun: Begun,
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.keeper.lock() = None;
    }
}

/// A file that is removed again, unless it is kept.
struct Unkept(Option<PathBuf>);

impl Drop for Unkept {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "An unfinished backup is left behind");
        }
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> DumpError {
    move |source| DumpError::File {
        path: path.to_owned(),
        source,
    }
}

/// The name of a file: when it was begun, and what keeps it apart from another of that second.
fn file_name(id: Uuid, now: Timestamp) -> String {
    let unique = id.simple().to_string();
    let (begin, end) = NAME;
    let unique = unique.get(24..).unwrap_or_default();
    format!("{begin}{}-{unique}{end}", now.strftime("%Y%m%dT%H%M%SZ"))
}

impl Keeper {
    /// Keeps the backups of a database.
    pub fn new(store: Store, settings: BackupSettings) -> Self {
        Self {
            store,
            settings: Arc::new(settings),
            running: Arc::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Begun>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the files are.
    pub fn directory(&self) -> &Path {
        &self.settings.directory
    }

    /// The backup that is being made.
    pub fn running(&self) -> Option<Begun> {
        self.lock().clone()
    }

    /// Takes the turn for a backup.
    ///
    /// # Errors
    /// [`UnderWay`] while another one is made.
    pub fn begin(
        &self,
        id: Uuid,
        cause: Cause,
        asked_by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Turn, UnderWay> {
        let begun = Begun {
            id,
            file_name: file_name(id, now),
            cause,
            asked_by,
            started_at: now,
        };
        let mut running = self.lock();
        if running.is_some() {
            return Err(UnderWay);
        }
        *running = Some(begun.clone());
        drop(running);
        Ok(Turn {
            keeper: self.clone(),
            begun,
        })
    }

    /// Makes a backup if the schedule says that one is due. None when it does not, or while
    /// another one is made.
    ///
    /// # Errors
    /// When the schedule cannot be read, or what came of the backup cannot be noted.
    pub async fn run_due(
        &self,
        id: Uuid,
        clock: impl Fn() -> Timestamp,
    ) -> Result<Option<Backup>, Error> {
        let Some((schedule, set_at)) = self.store.backup_schedule().await? else {
            return Ok(None);
        };
        let tried = self.store.last_scheduled_backup().await?;
        let now = clock();
        if !schedule.is_due(set_at, tried, now) {
            return Ok(None);
        }
        match self.begin(id, Cause::Scheduled, None, now) {
            Ok(turn) => Ok(Some(turn.make(clock).await?)),
            Err(UnderWay) => Ok(None),
        }
    }

    /// Removes what an earlier run began and did not finish.
    ///
    /// # Errors
    /// When the directory cannot be read, or a file in it cannot be removed.
    pub async fn tidy(&self) -> Result<(), DumpError> {
        let directory = self.directory();
        let failed = at(directory);
        let mut entries = match fs::read_dir(directory).await {
            Ok(entries) => entries,
            // There will be one, or each backup says what is missing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        while let Some(entry) = entries.next_entry().await.map_err(&failed)? {
            let name = entry.file_name();
            let whole = name.to_str().and_then(|name| name.strip_suffix(PART));
            if whole.is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1)) {
                let path = entry.path();
                fs::remove_file(&path).await.map_err(at(&path))?;
            }
        }
        Ok(())
    }

    /// Takes the file of a backup away. None when there is no such backup.
    ///
    /// # Errors
    /// When the database fails. A file that cannot be removed is in the log.
    pub async fn remove(&self, id: Uuid, by: By<'_>) -> Result<Option<String>, Error> {
        let removed = self.store.remove_backup(id, by).await?;
        if let Some(name) = &removed {
            let path = self.directory().join(name);
            match fs::remove_file(&path).await {
                Ok(()) => {}
                // One that failed has none.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "The file of a deleted backup is left behind");
                }
            }
        }
        Ok(removed)
    }

    /// Takes the oldest backups away that are too many.
    async fn prune(&self, now: Timestamp) -> Result<(), Error> {
        let backups = self.store.backups().await?.into_iter();
        let known = backups.map(|one| (one.begun.id, matches!(one.outcome, Outcome::Made { .. })));
        for id in surplus(known, self.settings.keep) {
            self.remove(id, By { actor: None, now }).await?;
        }
        Ok(())
    }

    async fn write(&self, name: &str) -> Result<(Unkept, u64), DumpError> {
        let settings = &self.settings;
        let directory = self.directory();
        let programs = Programs::find(settings.programs.as_deref())?;
        if !directory.is_dir() {
            if !settings.make_directory {
                return Err(DumpError::NoDirectory(directory.to_owned()));
            }
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(directory);
            made.map_err(at(directory))?;
        }
        let (part, path) = (
            directory.join(format!("{name}{PART}")),
            directory.join(name),
        );
        let room = rustix::fs::statvfs(directory).map_err(|error| at(directory)(error.into()))?;
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let needed = self.store.database_size().await?;
        if free < needed {
            return Err(DumpError::NoRoom {
                directory: directory.to_owned(),
                free,
                needed,
            });
        }
        let failed = at(&part);
        // It holds everything that the database does.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .map_err(&failed)?;
        let mut unkept = Unkept(Some(part.clone()));
        let output = file.try_clone().map_err(&failed)?;
        programs.dump(&settings.database, output).await?;
        let file = File::from_std(file);
        file.sync_all().await.map_err(&failed)?;
        let size = file.metadata().await.map_err(&failed)?.len();
        programs.check(&part).await?;
        fs::rename(&part, &path).await.map_err(&failed)?;
        unkept.0 = Some(path);
        // After a power failure the name must be there: the database will say that it is.
        let directory = File::open(directory).await.map_err(&failed)?;
        directory.sync_all().await.map_err(&failed)?;
        Ok((unkept, size))
    }
}

impl Turn {
    /// What is begun.
    pub fn begun(&self) -> &Begun {
        &self.begun
    }

    /// Makes the backup and takes those away that are too many then. When this is dropped before
    /// it is done, nothing is left of it.
    ///
    /// # Errors
    /// When what came of it cannot be noted. A backup that failed is no error here: its outcome
    /// says why.
    pub async fn make(self, clock: impl Fn() -> Timestamp) -> Result<Backup, Error> {
        let written = self.keeper.write(&self.begun.file_name).await;
        let (file, outcome) = match written {
            Ok((file, size_bytes)) => (Some(file), Outcome::Made { size_bytes }),
            Err(error) => {
                tracing::error!(%error, "A backup could not be made");
                (None, Outcome::Failed(error.to_string()))
            }
        };
        let backup = Backup {
            begun: self.begun.clone(),
            ended_at: clock(),
            outcome,
        };
        self.keeper.store.add_backup(&backup).await?;
        if let Some(mut file) = file {
            file.0 = None;
            tracing::info!(
                file = backup.begun.file_name,
                cause = %backup.begun.cause,
                "A backup was made"
            );
            if let Err(error) = self.keeper.prune(clock()).await {
                tracing::warn!(%error, "Old backups could not be removed");
            }
        }
        Ok(backup)
    }
}
