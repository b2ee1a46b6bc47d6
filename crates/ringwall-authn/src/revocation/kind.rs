//! What a revocation takes back.

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::OrgId;

/// The longest name in a revocation, in bytes: an issuer may have that many.
const MAX_NAME: usize = 512;

/// A name in a revocation is empty, longer than 512 bytes, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name in a revocation is empty, longer than 512 bytes, or holds a control character")]
pub struct InvalidRevocation;

/// What is taken back. All names are compared byte for byte, and none is secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoked {
    /// One token.
    Token {
        /// `iss`.
        issuer: Box<str>,
        /// `jti`.
        token_id: Box<str>,
    },
    /// The tokens of a subject that were issued at or before a time, or do not say when they were, and
    /// those with which others act on its behalf.
    Subject {
        /// `iss`.
        issuer: Box<str>,
        /// `sub`.
        subject: Box<str>,
        /// `iat` of the last token that is concerned.
        issued_until: Timestamp,
    },
    /// The tokens that a signing key of their issuer verifies.
    SigningKey {
        /// `iss`.
        issuer: Box<str>,
        /// `kid`.
        key_id: Box<str>,
    },
    /// The tokens of an organisation, whoever issued them, that were issued at or before a time, or do
    /// not say when they were.
    Org {
        /// The organisation.
        org: Box<str>,
        /// `iat` of the last token that is concerned.
        issued_until: Timestamp,
    },
}

/// One revocation, and until when it has to be remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revocation {
    revoked: Revoked,
    last_expiry: Timestamp,
}

impl Revocation {
    /// Takes back what `revoked` says. `last_expiry` is when the longest-lived token that it can concern
    /// ends: it is remembered until then, and for the longest clock skew after it.
    ///
    /// # Errors
    ///
    /// [`InvalidRevocation`].
    pub fn new(revoked: Revoked, last_expiry: Timestamp) -> Result<Self, InvalidRevocation> {
        let names: [&str; 2] = match &revoked {
            Revoked::Token { issuer, token_id } => [issuer, token_id],
            Revoked::Subject {
                issuer, subject, ..
            } => [issuer, subject],
            Revoked::SigningKey { issuer, key_id } => [issuer, key_id],
            Revoked::Org { org, .. } => [org, org],
        };
        let is_name =
            |name: &str| (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
        if names.into_iter().all(is_name) {
            Ok(Self {
                revoked,
                last_expiry,
            })
        } else {
            Err(InvalidRevocation)
        }
    }

    /// Takes back all tokens of an organisation that were issued until now.
    #[must_use]
    pub fn org(org: &OrgId, issued_until: Timestamp, last_expiry: Timestamp) -> Self {
        Self {
            revoked: Revoked::Org {
                org: org.as_str().into(),
                issued_until,
            },
            last_expiry,
        }
    }

    /// What is taken back.
    #[must_use]
    pub const fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// When the longest-lived token that it can concern ends.
    #[must_use]
    pub const fn last_expiry(&self) -> Timestamp {
        self.last_expiry
    }
}
