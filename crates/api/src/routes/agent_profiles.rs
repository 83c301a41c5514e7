//! Which call controls agents have.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{ids::AgentProfileId, time::Timestamp};
use strowger_store::agent_profiles::{AgentProfile, ProfileDeleted};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditAgentProfiles, May, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// Most controls of a profile: the console knows twelve.
const MAX_CONTROLS: usize = 64;

/// Which call controls an agent has.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProfileView {
    /// Its id.
    #[schema(value_type = String, example = "default-profile")]
    pub(crate) id: AgentProfileId,
    /// Its name.
    name: String,
    /// Whether the agent has a control, by its name.
    call_controls: BTreeMap<String, bool>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<AgentProfile> for ProfileView {
    fn from(profile: AgentProfile) -> Self {
        Self {
            id: profile.id,
            name: profile.name,
            call_controls: profile.call_controls,
            created_at: profile.created_at,
            updated_at: profile.updated_at,
        }
    }
}

/// A profile to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProfile {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<AgentProfileId>,
    /// Its name.
    pub(crate) name: String,
    /// Whether the agent has a control, by its name: dial, hangup, hold, transfer, mute, record,
    /// keypad, qualify, search, insert, history, raiseHand.
    #[serde(default)]
    pub(crate) call_controls: BTreeMap<String, bool>,
}

/// A profile as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileBody {
    /// Its name.
    pub(crate) name: String,
    /// Whether the agent has a control, by its name.
    pub(crate) call_controls: BTreeMap<String, bool>,
}

fn check(name: &str, controls: &BTreeMap<String, bool>) -> Result<(), Problem> {
    let mut check = Check::default();
    check.line("name", name, 1..=200);
    check.range("call_controls", &controls.len(), &(0..=MAX_CONTROLS));
    for control in controls.keys().take(MAX_CONTROLS) {
        check.name("call_controls", control, 64, "_-");
    }
    check.done()
}

/// List agent profiles
#[utoipa::path(
    get, path = "/api/v1/agent-profiles", tag = "users", params(PageQuery),
    responses((status = 200, description = "Profiles in the order of their ids", body = Page<ProfileView>))
)]
pub(crate) async fn list(
    _caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ProfileView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<AgentProfileId>()?;
    let profiles = app
        .api
        .store
        .agent_profiles(after.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        profiles,
        limit,
        |profile| profile.id.to_string(),
        ProfileView::from,
    ))
}

/// Add an agent profile
#[utoipa::path(
    post, path = "/api/v1/agent-profiles", tag = "users", request_body = NewProfile,
    responses(
        (status = 201, description = "Added", body = Data<ProfileView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditAgentProfiles>,
    State(app): State<Shared>,
    Body(new): Body<NewProfile>,
) -> Result<(StatusCode, Json<Data<ProfileView>>), Problem> {
    check(&new.name, &new.call_controls)?;
    let id = new
        .id
        .unwrap_or_else(|| AgentProfileId::generate(app.new_id()));
    let by = caller.by(app.now());
    let saved = app
        .api
        .store
        .save_agent_profile(&id, new.name.trim(), &new.call_controls, true, by)
        .await?;
    let profile = saved.ok_or_else(Problem::internal)?;
    app.changes.tell(Kind::AgentProfile, What::Created, id);
    Ok((StatusCode::CREATED, Data::of(profile.into())))
}

/// Change an agent profile
#[utoipa::path(
    put, path = "/api/v1/agent-profiles/{id}", tag = "users", params(("id" = String, Path)), request_body = ProfileBody,
    responses(
        (status = 200, description = "Changed", body = Data<ProfileView>),
        (status = 404, description = "No such profile", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditAgentProfiles>,
    State(app): State<Shared>,
    Path(id): Path<AgentProfileId>,
    Body(body): Body<ProfileBody>,
) -> Result<Json<Data<ProfileView>>, Problem> {
    check(&body.name, &body.call_controls)?;
    let by = caller.by(app.now());
    let saved = app
        .api
        .store
        .save_agent_profile(&id, body.name.trim(), &body.call_controls, false, by)
        .await?;
    let profile = saved.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::AgentProfile, What::Updated, id);
    Ok(Data::of(profile.into()))
}

/// Delete an agent profile
///
/// One that nobody has; the default profile stays.
#[utoipa::path(
    delete, path = "/api/v1/agent-profiles/{id}", tag = "users", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such profile", body = ProblemBody),
        (status = 409, description = "Somebody has it, or it is the default", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditAgentProfiles>,
    State(app): State<Shared>,
    Path(id): Path<AgentProfileId>,
) -> Result<Json<Done>, Problem> {
    let by = caller.by(app.now());
    match app.api.store.delete_agent_profile(&id, by).await? {
        ProfileDeleted::Done => {
            app.changes.tell(Kind::AgentProfile, What::Deleted, id);
            Ok(Done::ok())
        }
        ProfileDeleted::Unknown => Err(no_such(&id)),
        ProfileDeleted::InUse => Err(Problem::conflict(
            "this profile is the default one, or somebody has it: give them another first",
        )),
    }
}

fn no_such(id: &AgentProfileId) -> Problem {
    Problem::not_found(format!("there is no agent profile {id}"))
}
