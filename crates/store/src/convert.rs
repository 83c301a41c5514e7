//! Between the types of the core and those of the driver.

use chrono::{DateTime, Utc};
use strowger_core::time::Timestamp;

use crate::Error;

/// To the driver's type. PostgreSQL keeps microseconds.
pub(crate) fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.as_microsecond()).unwrap_or_default()
}

/// From the driver's type.
pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp::from_microsecond(at.timestamp_micros()).unwrap_or_default()
}

/// Reads a text column as what it must be.
pub(crate) fn read<T>(what: &'static str, text: String) -> Result<T, Error>
where
    T: TryFrom<String>,
    T::Error: ToString,
{
    T::try_from(text).map_err(|error| Error::Corrupt {
        what,
        detail: error.to_string(),
    })
}

/// Reads a text column that has a fixed set of values.
pub(crate) fn parse<T>(what: &'static str, text: &str) -> Result<T, Error>
where
    T: std::str::FromStr,
    T::Err: ToString,
{
    text.parse().map_err(|error: T::Err| Error::Corrupt {
        what,
        detail: error.to_string(),
    })
}

/// A count or limit as the driver's type; larger ones are cut to what it can hold.
pub(crate) fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// A column that a CHECK keeps positive.
pub(crate) fn uint(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Reads a JSON column, or a word that stands in JSON, as what it must be.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    value: serde_json::Value,
) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Corrupt {
        what,
        detail: error.to_string(),
    })
}

/// Reads a column that holds a word of the core.
pub(crate) fn word<T: serde::de::DeserializeOwned>(
    what: &'static str,
    word: String,
) -> Result<T, Error> {
    read_json(what, serde_json::Value::String(word))
}

/// The word of the core for a value: what [`word`] reads.
pub(crate) fn text_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        // Only enums of words are given.
        Ok(_) | Err(_) => String::new(),
    }
}
