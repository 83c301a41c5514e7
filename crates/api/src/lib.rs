//! The HTTP and WebSocket interface: routes, authentication, OpenAPI, the live board.
//!
//! # Conventions of `/api/v1`
//!
//! JSON with `snake_case` names. An answer is `{"success": true, "data": …}`, a page of a list
//! `{"success": true, "data": […], "next": "…"}`, whose `next` is given as `cursor` for the page after
//! it and is null on the last one; `limit` is 1 to 500. A change without anything to show is
//! answered by `{"success": true}`. A problem is that of RFC 9457 (`type`, `title`, `status`, `detail`)
//! with `code` for programs, `errors` (`field`, `reason`) and, as in every answer, `success` and
//! `error`, which repeats `detail`. `/health`, `/ready` and `/metrics` have the shape that their readers expect.
//!
//! # How it is made
//!
//! [`router()`] gives everything; the daemon owns the receiving end of [`exchange_channel`] and
//! answers commands out of its switchboard. A handler takes the permission that it needs as its
//! first argument, reads its input with types that say in words what is wrong with it, and
//! carries nothing out by itself: it asks the store or the switchboard.
//!
//! **One more route**: a handler with `#[utoipa::path]` in the module of its area under `routes/`, one
//! line in `router`, and one line in the table of roles in `tests/it/roles.rs`, whose test fails
//! until every route is in it.
#![forbid(unsafe_code)]

pub mod auth;
mod changes;
mod console;
mod device;
mod exchange;
mod front;
mod guard;
mod handing;
mod input;
mod library;
mod machine;
mod middleware;
mod picture;
mod problem;
mod reply;
mod router;
mod routes;
mod settings;
mod state;
mod trunk_desk;

pub use auth::{Auth, AuthError, AuthSettings, SigningKey};
pub use exchange::{ExchangeError, ExchangeHandle, Request, exchange_channel};
pub use front::{FrontError, FrontSettings};
pub use problem::{FieldError, Problem, ProblemBody};
pub use reply::MAX_LIMIT;
pub use router::{openapi, router};
pub use state::{
    ApiSettings, ApiState, Clock, DeviceReader, ExchangeStatus, IdGen, LogLine, LogReader,
    MetricsText, Service, ServiceKind, StatusReader, SystemParts, TrunkDesk,
};
pub use trunk_desk::{NotOpened, own_trunks};
