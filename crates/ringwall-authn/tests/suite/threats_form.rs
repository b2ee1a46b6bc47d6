//! Threat lines 24 to 34: forms, encodings, signatures, keys and sizes.

use std::time::{Duration, Instant};

use ringwall_authn::Refusal;
use ringwall_authn::jose::json::JsonError;
use ringwall_authn::jose::{
    Algorithm, CompactError, Curve, HmacSecret, KeyError, KeySet, PublicKey, base64url,
};
use ringwall_core::profile::Profile;
use serde_json::json;

use crate::support::*;

fn good() -> (Key, ringwall_authn::TokenVerifier, String) {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token(&claims());
    (key, verifier, token)
}

#[test]
fn line_24_refuses_any_number_of_segments_but_three() {
    let (_, verifier, token) = good();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!()
    };
    for text in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
    ] {
        assert_eq!(
            refusal(&verifier, &text),
            Refusal::Form(CompactError::Segments),
            "{text}"
        );
    }
}

#[test]
fn line_25_refuses_encrypted_tokens_and_json_serialisation() {
    let (_, verifier, token) = good();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!()
    };
    let encrypted = format!("{header}.{payload}.{signature}.{payload}.{signature}");
    assert_eq!(
        refusal(&verifier, &encrypted),
        Refusal::Form(CompactError::Segments)
    );
    let flattened =
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string();
    let general = json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
    for text in [flattened, general.to_string()] {
        assert!(
            matches!(refusal(&verifier, &text), Refusal::Form(_)),
            "{text}"
        );
    }
}

#[test]
fn line_26_refuses_every_other_spelling_of_the_same_bytes() {
    let (_, verifier, token) = good();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!()
    };
    // 64 bytes leave two bits of the last character unused; one of the other three spellings.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = alphabet.find(last).unwrap();
    for sibling in (index + 1)..(index + 16) {
        let other = alphabet.chars().nth(sibling).unwrap();
        let text = format!(
            "{header}.{payload}.{}{other}",
            &signature[..signature.len() - 1]
        );
        assert_eq!(
            refusal(&verifier, &text),
            Refusal::Signature,
            "trailing bits"
        );
    }
    for text in [
        format!("{token}="),
        format!("{token}=="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{header}.\n{payload}.{signature}"),
        format!("{header}.{payload}.+{}", &signature[1..]),
        format!("{header}.{payload}./{}", &signature[1..]),
        format!("{header}.{payload}.{signature}A"),
        format!("{header}.{payload}.%41{}", &signature[1..]),
    ] {
        let refused = refusal(&verifier, &text);
        assert!(
            matches!(
                refused,
                Refusal::Form(CompactError::Encoding) | Refusal::Signature
            ),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn line_27_refuses_ecdsa_signatures_in_any_other_form() {
    let key = Key::new("k1", Algorithm::Es256);
    let verifier = verifier(&[&key]);
    let token = key.token(&claims());
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = base64url::decode(signature).unwrap();
    let n = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let (r, s) = signature.split_at(32);
    let mut der = vec![0x30, 70, 0x02, 33, 0];
    der.extend(r);
    der.extend([0x02, 33, 0]);
    der.extend(s);
    let padded = [&[0], r, &[0], s].concat();
    let forms: Vec<Vec<u8>> = vec![
        vec![0; 64], // CVE-2022-21449
        [r, &[0; 32]].concat(),
        [&[0; 32], s].concat(),
        [&n, s].concat(),
        [r, &n].concat(),
        [&[0xff; 32], s].concat(),
        [r, &[0xff; 32]].concat(),
        der,
        padded,
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        vec![0],
        r.to_vec(),
    ];
    for form in forms {
        let text = format!("{input}.{}", base64url::encode(&form));
        assert_eq!(refusal(&verifier, &text), Refusal::Signature, "{form:02x?}");
    }
    accepted(&verifier, &token);
}

#[test]
fn line_28_refuses_ed25519_signatures_whose_s_is_not_reduced_and_small_order_keys() {
    let (_, verifier, token) = good();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature).unwrap();
    // S + L is the same scalar modulo L (RFC 8032 §5.1.7 asks for S < L).
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(
        refusal(
            &verifier,
            &format!("{input}.{}", base64url::encode(&signature))
        ),
        Refusal::Signature
    );
    // Under a key of small order, ring takes this signature for any message half of the time or always.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(
        PublicKey::ed25519(&identity).unwrap_err(),
        KeyError::InvalidPoint
    );
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url::encode(identity), "kid": "k1" });
    let set = KeySet::builder()
        .document(json!({ "keys": [jwk] }).to_string().as_bytes())
        .unwrap()
        .build();
    assert!(set.is_err());
}

