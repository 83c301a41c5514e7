//! Contacts, notes and callbacks as the console shows and changes them.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    routing::{post, put},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use strowger_core::ids::{CampaignId, ContactId};
use strowger_store::{callbacks::Callback, cards::Card, notes::Note};

use super::{Answer, Caller, Json, instant, shape::id};
use crate::{
    guard::{ImportContacts, WorkAsAgent},
    problem::Problem,
    routes::cards::{self, CardFields},
    state::Shared,
};

/// Largest body that removes contacts: 100,000 ids fit.
const DELETE_BODY: usize = 8 * 1024 * 1024;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/contacts", post(create))
        .route("/api/contacts/{id}", put(change))
        .merge(
            Router::new()
                .route("/api/contacts/bulk-delete", post(delete))
                .layer(DefaultBodyLimit::max(DELETE_BODY)),
        )
}

/// The console's word for a status: it knows whom it may call, who was called and who is done.
fn status(status: &str) -> &'static str {
    match status {
        "qualified" => "qualified",
        "called" | "exhausted" | "blocked" => "called",
        // ready, waiting, claimed, filtered, callback.
        _ => "pending",
    }
}

/// A contact. The names in its custom fields are those of the script, and stay as they are.
pub(crate) fn shown(card: &Card) -> Value {
    let (by, since) = card.locked.clone().unzip();
    json!({
        "id": card.id,
        "campaignId": card.campaign,
        "firstName": card.first_name,
        "lastName": card.last_name,
        "phoneNumber": card.shown,
        "postalCode": card.postal_code,
        "status": status(&card.status),
        "customFields": card.custom_fields,
        "lockedByAgentId": by,
        "lockedAt": since.map(instant),
        "createdAt": instant(card.created_at),
        "updatedAt": instant(card.updated_at),
    })
}

/// A note.
pub(crate) fn note_shown(note: &Note) -> Value {
    json!({
        "id": format!("note-{}", note.id.simple()),
        "contactId": note.contact,
        "agentId": note.agent,
        "campaignId": note.campaign,
        "note": note.note,
        "createdAt": instant(note.created_at),
    })
}

/// A personal callback; `name` is that of its contact, `region` that of its campaign.
pub(crate) fn callback_shown(callback: &Callback, name: &str, region: &str) -> Value {
    json!({
        "id": callback.id,
        "agentId": callback.agent,
        "contactId": callback.contact,
        "campaignId": callback.campaign,
        "contactName": name,
        "contactNumber": callback.number.dialed_in(region),
        "scheduledTime": instant(callback.due_at),
        "notes": callback.note,
        "status": match callback.state.as_str() {
            "done" => "completed",
            "cancelled" => "cancelled",
            _ => "pending",
        },
        "createdAt": instant(callback.created_at),
        "updatedAt": instant(callback.updated_at),
    })
}

/// A contact as the console sends it; its status is the dialer's to say.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactIn {
    #[serde(default)]
    campaign_id: Option<String>,
    #[serde(default)]
    first_name: Option<String>,
    #[serde(default)]
    last_name: Option<String>,
    #[serde(default)]
    phone_number: Option<String>,
    #[serde(default)]
    postal_code: Option<String>,
    #[serde(default)]
    custom_fields: Option<Map<String, Value>>,
}

impl ContactIn {
    fn fields(self) -> CardFields {
        CardFields {
            first_name: self.first_name,
            last_name: self.last_name,
            // An empty one says nothing.
            phone: self.phone_number.filter(|text| !text.trim().is_empty()),
            postal_code: self.postal_code,
            custom_fields: self.custom_fields,
        }
    }
}

async fn create(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Json(body): Json<ContactIn>,
) -> Answer<(StatusCode, axum::Json<Value>)> {
    let campaign: CampaignId = body
        .campaign_id
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|_| Problem::field("campaignId", "name the campaign of the contact"))?;
    let card = cards::add(&app, &caller.user, &campaign, body.fields()).await?;
    Ok((StatusCode::CREATED, axum::Json(shown(&card))))
}

async fn change(
    Caller(caller): Caller<WorkAsAgent>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<ContactIn>,
) -> Answer<axum::Json<Value>> {
    let id: ContactId = id(&path, "contact")?;
    let card = cards::alter(&app, &caller.user, &id, body.fields()).await?;
    Ok(axum::Json(shown(&card)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteIn {
    contact_ids: Vec<String>,
}

async fn delete(
    Caller(caller): Caller<ImportContacts>,
    State(app): State<Shared>,
    Json(body): Json<DeleteIn>,
) -> Answer<axum::Json<Value>> {
    // What cannot be an id is the id of nobody.
    let ids: Vec<ContactId> = body
        .contact_ids
        .into_iter()
        .filter_map(|id| id.parse().ok())
        .collect();
    let removed = cards::remove(&app, &caller.user, &ids).await?;
    Ok(axum::Json(json!({
        "message": format!("{removed} contacts ont été supprimés avec succès.")
    })))
}
