//! Signed texts that bring their own key, to show that its private part is at hand.

use core::fmt;
use std::borrow::Cow;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::compact::{
    CompactLimits, MAX_SIGNATURE_BYTES, OwnKey, Segments, SignatureValid, check_header,
    parse_header,
};
use crate::error::{CompactError, KeyError};
use crate::jwk;
use crate::provider::{SignatureMismatch, SignatureProvider};
use crate::public_key::PublicKey;

/// A compact JWS with its key in the header (`jwk`, RFC 7515 §4.1.3), whose form was checked, and
/// whose signature was **not**.
///
/// Anybody can make one: under a key of their own it proves nothing but that they hold that key. So
/// it is no token. It is worth something only where somebody else vouched for the key before, as an
/// access token does by its thumbprint (RFC 9449 §6.1); and [`CompactJws`](crate::CompactJws), which
/// reads tokens, goes on to refuse every text of this kind.
///
/// The key is public and asymmetric, fits the algorithm, and has no private member. Nothing else in
/// the header leads to a key: `jku`, `x5u`, `x5c` are refused, and so are `crit`, `b64`, `zip`, `cty`.
///
/// ```
/// use ringwall_jose::{CompactLimits, ProofJws, RingProvider};
///
/// # fn read(text: &str, vouched_for: &[u8; 32]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
/// let proof = ProofJws::parse(text, CompactLimits::default())?;
/// if proof.thumbprint() != vouched_for {
///     return Err("somebody else's key".into());
/// }
/// proof.verify(&RingProvider)?;
/// # Ok(proof.unverified_payload()?)
/// # }
/// ```
pub struct ProofJws<'t> {
    text: Cow<'t, str>,
    /// The lengths of the header and of `header.payload` within the text.
    header_bytes: usize,
    signed_bytes: usize,
    algorithm: Algorithm,
    token_type: Option<Box<str>>,
    key: PublicKey,
    thumbprint: [u8; 32],
}

/// Why a text is not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ProofJwsError {
    /// It is not an acceptable compact JWS.
    #[error(transparent)]
    Form(#[from] CompactError),
    /// The header has no `jwk`.
    #[error("the header brings no key")]
    KeyMissing,
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The algorithm is symmetric: whoever verifies could have signed.
    #[error("a shared secret proves nothing")]
    Symmetric,
}

impl<'t> ProofJws<'t> {
    /// Checks the form of `text`, its header and its key.
    ///
    /// # Errors
    ///
    /// [`ProofJwsError`], which repeats nothing of the text.
    pub fn parse(text: &'t str, limits: CompactLimits) -> Result<Self, ProofJwsError> {
        let segments = Segments::split(text, limits)?;
        let document = parse_header(segments.header, limits.header_bytes)?;
        let algorithm = check_header(&document, OwnKey::Permitted)?;
        if algorithm.is_symmetric() {
            return Err(ProofJwsError::Symmetric);
        }
        let header = document.root();
        let jwk = header.get("jwk").ok_or(ProofJwsError::KeyMissing)?;
        let key = jwk::parse_own(jwk, algorithm)?;
        Ok(Self {
            header_bytes: segments.header.len(),
            signed_bytes: segments.signing_input.len(),
            text: Cow::Borrowed(text),
            algorithm,
            token_type: header
                .get("typ")
                .and_then(|typ| typ.as_str())
                .map(Box::from),
            thumbprint: key.thumbprint(),
            key,
        })
    }

    /// The same, with a text of its own: for whoever has to wait before the signature is verified.
    #[must_use]
    pub fn into_owned(self) -> ProofJws<'static> {
        ProofJws {
            text: Cow::Owned(self.text.into_owned()),
            header_bytes: self.header_bytes,
            signed_bytes: self.signed_bytes,
            algorithm: self.algorithm,
            token_type: self.token_type,
            key: self.key,
            thumbprint: self.thumbprint,
        }
    }

    /// The algorithm of the header, which fits the key and is not symmetric.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `typ` of the header, if it has one.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// The key that the text brings.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The SHA-256 thumbprint of that key (RFC 7638).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The payload, which nobody has vouched for yet.
    ///
    /// # Errors
    ///
    /// [`CompactError::Encoding`].
    pub fn unverified_payload(&self) -> Result<Vec<u8>, CompactError> {
        let start = self.header_bytes.saturating_add(1);
        let payload = self.text.get(start..self.signed_bytes);
        payload
            .and_then(base64url::decode)
            .ok_or(CompactError::Encoding)
    }

    /// Verifies the signature under the key that the text brings.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever the reason, a point that is not on its curve included.
    pub fn verify(
        &self,
        provider: &dyn SignatureProvider,
    ) -> Result<SignatureValid, SignatureMismatch> {
        let (signed, rest) = self
            .text
            .split_at_checked(self.signed_bytes)
            .ok_or(SignatureMismatch)?;
        let encoded = rest.strip_prefix('.').ok_or(SignatureMismatch)?;
        let mut buffer = [0; MAX_SIGNATURE_BYTES];
        let signature = base64url::decode_into(encoded, &mut buffer).ok_or(SignatureMismatch)?;
        if self
            .algorithm
            .signature_bytes()
            .is_some_and(|length| length != signature.len())
        {
            return Err(SignatureMismatch);
        }
        provider.verify_once(self.algorithm, &self.key, signed.as_bytes(), signature)?;
        Ok(SignatureValid::of_a_proof())
    }
}

/// Shows nothing of the text: until it was used, it is a credential.
impl fmt::Debug for ProofJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofJws")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
