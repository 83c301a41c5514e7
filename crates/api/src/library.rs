//! Files of sound: how those of the media library come in, and how all are heard.
//!
//! A sound is written to a file of another name while it comes in, and gets its own when it is
//! whole: nobody ever plays half of one.

use std::{
    fmt::Display,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::{Stream, StreamExt as _};
use strowger_core::sound::{HEADER_BYTES, MAX_SOUND_BYTES, Sound, WavReader, is_file_name};
use tokio::{
    fs::{self, File},
    io::{AsyncSeekExt as _, AsyncWriteExt as _},
    sync::{OnceCell, Semaphore},
    time::timeout,
};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use uuid::Uuid;

use crate::problem::Problem;

/// The media type of every sound: Asterisk plays and records WAV.
pub(crate) const WAV: &str = "audio/wav";

/// Most uploads at once.
const UPLOADS: usize = 4;

/// Longest time for an upload.
const WITHIN: Duration = Duration::from_mins(5);

/// How the files end that are not whole yet.
const PART: &str = ".part";

/// The directory of the media library.
#[derive(Debug)]
pub(crate) struct Library {
    directory: PathBuf,
    /// Set when the directory is there and free of what an earlier run left.
    ready: OnceCell<()>,
    uploads: Semaphore,
}

/// A file that is removed again, unless it is kept.
#[derive(Debug)]
struct Unkept(Option<PathBuf>);

impl Drop for Unkept {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "An unfinished sound is left behind");
        }
    }
}

/// A sound that has come in, and is gone again unless it is placed.
#[derive(Debug)]
pub(crate) struct Upload {
    /// What it is.
    pub(crate) sound: Sound,
    file: Unkept,
}

/// A sound that is in its place, and is gone again unless it is kept.
#[derive(Debug)]
pub(crate) struct Placed(Unkept);

impl Placed {
    /// Leaves it there for good.
    pub(crate) fn keep(mut self) {
        self.0.0 = None;
    }
}

/// What the system said, for the log; the person learns that the server is at fault.
fn failed(path: &Path) -> impl Fn(io::Error) -> Problem {
    move |error| {
        tracing::error!(%error, path = %path.display(), "A sound cannot be stored: check media.directory");
        Problem::unavailable(
            "media-directory",
            "the sound cannot be stored: whoever runs the server finds the reason in its log",
            60,
        )
    }
}

