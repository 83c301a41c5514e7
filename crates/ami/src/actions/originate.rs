//! Placing calls.

use std::fmt;

use super::{Destination, is_variable_name, quote_variable};
use crate::action::{Action, EncodeError};

/// Longest channel id, in bytes (`AST_MAX_PUBLIC_UNIQUEID` in `channel.h`).
const MAX_CHANNEL_ID_BYTES: usize = 149;

/// An application of the dialplan with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its name, such as `Playback`.
    pub name: String,
    /// Its arguments, separated by commas.
    pub data: String,
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
    /// What runs once the call is answered, instead of the dialplan: with it,
    /// `context`, `exten` and `priority` are not sent. See [`originate`] for what
    /// Asterisk refuses.
    pub application: Option<Application>,
    /// The caller shown to the callee, such as `"Shop" <+33123456789>`.
    pub caller_id: Option<String>,
    /// How long to ring, in milliseconds.
    pub timeout_ms: u32,
    /// Channel variables. Names are letters, digits and `_`; values are free of
    /// line breaks and arrive exactly as given, see [`quote_variable`].
    pub variables: Vec<(String, String)>,
    /// Account code of the call records.
    pub account: Option<String>,
    /// Whether the dialplan or the application begins with early media, before
    /// the answer.
    pub early_media: bool,
    /// Codecs, separated by commas, such as `alaw,ulaw`. Without them `slin`.
    pub codecs: Option<String>,
    /// What the new channel runs before it dials, as with `b` of Dial: where
    /// headers are set. Late 18, 20 and later; an older server ignores it.
    pub pre_dial_gosub: Option<Destination>,
}

impl fmt::Debug for OriginateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As an action, whose secret variables are not printed.
        originate(self).fmt(f)
    }
}

/// Places a call, always with `Async: true`. Class `originate`.
///
/// Without it the whole session waits until the call is answered. The response
/// only says that Asterisk accepted the request; the outcome is an
/// [`OriginateResponse`](crate::event::OriginateResponse) with the same channel id.
///
/// An account without class `system` gets an error for an
/// [application](OriginateRequest::application) that could run programs (AGI,
/// Exec, `ExternalIVR`, `MixMonitor`, Originate, Reload, System, `DBdeltree`) and for
/// arguments that name CURL, DB, EVAL, FILE, ODBC, REALTIME or SHELL
/// (`manager.c` since 2022 to 2024).
pub fn originate(request: &OriginateRequest) -> Action {
    let mut action = Action::new("Originate")
        .header("Channel", &request.channel)
        .header("ChannelId", &request.channel_id)
        .header_opt("OtherChannelId", request.other_channel_id.as_ref());
    action = match &request.application {
        Some(application) => action
            .header("Application", &application.name)
            .header("Data", &application.data),
        None => action
            .header("Context", &request.context)
            .header("Exten", &request.exten)
            .header("Priority", request.priority.to_string()),
    };
    action = action
        .header("Timeout", request.timeout_ms.to_string())
        .header("Async", "true")
        .header_opt("CallerID", request.caller_id.as_ref())
        .header_opt("Account", request.account.as_ref())
        .header_opt("EarlyMedia", request.early_media.then_some("true"))
        .header_opt("Codecs", request.codecs.as_ref())
        .header_opt("PreDialGoSub", request.pre_dial_gosub.as_ref().map(place));
    if request.channel.is_empty() {
        action = action.refuse(EncodeError::ChannelName(String::new()));
    }
    if let Some(application) = &request.application
        && application.name.is_empty()
    {
        action = action.refuse(EncodeError::Empty("Application"));
    }
    for id in std::iter::once(&request.channel_id).chain(&request.other_channel_id) {
        if id.is_empty() || id.len() > MAX_CHANNEL_ID_BYTES {
            action = action.refuse(EncodeError::ChannelId(id.len()));
        }
    }
    if let Some(to) = &request.pre_dial_gosub
        && [&to.context, &to.exten]
            .iter()
            .any(|part| part.contains(','))
    {
        action = action.refuse(EncodeError::Comma("PreDialGoSub"));
    }
    for (name, value) in &request.variables {
        if !is_variable_name(name) {
            action = action.refuse(EncodeError::VariableName(name.clone()));
        }
        action = action.header("Variable", format!("{name}={}", quote_variable(value)));
    }
    action
}

fn place(to: &Destination) -> String {
    format!("{},{},{}", to.context, to.exten, to.priority)
}

#[cfg(test)]
mod tests {
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
        for (context, exten) in [("a,b", "s"), ("a", "s,1")] {
            let to = Destination {
                context: context.into(),
                exten: exten.into(),
                priority: 1,
            };
            assert_eq!(
                refused(&|r| r.pre_dial_gosub = Some(to.clone())),
                EncodeError::Comma("PreDialGoSub")
            );
        }
        assert_eq!(
            refused(&|r| r.channel = String::new()),
            EncodeError::ChannelName(String::new())
        );
    }
}
