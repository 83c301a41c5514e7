//! Campaigns as the console saves and shows them.

mod read;
pub(super) mod rules;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use strowger_core::{
    campaign::{MAX_TRUNKS, TrunkSettings},
    ids::{CampaignId, UserId},
    lists::filter,
};
use strowger_store::{Store, campaigns::Campaign, cards::Card, recycle::Recycle};

use self::read::CampaignIn;
use super::{
    Answer, Caller, Json,
    campaign_view::{campaign_head, campaign_pages, is_active},
    history, import,
    shape::id,
};
use crate::{
    changes::{Kind, What},
    guard::{EditCampaigns, May, RunCampaigns},
    problem::Problem,
    routes::{campaigns, desk},
    state::{App, Shared},
};

/// Largest body of a campaign; that of V4 sends its contacts along.
const CAMPAIGN_BODY: usize = 64 * 1024 * 1024;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/campaigns", post(create))
        .route("/api/campaigns/{id}", put(change).delete(remove))
        .layer(DefaultBodyLimit::max(CAMPAIGN_BODY))
        .merge(
            Router::new()
                .route("/api/campaigns/{id}/contacts", post(import::import))
                .layer(DefaultBodyLimit::max(import::MAX_BODY)),
        )
        .route("/api/campaigns/{id}/recycle", post(recycle))
        .route("/api/campaigns/{id}/history", get(past))
}

/// The trunks of a campaign for which nobody chose any: all of the exchange that has the first,
/// the default one's before others'.
fn any_trunks(app: &App, all: &[TrunkSettings]) -> Vec<String> {
    let default = &app.api.settings.default_server;
    let server = all
        .iter()
        .find(|trunk| trunk.server == *default)
        .or_else(|| all.first())
        .map(|trunk| trunk.server.clone());
    all.iter()
        .filter(|trunk| Some(&trunk.server) == server.as_ref())
        .take(MAX_TRUNKS)
        .map(|trunk| trunk.id.to_string())
        .collect()
}

/// Gives every campaign without a trunk those that there are: called when one is added, for
/// campaigns that a console made before.
pub(crate) async fn give_trunks(app: &Shared, store: &Store) -> Result<(), Problem> {
    let trunks = any_trunks(app, &campaigns::all_trunks(app).await?);
    if trunks.is_empty() {
        return Ok(());
    }
    let mut after: Option<CampaignId> = None;
    loop {
        let page = app.api.store.campaigns(after.as_ref(), 500).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.settings.id.clone());
        for campaign in page.iter().filter(|one| one.settings.trunks.is_empty()) {
            let id = campaign.settings.id.clone();
            let changes = Map::from_iter([("trunk_ids".to_owned(), json!(trunks))]);
            let work = campaigns::apply(Arc::clone(app), store.clone(), id.clone(), changes);
            app.run(&id, work).await?;
        }
    }
}

async fn create(
    Caller(caller): Caller<EditCampaigns>,
    State(app): State<Shared>,
    Json(body): Json<CampaignIn>,
) -> Answer<Response> {
    let mut changes = body.settings(None)?;
    let trunks = any_trunks(&app, &campaigns::all_trunks(&app).await?);
    changes.insert("trunk_ids".to_owned(), json!(trunks));
    if let Some(chosen) = body.id.as_deref().filter(|id| !id.is_empty()) {
        changes.insert("id".to_owned(), json!(chosen));
    }
    let mut new: campaigns::NewCampaign = serde_json::from_value(Value::Object(changes))
        .map_err(|error| Problem::malformed(error.to_string()))?;
    new.may_lack_trunks = true;
    let wanted = body.desk(desk::DeskBody::default())?;
    wanted.check()?;
    check_filters(&body)?;
    let store = caller.store(&app);
    let campaign = campaigns::add(&app, &store, new).await?;
    let id = campaign.settings.id.clone();
    let saved = finish(&app, &caller, &campaign, body, wanted).await;
    if let Err(problem) = saved {
        // It was not made, as far as whoever asked knows.
        let _ = store.delete_campaign(&id).await;
        app.changes.tell(Kind::Campaign, What::Deleted, id.as_str());
        return Err(problem.into());
    }
    whole(&app, &id, StatusCode::CREATED).await
}

async fn change(
    Caller(caller): Caller<EditCampaigns>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<CampaignIn>,
) -> Answer<Response> {
    let id: CampaignId = id(&path, "campaign")?;
    let current = campaigns::find(&app, &id).await?;
    let wanted = body.desk(app.api.store.desk(&id).await?.into())?;
    wanted.check()?;
    check_filters(&body)?;
    let mut changes = body.settings(Some(&current))?;
    if current.settings.trunks.is_empty() {
        let trunks = any_trunks(&app, &campaigns::all_trunks(&app).await?);
        changes.insert("trunk_ids".to_owned(), json!(trunks));
    }
    let work = campaigns::apply(Arc::clone(&app), caller.store(&app), id.clone(), changes);
    let campaign = app.run(&id, work).await?;
    let finished = finish(&app, &caller, &campaign, body, wanted).await;
    // Also when something of it was refused: the rest may be saved.
    campaigns::tell_again(&app, &id).await?;
    finished?;
    whole(&app, &id, StatusCode::OK).await
}

