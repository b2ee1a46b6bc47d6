//! Interoperability with PyJWT, in both directions and for every algorithm.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ringwall_authn::jose::{
    Algorithm, HmacSecret, KeyId, KeySet, RingProvider, StaticKeys, VerificationKey, base64url,
};
use ringwall_authn::{
    IssuerPolicy, SigningKey, TokenIssuer, TokenProfile, TokenRequest, TokenVerifier,
};
use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::principal::Subject;
use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretBytes;
use serde_json::{Value, json};

use crate::support::*;

#[test]
fn every_algorithm_interoperates_with_pyjwt_in_both_directions() {
    let now = SystemClock::new().now().unwrap();
    let secret = || HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    let ours: Vec<Value> = Algorithm::ALL
        .into_iter()
        .map(|algorithm| {
            let key = match algorithm {
                Algorithm::EdDsa | Algorithm::Es256 | Algorithm::Es384 => {
                    let pkcs8 = SigningKey::generate_pkcs8(algorithm).unwrap();
                    SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap()
                }
                Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                    SigningKey::hmac(KeyId::new("ours").unwrap(), algorithm, &secret()).unwrap()
                }
                _ => SigningKey::from_pkcs8(algorithm, &SecretBytes::new(RSA_PKCS8.to_vec()))
                    .unwrap(),
            };
            let jwk: Option<Value> = key.jwk().map(|jwk| serde_json::from_str(&jwk).unwrap());
            let issuer = TokenIssuer::new(ISSUER, key);
            let request = TokenRequest::new(Subject::new("user-1").unwrap(), AUDIENCE);
            let issued = issuer.issue(&request, now).unwrap();
            json!({ "alg": algorithm.name(), "jwk": jwk, "token": issued.token.expose() })
        })
        .collect();
    let seconds = now.unix_seconds();
    let answer = peer(&json!({
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "secret": base64url::encode(SECRET),
        "claims": { "iss": ISSUER, "sub": "user-2", "aud": AUDIENCE, "exp": seconds + 600, "iat": seconds, "jti": "t" },
        "tokens": ours,
    }));

    // Ours verify there.
    let verified = answer["verified"].as_array().unwrap();
    assert_eq!(verified.len(), Algorithm::ALL.len());
    for (item, algorithm) in verified.iter().zip(Algorithm::ALL) {
        assert_eq!(*item, json!({ "alg": algorithm.name(), "sub": "user-1" }));
    }
    // Theirs verify here.
    let tokens = answer["tokens"].as_array().unwrap();
    let mut seen: Vec<Algorithm> = Vec::new();
    for item in tokens {
        let algorithm = Algorithm::from_name(item["alg"].as_str().unwrap()).unwrap();
        let set = match &item["jwk"] {
            Value::Null => {
                let id = Some(KeyId::new("peer").unwrap());
                KeySet::builder().key(
                    VerificationKey::symmetric(id, algorithm, &secret(), &RingProvider).unwrap(),
                )
            }
            jwk => KeySet::builder()
                .document(json!({ "keys": [jwk] }).to_string().as_bytes())
                .unwrap(),
        };
        let policy = IssuerPolicy::builder(
            ISSUER,
            AUDIENCE,
            Arc::new(StaticKeys::new(set.build().unwrap())),
        )
        .profile(TokenProfile::plain())
        .build()
        .unwrap();
        let verifier = TokenVerifier::builder()
            .profile(Profile::Development)
            .issuer(policy)
            .build()
            .unwrap();
        let token = verifier
            .verify(item["token"].as_str().unwrap(), now)
            .unwrap();
        assert_eq!(token.principal().subject, "user-2");
        seen.push(algorithm);
    }
    seen.sort_unstable();
    assert_eq!(seen, Algorithm::ALL);
}

fn peer(request: &Value) -> Value {
    let python = std::env::var_os("RINGWALL_TEST_PYTHON")
        .expect("`cargo xtask test` makes the environment of this test and names it in RINGWALL_TEST_PYTHON");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/pyjwt_peer.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the interpreter runs");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(request.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the peer failed, see above");
    serde_json::from_slice(&output.stdout).unwrap()
}
