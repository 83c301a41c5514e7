//! The whole daemon, and the rules of the house. One binary, because each one links everything.
//!
//! `nextest` runs each test in a process of its own: metrics and logs are global to one, so a
//! test starts the daemon inside itself once, or runs the program as often as it likes.

#![expect(
    clippy::disallowed_methods,
    reason = "tests live outside, where the clock is"
)]
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

mod backups;
mod campaigns;
mod console;
mod crashes;
mod dependencies;
mod faults;
mod harness;
mod hostile;
mod ledger;
mod modes;
mod outage;
mod pacing;
mod preview;
mod refused;
mod starting;
mod stopping;
mod stream;
mod supervision;
mod transfers;
mod trunks;
