//! What the tests share: keys, an issuer that signs whatever it is told, and a verifier.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::{hmac, signature};
use ringwall_authn::jose::{
    Algorithm, Curve, HmacSecret, KeyId, KeySet, KeySource, PublicKey, RingProvider, StaticKeys,
    VerificationKey, base64url,
};
use ringwall_authn::{
    IssuerPolicy, IssuerPolicyBuilder, Refusal, TokenProfile, TokenVerifier, VerifiedToken,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::profile::Profile;
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const AUDIENCE: &str = "https://api.example";
/// 2026-01-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_767_225_600;

/// A shared secret for the HMAC algorithms.
pub(crate) const SECRET: &[u8] =
    b"an hmac secret of sixty-four bytes, which is enough for HS512 too";

pub(crate) const RSA_PKCS8: &[u8] = include_bytes!("../vectors/keys/rsa2048.pkcs8.der");
pub(crate) const SECOND_RSA_PKCS8: &[u8] =
    include_bytes!("../vectors/keys/rsa2048-second.pkcs8.der");
pub(crate) const RSA_PUBLIC_PEM: &[u8] = include_bytes!("../vectors/keys/rsa2048.public.pem");
pub(crate) const RSA_PUBLIC_DER: &[u8] = include_bytes!("../vectors/keys/rsa2048.spki.der");

pub(crate) fn now() -> Timestamp {
    at(NOW)
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// A key that signs whatever it is told, under whatever header.
pub(crate) struct Key {
    pub(crate) id: &'static str,
    pub(crate) algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ed25519(signature::Ed25519KeyPair),
    Ecdsa(signature::EcdsaKeyPair),
    Rsa(signature::RsaKeyPair),
    Hmac(Vec<u8>),
}

impl Key {
    pub(crate) fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        let pair = match algorithm {
            Algorithm::EdDsa => {
                let pkcs8 = signature::Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Pair::Ed25519(signature::Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
            Algorithm::Es256 | Algorithm::Es384 => {
                let parameters = if algorithm == Algorithm::Es256 {
                    &signature::ECDSA_P256_SHA256_FIXED_SIGNING
                } else {
                    &signature::ECDSA_P384_SHA384_FIXED_SIGNING
                };
                let pkcs8 = signature::EcdsaKeyPair::generate_pkcs8(parameters, &random).unwrap();
                Pair::Ecdsa(
                    signature::EcdsaKeyPair::from_pkcs8(parameters, pkcs8.as_ref(), &random)
                        .unwrap(),
                )
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Pair::Hmac(SECRET.to_vec()),
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Pair::Rsa(signature::RsaKeyPair::from_pkcs8(RSA_PKCS8).unwrap()),
        };
        Self {
            id,
            algorithm,
            pair,
        }
    }

    /// The second RSA key, for RS256; all others of this type are the first.
    pub(crate) fn second_rsa(id: &'static str) -> Self {
        Self {
            id,
            algorithm: Algorithm::Rs256,
            pair: Pair::Rsa(signature::RsaKeyPair::from_pkcs8(SECOND_RSA_PKCS8).unwrap()),
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        use signature::KeyPair as _;
        match &self.pair {
            Pair::Ed25519(pair) => PublicKey::ed25519(pair.public_key().as_ref()).unwrap(),
            Pair::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if x.len() == 32 {
                    Curve::P256
                } else {
                    Curve::P384
                };
                PublicKey::ec(curve, x, y).unwrap()
            }
            Pair::Rsa(pair) => {
                let parts: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                PublicKey::rsa(parts.n, parts.e).unwrap()
            }
            Pair::Hmac(_) => panic!("a secret has no public part"),
        }
    }

    pub(crate) fn verification_key(&self) -> VerificationKey {
        let id = Some(KeyId::new(self.id).unwrap());
        match &self.pair {
            Pair::Hmac(secret) => {
                let secret = HmacSecret::new(secret.clone(), Profile::Development).unwrap();
                VerificationKey::symmetric(id, self.algorithm, &secret, &RingProvider).unwrap()
            }
            Pair::Ed25519(_) | Pair::Ecdsa(_) | Pair::Rsa(_) => {
                VerificationKey::public(id, self.algorithm, &self.public(), &RingProvider).unwrap()
            }
        }
    }

    /// The public key as a JSON Web Key with everything in it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk: Value = serde_json::from_str(&self.public().required_members()).unwrap();
        jwk["kid"] = self.id.into();
        jwk["alg"] = self.algorithm.name().into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
                    _ => &signature::RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Pair::Hmac(secret) => hmac_sign(self.algorithm, secret, message),
        }
    }

    /// The header that this key's tokens have.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm.name(), "kid": self.id, "typ": "at+jwt" })
    }

    /// A token of any header and claims, in the very words given.
    pub(crate) fn raw_token(&self, header: &str, claims: &str) -> String {
        let input = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(claims)
        );
        let signature = self.sign(input.as_bytes());
        format!("{input}.{}", base64url::encode(signature))
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        self.raw_token(&self.header().to_string(), &claims.to_string())
    }

    /// A token without a profile: `typ` is `JWT`.
    pub(crate) fn plain_token(&self, claims: &Value) -> String {
        let mut header = self.header();
        header["typ"] = "JWT".into();
        self.raw_token(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn token_with_header(&self, header: &Value) -> String {
        self.raw_token(&header.to_string(), &claims().to_string())
    }
}

pub(crate) fn hmac_sign(algorithm: Algorithm, secret: &[u8], message: &[u8]) -> Vec<u8> {
    let parameters = match algorithm {
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    hmac::sign(&hmac::Key::new(parameters, secret), message)
        .as_ref()
        .to_vec()
}

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "exp": NOW + 600,
        "iat": NOW,
        "jti": "token-1",
        "client_id": "client-1",
        "scope": "cases:read cases:write",
        "roles": ["analyst"],
        "org_id": "org-1",
        "project_id": "project-1",
    })
}

