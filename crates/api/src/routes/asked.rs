//! Calls that an agent asks for: contacts to look at first, and numbers dialed by hand.

use axum::{Json, extract::State};
use serde::Deserialize;
use serde_json::json;
use strowger_core::{
    campaign::DialingMode,
    ids::{CampaignId, ContactId, UserId},
    phone::PhoneNumber,
    switchboard::{Command, Target, Which},
};
use strowger_store::{
    Store,
    contacts::{Known, NewContact},
};
use utoipa::ToSchema;

use super::campaigns::find;
use crate::{
    guard::{May, WorkAsAgent},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    reply::Done,
    state::{Asked, Shared},
};

/// Most numbers of a contact.
const MAX_NUMBERS: i16 = 10;

/// An agent wants the next contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preview {
    /// Of this campaign.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// How long it is kept for them, 5 to 600 seconds.
    #[serde(default = "a_minute")]
    #[schema(default = 60)]
    seconds: u32,
}

const fn a_minute() -> u32 {
    60
}

/// Which number of the contact.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DialPreview {
    /// Its place among the numbers of the contact, from 0; absent: the one whose turn it is.
    #[serde(default)]
    position: Option<i16>,
}

/// Whom an agent wants to call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dial {
    /// For this campaign.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// A contact of it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    contact_id: Option<ContactId>,
    /// A number, as people write it in the region of the campaign. Without a contact it is one of
    /// the campaign that has this number, or a new one; only manual campaigns take those.
    #[serde(default)]
    number: Option<String>,
}

async fn send(app: &Shared, asked: Asked, command: Command) -> Result<Json<Done>, Problem> {
    app.tell(asked, command).await?;
    Ok(Done::ok())
}

