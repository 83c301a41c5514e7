//! Which contacts of a campaign's lists are dialed, and in which order.
//!
//! [`filter`] leaves contacts out, [`order`] ranks those that stay, [`share`] says how many
//! come from each list. The store walks the lists and asks here; nothing here reads a table.

pub mod filter;
pub mod order;
pub mod share;
