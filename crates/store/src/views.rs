//! What whole screens show at once, written as JSON by the database itself.
//!
//! A screen with 100,000 contacts would cost as many objects here; a page of them is one text,
//! which is handed on as it is. Names of fields are those of the console.

mod campaigns;
mod history;
mod screens;

pub use self::{
    campaigns::{CampaignExtras, JsonPage},
    screens::Screen,
};