/// Ask for the next contact
///
/// It appears in `preview` of one's own session, and nobody else is given it meanwhile. When there
/// is nobody to call, `notice` says so.
#[utoipa::path(
    post, path = "/api/v1/agents/me/preview", tag = "agents", request_body = Preview,
    responses(
        (status = 200, description = "It is being chosen", body = Done),
        (status = 403, description = "Not a campaign of theirs", body = ProblemBody),
        (status = 409, description = "In a call, or the campaign does not run", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn preview(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<Preview>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    check.range("seconds", &request.seconds, &(5..=600));
    check.done()?;
    let asked = Asked::by(
        caller.id(),
        "contact.asked-for",
        request.campaign_id.as_str(),
    );
    let command = Command::Preview {
        agent: caller.id().clone(),
        campaign: request.campaign_id,
        seconds: request.seconds,
    };
    send(&app, asked, command).await
}

/// Dial the contact that one looks at
///
/// The rules are asked as for every call: when one refuses, `notice` of one's session says why.
#[utoipa::path(
    post, path = "/api/v1/agents/me/preview/dial", tag = "agents", request_body = DialPreview,
    responses(
        (status = 200, description = "It is being dialed, unless a rule refuses", body = Done),
        (status = 409, description = "There is no contact, or no trunk takes a call", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn dial_preview(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<DialPreview>,
) -> Result<Json<Done>, Problem> {
    let mut check = Check::default();
    if let Some(position) = &request.position {
        check.range("position", position, &(0..=MAX_NUMBERS - 1));
    }
    check.done()?;
    let asked = Asked::by(caller.id(), "preview.dialed", caller.id().as_str())
        .with(json!({ "position": request.position }));
    let command = Command::DialPreview {
        agent: caller.id().clone(),
        number: request.position.map_or(Which::Next, Which::Position),
    };
    send(&app, asked, command).await
}

/// Skip the contact that one looks at
///
/// It comes up again in a quarter of an hour.
#[utoipa::path(
    post, path = "/api/v1/agents/me/preview/skip", tag = "agents",
    responses(
        (status = 200, description = "Skipped", body = Done),
        (status = 409, description = "There is no contact", body = ProblemBody),
    )
)]
pub(crate) async fn skip_preview(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::by(caller.id(), "preview.skipped", caller.id().as_str());
    send(&app, asked, Command::SkipPreview(caller.id().clone())).await
}

/// Dial a contact or a number
#[utoipa::path(
    post, path = "/api/v1/agents/me/dial", tag = "agents", request_body = Dial,
    responses(
        (status = 200, description = "It is being dialed, unless a rule refuses", body = Done),
        (status = 403, description = "Not a campaign of theirs", body = ProblemBody),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 409, description = "In a call, or the campaign does not run", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn dial(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(request): Body<Dial>,
) -> Result<Json<Done>, Problem> {
    call(
        &app,
        &caller.store(&app),
        caller.id(),
        request.campaign_id,
        request.contact_id,
        request.number.as_deref(),
    )
    .await?;
    Ok(Done::ok())
}

/// Has a contact or a number dialed for an agent. A contact that they look at is dialed as that.
pub(crate) async fn call(
    app: &Shared,
    store: &Store,
    agent: &UserId,
    campaign_id: CampaignId,
    contact: Option<ContactId>,
    number: Option<&str>,
) -> Result<(), Problem> {
    let (campaigns, _) = app.api.store.assignments(agent).await?;
    if !campaigns.contains(&campaign_id) {
        return Err(Problem::forbidden(format!(
            "you do not work for campaign {campaign_id}"
        )));
    }
    let campaign = find(app, &campaign_id).await?;
    let mut check = Check::default();
    let number = number.and_then(|number| {
        check.ok(
            "number",
            PhoneNumber::parse(number, &campaign.default_region),
        )
    });
    check.done()?;
    let target = match (contact, number) {
        (Some(contact), None) => Target {
            contact,
            number: Which::Next,
        },
        (Some(contact), Some(number)) => Target {
            contact,
            number: Which::Other(number),
        },
        (None, Some(number)) if campaign.settings.mode == DialingMode::Manual => Target {
            contact: contact_with(app, store, &campaign_id, number.clone()).await?,
            number: Which::Other(number),
        },
        (None, Some(_)) => {
            return Err(Problem::field(
                "contact_id",
                "only manual campaigns dial a number without a contact",
            ));
        }
        (None, None) => {
            return Err(Problem::field("contact_id", "give a contact or a number"));
        }
    };
    let number = match &target.number {
        Which::Other(number) => Some(number),
        Which::Next | Which::Position(_) => None,
    };
    let change = json!({ "campaign_id": campaign_id, "number": number });
    let asked = Asked::by(agent, "contact.dialed", target.contact.as_str()).with(change);
    let view = app.api.hub.agent(agent);
    let preview = view.as_ref().and_then(|view| view.preview.as_ref());
    let looks_at =
        preview.is_some_and(|preview| preview.contact_id.as_ref() == Some(&target.contact));
    let command = if looks_at {
        Command::DialPreview {
            agent: agent.clone(),
            number: target.number,
        }
    } else {
        Command::DialFor {
            agent: agent.clone(),
            campaign: campaign_id,
            target,
        }
    };
    app.tell(asked, command).await
}

/// The contact of a manual campaign with this number, added if there is none.
async fn contact_with(
    app: &Shared,
    store: &Store,
    campaign: &CampaignId,
    number: PhoneNumber,
) -> Result<ContactId, Problem> {
    if let Some(known) = store.contact_with_number(campaign, &number).await? {
        return Ok(known);
    }
    let contact = NewContact {
        id: ContactId::generate(app.new_id()),
        first_name: String::new(),
        last_name: String::new(),
        postal_code: String::new(),
        custom_fields: serde_json::Map::new(),
        phones: vec![number.into()],
        known: Known::default(),
    };
    let id = contact.id.clone();
    store.add_contacts(campaign, &[contact], app.now()).await?;
    Ok(id)
}
