//! Lists of contacts, and what a campaign leaves out of them: filters and quotas.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use strowger_core::{
    disposition::Disposition,
    ids::{CampaignId, ListId, QualificationId},
    lists::filter::{self, Field, Filter, Quota, QuotaOperator},
};
use strowger_store::{lists::List, recycle::Recycle};
use utoipa::ToSchema;

use super::campaigns;
use crate::{
    guard::{EditCampaigns, May, RunCampaigns},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::{App, Shared},
};

/// Most quotas of one campaign.
const MAX_QUOTAS: usize = 500;

/// A list of contacts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListView {
    /// Its id.
    #[schema(value_type = String)]
    id: ListId,
    /// Its campaign.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// Its name.
    name: String,
    /// Lists of priority 1 are dialed first, those of 10 last.
    priority: u8,
    /// Its share among the lists of its priority, 0 to 100.
    weight: u8,
    /// Whether it is dialed.
    is_active: bool,
    /// Region of numbers without a country code.
    default_region: String,
}

impl From<List> for ListView {
    fn from(list: List) -> Self {
        Self {
            id: list.id,
            campaign_id: list.campaign,
            name: list.name,
            priority: list.priority,
            weight: list.weight,
            is_active: list.is_active,
            default_region: list.default_region,
        }
    }
}

/// What a list is set to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListBody {
    /// Of a new list; chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<ListId>,
    /// Its name.
    name: String,
    /// 1 is dialed first, 10 last.
    #[serde(default = "default_priority")]
    #[schema(default = 5)]
    priority: u8,
    /// Its share among the lists of its priority, 0 to 100.
    #[serde(default = "default_weight")]
    #[schema(default = 100)]
    weight: u8,
    /// Whether it is dialed.
    #[serde(default = "default_active")]
    #[schema(default = true)]
    is_active: bool,
    /// Region of numbers without a country code, such as FR; the campaign's when absent.
    #[serde(default)]
    default_region: Option<String>,
}

const fn default_priority() -> u8 {
    5
}

const fn default_weight() -> u8 {
    100
}

const fn default_active() -> bool {
    true
}

impl ListBody {
    fn check(self, id: ListId, campaign: CampaignId, region: String) -> Result<List, Problem> {
        let mut check = Check::default();
        check.line("name", &self.name, 1..=200);
        check.range("priority", &self.priority, &(1..=10));
        check.range("weight", &self.weight, &(0..=100));
        let default_region = self.default_region.unwrap_or(region);
        if default_region.len() != 2 || !default_region.bytes().all(|b| b.is_ascii_uppercase()) {
            check.wrong("default_region", "two capital letters, such as FR");
        }
        check.done()?;
        Ok(List {
            id,
            campaign,
            name: self.name.trim().to_owned(),
            priority: self.priority,
            weight: self.weight,
            is_active: self.is_active,
            default_region,
        })
    }
}

/// The list of this campaign, or 404.
async fn find(app: &App, campaign: &CampaignId, id: &ListId) -> Result<List, Problem> {
    let list = app.api.store.list(id).await?;
    list.filter(|list| list.campaign == *campaign)
        .ok_or_else(|| Problem::not_found(format!("the campaign {campaign} has no list {id}")))
}

