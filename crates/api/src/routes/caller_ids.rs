//! Pools of caller ids: the numbers that campaigns show to the people they call.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    caller_id::MAX_POOL,
    ids::CallerIdPoolId,
    phone::PhoneNumber,
    time::{Timestamp, after},
};
use strowger_store::caller_ids::{Pool, PoolDeleted, PoolNumber, PoolNumberChange};
use utoipa::ToSchema;

use crate::{
    guard::{EditCampaigns, May, RunCampaigns},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// Longest rest given by hand, in days.
const MAX_REST_DAYS: u16 = 365;

const DAY_MS: u64 = 86_400_000;

/// A pool of caller ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallerIdPool {
    /// Its id.
    #[schema(value_type = String, example = "cip_1")]
    id: CallerIdPoolId,
    /// Its name.
    name: String,
    /// How many numbers it has.
    numbers: u64,
    /// How many of them rest at the moment.
    resting: u64,
}

impl From<Pool> for CallerIdPool {
    fn from(pool: Pool) -> Self {
        Self {
            id: pool.id,
            name: pool.name,
            numbers: pool.numbers,
            resting: pool.resting,
        }
    }
}

/// A number of a pool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PooledCallerId {
    /// The number in E.164.
    #[schema(value_type = String, example = "+33142000001")]
    number: PhoneNumber,
    /// It may be shown.
    is_active: bool,
    /// It is not shown before this moment, unless every number of the pool rests.
    #[schema(value_type = Option<String>, format = DateTime)]
    rested_until: Option<Timestamp>,
    /// Why it rests, or rested last.
    rest_reason: Option<String>,
    /// When it was shown last.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// How often it was shown.
    dials: u64,
    /// How many of these dials were answered, by a person or a machine.
    answers: u64,
}

impl From<PoolNumber> for PooledCallerId {
    fn from(number: PoolNumber) -> Self {
        Self {
            number: number.number,
            is_active: number.is_active,
            rested_until: number.rested_until,
            rest_reason: number.rest_reason,
            last_used_at: number.last_used_at,
            dials: number.dials,
            answers: number.answers,
        }
    }
}

/// A pool to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCallerIdPool {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<CallerIdPoolId>,
    /// 1 to 200 characters.
    name: String,
}

/// What a pool is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerIdPoolSettings {
    /// 1 to 200 characters.
    name: String,
}

/// Numbers to be added to a pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCallerIds {
    /// 1 to 1,000 numbers, as people write them. Those that are in the pool already stay as they are.
    numbers: Vec<String>,
    /// The country of numbers without a country code: two letters, such as `FR`. Without it each
    /// number must begin with `+`.
    #[serde(default)]
    region: Option<String>,
}

/// What was added to a pool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AddedCallerIds {
    /// How many numbers were not there yet.
    added: u64,
    /// The pool as it is now.
    pool: CallerIdPool,
}

/// What changes about a number; what is absent stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallerIdChange {
    /// It may be shown.
    #[serde(default)]
    is_active: Option<bool>,
    /// It rests for so many days from now, at most 365; 0 ends its rest.
    #[serde(default)]
    #[schema(maximum = 365)]
    rest_days: Option<u16>,
}

fn unknown(id: &CallerIdPoolId) -> Problem {
    Problem::not_found(format!("there is no pool of caller ids {id}"))
}

fn not_in(id: &CallerIdPoolId, number: &PhoneNumber) -> Problem {
    Problem::not_found(format!("the pool {id} does not have the number {number}"))
}

async fn find(app: &App, id: &CallerIdPoolId) -> Result<CallerIdPool, Problem> {
    let pool = app.api.store.caller_id_pool(id, app.now()).await?;
    pool.map(CallerIdPool::from).ok_or_else(|| unknown(id))
}

/// List pools of caller ids
#[utoipa::path(
    get, path = "/api/v1/caller-id-pools", tag = "caller ids", params(PageQuery),
    responses((status = 200, description = "Pools in the order of their ids", body = Page<CallerIdPool>))
)]
pub(crate) async fn list(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CallerIdPool>>, Problem> {
    let limit = page.limit()?;
    let start = page.after::<CallerIdPoolId>()?;
    let store = &app.api.store;
    let rows = store
        .caller_id_pools(start.as_ref(), limit + 1, app.now())
        .await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        CallerIdPool::from,
    ))
}

