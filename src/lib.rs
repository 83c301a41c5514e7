//! The daemon: configuration, lifecycle, and the wiring of everything else.
//!
//! Nothing is decided here. [`exchange`] owns the switchboard of `strowger-core` and carries
//! its actions out; [`daemon`] starts and stops the parts in order; [`commands`] are what a
//! person types.
#![forbid(unsafe_code)]

pub mod backups;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod exchange;
pub mod hoppers;
pub mod lifecycle;
pub mod telemetry;
pub mod trunks;
