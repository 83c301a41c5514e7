//! Adapters between an exchange's wire and the words of `strowger_core::telephony`.
//!
//! An adapter translates and carries out; it decides nothing. Today there is one,
//! [`asterisk`]; the simulated exchange is reached through it as well, since it speaks
//! the same wire.
#![forbid(unsafe_code)]

pub mod asterisk;
pub mod async_agi;
