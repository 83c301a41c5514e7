//! The wire contract of the console.

mod bench;
mod centre;
mod everything;
mod outbound;
mod table;
mod work;
