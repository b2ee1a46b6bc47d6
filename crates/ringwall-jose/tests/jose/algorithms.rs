//! A key is pinned to one algorithm.

use std::sync::Arc;

use ringwall_core::profile::Profile;
use ringwall_jose::{
    Algorithm, Curve, HmacSecret, KeyError, PublicKey, SignatureMismatch, SignatureProvider,
    VerificationKey, VerifySignature, base64url,
};
use serde_json::json;

use crate::keys::{
    RSA_ALGORITHMS, SECRET, is_accepted, jwk, key_of, providers, sign, signed, valid,
    verification_key, with,
};

#[test]
fn every_algorithm_verifies_its_own_tokens() {
    for provider in providers() {
        for algorithm in Algorithm::ALL {
            let key = verification_key(algorithm, &provider);
            assert!(is_accepted(&valid(algorithm), &key), "{algorithm}");
        }
    }
}

#[test]
fn no_key_verifies_a_token_of_another_algorithm() {
    for provider in providers() {
        for of_key in Algorithm::ALL {
            let key = verification_key(of_key, &provider);
            for of_token in Algorithm::ALL.into_iter().filter(|other| *other != of_key) {
                assert!(!is_accepted(&valid(of_token), &key), "{of_key} {of_token}");
            }
        }
    }
}

#[test]
fn refuses_a_ps256_token_under_an_rs256_key_of_the_same_pair() {
    for provider in providers() {
        let rs256 = verification_key(Algorithm::Rs256, &provider);
        let ps256 = verification_key(Algorithm::Ps256, &provider);
        let token = valid(Algorithm::Ps256);
        assert!(is_accepted(&token, &ps256));
        assert!(!is_accepted(&token, &rs256));
    }
}

#[test]
fn refuses_a_header_that_names_another_algorithm_than_the_key_although_the_signature_is_right() {
    for provider in providers() {
        for of_key in Algorithm::ALL {
            let key = verification_key(of_key, &provider);
            for claimed in Algorithm::ALL.into_iter().filter(|other| *other != of_key) {
                let header = json!({ "alg": claimed.name() }).to_string();
                let token = signed(of_key, header, "{}");
                assert!(!is_accepted(&token, &key), "{of_key} {claimed}");
            }
        }
    }
}

#[test]
fn takes_both_names_of_ed25519() {
    for provider in providers() {
        let key = verification_key(Algorithm::EdDsa, &provider);
        for name in ["EdDSA", "Ed25519"] {
            let header = json!({ "alg": name }).to_string();
            assert!(
                is_accepted(&signed(Algorithm::EdDsa, header, "{}"), &key),
                "{name}"
            );
            let named = with(jwk(Algorithm::EdDsa), &json!({ "alg": name }));
            let key = key_of(&named, &provider);
            assert!(is_accepted(&valid(Algorithm::EdDsa), &key), "{name}");
        }
    }
}

#[test]
fn a_public_key_takes_no_algorithm_of_another_type_or_curve() {
    let part =
        |algorithm, name: &str| base64url::decode(jwk(algorithm)[name].as_str().unwrap()).unwrap();
    let ec = |curve, algorithm| PublicKey::ec(curve, &part(algorithm, "x"), &part(algorithm, "y"));
    let rsa = PublicKey::rsa(part(Algorithm::Rs256, "n"), part(Algorithm::Rs256, "e"));
    for (public, fitting) in [
        (ec(Curve::P256, Algorithm::Es256), &[Algorithm::Es256][..]),
        (ec(Curve::P384, Algorithm::Es384), &[Algorithm::Es384]),
        (
            PublicKey::ed25519(&part(Algorithm::EdDsa, "x")),
            &[Algorithm::EdDsa],
        ),
        (rsa, &RSA_ALGORITHMS),
    ] {
        let public = public.unwrap();
        for provider in providers() {
            for tried in Algorithm::ALL {
                let made = VerificationKey::public(None, tried, &public, &*provider);
                if fitting.contains(&tried) {
                    assert_eq!(made.unwrap().algorithm(), tried);
                } else {
                    assert_eq!(made.unwrap_err(), KeyError::AlgorithmMismatch, "{tried}");
                }
            }
        }
    }
}

