//! IVR flows: drafts and publication.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use strowger_core::{
    ids::FlowId,
    ivr::{Finding, FlowGraph, MAX_CONNECTIONS, MAX_NODES, Severity, lint},
};
use strowger_store::{Removal, flows::Flow};
use utoipa::ToSchema;

use super::scripts::copy_of;
use crate::{
    changes::{Kind, What},
    guard::{EditFlows, May},
    input::{Body, Check, MAX_DEPTH, Path, Query, unstorable},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// A flow in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowEntry {
    /// Its id.
    #[schema(value_type = String, example = "flw_1")]
    id: FlowId,
    /// Its name.
    name: String,
    /// The version that callers walk; null when it was never published.
    published_version: Option<i32>,
    /// When it was last saved or published.
    updated_at: DateTime<Utc>,
}

/// A flow with its draft and what is wrong with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlowView {
    #[serde(flatten)]
    entry: FlowEntry,
    /// The boxes of the draft.
    #[schema(value_type = Vec<Object>)]
    nodes: Value,
    /// The arrows of the draft.
    #[schema(value_type = Vec<Object>)]
    connections: Value,
    /// What the check found, errors first.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
}

/// A draft to be saved.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Draft {
    /// 1 to 200 characters.
    pub(crate) name: String,
    /// The boxes.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub(crate) graph: FlowGraph,
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Published {
    /// The version; callers who come from now on walk it.
    version: i32,
    /// Warnings that were found.
    #[schema(value_type = Vec<Object>)]
    findings: Vec<Finding>,
}

impl From<Flow> for FlowEntry {
    fn from(flow: Flow) -> Self {
        Self {
            id: flow.id,
            name: flow.name,
            published_version: flow.published_version,
            updated_at: flow.updated_at,
        }
    }
}

fn read_graph(draft: &Value) -> Result<FlowGraph, Problem> {
    FlowGraph::deserialize(draft).map_err(|error| {
        Problem::field(
            "",
            format!("the saved draft cannot be read ({error}): save it again"),
        )
    })
}

fn view(mut flow: Flow) -> FlowView {
    let findings = read_graph(&flow.draft)
        .map(|graph| lint(&graph))
        .unwrap_or_default();
    let mut part = |name: &str| {
        flow.draft
            .get_mut(name)
            .map_or_else(|| Value::Array(Vec::new()), Value::take)
    };
    let (nodes, connections) = (part("nodes"), part("connections"));
    FlowView {
        entry: flow.into(),
        nodes,
        connections,
        findings,
    }
}

async fn find(app: &App, id: &FlowId) -> Result<Flow, Problem> {
    app.api
        .store
        .flow(id)
        .await?
        .ok_or_else(|| Problem::not_found(format!("there is no flow {id}")))
}

/// List flows
#[utoipa::path(
    get, path = "/api/v1/flows", tag = "flows", params(PageQuery),
    responses((status = 200, description = "Flows in the order of their ids, without their drafts", body = Page<FlowEntry>))
)]
pub(crate) async fn list(
    _caller: May<EditFlows>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<FlowEntry>>, Problem> {
    let limit = page.limit()?;
    let rows = app
        .api
        .store
        .flows(page.after::<FlowId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        FlowEntry::from,
    ))
}

