//! Contacts as people see, add, change and remove them.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strowger_core::{
    ids::{CampaignId, ContactId, UserId},
    permission::Role,
    phone::{PhoneNumber, TypedNumber},
    switchboard::Command,
    time::Timestamp,
};
use strowger_store::{
    cards::{Card, CardChange},
    contacts::{Known, NewContact},
    users::User,
};
use utoipa::ToSchema;

use super::campaigns;
use crate::{
    changes::{Kind, What},
    guard::{ImportContacts, May, RunCampaigns, WorkAsAgent},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::{App, Shared},
};

/// Most contacts that one request removes.
pub(crate) const MAX_DELETED: usize = 100_000;

/// Longest custom fields of a contact, as JSON.
const MAX_CUSTOM: usize = 32 * 1024;

/// Most custom fields of a contact.
const MAX_FIELDS: usize = 200;

/// A contact.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CardView {
    /// Its id.
    #[schema(value_type = String)]
    id: ContactId,
    /// Its campaign.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// Its numbers in E.164, in the order in which they are tried.
    #[schema(value_type = Vec<String>)]
    phones: Vec<PhoneNumber>,
    /// Postal code.
    postal_code: String,
    /// ready, waiting, claimed, filtered, blocked, callback, called, exhausted or qualified.
    status: String,
    /// Whatever else is known, as it was given.
    #[schema(value_type = Object)]
    custom_fields: Value,
    /// What an agent said of it last.
    qualification_id: Option<String>,
    /// Who works on it.
    #[schema(value_type = Option<String>)]
    locked_by: Option<UserId>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    locked_at: Option<Timestamp>,
    /// When it is dialed again, by the wish of an agent.
    #[schema(value_type = Option<String>, format = DateTime)]
    relaunch_at: Option<Timestamp>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Card> for CardView {
    fn from(card: Card) -> Self {
        let (locked_by, locked_at) = card.locked.unzip();
        Self {
            id: card.id,
            campaign_id: card.campaign,
            first_name: card.first_name,
            last_name: card.last_name,
            phones: card.numbers,
            postal_code: card.postal_code,
            status: card.status,
            custom_fields: card.custom_fields,
            qualification_id: card.qualification,
            locked_by,
            locked_at,
            relaunch_at: card.relaunch_at,
            created_at: card.created_at,
            updated_at: card.updated_at,
        }
    }
}

/// What is said of a contact; of one that exists, what is absent stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CardFields {
    /// At most 100 characters.
    pub(crate) first_name: Option<String>,
    /// At most 100 characters.
    pub(crate) last_name: Option<String>,
    /// Its first number, as people write it in the region of the campaign. A new contact needs one.
    pub(crate) phone: Option<String>,
    /// At most 20 characters.
    pub(crate) postal_code: Option<String>,
    /// Fields that are added or replaced.
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_fields: Option<Map<String, Value>>,
}

