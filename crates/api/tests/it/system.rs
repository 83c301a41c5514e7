//! The system itself, for super administrators.

mod settings;
