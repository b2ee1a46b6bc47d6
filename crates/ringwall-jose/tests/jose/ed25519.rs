//! Ed25519 signatures and keys that must not be accepted (RFC 8032 §5.1.7).

use std::sync::Arc;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use ringwall_jose::{Algorithm, KeyError, KeySet, PublicKey, VerificationKey, base64url};
use serde_json::json;

use crate::keys::{providers, sign, verification_key};

/// The order of the base point, little-endian: 2^252 + 27742317777372353535851937790883648493.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The neutral element: x = 0, y = 1.
const NEUTRAL: [u8; 32] = {
    let mut point = [0; 32];
    point[0] = 1;
    point
};

#[test]
fn refuses_a_scalar_that_is_not_below_the_order() {
    let signature = sign(Algorithm::EdDsa, b"message");
    let mut multiple = ORDER;
    for times in 1..=7 {
        // S + kL stands for the same scalar, as long as it fits into 32 bytes.
        let mut carry = 0;
        let mut second = signature.clone();
        for (byte, add) in second[32..].iter_mut().zip(multiple) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0);
        for provider in providers() {
            let key = verification_key(Algorithm::EdDsa, &provider);
            assert!(key.verify(b"message", &signature).is_ok());
            let verdict = key.verify(b"message", &second);
            assert!(verdict.is_err(), "S + {times} L, {}", provider.name());
        }
        let mut carry = 0;
        for (byte, add) in multiple.iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
    }
}

#[test]
fn refuses_zeros_and_every_other_length() {
    let signature = sign(Algorithm::EdDsa, b"message");
    for wrong in [
        vec![0; 64],
        vec![0xff; 64],
        vec![],
        signature[..63].to_vec(),
        signature[..32].to_vec(),
        [&signature[..], &[0]].concat(),
        [&NEUTRAL[..], &[0; 32]].concat(),
    ] {
        for provider in providers() {
            let key = verification_key(Algorithm::EdDsa, &provider);
            assert!(key.verify(b"message", &wrong).is_err(), "{wrong:?}");
        }
    }
}

#[test]
fn ring_itself_would_accept_a_forgery_under_a_key_of_small_order() {
    // Under the neutral element, R = neutral and S = 0 fit every message, and nobody needed a
    // private key. This is why the key is refused when it is loaded.
    let forged = [&NEUTRAL[..], &[0; 32]].concat();
    let key = UnparsedPublicKey::new(&ED25519, NEUTRAL);
    assert!(key.verify(b"{\"sub\":\"anybody\"}", &forged).is_ok());
    assert!(key.verify(b"{\"sub\":\"anybody else\"}", &forged).is_ok());
    assert_eq!(
        PublicKey::ed25519(&NEUTRAL).unwrap_err(),
        KeyError::InvalidPoint
    );
}

#[test]
fn refuses_a_key_of_small_order_in_a_set() {
    for provider in providers() {
        let set = json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "small", "x": base64url::encode(NEUTRAL) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "zero", "x": base64url::encode([0; 32]) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "long", "x": base64url::encode([9; 33]) },
            crate::keys::with(crate::keys::jwk(Algorithm::EdDsa), &json!({ "kid": "good" })),
        ] });
        let set = KeySet::builder()
            .provider(Arc::clone(&provider))
            .document(set.to_string().as_bytes())
            .unwrap()
            .build()
            .unwrap();
        let reasons: Vec<_> = set.refused().iter().map(|key| key.reason).collect();
        assert_eq!(
            reasons,
            [
                KeyError::InvalidPoint,
                KeyError::InvalidPoint,
                KeyError::Malformed
            ]
        );
        assert!(set.find(Some("good")).is_some());
        assert_eq!(set.len(), 1);
    }
}

#[test]
fn takes_points_with_either_sign_of_x() {
    let mut signs = [0, 0];
    for seed in 0..32 {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let point = pair.public_key().as_ref();
        signs[usize::from(point[31] >> 7)] += 1;
        let public = PublicKey::ed25519(point).unwrap();
        for provider in providers() {
            let key = VerificationKey::public(None, Algorithm::EdDsa, &public, &*provider);
            let signature = pair.sign(b"message");
            assert!(key.unwrap().verify(b"message", signature.as_ref()).is_ok());
        }
    }
    assert!(signs[0] > 0 && signs[1] > 0);
}

#[test]
fn nothing_verifies_under_bytes_that_are_no_point() {
    // y = 2 is on no point of the curve. ring cannot tell at load; then no signature verifies.
    let mut bytes = [0; 32];
    bytes[0] = 2;
    let public = PublicKey::ed25519(&bytes).unwrap();
    for provider in providers() {
        let key = VerificationKey::public(None, Algorithm::EdDsa, &public, &*provider);
        let Ok(key) = key else { continue };
        for signature in [
            sign(Algorithm::EdDsa, b"message"),
            [&NEUTRAL[..], &[0; 32]].concat(),
            vec![0; 64],
        ] {
            assert!(key.verify(b"message", &signature).is_err());
        }
    }
}
