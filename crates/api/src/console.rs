//! The wire contract of an existing contact-centre console, under `/api`.
//!
//! JSON with `camelCase` names and without an envelope; errors are `{"error": …}`, and a refused
//! token is answered by the plain text `Unauthorized`. Every handler is a thin adapter: it
//! reads that shape, calls what `/api/v1` calls, and writes that shape. No rule lives here.

mod activity_types;
mod appearance;
mod application_data;
mod campaign_view;
mod dids;
mod feed;
mod flows;
mod qualifications;
mod scripts;
mod shape;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn};

pub(crate) use self::shape::{
    Answer, Caller, ConsoleProblem, Json, Path, instant, json_text, shown,
};
use crate::{middleware::deadline, state::Shared};

/// Largest body: what the console's former server took.
const BODY: usize = 5 * 1024 * 1024;

/// Every route of the contract.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .merge(activity_types::router())
        .merge(scripts::router())
        .merge(qualifications::router())
        .merge(flows::router())
        .merge(dids::router())
        .layer(DefaultBodyLimit::max(BODY))
        .merge(appearance::router())
        .layer(from_fn(deadline))
        .merge(application_data::router())
}