/// Show a flow
#[utoipa::path(
    get, path = "/api/v1/flows/{id}", tag = "flows", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The draft and what is wrong with it", body = Data<FlowView>),
        (status = 404, description = "No such flow", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Result<Json<Data<FlowView>>, Problem> {
    Ok(Data::of(view(find(&app, &id).await?)))
}

/// Save the draft of a flow
///
/// The flow is added when it is new. What is wrong with it is told and does not keep it from
/// being saved; callers do not notice until it is published.
#[utoipa::path(
    put, path = "/api/v1/flows/{id}", tag = "flows", params(("id" = String, Path)), request_body = Draft,
    responses(
        (status = 200, description = "Saved", body = Data<FlowView>),
        (status = 422, description = "Not a flow, or too large", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
    Body(draft): Body<Draft>,
) -> Result<Json<Data<FlowView>>, Problem> {
    let mut check = Check::default();
    check.line("name", &draft.name, 1..=200);
    check.range("nodes", &draft.graph.nodes.len(), &(0..=MAX_NODES));
    check.range(
        "connections",
        &draft.graph.connections.len(),
        &(0..=MAX_CONNECTIONS),
    );
    let graph = serde_json::to_value(&draft.graph)
        .map_err(|error| Problem::field("", error.to_string()))?;
    if let Some(why) = unstorable(&graph, MAX_DEPTH) {
        check.wrong("", why);
    }
    check.done()?;
    let is_new = app.api.store.flow(&id).await?.is_none();
    caller
        .store(&app)
        .save_flow(&id, draft.name.trim(), &graph)
        .await?;
    let what = if is_new { What::Created } else { What::Updated };
    app.changes.tell(Kind::Flow, what, id.clone());
    Ok(Data::of(view(find(&app, &id).await?)))
}

/// Publish the draft of a flow
///
/// Refused while the check finds errors. Calls in progress keep the version that they began with.
#[utoipa::path(
    post, path = "/api/v1/flows/{id}/publish", tag = "flows", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Published", body = Data<Published>),
        (status = 404, description = "No such flow", body = ProblemBody),
        (status = 422, description = "The flow has errors: each names its node", body = ProblemBody),
    )
)]
pub(crate) async fn publish(
    caller: May<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Result<Json<Data<Published>>, Problem> {
    let flow = find(&app, &id).await?;
    let findings = lint(&read_graph(&flow.draft)?);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    if let Some(first) = findings.first().filter(|_| errors > 0) {
        let more = if errors > 1 {
            format!(" ({} more in errors)", errors - 1)
        } else {
            String::new()
        };
        return Err(Problem::flow(
            format!("the flow is not published: {}{more}", first.message),
            findings,
        ));
    }
    let version = caller
        .store(&app)
        .publish_flow(&id, &flow.draft, caller.id())
        .await?;
    app.changes.tell(Kind::Flow, What::Updated, id);
    Ok(Data::of(Published { version, findings }))
}

/// Copy a flow
///
/// The copy has the draft and is not published.
#[utoipa::path(
    post, path = "/api/v1/flows/{id}/duplicate", tag = "flows", params(("id" = String, Path)),
    responses(
        (status = 201, description = "The copy", body = Data<FlowView>),
        (status = 404, description = "No such flow", body = ProblemBody),
    )
)]
pub(crate) async fn duplicate(
    caller: May<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Result<(StatusCode, Json<Data<FlowView>>), Problem> {
    let flow = find(&app, &id).await?;
    let draft = Draft {
        name: copy_of(&flow.name),
        graph: read_graph(&flow.draft)?,
    };
    let id = FlowId::generate(app.new_id());
    let copy = save(caller, State(app), Path(id), Body(draft)).await?;
    Ok((StatusCode::CREATED, copy))
}

/// Delete a flow
///
/// Numbers that lead to it lead nowhere then; callers who are in it go on. A flow that campaigns
/// play is kept.
#[utoipa::path(
    delete, path = "/api/v1/flows/{id}", tag = "flows", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such flow", body = ProblemBody),
        (status = 409, description = "A campaign plays it", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditFlows>,
    State(app): State<Shared>,
    Path(id): Path<FlowId>,
) -> Result<Json<Done>, Problem> {
    let store = &app.api.store;
    match store.delete_flow(&id, caller.id(), app.now()).await? {
        Removal::Removed => {
            app.changes.tell(Kind::Flow, What::Deleted, id);
            Ok(Done::ok())
        }
        Removal::Absent => Err(Problem::not_found(format!("there is no flow {id}"))),
        Removal::Kept => Err(Problem::conflict(
            "a campaign plays this flow: give the campaign another one first",
        )),
    }
}
