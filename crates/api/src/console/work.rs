//! The work of agents at the console: the next contact, calls, outcomes, notes, callbacks.

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::{
    ids::{CallbackId, CampaignId, ContactId, QualificationId, UserId},
    permission::Role,
    phone::PhoneNumber,
    time::Timestamp,
};
use strowger_store::callbacks::NewCallback;

use super::{
    Answer, Caller, Json,
    campaigns::with_contact,
    contacts::{callback_shown, note_shown, shown},
    history::call_shown,
    shape::id,
};
use crate::{
    guard::WorkAsAgent,
    handing,
    problem::Problem,
    routes::{asked, callbacks, cards, handling},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/campaigns/next-contact", post(next_contact))
        .route("/api/call/originate", post(originate))
        .route("/api/contacts/{id}/lock", post(lock))
        .route("/api/contacts/{id}/qualify", post(qualify))
        .route(
            "/api/contacts/{id}/schedule-callback",
            post(schedule_callback),
        )
        .route("/api/contacts/{id}/notes", post(add_note))
        .route("/api/contacts/{id}/history", get(history))
        .route("/api/planning-events/callbacks/{id}", put(end_callback))
}

/// Who asks is who is logged in, whatever the body says.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NextIn {
    active_campaign_id: Option<String>,
}

async fn next_contact(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Json(body): Json<NextIn>,
) -> Answer<Response> {
    let wanted = match body.active_campaign_id {
        Some(id) => id.parse().ok(),
        None => {
            // Consoles before V4 do not say which: the first of theirs.
            let (campaigns, _) = app.api.store.assignments(caller.id()).await?;
            campaigns.into_iter().next()
        }
    };
    let card = handing::next_contact(&app, caller.id(), wanted.as_ref()).await?;
    let text = match card {
        Some(card) => {
            let campaign = with_contact(&app, &card).await?;
            format!("{{\"contact\":{},\"campaign\":{campaign}}}", shown(&card))
        }
        None => json!({ "contact": null, "campaign": null }).to_string(),
    };
    let json = [(header::CONTENT_TYPE, "application/json")];
    Ok((json, Body::from(text)).into_response())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OriginateIn {
    destination: Option<String>,
    contact_id: Option<String>,
    campaign_id: Option<String>,
}

async fn originate(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Json(body): Json<OriginateIn>,
) -> Answer<axum::Json<Value>> {
    let given = |text: Option<String>, field: &str| {
        text.filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Problem::field(field, "is missing"))
    };
    let destination = given(body.destination, "destination")?;
    let contact: ContactId = id(&given(body.contact_id, "contactId")?, "contact")?;
    let campaign: CampaignId = id(&given(body.campaign_id, "campaignId")?, "campaign")?;
    cards::find(&app, &caller.user, &contact).await?;
    asked::call(
        &app,
        &caller.store(&app),
        caller.id(),
        campaign,
        Some(contact),
        Some(&destination),
    )
    .await?;
    let call = handing::placed(&app, caller.id()).await?;
    Ok(axum::Json(json!({ "callId": call })))
}

async fn lock(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
) -> Answer<axum::Json<Value>> {
    let id: ContactId = id(&path, "contact")?;
    match handling::lock_for(&app, &caller.user, &id).await? {
        Ok(card) => Ok(axum::Json(shown(&card))),
        Err(held) => Err(Problem::conflict(format!(
            "Cette fiche est actuellement en cours d’édition par l’agent {}.",
            held.by
        ))
        .into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct QualifyIn {
    qualification_id: String,
    #[serde(default)]
    relaunch_time: Option<Timestamp>,
}

async fn qualify(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<QualifyIn>,
) -> Answer<axum::Json<Value>> {
    let contact: ContactId = id(&path, "contact")?;
    let qualification: QualificationId = body
        .qualification_id
        .parse()
        .map_err(|_| Problem::field("qualificationId", "there is no such qualification"))?;
    handling::conclude(
        &app,
        &caller.user,
        &contact,
        qualification,
        body.relaunch_time,
    )
    .await?;
    Ok(axum::Json(
        json!({ "message": "Contact qualifié avec succès." }),
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallbackIn {
    #[serde(default)]
    agent_id: Option<String>,
    #[serde(default)]
    contact_number: Option<String>,
    scheduled_time: Timestamp,
    #[serde(default)]
    notes: Option<String>,
}

async fn schedule_callback(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<CallbackIn>,
) -> Answer<(StatusCode, axum::Json<Value>)> {
    let contact: ContactId = id(&path, "contact")?;
    let card = cards::find(&app, &caller.user, &contact).await?;
    let number = body
        .contact_number
        .filter(|text| !text.trim().is_empty())
        .map(|text| PhoneNumber::parse(&text, &card.region))
        .transpose()
        .map_err(|error| Problem::field("contactNumber", error.to_string()))?;
    // Agents promise their own calls; who supervises may name another.
    let named = body.agent_id.and_then(|id| UserId::new(id).ok());
    let agent = named.filter(|_| caller.user.role >= Role::Supervisor);
    let new = NewCallback {
        id: CallbackId(app.new_id()),
        contact,
        number,
        agent: Some(agent.unwrap_or_else(|| caller.id().clone())),
        due_at: body.scheduled_time,
        note: body.notes.unwrap_or_default(),
        by: caller.id().clone(),
    };
    let callback = callbacks::promise(&app, &caller.store(&app), new).await?;
    let name = format!("{} {}", card.first_name, card.last_name);
    Ok((
        StatusCode::CREATED,
        axum::Json(callback_shown(&callback, name.trim(), &card.region)),
    ))
}

#[derive(Deserialize)]
struct NoteIn {
    note: String,
}

async fn add_note(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<NoteIn>,
) -> Answer<(StatusCode, axum::Json<Value>)> {
    let contact: ContactId = id(&path, "contact")?;
    let note = handling::note(&app, &caller.user, &contact, body.note).await?;
    Ok((StatusCode::CREATED, axum::Json(note_shown(&note))))
}

async fn history(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
) -> Answer<axum::Json<Value>> {
    let contact: ContactId = id(&path, "contact")?;
    let (calls, notes) = handling::past(&app, &caller.user, &contact).await?;
    Ok(axum::Json(json!({
        "callHistory": calls.iter().map(call_shown).collect::<Vec<_>>(),
        "contactNotes": notes.iter().map(note_shown).collect::<Vec<_>>(),
    })))
}

#[derive(Deserialize)]
struct EndIn {
    status: String,
}

async fn end_callback(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<EndIn>,
) -> Answer<axum::Json<Value>> {
    let id: CallbackId = id(&path, "callback")?;
    let is_kept = match body.status.as_str() {
        "completed" => true,
        "cancelled" => false,
        _ => return Err(Problem::field("status", "it is completed or cancelled").into()),
    };
    let (callback, _) = callbacks::end(&app, &caller, id, is_kept).await?;
    let card = app.api.store.card(&callback.contact, app.now()).await?;
    let (name, region) = card.map_or_else(
        || (String::new(), "FR".to_owned()),
        |card| {
            (
                format!("{} {}", card.first_name, card.last_name),
                card.region,
            )
        },
    );
    Ok(axum::Json(callback_shown(&callback, name.trim(), &region)))
}
