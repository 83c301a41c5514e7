//! Who changed what.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::time::Timestamp;
use strowger_store::audit::{self, Change};
use utoipa::ToSchema;

use crate::{
    guard::{May, ReadAudit},
    input::Query,
    problem::Problem,
    reply::{Page, PageQuery},
    state::Shared,
};

/// Which changes.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those of this user.
    actor_id: Option<String>,
    /// Only those of this subject, such as the id of a list.
    subject: Option<String>,
}

/// A change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChangeView {
    /// Its place in the log.
    id: i64,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who; null is the system itself.
    actor_id: Option<String>,
    /// What was done.
    #[schema(example = "consent.revoked")]
    action: String,
    /// To what.
    subject: String,
    /// What was there before and what is there now.
    #[schema(value_type = Object)]
    change: serde_json::Value,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            id: change.id,
            at: change.at,
            actor_id: change.actor,
            action: change.action,
            subject: change.subject,
            change: change.change,
        }
    }
}

/// List changes
#[utoipa::path(
    get, path = "/api/v1/audit-log", tag = "compliance", params(Filter, PageQuery),
    responses((status = 200, description = "Newest first", body = Page<ChangeView>))
)]
pub(crate) async fn list(
    _caller: May<ReadAudit>,
    State(app): State<Shared>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ChangeView>>, Problem> {
    let limit = page.limit()?;
    let before = page
        .cursor()
        .map(|text| text.parse().map_err(|_| wrong_cursor()))
        .transpose()?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = audit::Filter {
        actor: some(filter.actor_id),
        subject: some(filter.subject),
    };
    let rows = app.api.store.audit_log(&filter, before, limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        ChangeView::from,
    ))
}

pub(crate) fn wrong_cursor() -> Problem {
    Problem::field(
        "cursor",
        "not a cursor: give `next` of the page before, or leave it out",
    )
}
