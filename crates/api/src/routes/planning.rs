//! The planning of agents.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};

use strowger_core::{ids::UserId, permission::Role, planning::Plan, time::Timestamp};
use strowger_store::{Store, planning::PlanningEvent, users::User};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{ManageAgents, ManageUsers, May, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    state::{App, Shared},
};

/// Longest time span that is shown.
const MAX_SPAN_H: i64 = 400 * 24;

/// Most events, and most of their repetitions, in one answer.
const MAX_EVENTS: u32 = 10_000;
const MAX_SHOWN: usize = 20_000;

/// Most agents for whom one request plans.
const MAX_AGENTS: usize = 2_000;

/// What agents are to do, and when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlanning {
    /// An activity type.
    pub(crate) activity_id: String,
    /// When it begins, the first time.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) starts_at: Timestamp,
    /// When it ends, the first time: within 31 days.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) ends_at: Timestamp,
    /// A rule of RFC 5545, such as `FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20301231T235959Z`; it repeats on the
    /// clock of the agent's site.
    #[serde(default)]
    pub(crate) rrule: Option<String>,
    /// Where.
    #[serde(default)]
    pub(crate) site_id: Option<String>,
    /// Whose.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub(crate) agent_ids: Vec<UserId>,
    /// Of every member of these groups as well.
    #[serde(default)]
    pub(crate) group_ids: Vec<String>,
}

/// An event of the planning of an agent, or a repetition of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanningView {
    /// The id of the event; of a repetition, with `~` and the second at which it begins.
    pub(crate) id: String,
    /// Whose.
    #[schema(value_type = String)]
    pub(crate) agent_id: UserId,
    /// What they do then.
    pub(crate) activity_id: String,
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) starts_at: Timestamp,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) ends_at: Timestamp,
    /// By which rule it repeats.
    pub(crate) rrule: Option<String>,
    /// Where.
    pub(crate) site_id: Option<String>,
    /// When it was planned.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
}

impl PlanningView {
    fn at(event: &PlanningEvent, starts_at: Timestamp, ends_at: Timestamp) -> Self {
        let id = if starts_at == event.plan.starts_at {
            event.id.clone()
        } else {
            format!("{}~{}", event.id, starts_at.as_second())
        };
        Self {
            id,
            agent_id: event.agent.clone(),
            activity_id: event.activity.clone(),
            starts_at,
            ends_at,
            rrule: event.plan.rule.clone(),
            site_id: event.site.clone(),
            created_at: event.created_at,
            updated_at: event.updated_at,
        }
    }

    fn first(event: &PlanningEvent) -> Self {
        Self::at(event, event.plan.starts_at, event.plan.ends_at)
    }
}

/// The id of the event, and when the repetition that was named begins.
fn parts(id: &str) -> (&str, Option<Timestamp>) {
    match id.split_once('~') {
        Some((id, second)) => (
            id,
            second
                .parse()
                .ok()
                .and_then(|at| Timestamp::from_second(at).ok()),
        ),
        None => (id, None),
    }
}

