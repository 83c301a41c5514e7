//! The wire contract of the console.

mod live;
mod table;
