//! The signature alone, over the very bytes of the token, with keys as far parsed as each library
//! lets them be.

use aws_lc_rs::{hmac as aws_hmac, signature as aws};
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::{hmac as ring_hmac, signature as ring_signature};
use ringwall_authn::jose::Algorithm;
use sha2::Sha256;

use crate::materials::{Materials, Public, Token};

/// A primitive with its key.
#[expect(
    clippy::large_enum_variant,
    reason = "there are three of them, and a box would be one more look into memory"
)]
pub enum Primitive {
    RingHmac(ring_hmac::Key),
    RingRsa(ring_signature::RsaPublicKeyComponents<Vec<u8>>),
    RingPoint(ring_signature::UnparsedPublicKey<Vec<u8>>),
    AwsHmac(aws_hmac::Key),
    AwsParsed(aws::ParsedPublicKey),
    RustCryptoHmac(Hmac<Sha256>),
}

impl Primitive {
    /// ring's.
    #[must_use]
    pub fn ring(materials: &Materials) -> Self {
        match &materials.public {
            Public::Secret(secret) => {
                Self::RingHmac(ring_hmac::Key::new(ring_hmac::HMAC_SHA256, secret))
            }
            Public::Rsa { modulus, exponent } => {
                Self::RingRsa(ring_signature::RsaPublicKeyComponents {
                    n: modulus.clone(),
                    e: exponent.clone(),
                })
            }
            Public::Point(point) => {
                let algorithm: &'static dyn ring_signature::VerificationAlgorithm =
                    if materials.algorithm == Algorithm::Es256 {
                        &ring_signature::ECDSA_P256_SHA256_FIXED
                    } else {
                        &ring_signature::ED25519
                    };
                let key = ring_signature::UnparsedPublicKey::new(algorithm, point.clone());
                Self::RingPoint(key)
            }
        }
    }

    /// AWS-LC's.
    ///
    /// # Panics
    ///
    /// When it refuses the key.
    #[must_use]
    pub fn aws_lc(materials: &Materials) -> Self {
        match &materials.public {
            Public::Secret(secret) => {
                Self::AwsHmac(aws_hmac::Key::new(aws_hmac::HMAC_SHA256, secret))
            }
            Public::Rsa { modulus, exponent } => {
                let parts = aws::RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let key = parts.to_parsed_public_key(&aws::RSA_PKCS1_2048_8192_SHA256);
                Self::AwsParsed(key.expect("an RSA key"))
            }
            Public::Point(point) => {
                let algorithm: &'static dyn aws::VerificationAlgorithm =
                    if materials.algorithm == Algorithm::Es256 {
                        &aws::ECDSA_P256_SHA256_FIXED
                    } else {
                        &aws::ED25519
                    };
                let key = aws::ParsedPublicKey::new(algorithm, point);
                Self::AwsParsed(key.expect("a point of the curve"))
            }
        }
    }

    /// The HMAC of the `hmac` and `sha2` crates; `None` for signatures.
    ///
    /// # Panics
    ///
    /// Never: an HMAC takes keys of any length.
    #[must_use]
    pub fn rust_crypto(materials: &Materials) -> Option<Self> {
        let Public::Secret(secret) = &materials.public else {
            return None;
        };
        let key = Hmac::new_from_slice(secret).expect("any length");
        Some(Self::RustCryptoHmac(key))
    }

    /// Verifies.
    ///
    /// # Panics
    ///
    /// When the signature is refused.
    pub fn verify(&self, token: &Token) {
        let (message, signature) = (token.signing_input(), &*token.signature);
        let is_valid = match self {
            Self::RingHmac(key) => ring_hmac::verify(key, message, signature).is_ok(),
            Self::RingRsa(key) => key
                .verify(
                    &ring_signature::RSA_PKCS1_2048_8192_SHA256,
                    message,
                    signature,
                )
                .is_ok(),
            Self::RingPoint(key) => key.verify(message, signature).is_ok(),
            Self::AwsHmac(key) => aws_hmac::verify(key, message, signature).is_ok(),
            Self::AwsParsed(key) => key.verify_sig(message, signature).is_ok(),
            Self::RustCryptoHmac(key) => {
                let mut mac = key.clone();
                mac.update(message);
                mac.verify_slice(signature).is_ok()
            }
        };
        assert!(is_valid, "the signature is valid");
    }
}