/// What happens within a time span: of everybody for who supervises, else one's own.
pub(crate) async fn within(
    app: &App,
    user: &User,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<PlanningView>, Problem> {
    if until <= from || until.duration_since(from).as_hours() > MAX_SPAN_H {
        return Err(Problem::field(
            "end",
            "it must lie after the start, and within 400 days of it",
        ));
    }
    let only = (user.role < Role::Supervisor).then_some(&user.id);
    let events = app
        .api
        .store
        .planning(from, until, only, MAX_EVENTS)
        .await?;
    // Rules take their time: not where others wait.
    let shown = tokio::task::spawn_blocking(move || {
        let mut shown: Vec<PlanningView> = Vec::new();
        for event in &events {
            let left = MAX_SHOWN.saturating_sub(shown.len());
            let times = event.plan.within(from, until, left);
            shown.extend(
                times
                    .into_iter()
                    .map(|(s, e)| PlanningView::at(event, s, e)),
            );
        }
        shown.sort_by(|a, b| (a.starts_at, &a.id).cmp(&(b.starts_at, &b.id)));
        shown
    });
    shown.await.map_err(|_| Problem::internal())
}

/// Plans something for agents and the members of groups, once for each.
pub(crate) async fn add(
    app: &App,
    store: &Store,
    new: NewPlanning,
) -> Result<Vec<PlanningView>, Problem> {
    let mut agents: BTreeSet<UserId> = new.agent_ids.into_iter().collect();
    agents.extend(store.members_of(&new.group_ids).await?);
    let mut check = Check::default();
    if !(1..=MAX_AGENTS).contains(&agents.len()) {
        check.wrong(
            "agent_ids",
            format!("name 1 to {MAX_AGENTS} agents, or groups that have some"),
        );
    }
    check.name("activity_id", &new.activity_id, 64, "-_.:");
    check.done()?;
    let agents: Vec<UserId> = agents.into_iter().collect();
    let zones: BTreeMap<UserId, String> =
        store.zones_of_agents(&agents).await?.into_iter().collect();
    let mut events = Vec::with_capacity(agents.len());
    for agent in agents {
        let zone = zones
            .get(&agent)
            .ok_or_else(|| Problem::field("agent_ids", format!("there is no user {agent}")))?;
        let plan = Plan {
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            rule: new.rrule.clone(),
            zone: zone.clone(),
        };
        events.push(PlanningEvent {
            id: format!("plan-{}", app.new_id().simple()),
            agent,
            activity: new.activity_id.clone(),
            plan: plan
                .check()
                .map_err(|error| Problem::field("rrule", error.to_string()))?,
            site: new.site_id.clone().filter(|site| !site.is_empty()),
            created_at: app.now(),
            updated_at: app.now(),
        });
    }
    store.add_planning(&events).await?;
    for event in &events {
        tell(app, What::Created, &event.agent);
    }
    Ok(events.iter().map(PlanningView::first).collect())
}

fn tell(app: &App, what: What, agent: &UserId) {
    app.changes.tell(Kind::Planning, what, agent.as_str());
}

/// What is changed of an event; what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlanningChange {
    /// Whose.
    #[schema(value_type = Option<String>)]
    pub(crate) agent_id: Option<UserId>,
    /// What they do then.
    pub(crate) activity_id: Option<String>,
    /// When it begins.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) starts_at: Option<Timestamp>,
    /// When it ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) ends_at: Option<Timestamp>,
    /// By which rule it repeats; empty: it does not.
    pub(crate) rrule: Option<String>,
    /// Where; empty: nowhere in particular.
    pub(crate) site_id: Option<String>,
}

/// Changes an event. The times of a repetition move all of them by as much.
pub(crate) async fn alter(
    app: &App,
    store: &Store,
    id: &str,
    change: PlanningChange,
) -> Result<PlanningView, Problem> {
    let (id, repetition) = parts(id);
    let unknown = || Problem::not_found("there is no such event");
    let mut event = store.planning_event(id).await?.ok_or_else(unknown)?;
    let before = event.agent.clone();
    let length = event.plan.ends_at.duration_since(event.plan.starts_at);
    let shown = repetition.unwrap_or(event.plan.starts_at);
    let far = |_| Problem::field("starts_at", "is too far away");
    let starts = change.starts_at.unwrap_or(shown);
    let ends = match change.ends_at {
        Some(ends) => ends,
        None => starts.checked_add(length).map_err(far)?,
    };
    event.plan.starts_at = event
        .plan
        .starts_at
        .checked_add(starts.duration_since(shown))
        .map_err(far)?;
    event.plan.ends_at = event
        .plan
        .starts_at
        .checked_add(ends.duration_since(starts))
        .map_err(far)?;
    if let Some(rule) = change.rrule {
        event.plan.rule = Some(rule);
    }
    event.plan = event
        .plan
        .check()
        .map_err(|error| Problem::field("rrule", error.to_string()))?;
    if let Some(agent) = change.agent_id {
        event.agent = agent;
    }
    if let Some(activity) = change.activity_id {
        event.activity = activity;
    }
    if let Some(site) = change.site_id {
        event.site = Some(site).filter(|site| !site.is_empty());
    }
    if !store.change_planning(&event, app.now()).await? {
        return Err(unknown());
    }
    tell(app, What::Updated, &event.agent);
    if before != event.agent {
        tell(app, What::Updated, &before);
    }
    event.updated_at = app.now();
    Ok(PlanningView::first(&event))
}

