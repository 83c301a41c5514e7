//! The hopper: the contacts that a campaign dials next.
//!
//! Filling it costs the same whatever the size of the lists: the zones that a list has are
//! read by skipping through its index, those whose window is closed are passed over without
//! touching their contacts, and the others are walked in order up to what is wanted.

mod fill;
mod take;
mod tend;

use strowger_core::{
    ids::{ContactId, UserId},
    phone::PhoneNumber,
    time::Timestamp,
};
use uuid::Uuid;

pub use take::{put_back, take};
pub use tend::Tended;

/// How long a contact stays in the hopper before it goes back to its list: filters, windows
/// and priorities may have changed since it was chosen.
const LEASE_S: u64 = 600;

/// Contacts that one fill promotes, takes back or re-examines beside its own work: it must
/// answer within some milliseconds. [`crate::Store::tend_lists`] does the rest.
const ASIDE: i64 = 200;

/// What filling the hopper gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Contacts added.
    pub added: u32,
    /// When there is reason to try again: at once when the hopper is full enough, otherwise when
    /// the next contact is due or the next window opens. None: the lists are used up.
    pub next_due: Option<Timestamp>,
}

/// A contact taken to be dialed. Whoever takes it must claim it or put it back in the same
/// transaction: it is in no list any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The contact.
    pub contact: ContactId,
    /// The id of its list.
    pub list: String,
    /// Which of its numbers.
    pub position: i16,
    /// The number.
    pub number: PhoneNumber,
    /// Every zone that it may be in, IANA names.
    pub zones: Vec<String>,
    /// The person, for caps that count across contacts.
    pub person_key: Option<String>,
    /// The debt, likewise.
    pub debt_key: Option<String>,
    /// Attempts made so far.
    pub attempts_made: u32,
    /// The callback that is due.
    pub callback: Option<Uuid>,
    /// A personal callback: the agent whom it is for.
    pub agent: Option<UserId>,
}

/// Zones as they are kept in a column, as a list.
pub(crate) fn split_zones(zones: &str) -> Vec<&str> {
    zones.split('|').filter(|zone| !zone.is_empty()).collect()
}
