//! The actions that Strowger uses, one constructor each.
//!
//! To add one: write a function that returns an [`Action`] with the headers of
//! its documentation, and refuse by value what Asterisk would misread.

use std::fmt::{self, Write as _};

use md5::{Digest, Md5};
use secrecy::{ExposeSecret, SecretString};

use crate::action::{Action, EncodeError};

/// Longest channel id, in bytes (`AST_MAX_PUBLIC_UNIQUEID` in `channel.h`).
const MAX_CHANNEL_ID_BYTES: usize = 149;

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
/// legacy form: a regular expression over the whole event.
pub fn filter(filter: &str) -> Action {
    Action::new("Filter")
        .header("Operation", "Add")
        .header("Filter", filter)
}

/// A call to be placed by Asterisk, see [`originate`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OriginateRequest {
    /// What to dial, such as `PJSIP/33123456789@carrier`.
    pub channel: String,
    /// The `Uniqueid` that the new channel gets: 1 to 149 bytes, unique for ever.
    /// Without it a failed call could not be told from another.
    pub channel_id: String,
    /// The same for the second half, when `channel` is a `Local` channel.
    pub other_channel_id: Option<String>,
    /// Where the dialplan goes on once the call is answered.
    pub context: String,
    /// Extension in that context.
    pub exten: String,
    /// Priority in that extension, counted from 1.
    pub priority: u32,
    /// The caller shown to the callee, such as `"Shop" <+33123456789>`.
    pub caller_id: Option<String>,
    /// How long to ring, in milliseconds.
    pub timeout_ms: u32,
    /// Channel variables. Names are letters, digits and `_`; values are free of
    /// line breaks and arrive exactly as given, see [`quote_variable`].
    pub variables: Vec<(String, String)>,
    /// Account code of the call records.
    pub account: Option<String>,
}

impl fmt::Debug for OriginateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As an action, whose secret variables are not printed.
        originate(self).fmt(f)
    }
}

/// Places a call, always with `Async: true`.
///
/// Without it the whole session waits until the call is answered. The response
/// only says that Asterisk accepted the request; the outcome is an
/// [`OriginateResponse`](crate::event::OriginateResponse) with the same channel id.
pub fn originate(request: &OriginateRequest) -> Action {
    let mut action = Action::new("Originate")
        .header("Channel", &request.channel)
        .header("ChannelId", &request.channel_id)
        .header_opt("OtherChannelId", request.other_channel_id.as_ref())
        .header("Context", &request.context)
        .header("Exten", &request.exten)
        .header("Priority", request.priority.to_string())
        .header("Timeout", request.timeout_ms.to_string())
        .header("Async", "true")
        .header_opt("CallerID", request.caller_id.as_ref())
        .header_opt("Account", request.account.as_ref());
    if request.channel.is_empty() {
        action = action.refuse(EncodeError::ChannelName(String::new()));
    }
    for id in std::iter::once(&request.channel_id).chain(&request.other_channel_id) {
        if id.is_empty() || id.len() > MAX_CHANNEL_ID_BYTES {
            action = action.refuse(EncodeError::ChannelId(id.len()));
        }
    }
    for (name, value) in &request.variables {
        if !is_variable_name(name) {
            action = action.refuse(EncodeError::VariableName(name.clone()));
        }
        action = action.header("Variable", format!("{name}={}", quote_variable(value)));
    }
    action
}

