//! Keys as the key types of [jsonwebtoken](https://crates.io/crates/jsonwebtoken) 11, for services
//! that decode with it.

use ::jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use ringwall_jose::KeysUnavailable;

use crate::client::JwksClient;

/// A key of jsonwebtoken with the one algorithm it is for. jsonwebtoken itself pins none to a key,
/// so always decode with [`PinnedKey::validation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PinnedKey {
    /// The key.
    pub key: DecodingKey,
    /// Its algorithm, which is the one of the token's header.
    pub algorithm: Algorithm,
}

/// Why there is no key to decode with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodingKeyError {
    /// Nobody can tell whether the token's key is good: answer 503 with `Retry-After`.
    #[error(transparent)]
    Unavailable(#[from] KeysUnavailable),
    /// The issuer has no such key, the token names another algorithm than the key's, or it names
    /// critical parameters (`crit`), of which none is understood: answer 401.
    #[error("the token's key is not one of the issuer's, or its header is not acceptable")]
    Rejected,
}

impl JwksClient {
    /// The key that a token's header means, fetched when it is not there.
    ///
    /// # Errors
    ///
    /// [`DecodingKeyError`].
    pub async fn decoding_key(&self, header: &Header) -> Result<PinnedKey, DecodingKeyError> {
        // RFC 7515 §4.1.11: nothing is understood here, and jsonwebtoken looks at none of it.
        if header.crit.is_some() {
            return Err(DecodingKeyError::Rejected);
        }
        let key = self
            .key(header.kid.as_deref())
            .await?
            .ok_or(DecodingKeyError::Rejected)?;
        let algorithm = Algorithm::from(key.algorithm());
        if algorithm != header.alg {
            return Err(DecodingKeyError::Rejected);
        }
        let public = key.public_key().ok_or(DecodingKeyError::Rejected)?;
        Ok(PinnedKey {
            key: DecodingKey::from(public),
            algorithm,
        })
    }
}

impl PinnedKey {
    /// What to validate a token of this key by: its algorithm alone, and `exp`, `nbf`, `iss` and
    /// `aud`, of which jsonwebtoken by itself lets the last two be absent.
    #[must_use]
    pub fn validation(&self, issuer: &str, audience: &str) -> Validation {
        let mut validation = Validation::new(self.algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        validation
    }
}
