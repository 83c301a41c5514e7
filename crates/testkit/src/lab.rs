//! The daemon against a real Asterisk.
//!
//! `scripts/lab-asterisk.sh` runs the exchange and the carrier; this drives the daemon
//! through its API as a person would, lets the carrier's known behaviour happen, and then
//! compares the database, Asterisk's own channel list and the carrier's call records.

mod asterisk;
mod broadcast;
mod client;
mod console;
mod crash;
mod daemon;
mod dialing;
mod failover;
mod inbound;
mod protocols;
mod restart;
mod transfer;
mod trunk;

pub use asterisk::Asterisk;
pub use broadcast::broadcast;
pub use console::console;
pub use crash::crash;
pub use daemon::{Daemon, Launch};
pub use dialing::{Dialing, run};
pub use failover::failover;
pub use inbound::inbound;
pub use protocols::protocols;
pub use restart::restart_pbx;
pub use transfer::{faults as transfer_faults, transfer};
pub use trunk::trunk;
