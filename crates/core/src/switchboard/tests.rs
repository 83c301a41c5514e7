//! The switchboard as those who work with it see it: what happens, and what it does.

mod agents;
mod audit;
mod campaigns;
mod desk;
mod fixtures;
mod harness;
mod inbound;
mod invariants;
mod limits;
mod links;
mod modes;
mod outbound;
mod past;
mod predictive;
mod properties;
mod restart;
mod supervision;
mod transfers;
mod trunks;
mod world;
