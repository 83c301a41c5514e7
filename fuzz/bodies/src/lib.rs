//! What is checked of any input: one function for each target of the fuzzer.
//!
//! The fuzzer looks for inputs on which one of them panics; the test of this crate
//! runs them over the inputs that are kept in `fuzz/corpus`. To add a target: write
//! its function, name it in [`TARGETS`], add `fuzz/targets/NAME.rs` and its entry in
//! `fuzz/Cargo.toml`.

mod agi;
mod ami;
mod feed;
mod stream;

pub use agi::{agi_command, agi_environment, agi_reply};
pub use ami::{ami_action, ami_decoder, ami_originate, ami_server_decoder};

/// Checks one input; panics if something that must hold does not.
pub type Body = fn(&[u8]);

/// All targets, by the names of their programs and folders.
pub const TARGETS: &[(&str, Body)] = &[
    ("ami_decoder", ami_decoder),
    ("ami_server_decoder", ami_server_decoder),
    ("ami_action", ami_action),
    ("ami_originate", ami_originate),
    ("agi_reply", agi_reply),
    ("agi_environment", agi_environment),
    ("agi_command", agi_command),
];
