//! The system itself, for super administrators.

mod backups;
mod database;
mod limits;
mod machine;
mod settings;
