//! Places with trunks and extensions of their own.

use axum::{Json, extract::State, http::StatusCode};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use strowger_core::{
    ids::{SiteId, UserId},
    time::Timestamp,
};
use strowger_store::sites::{Extension, Site, SiteSettings};
use utoipa::ToSchema;

use crate::{
    changes::{Kind, What},
    guard::{EditSites, ManageAgents, May},
    input::{Body, Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::{Data, Done, Page, PageQuery},
    state::Shared,
};

/// Most telephones of a site.
const MAX_EXTENSIONS: usize = 5_000;

/// A telephone of a site.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtensionView {
    /// Its number: 1 to 32 letters, digits, `*`, `#`, `+`, `_` or `-`.
    #[schema(example = "101")]
    pub(crate) number: String,
    /// Sound goes directly to it; that of the site when absent.
    #[serde(default)]
    pub(crate) direct_media_enabled: Option<bool>,
    /// Whose telephone it is: the station of this agent when they have no device of their own.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) user_id: Option<UserId>,
}

/// A site.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SiteView {
    /// Its id.
    #[schema(value_type = String, example = "sit_1")]
    pub(crate) id: SiteId,
    /// Its name.
    name: String,
    /// The address of its gateway, or empty.
    ip_address: String,
    /// Its telephones.
    physical_extensions: Vec<ExtensionView>,
    /// Sound goes directly between its telephones.
    direct_media_enabled: bool,
    /// Its time zone.
    time_zone: String,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Site> for SiteView {
    fn from(site: Site) -> Self {
        let settings = site.settings;
        let extensions = settings.extensions.into_iter();
        Self {
            id: site.id,
            name: settings.name,
            ip_address: settings.ip_address,
            physical_extensions: extensions
                .map(|one| ExtensionView {
                    number: one.number,
                    direct_media_enabled: one.direct_media_enabled,
                    user_id: one.user_id,
                })
                .collect(),
            direct_media_enabled: settings.direct_media_enabled,
            time_zone: settings.time_zone,
            created_at: site.created_at,
            updated_at: site.updated_at,
        }
    }
}

/// A site as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteBody {
    /// Chosen by Strowger when absent; ignored when a site is changed.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<SiteId>,
    /// Its name.
    pub(crate) name: String,
    /// The address of its gateway: an IP address or a host name; empty for none.
    #[serde(default)]
    pub(crate) ip_address: String,
    /// Its telephones.
    #[serde(default)]
    pub(crate) physical_extensions: Vec<ExtensionView>,
    /// Sound goes directly between its telephones.
    #[serde(default)]
    pub(crate) direct_media_enabled: bool,
    /// Its time zone.
    #[serde(default = "utc")]
    #[schema(default = "UTC", example = "Europe/Paris")]
    pub(crate) time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

impl SiteBody {
    fn read(self) -> Result<(Option<SiteId>, SiteSettings), Problem> {
        let extensions = self.physical_extensions.into_iter();
        let settings = SiteSettings {
            name: self.name.trim().to_owned(),
            ip_address: self.ip_address.trim().to_owned(),
            extensions: extensions
                .map(|one| Extension {
                    number: one.number,
                    direct_media_enabled: one.direct_media_enabled,
                    user_id: one.user_id,
                })
                .collect(),
            direct_media_enabled: self.direct_media_enabled,
            time_zone: self.time_zone,
        };
        check(&settings)?;
        Ok((self.id, settings))
    }
}

/// What is wrong with a site.
pub(crate) fn check(site: &SiteSettings) -> Result<(), Problem> {
    let mut check = Check::default();
    check.line("name", &site.name, 1..=200);
    if !site.ip_address.is_empty() {
        check.name("ip_address", &site.ip_address, 253, ".:-");
    }
    let count = site.extensions.len();
    check.range("physical_extensions", &count, &(0..=MAX_EXTENSIONS));
    for (place, one) in site.extensions.iter().take(MAX_EXTENSIONS).enumerate() {
        let field = format!("physical_extensions[{place}].number");
        check.name(&field, &one.number, 32, "*#+_-");
    }
    if TimeZone::get(&site.time_zone).is_err() {
        check.wrong("time_zone", "is not a time zone such as Europe/Paris");
    }
    check.done()
}

/// List sites
#[utoipa::path(
    get, path = "/api/v1/sites", tag = "sites", params(PageQuery),
    responses((status = 200, description = "Sites in the order of their ids", body = Page<SiteView>))
)]
pub(crate) async fn list(
    _caller: May<ManageAgents>,
    State(app): State<Shared>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<SiteView>>, Problem> {
    let limit = page.limit()?;
    let after = page.after::<SiteId>()?;
    let sites = app.api.store.sites(after.as_ref(), limit + 1).await?;
    Ok(Page::cut(
        sites,
        limit,
        |site| site.id.to_string(),
        SiteView::from,
    ))
}

/// Add a site
#[utoipa::path(
    post, path = "/api/v1/sites", tag = "sites", request_body = SiteBody,
    responses(
        (status = 201, description = "Added", body = Data<SiteView>),
        (status = 409, description = "The id is in use", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn create(
    caller: May<EditSites>,
    State(app): State<Shared>,
    Body(new): Body<SiteBody>,
) -> Result<(StatusCode, Json<Data<SiteView>>), Problem> {
    let (id, settings) = new.read()?;
    let id = id.unwrap_or_else(|| SiteId::generate(app.new_id()));
    let by = caller.by(app.now());
    let saved = app.api.store.save_site(&id, &settings, true, by).await?;
    let site = saved.ok_or_else(Problem::internal)?;
    app.changes.tell(Kind::Site, What::Created, id);
    Ok((StatusCode::CREATED, Data::of(site.into())))
}

/// Change a site
#[utoipa::path(
    put, path = "/api/v1/sites/{id}", tag = "sites", params(("id" = String, Path)), request_body = SiteBody,
    responses(
        (status = 200, description = "Changed", body = Data<SiteView>),
        (status = 404, description = "No such site", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn change(
    caller: May<EditSites>,
    State(app): State<Shared>,
    Path(id): Path<SiteId>,
    Body(body): Body<SiteBody>,
) -> Result<Json<Data<SiteView>>, Problem> {
    let (_, settings) = body.read()?;
    let by = caller.by(app.now());
    let saved = app.api.store.save_site(&id, &settings, false, by).await?;
    let site = saved.ok_or_else(|| no_such(&id))?;
    app.changes.tell(Kind::Site, What::Updated, id);
    Ok(Data::of(site.into()))
}

/// Delete a site
///
/// Its users have none then.
#[utoipa::path(
    delete, path = "/api/v1/sites/{id}", tag = "sites", params(("id" = String, Path)),
    responses(
        (status = 200, description = "Deleted", body = Done),
        (status = 404, description = "No such site", body = ProblemBody),
    )
)]
pub(crate) async fn delete(
    caller: May<EditSites>,
    State(app): State<Shared>,
    Path(id): Path<SiteId>,
) -> Result<Json<Done>, Problem> {
    let by = caller.by(app.now());
    if app.api.store.delete_site(&id, by).await? {
        app.changes.tell(Kind::Site, What::Deleted, id);
        // Its users have no site now.
        app.changes.tell(Kind::Users, What::Updated, "");
        Ok(Done::ok())
    } else {
        Err(no_such(&id))
    }
}

fn no_such(id: &SiteId) -> Problem {
    Problem::not_found(format!("there is no site {id}"))
}
