//! A text is a compact JWS in exactly one spelling, and nothing verifies that was not signed.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ringwall_core::profile::Profile;
use ringwall_jose::json::{Document, Limits};
use ringwall_jose::{
    Algorithm, CompactJws, CompactLimits, HmacSecret, KeySet, RingProvider, VerificationKey,
    base64url,
};

/// Each with a token that it verifies, whose text up to the signature is kept.
static KEYS: LazyLock<Vec<(VerificationKey, String)>> = LazyLock::new(|| {
    [
        include_str!("../../crates/ringwall-jose/tests/vectors/rfc7515-a1-hs256.json"),
        include_str!("../../crates/ringwall-jose/tests/vectors/rfc7515-a2-rs256.json"),
        include_str!("../../crates/ringwall-jose/tests/vectors/rfc7515-a3-es256.json"),
        include_str!("../../crates/ringwall-jose/tests/vectors/rfc7520-4-2-ps384.json"),
        include_str!("../../crates/ringwall-jose/tests/vectors/rfc8037-a4-eddsa.json"),
    ]
    .into_iter()
    .map(known)
    .collect()
});

fn known(vector: &str) -> (VerificationKey, String) {
    let vector: serde_json::Value = serde_json::from_str(vector).unwrap();
    let jwk = &vector["jwk"];
    let key = if let Some(secret) = jwk["k"].as_str() {
        let secret = base64url::decode(secret).unwrap();
        let secret = HmacSecret::new(secret, Profile::Development).unwrap();
        VerificationKey::symmetric(None, Algorithm::Hs256, &secret, &RingProvider).unwrap()
    } else {
        let set = serde_json::json!({ "keys": [jwk] }).to_string();
        let set = KeySet::builder().document(set.as_bytes()).unwrap();
        let set = set.build().unwrap();
        set.find(jwk["kid"].as_str()).unwrap().clone()
    };
    let token = vector["jws"].as_str().unwrap();
    let jws = CompactJws::parse(token, CompactLimits::default()).unwrap();
    assert!(jws.verify(&key).is_ok());
    (key, token.rsplit_once('.').unwrap().0.to_owned())
}

fuzz_target!(|data: &[u8]| {
    let Ok(token) = str::from_utf8(data) else {
        return;
    };
    let Ok(jws) = CompactJws::parse(token, CompactLimits::default()) else {
        return;
    };
    assert!(token.len() <= CompactLimits::default().token_bytes);
    let segments: Vec<&str> = token.split('.').collect();
    assert_eq!(segments.len(), 3);
    let header = base64url::decode(segments[0]).expect("the header was decoded");
    assert_eq!(base64url::encode(&header), segments[0]);
    let header: serde_json::Value = serde_json::from_slice(&header).expect("the header was read");
    let name = header["alg"].as_str().expect("there is an algorithm");
    assert_eq!(Algorithm::from_name(name), Some(jws.algorithm()));
    assert_eq!(header["kid"].as_str(), jws.key_id());
    assert_eq!(header["typ"].as_str(), jws.token_type());
    for member in ["crit", "b64", "zip", "cty", "jwk", "jku", "x5u", "x5c"] {
        assert!(header.get(member).is_none());
    }
    if let Ok(payload) = jws.unverified_payload() {
        assert_eq!(base64url::encode(&payload), segments[1]);
        drop(Document::parse(payload, Limits::TOKEN));
    }
    for (key, signed) in &*KEYS {
        if jws.verify(key).is_ok() {
            // Not the whole token: an ECDSA signature has two forms.
            assert_eq!(
                token.rsplit_once('.').map(|(input, _)| input),
                Some(&**signed)
            );
        }
    }
});
