//! The wire contract of an existing contact-centre console, under `/api`.
//!
//! JSON with `camelCase` names and without an envelope; errors are `{"error": …}`, and a refused
//! token is answered by the plain text `Unauthorized`. Every handler is a thin adapter: it
//! reads that shape, calls what `/api/v1` calls, and writes that shape. No rule lives here.

mod activity_types;
mod agent_profiles;
mod appearance;
mod application_data;
mod auth;
mod backups;
mod campaign_view;
mod campaigns;
mod contacts;
mod dids;
mod error;
mod feed;
mod flows;
mod history;
mod import;
mod licence;
mod live;
mod media;
mod planning;
mod qualifications;
mod scripts;
mod shape;
mod sites;
mod supervisor;
mod system;
mod trunks;
mod user_groups;
mod users;
mod work;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn,
    routing::{delete, get, post, put},
};
use strowger_core::permission::Role;

pub(crate) use self::{
    campaigns::give_trunks,
    error::{Console, ConsoleError},
    live::Live,
    shape::{Answer, Caller, ConsoleProblem, Json, Path, instant, json_text, shown},
};
use crate::{middleware::deadline, state::Shared};

/// Largest body: what the console's former server took; it sends pictures inside of users.
const BODY: usize = 5 * 1024 * 1024;

/// A role as the console names it.
pub(crate) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Agent => "Agent",
        Role::Supervisor => "Superviseur",
        Role::Administrator => "Administrateur",
        Role::SuperAdministrator => "SuperAdmin",
    }
}

/// The role that the console names so.
pub(crate) fn role_named(name: &str) -> Option<Role> {
    Role::ALL.into_iter().find(|role| role_name(*role) == name)
}

/// Every route of the contract. Those that take their time have no deadline.
pub(crate) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/auth/login", post(auth::login))
        .route("/api/auth/refresh", post(auth::refresh))
        .route("/api/auth/logout", post(auth::logout))
        .route("/api/auth/me", get(auth::me))
        .route("/api/users", post(users::create))
        .route("/api/users/me/password", put(users::set_password))
        .route("/api/users/me/picture", put(users::set_picture))
        .route("/api/users/{id}", put(users::change))
        .route("/api/users/{id}", delete(users::remove))
        .merge(user_groups::router())
        .merge(agent_profiles::router())
        .merge(sites::router())
        .merge(activity_types::router())
        .merge(scripts::router())
        .merge(qualifications::router())
        .merge(flows::router())
        .merge(dids::router())
        .merge(trunks::router())
        .merge(campaigns::router())
        .merge(contacts::router())
        .merge(history::router())
        .merge(work::router())
        .merge(planning::router())
        .merge(media::router())
        .route("/api/", get(live::connect))
        .merge(supervisor::router())
        .merge(system::router())
        .merge(backups::router())
        .merge(licence::router())
        .layer(DefaultBodyLimit::max(BODY))
        .merge(appearance::router())
        .layer(from_fn(deadline))
        .merge(application_data::router())
        .merge(media::uploads())
        .route(
            "/api/users/bulk",
            post(users::create_many).layer(DefaultBodyLimit::max(BODY)),
        )
}
