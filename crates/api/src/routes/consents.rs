//! What people allowed and took back.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    compliance::{Activity, Channel},
    ids::UserId,
    phone::PhoneNumber,
    time::Timestamp,
};
use strowger_store::consents::{Before, Statement, Who};
use utoipa::ToSchema;
use uuid::Uuid;

use super::audit::wrong_cursor;
use crate::{
    guard::{May, RecordWishes},
    input::{Body, Check, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Page, PageQuery},
    state::Shared,
};

/// Longest key of a person.
const KEY: usize = 200;

/// Largest proof, as JSON text.
const PROOF: usize = 20_000;

/// About whom: a number, a person, or both.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhoQuery {
    /// The number, in international form.
    number: Option<String>,
    /// The key of the person, as lists give it.
    person_key: Option<String>,
}

impl WhoQuery {
    /// At least one of both.
    pub(crate) fn read(self) -> Result<Who, Problem> {
        let mut check = Check::default();
        let who = who(&mut check, self.number.as_deref(), self.person_key);
        check.done()?;
        Ok(who)
    }
}

/// A number in international form. In a query string `+` may arrive as a blank.
pub(crate) fn number(text: &str) -> Result<PhoneNumber, String> {
    let digits = text.trim().trim_start_matches('+');
    PhoneNumber::parse(&format!("+{digits}"), "ZZ").map_err(|error| error.to_string())
}

/// Reads whom something is about.
pub(crate) fn who(check: &mut Check, text: Option<&str>, person_key: Option<String>) -> Who {
    let text = text.filter(|text| !text.trim().is_empty());
    let person_key = person_key.filter(|key| !key.is_empty());
    if text.is_none() && person_key.is_none() {
        check.wrong("number", "give a number, a person_key, or both");
    }
    if let Some(key) = &person_key {
        check.line("person_key", key, 1..=KEY);
    }
    Who {
        number: text.and_then(|text| check.ok("number", number(text))),
        person_key,
    }
}

/// Where a page begins, as text.
pub(crate) fn write_cursor(at: Timestamp, id: Uuid) -> String {
    format!("{}.{}", at.as_microsecond(), id.simple())
}

/// What [`write_cursor`] wrote.
pub(crate) fn read_cursor(page: &PageQuery) -> Result<Option<Before>, Problem> {
    let read = |text: &str| {
        let (micros, id) = text.split_once('.')?;
        let at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some((at, Uuid::try_parse(id).ok()?))
    };
    page.cursor()
        .map(|text| read(text).ok_or_else(wrong_cursor))
        .transpose()
}

/// A statement about a consent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConsentView {
    /// Its id: the proof that the dial ledger names.
    id: Uuid,
    /// The number.
    #[schema(value_type = Option<String>, example = "+33639981234")]
    number: Option<PhoneNumber>,
    /// The key of the person.
    person_key: Option<String>,
    /// voice, prerecorded, sms or email.
    #[schema(value_type = String)]
    channel: Channel,
    /// solicitation, collection, service or survey.
    #[schema(value_type = String)]
    activity: Activity,
    /// Given, or revoked.
    given: bool,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Until when it is good, when it says so.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How it was obtained.
    source: String,
    /// Where the proof lies, and what else proves it.
    #[schema(value_type = Object)]
    proof: serde_json::Value,
    /// Who recorded it.
    #[schema(value_type = Option<String>)]
    recorded_by: Option<UserId>,
}

impl From<Statement> for ConsentView {
    fn from(statement: Statement) -> Self {
        Self {
            id: statement.id,
            number: statement.who.number,
            person_key: statement.who.person_key,
            channel: statement.channel,
            activity: statement.activity,
            given: statement.given,
            at: statement.at,
            expires_at: statement.expires_at,
            source: statement.source,
            proof: statement.proof,
            recorded_by: statement.recorded_by,
        }
    }
}

/// A statement to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewConsent {
    /// The number, in international form.
    #[serde(default)]
    #[schema(example = "+33639981234")]
    number: Option<String>,
    /// The key of the person, as lists give it.
    #[serde(default)]
    person_key: Option<String>,
    /// voice, prerecorded, sms or email.
    #[schema(value_type = String)]
    channel: Channel,
    /// solicitation, collection, service or survey.
    #[schema(value_type = String)]
    activity: Activity,
    /// Given, or revoked.
    given: bool,
    /// When; now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Until when it is good, when it says so.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// How it was obtained, such as `form`, `call recording` or `contract`.
    source: String,
    /// Where the proof lies, and what else proves it: any JSON object.
    #[serde(default)]
    #[schema(value_type = Object)]
    proof: serde_json::Map<String, serde_json::Value>,
}

/// List consents
#[utoipa::path(
    get, path = "/api/v1/consents", tag = "compliance", params(WhoQuery, PageQuery),
    responses(
        (status = 200, description = "Given and revoked, newest first", body = Page<ConsentView>),
        (status = 422, description = "Neither a number nor a person", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<RecordWishes>,
    State(app): State<Shared>,
    Query(who): Query<WhoQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ConsentView>>, Problem> {
    let limit = page.limit()?;
    let (who, before) = (who.read()?, read_cursor(&page)?);
    let rows = app.api.store.consents(&who, before, limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| write_cursor(row.at, row.id),
        ConsentView::from,
    ))
}

/// Record a consent, or that it was revoked
///
/// Statements are never changed: who takes a consent back makes another one.
#[utoipa::path(
    post, path = "/api/v1/consents", tag = "compliance", request_body = NewConsent,
    responses(
        (status = 201, description = "Recorded: in force for every claim from now on", body = Data<ConsentView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn record(
    caller: May<RecordWishes>,
    State(app): State<Shared>,
    Body(new): Body<NewConsent>,
) -> Result<(StatusCode, Json<Data<ConsentView>>), Problem> {
    let now = app.now();
    let mut check = Check::default();
    let who = who(&mut check, new.number.as_deref(), new.person_key);
    check.line("source", &new.source, 1..=200);
    let at = new.at.unwrap_or(now);
    if at > now {
        check.wrong("at", "must not be in the future");
    }
    if new.expires_at.is_some_and(|end| end <= at) {
        check.wrong("expires_at", "must be later than `at`");
    }
    let proof = serde_json::Value::Object(new.proof);
    if proof.to_string().len() > PROOF {
        check.wrong(
            "proof",
            format!("must be at most {PROOF} bytes: keep files elsewhere and name them here"),
        );
    }
    check.done()?;
    let statement = Statement {
        id: app.new_id(),
        who,
        channel: new.channel,
        activity: new.activity,
        given: new.given,
        at,
        expires_at: new.expires_at,
        source: new.source.trim().to_owned(),
        proof,
        recorded_by: Some(caller.id().clone()),
    };
    app.api.store.record_consent(&statement, now).await?;
    Ok((StatusCode::CREATED, Data::of(statement.into())))
}
