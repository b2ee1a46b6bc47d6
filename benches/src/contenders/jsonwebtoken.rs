//! jsonwebtoken with its aws-lc-rs backend.

use jsonwebtoken::{
    Algorithm as Theirs, DecodingKey, TokenData, Validation,
    crypto::aws_lc::DEFAULT_PROVIDER as AWS_LC, decode,
};
use ringwall_authn::jose::Algorithm;

use crate::materials::{AUDIENCE, Claims, ISSUER, Materials, Public};

/// A key in the most prepared form that its interface has, and its strictest settings.
#[derive(Debug)]
pub struct Jsonwebtoken {
    key: DecodingKey,
    validation: Validation,
}

impl Jsonwebtoken {
    /// Prepared for the key.
    ///
    /// # Panics
    ///
    /// When the algorithm is not one that is measured.
    #[must_use]
    pub fn new(materials: &Materials) -> Self {
        // Another peer brings a second backend, so it has to be said which one is meant; all but the
        // first to say so say what is so already.
        AWS_LC.install_default().ok();
        let algorithm = match materials.algorithm {
            Algorithm::Hs256 => Theirs::HS256,
            Algorithm::Rs256 => Theirs::RS256,
            Algorithm::Es256 => Theirs::ES256,
            Algorithm::EdDsa => Theirs::EdDSA,
            other => panic!("{other} is not measured"),
        };
        let key = match &materials.public {
            Public::Secret(secret) => DecodingKey::from_secret(secret),
            Public::Rsa { modulus, exponent } => {
                DecodingKey::from_rsa_raw_components(modulus, exponent)
            }
            Public::Point(point) if materials.algorithm == Algorithm::Es256 => {
                DecodingKey::from_ec_der(point)
            }
            Public::Point(point) => DecodingKey::from_ed_der(point),
        };
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "sub", "aud", "exp", "nbf"]);
        validation.validate_nbf = true;
        Self { key, validation }
    }

    /// Verifies.
    ///
    /// # Panics
    ///
    /// When the token is refused.
    #[must_use]
    pub fn verify(&self, token: &str) -> TokenData<Claims> {
        decode(token, &self.key, &self.validation).expect("a valid token")
    }
}
