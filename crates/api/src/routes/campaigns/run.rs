//! Starting, pausing and stopping campaigns.

use axum::{Json, extract::State};
use strowger_core::{
    campaign::CampaignState,
    ids::CampaignId,
    record::Write,
    switchboard::{Command, Refused},
};
use strowger_store::campaigns::Campaign;

use super::{find, settings::CampaignBody};
use crate::{
    exchange::ExchangeError,
    guard::{May, RunCampaigns},
    input::Path,
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// The campaign with the state that the switchboard has it in, which the database follows.
async fn current(app: &App, id: &CampaignId) -> Result<Campaign, Problem> {
    let mut campaign = find(app, id).await?;
    let live = app
        .api
        .hub
        .snapshot()
        .campaigns
        .into_iter()
        .find(|view| view.id == *id);
    if let Some(view) = live {
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
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let campaign = current(&app, &id).await?;
    if campaign.state == CampaignState::Running
        && app
            .api
            .hub
            .snapshot()
            .campaigns
            .iter()
            .any(|view| view.id == id)
    {
        // A new epoch would make the claims of the runner stale that are under way.
        return Ok(answer(campaign, CampaignState::Running));
    }
    // First of all something harmless: a switchboard that is busy or down refuses it, and nothing has changed.
    app.api
        .exchange
        .send(Command::Configure(Box::new(campaign.settings.clone())))
        .await?;
    let epoch = app.api.store.start_campaign(&id).await?;
    if let Err(error) = app
        .api
        .exchange
        .send(Command::Start {
            campaign: id.clone(),
            epoch,
        })
        .await
    {
        if matches!(
            error,
            ExchangeError::Busy | ExchangeError::Down | ExchangeError::Refused(_)
        ) {
            // It never got there: a campaign that nobody runs must not say that it runs.
            mark(&app, &campaign, epoch).await;
        }
        return Err(error.into());
    }
    Ok(answer(campaign, CampaignState::Running))
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
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let campaign = current(&app, &id).await?;
    match campaign.state {
        CampaignState::Running => app.api.exchange.send(Command::PauseCampaign(id)).await?,
        CampaignState::Paused => {}
        CampaignState::Stopped | CampaignState::Finished => {
            return Err(Problem::conflict(format!(
                "the campaign is {}: there is nothing to pause",
                campaign.state
            )));
        }
    }
    Ok(answer(campaign, CampaignState::Paused))
}

/// Stop a campaign
///
/// No new calls are placed, those that are not answered are hung up, conversations go on.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/stop", tag = "campaigns", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Stopped", body = Data<CampaignBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 503, description = "The switchboard is busy or down", body = ProblemBody),
    )
)]
pub(crate) async fn stop(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<CampaignBody>>, Problem> {
    let mut campaign = current(&app, &id).await?;
    if campaign.state != CampaignState::Stopped {
        match app.api.exchange.send(Command::Stop(id)).await {
            Err(ExchangeError::Refused(Refused::UnknownCampaign(_))) => {
                campaign.state = CampaignState::Stopped;
                mark(&app, &campaign, campaign.epoch).await;
            }
            other => other?,
        }
    }
    Ok(answer(campaign, CampaignState::Stopped))
}
