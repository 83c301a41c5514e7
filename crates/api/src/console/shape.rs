//! The shapes that all of the console's routes share.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Serialize, de::DeserializeOwned};
use strowger_core::time::Timestamp;
use strowger_store::views::Screen;

use crate::{
    guard::{May, Needs},
    input::{self, Body},
    problem::Problem,
    state::{App, Shared},
};

/// What a handler answers.
pub(crate) type Answer<T> = Result<T, ConsoleProblem>;

/// A [`Problem`] in the words of the console: `{"error": …}`, 400 for what cannot be taken, and
/// for a refused token the plain text that makes the console renew it.
#[derive(Debug)]
pub(crate) struct ConsoleProblem(pub(crate) Problem);

impl<P: Into<Problem>> From<P> for ConsoleProblem {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl ConsoleProblem {
    /// Everything that is wrong in one text: the console shows nothing else.
    pub(crate) fn detail(&self) -> String {
        let errors = self.0.body().errors;
        if errors.is_empty() {
            return self.0.detail().to_owned();
        }
        let words: Vec<String> = errors
            .into_iter()
            .map(|error| match error.field.as_str() {
                "" => error.reason,
                field => format!("{field}: {}", error.reason),
            })
            .collect();
        words.join("; ")
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
}

impl IntoResponse for ConsoleProblem {
    fn into_response(self) -> Response {
        let (status, detail) = (self.0.status(), self.detail());
        let mut headers = self.0.into_response().into_parts().0.headers;
        if status == StatusCode::UNAUTHORIZED {
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_LENGTH);
            return (status, headers, "Unauthorized").into_response();
        }
        let status = match status {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            other => other,
        };
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_LENGTH);
        (status, headers, axum::Json(ErrorBody { error: &detail })).into_response()
    }
}

/// Somebody with a permission, see [`May`].
#[derive(Debug)]
pub(crate) struct Caller<P>(pub(crate) May<P>);

impl<P: Needs> FromRequestParts<Shared> for Caller<P> {
    type Rejection = ConsoleProblem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ConsoleProblem> {
        Ok(Self(May::from_request_parts(parts, app).await?))
    }
}

/// A JSON body, see [`Body`].
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ConsoleProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ConsoleProblem> {
        let Body(value) = Body::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// The parameters of the path, see [`crate::input::Path`].
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ConsoleProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ConsoleProblem> {
        let input::Path(value) = input::Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The query string, see [`crate::input::Query`].
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ConsoleProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ConsoleProblem> {
        let input::Query(value) = input::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// Text that is JSON already.
pub(crate) fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Answers a thing that was just saved, as the console reads it.
pub(crate) async fn shown(
    app: &App,
    status: StatusCode,
    screen: Screen,
    id: &str,
) -> Answer<Response> {
    let line = app.api.store.screen(screen, id).await?;
    // Somebody may have deleted it since.
    let line = line.ok_or_else(|| Problem::not_found(format!("{id} was deleted meanwhile")))?;
    Ok(json_text(status, line))
}

/// An id of the path. One that no such thing can have names none.
pub(crate) fn id<T: std::str::FromStr>(text: &str, what: &str) -> Answer<T> {
    text.parse()
        .map_err(|_| Problem::not_found(format!("there is no such {what}")).into())
}

/// An instant as the console reads it: UTC with milliseconds, `2026-11-21T09:00:00.000Z`.
pub(crate) fn instant(at: Timestamp) -> String {
    let mut text = String::with_capacity(24);
    let printed = DateTimePrinter::new()
        .precision(Some(3))
        .print_timestamp(&at, &mut text);
    // A String takes everything that is written to it.
    debug_assert!(printed.is_ok());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_milliseconds_and_ends_with_z() {
        let at: Timestamp = "2026-11-21T09:00:00.1234Z".parse().unwrap();
        assert_eq!(instant(at), "2026-11-21T09:00:00.123Z");
        assert_eq!(instant(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }
}