/// List the lists of a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/lists", tag = "lists", params(("id" = String, Path), PageQuery),
    responses(
        (status = 200, description = "Lists in the order of their ids", body = Page<ListView>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn list(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ListView>>, Problem> {
    campaigns::find(&app, &id).await?;
    let limit = page.limit()?;
    let after = page.after::<ListId>()?;
    let rows = app.api.store.lists(&id, after.as_ref(), limit + 1).await?;
    Ok(Page::cut(
        rows,
        limit,
        |row| row.id.to_string(),
        ListView::from,
    ))
}

/// Add a list
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/lists", tag = "lists", params(("id" = String, Path)),
    request_body = ListBody,
    responses(
        (status = 201, description = "Added", body = Data<ListView>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(mut body): Body<ListBody>,
) -> Result<(StatusCode, Json<Data<ListView>>), Problem> {
    let campaign = campaigns::find(&app, &id).await?;
    let list = body.id.take();
    let list = list.unwrap_or_else(|| ListId::generate(app.new_id()));
    let list = body.check(list, id, campaign.default_region)?;
    caller.store(&app).create_list(&list).await?;
    Ok((StatusCode::CREATED, Data::of(list.into())))
}

/// Change a list
#[utoipa::path(
    put, path = "/api/v1/campaigns/{id}/lists/{list_id}", tag = "lists",
    params(("id" = String, Path), ("list_id" = String, Path)), request_body = ListBody,
    responses(
        (status = 200, description = "Changed", body = Data<ListView>),
        (status = 404, description = "No such list in this campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path((campaign, id)): Path<(CampaignId, ListId)>,
    Body(body): Body<ListBody>,
) -> Result<Json<Data<ListView>>, Problem> {
    let before = find(&app, &campaign, &id).await?;
    if body.id.as_ref().is_some_and(|other| *other != id) {
        return Err(Problem::field("id", "the id of a list cannot be changed"));
    }
    let list = body.check(id, campaign, before.default_region)?;
    caller.store(&app).update_list(&list, app.now()).await?;
    Ok(Data::of(list.into()))
}

/// Remove a list that holds no contacts
#[utoipa::path(
    delete, path = "/api/v1/campaigns/{id}/lists/{list_id}", tag = "lists",
    params(("id" = String, Path), ("list_id" = String, Path)),
    responses(
        (status = 200, description = "Removed", body = Done),
        (status = 404, description = "No such list in this campaign", body = ProblemBody),
        (status = 409, description = "It holds contacts", body = ProblemBody),
    )
)]
pub(crate) async fn remove(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path((campaign, id)): Path<(CampaignId, ListId)>,
) -> Result<Json<Done>, Problem> {
    find(&app, &campaign, &id).await?;
    if caller.store(&app).delete_list(&id).await? {
        Ok(Done::ok())
    } else {
        Err(Problem::conflict(
            "the list holds contacts: set is_active to false instead",
        ))
    }
}

/// The filters of a campaign.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filters {
    /// `action` (include or exclude), `field`, `operator` (eq, ne, in, contains, starts-with, lt, gt,
    /// exists), `values`. A contact is dialed when it meets every include and no exclude.
    #[schema(value_type = Vec<Object>)]
    filters: Vec<Filter>,
}

/// Show the filters of a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/filters", tag = "lists", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Its filters", body = Data<Filters>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn filters(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Data<Filters>>, Problem> {
    campaigns::find(&app, &id).await?;
    let filters = app.api.store.filters(&id).await?;
    Ok(Data::of(Filters { filters }))
}

/// Replace the filters of a campaign
#[utoipa::path(
    put, path = "/api/v1/campaigns/{id}/filters", tag = "lists", params(("id" = String, Path)),
    request_body = Filters,
    responses(
        (status = 200, description = "Replaced", body = Data<Filters>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_filters(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(body): Body<Filters>,
) -> Result<Json<Data<Filters>>, Problem> {
    campaigns::find(&app, &id).await?;
    filter::check(&body.filters).map_err(|error| Problem::field(&error.field, error.reason))?;
    caller
        .store(&app)
        .set_filters(&id, &body.filters, app.now())
        .await?;
    Ok(Data::of(body))
}

/// A quota.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuotaBody {
    /// The field that tells the kind, as in filters.
    field: String,
    /// Its value.
    value: String,
    /// equals (when absent) or starts-with.
    #[serde(default)]
    #[schema(value_type = String, default = "equals")]
    operator: QuotaOperator,
    /// How many positive qualifications are wanted.
    target: u32,
    /// How many there are; where a new quota begins, 0 when absent.
    #[serde(default)]
    reached: u32,
}

impl From<Quota> for QuotaBody {
    fn from(quota: Quota) -> Self {
        Self {
            field: quota.field,
            value: quota.value,
            operator: quota.operator,
            target: quota.target,
            reached: quota.reached,
        }
    }
}

/// Show the quotas of a campaign
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/quotas", tag = "lists", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Its quotas, at most 500", body = Page<QuotaBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
    )
)]
pub(crate) async fn quotas(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
) -> Result<Json<Page<QuotaBody>>, Problem> {
    campaigns::find(&app, &id).await?;
    let quotas = app.api.store.quotas(&id).await?;
    Ok(Page::whole(
        quotas.into_iter().map(QuotaBody::from).collect(),
    ))
}

