//! Importing contacts from a CSV file.
//!
//! The file is read as it arrives and never held as a whole: [`records`] cuts it into
//! records and survives whatever stands in it, [`columns`] makes contacts of them, and here
//! they are stored a thousand at a time. While two batches are stored, the next one is read on
//! a thread for work that takes long. Storing costs the database more than reading costs us: it
//! works on both batches at once, and commits one after the other.

mod columns;
mod records;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{CampaignId, ContactId, ListId},
    switchboard::Command,
};
use strowger_store::{
    Error, Store,
    contacts::{Duplicates, Prepared, Target},
};
use tokio::{sync::oneshot, task::JoinHandle};
use utoipa::ToSchema;

use self::{
    columns::{Columns, Rejected},
    records::{Piece, Splitter},
};
use super::campaigns;
use crate::{
    guard::{ImportContacts, May},
    input::{Path, Query},
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// Contacts stored in one transaction.
const BATCH: usize = 1_000;

/// Batches that are stored at the same time.
const STORING: usize = 2;

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
    /// Those of them whose number stands further up in the file or is in the campaign already.
    duplicates: u64,
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

/// Where to, and what is a duplicate.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// The id of a list of the campaign; its own list when absent.
    #[param(value_type = Option<String>)]
    list: Option<String>,
    /// `skip` (when absent): a line with a number that the campaign has already is refused; `keep`: it
    /// is imported all the same. A number that stands twice in the file is always refused.
    #[param(value_type = Option<String>)]
    duplicates: Option<String>,
}

impl ImportQuery {
    fn list(&self) -> Result<Option<ListId>, Problem> {
        self.list
            .clone()
            .map(ListId::new)
            .transpose()
            .map_err(|error| Problem::field("list", error.to_string()))
    }

    fn duplicates(&self) -> Result<Duplicates, Problem> {
        match self.duplicates.as_deref() {
            None | Some("skip") => Ok(Duplicates::Skip),
            Some("keep") => Ok(Duplicates::Keep),
            Some(_) => Err(Problem::field("duplicates", "it is skip or keep")),
        }
    }
}

/// Import contacts
///
/// The body is a CSV file in UTF-8 with `,` or `;` between its columns. The first line names them:
/// `first_name`, `last_name`, `phone` (or `phone_number`), `phone2` to `phone10`, `postal_code`;
/// `person` and `debt` (keys that are the same in every campaign, for caps), `time_zone` (such as
/// Europe/Paris), `priority` (0 to 99, the greatest first), `best_hour` (0 to 23);
/// any other column becomes a custom field. Lines that cannot be imported are reported and do
/// not keep the others from being imported.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/contacts/import", tag = "contacts",
    params(("id" = String, Path), ImportQuery),
    request_body(content = String, content_type = "text/csv", description = "At most 100 MB and 1,000,000 contacts"),
    responses(
        (status = 200, description = "Read to its end", body = Data<Report>),
        (status = 404, description = "No such campaign, or no such list in it", body = ProblemBody),
        (status = 413, description = "The file is too large", body = ProblemBody),
        (status = 415, description = "Not text/csv", body = ProblemBody),
        (status = 422, description = "The header cannot be used", body = ProblemBody),
        (status = 503, description = "Other imports are under way", body = ProblemBody),
    )
)]
pub(crate) async fn import(
    caller: May<ImportContacts>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Query(query): Query<ImportQuery>,
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
    let (list, duplicates) = (query.list()?, query.duplicates()?);
    campaigns::find(&app, &id).await?;
    let store = &app.api.store;
    let target = store.import_target(&id, list.as_ref(), app.now()).await?;
    let target =
        target.ok_or_else(|| Problem::not_found(format!("the campaign {id} has no such list")))?;
    let list = store.list(&target.list).await?;
    let region = list.map(|list| list.default_region).unwrap_or_default();
    let _permit = app.imports.try_acquire().map_err(|_| {
        Problem::unavailable(
            "busy",
            "other imports are under way: try again when they are done",
            10,
        )
    })?;
    let mut import = Import::new(&app, caller.store(&app), target, region, duplicates);
    let outcome = tokio::time::timeout(TOTAL, import.read(body)).await;
    let outcome = outcome
        .unwrap_or_else(|_| Err(Problem::malformed("the import took longer than 30 minutes")));
    // What is being stored is stored, whatever became of the rest.
    let stored = import.finish_store().await;
    let outcome = outcome.and(stored);
    import.report.errors.sort_by_key(|error| error.line);
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

/// A record of the file, not yet looked at.
struct Raw {
    line: u64,
    id: ContactId,
    bytes: Vec<u8>,
}

/// What stays the same for all lines.
struct Plan {
    target: Target,
    region: String,
    duplicates: Duplicates,
}

/// A batch on its way into the database.
type Storing = JoinHandle<Stored>;

/// What became of a batch.
struct Stored {
    lines: Vec<u64>,
    /// Where duplicates stand in it, and their numbers.
    duplicates: Result<Vec<(usize, String)>, Error>,
    /// The switchboard was told.
    told: bool,
}

struct Import<'a> {
    app: &'a App,
    /// For whoever imports.
    store: Store,
    plan: Arc<Plan>,
    splitter: Splitter,
    columns: Option<Arc<Columns>>,
    /// Numbers of this file and where they stand. An E.164 number has at most 15 digits.
    seen: HashMap<u64, u64>,
    raw: Vec<Raw>,
    /// In the order of the file.
    storing: VecDeque<Storing>,
    /// Tells that the last of them is stored; it is dropped when it cannot be.
    last_stored: Option<oneshot::Receiver<()>>,
    stored_line: u64,
    /// The switchboard knows of everything that was stored.
    told: bool,
    report: Report,
}

