//! Why there is no connection.

use std::sync::Arc;

/// A cause, for logs alone. Shared, because a status is read by many.
type Source = Arc<dyn std::error::Error + Send + Sync + 'static>;

/// Why a server cannot be used. No variant tells the password, or text that the server chose.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration contradicts itself, or would send credentials in the clear.
    #[error("the configuration of Redis cannot be used: {0}")]
    Configuration(&'static str),
    /// Nobody answers at the address, or not in time, or the connection broke off.
    #[error("Redis cannot be reached")]
    Unreachable(#[source] Source),
    /// The server does not accept the name and password, or permits this user too little.
    #[error("Redis refuses the user: check name, password and the permission to SET and INFO")]
    Refused(#[source] Source),
    /// The server answers, and something about it would let claims be forgotten.
    #[error("this Redis must not be used: {0}")]
    Unsafe(&'static str),
}

/// One connection is for the keys of one slot, and these are in others.
#[cfg(any(feature = "replay", feature = "revocations"))]
pub(crate) const OTHER_SLOTS: &str = "the client speaks to the node of a cluster that serves the slot of rate limits: take another client";

impl Error {
    /// Whether it may be gone later, without a change by an operator.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Configuration(_) | Self::Refused(_) | Self::Unsafe(_) => false,
        }
    }

    pub(crate) fn unreachable(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unreachable(Arc::new(source))
    }

    /// From the client library, whose messages repeat what the server said.
    pub(crate) fn of_redis(error: redis::RedisError) -> Self {
        let refused = matches!(error.kind(), redis::ErrorKind::AuthenticationFailed)
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
        if refused {
            Self::Refused(Arc::new(error))
        } else {
            Self::Unreachable(Arc::new(error))
        }
    }
}

/// It took too long.
#[derive(Debug, thiserror::Error)]
#[error("no answer in time")]
pub(crate) struct TooSlow;
