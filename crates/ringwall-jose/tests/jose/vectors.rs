//! Published vectors: what others signed verifies here.

use ringwall_core::profile::Profile;
use ringwall_jose::{Algorithm, HmacSecret, KeySet, PublicKey, VerificationKey, base64url};
use serde_json::{Value, json};

use crate::keys::{is_accepted, key_of, parse, providers};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn verifies(text: &str) {
    let vector = read(text);
    let source = vector["source"].as_str().unwrap();
    let jws = vector["jws"].as_str().unwrap();
    for provider in providers() {
        let key = if vector["jwk"]["kty"] == "oct" {
            let secret = base64url::decode(vector["jwk"]["k"].as_str().unwrap()).unwrap();
            let secret = HmacSecret::new(secret, Profile::Development).unwrap();
            VerificationKey::symmetric(None, Algorithm::Hs256, &secret, &*provider).unwrap()
        } else {
            key_of(&vector["jwk"], &provider)
        };
        assert!(is_accepted(jws, &key), "{source} with {}", provider.name());
        // And the signature is over this payload.
        let mut parts: Vec<&str> = jws.split('.').collect();
        parts[1] = "eyJzdWIiOiJtYWxsb3J5In0";
        assert!(!is_accepted(&parts.join("."), &key), "{source}");
    }
}

#[test]
fn verifies_the_hmac_of_rfc_7515_a_1() {
    let vector = include_str!("../vectors/rfc7515-a1-hs256.json");
    verifies(vector);
    let vector = read(vector);
    let jws = parse(vector["jws"].as_str().unwrap()).unwrap();
    assert_eq!(jws.token_type(), Some("JWT"));
    assert_eq!(jws.key_id(), None);
    let payload = jws.unverified_payload().unwrap();
    assert_eq!(
        payload,
        b"{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
    );
}

#[test]
fn verifies_the_rsa_signature_of_rfc_7515_a_2() {
    verifies(include_str!("../vectors/rfc7515-a2-rs256.json"));
}

#[test]
fn verifies_the_ecdsa_signature_of_rfc_7515_a_3() {
    verifies(include_str!("../vectors/rfc7515-a3-es256.json"));
}

#[test]
fn verifies_the_ed25519_signature_of_rfc_8037_a_4() {
    verifies(include_str!("../vectors/rfc8037-a4-eddsa.json"));
}

#[test]
fn verifies_the_rsa_signature_of_rfc_7520_4_1() {
    verifies(include_str!("../vectors/rfc7520-4-1-rs256.json"));
}

#[test]
fn verifies_the_rsa_pss_signature_of_rfc_7520_4_2() {
    verifies(include_str!("../vectors/rfc7520-4-2-ps384.json"));
}

#[test]
fn verifies_under_the_longest_rsa_key() {
    verifies(include_str!("../vectors/rsa-8192.json"));
}

#[test]
fn computes_the_thumbprints_of_rfc_7638_3_1_and_rfc_8037_a_3() {
    for text in [
        include_str!("../vectors/rfc7638-3-1-thumbprint.json"),
        include_str!("../vectors/rfc8037-a4-eddsa.json"),
    ] {
        let vector = read(text);
        let set = KeySet::builder()
            .document(json!({ "keys": [vector["jwk"]] }).to_string().as_bytes())
            .unwrap()
            .build()
            .unwrap();
        let thumbprint = set.find(None).unwrap().thumbprint();
        assert_eq!(base64url::encode(thumbprint), vector["thumbprint"]);
    }
}

#[test]
fn verifies_the_ed25519_signatures_of_rfc_8032_7_1() {
    let hex = |value: &Value| -> Vec<u8> {
        let digits = value.as_str().unwrap().as_bytes();
        let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(pair).collect()
    };
    let vector = read(include_str!("../vectors/rfc8032-7-1-ed25519.json"));
    for case in vector["cases"].as_array().unwrap() {
        let public = PublicKey::ed25519(&hex(&case["public"])).unwrap();
        let (message, signature) = (hex(&case["message"]), hex(&case["signature"]));
        for provider in providers() {
            let key = VerificationKey::public(None, Algorithm::EdDsa, &public, &*provider).unwrap();
            assert!(key.verify(&message, &signature).is_ok());
            assert!(
                key.verify(&[&message[..], b"!"].concat(), &signature)
                    .is_err()
            );
        }
    }
}