impl Library {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            ready: OnceCell::new(),
            uploads: Semaphore::new(UPLOADS),
        }
    }

    /// Makes the directory, and removes what an earlier run did not finish.
    async fn prepare(&self) -> io::Result<()> {
        fs::create_dir_all(&self.directory).await?;
        let mut entries = fs::read_dir(&self.directory).await?;
        while let Some(entry) = entries.next_entry().await? {
            if entry.file_name().to_string_lossy().ends_with(PART) {
                fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }

    /// Takes a sound as it comes in. `unique` names it until it is placed.
    pub(crate) async fn receive<E: Display>(
        &self,
        unique: Uuid,
        pieces: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<Upload, Problem> {
        let _permit = self.uploads.try_acquire().map_err(|_| {
            Problem::unavailable(
                "uploads-under-way",
                "other sounds are being uploaded: try again when they are done",
                10,
            )
        })?;
        let failed = failed(&self.directory);
        let ready = self.ready.get_or_try_init(|| self.prepare()).await;
        ready.map_err(&failed)?;
        let path = self.directory.join(format!("{}{PART}", unique.simple()));
        let mut file = File::create_new(&path).await.map_err(&failed)?;
        let unkept = Unkept(Some(path));
        match timeout(WITHIN, write(&mut file, pieces, &failed)).await {
            Ok(sound) => Ok(Upload {
                sound: sound?,
                file: unkept,
            }),
            Err(_) => Err(Problem::malformed(
                "the upload took longer than 5 minutes and was given up",
            )),
        }
    }

    /// Gives a sound its name, which no other one has.
    pub(crate) async fn place(&self, upload: Upload, name: &str) -> Result<Placed, Problem> {
        let failed = failed(&self.directory);
        let path = self.directory.join(name);
        let mut file = upload.file;
        if let Some(part) = &file.0 {
            fs::rename(part, &path).await.map_err(&failed)?;
        }
        file.0 = Some(path);
        // After a power failure the name must be there: the database will say that it is.
        let directory = File::open(&self.directory).await.map_err(&failed)?;
        directory.sync_all().await.map_err(&failed)?;
        Ok(Placed(file))
    }

    /// Takes a sound away for good.
    pub(crate) async fn remove(&self, name: &str) {
        let path = self.directory.join(name);
        if let Err(error) = fs::remove_file(&path).await {
            tracing::warn!(%error, path = %path.display(), "The file of a deleted sound is left behind");
        }
    }

    /// Plays a sound; see [`play()`].
    pub(crate) async fn play(
        &self,
        name: &str,
        request: Request,
    ) -> Result<Option<Response>, Problem> {
        play(&self.directory, name, request).await
    }
}

async fn write<E: Display>(
    file: &mut File,
    pieces: impl Stream<Item = Result<Bytes, E>>,
    failed: &impl Fn(io::Error) -> Problem,
) -> Result<Sound, Problem> {
    let mut pieces = pin!(pieces);
    let mut reader = WavReader::default();
    let mut come = 0;
    // The header says how long the sound is, which is known at its end.
    file.write_all(&[0; HEADER_BYTES]).await.map_err(failed)?;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Problem::malformed(format!("the upload broke off, send it again: {error}"))
        })?;
        come += piece.len() as u64;
        if come > MAX_SOUND_BYTES {
            return Err(Problem::too_large(
                "the sound is larger than 20 MB: shorten it, or save it with 8000 Hz",
            ));
        }
        let samples = reader.feed(&piece).map_err(bad)?;
        file.write_all(&samples).await.map_err(failed)?;
    }
    let sound = reader.finish().map_err(bad)?;
    file.seek(SeekFrom::Start(0)).await.map_err(failed)?;
    file.write_all(&sound.header()).await.map_err(failed)?;
    file.sync_all().await.map_err(failed)?;
    Ok(sound)
}

#[expect(clippy::needless_pass_by_value, reason = "used with map_err")]
fn bad(bad: strowger_core::sound::BadSound) -> Problem {
    Problem::field("file", bad.to_string())
}

/// Plays a file of a directory, or the part of it that the request asks for with `Range`. None
/// when it is not there; a name or a link that leads out of the directory is not there either.
pub(crate) async fn play(
    directory: &Path,
    name: &str,
    request: Request,
) -> Result<Option<Response>, Problem> {
    serve(directory, name, WAV, "the sound", request).await
}

/// The same for a file of any kind; `what` is what a person calls it.
pub(crate) async fn serve(
    directory: &Path,
    name: &str,
    content_type: &'static str,
    what: &str,
    request: Request,
) -> Result<Option<Response>, Problem> {
    let path = match find(directory, name).await {
        Ok(Some(path)) => path,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            tracing::error!(%error, directory = %directory.display(), name, "A file cannot be read");
            return Err(Problem::unavailable(
                "unreadable",
                format!(
                    "{what} cannot be read: whoever runs the server finds the reason in its log"
                ),
                60,
            ));
        }
    };
    let Ok(response) = ServeFile::new(path).oneshot(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let mut response = response.map(Body::new);
    if response.status().is_success() {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    Ok(Some(response))
}

/// Where a file of a directory is, if it is one that can be read.
async fn find(directory: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    if !is_file_name(name) {
        return Ok(None);
    }
    let directory = fs::canonicalize(directory).await?;
    let path = fs::canonicalize(directory.join(name)).await?;
    if !path.starts_with(&directory) || !fs::metadata(&path).await?.is_file() {
        return Ok(None);
    }
    File::open(&path).await?;
    Ok(Some(path))
}
