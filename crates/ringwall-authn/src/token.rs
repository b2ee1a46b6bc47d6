//! A token that was verified.

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_jose::json::{Document, ShapeError, Value};
use serde::de::DeserializeOwned;

use crate::confirmation::Confirmation;
use crate::issuer_table::IssuerState;

/// The claims of a verified token, parsed once.
#[derive(Clone)]
pub struct Claims(Document);

impl Claims {
    pub(crate) const fn new(document: Document) -> Self {
        Self(document)
    }

    /// Reads the claims into a type of the service's own.
    ///
    /// The claims are those that were verified, walked again and not parsed again: there is no
    /// second reading that could differ.
    ///
    /// serde fills a derived struct from an array too, by position. Where a claim must be an
    /// object, look at [`Claims::get`] and [`Value::as_object`] first.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] when they do not fit. That is a fault of the issuer's or the service's
    /// configuration rather than of the caller.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, ShapeError> {
        self.0.root().deserialize()
    }

    /// The claim `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.0.root().get(name)
    }

    pub(crate) fn footprint(&self) -> usize {
        self.0.footprint()
    }
}

impl fmt::Debug for Claims {
    /// Shows no content: claims hold personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims([redacted])")
    }
}

/// A token whose signature and claims were verified, with the principal it speaks for.
///
/// Only a [`TokenVerifier`](crate::TokenVerifier) makes one. If the token is bound to a key or a
/// certificate, its sender showed possession for the request that brought it
/// ([`BoundToken`](crate::BoundToken)).
pub struct VerifiedToken {
    pub(crate) principal: VerifiedPrincipal,
    pub(crate) claims: Claims,
    pub(crate) times: Times,
    /// The id of the key that verified it.
    pub(crate) key_id: Option<Box<str>>,
    /// Whether the token itself names its key.
    pub(crate) names_key: bool,
    pub(crate) confirmation: Option<Confirmation>,
    pub(crate) is_narrowed: bool,
    /// Under which policy and keys it was verified, so that a cache can tell when that no longer
    /// holds.
    pub(crate) issuer: Arc<IssuerState>,
    pub(crate) generation: u64,
}

/// The times of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) expires_at: Timestamp,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) issued_at: Option<Timestamp>,
    pub(crate) authenticated_at: Option<Timestamp>,
}

impl VerifiedToken {
    /// Who the token speaks for.
    #[must_use]
    pub const fn principal(&self) -> &VerifiedPrincipal {
        &self.principal
    }

    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.issuer.policy.issuer()
    }

    /// When the token ends. Streams end or are re-checked then.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.times.expires_at
    }

    /// When the token was issued, if it says so.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.times.issued_at
    }

    /// The id of the token (`jti`), if it has one.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.principal.authentication.credential_id.as_deref()
    }

    /// The id of the key that verified its signature, if the key has one: also for a token that names no
    /// key, of an issuer that publishes one alone.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What the token is bound to (`cnf`); `None` for a bearer token. Its sender showed it, or there
    /// would be no [`VerifiedToken`].
    #[must_use]
    pub const fn confirmation(&self) -> Option<&Confirmation> {
        self.confirmation.as_ref()
    }

    /// Whether the token said scopes or roles that its issuer may not grant
    /// ([`allowed_scopes`](crate::IssuerPolicyBuilder::allowed_scopes)). The principal has none of them; the
    /// [`claims`](Self::claims) say what they say.
    #[must_use]
    pub const fn is_narrowed(&self) -> bool {
        self.is_narrowed
    }

    /// The bytes it occupies, for the accounting of the cache.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>()
            .saturating_add(self.principal.footprint())
            .saturating_add(self.claims.footprint())
            .saturating_add(self.key_id.as_ref().map_or(0, |id| id.len()))
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer())
            .field("subject", &self.principal.subject)
            .field("expires_at", &self.times.expires_at)
            .finish_non_exhaustive()
    }
}
