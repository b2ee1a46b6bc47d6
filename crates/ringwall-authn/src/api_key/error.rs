//! Why a key is refused, and why one could not be managed.

use core::fmt;
use core::time::Duration;

use super::digest::PepperError;
use super::store::{ApiKeyStoreError, ApiKeyStoreErrorKind};
use super::text::ApiKeyTextError;

/// Why a key was not accepted, in terms of what the *caller* can do.
///
/// A made-up key, a wrong secret, a revoked key and a wrong network are the same to a caller on
/// purpose: what an attacker could probe with collapses into [`ApiKeyErrorKind::Rejected`]. The precise
/// cause is [`ApiKeyError::refusal`], for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKeyError {
    kind: ApiKeyErrorKind,
    refusal: ApiKeyRefusal,
}

/// What the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiKeyErrorKind {
    /// The key is not acceptable here.
    Rejected,
    /// No decision was reached. Answer 503, never allow, and never 401.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

/// The precise cause of a refusal. Its texts are fixed and hold no input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiKeyRefusal {
    /// The text does not have the form of a key.
    Form,
    /// The checksum does not fit.
    Checksum,
    /// There is no key of this id.
    Unknown,
    /// The secret is another one.
    Secret,
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The key was rotated, and its grace is over.
    Rotated,
    /// The caller's address is in none of the key's networks.
    Network,
    /// The caller's address is not known, and the key is bound to networks.
    AddressUnknown,
    /// The page is none of the key's origins, or there are several `Origin` fields.
    Origin,
    /// The key is bound to origins, and the request names none.
    OriginMissing,
    /// The key is one of an old form, which is not accepted.
    Imported,
    /// The store of keys is not available.
    StoreUnavailable,
    /// So many look-ups are going on that another one was refused.
    TooManyLookups,
    /// The stored key cannot be read.
    Corrupt,
    /// The key was stored with a pepper that is not configured.
    PepperUnknown,
    /// The wall clock is not available.
    ClockUnavailable,
}

impl ApiKeyRefusal {
    /// The fixed text of the cause.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "the text does not have the form of an API key",
            Self::Checksum => "the checksum of the API key does not fit",
            Self::Unknown => "there is no API key of this id",
            Self::Secret => "the secret of the API key is another one",
            Self::Revoked => "the API key was revoked",
            Self::Expired => "the API key has expired",
            Self::Rotated => "the API key was rotated and its grace is over",
            Self::Network => "the caller's address is in none of the API key's networks",
            Self::AddressUnknown => {
                "the caller's address is not known and the API key is bound to networks"
            }
            Self::Origin => "the page is none of the API key's origins",
            Self::OriginMissing => "the API key is bound to origins and the request names none",
            Self::Imported => "API keys of the old form are not accepted",
            Self::StoreUnavailable => "the store of API keys is not available",
            Self::TooManyLookups => "too many API keys are being looked up",
            Self::Corrupt => "the stored API key cannot be read back",
            Self::PepperUnknown => "the API key was stored with a pepper that is not configured",
            Self::ClockUnavailable => "the wall clock is not available",
        }
    }
}

impl fmt::Display for ApiKeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ApiKeyRefusal {}

/// How long to wait when the clock, a pepper or a readable row is missing.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl ApiKeyError {
    pub(crate) const fn unavailable(refusal: ApiKeyRefusal, retry_after: Duration) -> Self {
        Self {
            kind: ApiKeyErrorKind::Unavailable { retry_after },
            refusal,
        }
    }

    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> ApiKeyErrorKind {
        self.kind
    }

    /// The precise cause, for logs and tests, never for the caller.
    #[must_use]
    pub const fn refusal(&self) -> ApiKeyRefusal {
        self.refusal
    }

    /// Whether the same key may be accepted later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, ApiKeyErrorKind::Unavailable { .. })
    }
}

impl From<ApiKeyRefusal> for ApiKeyError {
    fn from(refusal: ApiKeyRefusal) -> Self {
        use ApiKeyRefusal as R;
        let kind = match refusal {
            R::Form
            | R::Checksum
            | R::Unknown
            | R::Secret
            | R::Revoked
            | R::Expired
            | R::Rotated
            | R::Network
            | R::AddressUnknown
            | R::Origin
            | R::OriginMissing
            | R::Imported => ApiKeyErrorKind::Rejected,
            R::StoreUnavailable
            | R::TooManyLookups
            | R::Corrupt
            | R::PepperUnknown
            | R::ClockUnavailable => ApiKeyErrorKind::Unavailable {
                retry_after: RETRY_AFTER,
            },
        };
        Self { kind, refusal }
    }
}

impl From<&ApiKeyStoreError> for ApiKeyError {
    fn from(error: &ApiKeyStoreError) -> Self {
        match error.kind() {
            ApiKeyStoreErrorKind::Unavailable { retry_after } => {
                Self::unavailable(ApiKeyRefusal::StoreUnavailable, retry_after)
            }
            ApiKeyStoreErrorKind::Corrupt => ApiKeyRefusal::Corrupt.into(),
            // A look-up answers neither; a store that does is broken, and no decision was reached.
            ApiKeyStoreErrorKind::NotFound | ApiKeyStoreErrorKind::Conflict => {
                ApiKeyRefusal::StoreUnavailable.into()
            }
        }
    }
}

impl fmt::Display for ApiKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            ApiKeyErrorKind::Rejected => "the API key is not acceptable",
            ApiKeyErrorKind::Unavailable { .. } => "the API key cannot be judged now",
        })
    }
}

impl core::error::Error for ApiKeyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.refusal)
    }
}

/// Why a key was not made, rotated, revoked or listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyManagementError {
    /// The organisation has no such key, or none in this project.
    #[error("there is no such API key")]
    NotFound,
    /// The key is revoked, expired or rotated already, or somebody else was faster.
    #[error("the state of the API key does not permit this")]
    Conflict,
    /// The request cannot be granted. The text says why, and may be shown to whoever asked.
    #[error("{0}")]
    Refused(&'static str),
    /// A text that should be a key, or a prefix, is none.
    #[error(transparent)]
    Text(#[from] ApiKeyTextError),
    /// A pepper cannot be used.
    #[error(transparent)]
    Pepper(#[from] PepperError),
    /// The wall clock is not available.
    #[error("the wall clock is not available")]
    ClockUnavailable,
    /// The store failed.
    #[error("the store of API keys failed")]
    Store(#[source] ApiKeyStoreError),
}

impl ApiKeyManagementError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::ClockUnavailable => true,
            Self::Store(error) => error.is_retryable(),
            Self::NotFound
            | Self::Conflict
            | Self::Refused(_)
            | Self::Text(_)
            | Self::Pepper(_) => false,
        }
    }
}

impl From<ApiKeyStoreError> for ApiKeyManagementError {
    fn from(error: ApiKeyStoreError) -> Self {
        match error.kind() {
            ApiKeyStoreErrorKind::NotFound => Self::NotFound,
            ApiKeyStoreErrorKind::Conflict => Self::Conflict,
            ApiKeyStoreErrorKind::Corrupt | ApiKeyStoreErrorKind::Unavailable { .. } => {
                Self::Store(error)
            }
        }
    }
}
