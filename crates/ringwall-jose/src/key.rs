//! A key that is ready to verify.

use core::fmt;
use std::sync::Arc;

use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::provider::{SignatureMismatch, SignatureProvider, VerifySignature};
use crate::public_key::PublicKey;
use crate::secret_key::HmacSecret;

/// A key id: 1 to 256 visible ASCII characters, compared byte for byte.
///
/// It is only ever looked up in a map. The bound keeps it out of the ways (file names, SQL, log
/// lines) in which others' key ids were made to do more.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(Box<str>);

impl KeyId {
    /// The longest key id in bytes.
    pub const MAX_BYTES: usize = 256;

    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`KeyError::InvalidKeyId`].
    pub fn new(text: &str) -> Result<Self, KeyError> {
        if Self::is_valid(text) {
            Ok(Self(text.into()))
        } else {
            Err(KeyError::InvalidKeyId)
        }
    }

    pub(crate) fn is_valid(text: &str) -> bool {
        !text.is_empty()
            && text.len() <= Self::MAX_BYTES
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl core::borrow::Borrow<str> for KeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// One key, parsed and checked, pinned to one algorithm (RFC 8725 §3.1): the token's `alg` can
/// agree with it or be refused, never choose.
#[derive(Clone)]
pub struct VerificationKey {
    id: Option<KeyId>,
    algorithm: Algorithm,
    thumbprint: [u8; 32],
    /// What the verifier was made of, for whoever verifies elsewhere; `None` for a secret.
    public: Option<Arc<PublicKey>>,
    verifier: Arc<dyn VerifySignature>,
}

impl VerificationKey {
    /// A public key for `algorithm`.
    ///
    /// # Errors
    ///
    /// [`KeyError::AlgorithmMismatch`] when the algorithm does not belong to the key's type,
    /// [`KeyError::InvalidPoint`] when the provider finds the key invalid.
    pub fn public(
        id: Option<KeyId>,
        algorithm: Algorithm,
        key: &PublicKey,
        provider: &dyn SignatureProvider,
    ) -> Result<Self, KeyError> {
        if !key.fits(algorithm) {
            return Err(KeyError::AlgorithmMismatch);
        }
        let verifier = provider.public_key(algorithm, key)?;
        Ok(Self {
            id,
            algorithm,
            thumbprint: key.thumbprint(),
            public: Some(Arc::new(key.clone())),
            verifier,
        })
    }

    /// A secret shared with the signer. Whoever verifies can also sign, which is why
    /// [`HmacSecret`] exists in the development profile only.
    ///
    /// # Errors
    ///
    /// [`KeyError::AlgorithmMismatch`] when `algorithm` is not an HMAC.
    pub fn symmetric(
        id: Option<KeyId>,
        algorithm: Algorithm,
        secret: &HmacSecret,
        provider: &dyn SignatureProvider,
    ) -> Result<Self, KeyError> {
        if !algorithm.is_symmetric() {
            return Err(KeyError::AlgorithmMismatch);
        }
        let verifier = provider.hmac_key(algorithm, secret)?;
        Ok(Self {
            id,
            algorithm,
            thumbprint: secret.fingerprint(),
            public: None,
            verifier,
        })
    }

    /// The id under which tokens name the key.
    #[must_use]
    pub const fn id(&self) -> Option<&KeyId> {
        self.id.as_ref()
    }

    /// The same key under another id.
    #[must_use]
    pub fn with_id(mut self, id: KeyId) -> Self {
        self.id = Some(id);
        self
    }

    /// The one algorithm the key is pinned to.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The SHA-256 thumbprint (RFC 7638); for a secret, a fingerprint that reveals nothing.
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The public key, for a library that verifies by itself: pin it to [`Self::algorithm`]
    /// there too. `None` for a shared secret, which never leaves.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.public.as_deref()
    }

    /// Verifies `signature` over `message`.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever the reason.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        if self
            .algorithm
            .signature_bytes()
            .is_some_and(|length| length != signature.len())
        {
            return Err(SignatureMismatch);
        }
        self.verifier.verify(message, signature)
    }

    /// Whether both are the same key for the same algorithm.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint && self.algorithm == other.algorithm
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
