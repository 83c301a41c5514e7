//! Importing contacts from a CSV file.
//!
//! The file is read as it arrives and never held as a whole: [`records`] cuts it into
//! records and survives whatever stands in it, [`columns`] makes contacts of them, and here
//! they are stored a thousand at a time.

mod columns;
mod records;

use std::{collections::HashMap, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use futures_util::StreamExt as _;
use serde::Serialize;
use strowger_core::{
    ids::{CampaignId, ContactId},
    phone::PhoneNumber,
    switchboard::Command,
};
use strowger_store::{campaigns::Campaign, contacts::NewContact};
use utoipa::ToSchema;

use self::{
    columns::{Columns, Rejected},
    records::{Piece, Splitter},
};
use super::campaigns;
use crate::{
    guard::{ImportContacts, May},
    input::Path,
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// Contacts stored in one transaction.
const BATCH: usize = 1_000;

/// Most contacts of one file: what bounds the memory for finding numbers that stand twice.
const MAX_CONTACTS: usize = 1_000_000;

/// Errors that are listed; all are counted.
const MAX_ERRORS: usize = 1_000;

/// A client that sends nothing for so long has gone.
const IDLE: Duration = Duration::from_secs(30);

/// Longest import in all.
const TOTAL: Duration = Duration::from_mins(30);

/// What became of a file.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Report {
    /// Lines with a contact; not the header and not empty lines.
    total: u64,
    /// Contacts that were added.
    imported: u64,
    /// Lines that were refused.
    rejected: u64,
    /// Why, for the first 1,000 of them.
    errors: Vec<LineError>,
}

/// Why a line was refused.
#[derive(Debug, Serialize, ToSchema)]
struct LineError {
    /// The line as a text editor counts, from 1.
    line: u64,
    /// The name of the column; null when it is about the whole line.
    column: Option<String>,
    /// What is wrong with it.
    reason: String,
}

/// Import contacts
///
/// The body is a CSV file in UTF-8 with `,` or `;` between its columns. The first line names them:
/// `first_name`, `last_name`, `phone` (or `phone_number`), `phone2` to `phone10`, `postal_code`;
/// any other column becomes a custom field. Lines that cannot be imported are reported and do
/// not keep the others from being imported.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/contacts/import", tag = "contacts", params(("id" = String, Path)),
    request_body(content = String, content_type = "text/csv", description = "At most 100 MB and 1,000,000 contacts"),
    responses(
        (status = 200, description = "Read to its end", body = Data<Report>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 413, description = "The file is too large", body = ProblemBody),
        (status = 415, description = "Not text/csv", body = ProblemBody),
        (status = 422, description = "The header cannot be used", body = ProblemBody),
        (status = 503, description = "Other imports are under way", body = ProblemBody),
    )
)]
pub(crate) async fn import(
    _caller: May<ImportContacts>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Data<Report>>, Problem> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    if !content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/csv"))
    {
        return Err(Problem::wrong_type(
            "send the file with the header \"Content-Type: text/csv\"",
        ));
    }
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > app.api.settings.max_import_bytes) {
        return Err(too_large(&app));
    }
    let campaign = campaigns::find(&app, &id).await?;
    let _permit = app.imports.try_acquire().map_err(|_| {
        Problem::unavailable(
            "busy",
            "other imports are under way: try again when they are done",
            10,
        )
    })?;
    let mut import = Import::new(&app, &campaign);
    let outcome = tokio::time::timeout(TOTAL, import.read(body)).await;
    let outcome = outcome
        .unwrap_or_else(|_| Err(Problem::malformed("the import took longer than 30 minutes")));
    import.tell().await;
    match outcome {
        Ok(()) => Ok(Data::of(std::mem::take(&mut import.report))),
        Err(problem) if import.report.imported > 0 => Err(problem.after(format!(
            "; {} contacts up to line {} were imported before that: send the rest of the file",
            import.report.imported, import.stored_line
        ))),
        Err(problem) => Err(problem),
    }
}

fn too_large(app: &App) -> Problem {
    let megabytes = app.api.settings.max_import_bytes / (1024 * 1024);
    Problem::too_large(format!(
        "the file is larger than {megabytes} MB: cut it into several"
    ))
}

struct Import<'a> {
    app: &'a App,
    campaign: &'a Campaign,
    splitter: Splitter,
    columns: Option<Columns>,
    /// Numbers of this file and where they stand. An E.164 number has at most 15 digits.
    seen: HashMap<u64, u64>,
    batch: Vec<NewContact>,
    batch_line: u64,
    stored_line: u64,
    /// The switchboard knows of everything that was stored.
    told: bool,
    report: Report,
}

impl<'a> Import<'a> {
    fn new(app: &'a App, campaign: &'a Campaign) -> Self {
        Self {
            app,
            campaign,
            splitter: Splitter::default(),
            columns: None,
            seen: HashMap::new(),
            batch: Vec::with_capacity(BATCH),
            batch_line: 0,
            stored_line: 0,
            told: true,
            report: Report::default(),
        }
    }

