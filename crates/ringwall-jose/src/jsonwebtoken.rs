//! Conversions from and to the key types of [jsonwebtoken](https://crates.io/crates/jsonwebtoken)
//! 11.
//!
//! No backend of it is switched on here, and none is needed: verification stays with a
//! [`SignatureProvider`]. Whoever still decodes with it elsewhere switches one on there.

use ::jsonwebtoken::DecodingKey;
use ::jsonwebtoken::jwk::{Jwk, JwkSet};
use serde::Serialize;

use crate::algorithm::Algorithm;
use crate::error::{KeyError, KeySetError};
use crate::json::{Document, Limits};
use crate::jwk;
use crate::key::VerificationKey;
use crate::provider::SignatureProvider;
use crate::public_key::{PublicKey, PublicKeyParts};
use crate::set::KeySetBuilder;

/// Checks a key as one that was read from a document.
///
/// jsonwebtoken forgets the members it does not know, so a key that was published with its
/// private part passes here and is refused by [`KeySetBuilder::document`]. Prefer the document.
impl TryFrom<&Jwk> for PublicKey {
    type Error = KeyError;

    fn try_from(key: &Jwk) -> Result<Self, KeyError> {
        jwk::public_key(document(key)?.root())
    }
}

impl VerificationKey {
    /// Checks a key of jsonwebtoken as strictly as one of a document: its type, use, operations,
    /// strength and algorithm. `rsa_algorithm` is for RSA keys that name none.
    ///
    /// jsonwebtoken forgets the members it does not know, so a key that was published with its
    /// private part passes here and is refused by [`KeySetBuilder::document`]. Prefer the
    /// document.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn from_jsonwebtoken(
        key: &Jwk,
        rsa_algorithm: Algorithm,
        provider: &dyn SignatureProvider,
    ) -> Result<Self, KeyError> {
        jwk::parse(document(key)?.root(), rsa_algorithm, provider)
    }
}

impl KeySetBuilder {
    /// Adds the keys of a set of jsonwebtoken, as [`KeySetBuilder::document`] does with a text.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] when the set as a whole is unusable.
    pub fn jsonwebtoken(self, keys: &JwkSet) -> Result<Self, KeySetError> {
        self.document(&text(keys).ok_or(KeySetError::Shape)?)
    }
}

/// For decoding with jsonwebtoken, which pins no algorithm to a key: give its `Validation` exactly
/// one.
impl From<&PublicKey> for DecodingKey {
    fn from(key: &PublicKey) -> Self {
        match key.parts() {
            PublicKeyParts::Rsa { modulus, exponent } => {
                Self::from_rsa_raw_components(modulus, exponent)
            }
            // What it calls DER is the point itself.
            PublicKeyParts::Ec { point, .. } => Self::from_ec_der(point),
            PublicKeyParts::Ed25519 { point } => Self::from_ed_der(point),
        }
    }
}

impl From<Algorithm> for ::jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::HS256,
            Algorithm::Hs384 => Self::HS384,
            Algorithm::Hs512 => Self::HS512,
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Rs384 => Self::RS384,
            Algorithm::Rs512 => Self::RS512,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Ps384 => Self::PS384,
            Algorithm::Ps512 => Self::PS512,
            Algorithm::Es256 => Self::ES256,
            Algorithm::Es384 => Self::ES384,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}

fn document(key: &Jwk) -> Result<Document, KeyError> {
    text(key)
        .and_then(|text| Document::parse(text, Limits::KEY_SET).ok())
        .ok_or(KeyError::Malformed)
}

fn text(value: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(value).ok()
}