/// Removes events with all of their repetitions; none: everything that is planned.
pub(crate) async fn remove(
    app: &App,
    store: &Store,
    ids: Option<Vec<String>>,
) -> Result<usize, Problem> {
    if ids.as_ref().is_some_and(|ids| ids.len() > MAX_SHOWN) {
        return Err(Problem::field(
            "event_ids",
            format!("at most {MAX_SHOWN} at once"),
        ));
    }
    let ids: Option<Vec<String>> =
        ids.map(|ids| ids.iter().map(|id| parts(id).0.to_owned()).collect());
    let agents = store.delete_planning(ids.as_deref()).await?;
    for agent in agents.iter().collect::<BTreeSet<_>>() {
        tell(app, What::Deleted, agent);
    }
    Ok(agents.len())
}

/// Which time span.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// From then on.
    #[param(value_type = String, format = DateTime)]
    start: Timestamp,
    /// Until then, at most 400 days later.
    #[param(value_type = String, format = DateTime)]
    end: Timestamp,
}

/// List what is planned
///
/// With every repetition within the time span. Agents see their own, supervisors all.
#[utoipa::path(
    get, path = "/api/v1/planning-events", tag = "planning", params(Span),
    responses(
        (status = 200, description = "In the order of their beginnings, at most 20,000", body = Page<PlanningView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(span): Query<Span>,
) -> Result<Json<Page<PlanningView>>, Problem> {
    Ok(Page::whole(
        within(&app, &caller.user, span.start, span.end).await?,
    ))
}

/// Plan something
///
/// One event for each agent.
#[utoipa::path(
    post, path = "/api/v1/planning-events", tag = "planning", request_body = NewPlanning,
    responses(
        (status = 201, description = "Planned", body = Data<Vec<PlanningView>>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Body(new): Body<NewPlanning>,
) -> Result<(StatusCode, Json<Data<Vec<PlanningView>>>), Problem> {
    let events = add(&app, &caller.store(&app), new).await?;
    Ok((StatusCode::CREATED, Data::of(events)))
}

/// Change what is planned
///
/// Of a repetition, all of them move.
#[utoipa::path(
    patch, path = "/api/v1/planning-events/{id}", tag = "planning", params(("id" = String, Path)),
    request_body = PlanningChange,
    responses(
        (status = 200, description = "Changed", body = Data<PlanningView>),
        (status = 404, description = "No such event", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(id): Path<String>,
    Body(change): Body<PlanningChange>,
) -> Result<Json<Data<PlanningView>>, Problem> {
    Ok(Data::of(
        alter(&app, &caller.store(&app), &id, change).await?,
    ))
}

/// Remove what is planned
///
/// With all of its repetitions.
#[utoipa::path(
    delete, path = "/api/v1/planning-events/{id}", tag = "planning", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Removed", body = Done),
        (status = 404, description = "No such event", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    match remove(&app, &caller.store(&app), Some(vec![id])).await? {
        0 => Err(Problem::not_found("there is no such event")),
        _ => Ok(Done::ok()),
    }
}

/// Which events are removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanningRemoval {
    /// Their ids.
    event_ids: Vec<String>,
}

/// How many events were removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlanningRemoved {
    /// How many.
    events: usize,
}

/// Remove several events
#[utoipa::path(
    post, path = "/api/v1/planning-events/delete", tag = "planning", request_body = PlanningRemoval,
    responses(
        (status = 200, description = "How many were removed", body = Data<PlanningRemoved>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn delete_several(
    caller: May<ManageAgents>,
    State(app): State<Shared>,
    Body(removal): Body<PlanningRemoval>,
) -> Result<Json<Data<PlanningRemoved>>, Problem> {
    let events = remove(&app, &caller.store(&app), Some(removal.event_ids)).await?;
    Ok(Data::of(PlanningRemoved { events }))
}

/// Remove everything that is planned
#[utoipa::path(
    delete, path = "/api/v1/planning-events", tag = "planning",
    responses((status = 200, description = "How many events were removed", body = Data<PlanningRemoved>))
)]
pub(crate) async fn delete_all(
    caller: May<ManageUsers>,
    State(app): State<Shared>,
) -> Result<Json<Data<PlanningRemoved>>, Problem> {
    let events = remove(&app, &caller.store(&app), None).await?;
    Ok(Data::of(PlanningRemoved { events }))
}
