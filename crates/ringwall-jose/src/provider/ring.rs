//! Verification with ring.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use ring::{agreement, hmac};

use super::{SignatureMismatch, SignatureProvider, VerifySignature};
use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::public_key::{Curve, PublicKey, PublicKeyParts};
use crate::secret_key::HmacSecret;

/// Verification with [ring](https://crates.io/crates/ring), the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct RingProvider;

impl SignatureProvider for RingProvider {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn public_key(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        match key.parts() {
            PublicKeyParts::Rsa { modulus, exponent } => Ok(Arc::new(Rsa {
                parameters: rsa_parameters(algorithm)?,
                key: RsaPublicKeyComponents {
                    n: modulus.into(),
                    e: exponent.into(),
                },
            })),
            PublicKeyParts::Ec { curve, point } => {
                prove_on_curve(curve, point)?;
                Ok(Arc::new(Point(UnparsedPublicKey::new(
                    ecdsa(curve),
                    point.into(),
                ))))
            }
            // ring cannot tell at load whether the bytes decode to a point. If they do not, no
            // signature verifies under the key, which is a refusal and not a hole.
            PublicKeyParts::Ed25519 { point } => Ok(Arc::new(Point(UnparsedPublicKey::new(
                &signature::ED25519,
                point.as_slice().into(),
            )))),
        }
    }

    /// Without the trial key agreement: *ring* finds a point that is not on its curve while it
    /// verifies, and answers as for any other bad signature.
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
        let verdict = match key.parts() {
            PublicKeyParts::Rsa { modulus, exponent } => {
                let parameters = rsa_parameters(algorithm).map_err(|_| SignatureMismatch)?;
                RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                }
                .verify(parameters, message, signature)
            }
            PublicKeyParts::Ec { curve, point } => {
                UnparsedPublicKey::new(ecdsa(curve), point).verify(message, signature)
            }
            PublicKeyParts::Ed25519 { point } => {
                UnparsedPublicKey::new(&signature::ED25519, point.as_slice())
                    .verify(message, signature)
            }
        };
        verdict.map_err(|_| SignatureMismatch)
    }

    fn hmac_key(
        &self,
        algorithm: Algorithm,
        secret: &HmacSecret,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        let algorithm = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512
            | Algorithm::Es256
            | Algorithm::Es384
            | Algorithm::EdDsa => return Err(KeyError::AlgorithmMismatch),
        };
        Ok(Arc::new(Mac(hmac::Key::new(algorithm, secret.expose()))))
    }
}

fn ecdsa(curve: Curve) -> &'static dyn VerificationAlgorithm {
    match curve {
        Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Result<&'static RsaParameters, KeyError> {
    match algorithm {
        Algorithm::Rs256 => Ok(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Ok(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Ok(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Ok(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Ok(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Ok(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Hs256
        | Algorithm::Hs384
        | Algorithm::Hs512
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::EdDsa => Err(KeyError::AlgorithmMismatch),
    }
}

/// Proves that the point is on the curve by a key agreement with it: ring checks the point there
/// and reports nothing else, whereas a failed verification could have other reasons.
fn prove_on_curve(curve: Curve, point: &[u8]) -> Result<(), KeyError> {
    let algorithm = match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
    };
    let ours = agreement::EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())
        .map_err(|_| KeyError::InvalidPoint)?;
    let theirs = agreement::UnparsedPublicKey::new(algorithm, point);
    agreement::agree_ephemeral(ours, &theirs, |_| ()).map_err(|_| KeyError::InvalidPoint)
}

struct Rsa {
    parameters: &'static RsaParameters,
    key: RsaPublicKeyComponents<Box<[u8]>>,
}

impl VerifySignature for Rsa {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.key
            .verify(self.parameters, message, signature)
            .map_err(|_| SignatureMismatch)
    }
}

struct Point(UnparsedPublicKey<Box<[u8]>>);

impl VerifySignature for Point {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0
            .verify(message, signature)
            .map_err(|_| SignatureMismatch)
    }
}

struct Mac(hmac::Key);

impl VerifySignature for Mac {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureMismatch)
    }
}