    async fn read(&mut self, body: Body) -> Result<(), Problem> {
        let mut chunks = body.into_data_stream();
        let mut bytes = 0_usize;
        loop {
            let chunk = match tokio::time::timeout(IDLE, chunks.next()).await {
                Ok(Some(Ok(chunk))) => chunk,
                Ok(None) => break,
                Ok(Some(Err(_))) => {
                    return Err(Problem::malformed("the file did not arrive completely"));
                }
                Err(_) => return Err(Problem::malformed("nothing arrived for 30 seconds")),
            };
            bytes += chunk.len();
            if bytes > self.app.api.settings.max_import_bytes {
                return Err(too_large(self.app));
            }
            self.splitter.push(&chunk);
            self.take_pieces().await?;
        }
        self.splitter.end();
        self.take_pieces().await?;
        if self.columns.is_none() {
            return Err(Problem::field(
                "",
                "the file is empty: its first line names the columns",
            ));
        }
        self.store().await
    }

    async fn take_pieces(&mut self) -> Result<(), Problem> {
        while let Some(piece) = self.splitter.next_piece() {
            match piece {
                Piece::Record { line, bytes } => self.record(line, &bytes)?,
                Piece::Refused { line, reason } if self.columns.is_some() => {
                    self.reject(line, Rejected::line(reason));
                }
                Piece::Refused { line, reason } => {
                    return Err(Problem::field(
                        "",
                        format!("the header in line {line} cannot be read: {reason}"),
                    ));
                }
            }
            if self.batch.len() >= BATCH {
                self.store().await?;
            }
        }
        Ok(())
    }

    fn record(&mut self, line: u64, bytes: &[u8]) -> Result<(), Problem> {
        let Some(columns) = &self.columns else {
            let columns = Columns::read(line, bytes)?;
            self.splitter.set_delimiter(columns.delimiter());
            self.columns = Some(columns);
            return Ok(());
        };
        let row = columns.contact(bytes, &self.campaign.default_region);
        match row.and_then(|contact| self.admit(line, contact)) {
            Ok(contact) => {
                self.report.total += 1;
                self.batch_line = line;
                self.batch.push(contact);
            }
            Err(rejected) => self.reject(line, rejected),
        }
        Ok(())
    }

    /// Gives a contact its id, unless one of its numbers stands further up.
    fn admit(&mut self, line: u64, mut contact: NewContact) -> Result<NewContact, Rejected> {
        for phone in &contact.phones {
            if let Some(before) = self.seen.get(&digits(phone)) {
                return Err(Rejected::line(format!(
                    "the number {phone} stands in line {before} already"
                )));
            }
        }
        if self.seen.len() >= MAX_CONTACTS {
            return Err(Rejected::line(
                "a file has at most 1,000,000 numbers: import the rest as another file",
            ));
        }
        self.seen
            .extend(contact.phones.iter().map(|phone| (digits(phone), line)));
        contact.id = ContactId::generate(self.app.new_id());
        Ok(contact)
    }

    fn reject(&mut self, line: u64, rejected: Rejected) {
        self.report.total += 1;
        self.report.rejected += 1;
        if self.report.errors.len() < MAX_ERRORS {
            let Rejected { column, reason } = rejected;
            self.report.errors.push(LineError {
                line,
                column,
                reason,
            });
        }
    }

    async fn store(&mut self) -> Result<(), Problem> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let app = self.app;
        self.told = false;
        app.api
            .store
            .add_contacts(&self.campaign.settings.id, &self.batch, app.now())
            .await?;
        self.report.imported += self.batch.len() as u64;
        self.stored_line = self.batch_line;
        self.batch.clear();
        // A campaign that has run dry goes on while the rest of a long file arrives. When the
        // switchboard is busy, the next batch or the end of the file tells it.
        self.told = self.app.api.exchange.notify(self.added()).is_ok();
        Ok(())
    }

    fn added(&self) -> Command {
        Command::ContactsAdded(self.campaign.settings.id.clone())
    }

    /// Tells the switchboard, which may believe that the list is used up, of the last contacts
    /// if it does not know them yet.
    async fn tell(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if let Err(error) = self.app.api.exchange.send(self.added()).await {
            tracing::warn!(campaign.id = %self.campaign.settings.id, %error, "The switchboard was not told of new contacts");
        }
    }
}

impl Drop for Import<'_> {
    /// The client hung up in the middle: what was stored by then is to be dialed all the same.
    fn drop(&mut self) {
        if !self.told {
            let _ = self.app.api.exchange.notify(self.added());
        }
    }
}

fn digits(phone: &PhoneNumber) -> u64 {
    phone
        .as_str()
        .trim_start_matches('+')
        .parse()
        .unwrap_or_default()
}
