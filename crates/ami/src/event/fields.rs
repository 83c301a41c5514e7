//! Reading single headers of an event.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use super::channel::{Bridge, Channel};
use super::words::{DeviceState, ExtensionState, Word};
use crate::message::{Message, unescape};

/// Text, where absent and `<unknown>` (what Asterisk writes for an empty field)
/// are the empty string.
pub(super) fn text<'a>(raw: &'a Message, key: &str) -> Cow<'a, str> {
    raw.bytes(key).map(known).unwrap_or_default()
}

/// Text, `None` when it is absent, empty or `<unknown>`.
pub(super) fn some_text<'a>(raw: &'a Message, key: &str) -> Option<Cow<'a, str>> {
    Some(text(raw, key)).filter(|text| !text.is_empty())
}

/// Text in which Asterisk has escaped quotation marks and line breaks.
pub(super) fn escaped<'a>(raw: &'a Message, key: &str) -> Cow<'a, str> {
    raw.bytes(key).map(known_escaped).unwrap_or_default()
}

/// A number, `None` when it is absent or no number.
pub(super) fn number<T: FromStr>(raw: &Message, key: &str) -> Option<T> {
    raw.bytes(key).and_then(parse)
}

/// A number, 0 when it is absent or no number.
pub(super) fn count<T: FromStr + Default>(raw: &Message, key: &str) -> T {
    number(raw, key).unwrap_or_default()
}

/// A duration that is written as whole seconds.
pub(super) fn seconds(raw: &Message, key: &str) -> Option<Duration> {
    number(raw, key).map(Duration::from_secs)
}

/// A duration that is written as milliseconds.
pub(super) fn millis(raw: &Message, key: &str) -> Option<Duration> {
    number(raw, key).map(Duration::from_millis)
}

/// A duration that is written as microseconds.
pub(super) fn micros(raw: &Message, key: &str) -> Option<Duration> {
    number(raw, key).map(Duration::from_micros)
}

/// Seconds since 1970, `None` also for 0, which stands for "never".
pub(super) fn epoch(raw: &Message, key: &str) -> Option<u64> {
    number(raw, key).filter(|seconds| *seconds != 0)
}

/// A duration that is written as hours, minutes and seconds: `00:01:05`.
pub(super) fn clock(raw: &Message, key: &str) -> Option<Duration> {
    let text = text(raw, key);
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let seconds = parts.try_fold(0_u64, |sum, part| Some(sum * 60 + u64::from(part?)))?;
    (text.matches(':').count() == 2).then(|| Duration::from_secs(seconds))
}

/// A value with a fixed meaning, of an empty word when it is absent.
pub(super) fn word<T: Word>(raw: &Message, key: &str) -> T {
    T::of_text(text(raw, key))
}

/// A value with a fixed meaning, if there is one.
pub(super) fn some_word<T: Word>(raw: &Message, key: &str) -> Option<T> {
    some_text(raw, key).map(T::of_text)
}

/// State of a queue member, which is written as a number.
pub(super) fn member_state(raw: &Message, key: &str) -> DeviceState {
    number(raw, key).map_or_else(|| word(raw, key), DeviceState::from_number)
}

/// State of an extension, which is written as a number.
pub(super) fn extension_state(raw: &Message, key: &str) -> Option<ExtensionState> {
    number(raw, key).map(ExtensionState::from_number)
}

/// Text that Asterisk has encoded like a part of a URI (`ast_uri_encode`).
pub(super) fn uri_decoded(raw: &Message, key: &str) -> String {
    let bytes = raw.bytes(key).unwrap_or_default();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            out.push(high << 4 | low);
            rest = &tail[2..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Whether a header says yes in one of the ways of Asterisk (`ast_true` in
/// `main/utils.c`).
pub(super) fn flag(raw: &Message, key: &str) -> bool {
    raw.bytes(key).is_some_and(|value| {
        ["yes", "true", "y", "t", "1", "on"]
            .iter()
            .any(|yes| value.eq_ignore_ascii_case(yes.as_bytes()))
    })
}

/// The channel whose headers begin with `prefix`, which the event always has.
pub(super) fn channel<'a>(raw: &'a Message, prefix: &'static str) -> Channel<'a> {
    Channel::new(raw, prefix)
}

/// The channel whose headers begin with `prefix`, if the event has it.
pub(super) fn some_channel<'a>(raw: &'a Message, prefix: &'static str) -> Option<Channel<'a>> {
    let channel = Channel::new(raw, prefix);
    (!channel.name().is_empty()).then_some(channel)
}

/// The bridge whose headers begin with `prefix`, which the event always has.
pub(super) fn bridge<'a>(raw: &'a Message, prefix: &'static str) -> Bridge<'a> {
    Bridge::new(raw, prefix)
}

/// The bridge whose headers begin with `prefix`, if the event has it.
pub(super) fn some_bridge<'a>(raw: &'a Message, prefix: &'static str) -> Option<Bridge<'a>> {
    let bridge = Bridge::new(raw, prefix);
    (!bridge.uniqueid().is_empty()).then_some(bridge)
}

/// Text of a value, empty for `<unknown>`.
pub(super) fn known(value: &[u8]) -> Cow<'_, str> {
    if value == b"<unknown>" {
        return Cow::Borrowed("");
    }
    String::from_utf8_lossy(value)
}

/// Like [`known`], with the escapes undone.
pub(super) fn known_escaped(value: &[u8]) -> Cow<'_, str> {
    match known(value) {
        Cow::Borrowed(text) => unescape(text),
        Cow::Owned(text) => Cow::Owned(unescape(&text).into_owned()),
    }
}

/// A number in text.
pub(super) fn parse<T: FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
