//! The media library: sounds that flows and campaigns play.

use std::fmt::Display;

use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use strowger_core::{ids::MediaFileId, time::Timestamp};
use strowger_store::media_files::{MediaFile, SoundRemoval};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditMedia, May},
    input::{Body, Check, Path, Query},
    library::{Upload, WAV},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// A sound of the media library.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MediaFileView {
    /// Its id. Flows name it so in `audio`, campaigns in `machine_message` and `safe_harbour`.
    #[schema(value_type = String, example = "med_0198c0de00000000000000000000000a")]
    pub(crate) id: MediaFileId,
    /// Its name, for people.
    name: String,
    /// The media type of its file.
    #[schema(example = "audio/wav")]
    content_type: String,
    /// How long it is, in seconds, rounded up.
    duration_s: u32,
    /// Length of its file in bytes.
    size_bytes: u64,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<MediaFile> for MediaFileView {
    fn from(file: MediaFile) -> Self {
        Self {
            id: file.id,
            name: file.name,
            content_type: file.content_type,
            duration_s: file.duration_s,
            size_bytes: file.size_bytes,
            created_at: file.created_at,
            updated_at: file.updated_at,
        }
    }
}

/// The name of a sound that is uploaded.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NewSound {
    /// Its name, for people: 1 to 200 characters.
    name: String,
}

/// What of a sound can be changed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MediaFileBody {
    /// Its name, for people: 1 to 200 characters.
    pub(crate) name: String,
}

/// A name that can be shown.
pub(crate) fn name_of(name: &str) -> Result<String, Problem> {
    let mut check = Check::default();
    check.line("name", name, 1..=200);
    check.done()?;
    Ok(name.trim().to_owned())
}

fn no_such(id: &MediaFileId) -> Problem {
    Problem::not_found(format!("there is no sound {id}"))
}

/// List sounds
#[utoipa::path(
    get, path = "/api/v1/media-files", tag = "media", params(PageQuery),
    responses((status = 200, description = "In the order of their ids", body = Page<MediaFileView>))
)]
pub(crate) async fn list(
    _caller: May<EditMedia>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<MediaFileView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<MediaFileId>()?;
    let rows = app.api.store.media_files(after.as_ref(), limit + 1).await?;
    let cursor = |row: &MediaFile| row.id.to_string();
    Ok(Page::cut(rows, limit, cursor, MediaFileView::from))
}

/// Show a sound
#[utoipa::path(
    get, path = "/api/v1/media-files/{id}", tag = "media", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The sound", body = Data<MediaFileView>),
        (status = 404, description = "No such sound", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
) -> Result<Json<Data<MediaFileView>>, Problem> {
    let file = app.api.store.media_file(&id).await?;
    Ok(Data::of(file.ok_or_else(|| no_such(&id))?.into()))
}

/// Upload a sound
///
/// The body is a WAV file of at most 20 MB that Asterisk plays: PCM with 16 bits, one channel and
/// 8000 or 16000 Hz. Only its samples are kept, not its titles and pictures.
#[utoipa::path(
    post, path = "/api/v1/media-files", tag = "media", params(NewSound),
    request_body(content = String, content_type = "audio/wav"),
    responses(
        (status = 201, description = "Added", body = Data<MediaFileView>),
        (status = 400, description = "The upload broke off", body = ProblemBody),
        (status = 413, description = "Larger than 20 MB", body = ProblemBody),
        (status = 422, description = "Not a sound that Asterisk plays, and why", body = ProblemBody),
        (status = 503, description = "It cannot be stored now", body = ProblemBody),
    )
)]
pub(crate) async fn upload(
    caller: May<EditMedia>,
    State(app): State<Shared>,
    Query(new): Query<NewSound>,
    body: axum::body::Body,
) -> Result<(StatusCode, Json<Data<MediaFileView>>), Problem> {
    let name = name_of(&new.name)?;
    let upload = receive(&app, body.into_data_stream()).await?;
    let file = add(&app, &caller, name, upload).await?;
    Ok((StatusCode::CREATED, Data::of(file.into())))
}

