//! The system itself, for super administrators.

mod database;
mod machine;
mod settings;
