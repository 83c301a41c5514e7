//! Development only: what tests and the lab share.
//!
//! - [`database`] gives each test a database of its own, copied from a migrated template;
//! - [`lab`] runs the daemon against a real Asterisk and a carrier whose behaviour is known.
#![forbid(unsafe_code)]
// Nothing of this is shipped, and a test must find out at once what is wrong.
#![expect(
    clippy::disallowed_methods,
    reason = "tests live outside, where the clock is"
)]

pub mod database;
pub mod lab;