/// Quotes a value for the right side of a `Variable:` header.
///
/// Asterisk cuts such a header at commas, drops quotation marks and counts
/// brackets (`__ast_app_separate_args` in `main/app.c`, 16 to 23), but takes any
/// character behind a backslash as it is. With a backslash before each character
/// that has a meaning, every value survives unchanged; only line breaks and NUL
/// cannot be written, and [`Action::encode`] refuses those. Checked against
/// Asterisk 22.10.1, which gave every such character back.
///
/// ```
/// use strowger_ami::actions::quote_variable;
/// assert_eq!(quote_variable(r#"Doe, "J" (x)"#), r#"Doe\, \"J\" \(x\)"#);
/// ```
pub fn quote_variable(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.chars() {
        if matches!(c, '\\' | '"' | ',' | '(' | ')' | '[' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Hangs a channel up. `cause` is a Q.850 cause (0 to 127) told to the peer.
///
/// A name that begins with `/` is refused: Asterisk takes it as a pattern and
/// would hang up every channel that matches.
pub fn hangup(channel: &str, cause: Option<u8>) -> Action {
    on_channel(Action::new("Hangup"), "Channel", channel)
        .header_opt("Cause", cause.map(|cause| cause.to_string()))
}

/// Asks for all channels, as a list of `CoreShowChannel` events.
pub fn core_show_channels() -> Action {
    Action::new("CoreShowChannels")
}

/// Asks for the versions and limits of the server (`AsteriskVersion`, `AMIversion`).
pub fn core_settings() -> Action {
    Action::new("CoreSettings")
}

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

/// Sends a channel elsewhere in the dialplan. A channel bridged to it is left
/// alone and usually hangs up; to move both, give the second as `extra`.
pub fn redirect(channel: &str, to: &Destination, extra: Option<(&str, &Destination)>) -> Action {
    let action = on_channel(Action::new("Redirect"), "Channel", channel)
        .header("Context", &to.context)
        .header("Exten", &to.exten)
        .header("Priority", to.priority.to_string());
    match extra {
        None => action,
        Some((channel, to)) => on_channel(action, "ExtraChannel", channel)
            .header("ExtraContext", &to.context)
            .header("ExtraExten", &to.exten)
            .header("ExtraPriority", to.priority.to_string()),
    }
}

/// Joins two channels that exist already, without a tone.
pub fn bridge(channel1: &str, channel2: &str) -> Action {
    let action = on_channel(Action::new("Bridge"), "Channel1", channel1);
    on_channel(action, "Channel2", channel2).header("Tone", "no")
}

/// Asks for queues, members and waiting callers, as a list; of all queues without a name.
pub fn queue_status(queue: Option<&str>) -> Action {
    Action::new("QueueStatus").header_opt("Queue", queue)
}

/// Sets a variable of a channel. The value needs no quoting here.
pub fn set_var(channel: &str, name: &str, value: &str) -> Action {
    let action = on_channel(Action::new("Setvar"), "Channel", channel)
        .header("Variable", name)
        .header("Value", value);
    if is_variable_name(name) {
        action
    } else {
        action.refuse(EncodeError::VariableName(name.to_owned()))
    }
}

/// Reads a variable of a channel; the answer has it as `Value`.
pub fn get_var(channel: &str, name: &str) -> Action {
    on_channel(Action::new("Getvar"), "Channel", channel).header("Variable", name)
}

fn on_channel(action: Action, key: &'static str, channel: &str) -> Action {
    let action = action.header(key, channel);
    if channel.is_empty() || channel.starts_with('/') {
        return action.refuse(EncodeError::ChannelName(channel.to_owned()));
    }
    action
}

/// Plain variables only. A name with parentheses would call a dialplan function
/// with text that may come from a contact list.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request() -> OriginateRequest {
        OriginateRequest {
            channel: "PJSIP/33123456789@carrier".into(),
            channel_id: "att_0001".into(),
            context: "strowger-dialer".into(),
            exten: "s".into(),
            priority: 1,
            caller_id: Some("\"Shop\" <+33100000000>".into()),
            timeout_ms: 30_000,
            variables: vec![("A".into(), "1,2".into()), ("__B".into(), String::new())],
            account: Some("campaign".into()),
            ..OriginateRequest::default()
        }
    }

    #[test]
    fn originate_is_asynchronous_and_quotes_variables() {
        let bytes = originate(&request()).encode("x-1").unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("\r\nAsync: true\r\n"));
        assert!(text.contains("\r\nChannelId: att_0001\r\n"));
        assert!(text.contains("\r\nTimeout: 30000\r\n"));
        assert!(text.contains("\r\nVariable: A=1\\,2\r\nVariable: __B=\r\n\r\n"));
    }

    #[test]
    fn originate_refuses_what_asterisk_would_misread() {
        let refused = |change: &dyn Fn(&mut OriginateRequest)| {
            let mut request = request();
            change(&mut request);
            originate(&request).encode("1").unwrap_err()
        };
        assert_eq!(
            refused(&|r| r.channel_id = String::new()),
            EncodeError::ChannelId(0)
        );
        assert_eq!(
            refused(&|r| r.channel_id = "x".repeat(150)),
            EncodeError::ChannelId(150)
        );
        assert_eq!(
            refused(&|r| r.other_channel_id = Some(String::new())),
            EncodeError::ChannelId(0)
        );
        for name in ["", "A=B", "SHELL(x)", "A B", "A,B"] {
            assert_eq!(
                refused(&|r| r.variables[0].0 = name.into()),
                EncodeError::VariableName(name.into())
            );
        }
        assert_eq!(
            refused(&|r| r.variables[0].1 = "a\r\nb".into()),
            EncodeError::LineBreak("Variable".into())
        );
        assert_eq!(
            refused(&|r| r.channel = String::new()),
            EncodeError::ChannelName(String::new())
        );
    }

    #[test]
    fn hangup_refuses_patterns() {
        assert_eq!(
            hangup("/^PJSIP/", None).encode("1"),
            Err(EncodeError::ChannelName("/^PJSIP/".into()))
        );
        let bytes = hangup("PJSIP/a-1", Some(16)).encode("1").unwrap();
        assert!(bytes.ends_with(b"Channel: PJSIP/a-1\r\nCause: 16\r\n\r\n"));
    }

    #[test]
    fn redirect_moves_both_legs() {
        let to = Destination {
            context: "c".into(),
            exten: "s".into(),
            priority: 1,
        };
        let bytes = redirect("A", &to, Some(("B", &to))).encode("1").unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("ExtraChannel: B\r\nExtraContext: c\r\n"));
        assert!(redirect("A", &to, Some(("", &to))).encode("1").is_err());
    }

    #[test]
    fn md5_key_is_that_of_the_server() {
        // md5("123456789secret")
        let key = md5_key("123456789", &SecretString::from("secret"));
        assert_eq!(key, "7ccde16e862dfe7681297713e9e9cadb");
    }

    /// `__ast_app_separate_args` of `main/app.c` (Asterisk 22), transcribed with
    /// `delim = ','` and `remove_chars = 1`.
    fn separate_args(text: &str) -> Vec<Vec<u8>> {
        let (mut paren, mut bracket, mut quote) = (0_u32, 0_u32, false);
        let mut args = vec![Vec::new()];
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'(' => paren += 1,
                b')' => paren = paren.saturating_sub(1),
                b'[' => bracket += 1,
                b']' => bracket = bracket.saturating_sub(1),
                _ => {}
            }
            match byte {
                b'"' => quote = !quote,
                b'\\' => args.last_mut().unwrap().extend(bytes.next()),
                b',' if paren == 0 && bracket == 0 && !quote => args.push(Vec::new()),
                byte => args.last_mut().unwrap().push(byte),
            }
        }
        args
    }

    proptest! {
        #[test]
        fn any_variable_value_survives(value in "[ -~é,()\\[\\]\"\\\\=]{0,60}") {
            let header = format!("NAME={}", quote_variable(&value));
            let want = format!("NAME={value}").into_bytes();
            prop_assert_eq!(separate_args(&header), vec![want]);
        }
    }
}
