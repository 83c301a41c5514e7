//! Recordings of calls.

use axum::{
    extract::{Request, State},
    http::header,
    response::Response,
};
use serde_json::json;
use strowger_core::ids::CallId;

use crate::{
    guard::{May, ReadRecordings},
    input::Path,
    library::play,
    problem::{Problem, ProblemBody},
    state::{App, Shared},
};

/// Hear a recording
///
/// With `Range` a part of it. Who listened is in the audit log.
#[utoipa::path(
    get, path = "/api/v1/recordings/{id}", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "The recording", content_type = "audio/wav", body = String),
        (status = 206, description = "The part that was asked for", content_type = "audio/wav", body = String),
        (status = 404, description = "No such call, or it was not recorded, or its recording is gone", body = ProblemBody),
        (status = 416, description = "It does not have such a part"),
    )
)]
pub(crate) async fn recording(
    caller: May<ReadRecordings>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
    request: Request,
) -> Result<Response, Problem> {
    let files = app.api.store.call_files(id).await?;
    let files = files.ok_or_else(|| Problem::not_found(format!("there is no call {id}")))?;
    let name = files.recording;
    let name = name.ok_or_else(|| Problem::not_found("this call was not recorded"))?;
    heard(&app, &caller, id, "recording.heard", &name, request).await
}

/// Hear a voicemail
///
/// The message that the caller left. With `Range` a part of it. Who listened is in the audit log.
#[utoipa::path(
    get, path = "/api/v1/voicemails/{id}", tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "The message", content_type = "audio/wav", body = String),
        (status = 206, description = "The part that was asked for", content_type = "audio/wav", body = String),
        (status = 404, description = "No such call, or it left no message, or the message is gone", body = ProblemBody),
        (status = 416, description = "It does not have such a part"),
    )
)]
pub(crate) async fn voicemail(
    caller: May<ReadRecordings>,
    State(app): State<Shared>,
    Path(id): Path<CallId>,
    request: Request,
) -> Result<Response, Problem> {
    let files = app.api.store.call_files(id).await?;
    let files = files.ok_or_else(|| Problem::not_found(format!("there is no call {id}")))?;
    let name = files.voicemail;
    let name = name.ok_or_else(|| Problem::not_found("this caller left no message"))?;
    heard(&app, &caller, id, "voicemail.heard", &name, request).await
}

/// Plays a file of a call, after it is noted who listens: without the note there is no sound.
async fn heard(
    app: &App,
    caller: &May<ReadRecordings>,
    id: CallId,
    action: &'static str,
    name: &str,
    request: Request,
) -> Result<Response, Problem> {
    let range = request.headers().get(header::RANGE);
    let range = range.and_then(|range| range.to_str().ok());
    let range: Option<String> = range.map(|range| range.chars().take(100).collect());
    let response = play(&app.api.settings.recordings, name, request).await?;
    let response = response.ok_or_else(|| {
        tracing::warn!(%id, name, "The file of a call is gone: check asterisk.recordings_dir and recordings_seen_as");
        Problem::not_found("the recording of this call is gone")
    })?;
    if response.status().is_success() {
        let what = json!({ "file": name, "range": range });
        let (store, now) = (&app.api.store, app.now());
        store
            .record_audit(Some(caller.id()), action, &id.to_string(), &what, now)
            .await?;
    }
    Ok(response)
}
