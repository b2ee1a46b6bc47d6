//! Texts that bring their own key: what they may be, and that nothing else may.

use std::sync::Arc;

use ringwall_jose::{
    Algorithm, CompactError, CompactLimits, Curve, HmacSecret, KeyError, ProofJws, ProofJwsError,
    PublicKey, SignatureMismatch, SignatureProvider, VerifySignature, base64url,
};
use serde_json::{Value, json};

use crate::keys::{jwk, other_jwk, parse, providers, sign, signed, with};

const ASYMMETRIC: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

fn header(algorithm: Algorithm) -> Value {
    json!({ "typ": "dpop+jwt", "alg": algorithm.name(), "jwk": jwk(algorithm) })
}

fn proof(algorithm: Algorithm, header: &Value) -> String {
    signed(algorithm, header.to_string(), r#"{"jti":"1"}"#)
}

fn read(text: &str) -> Result<ProofJws<'_>, ProofJwsError> {
    ProofJws::parse(text, CompactLimits::default())
}

#[test]
fn a_proof_is_verified_under_the_key_it_brings_by_every_provider() {
    for algorithm in ASYMMETRIC {
        let text = proof(algorithm, &header(algorithm));
        let proof = read(&text).unwrap();
        assert_eq!(proof.algorithm(), algorithm);
        assert_eq!(proof.token_type(), Some("dpop+jwt"));
        assert_eq!(proof.unverified_payload().unwrap(), br#"{"jti":"1"}"#);
        assert_eq!(proof.thumbprint(), &proof.key().thumbprint());
        for provider in providers() {
            assert!(proof.verify(&*provider).is_ok(), "{algorithm}");
        }
        let owned = read(&text).unwrap().into_owned();
        assert_eq!(owned.thumbprint(), proof.thumbprint());
        assert_eq!(owned.unverified_payload(), proof.unverified_payload());
        assert!(owned.verify(&ringwall_jose::RingProvider).is_ok());
        // The same text is no token, and a token is no proof.
        assert_eq!(parse(&text).unwrap_err(), CompactError::OwnKey);
    }
    let token = proof(Algorithm::Es256, &json!({ "alg": "ES256" }));
    assert_eq!(read(&token).unwrap_err(), ProofJwsError::KeyMissing);
}

#[test]
fn the_signature_of_another_key_or_of_another_text_does_not_verify() {
    for (algorithm, kind) in [
        (Algorithm::Es256, "EC"),
        (Algorithm::Rs256, "RSA"),
        (Algorithm::Ps512, "RSA"),
    ] {
        let mut other = header(algorithm);
        other["jwk"] = other_jwk(kind);
        let text = proof(algorithm, &other);
        for provider in providers() {
            let verdict = read(&text).unwrap().verify(&*provider);
            assert_eq!(verdict.unwrap_err(), SignatureMismatch, "{algorithm}");
        }
    }
    for algorithm in ASYMMETRIC {
        let text = proof(algorithm, &header(algorithm));
        let (signed, signature) = text.rsplit_once('.').unwrap();
        let bytes = base64url::decode(signature).unwrap();
        let longer = [&*bytes, &[0]].concat();
        let changed = signed.replace('.', ".A");
        for forged in [
            format!("{changed}.{signature}"),
            format!("{signed}.{}", base64url::encode(&longer)),
            format!("{signed}.{}", base64url::encode(&bytes[1..])),
            format!("{signed}.{}", base64url::encode(vec![0; bytes.len()])),
            format!("{signed}.{}", base64url::encode(vec![1; 1025])),
            format!("{signed}.{signature}="),
        ] {
            for provider in providers() {
                let verdict = read(&forged).unwrap().verify(&*provider);
                assert!(verdict.is_err(), "{algorithm}");
            }
        }
    }
}

#[test]
fn what_verifies_once_is_what_a_loaded_key_verifies() {
    for algorithm in ASYMMETRIC {
        let text = proof(algorithm, &header(algorithm));
        let key = read(&text).unwrap();
        let signature = sign(algorithm, b"message");
        for provider in providers() {
            let provider: Arc<dyn SignatureProvider> = provider;
            let once = |message: &[u8], signature: &[u8]| {
                provider.verify_once(algorithm, key.key(), message, signature)
            };
            assert_eq!(once(b"message", &signature), Ok(()));
            assert_eq!(once(b"other", &signature), Err(SignatureMismatch));
            for other in Algorithm::ALL {
                if other == algorithm {
                    continue;
                }
                let verdict = provider.verify_once(other, key.key(), b"message", &signature);
                assert_eq!(verdict, Err(SignatureMismatch), "{algorithm} {other}");
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
fn a_signature_of_the_wrong_length_never_reaches_the_provider() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let text = proof(algorithm, &header(algorithm));
        let (signed, signature) = text.rsplit_once('.').unwrap();
        assert!(read(&text).unwrap().verify(&Gullible).is_ok());
        let right = base64url::decode(signature).unwrap().len();
        for wrong in [1, right - 1, right + 1, 2 * right] {
            let text = format!("{signed}.{}", base64url::encode(vec![1; wrong]));
            assert!(read(&text).unwrap().verify(&Gullible).is_err(), "{wrong}");
        }
    }
}

#[test]
fn a_point_off_its_curve_verifies_nothing_when_it_is_used_once() {
    for (algorithm, curve) in [
        (Algorithm::Es256, Curve::P256),
        (Algorithm::Es384, Curve::P384),
    ] {
        let jwk = jwk(algorithm);
        let coordinate = |name: &str| base64url::decode(jwk[name].as_str().unwrap()).unwrap();
        let (x, mut y) = (coordinate("x"), coordinate("y"));
        *y.last_mut().unwrap() ^= 1;
        let off = PublicKey::ec(curve, &x, &y).unwrap();
        let signature = sign(algorithm, b"message");
        for provider in providers() {
            let verdict = provider.verify_once(algorithm, &off, b"message", &signature);
            assert_eq!(verdict, Err(SignatureMismatch));
        }
    }
}

#[test]
fn a_key_that_no_set_would_take_is_refused() {
    let algorithm = Algorithm::Es256;
    for (members, expected) in [
        (json!({ "d": "AQAB" }), KeyError::PrivatePart),
        (json!({ "k": "AQAB" }), KeyError::Symmetric),
        (json!({ "kty": "oct" }), KeyError::Symmetric),
        (json!({ "use": "enc" }), KeyError::WrongUse),
        (json!({ "key_ops": ["sign"] }), KeyError::WrongUse),
        (json!({ "key_ops": "verify" }), KeyError::Malformed),
        (json!({ "crv": "P-521" }), KeyError::Unsupported),
        (json!({ "x": "AQAB" }), KeyError::Malformed),
        (json!({ "alg": "none" }), KeyError::Unsupported),
        (json!({ "alg": "ES384" }), KeyError::AlgorithmMismatch),
        (json!({ "alg": 1 }), KeyError::Malformed),
    ] {
        let mut header = header(algorithm);
        header["jwk"] = with(header["jwk"].clone(), &members);
        let text = proof(algorithm, &header);
        assert_eq!(
            read(&text).unwrap_err(),
            ProofJwsError::Key(expected),
            "{members}"
        );
    }
    for value in [json!(null), json!([]), json!("x"), json!({})] {
        let mut header = header(algorithm);
        header["jwk"] = value.clone();
        let text = proof(algorithm, &header);
        let error = read(&text).unwrap_err();
        assert_eq!(error, ProofJwsError::Key(KeyError::Malformed), "{value}");
    }
    // Another algorithm than the key's, and a secret's.
    let mut mismatched = header(algorithm);
    mismatched["alg"] = "ES384".into();
    assert_eq!(
        read(&proof(algorithm, &mismatched)).unwrap_err(),
        ProofJwsError::Key(KeyError::AlgorithmMismatch)
    );
    for name in ["HS256", "HS384", "HS512"] {
        mismatched["alg"] = name.into();
        let text = proof(algorithm, &mismatched);
        assert_eq!(read(&text).unwrap_err(), ProofJwsError::Symmetric);
    }
}

#[test]
fn nothing_but_its_key_is_taken_from_the_header() {
    let algorithm = Algorithm::EdDsa;
    for (name, value, expected) in [
        ("jku", json!("https://a.example"), CompactError::OwnKey),
        ("x5u", json!("https://a.example"), CompactError::OwnKey),
        ("x5c", json!([]), CompactError::OwnKey),
        ("crit", json!([]), CompactError::Extension),
        ("b64", json!(true), CompactError::Extension),
        ("zip", json!("DEF"), CompactError::Extension),
        ("cty", json!("JWT"), CompactError::Type),
        ("typ", json!(1), CompactError::Type),
        ("kid", json!(""), CompactError::KeyId),
        ("alg", json!("none"), CompactError::Algorithm),
    ] {
        let mut header = header(algorithm);
        header[name] = value;
        let text = proof(algorithm, &header);
        let error = read(&text).unwrap_err();
        assert_eq!(error, ProofJwsError::Form(expected), "{name}");
    }
    let text = proof(algorithm, &header(algorithm));
    let limits = |token_bytes, header_bytes| CompactLimits {
        token_bytes,
        header_bytes,
    };
    let length = text.len();
    for (limits, expected) in [
        (limits(length - 1, 1024), CompactError::TooLong),
        (limits(length, 20), CompactError::Header),
    ] {
        let error = ProofJws::parse(&text, limits).unwrap_err();
        assert_eq!(error, ProofJwsError::Form(expected));
    }
    assert!(ProofJws::parse(&text, limits(length, 1024)).is_ok());
    for broken in ["", ".", "..", "a.b", "a.b.c.d", "a..c", ".b.c", "a.b."] {
        assert!(read(broken).is_err(), "{broken}");
    }
}

#[test]
fn shows_nothing_of_the_text() {
    let text = proof(Algorithm::EdDsa, &header(Algorithm::EdDsa));
    let proof = read(&text).unwrap();
    let shown = format!("{proof:?} {proof:#?}");
    assert!(
        text.split('.').all(|segment| !shown.contains(segment)),
        "{shown}"
    );
    assert!(!shown.contains("crv"), "{shown}");
}
