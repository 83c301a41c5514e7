//! Starting, pausing and stopping campaigns.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use strowger_core::{
    campaign::{BOOSTS, CampaignState},
    ids::{CampaignId, UserId},
    record::Write,
    switchboard::{Command, Refused},
};
use strowger_store::{Store, campaigns::Campaign};
use utoipa::ToSchema;

use super::{find, settings::CampaignBody};
use crate::{
    exchange::ExchangeError,
    guard::{May, RunCampaigns},
    input::{Body, Check, Path},
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Asked, Shared},
};

/// The campaign with the state that the switchboard has it in, which the database follows.
async fn current(app: &App, id: &CampaignId) -> Result<Campaign, Problem> {
    let mut campaign = find(app, id).await?;
    if let Some(view) = app.api.hub.campaign(id) {
        campaign.state = view.state;
    }
    Ok(campaign)
}

fn answer(mut campaign: Campaign, state: CampaignState) -> Json<Data<CampaignBody>> {
    campaign.state = state;
    Data::of(campaign.into())
}

/// Start a campaign, or let a paused one go on
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/start", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Running", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn start(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let work = begin(Arc::clone(&app), caller.store(&app), id.clone());
    let campaign = app.run(&id, work).await?;
    Ok(answer(campaign, CampaignState::Running))
}

/// Starts a campaign; nothing when it runs.
pub(crate) async fn begin(app: Shared, store: Store, id: CampaignId) -> Result<Campaign, Problem> {
    let campaign = current(&app, &id).await?;
    let live = app.api.hub.campaign(&id);
    if live.is_some_and(|view| view.state == CampaignState::Running) {
        // A new epoch would make the claims of the runner stale that are under way.
        return Ok(campaign);
    }
    // First of all something harmless: a switchboard that is busy or down refuses it, and nothing has changed.
    let exchange = &app.api.exchange;
    exchange
        .send(Command::Configure(Box::new(campaign.settings.clone())))
        .await?;
    let epoch = store.start_campaign(&id).await?;
    let start = Command::Start {
        campaign: id,
        epoch,
    };
    if let Err(error) = exchange.send(start).await {
        if matches!(
            error,
            ExchangeError::Busy | ExchangeError::Down | ExchangeError::Refused(_)
        ) {
            // It never got there: a campaign that nobody runs must not say that it runs.
            mark(&app, &campaign, epoch).await;
        }
        return Err(error.into());
    }
    Ok(campaign)
}

/// Writes the state of a campaign that no runner writes.
async fn mark(app: &App, campaign: &Campaign, epoch: i64) {
    let write = Write::CampaignChanged {
        campaign: campaign.settings.id.clone(),
        epoch,
        state: campaign.state,
        at: app.now(),
    };
    if let Err(error) = app.api.store.apply(&[write]).await {
        tracing::error!(campaign.id = %campaign.settings.id, %error, "The state of the campaign could not be written back");
    }
    let (id, none) = (campaign.settings.id.as_str(), serde_json::json!({}));
    let note = app
        .api
        .store
        .record_audit(None, "campaign.start-undone", id, &none, app.now());
    if let Err(error) = note.await {
        tracing::error!(campaign.id = id, %error, "It could not be noted that the campaign was not started");
    }
}

/// Pause a campaign
///
/// Calls in progress go on, no new ones are placed.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/pause", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Paused", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 409, description = "It does not run", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn pause(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let work = suspend(Arc::clone(&app), caller.user.id, id.clone());
    let campaign = app.run(&id, work).await?;
    Ok(answer(campaign, CampaignState::Paused))
}

async fn suspend(app: Shared, by: UserId, id: CampaignId) -> Result<Campaign, Problem> {
    let campaign = current(&app, &id).await?;
    match campaign.state {
        CampaignState::Running => {
            let asked = Asked::by(&by, "campaign.paused", id.as_str());
            app.tell(asked, Command::PauseCampaign(id)).await?;
        }
        CampaignState::Paused => {}
        CampaignState::Draining | CampaignState::Stopped | CampaignState::Finished => {
            return Err(Problem::conflict(format!(
                "the campaign is {}: there is nothing to pause",
                campaign.state
            )));
        }
    }
    Ok(campaign)
}

/// Drain a campaign
///
/// No new calls are placed, those in progress go on, ringing ones among them; when the last one
/// is over the campaign is stopped.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/drain", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Draining, or stopped already", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 409, description = "It does not run", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn drain(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let work = run_dry(Arc::clone(&app), caller.user.id, id.clone());
    let campaign = app.run(&id, work).await?;
    Ok(answer(campaign, CampaignState::Draining))
}

async fn run_dry(app: Shared, by: UserId, id: CampaignId) -> Result<Campaign, Problem> {
    let campaign = current(&app, &id).await?;
    match campaign.state {
        CampaignState::Running | CampaignState::Paused => {
            let asked = Asked::by(&by, "campaign.drained", id.as_str());
            app.tell(asked, Command::Drain(id)).await?;
        }
        CampaignState::Draining => {}
        CampaignState::Stopped | CampaignState::Finished => {
            return Err(Problem::conflict(format!(
                "the campaign is {}: there is nothing to drain",
                campaign.state
            )));
        }
    }
    Ok(campaign)
}

/// A wish to go faster or slower.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Boost {
    /// Above 1 faster, below 1 slower, 0.1 to 3. It never lifts the limit on abandoned calls.
    #[schema(example = 1.2)]
    boost: f64,
}

/// Make a campaign go faster or slower
///
/// It is kept until it is changed again.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/boost", tag = "campaigns", params(("id" = String, Path)),
    request_body = Boost,
    responses(
        (status = 200, description = "Set", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn boost(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(wish): Body<Boost>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let mut check = Check::default();
    check.range("boost", &wish.boost, &BOOSTS);
    check.done()?;
    let work = push(Arc::clone(&app), caller.store(&app), id.clone(), wish.boost);
    Ok(Data::of(app.run(&id, work).await?.into()))
}

async fn push(app: Shared, store: Store, id: CampaignId, boost: f64) -> Result<Campaign, Problem> {
    let mut campaign = current(&app, &id).await?;
    store.set_boost(&id, boost).await?;
    campaign.settings.pacing.boost = boost;
    app.api
        .exchange
        .send(Command::Boost {
            campaign: id,
            boost,
        })
        .await?;
    Ok(campaign)
}

/// Stop a campaign
///
/// No new calls are placed, those that are not answered are hung up, conversations go on. It may be
/// said again at any time. When the switchboard is busy or down the campaign is stopped in the
/// database only: say it again.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/stop", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Stopped", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn stop(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let work = end(Arc::clone(&app), caller.store(&app), id.clone());
    let campaign = app.run(&id, work).await?;
    Ok(answer(campaign, CampaignState::Stopped))
}

/// Whatever the live view or the database say: after another daemon was taken over from, they
/// may differ, and who says stop means both.
pub(crate) async fn end(app: Shared, store: Store, id: CampaignId) -> Result<Campaign, Problem> {
    let campaign = find(&app, &id).await?;
    let told = app.api.exchange.send(Command::Stop(id.clone())).await;
    // Also when the switchboard was not told: it must not dial again after the next start.
    store
        .set_campaign_state(&id, CampaignState::Stopped)
        .await?;
    match told {
        // Nobody runs it here.
        Err(ExchangeError::Refused(Refused::UnknownCampaign(_))) => {}
        other => other?,
    }
    Ok(campaign)
}
