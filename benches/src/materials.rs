//! Keys made for this run, and one token for all contenders.

use aws_lc_rs::{encoding::AsDer as _, rsa};
use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_core::clock::{SystemClock, WallClock as _};
use serde::{Deserialize, Serialize};

/// Who issues the token.
pub const ISSUER: &str = "https://id.example.com";
/// For whom it is.
pub const AUDIENCE: &str = "https://api.example.com";
/// The id of the key.
pub const KEY_ID: &str = "2026-08-a";

/// The claims, as a service of a peer's would read them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub exp: u64,
    pub nbf: u64,
    pub iat: u64,
    pub jti: String,
    pub client_id: String,
    pub scope: String,
    pub roles: Vec<String>,
    pub org_id: String,
    pub project_id: String,
}

/// A private key, and what verifiers get of it.
pub struct Materials {
    pub algorithm: Algorithm,
    signer: Signer,
    /// The public key: the modulus and exponent, the uncompressed point, the point; the secret.
    pub public: Public,
}

/// What verifies.
#[derive(Clone, Debug)]
pub enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Point(Vec<u8>),
    Secret(Vec<u8>),
}

enum Signer {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(hmac::Key),
}

/// A token, and its parts as a primitive takes them.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    /// The length of `header.payload`.
    pub signed_bytes: usize,
    pub signature: Vec<u8>,
}

impl Token {
    /// What the signature is made over.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        &self.text.as_bytes()[..self.signed_bytes]
    }
}

impl Materials {
    /// A new key.
    ///
    /// # Panics
    ///
    /// When the algorithm is not one of the four that are measured, or the system gives no random
    /// bytes.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let (signer, public) = match algorithm {
            Algorithm::Hs256 => {
                let mut secret = vec![0; 32];
                random.fill(&mut secret).expect("random bytes");
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                (Signer::Hmac(key), Public::Secret(secret))
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("an RSA key");
                let pkcs8 = pair.as_der().expect("PKCS#8");
                let pair = RsaKeyPair::from_pkcs8(pkcs8.as_ref()).expect("an RSA key");
                let parts: RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                let public = Public::Rsa {
                    modulus: parts.n,
                    exponent: parts.e,
                };
                (Signer::Rsa(Box::new(pair)), public)
            }
            Algorithm::Es256 => {
                let parameters = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(parameters, &random).expect("a key");
                let pair = EcdsaKeyPair::from_pkcs8(parameters, pkcs8.as_ref(), &random)
                    .expect("a P-256 key");
                let public = Public::Point(pair.public_key().as_ref().to_vec());
                (Signer::Ecdsa(pair), public)
            }
            Algorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("an Ed25519 key");
                let public = Public::Point(pair.public_key().as_ref().to_vec());
                (Signer::Ed25519(pair), public)
            }
            other => panic!("{other} is not measured"),
        };
        Self {
            algorithm,
            signer,
            public,
        }
    }

    /// The token that all contenders verify: an access token (RFC 9068) of a first-party client,
    /// with four scopes, a role and a tenant, issued now, for twelve hours.
    #[must_use]
    pub fn token(&self) -> Token {
        self.token_of("user-7f3a91", "9c3f6a1be24d4f0e")
    }

    /// The same for another subject, with another id.
    #[must_use]
    pub fn token_of(&self, subject: &str, id: &str) -> Token {
        let now = SystemClock::new().now().expect("a clock").unix_seconds();
        let now = u64::try_from(now).expect("after 1970");
        let header = format!(
            r#"{{"alg":"{}","kid":"{KEY_ID}","typ":"at+jwt"}}"#,
            self.algorithm
        );
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: subject.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now + 43_200,
            nbf: now,
            iat: now,
            jti: id.to_owned(),
            client_id: "web".to_owned(),
            scope: "cases:read cases:write docs:read profile".to_owned(),
            roles: vec!["editor".to_owned()],
            org_id: "org-482".to_owned(),
            project_id: "prj-17".to_owned(),
        };
        let claims = serde_json::to_string(&claims).expect("claims are JSON");
        let mut text = base64url::encode(header);
        text.push('.');
        text.push_str(&base64url::encode(claims));
        let signature = self.sign(text.as_bytes());
        let signed_bytes = text.len();
        text.push('.');
        text.push_str(&base64url::encode(&signature));
        Token {
            text,
            signed_bytes,
            signature,
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.signer {
            Signer::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("an RSA signature");
                signature
            }
            Signer::Ecdsa(pair) => pair
                .sign(&random, message)
                .expect("an ECDSA signature")
                .as_ref()
                .to_vec(),
            Signer::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Signer::Hmac(key) => hmac::sign(key, message).as_ref().to_vec(),
        }
    }
}
