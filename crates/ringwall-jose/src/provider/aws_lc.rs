//! Verification with AWS-LC.

use std::sync::Arc;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};

use super::{SignatureMismatch, SignatureProvider, VerifySignature};
use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::public_key::{Curve, PublicKey, PublicKeyParts};
use crate::secret_key::HmacSecret;

/// Verification with [aws-lc-rs](https://crates.io/crates/aws-lc-rs): faster RSA, and keys that
/// stay parsed.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLcProvider;

impl SignatureProvider for AwsLcProvider {
    fn name(&self) -> &'static str {
        "aws-lc"
    }

    fn public_key(
        &self,
        algorithm: Algorithm,
        key: &PublicKey,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        let parsed = match key.parts() {
            PublicKeyParts::Rsa { modulus, exponent } => RsaPublicKeyComponents {
                n: modulus,
                e: exponent,
            }
            .to_parsed_public_key(rsa_parameters(algorithm)?)
            .map_err(|_| KeyError::Malformed)?,
            PublicKeyParts::Ec { curve, point } => {
                let algorithm: &'static dyn VerificationAlgorithm = match curve {
                    Curve::P256 => &signature::ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &signature::ECDSA_P384_SHA384_FIXED,
                };
                // AWS-LC refuses a point that is not on the curve when it parses it.
                ParsedPublicKey::new(algorithm, point).map_err(|_| KeyError::InvalidPoint)?
            }
            PublicKeyParts::Ed25519 { point } => ParsedPublicKey::new(&signature::ED25519, point)
                .map_err(|_| KeyError::InvalidPoint)?,
        };
        Ok(Arc::new(Public(parsed)))
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

struct Public(ParsedPublicKey);

impl VerifySignature for Public {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        self.0
            .verify_sig(message, signature)
            .map_err(|_| SignatureMismatch)
    }
}

struct Mac(hmac::Key);

impl VerifySignature for Mac {
    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureMismatch)
    }
}
