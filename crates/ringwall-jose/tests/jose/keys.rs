//! The keys that the tests sign with, and the providers they verify with.

use std::sync::{Arc, LazyLock};

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use ringwall_core::profile::Profile;
use ringwall_jose::{
    Algorithm, CompactError, CompactJws, CompactLimits, HmacSecret, KeySet, RingProvider,
    SignatureProvider, VerificationKey, base64url,
};
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8; 32] = b"thirty-two bytes, for tests only";

pub(crate) const RSA_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    RsaKeyPair::from_pkcs8(include_bytes!("../vectors/keys/rsa2048.pk8")).unwrap()
});
static P256: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let pkcs8 = include_bytes!("../vectors/keys/p256.pk8");
    EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        pkcs8,
        &SystemRandom::new(),
    )
    .unwrap()
});
static P384: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let pkcs8 = include_bytes!("../vectors/keys/p384.pk8");
    EcdsaKeyPair::from_pkcs8(
        &ECDSA_P384_SHA384_FIXED_SIGNING,
        pkcs8,
        &SystemRandom::new(),
    )
    .unwrap()
});
static ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    let pkcs8 = include_bytes!("../vectors/keys/ed25519.pk8");
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).unwrap()
});

/// ring, and AWS-LC where it is built in: every case runs under each.
pub(crate) fn providers() -> impl Iterator<Item = Arc<dyn SignatureProvider>> {
    let ring: Arc<dyn SignatureProvider> = Arc::new(RingProvider);
    [Some(ring), aws_lc()].into_iter().flatten()
}

#[cfg(feature = "aws-lc-rs")]
fn aws_lc() -> Option<Arc<dyn SignatureProvider>> {
    Some(Arc::new(ringwall_jose::AwsLcProvider))
}

#[cfg(not(feature = "aws-lc-rs"))]
fn aws_lc() -> Option<Arc<dyn SignatureProvider>> {
    None
}

/// The signature of `message` by the test key of `algorithm`.
pub(crate) fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let mac = |hash| {
        hmac::sign(&hmac::Key::new(hash, SECRET), message)
            .as_ref()
            .to_vec()
    };
    let rsa = |padding: &'static dyn RsaEncoding| {
        let mut signature = vec![0; RSA.public().modulus_len()];
        RSA.sign(padding, &SystemRandom::new(), message, &mut signature)
            .unwrap();
        signature
    };
    let ecdsa = |pair: &EcdsaKeyPair| {
        let signature = pair.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    };
    match algorithm {
        Algorithm::Hs256 => mac(hmac::HMAC_SHA256),
        Algorithm::Hs384 => mac(hmac::HMAC_SHA384),
        Algorithm::Hs512 => mac(hmac::HMAC_SHA512),
        Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
        Algorithm::Ps256 => rsa(&signature::RSA_PSS_SHA256),
        Algorithm::Ps384 => rsa(&signature::RSA_PSS_SHA384),
        Algorithm::Ps512 => rsa(&signature::RSA_PSS_SHA512),
        Algorithm::Es256 => ecdsa(&P256),
        Algorithm::Es384 => ecdsa(&P384),
        Algorithm::EdDsa => ED25519.sign(message).as_ref().to_vec(),
    }
}

/// The key that verifies what [`sign`] makes.
pub(crate) fn verification_key(
    algorithm: Algorithm,
    provider: &Arc<dyn SignatureProvider>,
) -> VerificationKey {
    if algorithm.is_symmetric() {
        let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
        return VerificationKey::symmetric(None, algorithm, &secret, &**provider).unwrap();
    }
    let mut jwk = jwk(algorithm);
    jwk["alg"] = json!(algorithm.name());
    key_of(&jwk, provider)
}

/// The key of `jwk`, which must be acceptable.
pub(crate) fn key_of(jwk: &Value, provider: &Arc<dyn SignatureProvider>) -> VerificationKey {
    let set = KeySet::builder()
        .provider(Arc::clone(provider))
        .document(json!({ "keys": [jwk] }).to_string().as_bytes())
        .unwrap()
        .build()
        .unwrap();
    set.find(jwk["kid"].as_str()).unwrap().clone()
}

/// The public part of the test key of `algorithm`, without `alg` and `kid`.
pub(crate) fn jwk(algorithm: Algorithm) -> Value {
    let text = match algorithm {
        Algorithm::Es256 => include_str!("../vectors/keys/p256.jwk.json"),
        Algorithm::Es384 => include_str!("../vectors/keys/p384.jwk.json"),
        Algorithm::EdDsa => include_str!("../vectors/keys/ed25519.jwk.json"),
        Algorithm::Rs256
        | Algorithm::Rs384
        | Algorithm::Rs512
        | Algorithm::Ps256
        | Algorithm::Ps384
        | Algorithm::Ps512 => include_str!("../vectors/keys/rsa2048.jwk.json"),
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            panic!("an HMAC has no public part")
        }
    };
    serde_json::from_str(text).unwrap()
}

/// Another key than [`jwk`] of the same kind: RSA or P-256.
pub(crate) fn other_jwk(kind: &str) -> Value {
    let text = match kind {
        "RSA" => include_str!("../vectors/keys/rsa2048-other.jwk.json"),
        _ => include_str!("../vectors/keys/p256-other.jwk.json"),
    };
    serde_json::from_str(text).unwrap()
}

/// `jwk` with more members, or other ones; `null` removes one.
pub(crate) fn with(mut jwk: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name] = value.clone();
        }
    }
    jwk
}

/// A compact JWS with this header, in these very bytes, signed by the test key of `algorithm`,
/// whatever the header says.
pub(crate) fn signed(
    algorithm: Algorithm,
    header: impl AsRef<[u8]>,
    payload: impl AsRef<[u8]>,
) -> String {
    let input = format!(
        "{}.{}",
        base64url::encode(header),
        base64url::encode(payload)
    );
    let signature = base64url::encode(sign(algorithm, input.as_bytes()));
    format!("{input}.{signature}")
}

/// A compact JWS that verifies.
pub(crate) fn valid(algorithm: Algorithm) -> String {
    let header = json!({ "alg": algorithm.name() }).to_string();
    signed(algorithm, header, r#"{"sub":"alice"}"#)
}

pub(crate) fn parse(token: &str) -> Result<CompactJws<'_>, CompactError> {
    CompactJws::parse(token, CompactLimits::default())
}

/// Whether `token` would be taken for one of the holder of `key`.
pub(crate) fn is_accepted(token: &str, key: &VerificationKey) -> bool {
    parse(token).is_ok_and(|jws| jws.unverified_payload().is_ok() && jws.verify(key).is_ok())
}
