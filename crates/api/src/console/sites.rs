//! Places with trunks and extensions of their own.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{post, put},
};
use serde::Deserialize;
use strowger_core::ids::SiteId;
use strowger_store::{planning::ZONE, sites::SiteSettings, views::Screen};

use super::{Answer, Caller, Json, Path, shown};
use crate::{
    guard::EditSites,
    input::{self, Body},
    problem::Problem,
    reply::Data,
    routes::sites::{self as v1, ExtensionView, SiteBody},
    state::Shared,
};

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/sites", post(create))
        .route("/api/sites/{id}", put(change).delete(delete))
}

/// A site as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sent {
    #[serde(default)]
    id: Option<SiteId>,
    name: String,
    #[serde(default)]
    ip_address: Option<String>,
    #[serde(default)]
    physical_extensions: Vec<SentExtension>,
    #[serde(default)]
    direct_media_enabled: Option<bool>,
}

/// A telephone as the console sends it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SentExtension {
    number: String,
    #[serde(default)]
    direct_media_enabled: Option<bool>,
}

impl Sent {
    /// What the console knows nothing of stays as it was: the time zone, and whose a telephone is.
    fn body(self, before: Option<SiteSettings>) -> SiteBody {
        let (time_zone, bound) = before.map_or_else(
            || (ZONE.to_owned(), Vec::new()),
            |site| (site.time_zone, site.extensions),
        );
        let extensions = self.physical_extensions.into_iter().map(|sent| {
            let number = sent.number.trim().to_owned();
            let known = bound.iter().find(|one| one.number == number);
            ExtensionView {
                user_id: known.and_then(|one| one.user_id.clone()),
                direct_media_enabled: sent.direct_media_enabled,
                number,
            }
        });
        SiteBody {
            id: self.id,
            name: self.name,
            ip_address: self.ip_address.unwrap_or_default(),
            physical_extensions: extensions.collect(),
            direct_media_enabled: self.direct_media_enabled.unwrap_or_default(),
            time_zone,
        }
    }
}

async fn create(
    Caller(caller): Caller<EditSites>,
    State(app): State<Shared>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let body = Body(sent.body(None));
    let (status, axum::Json(Data { data, .. })) =
        v1::create(caller, State(app.clone()), body).await?;
    shown(&app, status, Screen::Site, data.id.as_str()).await
}

async fn change(
    Caller(caller): Caller<EditSites>,
    State(app): State<Shared>,
    Path(id): Path<SiteId>,
    Json(sent): Json<Sent>,
) -> Answer<Response> {
    let before = app.api.store.site(&id).await?;
    let before = before.ok_or_else(|| Problem::not_found(format!("there is no site {id}")))?;
    let body = Body(sent.body(Some(before.settings)));
    let _done = v1::change(caller, State(app.clone()), input::Path(id.clone()), body).await?;
    shown(&app, StatusCode::OK, Screen::Site, id.as_str()).await
}

async fn delete(
    Caller(caller): Caller<EditSites>,
    State(app): State<Shared>,
    Path(id): Path<SiteId>,
) -> Answer<StatusCode> {
    let _done = v1::delete(caller, State(app), input::Path(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
