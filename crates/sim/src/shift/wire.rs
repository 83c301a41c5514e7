//! Events as lines of JSON: what `strowger pace --stdio` reads and `strowger simulate
//! --record` writes.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};
use strowger_core::pacing::{AnsweredBy, Config, Event, LineEnd, Segment};

/// What names a line or an agent: a JSON string or number, written back as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// A whole number.
    Number(i128),
    /// Another number, as its text.
    Fraction(String),
    /// A string.
    Text(String),
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<u32> for Id {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl Id {
    /// The number, if it is one that fits.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Fraction(_) | Self::Text(_) => None,
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => serializer.serialize_u64(number),
                (_, Ok(number)) => serializer.serialize_i64(number),
                _ => serializer.serialize_i128(*number),
            },
            Self::Fraction(text) => text
                .parse::<f64>()
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// Why a line is not an event. Says which field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine(String);

impl fmt::Display for BadLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for BadLine {}

/// An event that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// When, in seconds.
    pub t: f64,
    /// What happened.
    pub what: What,
    /// What was ignored, in words.
    pub ignored: Option<String>,
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// An event that pacing knows.
    Event(Event<Id, Id>),
    /// A line is gone, in a word that is to be understood by what is known of the line.
    Ended(Id, Ending),
}

/// How a line ended, in the words of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// One of those that pacing knows.
    Known(LineEnd),
    /// A machine answered.
    Machine,
    /// A person who answered was not connected in time.
    Abandoned,
    /// A word that is not known, or none.
    Unknown,
}

/// The kinds of events, as `ev` names them.
const KINDS: &str = "config, agent_available, agent_busy, agent_wrap, agent_gone, dialed, ringing, \
                     answered, connected, abandoned, ended, not_dialed, tick";

/// Reads a line. `config` is what a `config` event changes.
pub fn read(line: &str, config: &Config) -> Result<Read, BadLine> {
    if line.trim().is_empty() {
        return Err(BadLine("is empty".to_owned()));
    }
    let value: Value =
        serde_json::from_str(line).map_err(|error| BadLine(format!("is not JSON: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(BadLine("is not a JSON object".to_owned()));
    };
    let t = number(&fields, "t")?.ok_or_else(|| BadLine("field t (seconds) is missing".into()))?;
    let kind = match fields.get("ev") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(_) => return Err(BadLine(format!("field ev must be a string: {KINDS}"))),
        None => return Err(BadLine(format!("field ev is missing: {KINDS}"))),
    };
    let (agent, line) = (|| id(&fields, "agent"), || id(&fields, "line"));
    let mut ignored = None;
    let event = match kind {
        "config" => {
            let (config, unknown) = change(config, &fields)?;
            ignored = unknown;
            Event::Config(config)
        }
        "agent_available" => Event::AgentAvailable(agent()?),
        "agent_busy" => Event::AgentBusy(agent()?),
        "agent_wrap" => Event::AgentWrap(agent()?),
        "agent_gone" => Event::AgentGone(agent()?),
        "dialed" => Event::Dialed(line()?, segment(&fields)?),
        "ringing" => Event::Ringing(line()?),
        "answered" => Event::Answered(line()?, answered_by(&fields)?),
        "connected" => Event::Connected(line()?, agent()?),
        "abandoned" => Event::Abandoned(line()?),
        "not_dialed" => Event::NotDialed(whole(&fields, "lines")?.unwrap_or(1)),
        "ended" => {
            let ending = match fields.get("disposition") {
                Some(Value::String(word)) => ending(word),
                Some(Value::Null) | None => Ending::Unknown,
                Some(_) => return Err(BadLine("field disposition must be a string".into())),
            };
            return Ok(Read {
                t,
                what: What::Ended(line()?, ending),
                ignored,
            });
        }
        "tick" => Event::Tick,
        other => return Err(BadLine(format!("field ev: {other:?} is none of {KINDS}"))),
    };
    Ok(Read {
        t,
        what: What::Event(event),
        ignored,
    })
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<Option<f64>, BadLine> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(BadLine(format!("field {name} must be a number"))),
        },
    }
}

