//! One request to Asterisk, checked before its first byte is written.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::message::fmt_redacted;

/// Longest line that Asterisk reads, in bytes with its CRLF (`inbuf` in
/// `manager.c`, 16 to 23). The action of a longer one is refused.
pub const MAX_LINE_BYTES: usize = 1024;

/// Most header lines of one action, `Action` and `ActionID` included
/// (`AST_MAX_MANHEADERS` in `manager.h`). With more, the action is refused, and named
/// only if its id was read before (16.28 and 22.10).
pub const MAX_ACTION_HEADERS: usize = 128;

/// See [`Action::is_slow`].
const SLOW: &[&str] = &[
    "Agents",
    "BridgeInfo",
    "BridgeList",
    "BridgeTechnologyList",
    "Command",
    "ConfbridgeList",
    "ConfbridgeListRooms",
    "CoreShowChannelMap",
    "CoreShowChannels",
    "CreateConfig",
    "DAHDIShowChannels",
    "DBDelTree",
    "DBGetTree",
    "DeviceStateList",
    "ExtensionStateList",
    "FAXSessions",
    "GetConfig",
    "GetConfigJSON",
    "IAXnetstats",
    "IAXpeerlist",
    "IAXpeers",
    "IAXregistry",
    "ListCategories",
    "ListCommands",
    "LoggerRotate",
    "MWIGet",
    "MeetmeList",
    "MeetmeListRooms",
    "ModuleLoad",
    "PJSIPShowAors",
    "PJSIPShowAuths",
    "PJSIPShowContacts",
    "PJSIPShowEndpoint",
    "PJSIPShowEndpoints",
    "PJSIPShowMaintenance",
    "PJSIPShowRegistrationInboundContactStatuses",
    "PJSIPShowRegistrationsInbound",
    "PJSIPShowRegistrationsOutbound",
    "PJSIPShowResourceLists",
    "PJSIPShowSubscriptionsInbound",
    "PJSIPShowSubscriptionsOutbound",
    "PRIShowSpans",
    "ParkedCalls",
    "Parkinglots",
    "PresenceStateList",
    "QueueReload",
    "QueueRule",
    "QueueStatus",
    "QueueSummary",
    "Queues",
    "Reload",
    "SIPpeers",
    "SIPshowregistry",
    "ShowDialPlan",
    "Status",
    "UpdateConfig",
    "VoicemailRefresh",
    "VoicemailUsersList",
    "WaitEvent",
];

/// Why an action was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A key is empty, or holds a colon, white space or a control character.
    #[error("the header name {0:?} is not allowed")]
    Key(String),
    /// `Action` and `ActionID` are written by [`Action::encode`] alone.
    #[error("the header {0} is written by the encoder")]
    Reserved(String),
    /// CR, LF or NUL in the value: it would become a header of its own.
    #[error("the value of {0} contains a line break or NUL")]
    LineBreak(String),
    /// The line would exceed [`MAX_LINE_BYTES`].
    #[error("the line of {key} is {bytes} bytes long, Asterisk reads {MAX_LINE_BYTES}")]
    LineTooLong {
        /// The header.
        key: String,
        /// Length of the line in bytes, with its CRLF.
        bytes: usize,
    },
    /// More than [`MAX_ACTION_HEADERS`] lines.
    #[error("{0} headers, Asterisk reads {MAX_ACTION_HEADERS}")]
    TooManyHeaders(usize),
    /// The name of a channel variable is not made of letters, digits and `_`.
    #[error("the channel variable name {0:?} is not allowed")]
    VariableName(String),
    /// A channel name is empty, or begins with `/`, which Hangup reads as a
    /// pattern over all channels.
    #[error("the channel name {0:?} is not allowed")]
    ChannelName(String),
    /// A channel id is empty or longer than 149 bytes
    /// (`AST_MAX_PUBLIC_UNIQUEID` in `channel.h`).
    #[error("a channel id of {0} bytes is not allowed")]
    ChannelId(usize),
    /// A value is empty, and the action would mean something else, or nothing.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Asterisk would cut the value at its comma.
    #[error("the value of {0} contains a comma")]
    Comma(&'static str),
    /// The action has no such form.
    #[error("{0:?} is not allowed as {1}")]
    Value(String, &'static str),
}

/// A request to Asterisk: a name and ordered headers.
///
/// Building never fails; [`encode`](Self::encode) reports the first thing that
/// was wrong, and so does [`Client::send`](crate::Client::send). The constructors
/// for the actions in use are in [`actions`](crate::actions).
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    name: Cow<'static, str>,
    headers: Vec<(Cow<'static, str>, String)>,
    error: Option<EncodeError>,
    slow: bool,
}

impl Action {
    /// An action without headers, such as `Action::new("Ping")`.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            headers: Vec::new(),
            error: None,
            slow: false,
        }
    }

    /// Adds a header; the same key may be added again.
    #[must_use]
    pub fn header(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.headers.push((key.into(), value.into()));
        self
    }

    /// Adds a header if there is a value.
    #[must_use]
    pub fn header_opt(
        self,
        key: impl Into<Cow<'static, str>>,
        value: Option<impl Into<String>>,
    ) -> Self {
        match value {
            Some(value) => self.header(key, value),
            None => self,
        }
    }

    /// Marks the action as impossible; the first mark is reported by `encode`.
    #[must_use]
    pub(crate) fn refuse(mut self, error: EncodeError) -> Self {
        self.error.get_or_insert(error);
        self
    }

    /// The name of the action, such as `Originate`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The headers that were added, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Whether the action is answered by a list or by the output of a command,
    /// which can keep a session busy: it belongs on another session than call
    /// control, since a session answers one action after the other.
    ///
    /// ```
    /// use strowger_ami::actions::{core_show_channels, hangup};
    /// assert!(core_show_channels().is_slow());
    /// assert!(!hangup("PJSIP/carrier-00000001", None).is_slow());
    /// ```
    pub fn is_slow(&self) -> bool {
        self.slow
            || SLOW
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&self.name))
    }

    /// Says of an action, such as one of a module of one's own, that it is
    /// [slow](Self::is_slow).
    #[must_use]
    pub fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// Writes the action. `action_id` comes second, so that Asterisk has read it
    /// before anything can be wrong with a later line.
    ///
    /// # Errors
    /// [`EncodeError`]; nothing of the action exists then.
    pub fn encode(&self, action_id: &str) -> Result<Bytes, EncodeError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let count = self.headers.len() + 2;
        if count > MAX_ACTION_HEADERS {
            return Err(EncodeError::TooManyHeaders(count));
        }
        let mut out = BytesMut::with_capacity(64 * count);
        line(&mut out, "Action", &self.name)?;
        line(&mut out, "ActionID", action_id)?;
        for (key, value) in self.headers() {
            if key.eq_ignore_ascii_case("Action") || key.eq_ignore_ascii_case("ActionID") {
                return Err(EncodeError::Reserved(key.to_owned()));
            }
            line(&mut out, key, value)?;
        }
        out.put_slice(b"\r\n");
        Ok(out.freeze())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::iter::once(("Action", &*self.name));
        let headers = name.chain(self.headers());
        fmt_redacted(f, headers.map(|(key, value)| (key.into(), value.into())))
    }
}