#[test]
fn line_29_refuses_rsa_keys_that_are_weak_or_oversized() {
    for (bits, exponent) in [
        (512, "AQAB"),
        (1024, "AQAB"),
        (2048, "AQ"),
        (2048, "Aw"),
        (16_384, "AQAB"),
    ] {
        let mut modulus = vec![0xff; bits / 8];
        modulus[0] = 0xc0;
        let jwk = json!({ "kty": "RSA", "n": base64url::encode(modulus), "e": exponent, "kid": "k1", "alg": "RS256" });
        let document = json!({ "keys": [jwk, Key::new("k2", Algorithm::EdDsa).jwk()] }).to_string();
        let set = KeySet::builder()
            .document(document.as_bytes())
            .unwrap()
            .build()
            .unwrap();
        assert_eq!(
            set.refused()[0].reason,
            KeyError::Strength,
            "{bits} {exponent}"
        );
    }
}

#[test]
fn line_30_refuses_short_secrets() {
    for length in [0, 1, 31] {
        let error = HmacSecret::new(vec![b'x'; length], Profile::Development).unwrap_err();
        assert_eq!(error, KeyError::Strength);
    }
}

#[test]
fn line_31_refuses_points_off_the_curve_and_curves_that_do_not_fit() {
    let key = Key::new("k1", Algorithm::Es256);
    let mut off = key.jwk();
    let mut y = base64url::decode(off["y"].as_str().unwrap()).unwrap();
    y[31] ^= 1;
    off["y"] = base64url::encode(y).into();
    let mut wrong_curve = key.jwk();
    wrong_curve["crv"] = "P-384".into();
    let mut wrong_algorithm = key.jwk();
    wrong_algorithm["alg"] = "ES384".into();
    let mut unknown = key.jwk();
    unknown["crv"] = "secp256k1".into();
    let mut zero = key.jwk();
    zero["x"] = base64url::encode([0; 32]).into();
    zero["y"] = base64url::encode([0; 32]).into();
    for (jwk, reason) in [
        (off, KeyError::InvalidPoint),
        (zero, KeyError::InvalidPoint),
        (wrong_curve, KeyError::Malformed),
        (wrong_algorithm, KeyError::AlgorithmMismatch),
        (unknown, KeyError::Unsupported),
    ] {
        let document = json!({ "keys": [jwk, Key::new("k2", Algorithm::EdDsa).jwk()] }).to_string();
        let set = KeySet::builder()
            .document(document.as_bytes())
            .unwrap()
            .build()
            .unwrap();
        assert_eq!(set.refused()[0].reason, reason);
    }
    assert_eq!(
        PublicKey::ec(Curve::P256, &[1; 48], &[1; 48]).unwrap_err(),
        KeyError::Malformed
    );
}

