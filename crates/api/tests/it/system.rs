//! The system itself, for super administrators.

mod backups;
mod database;
mod machine;
mod settings;
