//! Do-not-call lists.

pub(crate) mod import;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{compliance::DncKind, ids::CampaignId, time::Timestamp};
use strowger_store::dnc::{DncList, ImportMode};
use utoipa::ToSchema;

use super::consents::number;
use crate::{
    guard::{EditCompliance, May},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// Longest id of a list.
const ID: usize = 64;

/// A do-not-call list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DncListView {
    /// Its id: the one that a pack names, when it is that list.
    #[schema(example = "bloctel")]
    id: String,
    /// Its name.
    name: String,
    /// internal, campaign or imported.
    #[schema(value_type = String)]
    kind: DncKind,
    /// The campaign of a list of kind `campaign`.
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
    /// When it was last brought up to date by an import.
    #[schema(value_type = Option<String>, format = DateTime)]
    scrubbed_at: Option<Timestamp>,
}

impl From<DncList> for DncListView {
    fn from(list: DncList) -> Self {
        Self {
            id: list.id,
            name: list.name,
            kind: list.kind,
            campaign_id: list.campaign,
            scrubbed_at: list.scrubbed_at,
        }
    }
}

/// A list to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDncList {
    /// Its id: the one that a pack names, when it is that list.
    #[schema(example = "bloctel")]
    id: String,
    /// Its name.
    name: String,
    /// internal: for every campaign; campaign: for one; imported: taken from elsewhere.
    #[schema(value_type = String)]
    kind: DncKind,
    /// The campaign of a list of kind `campaign`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
}

/// Another name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rename {
    /// The new name.
    name: String,
}

/// One number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneNumber {
    /// The number, in international form.
    #[schema(example = "+33639981234")]
    number: String,
}

/// One number.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct NumberQuery {
    /// The number, in international form.
    number: Option<String>,
}

fn no_such_list() -> Problem {
    Problem::not_found("there is no do-not-call list with this id")
}

/// List do-not-call lists
#[utoipa::path(
    get, path = "/api/v1/dnc-lists", tag = "compliance", params(NumberQuery, PageQuery),
    responses((status = 200, description = "In the order of their ids; with a number, those that hold it", body = Page<DncListView>))
)]
pub(crate) async fn list(
    _caller: May<EditCompliance>,
    State(app): State<Shared>,
    Query(query): Query<NumberQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DncListView>>, Problem> {
    let limit = page.limit()?;
    if let Some(text) = query.number.filter(|text| !text.trim().is_empty()) {
        let number = number(&text).map_err(|why| Problem::field("number", why))?;
        let lists = app.api.store.dnc_lists_with(&number).await?;
        return Ok(Page::whole(
            lists.into_iter().map(DncListView::from).collect(),
        ));
    }
    let rows = app.api.store.dnc_lists(page.cursor(), limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.clone(),
        DncListView::from,
    ))
}

/// Add a do-not-call list
#[utoipa::path(
    post, path = "/api/v1/dnc-lists", tag = "compliance", request_body = NewDncList,
    responses(
        (status = 201, description = "Added, empty", body = Data<DncListView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Body(new): Body<NewDncList>,
) -> Result<(StatusCode, Json<Data<DncListView>>), Problem> {
    let mut check = Check::default();
    check.name("id", &new.id, ID, "-_.:");
    check.line("name", &new.name, 1..=200);
    match (new.kind, &new.campaign_id) {
        (DncKind::Campaign, None) => check.wrong("campaign_id", "a list of kind campaign has one"),
        (DncKind::Internal | DncKind::Imported, Some(_)) => {
            check.wrong("campaign_id", "only a list of kind campaign has one");
        }
        _ => {}
    }
    check.done()?;
    let list = DncList {
        id: new.id,
        name: new.name.trim().to_owned(),
        kind: new.kind,
        campaign: new.campaign_id,
        scrubbed_at: None,
    };
    match app
        .api
        .store
        .create_dnc_list(&list, caller.id(), app.now())
        .await
    {
        Err(strowger_store::Error::Missing { .. }) => {
            Err(Problem::field("campaign_id", "there is no such campaign"))
        }
        other => {
            other?;
            Ok((StatusCode::CREATED, Data::of(list.into())))
        }
    }
}

/// Rename a do-not-call list
#[utoipa::path(
    patch, path = "/api/v1/dnc-lists/{id}", tag = "compliance", params(("id" = String, Path)), request_body = Rename,
    responses(
        (status = 200, description = "Renamed", body = Done),
        (status = 404, description = "There is none with this id", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn rename(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(new): Body<Rename>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    check.line("name", &new.name, 1..=200);
    check.done()?;
    let store = &app.api.store;
    if store
        .rename_dnc_list(&id, new.name.trim(), caller.id(), app.now())
        .await?
    {
        Ok(Done::ok())
    } else {
        Err(no_such_list())
    }
}

/// Delete a do-not-call list
///
/// Its numbers may be dialed again, unless another list holds them.
#[utoipa::path(
    delete, path = "/api/v1/dnc-lists/{id}", tag = "compliance", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted with its numbers", body = Done),
        (status = 404, description = "There is none with this id", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    if app
        .api
        .store
        .delete_dnc_list(&id, caller.id(), app.now())
        .await?
    {
        Ok(Done::ok())
    } else {
        Err(no_such_list())
    }
}

/// Put a number on a do-not-call list
#[utoipa::path(
    post, path = "/api/v1/dnc-lists/{id}/numbers", tag = "compliance", params(("id" = String, Path)), request_body = OneNumber,
    responses(
        (status = 200, description = "It is on the list", body = Done),
        (status = 404, description = "There is no list with this id", body = ProblemBody),
        (status = 422, description = "Not a number", body = ProblemBody),
    )
)]
pub(crate) async fn add_number(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(new): Body<OneNumber>,
) -> Result<Json<Done>, Problem> {
    let number = number(&new.number).map_err(|why| Problem::field("number", why))?;
    let store = &app.api.store;
    if store
        .add_dnc_number(&id, &number, caller.id(), app.now())
        .await?
    {
        Ok(Done::ok())
    } else {
        Err(no_such_list())
    }
}

/// Take a number off a do-not-call list
#[utoipa::path(
    delete, path = "/api/v1/dnc-lists/{id}/numbers", tag = "compliance", params(("id" = String, Path), NumberQuery),
    responses(
        (status = 200, description = "It is not on the list any more", body = Done),
        (status = 404, description = "It was not on it", body = ProblemBody),
        (status = 422, description = "Not a number", body = ProblemBody),
    )
)]
pub(crate) async fn remove_number(
    caller: May<EditCompliance>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Query(query): Query<NumberQuery>,
) -> Result<Json<Done>, Problem> {
    let text = query.number.unwrap_or_default();
    let number = number(&text).map_err(|why| Problem::field("number", why))?;
    let store = &app.api.store;
    if store
        .remove_dnc_number(&id, &number, caller.id(), app.now())
        .await?
    {
        Ok(Done::ok())
    } else {
        Err(Problem::not_found(
            "the number is not on a list with this id",
        ))
    }
}
