//! Writing manager frames.

use std::fmt::Display;

use bytes::Bytes;
use strowger_ami::encode_frame;

/// A response or event under construction.
#[derive(Debug)]
pub(crate) struct Frame {
    headers: Vec<(&'static str, String)>,
    /// Class of an event; empty for a response or the item of a list.
    class: &'static str,
}

impl Frame {
    /// An event of a class, such as `call`.
    pub(crate) fn event(name: &'static str, class: &'static str) -> Self {
        Self {
            headers: vec![
                ("Event", name.to_owned()),
                ("Privilege", format!("{class},all")),
            ],
            class,
        }
    }

    /// One event of the answer to an action, which has no class.
    pub(crate) fn item(name: &'static str, action_id: Option<&str>) -> Self {
        Self {
            headers: vec![("Event", name.to_owned())],
            class: "",
        }
        .maybe("ActionID", action_id)
    }

    /// A response: `Success`, `Error` or `Goodbye`.
    pub(crate) fn response(result: &'static str, action_id: Option<&str>) -> Self {
        Self {
            headers: vec![("Response", result.to_owned())],
            class: "",
        }
        .maybe("ActionID", action_id)
    }

    /// Adds a header.
    pub(crate) fn with(mut self, key: &'static str, value: impl Display) -> Self {
        self.headers.push((key, value.to_string()));
        self
    }

    /// Adds a header if there is a value.
    pub(crate) fn maybe(self, key: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// The class of the event.
    pub(crate) fn class(&self) -> &'static str {
        self.class
    }

    /// The bytes for the wire.
    pub(crate) fn bytes(&self) -> Bytes {
        let headers: Vec<_> = self.headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        encode_frame(&headers)
    }
}

/// Text as Asterisk shows it when there is none.
pub(crate) fn known(text: &str) -> &str {
    if text.is_empty() { "<unknown>" } else { text }
}

/// A caller name with the C escapes that Asterisk writes.
pub(crate) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
