//! The session itself: login, events, keep-alive, what the server is.

use std::fmt::Write as _;

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};

use super::needed;
use crate::action::Action;

/// Login with the secret itself in clear text. `events` is the mask of
/// [`events`].
pub fn login_plain(username: &str, secret: &SecretString, events: &str) -> Action {
    Action::new("Login")
        .header("Username", username)
        .header("Secret", secret.expose_secret())
        .header("Events", events)
}

/// Login with the answer to a [`challenge`], computed by [`md5_key`].
pub fn login_md5(username: &str, key: &str, events: &str) -> Action {
    Action::new("Login")
        .header("AuthType", "MD5")
        .header("Username", username)
        .header("Key", key)
        .header("Events", events)
}

/// Asks for the number that [`md5_key`] mixes with the secret.
pub fn challenge() -> Action {
    Action::new("Challenge").header("AuthType", "MD5")
}

/// The `Key` of an MD5 login: lower-case hex of MD5(challenge, secret)
/// (`authenticate()` in `manager.c`).
pub fn md5_key(challenge: &str, secret: &SecretString) -> String {
    let mut hash = Md5::new();
    hash.update(challenge.as_bytes());
    hash.update(secret.expose_secret().as_bytes());
    hash.finalize()
        .iter()
        .fold(String::with_capacity(32), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

/// Ends the session politely; answered by `Response: Goodbye`.
pub fn logoff() -> Action {
    Action::new("Logoff")
}

/// Answered by `Ping: Pong`; shows that the session still works.
pub fn ping() -> Action {
    Action::new("Ping")
}

/// Which events this session receives: `on`, `off`, or classes such as
/// `call,system`. Never more than what the account may read.
pub fn events(mask: &str) -> Action {
    Action::new("Events").header("EventMask", mask)
}

/// Adds an event filter to this session, such as `!Event: VarSet`, in the
/// legacy form: a regular expression over the whole event, which costs much of
/// the server. Class `system`, since a filter may undo one of `manager.conf`.
pub fn filter(filter: &str) -> Action {
    needed(
        Action::new("Filter").header("Operation", "Add"),
        "Filter",
        filter,
    )
}

/// How an [`EventFilter`] compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterMethod {
    /// Not at all: the event or the header being there suffices.
    #[default]
    None,
    /// The whole text.
    Exact,
    /// Its begin.
    StartsWith,
    /// Its end.
    EndsWith,
    /// Any part of it.
    Contains,
    /// A regular expression.
    Regex,
}

/// A filter in the advanced form, see [`filter_advanced`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Whether the events that match are kept from the session. Otherwise only
    /// they are sent, as far as there is no other filter.
    pub exclude: bool,
    /// The event, such as `VarSet`. This alone is cheap.
    pub event: Option<String>,
    /// The header that is compared; the whole event without one.
    pub header: Option<String>,
    /// How it is compared.
    pub method: FilterMethod,
    /// With what it is compared.
    pub value: String,
}

/// Adds an event filter to this session in the advanced form (late 18, 20 and
/// later; an older server takes `value` for a legacy filter). Class `system`.
pub fn filter_advanced(filter: &EventFilter) -> Action {
    let method = match filter.method {
        FilterMethod::None => "none",
        FilterMethod::Exact => "exact",
        FilterMethod::StartsWith => "starts_with",
        FilterMethod::EndsWith => "ends_with",
        FilterMethod::Contains => "contains",
        FilterMethod::Regex => "regex",
    };
    let kind = if filter.exclude { "exclude" } else { "include" };
    let mut criteria = format!("action({kind})");
    for (key, value) in [("name", &filter.event), ("header", &filter.header)] {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(criteria, ",{key}({value})");
        }
    }
    let _ = write!(criteria, ",method({method})");
    Action::new("Filter")
        .header("Operation", "Add")
        .header("MatchCriteria", criteria)
        .header("Filter", &filter.value)
}

/// Asks for the versions and limits of the server (`AsteriskVersion`,
/// `AMIversion`). Class `system` or `reporting`.
pub fn core_settings() -> Action {
    Action::new("CoreSettings")
}

/// Asks since when the server runs, and for the number of calls
/// (`CoreStartupDate`, `CoreStartupTime`, `CoreReloadDate`, `CoreReloadTime`,
/// `CoreCurrentCalls`). Class `system` or `reporting`.
pub fn core_status() -> Action {
    Action::new("CoreStatus")
}

/// Asks for the actions that this session may send: one header each, named like
/// the action. The way to know what an early release of a branch lacks.
pub fn list_commands() -> Action {
    Action::new("ListCommands")
}

/// Runs a command of the console; the answer has its text as `Output`, one header
/// a line, also when the command is unknown. Class `command`, which can do
/// anything: better not given to an account.
pub fn command(command: &str) -> Action {
    needed(Action::new("Command"), "Command", command)
}

/// Writes an event that every session with class `user` receives; its headers
/// are in the frame of the [`UserEvent`](crate::event::UserEvent). Class `user`.
pub fn user_event(name: &str, headers: &[(&str, &str)]) -> Action {
    let action = needed(Action::new("UserEvent"), "UserEvent", name);
    headers.iter().fold(action, |action, (key, value)| {
        action.header((*key).to_owned(), *value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_key_is_that_of_the_server() {
        // md5("123456789secret")
        let key = md5_key("123456789", &SecretString::from("secret"));
        assert_eq!(key, "7ccde16e862dfe7681297713e9e9cadb");
    }
}
