//! Rows of the ledger as a file.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use serde::Deserialize;
use strowger_store::{
    Store,
    ledger::{Page, Record, Which},
};

use super::{Filter, LedgerView};
use crate::{
    guard::{May, ReadLedger},
    input::Query,
    problem::{Problem, ProblemBody},
    state::Shared,
};

/// Rows read at once.
const PAGE: u32 = 1_000;

/// As which file.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Form {
    /// `csv` (when absent) or `jsonl`: one JSON object on each line.
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    JsonLines,
}

/// Export rows of the dial ledger as evidence
///
/// In CSV a cell that a spreadsheet would take for a formula, as it does a number with `+`, begins
/// with an apostrophe; the column `body` holds everything as it was hashed.
#[utoipa::path(
    get, path = "/api/v1/ledger/export", tag = "compliance", params(Filter, Form),
    responses(
        (status = 200, description = "Oldest first, with hashes", body = String, content_type = "text/csv"),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn export(
    _caller: May<ReadLedger>,
    State(app): State<Shared>,
    Query(filter): Query<Filter>,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    let (format, kind, name) = match form.format.as_deref().unwrap_or("csv") {
        "csv" => (
            Format::Csv,
            "text/csv; charset=utf-8; header=present",
            "ledger.csv",
        ),
        "jsonl" => (Format::JsonLines, "application/jsonl", "ledger.jsonl"),
        _ => return Err(Problem::field("format", "must be csv or jsonl")),
    };
    let export = Export {
        store: app.api.store.clone(),
        which: filter.read(app.now())?,
        format,
        after: None,
        state: Stage::Begin,
    };
    let pieces = stream::try_unfold(export, |mut export| async {
        let piece = export.next().await?;
        Ok::<_, strowger_store::Error>(piece.map(|piece| (piece, export)))
    });
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok((
        [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, disposition),
        ],
        Body::from_stream(pieces),
    )
        .into_response())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Going,
    Done,
}

struct Export {
    store: Store,
    which: Which,
    format: Format,
    after: Option<Page>,
    state: Stage,
}

impl Export {
    /// The next piece of the file. When the database fails the file breaks off, and the client
    /// is told so by the connection.
    async fn next(&mut self) -> Result<Option<Bytes>, strowger_store::Error> {
        if self.state == Stage::Done {
            return Ok(None);
        }
        let rows = self
            .store
            .ledger_records(&self.which, self.after.as_ref(), PAGE)
            .await?;
        let heading = self.state == Stage::Begin && self.format == Format::Csv;
        self.after = rows.last().map(Record::page);
        self.state = if rows.len() < PAGE as usize {
            Stage::Done
        } else {
            Stage::Going
        };
        Ok(Some(match self.format {
            Format::Csv => csv(&rows, heading),
            Format::JsonLines => json_lines(rows),
        }))
    }
}

fn json_lines(rows: Vec<Record>) -> Bytes {
    let mut lines = Vec::new();
    for row in rows {
        // Texts and numbers: there is nothing in it that JSON cannot say.
        let line = serde_json::to_string(&LedgerView::from(row)).unwrap_or_default();
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
    }
    lines.into()
}

fn csv(rows: &[Record], heading: bool) -> Bytes {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    if heading {
        let names = [
            "chain",
            "seq",
            "at",
            "kind",
            "contact_id",
            "number",
            "attempt_id",
            "rule",
            "body",
            "previous",
            "hash",
        ];
        // Writing to memory does not fail.
        let _ = writer.write_record(names);
    }
    for row in rows {
        let attempt = row.attempt.map(strowger_core::ids::AttemptId);
        let cells = [
            row.chain.clone(),
            row.seq.to_string(),
            row.at.to_string(),
            row.kind.clone(),
            row.contact.clone(),
            row.number.clone(),
            attempt.map(|id| id.to_string()).unwrap_or_default(),
            row.rule.clone().unwrap_or_default(),
            row.body.clone(),
            row.previous.to_string(),
            row.hash.to_string(),
        ];
        let _ = writer.write_record(cells.into_iter().map(inert));
    }
    writer.into_inner().unwrap_or_default().into()
}

/// A cell that no spreadsheet takes for a formula (OWASP: CSV injection).
fn inert(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_carry_out_is_made_inert() {
        for cell in ["=1+1", "+33639981234", "-1", "@SUM(A1)", "\tx", "\r=1"] {
            assert_eq!(inert(cell.to_owned()), format!("'{cell}"));
        }
        assert_eq!(inert("fr/consent".to_owned()), "fr/consent");
    }
}
