//! RSA keys and signatures that must not be accepted.

use ringwall_jose::{Algorithm, KeyError, KeySetError, base64url};
use serde_json::{Value, json};

use crate::key_sets::{reason, set};
use crate::keys::{RSA_ALGORITHMS, jwk, providers, sign, verification_key, with};

fn key(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": base64url::encode(modulus), "e": base64url::encode(exponent) })
}

fn modulus(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= modulus.len() * 8 - bits;
    modulus
}

#[test]
fn refuses_keys_that_are_too_short_although_they_made_a_valid_signature() {
    for text in [
        include_str!("../vectors/rsa-1024.json"),
        include_str!("../vectors/rsa-exponent-3.json"),
    ] {
        let vector: Value = serde_json::from_str(text).unwrap();
        let error = set(&json!({ "keys": [vector["jwk"]] })).unwrap_err();
        assert!(matches!(error, KeySetError::NoUsableKey));
        assert_eq!(reason(&vector["jwk"]), KeyError::Strength);
    }
}

#[test]
fn refuses_moduli_outside_2048_to_8192_bits() {
    for bits in [512, 1024, 2040, 2047, 8193, 8200, 16_384] {
        assert_eq!(
            reason(&key(&modulus(bits), &[1, 0, 1])),
            KeyError::Strength,
            "{bits}"
        );
    }
}

#[test]
fn refuses_exponents_that_are_small_even_or_huge() {
    for exponent in [
        &[1][..],
        &[3],
        &[17],
        &[0xff, 0xff],
        &[1, 0, 0],
        &[1, 0, 2],
        &[2, 0, 0, 0, 1],
        &[0xff, 0xff, 0xff, 0xff, 0xff],
        &[1, 0, 0, 0, 0, 1],
        // 65537 in the lowest 64 bits.
        &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1],
        &[0xff; 256],
    ] {
        assert_eq!(
            reason(&key(&modulus(2048), exponent)),
            KeyError::Strength,
            "{exponent:?}"
        );
    }
}

#[test]
fn refuses_leading_zeros_even_moduli_and_nothing_at_all() {
    let good = modulus(2048);
    let zero_first = [&[0], &good[..]].concat();
    let mut even = good.clone();
    *even.last_mut().unwrap() = 0xfe;
    for (modulus, exponent) in [
        (&zero_first[..], &[1, 0, 1][..]),
        (&good, &[0, 1, 0, 1]),
        (&even, &[1, 0, 1]),
        (&[], &[1, 0, 1]),
        (&good, &[]),
        (&[0], &[1, 0, 1]),
        (&good, &[0]),
    ] {
        assert_eq!(reason(&key(modulus, exponent)), KeyError::Malformed);
    }
}

#[test]
fn refuses_members_that_are_missing_or_not_strict_base64url() {
    let good = jwk(Algorithm::Rs256);
    let n = good["n"].as_str().unwrap().to_owned();
    for change in [
        json!({ "n": null }),
        json!({ "e": null }),
        json!({ "n": 7 }),
        json!({ "e": 65537 }),
        json!({ "e": ["AQAB"] }),
        json!({ "e": "AQAB=" }),
        json!({ "e": "AQAB\n" }),
        json!({ "n": format!("{n}==") }),
        json!({ "n": n.replace('-', "+").replace('_', "/") }),
    ] {
        assert_eq!(
            reason(&with(good.clone(), &change)),
            KeyError::Malformed,
            "{change}"
        );
    }
}

#[test]
fn refuses_a_signature_that_is_not_below_the_modulus() {
    let modulus = base64url::decode(jwk(Algorithm::Rs256)["n"].as_str().unwrap()).unwrap();
    for algorithm in RSA_ALGORITHMS {
        // A signature plus the modulus stands for the same number, where it has the same length.
        let (message, second) = (0_u32..)
            .find_map(|counter| {
                let message = counter.to_be_bytes();
                let mut signature = sign(algorithm, &message);
                let mut carry = 0;
                for (byte, add) in signature.iter_mut().zip(&modulus).rev() {
                    let sum = u16::from(*byte) + u16::from(*add) + carry;
                    [*byte, _] = sum.to_le_bytes();
                    carry = sum >> 8;
                }
                (carry == 0).then_some((message, signature))
            })
            .unwrap();
        for provider in providers() {
            let key = verification_key(algorithm, &provider);
            assert!(key.verify(&message, &sign(algorithm, &message)).is_ok());
            let verdict = key.verify(&message, &second);
            assert!(verdict.is_err(), "{algorithm} {}", provider.name());
        }
    }
}

#[test]
fn refuses_trivial_signatures_and_every_other_length() {
    for algorithm in RSA_ALGORITHMS {
        let signature = sign(algorithm, b"message");
        let mut one = vec![0; 256];
        one[255] = 1;
        for wrong in [
            vec![],
            vec![0; 256],
            one,
            vec![0xff; 256],
            signature[..255].to_vec(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
        ] {
            for provider in providers() {
                let key = verification_key(algorithm, &provider);
                assert!(key.verify(b"message", &wrong).is_err(), "{algorithm}");
            }
        }
    }
}
