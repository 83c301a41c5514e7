//! Reading requests, so that whatever is wrong with one is said in words.

use std::{error::Error, ops::RangeInclusive};

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::{FieldError, Problem};

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::wrong_type(
                "send JSON with the header \"Content-Type: application/json\"",
            )),
            Err(rejection) if rejection.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Problem::too_large(
                    "the body is larger than this address takes",
                ))
            }
            Err(JsonRejection::JsonDataError(error)) => {
                let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
                while let Some(inner) = cause {
                    if let Some(wrong) = inner.downcast_ref::<Misread>() {
                        return Err(Problem::field(
                            &within("", wrong),
                            strip(&wrong.inner().to_string()),
                        ));
                    }
                    cause = inner.source();
                }
                Err(Problem::field("", strip(&error.body_text())))
            }
            Err(rejection) => Err(Problem::malformed(strip(&rejection.body_text()))),
        }
    }
}

/// What does not fit what it is read into, with its place.
type Misread = serde_path_to_error::Error<serde_json::Error>;

/// The place at fault within a field, such as `schedule.windows.monday[0]`.
fn within(field: &str, error: &Misread) -> String {
    let path = error.path().to_string();
    let path: String = path.chars().take(200).collect();
    match path.as_str() {
        "." => field.to_owned(),
        path if field.is_empty() || path.starts_with('[') => format!("{field}{path}"),
        path => format!("{field}.{path}"),
    }
}

/// Without the words of the framework, and bounded: the text may repeat what was sent.
fn strip(text: &str) -> String {
    text.trim_start_matches("Failed to deserialize the JSON body into the target type: ")
        .trim_start_matches("Failed to parse the request body as JSON: ")
        .chars()
        .take(300)
        .collect()
}

/// The parameters of the path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::malformed(
                rejection.body_text().chars().take(300).collect::<String>(),
            )),
        }
    }
}

/// The query string.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum_extra::extract::Query::from_request_parts(parts, state).await {
            Ok(axum_extra::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::malformed(
                rejection.to_string().chars().take(300).collect::<String>(),
            )),
        }
    }
}

/// Why a text is not one line that can be shown anywhere, if so.
pub(crate) fn unprintable(text: &str) -> Option<&'static str> {
    text.chars().find_map(|c| match c {
        '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some("it holds a line break"),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("it holds a character that turns the direction of text")
        }
        c if c.is_control() => Some("it holds a control character"),
        _ => None,
    })
}

/// Deepest nesting of what is kept as it was sent: the database refuses far deeper ones.
pub(crate) const MAX_DEPTH: usize = 60;

/// Why the database could not keep a value, if so.
pub(crate) fn unstorable(value: &Value, depth: usize) -> Option<&'static str> {
    if depth == 0 {
        return Some("it is nested too deeply");
    }
    let nul = |text: &str| {
        text.contains('\0')
            .then_some("a text of it holds the character NUL: remove it")
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(text) => nul(text),
        Value::Array(items) => items.iter().find_map(|item| unstorable(item, depth - 1)),
        Value::Object(fields) => fields
            .iter()
            .find_map(|(key, item)| nul(key).or_else(|| unstorable(item, depth - 1))),
    }
}

/// Collects everything that is wrong, so that a person corrects it in one go.
#[derive(Debug, Default)]
pub(crate) struct Check {
    errors: Vec<FieldError>,
}

impl Check {
    /// Notes what is wrong with a field.
    pub(crate) fn wrong(&mut self, field: &str, reason: impl Into<String>) {
        self.errors.push(FieldError {
            field: field.to_owned(),
            reason: reason.into(),
        });
    }

    /// Keeps a value, or notes why it is none.
    pub(crate) fn ok<T, E: ToString>(&mut self, field: &str, value: Result<T, E>) -> Option<T> {
        value
            .map_err(|error| self.wrong(field, error.to_string()))
            .ok()
    }

    /// Reads a value within the request, or notes which part of it does not fit.
    pub(crate) fn read<T: DeserializeOwned>(&mut self, field: &str, value: &Value) -> Option<T> {
        serde_path_to_error::deserialize(value)
            .map_err(|error| {
                self.wrong(&within(field, &error), strip(&error.inner().to_string()));
            })
            .ok()
    }

    /// One line of text with so many characters.
    pub(crate) fn line(&mut self, field: &str, text: &str, chars: RangeInclusive<usize>) {
        let count = text.trim().chars().count();
        if !chars.contains(&count) {
            self.wrong(
                field,
                format!(
                    "must have {} to {} characters, has {count}",
                    chars.start(),
                    chars.end()
                ),
            );
        } else if let Some(why) = unprintable(text) {
            self.wrong(field, why);
        }
    }

    /// Several lines of text with at most so many characters.
    pub(crate) fn text(&mut self, field: &str, text: &str, max: usize) {
        let count = text.chars().count();
        if count > max {
            self.wrong(
                field,
                format!("must have at most {max} characters, has {count}"),
            );
        } else if text.contains('\0') {
            self.wrong(field, "it holds a control character");
        }
    }

    /// A number between two others.
    pub(crate) fn range<T: PartialOrd + std::fmt::Display>(
        &mut self,
        field: &str,
        value: &T,
        range: &RangeInclusive<T>,
    ) {
        if !range.contains(value) {
            self.wrong(
                field,
                format!("must be {} to {}, is {value}", range.start(), range.end()),
            );
        }
    }

    /// A name that goes to an exchange: letters, digits and `extra` only.
    pub(crate) fn name(&mut self, field: &str, text: &str, max: usize, extra: &str) {
        let legal = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        if text.is_empty() || text.len() > max || !text.chars().all(legal) || text.contains("..") {
            self.wrong(
                field,
                format!("must have 1 to {max} letters, digits or {}", spell(extra)),
            );
        }
    }

    /// The problem, if anything is wrong.
    pub(crate) fn done(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.errors))
        }
    }
}

fn spell(characters: &str) -> String {
    characters
        .chars()
        .map(|c| format!("'{c}'"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrong_field_is_named() {
        let mut check = Check::default();
        check.line("name", "", 1..=200);
        check.line("first_name", "Ada\r\nAction: Hangup", 0..=100);
        check.range("ratio", &0.5, &(1.0..=20.0));
        check.name("endpoint", "carrier;1", 64, "_.-");
        check.name("sound", "../../etc/passwd", 100, "_.-/");
        let problem = check.done().unwrap_err();
        let fields: Vec<_> = problem
            .body()
            .errors
            .into_iter()
            .map(|error| error.field)
            .collect();
        assert_eq!(fields, ["name", "first_name", "ratio", "endpoint", "sound"]);
    }
}