/// Replace the quotas of a campaign
///
/// One whose field and value stay keeps what it has reached.
#[utoipa::path(
    put, path = "/api/v1/campaigns/{id}/quotas", tag = "lists", params(("id" = String, Path)),
    request_body = Vec<QuotaBody>,
    responses(
        (status = 200, description = "Replaced", body = Page<QuotaBody>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_quotas(
    caller: May<EditCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(body): Body<Vec<QuotaBody>>,
) -> Result<Json<Page<QuotaBody>>, Problem> {
    campaigns::find(&app, &id).await?;
    let mut check = Check::default();
    if body.len() > MAX_QUOTAS {
        check.wrong("", format!("a campaign has at most {MAX_QUOTAS} quotas"));
    }
    for (place, quota) in body.iter().enumerate() {
        if Field::named(&quota.field).is_none() {
            check.wrong(&format!("[{place}].field"), "there is no such field");
        }
        check.line(&format!("[{place}].field"), &quota.field, 1..=100);
        check.line(&format!("[{place}].value"), &quota.value, 1..=200);
        check.range(
            &format!("[{place}].target"),
            &quota.target,
            &(0..=1_000_000_000),
        );
        let kind = |other: &QuotaBody| other.field == quota.field && other.value == quota.value;
        if body.iter().take(place).any(kind) {
            check.wrong(&format!("[{place}].value"), "this value stands twice");
        }
    }
    check.done()?;
    let quotas: Vec<_> = body
        .into_iter()
        .map(|quota| {
            let quota = Quota {
                field: quota.field,
                value: quota.value,
                operator: quota.operator,
                target: quota.target,
                reached: quota.reached,
            };
            (app.new_id(), quota)
        })
        .collect();
    caller
        .store(&app)
        .set_quotas(&id, &quotas, app.now())
        .await?;
    let quotas = app.api.store.quotas(&id).await?;
    Ok(Page::whole(
        quotas.into_iter().map(QuotaBody::from).collect(),
    ))
}

/// Which contacts are dialed again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecycleBody {
    /// Of this list; of every list of the campaign when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    list_id: Option<ListId>,
    /// Those with this last disposition whom no agent qualified.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    dispositions: Vec<Disposition>,
    /// Those with this qualification, when it is recyclable.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    qualification_ids: Vec<QualificationId>,
    /// Also those that a rule blocked; rules are asked again before they are dialed.
    #[serde(default)]
    blocked: bool,
    /// Why, for the audit log.
    reason: String,
}

/// How many contacts are dialed again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Recycled {
    /// How many.
    contacts: u64,
}

/// Dial contacts again that are done
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/recycle", tag = "lists", params(("id" = String, Path)),
    request_body = RecycleBody,
    responses(
        (status = 200, description = "How many are ready again", body = Data<Recycled>),
        (status = 404, description = "No such campaign, or no such list in it", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn recycle(
    caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Body(body): Body<RecycleBody>,
) -> Result<Json<Data<Recycled>>, Problem> {
    campaigns::find(&app, &id).await?;
    if let Some(list) = &body.list_id {
        find(&app, &id, list).await?;
    }
    let mut check = Check::default();
    check.line("reason", &body.reason, 1..=500);
    if body.dispositions.is_empty() && body.qualification_ids.is_empty() && !body.blocked {
        check.wrong(
            "dispositions",
            "name at least one disposition or qualification, or set blocked",
        );
    }
    check.done()?;
    let what = Recycle {
        list: body.list_id,
        dispositions: body.dispositions,
        qualifications: body.qualification_ids,
        blocked: body.blocked,
    };
    let contacts = app
        .api
        .store
        .recycle(&id, &what, caller.id(), body.reason.trim(), app.now())
        .await?;
    let added = strowger_core::switchboard::Command::ContactsAdded(id);
    // The switchboard asks again by itself when it is busy now.
    let _ = app.api.exchange.notify(added);
    Ok(Data::of(Recycled { contacts }))
}
