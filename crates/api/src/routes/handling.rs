//! What an agent does with a contact: take it, note, say what came of it, look at its past.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{CallId, CampaignId, ContactId, QualificationId, UserId},
    live::PreviewView,
    switchboard::Command,
    time::Timestamp,
};
use strowger_store::{
    cards::Card,
    history::{PastCall, PastCalls},
    notes::Note,
    qualify::{ContactOutcome, NotQualified},
    users::User,
};
use utoipa::ToSchema;
use uuid::Uuid;

use super::cards::{self, CardView};
use crate::{
    guard::{May, WorkAsAgent},
    handing,
    input::{Body, Check, Path},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page},
    state::{App, Shared},
};

/// Most calls and notes of a contact in one answer.
pub(crate) const MAX_PAST: u32 = 500;

/// Who has a contact that somebody else wants.
pub(crate) struct Held {
    /// Their name, as long as they are known.
    pub(crate) by: String,
}

/// Takes a contact for a person; says who has it when somebody else does.
pub(crate) async fn lock_for(
    app: &App,
    user: &User,
    id: &ContactId,
) -> Result<Result<Card, Held>, Problem> {
    let card = cards::find(app, user, id).await?;
    let until = handing::held_until(app, &card.campaign).await?;
    let store = &app.api.store;
    if store.lock_contact(id, &user.id, until, app.now()).await? {
        return Ok(Ok(cards::find(app, user, id).await?));
    }
    let card = cards::find(app, user, id).await?;
    let holder = match card.locked {
        Some((by, _)) => store.user(&by).await?,
        None => None,
    };
    let by = holder.map_or_else(|| "?".to_owned(), |user| user.display_name());
    Ok(Err(Held { by }))
}

/// Keeps what an agent says of a contact; gives the qualification that holds.
pub(crate) async fn conclude(
    app: &App,
    user: &User,
    id: &ContactId,
    qualification: QualificationId,
    relaunch_at: Option<Timestamp>,
) -> Result<QualificationId, Problem> {
    cards::find(app, user, id).await?;
    let now = app.now();
    let year = jiff::SignedDuration::from_hours(366 * 24);
    if relaunch_at.is_some_and(|at| at.duration_since(now) > year) {
        return Err(Problem::field(
            "relaunch_at",
            "it lies more than a year ahead",
        ));
    }
    let outcome = ContactOutcome {
        contact: id.clone(),
        qualification,
        relaunch_at,
        by: user.id.clone(),
    };
    let store = app.api.store.by(&user.id, now);
    let done = store.qualify_contact(&outcome, now).await;
    let (qualification, campaign) = done.map_err(|error| match error {
        NotQualified::Store(error) => error.into(),
        NotQualified::NoCall => Problem::not_found(format!("there is no contact {id}")),
        NotQualified::NotYours => Problem::conflict("somebody else works on this contact"),
        NotQualified::NotOffered | NotQualified::NoQualification => {
            Problem::field("qualification_id", error.to_string())
        }
    })?;
    app.desks.answered(&user.id);
    let looks_at = |preview: &PreviewView| preview.contact_id.as_ref() == Some(id);
    let view = app.api.hub.agent(&user.id);
    if view.is_some_and(|view| view.preview.as_ref().is_some_and(looks_at)) {
        // It is done without a call. When the switchboard is busy, the time for it runs out.
        let _ = app
            .api
            .exchange
            .notify(Command::SkipPreview(user.id.clone()));
    }
    cards::changed(app, &campaign, relaunch_at.is_some());
    Ok(qualification)
}

/// Adds a note to a contact.
pub(crate) async fn note(
    app: &App,
    user: &User,
    id: &ContactId,
    text: String,
) -> Result<Note, Problem> {
    let card = cards::find(app, user, id).await?;
    let mut check = Check::default();
    check.text("note", &text, 10_000);
    if text.trim().is_empty() {
        check.wrong("note", "it is empty");
    }
    check.done()?;
    let note = Note {
        id: app.new_id(),
        contact: id.clone(),
        campaign: card.campaign,
        agent: Some(user.id.clone()),
        note: text,
        created_at: app.now(),
    };
    let store = app.api.store.by(&user.id, app.now());
    store.add_note(&note).await?;
    Ok(note)
}

/// The calls and notes of a contact, newest first.
pub(crate) async fn past(
    app: &App,
    user: &User,
    id: &ContactId,
) -> Result<(Vec<PastCall>, Vec<Note>), Problem> {
    cards::find(app, user, id).await?;
    let which = PastCalls {
        contact: Some(id.clone()),
        ..PastCalls::default()
    };
    let calls = app.api.store.past_calls(&which, 0, MAX_PAST).await?;
    let notes = app.api.store.notes(Some(id), None, MAX_PAST).await?;
    Ok((calls, notes))
}

/// Which contact an agent wants next.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NextBody {
    /// Of this campaign, for one whose agents dial by hand.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
}

/// Ask for the next contact and wait for it
///
/// It waits some seconds at most and answers null when there is nobody: ask again. In a campaign that
/// dials by itself, it is the person whom the dialer has connected to the agent; in one whose
/// agents dial by hand, the next one of its list, which is kept for them.
#[utoipa::path(
    post, path = "/api/v1/agents/me/next-contact", tag = "agents", request_body = NextBody,
    responses(
        (status = 200, description = "The contact, or null", body = Data<Option<CardView>>),
        (status = 429, description = "Too many of these wait already", body = ProblemBody),
    )
)]
pub(crate) async fn next(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Body(body): Body<NextBody>,
) -> Result<Json<Data<Option<CardView>>>, Problem> {
    let card = handing::next_contact(&app, caller.id(), body.campaign_id.as_ref()).await?;
    Ok(Data::of(card.map(CardView::from)))
}

