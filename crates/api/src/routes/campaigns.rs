//! Outbound campaigns.

mod abandonment;
mod run;
mod settings;

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strowger_core::{
    campaign::TrunkSettings,
    ids::{CampaignId, UserId},
    switchboard::Command,
};
use strowger_store::{Store, campaigns::Campaign};
use utoipa::ToSchema;

pub(crate) use abandonment::{__path_abandonment, abandonment};
pub(crate) use run::{
    __path_boost, __path_drain, __path_pause, __path_start, __path_stop, boost, drain, pause,
    start, stop,
};
pub(crate) use run::{begin, end};
pub(crate) use settings::{CampaignBody, NewCampaign};

pub(crate) use self::settings::retry_rule;
use crate::{
    changes::{Kind, What},
    guard::{EditCampaigns, May, RunCampaigns},
    input::{Body, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// Most agents of one campaign in a request.
const MAX_AGENTS: usize = 5_000;

/// A campaign with the state of its list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignDetail {
    #[serde(flatten)]
    campaign: CampaignBody,
    /// Contacts by status: ready, waiting, claimed, filtered, blocked, callback, called,
    /// exhausted, qualified.
    contacts: BTreeMap<String, i64>,
}

/// Who works for a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Agents {
    /// Ids of users; they replace those before.
    #[schema(value_type = Vec<String>)]
    agent_ids: Vec<UserId>,
}

/// The campaign, or 404.
pub(crate) async fn find(app: &App, id: &CampaignId) -> Result<Campaign, Problem> {
    let campaign = app.api.store.campaign(id).await?;
    campaign.ok_or_else(|| Problem::not_found(format!("there is no campaign {id}")))
}

pub(crate) async fn all_trunks(app: &App) -> Result<Vec<TrunkSettings>, Problem> {
    let trunks = app.api.store.trunks().await?;
    Ok(trunks.into_iter().map(|(_, trunk)| trunk).collect())
}

/// List campaigns
#[utoipa::path(
    get, path = "/api/v1/campaigns", tag = "campaigns", params(PageQuery),
    responses((status = 200, description = "Campaigns in the order of their ids", body = Page<CampaignBody>))
)]
pub(crate) async fn list(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CampaignBody>>, Problem> {
    let limit = page.limit()?;
    let rows = app
        .api
        .store
        .campaigns(page.after::<CampaignId>()?.as_ref(), limit + 1)
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.settings.id.to_string(),
        CampaignBody::from,
    ))
}

/// Show a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The campaign and how many contacts it has", body = Data<CampaignDetail>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignDetail>>, Problem> {
    let campaign = find(&app, &id).await?;
    let contacts = app
        .api
        .store
        .contact_counts(&id)
        .await?
        .into_iter()
        .collect();
    Ok(Data::of(CampaignDetail {
        campaign: campaign.into(),
        contacts,
    }))
}

/// Add a campaign
///
/// It is stopped, without agents and without contacts.
#[utoipa::path(
    post, path = "/api/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses(
        (status = 201, description = "Added", body = Data<CampaignBody>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Body(new): Body<NewCampaign>,
) -> Result<(StatusCode, Json<Data<CampaignBody>>), Problem> {
    let campaign = add(&app, &caller.store(&app), new).await?;
    Ok((StatusCode::CREATED, Data::of(campaign.into())))
}

/// Adds a campaign, stopped.
pub(crate) async fn add(app: &App, store: &Store, new: NewCampaign) -> Result<Campaign, Problem> {
    let trunks = all_trunks(app).await?;
    let campaign = new.check(&trunks, &app.api.packs, || {
        CampaignId::generate(app.new_id())
    })?;
    store.create_campaign(&campaign).await?;
    // The campaign exists whether or not the switchboard hears of it now; starting it tells again.
    let configure = Command::Configure(Box::new(campaign.settings.clone()));
    if let Err(error) = app.api.exchange.send(configure).await {
        tracing::warn!(campaign.id = %campaign.settings.id, %error, "The switchboard does not know the new campaign yet");
    }
    app.changes
        .tell(Kind::Campaign, What::Created, campaign.settings.id.as_str());
    Ok(campaign)
}

