//! The wire contract of an existing contact-centre console, under `/api`.
//!
//! JSON with `camelCase` names and without an envelope; errors are `{"error": …}`, and a refused
//! token is answered by the plain text `Unauthorized`. Every handler is a thin adapter: it
//! reads that shape, calls what `/api/v1` calls, and writes that shape. No rule lives here.

mod campaign_view;
mod campaigns;
mod contacts;
mod history;
mod import;
mod planning;
mod shape;
mod work;

use axum::Router;

pub(crate) use self::campaigns::give_trunks;
pub(crate) use self::shape::{Answer, Caller, ConsoleProblem, Json, instant};
use crate::state::Shared;

/// Every route of the contract.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .merge(campaigns::router())
        .merge(contacts::router())
        .merge(history::router())
        .merge(work::router())
        .merge(planning::router())
}
