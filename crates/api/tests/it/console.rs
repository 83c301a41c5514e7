//! The wire contract of the console.

mod outbound;
mod table;
mod work;
