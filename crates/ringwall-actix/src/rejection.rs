//! What the extractors answer when they cannot give what was asked.

use core::fmt;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;

use crate::refusal::{mistake, refusal};

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

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::Misconfigured => f.write_str("the service is misconfigured"),
        }
    }
}

impl core::error::Error for Rejection {}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.error_response().status()
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            // The body of an answer to HEAD is cut off by the guard.
            Self::Denied(denial) => refusal(denial),
            Self::Misconfigured => mistake(),
        }
    }
}

/// A rejection by one of our extractors, with the event that the guard emits if it really becomes the
/// answer: `Option<CurrentPrincipal>` takes a rejection for `None`, and then nothing was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    rejection: Rejection,
    event: Option<(EventKind, &'static str)>,
}

impl Refused {
    pub(crate) const fn denied(denial: Denial, kind: EventKind, cause: &'static str) -> Self {
        Self {
            rejection: Rejection::Denied(denial),
            event: Some((kind, cause)),
        }
    }

    /// The event was emitted when it was found out.
    pub(crate) const fn reported(denial: Denial) -> Self {
        Self {
            rejection: Rejection::Denied(denial),
            event: None,
        }
    }

    /// The event of a mistake is emitted by whoever finds it noted.
    pub(crate) const fn misconfigured() -> Self {
        Self {
            rejection: Rejection::Misconfigured,
            event: None,
        }
    }

    pub(crate) const fn event(&self) -> Option<(EventKind, &'static str)> {
        self.event
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rejection.fmt(f)
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.rejection.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.rejection.error_response()
    }
}
