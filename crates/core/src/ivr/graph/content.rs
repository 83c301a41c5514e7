//! What a node holds, by its type.

use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{PortId, null_is_default};

/// What a node does. The variant is the type of the node.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum NodeContent {
    /// Where a call enters the flow.
    Start(PlainContent),
    /// Something is said or played, then the call goes on.
    Media(MediaContent),
    /// The caller chooses with a key.
    Menu(MenuContent),
    /// The hour decides.
    Calendar(CalendarContent),
    /// The call is connected to a telephone number.
    Transfer(TransferContent),
    /// The caller leaves a message.
    Voicemail(VoicemailContent),
    /// The caller waits for an agent.
    Queue(QueueContent),
    /// The call ends.
    Hangup(PlainContent),
    /// A type of node that this version does not know.
    Unknown(RawContent),
    /// A known type whose content has the wrong shape.
    Malformed(RawContent),
}

/// The content of a node that needs none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlainContent {
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Content that could not be read, kept as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct RawContent {
    /// The type as it was written.
    pub type_name: String,
    /// The content as it was written.
    pub value: Value,
    /// Why it could not be read.
    pub problem: String,
}

/// What a caller hears: a text to be spoken, a recording, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The text, for a speech engine or for the person who reads the flow.
    #[serde(rename = "prompt", default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The name of a sound or media file. It wins over the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
}

/// The part of a [`Prompt`] that is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptSource<'a> {
    /// Play this file.
    Audio(&'a str),
    /// Speak this text.
    Text(&'a str),
}

/// The content of a media node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaContent {
    /// What is played.
    #[serde(flatten)]
    pub prompt: Prompt,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a menu.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MenuContent {
    /// What the caller is asked.
    #[serde(flatten)]
    pub prompt: Prompt,
    /// The keys and where they lead.
    #[serde(default, deserialize_with = "null_is_default")]
    pub options: Vec<MenuOption>,
    /// How long the caller may think, for each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How often the menu is played in all before the call goes on without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Spoken after a key that the menu does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_prompt: Option<String>,
    /// Played after a key that the menu does not have. It wins over the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_audio: Option<String>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One choice of a menu.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MenuOption {
    /// What the caller presses: digits, `*` and `#`, usually one.
    #[serde(default, deserialize_with = "null_is_default")]
    pub key: String,
    /// The output port of this choice.
    #[serde(default, deserialize_with = "null_is_default")]
    pub port_id: PortId,
    /// What people call it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub label: String,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a calendar node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CalendarContent {
    /// The IANA name of the time zone in which the hours are meant.
    #[serde(default, deserialize_with = "null_is_default")]
    pub timezone: String,
    /// The events, the most important first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub events: Vec<CalendarEvent>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One event of a calendar, as the designer writes it. What its fields mean is told in
/// [`Calendar`](crate::ivr::Calendar).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CalendarEvent {
    /// Unique in the node; also the output port that a matching call leaves by.
    #[serde(deserialize_with = "null_is_default")]
    pub id: PortId,
    /// What people call it.
    #[serde(deserialize_with = "null_is_default")]
    pub name: String,
    /// `open` or `closed`: a colour in the designer, without effect on the call.
    #[serde(deserialize_with = "null_is_default")]
    pub event_type: String,
    /// Every week on `days`, instead of once between two dates.
    #[serde(deserialize_with = "null_is_default")]
    pub is_recurring: bool,
    /// The whole day; the times are not looked at.
    #[serde(deserialize_with = "null_is_default")]
    pub all_day: bool,
    /// Days of the week, `mon` to `sun`.
    #[serde(deserialize_with = "null_is_default")]
    pub days: Vec<String>,
    /// `HH:MM`, included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    /// `HH:MM`, not included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// `YYYY-MM-DD`, included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<String>,
    /// `YYYY-MM-DD`, included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<String>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a transfer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferContent {
    /// The number to call.
    #[serde(default, deserialize_with = "null_is_default")]
    pub number: String,
    /// How long it may ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ring_seconds: Option<u32>,
    /// The trunk to call through, when it is not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a voicemail node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoicemailContent {
    /// What the caller hears before the tone.
    #[serde(flatten)]
    pub prompt: Prompt,
    /// Whose message it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<String>,
    /// The longest message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_seconds: Option<u32>,
    /// A silence of this length ends the message; 0 never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_seconds: Option<u32>,
    /// Whether a tone tells the caller to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beep: Option<bool>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a queue node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueContent {
    /// The queue that the caller joins.
    #[serde(default, deserialize_with = "null_is_default")]
    pub queue_id: String,
    /// How long the caller waits at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_seconds: Option<u32>,
    /// The class of the music while waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<String>,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

// === impl NodeContent ===

impl NodeContent {
    /// The type of the node, as it is written in the graph.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Start(_) => "start",
            Self::Media(_) => "media",
            Self::Menu(_) => "menu",
            Self::Calendar(_) => "calendar",
            Self::Transfer(_) => "transfer",
            Self::Voicemail(_) => "voicemail",
            Self::Queue(_) => "queue",
            Self::Hangup(_) => "hangup",
            Self::Unknown(raw) | Self::Malformed(raw) => &raw.type_name,
        }
    }

    pub(super) fn read(type_name: String, value: Value) -> Self {
        match type_name.as_str() {
            "start" => typed(type_name, value, Self::Start),
            "media" => typed(type_name, value, Self::Media),
            "menu" => typed(type_name, value, Self::Menu),
            "calendar" => typed(type_name, value, Self::Calendar),
            "transfer" => typed(type_name, value, Self::Transfer),
            "voicemail" => typed(type_name, value, Self::Voicemail),
            "queue" => typed(type_name, value, Self::Queue),
            "hangup" => typed(type_name, value, Self::Hangup),
            _ => Self::Unknown(RawContent {
                problem: "unknown type of node".to_owned(),
                type_name,
                value,
            }),
        }
    }
}

