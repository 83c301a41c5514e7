//! Errors as the console reads them, and who asks.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    guard::{May, Needs},
    problem::Problem,
    state::Shared,
};

/// An error of a route of the console: `{"error": …}`, or for a login `{"errorKey": …}`.
#[derive(Debug)]
pub(crate) enum ConsoleError {
    /// The sentence is shown to the person.
    Said(StatusCode, String),
    /// The console has a sentence for this key.
    Key(StatusCode, &'static str),
    /// As everywhere else, in the shape of the console.
    Problem(Problem),
}

impl From<Problem> for ConsoleError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<strowger_store::Error> for ConsoleError {
    fn from(error: strowger_store::Error) -> Self {
        Self::Problem(error.into())
    }
}

impl IntoResponse for ConsoleError {
    fn into_response(self) -> Response {
        match self {
            Self::Said(status, error) => {
                (status, axum::Json(json!({"error": error}))).into_response()
            }
            Self::Key(status, key) => {
                (status, axum::Json(json!({"errorKey": key}))).into_response()
            }
            Self::Problem(problem) if problem.status() == StatusCode::UNAUTHORIZED => (
                StatusCode::UNAUTHORIZED,
                [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
                "Unauthorized",
            )
                .into_response(),
            Self::Problem(problem) => {
                // What is not valid is a bad request to the console.
                let status = match problem.status() {
                    StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
                    other => other,
                };
                let body = problem.body();
                let error = match body.errors.as_slice() {
                    [] => body.error,
                    errors => errors
                        .iter()
                        .map(|one| format!("{} {}", one.field, one.reason).trim().to_owned())
                        .collect::<Vec<_>>()
                        .join("; "),
                };
                let mut response = (status, axum::Json(json!({"error": error}))).into_response();
                let before = problem.into_response();
                if let Some(after) = before.headers().get(header::RETRY_AFTER) {
                    let headers = response.headers_mut();
                    headers.insert(header::RETRY_AFTER, after.clone());
                }
                response
            }
        }
    }
}

/// Somebody with a permission, whose refusal has the shape of the console.
#[derive(Debug)]
pub(crate) struct Console<P>(pub(crate) May<P>);

impl<P: Needs> FromRequestParts<Shared> for Console<P> {
    type Rejection = ConsoleError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, ConsoleError> {
        Ok(Self(May::from_request_parts(parts, app).await?))
    }
}