/// Takes a sound as it comes in.
pub(crate) async fn receive<E: Display>(
    app: &App,
    pieces: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Upload, Problem> {
    app.library.receive(app.new_id(), pieces).await
}

/// Puts a sound that has come in into the library, to the end even when the client hangs up.
pub(crate) async fn add(
    app: &Shared,
    caller: &May<EditMedia>,
    name: String,
    upload: Upload,
) -> Result<MediaFile, Problem> {
    let id = MediaFileId::generate(app.new_id());
    let (sound, now) = (upload.sound, app.now());
    let file = MediaFile {
        file_name: format!("{id}.{}", sound.rate.extension()),
        id,
        name,
        content_type: WAV.to_owned(),
        duration_s: sound.seconds(),
        size_bytes: sound.file_bytes(),
        created_at: now,
        updated_at: now,
    };
    let (app_, by) = (app.clone(), caller.id().clone());
    let work = async move {
        let placed = app_.library.place(upload, &file.file_name).await?;
        app_.api.store.add_media_file(&file, &by).await?;
        placed.keep();
        let (changes, id) = (&app_.changes, file.id.clone());
        changes.tell(Kind::MediaFile, What::Created, id);
        Ok(file)
    };
    app.finish(work).await
}

/// Rename a sound
#[utoipa::path(
    patch, path = "/api/v1/media-files/{id}", tag = "media", params(("id" = String, Path)), request_body = MediaFileBody,
    responses(
        (status = 200, description = "Renamed", body = Data<MediaFileView>),
        (status = 404, description = "No such sound", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn rename(
    caller: May<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
    Body(body): Body<MediaFileBody>,
) -> Result<Json<Data<MediaFileView>>, Problem> {
    let name = name_of(&body.name)?;
    let (store, by) = (&app.api.store, caller.id());
    let renamed = store.rename_media_file(&id, &name, by, app.now()).await?;
    let file = renamed.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::MediaFile, What::Updated, id);
    Ok(Data::of(file.into()))
}

/// Delete a sound
#[utoipa::path(
    delete, path = "/api/v1/media-files/{id}", tag = "media", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such sound", body = ProblemBody),
        (status = 409, description = "A flow or a campaign plays it", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
) -> Result<Json<Done>, Problem> {
    let by = caller.id().clone();
    let app_ = app.clone();
    let work = async move {
        let store = &app_.api.store;
        match store.delete_media_file(&id, &by, app_.now()).await? {
            SoundRemoval::Removed(file_name) => {
                app_.library.remove(&file_name).await;
                app_.changes.tell(Kind::MediaFile, What::Deleted, id);
                Ok(Done::ok())
            }
            SoundRemoval::Absent => Err(no_such(&id)),
            SoundRemoval::Played(by) => Err(Problem::conflict(format!(
                "this sound is played by {}: have another one played first",
                by.join(", ")
            ))),
        }
    };
    app.finish(work).await
}

/// Play a sound
///
/// With `Range` a part of it.
#[utoipa::path(
    get, path = "/api/v1/media-files/{id}/content", tag = "media", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The sound", content_type = "audio/wav", body = String),
        (status = 206, description = "The part that was asked for", content_type = "audio/wav", body = String),
        (status = 404, description = "No such sound", body = ProblemBody),
        (status = 416, description = "It does not have such a part"),
    )
)]
pub(crate) async fn content(
    _caller: May<EditMedia>,
    State(app): State<Shared>,
    Path(id): Path<MediaFileId>,
    request: Request,
) -> Result<Response, Problem> {
    let file = app.api.store.media_file(&id).await?;
    let file = file.ok_or_else(|| no_such(&id))?;
    play(&app, &file, request).await
}

/// Plays a sound of the library.
pub(crate) async fn play(
    app: &App,
    file: &MediaFile,
    request: Request,
) -> Result<Response, Problem> {
    let response = app.library.play(&file.file_name, request).await?;
    response.ok_or_else(|| {
        tracing::error!(file = file.file_name, "The file of a sound is gone");
        Problem::not_found("the file of this sound is gone: upload it again")
    })
}
