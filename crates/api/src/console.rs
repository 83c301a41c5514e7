//! The wire of the existing console: `/api`, without envelope, names in camel case.

mod auth;
mod error;
mod users;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, post, put},
};
use strowger_core::permission::Role;

use crate::state::Shared;

pub(crate) use error::{Console, ConsoleError};

/// Largest body: the console sends pictures inside of users.
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

/// The routes of the console that take their time.
pub(crate) fn slow() -> Router<Shared> {
    Router::new()
        .route("/api/users/bulk", post(users::create_many))
        .layer(DefaultBodyLimit::max(BODY))
}

/// The routes of the console that answer at once.
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
        .layer(DefaultBodyLimit::max(BODY))
}