/// Believes everything.
#[derive(Debug)]
struct Gullible;

impl SignatureProvider for Gullible {
    fn name(&self) -> &'static str {
        "gullible"
    }

    fn public_key(
        &self,
        _: Algorithm,
        _: &PublicKey,
    ) -> Result<Arc<dyn VerifySignature>, KeyError> {
        Ok(Arc::new(Self))
    }

    fn hmac_key(&self, _: Algorithm, _: &HmacSecret) -> Result<Arc<dyn VerifySignature>, KeyError> {
        Ok(Arc::new(Self))
    }
}

impl VerifySignature for Gullible {
    fn verify(&self, _: &[u8], _: &[u8]) -> Result<(), SignatureMismatch> {
        Ok(())
    }
}

#[test]
fn a_secret_takes_hmac_algorithms_alone_whatever_the_provider_says() {
    let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    for algorithm in Algorithm::ALL {
        let key = VerificationKey::symmetric(None, algorithm, &secret, &Gullible);
        if algorithm.is_symmetric() {
            assert!(key.is_ok());
        } else {
            assert_eq!(key.unwrap_err(), KeyError::AlgorithmMismatch);
            for provider in providers() {
                let verifier = provider.hmac_key(algorithm, &secret);
                assert_eq!(verifier.err(), Some(KeyError::AlgorithmMismatch));
            }
        }
    }
}

#[test]
fn a_signature_of_the_wrong_length_never_reaches_the_provider() {
    let gullible: Arc<dyn SignatureProvider> = Arc::new(Gullible);
    for algorithm in Algorithm::ALL {
        let key = verification_key(algorithm, &gullible);
        let right = sign(algorithm, b"message");
        assert!(key.verify(b"message", &right).is_ok());
        let Some(length) = algorithm.signature_bytes() else {
            continue;
        };
        assert_eq!(length, right.len());
        for wrong in [0, 1, length - 1, length + 1, 2 * length] {
            let verdict = key.verify(b"message", &vec![1; wrong]);
            assert_eq!(verdict, Err(SignatureMismatch), "{algorithm} {wrong}");
        }
    }
}

#[test]
fn providers_name_themselves() {
    let names: Vec<_> = providers().map(|provider| provider.name()).collect();
    assert!(["ring", "aws-lc"].starts_with(&names), "{names:?}");
}

#[test]
fn an_rsa_public_key_is_no_hmac_secret_in_any_form() {
    let jwk = jwk(Algorithm::Rs256);
    let modulus = base64url::decode(jwk["n"].as_str().unwrap()).unwrap();
    // RFC 8017 A.1.1, and RFC 5280 4.1 around it.
    let pkcs1 = [
        &[0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00][..],
        &modulus,
        &[0x02, 0x03, 0x01, 0x00, 0x01],
    ]
    .concat();
    let spki = [
        &[
            0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
        ][..],
        &[0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82, 0x01, 0x0f, 0x00],
        &pkcs1,
    ]
    .concat();
    let body = base64url::encode(&spki);
    let standard = format!("{}==", body.replace('-', "+").replace('_', "/"));
    let lines: Vec<&str> = standard
        .as_bytes()
        .chunks(64)
        .map(|l| str::from_utf8(l).unwrap())
        .collect();
    let lines = lines.join("\n");
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n");
    let ssh = format!(
        "ssh-rsa {} name@host",
        body.replace('-', "+").replace('_', "/")
    );
    let text = jwk.to_string();
    let set = json!({ "keys": [jwk] }).to_string();
    let forms: [&[u8]; 10] = [
        &pkcs1,
        &spki,
        body.as_bytes(),
        standard.as_bytes(),
        lines.as_bytes(),
        pem.as_bytes(),
        ssh.as_bytes(),
        b"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY= name@host",
        text.as_bytes(),
        set.as_bytes(),
    ];
    for form in forms {
        for (before, after) in [("", ""), (" ", ""), ("\n", "\n"), ("", "\n"), ("", " \r\n")] {
            let bytes = [before.as_bytes(), form, after.as_bytes()].concat();
            let error = HmacSecret::new(bytes, Profile::Development).unwrap_err();
            assert_eq!(error, KeyError::NotASecret, "{before:?} {after:?}");
        }
    }
}
