//! What can go wrong with the keys of a remote issuer.

use std::sync::Arc;

use ringwall_core::event::EventKind;
use ringwall_jose::KeySetError;

use crate::endpoint::EndpointError;
use crate::fetch::{FetchError, FetchErrorKind};
use crate::metadata::MetadataError;
use crate::policy::RefreshPolicyError;

/// Why a client was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The URL of the keys or of the issuer is not acceptable. For `http` to this machine, see
    /// [`JwksClientBuilder::profile`](crate::JwksClientBuilder::profile).
    #[error("the URL is not acceptable: {0}")]
    Endpoint(#[from] EndpointError),
    /// The refresh policy contradicts itself.
    #[error("the refresh policy contradicts itself: {0}")]
    Policy(#[from] RefreshPolicyError),
    /// There is no tokio runtime for the task that refreshes.
    #[error("a client is started within a tokio runtime")]
    NoRuntime,
}

/// Why an attempt to refresh brought no keys. The keys in use stay in use until they expire, and
/// the next attempt is made by itself.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The key set could not be fetched.
    #[error("the key set could not be fetched: {0}")]
    Fetch(#[source] FetchError),
    /// The key set is not usable as a whole.
    #[error("the key set is not usable: {0}")]
    KeySet(#[source] Arc<KeySetError>),
    /// The metadata of the issuer could not be fetched.
    #[error("the metadata of the issuer could not be fetched: {0}")]
    MetadataFetch(#[source] FetchError),
    /// The metadata of the issuer is not usable.
    #[error("the metadata of the issuer is not usable: {0}")]
    Metadata(#[source] MetadataError),
    /// The code that builds key sets panicked, or did not end within
    /// [`RefreshPolicy::timeout`](crate::RefreshPolicy::timeout) of the beginning of the fetch:
    /// the runtime had no thread for it, or it is stuck.
    #[error("the key set could not be built")]
    Builder,
}

impl RefreshError {
    /// A fixed text for events.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Fetch(error) | Self::MetadataFetch(error) => error.kind().as_str(),
            Self::KeySet(_) => "the key set is not usable",
            Self::Metadata(MetadataError::Issuer) => "the metadata is of another issuer",
            Self::Metadata(_) => "the metadata is not usable",
            Self::Builder => "the key set could not be built",
        }
    }

    /// Whether waiting can heal it. `false` when somebody has to change a setting, here or at the
    /// issuer: metadata of another issuer or without usable `jwks_uri`, an address that must not be
    /// asked. The client goes on trying in either case.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Fetch(error) | Self::MetadataFetch(error) => {
                !matches!(error.kind(), FetchErrorKind::AddressRefused)
            }
            Self::Metadata(error) => matches!(error, MetadataError::Json),
            Self::KeySet(_) | Self::Builder => true,
        }
    }

    /// The kind of the fetch that failed; `None` when the fetch itself succeeded.
    #[must_use]
    pub const fn fetch_kind(&self) -> Option<FetchErrorKind> {
        match self {
            Self::Fetch(error) | Self::MetadataFetch(error) => Some(error.kind()),
            Self::KeySet(_) | Self::Metadata(_) | Self::Builder => None,
        }
    }

    /// What cannot be used is another thing than what cannot be had: somebody may answer in the
    /// issuer's place.
    pub(crate) const fn event(&self) -> EventKind {
        match self {
            Self::KeySet(_) | Self::Metadata(_) => EventKind::KeysRefused,
            Self::Fetch(_) | Self::MetadataFetch(_) | Self::Builder => EventKind::KeysRefreshFailed,
        }
    }

    pub(crate) const fn pause(&self) -> Option<core::time::Duration> {
        match self {
            Self::Fetch(error) | Self::MetadataFetch(error) => error.asked_pause(),
            Self::KeySet(_) | Self::Metadata(_) | Self::Builder => None,
        }
    }
}

/// Why the first keys are not there.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrefetchError {
    /// As many attempts as [`RefreshPolicy::attempts`](crate::RefreshPolicy::attempts) failed.
    /// More are made as long as the client lives.
    #[error("no keys could be had: {0}")]
    Failed(#[source] RefreshError),
    /// The client was shut down, or the runtime of its task ended.
    #[error("the client was stopped")]
    Stopped,
}

impl PrefetchError {
    /// Whether the keys can come by themselves, so that a service may start without them and
    /// answer 503 until then. Otherwise it is better not to start.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Failed(error) => error.is_retryable(),
            Self::Stopped => false,
        }
    }
}