/// Accepted claims with one changed; `Value::Null` stands for itself, see [`without`].
pub(crate) fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

pub(crate) fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn key_set(keys: &[&Key]) -> KeySet {
    keys.iter()
        .fold(KeySet::builder(), |builder, key| {
            builder.key(key.verification_key())
        })
        .build()
        .unwrap()
}

pub(crate) fn source(keys: &[&Key]) -> Arc<dyn KeySource> {
    Arc::new(StaticKeys::new(key_set(keys)))
}

pub(crate) fn policy(keys: &[&Key]) -> IssuerPolicyBuilder {
    IssuerPolicy::builder(ISSUER, AUDIENCE, source(keys))
}

pub(crate) fn verifier_of(policy: IssuerPolicyBuilder) -> TokenVerifier {
    TokenVerifier::builder()
        .profile(Profile::Development)
        .issuer(policy.build().unwrap())
        .build()
        .unwrap()
}

pub(crate) fn verifier(keys: &[&Key]) -> TokenVerifier {
    verifier_of(policy(keys))
}

pub(crate) fn plain_verifier(keys: &[&Key]) -> TokenVerifier {
    verifier_of(policy(keys).profile(TokenProfile::plain()))
}

/// The refusal of a token; the test fails when it is accepted.
#[track_caller]
pub(crate) fn refusal(verifier: &TokenVerifier, token: &str) -> Refusal {
    refusal_at(verifier, token, NOW)
}

#[track_caller]
pub(crate) fn refusal_at(verifier: &TokenVerifier, token: &str, seconds: i64) -> Refusal {
    match verifier.verify(token, at(seconds)) {
        Ok(verified) => panic!("accepted: {verified:?}"),
        Err(error) => error.refusal(),
    }
}

#[track_caller]
pub(crate) fn accepted(verifier: &TokenVerifier, token: &str) -> Arc<VerifiedToken> {
    match verifier.verify(token, now()) {
        Ok(verified) => verified,
        Err(error) => panic!("refused: {:?}", error.refusal()),
    }
}
