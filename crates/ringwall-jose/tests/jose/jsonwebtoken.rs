//! Keys that jsonwebtoken parsed, and keys for it.

use ::jsonwebtoken::jwk::{Jwk, JwkSet};
use ::jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ringwall_jose::json::JsonError;
use ringwall_jose::{Algorithm, KeyError, KeySet, KeySetError, PublicKey, VerificationKey};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::keys::{is_accepted, jwk, providers, valid, verification_key, with};

fn theirs<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn public(algorithm: Algorithm) -> PublicKey {
    PublicKey::try_from(&theirs::<Jwk>(&jwk(algorithm))).unwrap()
}

#[test]
fn a_key_of_theirs_verifies_what_the_same_key_of_ours_does() {
    for algorithm in Algorithm::ALL.into_iter().filter(|one| !one.is_symmetric()) {
        let named = with(
            jwk(algorithm),
            &json!({ "alg": algorithm.name(), "kid": "a" }),
        );
        for provider in providers() {
            let key =
                VerificationKey::from_jsonwebtoken(&theirs(&named), Algorithm::Rs256, &*provider);
            let key = key.unwrap();
            assert_eq!(key.id().map(|id| id.as_str()), Some("a"));
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(
                key.thumbprint(),
                verification_key(algorithm, &provider).thumbprint()
            );
            assert!(is_accepted(&valid(algorithm), &key), "{algorithm}");
        }
    }
}

#[test]
fn their_keys_pass_the_same_checks() {
    let rsa = jwk(Algorithm::Rs256);
    let reason = |key: &Value| {
        let refusal = |provider: std::sync::Arc<dyn ringwall_jose::SignatureProvider>| {
            VerificationKey::from_jsonwebtoken(&theirs(key), Algorithm::Rs256, &*provider)
                .unwrap_err()
        };
        let reasons: Vec<KeyError> = providers().map(refusal).collect();
        assert!(reasons.iter().all(|reason| *reason == reasons[0]));
        reasons[0]
    };
    for (key, expected) in [
        (json!({ "kty": "oct", "k": "AAAA" }), KeyError::Symmetric),
        (
            with(rsa.clone(), &json!({ "n": "AQAB" })),
            KeyError::Strength,
        ),
        (with(rsa.clone(), &json!({ "e": "Aw" })), KeyError::Strength),
        (
            with(rsa.clone(), &json!({ "use": "enc" })),
            KeyError::WrongUse,
        ),
        (
            with(rsa.clone(), &json!({ "key_ops": ["sign"] })),
            KeyError::WrongUse,
        ),
        (
            with(rsa.clone(), &json!({ "alg": "RSA-OAEP" })),
            KeyError::Unsupported,
        ),
        (
            with(rsa.clone(), &json!({ "alg": "ES256" })),
            KeyError::AlgorithmMismatch,
        ),
        (
            with(rsa.clone(), &json!({ "kid": "two words" })),
            KeyError::InvalidKeyId,
        ),
        (
            with(
                jwk(Algorithm::Es256),
                &json!({ "y": jwk(Algorithm::Es256)["x"] }),
            ),
            KeyError::InvalidPoint,
        ),
        (
            with(
                jwk(Algorithm::EdDsa),
                &json!({ "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
            ),
            KeyError::InvalidPoint,
        ),
        (json!({ "kty": "new", "kid": "x" }), KeyError::Unsupported),
    ] {
        assert_eq!(reason(&key), expected, "{key}");
    }
}

#[test]
fn their_set_is_a_set() {
    let keys = json!({ "keys": [
        with(jwk(Algorithm::Es256), &json!({ "kid": "a" })),
        with(jwk(Algorithm::EdDsa), &json!({ "kid": "b" })),
        { "kty": "oct", "k": "AAAA", "kid": "c" },
    ] });
    let ours = KeySet::builder()
        .document(keys.to_string().as_bytes())
        .unwrap();
    let ours = ours.build().unwrap();
    let set = KeySet::builder()
        .jsonwebtoken(&theirs(&keys))
        .unwrap()
        .build()
        .unwrap();
    assert!(set.has_same_keys(&ours));
    assert_eq!(set.refused(), ours.refused());
    assert_eq!(set.refused()[0].reason, KeyError::Symmetric);

    let many = JwkSet {
        keys: vec![theirs(&jwk(Algorithm::Es256)); 129],
    };
    let error = KeySet::builder().jsonwebtoken(&many).unwrap_err();
    assert!(matches!(error, KeySetError::TooManyKeys));
    let endless = JwkSet {
        keys: vec![theirs(&jwk(Algorithm::Rs256)); 1024],
    };
    let error = KeySet::builder().jsonwebtoken(&endless).unwrap_err();
    assert!(matches!(error, KeySetError::Json(JsonError::TooLarge)));
}

#[test]
fn our_key_is_the_decoding_key_that_they_would_have_read() {
    for (algorithm, family) in [
        (Algorithm::Rs256, AlgorithmFamily::Rsa),
        (Algorithm::Es256, AlgorithmFamily::Ec),
        (Algorithm::Es384, AlgorithmFamily::Ec),
        (Algorithm::EdDsa, AlgorithmFamily::Ed),
    ] {
        let ours = DecodingKey::from(&public(algorithm));
        let read = DecodingKey::from_jwk(&theirs::<Jwk>(&jwk(algorithm))).unwrap();
        assert_eq!(ours.family(), family);
        assert_eq!(ours.family(), read.family());
        match (ours.kind(), read.kind()) {
            (DecodingKeyKind::SecretOrDer(ours), DecodingKeyKind::SecretOrDer(read)) => {
                assert_eq!(ours, read);
            }
            (
                DecodingKeyKind::RsaModulusExponent { n, e },
                DecodingKeyKind::RsaModulusExponent {
                    n: modulus,
                    e: exponent,
                },
            ) => assert_eq!((n, e), (modulus, exponent)),
            (DecodingKeyKind::SecretOrDer(_) | DecodingKeyKind::RsaModulusExponent { .. }, _) => {
                panic!("{algorithm}")
            }
        }
    }
}

#[test]
fn algorithms_keep_their_names() {
    for algorithm in Algorithm::ALL {
        let theirs = ::jsonwebtoken::Algorithm::from(algorithm);
        assert_eq!(serde_json::to_value(theirs).unwrap(), algorithm.name());
    }
}

#[test]
fn they_forget_that_a_key_was_published_with_its_private_part() {
    // Which is why the documentation prefers the document.
    let leaked = with(jwk(Algorithm::EdDsa), &json!({ "d": "AAAA" }));
    let document = json!({ "keys": [leaked] });
    assert!(
        KeySet::builder()
            .jsonwebtoken(&theirs(&document))
            .unwrap()
            .build()
            .is_ok()
    );
    let builder = KeySet::builder()
        .document(document.to_string().as_bytes())
        .unwrap();
    assert!(matches!(
        builder.build().unwrap_err(),
        KeySetError::NoUsableKey
    ));
}