#[test]
fn line_32_refuses_what_is_too_long_too_deep_or_too_wide_without_reading_it() {
    let (key, verifier, token) = good();
    let padding = "x".repeat(8 * 1024);
    assert_eq!(
        refusal(&verifier, &key.token(&with("padding", padding))),
        Refusal::Form(CompactError::TooLong)
    );
    assert_eq!(
        refusal(&verifier, &format!("{token}{}", "A".repeat(8192))),
        Refusal::Form(CompactError::TooLong)
    );
    let dots = ".".repeat(1_000_000);
    assert_eq!(
        refusal(&verifier, &dots),
        Refusal::Form(CompactError::TooLong)
    );
    let header = key.header().to_string();
    for levels in [17, 201, 1000] {
        let nested = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let claims = format!(
            "{},\"deep\":{nested}}}",
            claims().to_string().strip_suffix('}').unwrap()
        );
        assert!(
            matches!(
                refusal(&verifier, &key.raw_token(&header, &claims)),
                Refusal::Json(_)
            ),
            "{levels}"
        );
    }
    let long_header =
        json!({ "alg": "EdDSA", "kid": "k1", "typ": "at+jwt", "x": "x".repeat(1024) });
    assert_eq!(
        refusal(&verifier, &key.token_with_header(&long_header)),
        Refusal::Form(CompactError::Header)
    );
}

#[test]
fn line_32_a_flood_of_hostile_texts_is_refused_in_bounded_time() {
    // No time is judged but a hang: ten thousand of the worst texts in under a minute.
    let (_, verifier, _) = good();
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that guards against a hang"
    )]
    let start = Instant::now();
    let objects = base64url::encode(format!(
        "{{{}}}",
        (0..127)
            .map(|n| format!("\"{n:040}\":0"))
            .collect::<Vec<_>>()
            .join(",")
    ));
    let text = format!(
        "{}.{objects}.AAAA",
        base64url::encode(r#"{"alg":"EdDSA","kid":"k1"}"#)
    );
    assert!(text.len() <= 8192);
    for _ in 0..10_000 {
        assert_eq!(refusal(&verifier, &text), Refusal::IssuerMalformed);
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn line_33_refuses_bytes_that_are_not_one_json_text() {
    let (key, verifier, _) = good();
    let header = key.header().to_string();
    let good = claims().to_string();
    let sign = |claims: &[u8]| {
        let input = format!(
            "{}.{}",
            base64url::encode(&header),
            base64url::encode(claims)
        );
        format!("{input}.{}", base64url::encode(key.sign(input.as_bytes())))
    };
    let invalid = [
        good.as_bytes().strip_suffix(b"}").unwrap(),
        b",\"x\":\"\xff\"}",
    ]
    .concat();
    assert_eq!(
        refusal(&verifier, &sign(&invalid)),
        Refusal::Json(JsonError::Encoding)
    );
    let surrogate = format!("{},\"x\":\"\\ud800\"}}", good.strip_suffix('}').unwrap());
    for claims in [
        format!("\u{feff}{good}"),
        format!("{good}{good}"),
        format!("{good} x"),
        format!("{good}\0"),
        surrogate,
        good.replace('"', "'"),
    ] {
        assert_eq!(
            refusal(&verifier, &sign(claims.as_bytes())),
            Refusal::Json(JsonError::Syntax),
            "{claims:?}"
        );
    }
    for claims in ["[]", "null", "\"text\"", "7"] {
        assert_eq!(
            refusal(&verifier, &sign(claims.as_bytes())),
            Refusal::NotClaims,
            "{claims}"
        );
    }
    // White space around the claims is JSON.
    accepted(&verifier, &sign(format!(" {good}\n").as_bytes()));
}

#[test]
fn line_34_refuses_compressed_and_nested_tokens() {
    let (key, verifier, _) = good();
    for (name, value, expected) in [
        ("zip", json!("DEF"), CompactError::Extension),
        ("zip", json!(null), CompactError::Extension),
        ("cty", json!("JWT"), CompactError::Type),
        ("cty", json!("jwt"), CompactError::Type),
    ] {
        let mut header = key.header();
        header[name] = value;
        assert_eq!(
            refusal(&verifier, &key.token_with_header(&header)),
            Refusal::Form(expected),
            "{name}"
        );
    }
}
