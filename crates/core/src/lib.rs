//! Everything in Strowger that decides, and nothing that does IO.
//!
//! A machine here is given what happened and when, and answers with what to do:
//! it never reads a clock, draws a random number, makes an id or opens a socket.
//! The same [`switchboard::Switchboard`] is driven by a real Asterisk, by the
//! simulated exchange and by tests with virtual time.
//!
//! Where to look:
//! - [`switchboard`] holds calls, agents, campaigns and queues together;
//! - [`call`], [`agent`], [`campaign`], [`disposition`], [`dialer`], [`pacing`], [`breaker`]
//!   and [`retry`] are its parts;
//! - [`lists`] chooses and orders the contacts of a campaign, [`compliance`] says which of
//!   them may be dialed, [`ledger`] keeps why;
//! - [`caller_id`] chooses the number to show, [`amd`] says how far machine detection can be
//!   trusted, [`abandonment`] computes the rate that regulators ask for;
//! - [`ivr`] checks and runs the flows that inbound callers walk, [`transfer`] says where a
//!   conversation may be handed to;
//! - [`sound`] says which sounds Asterisk plays, [`backups`] when backups are due, [`limits`]
//!   how much may be used at once;
//! - [`trunk_file`] writes what Asterisk is told of trunks;
//! - [`telephony`] are the words spoken with an adapter, [`record`] those with the
//!   database, [`live`] those with people who watch.
#![forbid(unsafe_code)]

pub mod abandonment;
pub mod agent;
pub mod amd;
pub mod backups;
pub mod breaker;
pub mod call;
pub mod caller_id;
pub mod campaign;
pub mod compliance;
pub mod dialer;
pub mod disposition;
pub mod ids;
pub mod ivr;
pub mod ledger;
pub mod limits;
pub mod lists;
pub mod live;
pub mod pacing;
pub mod permission;
pub mod phone;
pub mod planning;
pub mod record;
pub mod retry;
pub mod sound;
pub mod statistics;
pub mod switchboard;
pub mod telephony;
pub mod time;
pub mod transfer;
pub mod trunk_file;
