//! One module per area.

pub(crate) mod agents;
pub(crate) mod asked;
pub(crate) mod audit;
pub(crate) mod board;
pub(crate) mod callbacks;
pub(crate) mod caller_ids;
pub(crate) mod calls;
pub(crate) mod campaigns;
pub(crate) mod consents;
pub(crate) mod contacts;
pub(crate) mod dids;
pub(crate) mod dnc;
pub(crate) mod flows;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod lists;
pub(crate) mod login;
pub(crate) mod opt_outs;
pub(crate) mod password;
pub(crate) mod qualifications;
pub(crate) mod queues;
pub(crate) mod stream;
pub(crate) mod supervision;
pub(crate) mod trunks;
pub(crate) mod users;
