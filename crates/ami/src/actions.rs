//! The actions of Asterisk 16 to 23 for calls, queues, trunks and the state of the
//! server: one constructor each.
//!
//! To add one: write a function that returns an [`Action`] with the headers of
//! its documentation, and refuse by value what Asterisk would misread. Then add it
//! to [`Action::is_slow`] if it is answered by a list.
//!
//! A class named here is what the account must have as `write` in `manager.conf`,
//! one of them if there are several; an action without one needs none. The classes
//! are those of Asterisk 22.10.

mod agent;
mod bridge;
mod call;
mod confbridge;
mod database;
mod dialplan;
mod originate;
mod park;
mod pjsip;
mod queue;
mod recording;
mod server;
mod session;
mod state;
mod variable;

pub use agent::*;
pub use bridge::*;
pub use call::*;
pub use confbridge::*;
pub use database::*;
pub use dialplan::*;
pub use originate::*;
pub use park::*;
pub use pjsip::*;
pub use queue::*;
pub use recording::*;
pub use server::*;
pub use session::*;
pub use state::*;
pub use variable::*;

use crate::action::{Action, EncodeError};

/// A place in the dialplan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The context.
    pub context: String,
    /// The extension.
    pub exten: String,
    /// The priority, counted from 1.
    pub priority: u32,
}

/// Adds the name of a channel. Some actions take one that begins with `/` as a
/// pattern over all channels.
fn on_channel(action: Action, key: &'static str, channel: &str) -> Action {
    let action = action.header(key, channel);
    if channel.is_empty() || channel.starts_with('/') {
        return action.refuse(EncodeError::ChannelName(channel.to_owned()));
    }
    action
}

/// Adds a value without which Asterisk would do something else, or nothing.
fn needed(action: Action, key: &'static str, value: &str) -> Action {
    let action = action.header(key, value);
    if value.is_empty() {
        return action.refuse(EncodeError::Empty(key));
    }
    action
}

/// Adds a value that Asterisk joins with others by commas.
fn without_comma(action: Action, key: &'static str, value: &str) -> Action {
    let action = action.header(key, value);
    if value.contains(',') {
        return action.refuse(EncodeError::Comma(key));
    }
    action
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Plain variables only. A name with parentheses would call a dialplan function
/// with text that may come from a contact list.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
