//! People who asked not to be contacted.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    compliance::Channel,
    ids::{CampaignId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};
use strowger_store::opt_outs::OptOut;
use utoipa::ToSchema;
use uuid::Uuid;

use super::consents::{WhoQuery, read_cursor, who, write_cursor};
use crate::{
    guard::{May, RecordWishes},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// An opt-out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OptOutView {
    /// Its id.
    id: Uuid,
    /// The number.
    #[schema(value_type = Option<String>, example = "+33639981234")]
    number: Option<PhoneNumber>,
    /// The key of the person.
    person_key: Option<String>,
    /// voice, prerecorded, sms or email; null is all of them.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// From which campaign; null is every one.
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
    /// How it was told.
    source: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who recorded it.
    #[schema(value_type = Option<String>)]
    recorded_by: Option<UserId>,
}

impl From<OptOut> for OptOutView {
    fn from(opt_out: OptOut) -> Self {
        Self {
            id: opt_out.id,
            number: opt_out.who.number,
            person_key: opt_out.who.person_key,
            channel: opt_out.channel,
            campaign_id: opt_out.campaign,
            source: opt_out.source,
            at: opt_out.at,
            recorded_by: opt_out.recorded_by,
        }
    }
}

/// An opt-out to be recorded.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOptOut {
    /// The number, in international form.
    #[serde(default)]
    #[schema(example = "+33639981234")]
    number: Option<String>,
    /// The key of the person, as lists give it.
    #[serde(default)]
    person_key: Option<String>,
    /// voice, prerecorded, sms or email; all of them when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// From which campaign; every one when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    campaign_id: Option<CampaignId>,
    /// How it was told, such as `letter` or `call`.
    source: String,
    /// When; now when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

/// List opt-outs
#[utoipa::path(
    get, path = "/api/v1/opt-outs", tag = "compliance", params(WhoQuery, PageQuery),
    responses(
        (status = 200, description = "Newest first", body = Page<OptOutView>),
        (status = 422, description = "Neither a number nor a person", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<RecordWishes>,
    State(app): State<Shared>,
    Query(who): Query<WhoQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<OptOutView>>, Problem> {
    let limit = page.limit()?;
    let (who, before) = (who.read()?, read_cursor(&page)?);
    let rows = app.api.store.opt_outs(&who, before, limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| write_cursor(row.at, row.id),
        OptOutView::from,
    ))
}

/// Record an opt-out
#[utoipa::path(
    post, path = "/api/v1/opt-outs", tag = "compliance", request_body = NewOptOut,
    responses(
        (status = 201, description = "Recorded: in force for every claim from now on", body = Data<OptOutView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn record(
    caller: May<RecordWishes>,
    State(app): State<Shared>,
    Body(new): Body<NewOptOut>,
) -> Result<(StatusCode, Json<Data<OptOutView>>), Problem> {
    let now = app.now();
    let mut check = Check::default();
    let who = who(&mut check, new.number.as_deref(), new.person_key);
    check.line("source", &new.source, 1..=200);
    let at = new.at.unwrap_or(now);
    if at > now {
        check.wrong("at", "must not be in the future");
    }
    check.done()?;
    let opt_out = OptOut {
        id: app.new_id(),
        who,
        channel: new.channel,
        campaign: new.campaign_id,
        source: new.source.trim().to_owned(),
        at,
        recorded_by: Some(caller.id().clone()),
    };
    match app.api.store.record_opt_out(&opt_out, now).await {
        Err(strowger_store::Error::Missing { .. }) => {
            Err(Problem::field("campaign_id", "there is no such campaign"))
        }
        other => {
            other?;
            Ok((StatusCode::CREATED, Data::of(opt_out.into())))
        }
    }
}

/// Withdraw an opt-out that was recorded by mistake
#[utoipa::path(
    delete, path = "/api/v1/opt-outs/{id}", tag = "compliance", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Withdrawn; the audit log keeps it", body = Done),
        (status = 404, description = "There is none with this id", body = ProblemBody),
    )
)]
pub(crate) async fn withdraw(
    caller: May<RecordWishes>,
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<Done>, Problem> {
    let gone = match Uuid::try_parse(&id) {
        Ok(id) => {
            app.api
                .store
                .withdraw_opt_out(id, caller.id(), app.now())
                .await?
        }
        Err(_) => false,
    };
    if gone {
        Ok(Done::ok())
    } else {
        Err(Problem::not_found("there is no opt-out with this id"))
    }
}
