//! How a handler says no.

use core::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringwall_axum::Rejection;
use ringwall_core::clock::ClockUnavailable;
use ringwall_core::denial::Denial;
use ringwall_gate::problem::MEDIA_TYPE;

use crate::store::StoreError;

/// When a caller may come back after the database or the clock failed.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why a handler refuses, as a problem document (RFC 9457).
#[derive(Debug)]
pub(crate) enum Problem {
    /// What every Ringwall service says in the same words.
    Denied(Denial),
    /// The request is not what the route takes; the text says what to change. It may hold a name
    /// that the caller sent, so it is shown as a JSON string and nowhere else.
    Invalid(String),
    /// The request is well formed, and would do harm; the text says what to change.
    Unprocessable(String),
    /// The body is something else than JSON.
    NotJson,
    /// The service does not do this, and whoever asks is told what does.
    NotOffered(&'static str),
}

impl Problem {
    pub(crate) const NOT_FOUND: Self = Self::Denied(Denial::NotFound);

    pub(crate) const FORBIDDEN: Self = Self::Denied(Denial::Forbidden { challenge: None });

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::Invalid(detail.into())
    }

    pub(crate) const fn unavailable() -> Self {
        Self::Denied(Denial::Unavailable {
            retry_after: RETRY_AFTER,
        })
    }
}

impl From<Denial> for Problem {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl From<StoreError> for Problem {
    /// The caller hears that it failed, the operator why.
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::NotPermitted) {
            tracing::warn!("the database refused a row that the policy of this process permitted");
            return Self::FORBIDDEN;
        }
        tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
        Self::unavailable()
    }
}

impl From<ClockUnavailable> for Problem {
    fn from(_: ClockUnavailable) -> Self {
        tracing::error!("the clock cannot tell the time");
        Self::unavailable()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title, detail) = match self {
            Self::Denied(denial) => return Rejection::Denied(denial).into_response(),
            Self::Invalid(detail) => (StatusCode::BAD_REQUEST, "Bad Request", detail),
            Self::Unprocessable(detail) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "Unprocessable Content",
                detail,
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Unsupported Media Type",
                "send application/json".to_owned(),
            ),
            Self::NotOffered(detail) => (
                StatusCode::NOT_IMPLEMENTED,
                "Not Implemented",
                detail.to_owned(),
            ),
        };
        let document = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": detail,
        });
        let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))];
        (status, media_type, document.to_string()).into_response()
    }
}
