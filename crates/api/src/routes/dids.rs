//! Inbound numbers.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::ids::{DidId, FlowId, TrunkId};
use strowger_store::inbound::Did;
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditDids, May},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// A number that can be called.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DidView {
    /// Its id.
    #[schema(value_type = String, example = "did_1")]
    id: DidId,
    /// The number as the carrier delivers it.
    number: String,
    /// Free text.
    description: String,
    /// The trunk that it comes in through.
    #[schema(value_type = Option<String>)]
    trunk_id: Option<TrunkId>,
    /// The flow that its callers walk.
    #[schema(value_type = Option<String>)]
    flow_id: Option<FlowId>,
}

impl From<Did> for DidView {
    fn from(did: Did) -> Self {
        Self {
            id: did.id,
            number: did.number,
            description: did.description,
            trunk_id: did.trunk_id,
            flow_id: did.flow_id,
        }
    }
}

/// What a number is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DidSettings {
    /// The number as the carrier delivers it: 1 to 20 digits, with or without `+`.
    #[schema(example = "+33199001234")]
    pub(crate) number: String,
    /// Free text.
    #[serde(default)]
    pub(crate) description: String,
    /// The trunk that it comes in through; with one, calls for the number through others hear
    /// that it leads nowhere.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) trunk_id: Option<TrunkId>,
    /// The flow that its callers walk; without one they hear that nobody can take the call.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) flow_id: Option<FlowId>,
}

/// List numbers
#[utoipa::path(
    get, path = "/api/v1/dids", tag = "dids", params(PageQuery),
    responses((status = 200, description = "Numbers in the order of their ids", body = Page<DidView>))
)]
pub(crate) async fn list(
    _caller: May<EditDids>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DidView>>, Problem> {
    let limit = page.limit()?;
    let rows = app
        .api
        .store
        .dids(page.after::<DidId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        DidView::from,
    ))
}

/// Add or change a number
#[utoipa::path(
    put, path = "/api/v1/dids/{id}", tag = "dids", params(("id" = String, Path)), request_body = DidSettings,
    responses(
        (status = 200, description = "Saved", body = Data<DidView>),
        (status = 409, description = "Another entry has the number", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditDids>,
    State(app): State<Shared>,
    Path(id): Path<DidId>,
    Body(settings): Body<DidSettings>,
) -> Result<Json<Data<DidView>>, Problem> {
    let number: String = settings
        .number
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
        .collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let mut check = Check::default();
    if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        check.wrong("number", "must be 1 to 20 digits, with or without '+'");
    }
    check.line("description", &settings.description, 0..=500);
    check.done()?;
    let did = Did {
        id,
        number,
        description: settings.description,
        trunk_id: settings.trunk_id,
        flow_id: settings.flow_id,
    };
    match caller.store(&app).save_did(&did).await {
        Err(strowger_store::Error::Missing { .. }) => Err(Problem::field(
            "flow_id",
            "the flow or the trunk does not exist; nothing was changed",
        )),
        Err(strowger_store::Error::Taken { .. }) => Err(Problem::conflict(
            "another entry has this number: change that one",
        )),
        other => {
            other?;
            app.changes.tell(Kind::Did, What::Updated, did.id.clone());
            Ok(Data::of(did.into()))
        }
    }
}

/// Delete a number
///
/// Its callers hear that nobody can take the call.
#[utoipa::path(
    delete, path = "/api/v1/dids/{id}", tag = "dids", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such number", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditDids>,
    State(app): State<Shared>,
    Path(id): Path<DidId>,
) -> Result<Json<Done>, Problem> {
    let store = &app.api.store;
    if store.delete_did(&id, caller.id(), app.now()).await? {
        app.changes.tell(Kind::Did, What::Deleted, id);
        Ok(Done::ok())
    } else {
        Err(Problem::not_found(format!("there is no number {id}")))
    }
}