/// Change a campaign
///
/// What is not named stays as it is. It takes effect on the next line that is dialed; calls in
/// progress are not touched.
#[utoipa::path(
    patch, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    request_body(content = Object, description = "Any of the fields of a new campaign but its id"),
    responses(
        (status = 200, description = "Changed", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid; nothing was changed", body = ProblemBody),
        (status = 503, description = "Changed in the database only, as the switchboard is busy or down: say it again", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(changes): Body<Map<String, Value>>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let work = apply(Arc::clone(&app), caller.store(&app), id.clone(), changes);
    Ok(Data::of(app.run(&id, work).await?.into()))
}

pub(crate) async fn apply(
    app: Shared,
    store: Store,
    id: CampaignId,
    changes: Map<String, Value>,
) -> Result<Campaign, Problem> {
    let current = find(&app, &id).await?;
    let (state, epoch) = (current.state, current.epoch);
    // One that had none may go on without: a console knows of no trunks.
    let may_lack_trunks = current.settings.trunks.is_empty();
    let desk = current.settings.desk;
    let mut merged = NewCampaign::changed(current.into(), changes)?;
    merged.may_lack_trunks = may_lack_trunks;
    let trunks = all_trunks(&app).await?;
    let mut campaign = Campaign {
        state,
        epoch,
        ..merged.check(&trunks, &app.api.packs, || id)?
    };
    campaign.settings.desk = desk;
    store.update_campaign(&campaign).await?;
    let configure = Command::Configure(Box::new(campaign.settings.clone()));
    app.api.exchange.send(configure).await?;
    app.changes
        .tell(Kind::Campaign, What::Updated, campaign.settings.id.as_str());
    Ok(campaign)
}

/// Tells the switchboard what a campaign is set to, as something that it refers to is different.
pub(crate) async fn tell_again(app: &Shared, id: &CampaignId) -> Result<(), Problem> {
    let (shared, campaign) = (Arc::clone(app), id.clone());
    let work = async move {
        // It may have been deleted since.
        let Some(campaign) = shared.api.store.campaign(&campaign).await? else {
            return Ok(());
        };
        let configure = Command::Configure(Box::new(campaign.settings));
        Ok(shared.api.exchange.send(configure).await?)
    };
    app.run(id, work).await
}

/// Set the agents of a campaign
///
/// It takes effect at once; a call in progress is not touched.
#[utoipa::path(
    put, path = "/api/v1/campaigns/{id}/agents", tag = "campaigns",
    params(("id" = String, Path)), request_body = Agents,
    responses(
        (status = 200, description = "Set", body = Done),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "One of the users does not exist", body = ProblemBody),
    )
)]
pub(crate) async fn set_agents(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(agents): Body<Agents>,
) -> Result<Json<Done>, Problem> {
    assign(&app, &caller.store(&app), &id, agents.agent_ids).await?;
    app.changes.tell(Kind::Campaign, What::Updated, id.as_str());
    Ok(Done::ok())
}

/// Makes exactly these users work for a campaign.
pub(crate) async fn assign(
    app: &App,
    store: &Store,
    id: &CampaignId,
    agents: Vec<UserId>,
) -> Result<(), Problem> {
    if agents.len() > MAX_AGENTS {
        return Err(Problem::field(
            "agent_ids",
            format!("a campaign has at most {MAX_AGENTS} agents"),
        ));
    }
    find(app, id).await?;
    match store.assign_agents(id, &agents).await {
        Err(strowger_store::Error::Missing { .. }) => Err(Problem::field(
            "agent_ids",
            "one of these users does not exist; nothing was changed",
        )),
        other => {
            other?;
            let agents = agents.into_iter().collect();
            // Those who are logged in get its calls from now on, or none any more.
            app.api
                .exchange
                .send(Command::AssignAgents {
                    campaign: id.clone(),
                    agents,
                })
                .await?;
            Ok(())
        }
    }
}
