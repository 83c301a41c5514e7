//! Errors that a person can act on.
//!
//! The body is that of RFC 9457 (`type`, `title`, `status`, `detail`) with `code` for programs,
//! `errors` for single fields, and `success` and `error` like every other answer of `/api/v1`.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use strowger_core::{ivr::Finding, switchboard::Refused};
use utoipa::ToSchema;

use crate::exchange::ExchangeError;

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The field, or the id of the node of a flow; empty when it is about the whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    findings: Vec<Finding>,
    retry_after_s: Option<u32>,
    challenge_token: Option<Box<str>>,
}

/// The body of a problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// Always false.
    #[schema(example = false)]
    pub success: bool,
    /// The sentence for a person; the same as `detail`.
    pub error: String,
    /// Names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The sentence for a person: what is wrong and what to do.
    pub detail: String,
    /// The kind for programs.
    pub code: &'static str,
    /// Every field that is wrong.
    pub errors: Vec<FieldError>,
    /// What the check of a flow found, when it is about a flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub findings: Vec<Finding>,
    /// With `mfa_required`: what POST /api/v1/auth/mfa wants besides the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenge_token: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            findings: Vec::new(),
            retry_after_s: None,
            challenge_token: None,
        }
    }

    /// The request cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// Nobody is logged in, or no longer.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    /// The password is right, and a code is asked for as well.
    pub fn mfa_required(challenge_token: String) -> Self {
        Self {
            challenge_token: Some(challenge_token.into()),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                "mfa_required",
                "now send the code of the authenticator app and challenge_token to POST /api/v1/auth/mfa",
            )
        }
    }

    /// Not for this role.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", detail)
    }

    /// It does not fit what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// The content is understood and wrong; `errors` says where.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.field.is_empty() => one.reason.clone(),
            [one] => format!("{}: {}", one.field, one.reason),
            several => format!("{} fields are not valid: see errors", several.len()),
        };
        Self {
            errors,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
        }
    }

    /// One field is wrong.
    pub fn field(field: &str, reason: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError {
            field: field.to_owned(),
            reason: reason.into(),
        }])
    }

    /// A flow that is not published.
    pub fn flow(detail: impl Into<String>, findings: Vec<Finding>) -> Self {
        let errors = findings
            .iter()
            .map(|finding| FieldError {
                field: finding
                    .node_id
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                reason: finding.message.clone(),
            })
            .collect();
        Self {
            errors,
            findings,
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "flow-has-errors", detail)
        }
    }

    /// The body is larger than the route takes.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    }

    /// Another type of content was expected.
    pub fn wrong_type(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "wrong-content-type",
            detail,
        )
    }

    /// Too many requests; try again after so many seconds.
    pub fn too_many(detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(seconds(retry_after_s)),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", detail)
        }
    }

    /// It cannot be done at the moment.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self {
            retry_after_s: Some(seconds(retry_after_s)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }

    /// A method that the route does not have.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this address does not take this method: see /api/v1/openapi.json",
        )
    }

    /// Another machine that was asked for something refused or did not answer.
    pub fn elsewhere(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "other-side-failed", detail)
    }

    /// A failure that is ours. What happened is in the log and nowhere else.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed inside Strowger; the log of the daemon tells more under the x-request-id of this answer",
        )
    }

    /// The same with something added to the sentence.
    #[must_use]
    pub fn after(mut self, more: impl AsRef<str>) -> Self {
        self.detail.push_str(more.as_ref());
        self
    }

    /// The kind for programs.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The body.
    pub fn body(&self) -> ProblemBody {
        ProblemBody {
            success: false,
            error: self.detail.clone(),
            kind: format!("urn:strowger:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            errors: self.errors.clone(),
            findings: self.findings.clone(),
            challenge_token: self.challenge_token.as_deref().map(str::to_owned),
        }
    }
}

/// At least one, for `Retry-After`.
fn seconds(wait: u64) -> u32 {
    u32::try_from(wait.max(1)).unwrap_or(u32::MAX)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<strowger_store::Error> for Problem {
    fn from(error: strowger_store::Error) -> Self {
        use strowger_store::Error;
        match &error {
            Error::Taken { field } => Self::conflict(format!(
                "there is already one with this {field}: choose another"
            )),
            Error::Missing { what } => Self::field("", format!("{what} does not exist")),
            Error::Stale => Self::conflict("the campaign is run by another node"),
            _ if error.is_nul() => Self::field("", "a text holds the character NUL: leave it out"),
            _ if error.is_transient() => {
                tracing::warn!(%error, "The database does not answer");
                Self::unavailable(
                    "database-unavailable",
                    "the database does not answer: try again in a moment",
                    5,
                )
            }
            _ => {
                tracing::error!(%error, "Database request failed");
                Self::internal()
            }
        }
    }
}

impl From<ExchangeError> for Problem {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Busy => Self::unavailable("busy", error.to_string(), 1),
            ExchangeError::Down => Self::unavailable("exchange-down", error.to_string(), 5),
            ExchangeError::NoAnswer => Self::unavailable("no-answer", error.to_string(), 5),
            ExchangeError::Refused(refused) => refused.into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::UnknownCall(_) | Refused::UnknownCampaign(_) => Self::not_found(text),
            Refused::NotOfCampaign { .. } => Self::forbidden(text),
            Refused::NotDialed { .. } => Self::field("number", text),
            Refused::NotRunning(_)
            | Refused::NoTrunk(_)
            | Refused::NotLoggedIn(_)
            | Refused::AlreadyLoggedIn { .. }
            | Refused::StationInUse { .. }
            | Refused::TooManyAgents { .. }
            | Refused::TooManyLines { .. }
            | Refused::Over { .. }
            | Refused::CannotBeHeard { .. }
            | Refused::NotSupervising
            | Refused::NotTransferable { .. }
            | Refused::WrongState { .. } => Self::conflict(text),
        }
    }
}
