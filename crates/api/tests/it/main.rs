//! The routes against a real PostgreSQL and a real switchboard.
//!
//! `STROWGER_TEST_DATABASE` names the server to make databases on.
#![expect(
    clippy::unwrap_used,
    reason = "clippy allows it in test functions, not in what they share"
)]

mod audited;
mod caller_ids;
mod campaigns;
mod compliance;
mod console;
mod contacts;
mod docs;
mod document;
mod figures;
mod flows;
mod front;
mod harness;
mod identity;
mod lists;
mod login;
mod media;
mod roles;
mod runs;
mod secrets;
mod stream;
mod system;
mod transfers;
mod trunks;
mod users;
