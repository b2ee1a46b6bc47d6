//! Who does the arithmetic.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod ring;

use core::fmt;
use std::sync::Arc;

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc::AwsLcProvider;
pub use self::ring::RingProvider;
use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::public_key::PublicKey;
use crate::secret_key::HmacSecret;

/// The signature is not the key's signature of the message. There is no other reason to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct SignatureMismatch;

/// Makes keys ready to verify. Passed in as a value: there is no process-wide provider that one
/// library could take from another.
///
/// # Contract
///
/// - [`public_key`](Self::public_key) refuses an elliptic-curve point that is not on its curve.
/// - The answered verifier accepts a signature only in the form of RFC 7518 §3 and RFC 8037 §3.1:
///   ECDSA as the fixed-length concatenation of `r` and `s`, each in 1 … n - 1, never DER; Ed25519
///   with `S` below the group order.
/// - Whatever can be computed from the key alone is computed here, once.
pub trait SignatureProvider: Send + Sync + fmt::Debug {
    /// The provider's name, for reports and benchmarks.
    fn name(&self) -> &'static str;

    /// Takes over a public key for `algorithm`, which fits it.
    ///
    /// # Errors
    ///
    /// [`KeyError::InvalidPoint`] or [`KeyError::Unsupported`].
    fn public_key(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
    ) -> Result<Arc<dyn VerifySignature>, KeyError>;

    /// Verifies one signature under a key that nobody will ask for again, as a proof of possession
    /// brings it. It accepts exactly what an `algorithm` that fits, [`public_key`](Self::public_key) and the verifier it
    /// answers accept; a provider that checks the key at load by work of its own can leave that work
    /// to the verification here.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever the reason, an invalid key included.
    fn verify_once(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureMismatch> {
        if !key.fits(algorithm) {
            return Err(SignatureMismatch);
        }
        let verifier = self
            .public_key(algorithm, key)
            .map_err(|_| SignatureMismatch)?;
        verifier.verify(message, signature)
    }

    /// Takes over a symmetric secret for `algorithm`, which is an HMAC.
    ///
    /// # Errors
    ///
    /// [`KeyError::AlgorithmMismatch`] when it is not.
    fn hmac_key(
        &self,
        algorithm: Algorithm,
        secret: &HmacSecret,
    ) -> Result<Arc<dyn VerifySignature>, KeyError>;
}

/// One key for one algorithm, ready to verify from any thread.
pub trait VerifySignature: Send + Sync {
    /// Verifies `signature` over `message`.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever the reason.
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch>;
}
