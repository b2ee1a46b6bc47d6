//! jwt-simple with its pure-Rust backend.

use std::collections::HashSet;

use jwt_simple::prelude::{
    Duration, ECDSAP256PublicKeyLike as _, ES256PublicKey, Ed25519PublicKey,
    EdDSAPublicKeyLike as _, HS256Key, JWTClaims, MACLike as _, RS256PublicKey,
    RSAPublicKeyLike as _, VerificationOptions,
};
use ringwall_authn::jose::Algorithm;
use serde::{Deserialize, Serialize};

use crate::materials::{AUDIENCE, ISSUER, Materials, Public};

/// A parsed key and its strictest settings.
pub struct JwtSimple {
    key: Key,
    options: VerificationOptions,
}

enum Key {
    Hs256(HS256Key),
    Rs256(RS256PublicKey),
    Es256(ES256PublicKey),
    EdDsa(Ed25519PublicKey),
}

/// The claims beside those that jwt-simple reads by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Custom {
    pub client_id: String,
    pub scope: String,
    pub roles: Vec<String>,
    pub org_id: String,
    pub project_id: String,
}

impl JwtSimple {
    /// Prepared for the key.
    ///
    /// # Panics
    ///
    /// When the key is refused.
    #[must_use]
    pub fn new(materials: &Materials) -> Self {
        let key = match &materials.public {
            Public::Secret(secret) => Key::Hs256(HS256Key::from_bytes(secret)),
            Public::Rsa { modulus, exponent } => {
                Key::Rs256(RS256PublicKey::from_components(modulus, exponent).expect("an RSA key"))
            }
            Public::Point(point) if materials.algorithm == Algorithm::Es256 => {
                Key::Es256(ES256PublicKey::from_bytes(point).expect("a P-256 key"))
            }
            Public::Point(point) => {
                Key::EdDsa(Ed25519PublicKey::from_bytes(point).expect("an Ed25519 key"))
            }
        };
        let options = VerificationOptions {
            allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
            allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
            required_signature_type: Some("at+jwt".to_owned()),
            time_tolerance: Some(Duration::from_secs(60)),
            max_validity: Some(Duration::from_hours(24)),
            max_token_length: Some(8192),
            max_header_length: Some(1024),
            ..VerificationOptions::default()
        };
        Self { key, options }
    }

    /// Verifies. The options are taken by value, so each call copies them.
    ///
    /// # Panics
    ///
    /// When the token is refused.
    #[must_use]
    pub fn verify(&self, token: &str) -> JWTClaims<Custom> {
        let options = Some(self.options.clone());
        match &self.key {
            Key::Hs256(key) => key.verify_token(token, options),
            Key::Rs256(key) => key.verify_token(token, options),
            Key::Es256(key) => key.verify_token(token, options),
            Key::EdDsa(key) => key.verify_token(token, options),
        }
        .expect("a valid token")
    }
}
