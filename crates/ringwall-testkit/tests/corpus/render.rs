//! How each denial is rendered: what the manual says, and what the corpus expects.
//!
//! It is written down a second time, and not asked of the crates that are tested.

use crate::case::{Denied, Kind};

/// One kind of denial in both protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rendering {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The title of the problem document.
    pub(crate) title: &'static str,
    /// The gRPC status code.
    pub(crate) grpc: u32,
    /// The gRPC message, unless it names a limit.
    pub(crate) message: &'static str,
    /// Whether there is a challenge also when nothing went wrong yet.
    pub(crate) challenges: bool,
}

const fn row(status: u16, title: &'static str, grpc: u32) -> Rendering {
    Rendering {
        status,
        title,
        grpc,
        message: title,
        challenges: false,
    }
}

/// How `kind` is rendered.
pub(crate) fn rendering(kind: Kind, denied: &Denied) -> Rendering {
    match kind {
        Kind::Malformed => row(400, "Bad Request", 3),
        Kind::Unauthenticated => Rendering {
            challenges: true,
            ..row(401, "Unauthorized", 16)
        },
        Kind::Forbidden => row(403, "Forbidden", 7),
        Kind::NotFound => row(404, "Not Found", 5),
        Kind::UnknownRoute => Rendering {
            message: "no such method",
            ..row(404, "Not Found", 12)
        },
        Kind::MethodNotAllowed => row(405, "Method Not Allowed", 12),
        Kind::ApprovalRequired => row(403, "Approval Required", 9),
        Kind::Conflict => row(409, "Conflict", 10),
        Kind::Gone => row(410, "Gone", 5),
        Kind::PreconditionFailed => row(412, "Precondition Failed", 9),
        Kind::PayloadTooLarge => row(413, "Content Too Large", 8),
        Kind::PlainHttp if denied.location.is_some() => row(308, "HTTPS Required", 9),
        Kind::PlainHttp => row(403, "HTTPS Required", 9),
        Kind::RateLimited => row(429, "Too Many Requests", 8),
        Kind::Unavailable => row(503, "Service Unavailable", 14),
    }
}
