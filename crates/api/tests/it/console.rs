//! The wire contract of the console.

mod bench;
mod centre;
mod everything;
mod live;
mod outbound;
mod table;
mod work;
