//! Development only: what tests and the lab share.
//!
//! - [`database`] gives each test a database of its own, copied from a migrated template;
//! - [`lab`] runs the daemon against a real Asterisk and a carrier whose behaviour is known.
#![forbid(unsafe_code)]

pub mod database;
pub mod lab;