/// Take a contact
///
/// Nobody else is given it, and it is not dialed but by whoever took it, until they say what came
/// of it, give it back, log out, or the time that the campaign allows is over.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/lock", tag = "contacts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Taken", body = Data<CardView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
        (status = 409, description = "Somebody else has it", body = ProblemBody),
    )
)]
pub(crate) async fn lock(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
) -> Result<Json<Data<CardView>>, Problem> {
    match lock_for(&app, &caller.user, &id).await? {
        Ok(card) => Ok(Data::of(card.into())),
        Err(held) => Err(Problem::conflict(format!(
            "{} works on this contact",
            held.by
        ))),
    }
}

/// Give a contact back
#[utoipa::path(
    delete, path = "/api/v1/contacts/{id}/lock", tag = "contacts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Given back, or not theirs", body = Done),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
    )
)]
pub(crate) async fn unlock(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
) -> Result<Json<Done>, Problem> {
    let card = cards::find(&app, &caller.user, &id).await?;
    if app.api.store.unlock_contact(&id, caller.id()).await? {
        cards::changed(&app, &card.campaign, true);
    }
    Ok(Done::ok())
}

/// What came of a contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Conclusion {
    /// One that the campaign offers.
    #[schema(value_type = String)]
    qualification_id: QualificationId,
    /// Dial it again from then on, at most a year ahead.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    relaunch_at: Option<Timestamp>,
}

/// The qualification that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Concluded {
    /// Another than was said when the contact was not reached too often.
    #[schema(value_type = String)]
    qualification_id: QualificationId,
}

/// Say what came of a contact
///
/// One's last call with it is qualified; without one, the contact is. It is given back.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/qualify", tag = "contacts", params(("id" = String, Path)),
    request_body = Conclusion,
    responses(
        (status = 200, description = "Kept", body = Data<Concluded>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
        (status = 409, description = "Somebody else works on it", body = ProblemBody),
        (status = 422, description = "Not offered, or not valid", body = ProblemBody),
    )
)]
pub(crate) async fn qualify(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
    Body(body): Body<Conclusion>,
) -> Result<Json<Data<Concluded>>, Problem> {
    let qualification_id = conclude(
        &app,
        &caller.user,
        &id,
        body.qualification_id,
        body.relaunch_at,
    )
    .await?;
    Ok(Data::of(Concluded { qualification_id }))
}

/// A note.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NoteView {
    /// Its id.
    id: Uuid,
    /// About whom.
    #[schema(value_type = String)]
    contact_id: ContactId,
    /// Who wrote it, as long as they are known.
    #[schema(value_type = Option<String>)]
    agent_id: Option<UserId>,
    /// What it says.
    note: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        Self {
            id: note.id,
            contact_id: note.contact,
            agent_id: note.agent,
            note: note.note,
            created_at: note.created_at,
        }
    }
}

/// A note to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewNote {
    /// 1 to 10,000 characters.
    note: String,
}

/// List the notes about a contact
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}/notes", tag = "contacts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Newest first, at most 500", body = Page<NoteView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
    )
)]
pub(crate) async fn notes(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
) -> Result<Json<Page<NoteView>>, Problem> {
    let (_, notes) = past(&app, &caller.user, &id).await?;
    Ok(Page::whole(notes.into_iter().map(NoteView::from).collect()))
}

/// Note something about a contact
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/notes", tag = "contacts", params(("id" = String, Path)),
    request_body = NewNote,
    responses(
        (status = 201, description = "Noted", body = Data<NoteView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn add_note(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
    Body(body): Body<NewNote>,
) -> Result<(StatusCode, Json<Data<NoteView>>), Problem> {
    let note = note(&app, &caller.user, &id, body.note).await?;
    Ok((StatusCode::CREATED, Data::of(note.into())))
}

/// A call with a contact.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PastCallView {
    /// The call.
    #[schema(value_type = String)]
    id: CallId,
    /// outbound or inbound.
    direction: String,
    /// Who talked.
    agent_id: Option<String>,
    /// What they said of it.
    qualification_id: Option<String>,
    /// The telephony outcome.
    disposition: Option<String>,
    /// When it began.
    started_at: chrono::DateTime<chrono::Utc>,
    /// When it was answered.
    answered_at: Option<chrono::DateTime<chrono::Utc>>,
    /// When it ended; null while it goes on.
    ended_at: Option<chrono::DateTime<chrono::Utc>>,
}

/// List the calls with a contact
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}/calls", tag = "contacts", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Newest first, at most 500", body = Page<PastCallView>),
        (status = 404, description = "No such contact, or of a campaign that is not theirs", body = ProblemBody),
    )
)]
pub(crate) async fn calls(
    caller: May<WorkAsAgent>,
    State(app): State<Shared>,
    Path(id): Path<ContactId>,
) -> Result<Json<Page<PastCallView>>, Problem> {
    let (calls, _) = past(&app, &caller.user, &id).await?;
    let view = |call: PastCall| PastCallView {
        id: CallId(call.id),
        direction: call.direction,
        agent_id: call.agent_id,
        qualification_id: call.qualification_id,
        disposition: call.disposition,
        started_at: call.started_at,
        answered_at: call.answered_at,
        ended_at: call.ended_at,
    };
    Ok(Page::whole(calls.into_iter().map(view).collect()))
}
