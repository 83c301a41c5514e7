//! The wire contract of the console.

mod centre;
mod everything;
mod table;
