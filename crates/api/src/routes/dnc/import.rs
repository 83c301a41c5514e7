//! Importing numbers into a do-not-call list, as they arrive.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, BodyDataStream, Bytes},
    extract::State,
};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use strowger_core::phone::PhoneNumber;
use utoipa::ToSchema;

use super::{ImportMode, no_such_list};
use crate::{
    guard::{EditCompliance, May},
    input::{Path, Query},
    problem::{Problem, ProblemBody},
    reply::Data,
    state::Shared,
};

/// Longest line: a number with all the signs that people put into it.
const LINE: usize = 256;

/// Errors that are listed; all are counted.
const MAX_ERRORS: usize = 1_000;

/// A client that sends nothing for so long has gone.
const IDLE: Duration = Duration::from_secs(30);

/// Longest import in all.
const TOTAL: Duration = Duration::from_mins(30);

/// How to read the file.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct How {
    /// `add` (when absent), or `replace`: the file is the whole list, and numbers that it does not
    /// hold are taken off.
    mode: Option<String>,
    /// Region of numbers without a country code, ISO 3166 two letters; without it they are refused.
    #[param(example = "FR")]
    region: Option<String>,
}

/// What became of a file.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Report {
    /// Lines with a number; not empty lines.
    total: u64,
    /// Numbers put on the list.
    added: u64,
    /// Numbers taken off it.
    removed: u64,
    /// Lines that were refused.
    rejected: u64,
    /// Why, for the first 1,000 of them.
    errors: Vec<LineError>,
}

/// Why a line was refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DncLineError)]
pub(crate) struct LineError {
    /// The line as a text editor counts, from 1.
    line: u64,
    /// What is wrong with it.
    reason: String,
}

/// Import numbers into a do-not-call list
///
/// The body is text in UTF-8 with one number on each line; what follows a `,` or `;` is passed
/// over. A first line without digits is taken for a heading. All numbers are imported together or, when the body breaks
/// off, none. With `mode=replace` nothing is imported when a line is refused: a list that lost
/// numbers by mistakes in a file would be dialed.
#[utoipa::path(
    post, path = "/api/v1/dnc-lists/{id}/import", tag = "compliance", params(("id" = String, Path), How),
    request_body(content = String, content_type = "text/plain", description = "At most 100 MB"),
    responses(
        (status = 200, description = "Imported", body = Data<Report>),
        (status = 404, description = "There is no list with this id", body = ProblemBody),
        (status = 413, description = "The file is too large", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 503, description = "Other imports are under way", body = ProblemBody),
    )
)]
pub(crate) async fn import(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(how): Query<How>,
    body: Body,
) -> Result<Json<Data<Report>>, Problem> {
    let mode = match how.mode.as_deref().unwrap_or("add") {
        "add" => ImportMode::Add,
        "replace" => ImportMode::Replace,
        _ => return Err(Problem::field("mode", "must be add or replace")),
    };
    if app.api.store.dnc_list(&id).await?.is_none() {
        return Err(no_such_list());
    }
    let _permit = app.imports.try_acquire().map_err(|_| {
        Problem::unavailable(
            "busy",
            "other imports are under way: try again when they are done",
            10,
        )
    })?;
    let mut reader = Reader {
        body: body.into_data_stream(),
        region: how.region.unwrap_or_default(),
        strict: mode == ImportMode::Replace,
        room: app.api.settings.max_import_bytes,
        rest: Vec::new(),
        line: 0,
        done: false,
        report: Report::default(),
    };
    let numbers = stream::unfold(&mut reader, |reader| async {
        let batch = reader.next().await.transpose()?;
        Some((batch, reader))
    });
    let store = &app.api.store;
    let work = store.import_dnc_numbers(&id, mode, Box::pin(numbers), caller.id(), app.now());
    let imported = tokio::time::timeout(TOTAL, work)
        .await
        .unwrap_or_else(|_| Err(Problem::malformed("the import took longer than 30 minutes")))?;
    let mut report = reader.report;
    (report.added, report.removed) = (imported.added, imported.removed);
    Ok(Data::of(report))
}

/// Cuts the body into lines and makes numbers of them.
struct Reader {
    body: BodyDataStream,
    region: String,
    /// The first line that is refused ends it.
    strict: bool,
    /// Bytes that may still come.
    room: usize,
    /// The beginning of a line.
    rest: Vec<u8>,
    line: u64,
    done: bool,
    report: Report,
}

impl Reader {
    /// The numbers of the next piece, or none at the end.
    async fn next(&mut self) -> Result<Option<Vec<PhoneNumber>>, Problem> {
        if self.done {
            return Ok(None);
        }
        let piece = tokio::time::timeout(IDLE, self.body.next())
            .await
            .map_err(|_| Problem::malformed("nothing came for 30 seconds; nothing was imported"))?;
        let mut numbers = Vec::new();
        match piece {
            Some(Ok(bytes)) => self.piece(&bytes, &mut numbers)?,
            Some(Err(_)) => {
                return Err(Problem::malformed(
                    "the body broke off; nothing was imported",
                ));
            }
            None => {
                self.done = true;
                let last = std::mem::take(&mut self.rest);
                self.read(&last, &mut numbers)?;
            }
        }
        Ok(Some(numbers))
    }

    fn piece(&mut self, bytes: &Bytes, numbers: &mut Vec<PhoneNumber>) -> Result<(), Problem> {
        self.room = self.room.checked_sub(bytes.len()).ok_or_else(|| {
            Problem::too_large("the file is larger than this address takes; nothing was imported")
        })?;
        let mut lines = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            // More than a line holds is not kept: it is refused whatever follows.
            let room = (LINE + 1).saturating_sub(self.rest.len());
            self.rest
                .extend_from_slice(part.get(..room).unwrap_or(part));
            if lines.peek().is_some() {
                let line = std::mem::take(&mut self.rest);
                self.read(&line, numbers)?;
            }
        }
        Ok(())
    }

    fn read(&mut self, line: &[u8], numbers: &mut Vec<PhoneNumber>) -> Result<(), Problem> {
        self.line += 1;
        let number = if line.len() > LINE {
            Err(format!("the line is longer than {LINE} bytes"))
        } else {
            let text = String::from_utf8_lossy(line);
            let text = text.trim_start_matches('\u{feff}');
            let field = text.split([',', ';']).next().unwrap_or_default();
            let field = field.trim_matches(|c: char| c.is_whitespace() || c == '"');
            let heading = self.line == 1 && !field.contains(|c: char| c.is_ascii_digit());
            if field.is_empty() || heading {
                return Ok(());
            }
            parse(field, &self.region)
        };
        self.report.total += 1;
        match number {
            Ok(number) => numbers.push(number),
            Err(reason) if self.strict => {
                return Err(Problem::field(
                    "body",
                    format!("line {}: {reason}; nothing was imported", self.line),
                ));
            }
            Err(reason) => {
                self.report.rejected += 1;
                if self.report.errors.len() < MAX_ERRORS {
                    let line = self.line;
                    self.report.errors.push(LineError { line, reason });
                }
            }
        }
        Ok(())
    }
}

/// Registers hold E.164 by the million, which needs no more than a look.
fn parse(field: &str, region: &str) -> Result<PhoneNumber, String> {
    match PhoneNumber::try_from(field.to_owned()) {
        Ok(number) => Ok(number),
        Err(_) => PhoneNumber::parse(field, region).map_err(|error| error.to_string()),
    }
}