impl CardFields {
    fn check(self, check: &mut Check, region: &str) -> CardChange {
        let mut short = |field: &str, text: Option<String>, most: usize| {
            text.map(|text| {
                check.line(field, &text, 0..=most);
                text.trim().to_owned()
            })
        };
        let first_name = short("first_name", self.first_name, 100);
        let last_name = short("last_name", self.last_name, 100);
        let postal_code = short("postal_code", self.postal_code, 20);
        let number = self
            .phone
            .and_then(|text| check.ok("phone", PhoneNumber::parse(&text, region)));
        let custom_fields = self.custom_fields.unwrap_or_default();
        check_custom(check, &custom_fields);
        CardChange {
            first_name,
            last_name,
            postal_code,
            number,
            region: region.to_owned(),
            custom_fields,
        }
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(fields) => fields
            .iter()
            .any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether custom fields are few, short and can be stored.
pub(crate) fn check_custom(check: &mut Check, fields: &Map<String, Value>) {
    let long = || serde_json::to_string(fields).is_ok_and(|text| text.len() > MAX_CUSTOM);
    if fields.len() > MAX_FIELDS || long() {
        check.wrong(
            "custom_fields",
            format!("a contact has at most {MAX_FIELDS} of them, {MAX_CUSTOM} bytes in all"),
        );
    } else if fields
        .iter()
        .any(|(name, value)| name.contains('\0') || holds_nul(value))
    {
        check.wrong("custom_fields", "one of them holds a control character");
    }
}

fn supervises(user: &User) -> bool {
    user.role >= Role::Supervisor
}

/// Refuses an agent who does not work for the campaign.
pub(crate) async fn works_for(
    app: &App,
    user: &User,
    campaign: &CampaignId,
) -> Result<(), Problem> {
    if supervises(user) {
        return Ok(());
    }
    let (campaigns, _) = app.api.store.assignments(&user.id).await?;
    if campaigns.contains(campaign) {
        Ok(())
    } else {
        Err(Problem::forbidden(format!(
            "you do not work for campaign {campaign}"
        )))
    }
}

/// The contact, when the user may see it: 404 for one of a campaign that is not theirs.
pub(crate) async fn find(app: &App, user: &User, id: &ContactId) -> Result<Card, Problem> {
    let unknown = || Problem::not_found(format!("there is no contact {id}"));
    let card = app.api.store.card(id, app.now()).await?;
    let card = card.ok_or_else(unknown)?;
    works_for(app, user, &card.campaign)
        .await
        .map_err(|_| unknown())?;
    Ok(card)
}

/// Tells the switchboard and whoever watches that contacts of a campaign are there or gone.
pub(crate) fn changed(app: &App, campaign: &CampaignId, added: bool) {
    if added {
        // When it is busy, the hoppers are looked at again within seconds.
        let _ = app
            .api
            .exchange
            .notify(Command::ContactsAdded(campaign.clone()));
    }
    app.changes
        .tell(Kind::Campaign, What::Updated, campaign.as_str());
}

/// Adds a contact to a campaign.
pub(crate) async fn add(
    app: &App,
    user: &User,
    campaign: &CampaignId,
    fields: CardFields,
) -> Result<Card, Problem> {
    works_for(app, user, campaign).await?;
    let region = campaigns::find(app, campaign).await?.default_region;
    let mut check = Check::default();
    if fields.phone.is_none() {
        check.wrong("phone", "a contact needs a number");
    }
    let change = fields.check(&mut check, &region);
    check.done()?;
    let contact = NewContact {
        id: ContactId::generate(app.new_id()),
        first_name: change.first_name.unwrap_or_default(),
        last_name: change.last_name.unwrap_or_default(),
        postal_code: change.postal_code.unwrap_or_default(),
        custom_fields: change.custom_fields,
        phones: change.number.map(TypedNumber::from).into_iter().collect(),
        known: Known::default(),
    };
    let id = contact.id.clone();
    let store = app.api.store.by(&user.id, app.now());
    store.add_contacts(campaign, &[contact], app.now()).await?;
    changed(app, campaign, true);
    find(app, user, &id).await
}

/// Changes a contact.
pub(crate) async fn alter(
    app: &App,
    user: &User,
    id: &ContactId,
    fields: CardFields,
) -> Result<Card, Problem> {
    let card = find(app, user, id).await?;
    let mut check = Check::default();
    let change = fields.check(&mut check, &card.region);
    check.done()?;
    let store = app.api.store.by(&user.id, app.now());
    store.change_card(id, &change, app.now()).await?;
    changed(app, &card.campaign, change.number.is_some());
    find(app, user, id).await
}

/// Removes contacts that are in no call; how many.
pub(crate) async fn remove(app: &App, user: &User, ids: &[ContactId]) -> Result<usize, Problem> {
    if ids.len() > MAX_DELETED {
        return Err(Problem::field(
            "contact_ids",
            format!("at most {MAX_DELETED} at once"),
        ));
    }
    let store = app.api.store.by(&user.id, app.now());
    let mut campaigns = store.delete_contacts(ids).await?;
    let removed = campaigns.len();
    campaigns.sort();
    campaigns.dedup();
    for campaign in &campaigns {
        changed(app, campaign, false);
    }
    Ok(removed)
}

/// List the contacts of a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/contacts", tag = "contacts",
    params(("id" = String, Path), PageQuery),
    responses(
        (status = 200, description = "Contacts in the order of their ids", body = Page<CardView>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CardView>>, Problem> {
    let limit = page.limit()?;
    campaigns::find(&app, &id).await?;
    let after = page.after::<ContactId>()?;
    let rows = app
        .api
        .store
        .cards(&id, after.as_ref(), limit + 1, app.now())
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        CardView::from,
    ))
}

/// Add a contact
///
/// Agents add to campaigns that they work for.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/contacts", tag = "contacts",
    params(("id" = String, Path)), request_body = CardFields,
    responses(
        (status = 201, description = "Added", body = Data<CardView>),
        (status = 403, description = "Not a campaign of theirs", body = ProblemBody),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(fields): Body<CardFields>,
) -> Result<(StatusCode, Json<Data<CardView>>), Problem> {
    let card = add(&app, &caller.user, &id, fields).await?;
    Ok((StatusCode::CREATED, Data::of(card.into())))
}

/// Show a contact
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The contact", body = Data<CardView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
) -> Result<Json<Data<CardView>>, Problem> {
    Ok(Data::of(find(&app, &caller.user, &id).await?.into()))
}

/// Change a contact
#[utoipa::path(
    patch, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = String, Path)),
    request_body = CardFields,
    responses(
        (status = 200, description = "Changed", body = Data<CardView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
    Body(fields): Body<CardFields>,
) -> Result<Json<Data<CardView>>, Problem> {
    let card = alter(&app, &caller.user, &id, fields).await?;
    Ok(Data::of(card.into()))
}

/// Which contacts are removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// Their ids.
    #[schema(value_type = Vec<String>)]
    contact_ids: Vec<ContactId>,
}

/// How many contacts were removed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Removed {
    /// How many.
    contacts: usize,
}

/// Remove contacts
///
/// Those in a call stay. What was dialed stays known to the rules and the ledger.
#[utoipa::path(
    post, path = "/api/v1/contacts/delete", tag = "contacts", request_body = Removal,
    responses(
        (status = 200, description = "How many were removed", body = Data<Removed>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<ImportContacts>,
    State(app): State<Shared>,
    Body(removal): Body<Removal>,
) -> Result<Json<Data<Removed>>, Problem> {
    let contacts = remove(&app, &caller.user, &removal.contact_ids).await?;
    Ok(Data::of(Removed { contacts }))
}
