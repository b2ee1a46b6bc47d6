//! What the extractors answer when they cannot give what was asked.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use ringwall_core::denial::Denial;

use crate::guard::refuse;

/// Why an extractor refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The caller may not do this; answered as the denial says.
    Denied(Denial),
    /// The service is put together in a way that cannot work: the handler stands behind no gate, or
    /// asks who is calling on a public route. Answered with a bare 500, so that a mistake denies;
    /// the cause is in the log and never in the answer.
    Misconfigured,
}

/// So that a handler can refuse with `?` in the words of the gate.
impl From<Denial> for Rejection {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self {
            // The body of an answer to HEAD is cut off by axum.
            Self::Denied(denial) => refuse(&denial, &Method::GET),
            Self::Misconfigured => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
