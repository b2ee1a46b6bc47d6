//! Signed claims of any content: nothing is accepted that the rules forbid, and the cache says the
//! same as the first look.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use ringwall_authn::jose::{
    Algorithm, HmacSecret, KeyId, KeySet, RingProvider, StaticKeys, VerificationKey, base64url,
};
use ringwall_authn::{IssuerPolicy, TokenProfile, TokenVerifier};
use ringwall_core::clock::Timestamp;
use ringwall_core::profile::Profile;

const SECRET: &[u8; 32] = b"a secret of exactly 32 bytes....";
const NOW: u64 = 1_767_225_600;

struct Setup {
    verifier: TokenVerifier,
    key: VerificationKey,
}

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    let id = KeyId::new("k1").unwrap();
    let key =
        VerificationKey::symmetric(Some(id), Algorithm::Hs256, &secret, &RingProvider).unwrap();
    let keys = StaticKeys::new(KeySet::builder().key(key.clone()).build().unwrap());
    let policy = IssuerPolicy::builder(
        "https://issuer.example",
        "https://api.example",
        Arc::new(keys),
    )
    .profile(TokenProfile::plain())
    .build()
    .unwrap();
    let builder = TokenVerifier::builder()
        .profile(Profile::Development)
        .issuer(policy);
    Setup {
        verifier: builder.cache_bytes(1 << 20).build().unwrap(),
        key,
    }
});

fn sign(claims: &[u8]) -> String {
    let header = base64url::encode(r#"{"alg":"HS256","kid":"k1"}"#);
    let input = format!("{header}.{}", base64url::encode(claims));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let tag = ring::hmac::sign(&key, input.as_bytes());
    format!("{input}.{}", base64url::encode(tag))
}

fuzz_target!(|claims: &[u8]| {
    let setup = &*SETUP;
    let token = sign(claims);
    let now = Timestamp::from_unix_seconds(NOW as i64).unwrap();
    let first = setup.verifier.verify(&token, now);
    let second = setup.verifier.verify(&token, now);
    assert_eq!(first.is_ok(), second.is_ok());
    let Ok(verified) = first else { return };
    let claims: serde_json::Value =
        serde_json::from_slice(claims).expect("accepted claims are JSON");
    assert_eq!(claims["iss"], "https://issuer.example");
    let audience = &claims["aud"];
    let is_ours = |value: &serde_json::Value| value == "https://api.example";
    assert!(
        is_ours(audience)
            || audience
                .as_array()
                .is_some_and(|list| list.iter().any(is_ours))
    );
    let expiry = claims["exp"].as_u64().expect("a whole number");
    assert!(expiry + 60 > NOW && expiry <= NOW + 24 * 3600 + 60);
    assert_eq!(
        claims["sub"].as_str(),
        Some(verified.principal().subject.as_str())
    );
    assert!(
        claims.get("cnf").is_none() && claims.get("act").is_none() && claims.get("nonce").is_none()
    );
    for scope in &verified.principal().scopes {
        assert!(claims["scope"].to_string().contains(scope.as_str()) || claims["scope"].is_array());
    }
    // One character less is another token.
    assert!(
        setup
            .verifier
            .verify(&token[..token.len() - 1], now)
            .is_err()
    );
    assert_eq!(setup.key.algorithm(), Algorithm::Hs256);
});