fn whole(fields: &Map<String, Value>, name: &str) -> Result<Option<u32>, BadLine> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(BadLine(format!(
                "field {name} must be a whole number from 0 to 4294967295"
            ))),
        },
    }
}

fn id(fields: &Map<String, Value>, name: &str) -> Result<Id, BadLine> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(Id::Text(text.clone())),
        Some(Value::Number(number)) => Ok(number
            .as_i128()
            .map_or_else(|| Id::Fraction(number.to_string()), Id::Number)),
        Some(_) => Err(BadLine(format!(
            "field {name} must be a string or a number"
        ))),
        None => Err(BadLine(format!("field {name} is missing"))),
    }
}

fn segment(fields: &Map<String, Value>) -> Result<Segment, BadLine> {
    Ok(whole(fields, "segment")?.map_or_else(Segment::default, Segment))
}

fn answered_by(fields: &Map<String, Value>) -> Result<AnsweredBy, BadLine> {
    match fields.get("by") {
        None | Some(Value::Null) => Ok(AnsweredBy::Unknown),
        Some(Value::String(by)) => match by.to_ascii_lowercase().as_str() {
            "human" | "person" => Ok(AnsweredBy::Human),
            "machine" => Ok(AnsweredBy::Machine),
            "unknown" | "notsure" => Ok(AnsweredBy::Unknown),
            other => Err(BadLine(format!(
                "field by: {other:?} is none of human, machine, unknown"
            ))),
        },
        Some(_) => Err(BadLine(
            "field by must be human, machine or unknown".to_owned(),
        )),
    }
}

/// Understands how a line ended: our dispositions, those of Asterisk and common words,
/// however they are spelled.
fn ending(word: &str) -> Ending {
    let word: String = word
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    match word.as_str() {
        "completed" | "complete" | "answered" | "answeredhuman" | "answer" | "human"
        | "connected" | "normal" | "normalclearing" | "success" | "hangup" | "answeredhangup" => {
            Ending::Known(LineEnd::Completed)
        }
        "machine" | "answeredmachine" | "amd" | "voicemail" | "answeringmachine" | "fax" => {
            Ending::Machine
        }
        "abandoned" | "abandon" | "dropped" | "drop" => Ending::Abandoned,
        "noanswer" | "unanswered" | "noreply" | "timeout" | "ringtimeout" | "noanswertimeout" => {
            Ending::Known(LineEnd::NoAnswer)
        }
        "busy" | "userbusy" => Ending::Known(LineEnd::Busy),
        "cancelled" | "canceled" | "cancel" | "givenup" | "originatorcancel" => {
            Ending::Known(LineEnd::Cancelled)
        }
        "failed"
        | "failure"
        | "fail"
        | "congestion"
        | "chanunavail"
        | "unavailable"
        | "invalid"
        | "invalidnumber"
        | "unallocated"
        | "unallocatednumber"
        | "unreachable"
        | "rejected"
        | "declined"
        | "carrierfailure"
        | "configurationfailure"
        | "error"
        | "networkerror" => Ending::Known(LineEnd::Failed),
        _ => Ending::Unknown,
    }
}

