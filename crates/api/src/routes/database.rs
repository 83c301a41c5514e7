//! Asking the database directly, reading only.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strowger_store::reader::{ColumnInfo, MAX_QUESTION, QueryError, Reader};
use utoipa::ToSchema;

use crate::{
    guard::{May, RunDatabaseQueries},
    input::Body,
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// A column.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ColumnView {
    /// Its name.
    pub(crate) name: String,
    /// Its type, as PostgreSQL writes it.
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

impl From<ColumnInfo> for ColumnView {
    fn from(column: ColumnInfo) -> Self {
        Self {
            name: column.name,
            kind: column.kind,
        }
    }
}

/// A table, with those of its columns that may be read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TableView {
    /// Its name.
    pub(crate) name: String,
    /// Its columns, in their order.
    pub(crate) columns: Vec<ColumnView>,
}

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryBody {
    /// One `SELECT`, `WITH`, `VALUES` or `TABLE`, at most 20,000 bytes.
    #[schema(example = "SELECT id, name FROM campaigns")]
    pub(crate) query: String,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    /// The columns in their order.
    pub(crate) columns: Vec<ColumnView>,
    /// At most 1,000 rows, by the names of the columns: of two with the same name the last shows.
    #[schema(value_type = Vec<Object>)]
    pub(crate) rows: Vec<Value>,
    /// There are more rows than these: more than 1,000, or more than 4 MB.
    pub(crate) cut: bool,
}

fn reader(app: &App) -> Result<&Reader, Problem> {
    app.api.system.reader.as_ref().ok_or_else(|| {
        Problem::unavailable(
            "not-set-up",
            "the database cannot be asked directly: set database.reader_url to a role of its own",
            60,
        )
    })
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Database(error) => error.into(),
            QueryError::Busy => Self::unavailable("busy", error.to_string(), 2),
            QueryError::Unsafe { .. } => {
                tracing::error!(%error, "The database cannot be asked directly");
                Self::unavailable("not-set-up", error.to_string(), 60)
            }
            QueryError::Refused(_)
            | QueryError::NotReading(_)
            | QueryError::TooLong
            | QueryError::LongRow => Self::field("query", error.to_string()),
        }
    }
}

/// List the tables that may be read
#[utoipa::path(
    get, path = "/api/v1/database/tables", tag = "database",
    responses(
        (status = 200, description = "Without columns that hold secrets", body = Data<Vec<TableView>>),
        (status = 503, description = "Not set up, or others are asking", body = ProblemBody),
    )
)]
pub(crate) async fn tables(
    _caller: May<RunDatabaseQueries>,
    State(app): State<Shared>,
) -> Result<Json<Data<Vec<TableView>>>, Problem> {
    let tables = reader(&app)?.tables().await?;
    let view = tables.into_iter().map(|table| TableView {
        name: table.name,
        columns: table.columns.into_iter().map(Into::into).collect(),
    });
    Ok(Data::of(view.collect()))
}

/// Ask the database
///
/// By a role that reads only and sees no secrets, within 5 seconds. What was asked is in the audit
/// log.
#[utoipa::path(
    post, path = "/api/v1/database/query", tag = "database", request_body = QueryBody,
    responses(
        (status = 200, description = "What was found", body = Data<Found>),
        (status = 422, description = "Not a question, or refused", body = ProblemBody),
        (status = 503, description = "Not set up, or others are asking", body = ProblemBody),
    )
)]
pub(crate) async fn query(
    caller: May<RunDatabaseQueries>,
    State(app): State<Shared>,
    Body(body): Body<QueryBody>,
) -> Result<Json<Data<Found>>, Problem> {
    if body.query.len() > MAX_QUESTION || body.query.contains('\0') {
        return Err(Problem::field(
            "query",
            format!("must have at most {MAX_QUESTION} bytes, and no character NUL"),
        ));
    }
    let reader = reader(&app)?;
    let change = json!({ "query": body.query });
    let store = &app.api.store;
    store
        .record_audit(
            Some(caller.id()),
            "database.asked",
            "database",
            &change,
            app.now(),
        )
        .await?;
    let found = reader.ask(&body.query).await?;
    let rows: Result<Vec<Value>, _> = found
        .rows
        .iter()
        .map(|row| serde_json::from_str(row))
        .collect();
    let rows = rows.map_err(|error| {
        tracing::error!(%error, "A row of an answer is no JSON");
        Problem::internal()
    })?;
    Ok(Data::of(Found {
        columns: found.columns.into_iter().map(Into::into).collect(),
        rows,
        cut: found.cut,
    }))
}
