//! Why a directory did not answer.

use core::error::Error as StdError;
use core::time::Duration;

use ringwall_core::denial::Denial;

use super::facts::InvalidFact;

/// Why a directory did not answer. No decision can be reached: deny, with 503.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// It does not answer.
    #[error("the directory of subjects is not available")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
        /// Why, for logs.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// What it holds cannot be read.
    #[error("the directory of subjects holds what cannot be read")]
    Corrupt {
        /// Why, for logs.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The subject has as many facts as there may be.
    #[error("a subject has 1000 facts at most")]
    Full,
    /// The fact is none.
    #[error(transparent)]
    Invalid(#[from] InvalidFact),
}

impl DirectoryError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// What a caller may hear whose request could not be decided because of this.
    #[must_use]
    pub const fn denial(&self) -> Denial {
        match self {
            Self::Unavailable { retry_after, .. } => Denial::Unavailable {
                retry_after: *retry_after,
            },
            Self::Corrupt { .. } | Self::Full | Self::Invalid(_) => Denial::Unavailable {
                retry_after: Duration::from_secs(1),
            },
        }
    }
}
