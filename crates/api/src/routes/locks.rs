//! Contacts that agents keep for themselves.

use axum::{Json, extract::State};
use serde::Serialize;
use strowger_core::{
    ids::{CampaignId, ContactId, UserId},
    time::Timestamp,
};
use strowger_store::locks::Lock;
use utoipa::ToSchema;

use super::campaigns;
use crate::{
    guard::{May, RunCampaigns},
    input::{Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Done, Page, PageQuery},
    state::Shared,
};

/// A contact that an agent looks at: nobody else is given it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LockView {
    /// The contact.
    #[schema(value_type = String)]
    contact_id: ContactId,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// Who keeps it.
    #[schema(value_type = String)]
    agent_id: UserId,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    until: Timestamp,
}

impl From<Lock> for LockView {
    fn from(lock: Lock) -> Self {
        Self {
            contact_id: lock.contact,
            first_name: lock.first_name,
            last_name: lock.last_name,
            agent_id: lock.agent,
            until: lock.until,
        }
    }
}

/// List the contacts that agents keep for themselves
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/locks", tag = "campaigns", params(("id" = String, Path), PageQuery),
    responses(
        (status = 200, description = "In the order of the ids of the contacts", body = Page<LockView>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<LockView>>, Problem> {
    campaigns::find(&app, &id).await?;
    let limit = page.limit()?;
    let after = page.after::<ContactId>()?;
    let store = &app.api.store;
    let rows = store
        .locks(&id, after.as_ref(), limit + 1, app.now())
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.contact.to_string(),
        LockView::from,
    ))
}

/// Give a contact free that an agent keeps
///
/// It may be dialed, and be given to another agent, from now on. A call to it that is in progress
/// is not touched.
#[utoipa::path(
    delete, path = "/api/v1/campaigns/{id}/locks/{contact_id}", tag = "campaigns",
    params(("id" = String, Path), ("contact_id" = String, Path)),
    responses(
        (status = 200, description = "Given free", body = Done),
        (status = 404, description = "Nobody keeps this contact of this campaign", body = ProblemBody),
    )
)]
pub(crate) async fn release(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path((campaign, contact)): Path<(CampaignId, ContactId)>,
) -> Result<Json<Done>, Problem> {
    let store = caller.store(&app);
    if store.release_lock(&campaign, &contact, app.now()).await? {
        Ok(Done::ok())
    } else {
        Err(Problem::not_found(format!(
            "nobody keeps a contact {contact} of the campaign {campaign}"
        )))
    }
}
