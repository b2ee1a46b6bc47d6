//! What a readiness probe asks of a TLS configuration.

use std::sync::Arc;

use ringwall_core::clock::Timestamp;

use super::error::TlsError;

/// How a TLS configuration stands. It is answered at once, also while a slow disk is looked at.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsStatus {
    /// Counts the configurations that were in force, from 1.
    pub generation: u64,
    /// The generation of the trust in clients; zero for a client's own configuration.
    pub trust_generation: u64,
    /// The last second of the own certificate; `None` when there is none.
    pub not_after: Option<Timestamp>,
    /// When the first revocation list is out of date, and nobody of its issuer accepted any more.
    pub lists_until: Option<Timestamp>,
    /// What was wrong at the last look. What is in force was not touched by it.
    pub failure: Option<Arc<TlsError>>,
}

impl TlsStatus {
    /// Whether the certificate and the lists are in their dates at `now`: a service that is not ready
    /// by this fails every handshake, or every one with a client certificate.
    #[must_use]
    pub fn is_ready(&self, now: Timestamp) -> bool {
        // The last second counts as a whole.
        let lasts = self
            .not_after
            .is_none_or(|end| now.unix_seconds() <= end.unix_seconds());
        lasts && self.lists_until.is_none_or(|end| now < end)
    }

    /// Whether the last look found nothing wrong, so that what is in force is what the files say.
    #[must_use]
    pub const fn is_current(&self) -> bool {
        self.failure.is_none()
    }
}