fn check_filters(body: &CampaignIn) -> Result<(), Problem> {
    let filters = body.filters("FR").unwrap_or_default();
    filter::check(&filters).map_err(|error| Problem::field(&error.field, error.reason))
}

/// Everything of a save that is not a setting of the dialer.
async fn finish(
    app: &Shared,
    caller: &May<EditCampaigns>,
    campaign: &Campaign,
    body: CampaignIn,
    wanted: desk::DeskBody,
) -> Result<(), Problem> {
    let id = &campaign.settings.id;
    let store = caller.store(app);
    let sent = body.sent(campaign, &wanted, &store.desk(id).await?.console);
    desk::set(app, caller, id, wanted, Some(sent)).await?;
    if let Some(quotas) = body.quotas(&campaign.default_region)? {
        let quotas: Vec<_> = quotas
            .into_iter()
            .map(|quota| (app.new_id(), quota))
            .collect();
        store.set_quotas(id, &quotas, app.now()).await?;
    }
    if let Some(agents) = body.assigned_user_ids {
        let agents = agents
            .into_iter()
            .map(UserId::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Problem::field("assignedUserIds", error.to_string()))?;
        campaigns::assign(app, &store, id, agents).await?;
    }
    if let Some(wanted) = body.is_active {
        let state = app
            .api
            .hub
            .campaign(id)
            .map_or(campaign.state, |view| view.state);
        match (is_active(state), wanted) {
            (false, true) => {
                let work = campaigns::begin(Arc::clone(app), store.clone(), id.clone());
                app.run(id, work).await?;
            }
            (true, false) => {
                let work = campaigns::end(Arc::clone(app), store.clone(), id.clone());
                app.run(id, work).await?;
            }
            (true, true) | (false, false) => {}
        }
    }
    app.changes.tell(Kind::Campaign, What::Updated, id.as_str());
    Ok(())
}

async fn remove(
    Caller(caller): Caller<EditCampaigns>,
    State(app): State<Shared>,
    Path(path): Path<String>,
) -> Answer<StatusCode> {
    desk::remove(&app, &caller, &id(&path, "campaign")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecycleIn {
    qualification_id: String,
}

async fn recycle(
    Caller(caller): Caller<RunCampaigns>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<RecycleIn>,
) -> Answer<axum::Json<Value>> {
    let id: CampaignId = id(&path, "campaign")?;
    campaigns::find(&app, &id).await?;
    let qualification = body
        .qualification_id
        .parse()
        .map_err(|_| Problem::field("qualificationId", "there is no such qualification"))?;
    let what = Recycle {
        qualifications: vec![qualification],
        ..Recycle::default()
    };
    let contacts = app
        .api
        .store
        .recycle(
            &id,
            &what,
            caller.id(),
            "asked for at the console",
            app.now(),
        )
        .await?;
    crate::routes::cards::changed(&app, &id, true);
    Ok(axum::Json(json!({
        "message": format!("{contacts} contacts ont été recyclés avec succès.")
    })))
}

async fn past(
    Caller(_): Caller<RunCampaigns>,
    State(app): State<Shared>,
    Path(path): Path<String>,
) -> Answer<axum::Json<Value>> {
    let id: CampaignId = id(&path, "campaign")?;
    campaigns::find(&app, &id).await?;
    Ok(axum::Json(history::of_campaign(&app, &id).await?))
}

/// The campaign with all of its contacts, written as they are read.
async fn whole(app: &Shared, id: &CampaignId, status: StatusCode) -> Answer<Response> {
    let head = campaign_head(app, id).await?;
    let head = head.ok_or_else(|| Problem::not_found(format!("there is no campaign {id}")))?;
    let pages = campaign_pages(app, &head)
        .map(|page| page.map_err(|problem| std::io::Error::other(problem.0.detail().to_owned())));
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((status, json, Body::from_stream(pages)).into_response())
}

/// The JSON of a campaign as an agent gets it with a contact: with that contact only.
pub(super) async fn with_contact(app: &App, card: &Card) -> Answer<String> {
    let head = campaign_head(app, &card.campaign).await?;
    let head = head.ok_or_else(|| Problem::not_found("the campaign was deleted"))?;
    Ok(format!(
        "{}{}]}}",
        head.open()?,
        super::contacts::shown(card)
    ))
}