/// Add a pool of caller ids
///
/// It has no numbers yet.
#[utoipa::path(
    post, path = "/api/v1/caller-id-pools", tag = "caller ids", request_body = NewCallerIdPool,
    responses(
        (status = 201, description = "Added", body = Data<CallerIdPool>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Body(new): Body<NewCallerIdPool>,
) -> Result<(StatusCode, Json<Data<CallerIdPool>>), Problem> {
    let name = named(&new.name)?;
    let id = new
        .id
        .unwrap_or_else(|| CallerIdPoolId::generate(app.new_id()));
    let store = caller.store(&app);
    store.create_caller_id_pool(&id, &name, app.now()).await?;
    Ok((StatusCode::CREATED, Data::of(find(&app, &id).await?)))
}

/// Show a pool of caller ids
#[utoipa::path(
    get, path = "/api/v1/caller-id-pools/{id}", tag = "caller ids", params(("id" = String, Path)),
    responses(
        (status = 200, description = "The pool", body = Data<CallerIdPool>),
        (status = 404, description = "No such pool", body = ProblemBody),
    )
)]
pub(crate) async fn show(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CallerIdPoolId>,
) -> Result<Json<Data<CallerIdPool>>, Problem> {
    Ok(Data::of(find(&app, &id).await?))
}

/// Rename a pool of caller ids
#[utoipa::path(
    patch, path = "/api/v1/caller-id-pools/{id}", tag = "caller ids", params(("id" = String, Path)),
    request_body = CallerIdPoolSettings,
    responses(
        (status = 200, description = "Renamed", body = Data<CallerIdPool>),
        (status = 404, description = "No such pool", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CallerIdPoolId>,
    Body(settings): Body<CallerIdPoolSettings>,
) -> Result<Json<Data<CallerIdPool>>, Problem> {
    let name = named(&settings.name)?;
    let store = caller.store(&app);
    if store.rename_caller_id_pool(&id, &name, app.now()).await? {
        Ok(Data::of(find(&app, &id).await?))
    } else {
        Err(unknown(&id))
    }
}

/// Delete a pool of caller ids
///
/// With its numbers and what is known of them. A pool that a campaign uses is not deleted.
#[utoipa::path(
    delete, path = "/api/v1/caller-id-pools/{id}", tag = "caller ids", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such pool", body = ProblemBody),
        (status = 409, description = "A campaign uses it", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CallerIdPoolId>,
) -> Result<Json<Done>, Problem> {
    match caller.store(&app).delete_caller_id_pool(&id).await? {
        PoolDeleted::Done => Ok(Done::ok()),
        PoolDeleted::Unknown => Err(unknown(&id)),
        PoolDeleted::UsedBy(campaign) => Err(Problem::conflict(format!(
            "the campaign {campaign} shows the numbers of this pool: give it another pool first"
        ))),
    }
}

/// List the numbers of a pool
#[utoipa::path(
    get, path = "/api/v1/caller-id-pools/{id}/numbers", tag = "caller ids", params(("id" = String, Path), PageQuery),
    responses(
        (status = 200, description = "Numbers in their order", body = Page<PooledCallerId>),
        (status = 404, description = "No such pool", body = ProblemBody),
    )
)]
pub(crate) async fn numbers(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CallerIdPoolId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<PooledCallerId>>, Problem> {
    let limit = page.limit()?;
    // Without its '+', which a query string takes for a space.
    let start = page
        .cursor()
        .map(|digits| PhoneNumber::try_from(format!("+{digits}")))
        .transpose()
        .map_err(|_| {
            Problem::field(
                "cursor",
                "not a cursor: give `next` of the page before, or leave it out",
            )
        })?;
    find(&app, &id).await?;
    let store = &app.api.store;
    let rows = store.caller_ids(&id, start.as_ref(), limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.number.as_str().trim_start_matches('+').to_owned(),
        PooledCallerId::from,
    ))
}

