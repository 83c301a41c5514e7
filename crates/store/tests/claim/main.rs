//! Claims, what they rest on and what they leave, against a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

mod claims;
mod ledger;
mod lists;
mod past;
mod race;
mod scene;
