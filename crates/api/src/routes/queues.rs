//! Inbound waiting lines.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{QueueId, UserId},
    switchboard::Command,
};
use strowger_store::inbound::Queue;
use utoipa::ToSchema;

use crate::{
    guard::{EditDids, May},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::Shared,
};

/// Most members of a queue.
const MAX_MEMBERS: usize = 5_000;

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueView {
    /// Its id.
    #[schema(value_type = String, example = "que_1")]
    id: QueueId,
    /// Its name.
    name: String,
    /// Who serves it.
    #[schema(value_type = Vec<String>)]
    member_ids: Vec<UserId>,
}

impl From<Queue> for QueueView {
    fn from(queue: Queue) -> Self {
        Self {
            id: queue.id,
            name: queue.name,
            member_ids: queue.members,
        }
    }
}

/// What a queue is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueSettings {
    /// 1 to 200 characters.
    name: String,
    /// Ids of users; they replace those before.
    #[schema(value_type = Vec<String>)]
    member_ids: Vec<UserId>,
}

/// List queues
#[utoipa::path(
    get, path = "/api/v1/queues", tag = "queues", params(PageQuery),
    responses((status = 200, description = "Queues in the order of their ids", body = Page<QueueView>))
)]
pub(crate) async fn list(
    _caller: May<EditDids>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<QueueView>>, Problem> {
    let limit = page.limit()?;
    let rows = app
        .api
        .store
        .queues(page.after::<QueueId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        QueueView::from,
    ))
}

/// Add or change a queue
///
/// It takes effect at once; a call in progress is not touched.
#[utoipa::path(
    put, path = "/api/v1/queues/{id}", tag = "queues", params(("id" = String, Path)), request_body = QueueSettings,
    responses(
        (status = 200, description = "Saved", body = Data<QueueView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditDids>,
    State(app): State<Shared>,
    Path(id): Path<QueueId>,
    Body(settings): Body<QueueSettings>,
) -> Result<Json<Data<QueueView>>, Problem> {
    let mut check = Check::default();
    check.line("name", &settings.name, 1..=200);
    if settings.member_ids.len() > MAX_MEMBERS {
        check.wrong(
            "member_ids",
            format!("a queue has at most {MAX_MEMBERS} members"),
        );
    }
    check.done()?;
    let mut members = settings.member_ids;
    members.sort();
    members.dedup();
    let queue = Queue {
        id,
        name: settings.name.trim().to_owned(),
        members,
    };
    match caller.store(&app).save_queue(&queue).await {
        Err(strowger_store::Error::Missing { .. }) => Err(Problem::field(
            "member_ids",
            "one of these users does not exist; nothing was changed",
        )),
        other => {
            other?;
            let agents = queue.members.iter().cloned().collect();
            // Those who are logged in get its callers from now on, or none any more.
            app.api
                .exchange
                .send(Command::AssignMembers {
                    queue: queue.id.clone(),
                    agents,
                })
                .await?;
            Ok(Data::of(queue.into()))
        }
    }
}
