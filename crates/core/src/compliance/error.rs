//! What is wrong with a pack, so that a person can mend it.

use std::fmt;

use jiff::civil::Date;

/// A file of packs or holidays that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackError {
    /// The file.
    pub file: String,
    /// The version, by the day it takes effect.
    pub version: Option<String>,
    /// The key, such as `caps calls-per-24h`.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl PackError {
    pub(super) fn at(
        file: &str,
        version: Option<Date>,
        key: &str,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            version: version.map(|date| date.to_string()),
            key: Some(key.to_owned()),
            problem: problem.into(),
        }
    }
}

impl std::error::Error for PackError {}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(version) = &self.version {
            write!(f, ", version of {version}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ", {key}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// An error of the TOML reader: it names the line and the key by itself.
pub(super) fn toml_error(file: &str, error: &toml::de::Error) -> PackError {
    PackError {
        file: file.to_owned(),
        version: None,
        key: None,
        problem: error.to_string().trim_end().to_owned(),
    }
}

/// A date of TOML, which may also hold a time.
pub(super) fn date(value: &toml::value::Datetime) -> Result<Date, String> {
    let only_a_date = value.time.is_none() && value.offset.is_none();
    only_a_date
        .then(|| value.to_string().parse().ok())
        .flatten()
        .ok_or_else(|| format!("{value} is not a date; write it as 2026-08-11"))
}
