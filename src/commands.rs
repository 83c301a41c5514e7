//! What a person types, one file per command.

pub mod database;
pub mod demo;
pub mod pace;
pub mod seed;
pub mod serve;
pub mod simulate;
