//! What is said of limits to a caller who is refused, and what to the operator.

use core::time::Duration;

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::limits::LimitReport;
use ringwall_rate_limit::NoKey;

use crate::admitted::ClientOrigin;
use crate::gate::RETRY_AFTER;
use crate::refusal::Refusal;

/// Why somebody cannot be counted. A missing address is a fault of the set-up, and every request is refused for it:
/// whoever reads the log wants to know what to change.
pub(super) fn told(cause: NoKey, origin: ClientOrigin) -> &'static str {
    if cause != NoKey::Address {
        return cause.cause();
    }
    if origin.via_proxy {
        "a limit counts by the caller's address, and the trusted proxy names none"
    } else {
        "a limit counts by the caller's address, and none is known: serve with connect info (the peer's address)"
    }
}

impl Refusal {
    pub(super) fn rate_limited(retry_after: Option<Duration>, report: LimitReport) -> Self {
        let cause = match retry_after {
            Some(_) => "a rate limit is used up",
            None => "the request costs more than a rate limit ever holds",
        };
        Self {
            denial: Denial::RateLimited {
                retry_after,
                limits: Some(Box::new(report)),
            },
            // The event of each limit is emitted already.
            event: None,
            cause,
        }
    }

    /// A caller who cannot be counted shares no bucket with others, and is not served uncounted.
    pub(super) fn uncountable(cause: NoKey, origin: ClientOrigin) -> Self {
        Self {
            denial: Denial::Forbidden { challenge: None },
            event: Some(EventKind::RequestRefused),
            cause: told(cause, origin),
        }
    }

    pub(super) const fn unreadable_ingress() -> Self {
        Self {
            denial: Denial::Malformed { challenge: None },
            event: Some(EventKind::RequestRefused),
            cause: "the ingress names the caller twice, or by what is no name",
        }
    }

    pub(super) const fn limits_unavailable() -> Self {
        Self {
            denial: Denial::Unavailable {
                retry_after: RETRY_AFTER,
            },
            event: Some(EventKind::RateLimitsUnavailable),
            cause: "the store of rate limits cannot answer",
        }
    }
}
