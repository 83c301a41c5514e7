//! How agents work at a campaign.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::ids::{CampaignId, QualificationGroupId};
use strowger_store::desk::Desk;
use utoipa::ToSchema;

use super::campaigns;
use crate::{
    changes::{Kind, What},
    guard::{EditCampaigns, May, RunCampaigns},
    input::{Body, Check, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    state::{App, Shared},
};

/// How agents work at a campaign.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DeskBody {
    /// The script that they follow.
    pub(crate) script_id: Option<String>,
    /// The qualifications that they choose from, beside the standard ones; null: every one.
    #[schema(value_type = Option<String>)]
    pub(crate) qualification_group_id: Option<QualificationGroupId>,
    /// It dials by itself only while so many of its agents are logged in, 1 to 1,000.
    pub(crate) min_agents: u32,
    /// Longest conversation in seconds, at most a day; 0: no limit. One that goes on keeps the
    /// limit that it began with.
    pub(crate) max_call_s: u32,
    /// A conversation that is recorded has a tone in it every 15 seconds. The exchange needs its
    /// module `func_periodic_hook` for it.
    pub(crate) recording_beep: bool,
    /// Its quotas leave contacts out.
    pub(crate) quotas_enabled: bool,
    /// Minutes, at most 60, after which an agent who holds a contact without a call gives it back;
    /// 0: when they log out.
    pub(crate) unlock_after_min: u32,
    /// So many times, at most 50, busy or a machine end a contact; 0: never.
    pub(crate) unreachable_limit: u32,
}

impl Default for DeskBody {
    fn default() -> Self {
        Self {
            script_id: None,
            qualification_group_id: None,
            min_agents: 1,
            max_call_s: 0,
            recording_beep: false,
            quotas_enabled: true,
            unlock_after_min: 0,
            unreachable_limit: 0,
        }
    }
}

impl From<Desk> for DeskBody {
    fn from(desk: Desk) -> Self {
        Self {
            script_id: desk.script,
            qualification_group_id: desk.qualification_group,
            min_agents: desk.min_agents,
            max_call_s: desk.max_call_s,
            recording_beep: desk.recording_beep,
            quotas_enabled: desk.quotas_enabled,
            unlock_after_min: desk.unlock_after_min,
            unreachable_limit: desk.unreachable_limit,
        }
    }
}

impl DeskBody {
    /// What is wrong with it, if anything.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        check.range("min_agents", &self.min_agents, &(1..=1_000));
        check.range("max_call_s", &self.max_call_s, &(0..=86_400));
        check.range("unlock_after_min", &self.unlock_after_min, &(0..=60));
        check.range("unreachable_limit", &self.unreachable_limit, &(0..=50));
        if let Some(script) = &self.script_id {
            check.name("script_id", script, 64, "-_.:");
        }
        check.done()
    }
}

/// Stores how agents work at a campaign, and what a console sent that nothing else says; none
/// keeps what it sent before. The switchboard has yet to be told what the campaign is set to.
pub(crate) async fn set(
    app: &App,
    caller: &May<EditCampaigns>,
    campaign: &CampaignId,
    body: DeskBody,
    console: Option<serde_json::Value>,
) -> Result<(), Problem> {
    body.check()?;
    let store = caller.store(app);
    let before = store.desk(campaign).await?;
    let desk = Desk {
        script: body.script_id,
        qualification_group: body.qualification_group_id,
        min_agents: body.min_agents,
        max_call_s: body.max_call_s,
        recording_beep: body.recording_beep,
        quotas_enabled: body.quotas_enabled,
        unlock_after_min: body.unlock_after_min,
        unreachable_limit: body.unreachable_limit,
        console: console.unwrap_or(before.console),
        created_at: before.created_at,
        updated_at: app.now(),
    };
    store.set_desk(campaign, &desk, app.now()).await?;
    Ok(())
}

/// Stops and removes a campaign.
pub(crate) async fn remove(
    app: &Shared,
    caller: &May<EditCampaigns>,
    campaign: &CampaignId,
) -> Result<(), Problem> {
    campaigns::find(app, campaign).await?;
    let store = caller.store(app);
    let work = campaigns::end(Arc::clone(app), store.clone(), campaign.clone());
    app.run(campaign, work).await?;
    if !store.delete_campaign(campaign).await? {
        return Err(Problem::conflict(
            "calls of this campaign are still in progress: it is stopped, delete it when they are over",
        ));
    }
    app.changes
        .tell(Kind::Campaign, What::Deleted, campaign.as_str());
    Ok(())
}

/// Show how agents work at a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/desk", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "How they work", body = Data<DeskBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<DeskBody>>, Problem> {
    campaigns::find(&app, &id).await?;
    Ok(Data::of(app.api.store.desk(&id).await?.into()))
}

/// Set how agents work at a campaign
///
/// It takes effect on the next line that is dialed and the next conversation.
#[utoipa::path(
    put, path = "/api/v1/campaigns/{id}/desk", tag = "campaigns", params(("id" = String, Path)),
    request_body = DeskBody,
    responses(
        (status = 200, description = "Set", body = Data<DeskBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 503, description = "Set in the database only, as the switchboard is busy or down: say it again", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(body): Body<DeskBody>,
) -> Result<Json<Data<DeskBody>>, Problem> {
    campaigns::find(&app, &id).await?;
    set(&app, &caller, &id, body, None).await?;
    campaigns::tell_again(&app, &id).await?;
    app.changes.tell(Kind::Campaign, What::Updated, id.as_str());
    Ok(Data::of(app.api.store.desk(&id).await?.into()))
}

/// Delete a campaign
///
/// It is stopped first. Its contacts and lists go with it; call records, what was dialed and the
/// ledger stay.
#[utoipa::path(
    delete, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 409, description = "Stopped; calls of it are still in progress", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Done>, Problem> {
    remove(&app, &caller, &id).await?;
    Ok(Done::ok())
}
