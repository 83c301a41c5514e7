//! What a person types, one file per command.

pub mod backup;
pub mod compliance;
pub mod database;
pub mod demo;
pub mod ledger;
pub mod pace;
pub mod seed;
pub mod serve;
pub mod simulate;
pub mod trunk;
