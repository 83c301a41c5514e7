//! The wire contract of an existing contact-centre console, under `/api`.
//!
//! JSON with `camelCase` names and without an envelope; errors are `{"error": …}`, and a refused
//! token is answered by the plain text `Unauthorized`. Every handler is a thin adapter: it
//! reads that shape, calls what `/api/v1` calls, and writes that shape. No rule lives here.

mod feed;
mod live;
mod shape;
mod supervisor;

use axum::{Router, routing::get};

pub(crate) use self::live::Live;
pub(crate) use self::shape::{Answer, Caller, ConsoleProblem, Json, instant};
use crate::state::Shared;

/// Every route of the contract.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/", get(live::connect))
        .merge(supervisor::router())
}
