//! Reading single headers of an event.

use crate::message::Message;

/// Text, where absent and `<unknown>` (what Asterisk writes for an empty field)
/// are the empty string.
pub(super) fn text(raw: &Message, key: &str) -> String {
    raw.bytes(key).map(known).unwrap_or_default()
}

/// Text, `None` when it is absent, empty or `<unknown>`.
pub(super) fn some_text(raw: &Message, key: &str) -> Option<String> {
    Some(text(raw, key)).filter(|text| !text.is_empty())
}

/// A number, `None` when it is absent or no number.
pub(super) fn number<T: std::str::FromStr>(raw: &Message, key: &str) -> Option<T> {
    raw.get(key)?.trim().parse().ok()
}

/// Text of a value, empty for `<unknown>`.
pub(super) fn known(value: &[u8]) -> String {
    if value == b"<unknown>" {
        return String::new();
    }
    String::from_utf8_lossy(value).into_owned()
}
