//! Elliptic-curve keys, types and curves in key sets.

use ringwall_jose::{Algorithm, KeyError, base64url};
use serde_json::json;

use crate::key_sets::reason;
use crate::keys::{jwk, other_jwk, with};

#[test]
fn refuses_a_point_that_is_not_on_its_curve() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let good = jwk(algorithm);
        let x = base64url::decode(good["x"].as_str().unwrap()).unwrap();
        let zero = base64url::encode(vec![0; x.len()]);
        let ones = base64url::encode(vec![0xff; x.len()]);
        let mut near = x.clone();
        *near.last_mut().unwrap() ^= 1;
        for change in [
            json!({ "x": base64url::encode(near) }),
            json!({ "x": good["y"], "y": good["x"] }),
            json!({ "x": zero, "y": zero }),
            json!({ "y": zero }),
            json!({ "x": ones, "y": ones }),
            json!({ "x": ones }),
        ] {
            assert_eq!(
                reason(&with(good.clone(), &change)),
                KeyError::InvalidPoint,
                "{change}"
            );
        }
    }
    let mixed = with(jwk(Algorithm::Es256), &json!({ "y": other_jwk("EC")["y"] }));
    assert_eq!(reason(&mixed), KeyError::InvalidPoint);
}

#[test]
fn refuses_coordinates_of_another_length() {
    let good = jwk(Algorithm::Es256);
    let x = base64url::decode(good["x"].as_str().unwrap()).unwrap();
    for change in [
        json!({ "x": base64url::encode([&[0], &x[..]].concat()) }),
        json!({ "x": base64url::encode(&x[1..]) }),
        json!({ "x": "" }),
        json!({ "y": null }),
        json!({ "x": null }),
        json!({ "x": 7 }),
        json!({ "x": format!("{}=", good["x"].as_str().unwrap()) }),
        json!({ "crv": "P-384" }),
        json!({ "crv": null }),
        json!({ "crv": 256 }),
    ] {
        assert_eq!(
            reason(&with(good.clone(), &change)),
            KeyError::Malformed,
            "{change}"
        );
    }
    let narrow = with(jwk(Algorithm::Es384), &json!({ "crv": "P-256" }));
    assert_eq!(reason(&narrow), KeyError::Malformed);
}

#[test]
fn refuses_an_algorithm_of_another_type_or_curve() {
    for (algorithm, wrong) in [
        (Algorithm::Es256, &["ES384", "RS256", "HS256", "EdDSA"][..]),
        (Algorithm::Es384, &["ES256", "PS384", "HS384", "Ed25519"]),
        (Algorithm::EdDsa, &["ES256", "RS256", "HS512"]),
        (Algorithm::Rs256, &["ES256", "EdDSA", "HS256"]),
    ] {
        for name in wrong {
            let broken = with(jwk(algorithm), &json!({ "alg": name }));
            assert_eq!(reason(&broken), KeyError::AlgorithmMismatch, "{broken}");
        }
        for name in ["none", "", "RSA-OAEP", "ECDH-ES", "ES512", "RS1", "es256"] {
            let broken = with(jwk(algorithm), &json!({ "alg": name }));
            assert_eq!(reason(&broken), KeyError::Unsupported, "{broken}");
        }
        for value in [json!(7), json!(["RS256"]), json!({})] {
            let broken = with(jwk(algorithm), &json!({ "alg": value }));
            assert_eq!(reason(&broken), KeyError::Malformed, "{broken}");
        }
    }
}

#[test]
fn refuses_types_and_curves_it_does_not_know() {
    for (algorithm, change) in [
        (Algorithm::Es256, json!({ "crv": "P-521" })),
        (Algorithm::Es256, json!({ "crv": "secp256k1" })),
        (Algorithm::Es256, json!({ "crv": "Ed25519" })),
        (Algorithm::EdDsa, json!({ "crv": "Ed448" })),
        (Algorithm::EdDsa, json!({ "crv": "X25519" })),
        (Algorithm::EdDsa, json!({ "crv": "P-256" })),
        (Algorithm::EdDsa, json!({ "kty": "AKP" })),
        (Algorithm::Rs256, json!({ "kty": "rsa" })),
        (Algorithm::Rs256, json!({ "kty": "" })),
    ] {
        let broken = with(jwk(algorithm), &change);
        assert_eq!(reason(&broken), KeyError::Unsupported, "{broken}");
    }
    for change in [
        json!({ "kty": null }),
        json!({ "kty": 7 }),
        json!({ "kty": ["RSA"] }),
    ] {
        let broken = with(jwk(Algorithm::Rs256), &change);
        assert_eq!(reason(&broken), KeyError::Malformed, "{broken}");
    }
}