/// The configuration with the changes of a `config` event, and what it does not know.
fn change(
    config: &Config,
    fields: &Map<String, Value>,
) -> Result<(Config, Option<String>), BadLine> {
    let mut config = config.clone();
    let set = |name: &str, low: f64, high: f64, target: &mut f64| {
        if let Some(value) = number(fields, name)? {
            if !(low..=high).contains(&value) {
                return Err(BadLine(format!(
                    "field {name} must be from {low} to {high}, not {value}"
                )));
            }
            *target = value;
        }
        Ok(())
    };
    set("abandon_limit", 0.0, 1.0, &mut config.abandon_limit)?;
    set("threshold_s", 0.0, 60.0, &mut config.threshold_s)?;
    set("window_s", 60.0, 31_536_000.0, &mut config.window_s)?;
    set("ring_timeout_s", 1.0, 600.0, &mut config.ring_timeout_s)?;
    set("min_ring_s", 0.0, 600.0, &mut config.min_ring_s)?;
    set("max_cps", 0.01, 100_000.0, &mut config.max_cps)?;
    set("boost", 0.0, 10.0, &mut config.boost)?;
    set("setup_s", 0.0, 60.0, &mut config.setup_s)?;
    let field = "amd_false_positive";
    set(field, 0.0, 1.0, &mut config.amd_false_positive)?;
    if let Some(lines) = whole(fields, "max_lines")? {
        config.max_lines = lines;
    }
    let unknown: Vec<&str> = fields
        .keys()
        .map(String::as_str)
        .filter(|name| !CONFIG_FIELDS.contains(name))
        .collect();
    let ignored = (!unknown.is_empty()).then(|| {
        format!(
            "ignored {}: config has {}",
            unknown.join(", "),
            CONFIG_FIELDS[2..].join(", ")
        )
    });
    Ok((config, ignored))
}

const CONFIG_FIELDS: [&str; 12] = [
    "t",
    "ev",
    "abandon_limit",
    "threshold_s",
    "window_s",
    "ring_timeout_s",
    "min_ring_s",
    "max_lines",
    "max_cps",
    "boost",
    "setup_s",
    "amd_false_positive",
];

/// The line of an event, without the end of the line.
pub fn write<L: Clone + Into<Id>, A: Clone + Into<Id>>(t: f64, event: &Event<L, A>) -> String {
    let line = |line: &L| json!(line.clone().into());
    let agent = |agent: &A| json!(agent.clone().into());
    let (kind, rest) = match event {
        Event::Config(config) => (
            "config",
            json!({
                "abandon_limit": config.abandon_limit,
                "threshold_s": config.threshold_s,
                "window_s": config.window_s,
                "ring_timeout_s": config.ring_timeout_s,
                "min_ring_s": config.min_ring_s,
                "max_lines": config.max_lines,
                "max_cps": config.max_cps,
                "boost": config.boost,
                "setup_s": config.setup_s,
                "amd_false_positive": config.amd_false_positive,
            }),
        ),
        Event::AgentAvailable(a) => ("agent_available", json!({ "agent": agent(a) })),
        Event::AgentBusy(a) => ("agent_busy", json!({ "agent": agent(a) })),
        Event::AgentWrap(a) => ("agent_wrap", json!({ "agent": agent(a) })),
        Event::AgentGone(a) => ("agent_gone", json!({ "agent": agent(a) })),
        Event::Dialed(l, Segment(0)) => ("dialed", json!({ "line": line(l) })),
        Event::Dialed(l, Segment(segment)) => {
            ("dialed", json!({ "line": line(l), "segment": segment }))
        }
        Event::Ringing(l) => ("ringing", json!({ "line": line(l) })),
        Event::Answered(l, by) => (
            "answered",
            json!({ "line": line(l), "by": match by {
                AnsweredBy::Human => "human",
                AnsweredBy::Machine => "machine",
                AnsweredBy::Unknown => "unknown",
            } }),
        ),
        Event::Connected(l, a) => ("connected", json!({ "line": line(l), "agent": agent(a) })),
        Event::Abandoned(l) => ("abandoned", json!({ "line": line(l) })),
        Event::Ended(l, end) => (
            "ended",
            json!({ "line": line(l), "disposition": match end {
                LineEnd::Completed => "completed",
                LineEnd::NoAnswer => "no-answer",
                LineEnd::Busy => "busy",
                LineEnd::Failed => "failed",
                LineEnd::Cancelled => "cancelled",
            } }),
        ),
        Event::NotDialed(lines) => ("not_dialed", json!({ "lines": lines })),
        Event::Tick => ("tick", json!({})),
    };
    let mut text = json!({ "t": t, "ev": kind });
    if let (Value::Object(text), Value::Object(rest)) = (&mut text, rest) {
        text.extend(rest);
    }
    text.to_string()
}