fn typed<T: DeserializeOwned + Default>(
    type_name: String,
    value: Value,
    variant: fn(T) -> NodeContent,
) -> NodeContent {
    if value.is_null() {
        return variant(T::default());
    }
    // Reads from a borrow, so that the value is still there when it does not fit.
    match T::deserialize(&value) {
        Ok(content) => variant(content),
        Err(error) => NodeContent::Malformed(RawContent {
            problem: error.to_string(),
            type_name,
            value,
        }),
    }
}

impl Serialize for RawContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

// === impl Prompt ===

impl Prompt {
    /// A text to be spoken.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            audio: None,
        }
    }

    /// A file to be played.
    pub fn audio(name: impl Into<String>) -> Self {
        Self {
            text: None,
            audio: Some(name.into()),
        }
    }

    /// What to play, or nothing when both are blank.
    pub fn source(&self) -> Option<PromptSource<'_>> {
        let text = || said(self.text.as_deref()).map(PromptSource::Text);
        said(self.audio.as_deref())
            .map(PromptSource::Audio)
            .or_else(text)
    }

    /// Whether a caller would hear nothing.
    pub fn is_empty(&self) -> bool {
        self.source().is_none()
    }
}

/// A text with something in it.
fn said(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

// === impl of the contents with defaults ===

impl MenuContent {
    /// Seconds to think, 5 unless the flow says otherwise.
    pub fn timeout_seconds(&self) -> u32 {
        self.timeout_seconds.unwrap_or(5)
    }

    /// How often the menu is played, 3 unless the flow says otherwise.
    pub fn max_attempts(&self) -> u32 {
        self.max_attempts.unwrap_or(3)
    }

    /// What is played after a wrong key.
    pub fn invalid(&self) -> Prompt {
        Prompt {
            text: self.invalid_prompt.clone(),
            audio: self.invalid_audio.clone(),
        }
    }
}

impl TransferContent {
    /// Seconds of ringing, 30 unless the flow says otherwise.
    pub fn ring_seconds(&self) -> u32 {
        self.ring_seconds.unwrap_or(30)
    }
}

impl VoicemailContent {
    /// Seconds of the longest message, 120 unless the flow says otherwise.
    pub fn max_seconds(&self) -> u32 {
        self.max_seconds.unwrap_or(120)
    }

    /// Seconds of silence that end a message, 3 unless the flow says otherwise.
    pub fn silence_seconds(&self) -> u32 {
        self.silence_seconds.unwrap_or(3)
    }

    /// Whether there is a tone; there is unless the flow says otherwise.
    pub fn beep(&self) -> bool {
        self.beep.unwrap_or(true)
    }
}

impl QueueContent {
    /// Seconds of waiting, 300 unless the flow says otherwise.
    pub fn max_wait_seconds(&self) -> u32 {
        self.max_wait_seconds.unwrap_or(300)
    }
}