/// Add numbers to a pool
///
/// All of them or, when one is wrong, none.
#[utoipa::path(
    post, path = "/api/v1/caller-id-pools/{id}/numbers", tag = "caller ids", params(("id" = String, Path)),
    request_body = NewCallerIds,
    responses(
        (status = 200, description = "Added", body = Data<AddedCallerIds>),
        (status = 404, description = "No such pool", body = ProblemBody),
        (status = 422, description = "Not valid, or too many", body = ProblemBody),
    )
)]
pub(crate) async fn add_numbers(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CallerIdPoolId>,
    Body(new): Body<NewCallerIds>,
) -> Result<Json<Data<AddedCallerIds>>, Problem> {
    let numbers = read(&new)?;
    match caller.store(&app).add_caller_ids(&id, &numbers).await {
        Err(strowger_store::Error::Missing { .. }) => Err(unknown(&id)),
        Ok(None) => Err(Problem::field(
            "numbers",
            format!("a pool has at most {MAX_POOL} numbers; nothing was added"),
        )),
        Ok(Some(added)) => Ok(Data::of(AddedCallerIds {
            added,
            pool: find(&app, &id).await?,
        })),
        Err(error) => Err(error.into()),
    }
}

/// Change a number of a pool
///
/// Takes it out of use, or gives it a rest or ends the one it has.
#[utoipa::path(
    patch, path = "/api/v1/caller-id-pools/{id}/numbers/{number}", tag = "caller ids",
    params(("id" = String, Path), ("number" = String, Path, example = "+33142000001")),
    request_body = CallerIdChange,
    responses(
        (status = 200, description = "Changed", body = Data<PooledCallerId>),
        (status = 404, description = "The pool does not have the number", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change_number(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path((id, number)): Path<(CallerIdPoolId, PhoneNumber)>,
    Body(change): Body<CallerIdChange>,
) -> Result<Json<Data<PooledCallerId>>, Problem> {
    let mut check = Check::default();
    if let Some(days) = &change.rest_days {
        check.range("rest_days", days, &(0..=MAX_REST_DAYS));
    }
    check.done()?;
    let rested_until = change
        .rest_days
        .map(|days| (days > 0).then(|| after(app.now(), u64::from(days) * DAY_MS)));
    let change = PoolNumberChange {
        is_active: change.is_active,
        rested_until,
    };
    let store = caller.store(&app);
    match store.change_caller_id(&id, &number, change).await? {
        Some(changed) => Ok(Data::of(changed.into())),
        None => Err(not_in(&id, &number)),
    }
}

/// Take a number out of a pool
///
/// What is known of it is forgotten.
#[utoipa::path(
    delete, path = "/api/v1/caller-id-pools/{id}/numbers/{number}", tag = "caller ids",
    params(("id" = String, Path), ("number" = String, Path, example = "+33142000001")),
    responses(
        (status = 200, description = "Taken out", body = Done),
        (status = 404, description = "The pool does not have the number", body = ProblemBody),
    )
)]
pub(crate) async fn remove_number(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path((id, number)): Path<(CallerIdPoolId, PhoneNumber)>,
) -> Result<Json<Done>, Problem> {
    if caller.store(&app).remove_caller_id(&id, &number).await? {
        Ok(Done::ok())
    } else {
        Err(not_in(&id, &number))
    }
}

fn named(name: &str) -> Result<String, Problem> {
    let mut check = Check::default();
    check.line("name", name, 1..=200);
    check.done()?;
    Ok(name.trim().to_owned())
}

fn read(new: &NewCallerIds) -> Result<Vec<PhoneNumber>, Problem> {
    let mut check = Check::default();
    check.range("numbers", &new.numbers.len(), &(1..=MAX_POOL));
    let region = new.region.as_deref().unwrap_or_default();
    if new.region.is_some()
        && !(region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()))
    {
        check.wrong("region", "must be two capital letters, such as FR");
    }
    check.done()?;
    let mut check = Check::default();
    let numbers = new
        .numbers
        .iter()
        .enumerate()
        .filter_map(|(place, text)| {
            check.ok(
                &format!("numbers[{place}]"),
                PhoneNumber::parse(text, region),
            )
        })
        .collect();
    check.done()?;
    Ok(numbers)
}
