//! A denial as a gRPC status.

use core::time::Duration;

use ringwall_core::denial::Denial;
use ringwall_core::limits::LimitReport;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, PreconditionViolation, StatusExt as _};

/// The type of the precondition that an action waits for somebody's approval
/// (`google.rpc.PreconditionFailure`).
pub const APPROVAL_REQUIRED: &str = "APPROVAL_REQUIRED";

/// Renders `denial` as the status that a caller gets: for handlers that refuse in the words of the
/// gate. The door renders its own refusals the same way.
///
/// | in HTTP | here |
/// |---|---|
/// | `WWW-Authenticate` | metadata `www-authenticate` |
/// | `DPoP-Nonce` | metadata `dpop-nonce` |
/// | `Retry-After` | metadata `retry-after`, and a `google.rpc.RetryInfo` in the details |
/// | `RateLimit`, `RateLimit-Policy`, `X-RateLimit-…` | metadata of these names |
/// | `violated-policies` | a `google.rpc.QuotaFailure`: the names of the limits |
/// | the id of an approval | a `google.rpc.PreconditionFailure` of type [`APPROVAL_REQUIRED`] |
/// | the limit of a body | in the message |
/// | `Allow`, `Location` | nothing: a gRPC client neither chooses methods nor follows |
///
/// ```
/// use ringwall_core::denial::Denial;
/// use ringwall_tonic::refusal;
///
/// fn case(id: u64) -> Result<(), tonic::Status> {
///     (id == 7).then_some(()).ok_or_else(|| refusal(&Denial::NotFound))
/// }
/// assert_eq!(case(8).unwrap_err().code(), tonic::Code::NotFound);
/// ```
#[must_use]
pub fn refusal(denial: &Denial) -> Status {
    let metadata = metadata(denial);
    let code = code(denial);
    match details(denial) {
        None => Status::with_metadata(code, message(denial), metadata),
        Some(details) => {
            Status::with_error_details_and_metadata(code, message(denial), details, metadata)
        }
    }
}

/// A denial is never a success, whatever its number were.
fn code(denial: &Denial) -> Code {
    match Code::from_i32(i32::try_from(denial.grpc_code()).unwrap_or(-1)) {
        Code::Ok => Code::Unknown,
        code @ (Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated) => code,
    }
}

fn message(denial: &Denial) -> String {
    match denial {
        Denial::PayloadTooLarge { limit } => too_large(*limit),
        Denial::Malformed { .. }
        | Denial::Unauthenticated { .. }
        | Denial::Forbidden { .. }
        | Denial::NotFound
        | Denial::MethodNotAllowed { .. }
        | Denial::ApprovalRequired { .. }
        | Denial::Conflict
        | Denial::Gone
        | Denial::PreconditionFailed
        | Denial::PlainHttp { .. }
        | Denial::RateLimited { .. }
        | Denial::Unavailable { .. } => denial.title().to_owned(),
    }
}

fn too_large(limit: u64) -> String {
    format!("Content Too Large: at most {limit} bytes")
}

fn metadata(denial: &Denial) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    denial.headers(|name, value| {
        if is_told(name)
            && let Ok(value) = AsciiMetadataValue::try_from(value)
        {
            metadata.append(name, value);
        }
    });
    metadata
}

/// The metadata of the nonce of a client's next DPoP proof (RFC 9449 §8.1).
const DPOP_NONCE: &str = "dpop-nonce";

/// What a client can use of a denial's header fields.
fn is_told(name: &str) -> bool {
    matches!(name, "www-authenticate" | DPOP_NONCE | "retry-after")
        || LimitReport::FIELDS.contains(&name)
}

fn details(denial: &Denial) -> Option<ErrorDetails> {
    match denial {
        Denial::Unavailable { .. } => Some(ErrorDetails::with_retry_info(Some(pause(denial)))),
        Denial::RateLimited {
            retry_after,
            limits,
        } => {
            let mut details = ErrorDetails::new();
            // Without a pause the client is told not to try again.
            if retry_after.is_some() {
                details.set_retry_info(Some(pause(denial)));
            }
            for name in limits.iter().flat_map(|limits| limits.violated()) {
                details.add_quota_failure_violation(name, "the rate limit is used up");
            }
            Some(details)
        }
        Denial::ApprovalRequired {
            approval: Some(approval),
        } => {
            let description = "somebody has to approve this action";
            let waits = PreconditionViolation::new(APPROVAL_REQUIRED, &**approval, description);
            Some(ErrorDetails::with_precondition_failure(vec![waits]))
        }
        Denial::ApprovalRequired { approval: None }
        | Denial::Malformed { .. }
        | Denial::Unauthenticated { .. }
        | Denial::Forbidden { .. }
        | Denial::NotFound
        | Denial::MethodNotAllowed { .. }
        | Denial::Conflict
        | Denial::Gone
        | Denial::PreconditionFailed
        | Denial::PlainHttp { .. }
        | Denial::PayloadTooLarge { .. } => None,
    }
}

/// The pause as `Retry-After` tells it: whole seconds and never none.
fn pause(denial: &Denial) -> Duration {
    let mut seconds = 1;
    denial.headers(|name, value| {
        if name == "retry-after"
            && let Ok(told) = value.parse()
        {
            seconds = told;
        }
    });
    Duration::from_secs(seconds)
}