fn line(out: &mut BytesMut, key: &str, value: &str) -> Result<(), EncodeError> {
    let bad_key = |c: char| c == ':' || c.is_whitespace() || c.is_control();
    if key.is_empty() || key.contains(bad_key) {
        return Err(EncodeError::Key(key.to_owned()));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err(EncodeError::LineBreak(key.to_owned()));
    }
    let bytes = key.len() + value.len() + ": \r\n".len();
    if bytes > MAX_LINE_BYTES {
        return Err(EncodeError::LineTooLong {
            key: key.to_owned(),
            bytes,
        });
    }
    out.put_slice(key.as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_id_second() {
        let bytes = Action::new("Ping")
            .header("X", "y: z")
            .header("E", "")
            .encode("7")
            .unwrap();
        assert_eq!(
            &bytes[..],
            b"Action: Ping\r\nActionID: 7\r\nX: y: z\r\nE: \r\n\r\n"
        );
    }

    #[test]
    fn refuses_line_breaks_everywhere() {
        for bad in ["a\rb", "a\nAction: Command", "a\0b"] {
            let error = Action::new("X").header("K", bad).encode("1").unwrap_err();
            assert_eq!(error, EncodeError::LineBreak("K".into()));
            assert!(Action::new(bad.to_owned()).encode("1").is_err());
            assert!(Action::new("X").encode(bad).is_err());
            assert!(
                Action::new("X")
                    .header(bad.to_owned(), "v")
                    .encode("1")
                    .is_err()
            );
        }
        for bad in ["", "a:b", "a b"] {
            let error = Action::new("X")
                .header(bad.to_owned(), "v")
                .encode("1")
                .unwrap_err();
            assert_eq!(error, EncodeError::Key(bad.into()));
        }
        let error = Action::new("X")
            .header("actionid", "9")
            .encode("1")
            .unwrap_err();
        assert_eq!(error, EncodeError::Reserved("actionid".into()));
    }

    #[test]
    fn knows_the_limits_of_the_server() {
        let longest = "x".repeat(MAX_LINE_BYTES - "K: \r\n".len());
        assert!(
            Action::new("X")
                .header("K", longest.clone())
                .encode("1")
                .is_ok()
        );
        let error = Action::new("X")
            .header("K", longest + "x")
            .encode("1")
            .unwrap_err();
        assert_eq!(
            error,
            EncodeError::LineTooLong {
                key: "K".into(),
                bytes: 1025
            }
        );

        let with = |n: usize| (0..n).fold(Action::new("X"), |a, _| a.header("K", "v"));
        assert!(with(126).encode("1").is_ok());
        assert_eq!(with(127).encode("1"), Err(EncodeError::TooManyHeaders(129)));
    }

    #[test]
    fn debug_hides_secrets() {
        let action = Action::new("Login")
            .header("Secret", "hunter2")
            .header("Key", "abcdef")
            .header("Variable", "__CARD_PIN=9876")
            .header("Username", "strowger");
        let shown = format!("{action:?}");
        for secret in ["hunter2", "abcdef", "9876"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("strowger"));
    }
}