impl<'a> Import<'a> {
    fn new(
        app: &'a App,
        store: Store,
        target: Target,
        region: String,
        duplicates: Duplicates,
    ) -> Self {
        Self {
            app,
            store,
            plan: Arc::new(Plan {
                target,
                region,
                duplicates,
            }),
            splitter: Splitter::default(),
            columns: None,
            seen: HashMap::new(),
            raw: Vec::with_capacity(BATCH),
            storing: VecDeque::with_capacity(STORING),
            last_stored: None,
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
        self.store().await?;
        self.finish_store().await
    }

    async fn take_pieces(&mut self) -> Result<(), Problem> {
        while let Some(piece) = self.splitter.next_piece() {
            match piece {
                Piece::Record { line, bytes } => self.record(line, bytes)?,
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
            if self.raw.len() >= BATCH {
                self.store().await?;
            }
        }
        Ok(())
    }

    fn record(&mut self, line: u64, bytes: Vec<u8>) -> Result<(), Problem> {
        if self.columns.is_none() {
            let columns = Columns::read(line, &bytes)?;
            self.splitter.set_delimiter(columns.delimiter());
            self.columns = Some(Arc::new(columns));
            return Ok(());
        }
        let id = ContactId::generate(self.app.new_id());
        self.raw.push(Raw { line, id, bytes });
        Ok(())
    }

    /// Keeps a contact, unless one of its numbers stands further up.
    fn admit(&mut self, line: u64, contact: &Prepared) -> Result<(), Rejected> {
        for phone in contact.numbers() {
            if let Some(before) = self.seen.get(&digits(phone)) {
                self.report.duplicates += 1;
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
            .extend(contact.numbers().iter().map(|phone| (digits(phone), line)));
        Ok(())
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

    /// Reads the lines that are waiting while the batches before are stored, then sends them on.
    async fn store(&mut self) -> Result<(), Problem> {
        let Some(columns) = self.columns.clone().filter(|_| !self.raw.is_empty()) else {
            return Ok(());
        };
        let raw = std::mem::replace(&mut self.raw, Vec::with_capacity(BATCH));
        let plan = Arc::clone(&self.plan);
        let read = tokio::task::spawn_blocking(move || {
            raw.into_iter()
                .map(|raw| {
                    let contact = columns.contact(raw.id, &raw.bytes, &plan.region);
                    (
                        raw.line,
                        contact.map(|contact| Prepared::new(&contact, &plan.target)),
                    )
                })
                .collect::<Vec<_>>()
        });
        let read = read.await.map_err(|_| Problem::internal())?;
        let (mut lines, mut contacts) = (Vec::new(), Vec::new());
        for (line, contact) in read {
            match contact.and_then(|contact| self.admit(line, &contact).map(|()| contact)) {
                Ok(contact) => {
                    lines.push(line);
                    contacts.push(contact);
                }
                Err(rejected) => self.reject(line, rejected),
            }
        }
        if contacts.is_empty() {
            return Ok(());
        }
        if self.storing.len() >= STORING {
            self.finish_first().await?;
        }
        self.told = false;
        let (stored, next) = oneshot::channel();
        let before = self.last_stored.replace(next);
        let (store, plan) = (self.store.clone(), Arc::clone(&self.plan));
        let (exchange, added) = (self.app.api.exchange.clone(), self.added());
        #[expect(
            clippy::disallowed_methods,
            reason = "the import waits for it; when the client has gone, the batch is stored all the same"
        )]
        let storing = tokio::spawn(async move {
            let before = async {
                match before {
                    Some(before) => before.await.is_ok(),
                    None => true,
                }
            };
            let duplicates = store
                .insert_contacts(&plan.target.campaign, &contacts, plan.duplicates, before)
                .await;
            if duplicates.is_ok() {
                let _ = stored.send(());
            }
            // A campaign that has run dry goes on while the rest of a long file arrives, also when
            // the client is gone by now. When the switchboard is busy, the next batch or the end
            // of the file tells it.
            let told = exchange.notify(added).is_ok();
            Stored {
                lines,
                duplicates,
                told,
            }
        });
        self.storing.push_back(storing);
        Ok(())
    }

    /// Waits for the batches that are being stored and reports on them. When one was not, those
    /// after it are not either.
    async fn finish_store(&mut self) -> Result<(), Problem> {
        while !self.storing.is_empty() {
            self.finish_first().await?;
        }
        Ok(())
    }

    async fn finish_first(&mut self) -> Result<(), Problem> {
        let Some(storing) = self.storing.pop_front() else {
            return Ok(());
        };
        let Stored {
            lines,
            duplicates,
            told,
        } = storing.await.map_err(|_| Problem::internal())?;
        self.told = told && self.storing.is_empty();
        let duplicates = duplicates?;
        let added = (lines.len() - duplicates.len()) as u64;
        self.report.imported += added;
        self.report.total += added;
        self.stored_line = lines.last().copied().unwrap_or(self.stored_line);
        self.report.duplicates += duplicates.len() as u64;
        for (place, number) in duplicates {
            let line = lines.get(place).copied().unwrap_or_default();
            let reason = format!("the number {number} is in the campaign already");
            self.reject(line, Rejected::line(reason));
        }
        Ok(())
    }

    fn added(&self) -> Command {
        Command::ContactsAdded(self.plan.target.campaign.clone())
    }

    /// Tells the switchboard, which may believe that the list is used up, of the last contacts
    /// if it does not know them yet.
    async fn tell(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        if let Err(error) = self.app.api.exchange.send(self.added()).await {
            tracing::warn!(campaign.id = %self.plan.target.campaign, %error, "The switchboard was not told of new contacts");
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

fn digits(phone: &str) -> u64 {
    phone.trim_start_matches('+').parse().unwrap_or_default()
}
