//! Tokens that are taken back before they expire.

#[cfg(feature = "conformance")]
pub mod conformance;
mod kind;
mod memory;
mod revoker;
mod steady;
mod store;
mod stored;
mod synced;

pub use kind::{InvalidRevocation, Revocation, Revoked};
pub use memory::{MemoryRevocations, RevocationsFull};
pub use revoker::{OrgRevocationError, OrgRevoked, Revoker};
pub use store::{
    MemoryRevocationStore, RevocationCursor, RevocationPage, RevocationStore,
    RevocationStoreAnswer, RevocationStoreError,
};
pub use stored::{StoredRevocation, UnreadableRevocation};
pub use synced::{
    DEFAULT_REVOCATION_CAPACITY, DEFAULT_REVOCATION_STALENESS, InvalidStaleness,
    MAX_REVOCATION_STALENESS, SyncedRevocations, SyncedRevocationsBuilder,
};

use core::fmt;
use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Principal, Subject, Tenant};

use crate::token::VerifiedToken;

/// What a revocation can be about.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// The party that acts, unique within the issuer: the subject, or the actor of a delegated
    /// token.
    pub subject: &'a str,
    /// The subject for whom an actor acts. Whoever revokes a subject means what others do in its
    /// name too.
    pub on_behalf_of: Option<&'a str>,
    /// `jti`, if the token has one.
    pub token_id: Option<&'a str>,
    /// The id of the key that verified its signature, if the key has one. A token need not name it.
    pub key_id: Option<&'a str>,
    /// `iat`, if the token has one.
    pub issued_at: Option<Timestamp>,
    /// The tenant, if the token has one.
    pub tenant: Option<&'a Tenant>,
}

impl<'a> TokenFacts<'a> {
    pub(crate) fn new(
        issuer: &'a str,
        principal: &'a Principal,
        key_id: Option<&'a str>,
        issued_at: Option<Timestamp>,
    ) -> Self {
        Self {
            issuer,
            subject: principal.subject.as_str(),
            on_behalf_of: principal.on_behalf_of.as_ref().map(Subject::as_str),
            token_id: principal.authentication.credential_id.as_deref(),
            key_id,
            issued_at,
            tenant: principal.tenant.as_ref(),
        }
    }

    pub(crate) fn of(token: &'a VerifiedToken) -> Self {
        Self::new(
            token.issuer(),
            &token.principal,
            token.key_id(),
            token.issued_at(),
        )
    }
}

/// Whether a token was revoked cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocations are not available")]
pub struct RevocationsUnavailable {
    /// When to try again.
    pub retry_after: Duration,
}

/// Says whether a token was taken back. It is asked for every token, cached ones too, so it
/// answers from memory: a remote list is kept in step in the background, and its staleness is
/// stated by whoever keeps it.
pub trait Revocations: Send + Sync + fmt::Debug {
    /// Whether the token was revoked.
    ///
    /// # Errors
    ///
    /// [`RevocationsUnavailable`] when it cannot be said; the request is then answered 503.
    fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable>;
}

/// Nothing is ever revoked: short-lived tokens are the whole answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRevocations;

impl Revocations for NoRevocations {
    fn is_revoked(&self, _token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
        Ok(false)
    }
}
