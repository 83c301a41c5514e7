//! Sounds of the media library, and recordings of calls.

use axum::{
    Router,
    extract::{
        DefaultBodyLimit, Multipart, Request, State,
        multipart::{MultipartError, MultipartRejection},
    },
    http::StatusCode,
    response::Response,
    routing::{get, post, put},
};
use serde::Deserialize;
use strowger_core::{
    ids::{CallId, MediaFileId},
    sound::MAX_SOUND_BYTES,
};
use strowger_store::views::Screen;

use super::{Answer, Caller, Json, Path, shape::id, shown};
use crate::{
    guard::{EditMedia, ReadRecordings},
    input::{self, Body},
    problem::Problem,
    routes::{
        media_files::{self as v1, MediaFileBody},
        recordings,
    },
    state::Shared,
};

/// Longest form: a sound, its name and what lies between them. The sound itself is measured.
#[expect(clippy::cast_possible_truncation, reason = "20 MB fit everywhere")]
const FORM: usize = MAX_SOUND_BYTES as usize + 64 * 1024;

/// Routes that answer at once. The player asks for files with `/api` twice.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/audio-files/{id}", put(change).delete(delete))
        .route("/api/media/{file}", get(content))
        .route("/api/api/media/{file}", get(content))
        .route("/api/recordings/{file}", get(recording))
        .route("/api/api/recordings/{file}", get(recording))
}

/// The upload, which takes its time.
pub(super) fn uploads() -> Router<Shared> {
    Router::new().route(
        "/api/audio-files",
        post(create).layer(DefaultBodyLimit::max(FORM)),
    )
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::too_large("the form is larger than 20 MB: choose a shorter sound")
        } else {
            Self::malformed("the upload broke off, or is no form: send it again")
        }
    }
}

/// Takes a form with `name` and `audioFile`, in any order. How long the sound is, its samples
/// say and not the form.
async fn create(
    Caller(caller): Caller<EditMedia>,
    State(app): State<Shared>,
    form: Result<Multipart, MultipartRejection>,
) -> Answer<Response> {
    let mut form = form.map_err(|_| Problem::field("audioFile", "choose a WAV file to upload"))?;
    let (mut name, mut upload) = (None, None);
    while let Some(field) = form.next_field().await.map_err(Problem::from)? {
        match field.name() {
            Some("name") => {
                let text = field.text().await.map_err(Problem::from)?;
                name = Some(v1::name_of(&text)?);
            }
            Some("audioFile") if upload.is_none() => {
                upload = Some(v1::receive(&app, field).await?);
            }
            Some(_) | None => {}
        }
    }
    let upload =
        upload.ok_or_else(|| Problem::field("audioFile", "choose a WAV file to upload"))?;
    let name = name.ok_or_else(|| Problem::field("name", "give the sound a name"))?;
    let file = v1::add(&app, &caller, name, upload).await?;
    let id = file.id.as_str();
    shown(&app, StatusCode::CREATED, Screen::MediaFile, id).await
}

/// What is changed; older consoles send the whole sound.
#[derive(Deserialize)]
struct Sent {
    name: String,
}

async fn change(
    Caller(caller): Caller<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
    Json(Sent { name }): Json<Sent>,
) -> Answer<Response> {
    let body = Body(MediaFileBody { name });
    let _done = v1::rename(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(&app, StatusCode::OK, Screen::MediaFile, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn content(
    Caller(_caller): Caller<EditMedia>,
    State(app): State<Shared>,
    Path(file): Path<String>,
    request: Request,
) -> Answer<Response> {
    let found = app.api.store.media_file_named(&file).await?;
    let found = found.ok_or_else(|| Problem::not_found("there is no such sound"))?;
    Ok(v1::play(&app, &found, request).await?)
}

/// The console asks for `.mp3` and plays what comes: WAV.
async fn recording(
    Caller(caller): Caller<ReadRecordings>,
    State(app): State<Shared>,
    Path(file): Path<String>,
    request: Request,
) -> Answer<Response> {
    let call = file.split_once('.').map_or(&*file, |(call, _)| call);
    let call: CallId = id(call, "recording")?;
    let call = input::Path(call);
    Ok(recordings::recording(caller, State(app), call, request).await?)
}
