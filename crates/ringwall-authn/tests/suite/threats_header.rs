//! Threat lines 1 to 15: what a header can try, and whose key it may name.
//!
//! Each forged token is signed with the issuer's own key wherever that is possible, so that the
//! check under test is the only thing between it and acceptance.

use ringwall_authn::jose::{
    Algorithm, CompactError, HmacSecret, KeyError, KeyId, KeySet, KeySetError, RingProvider,
    StaticKeys, VerificationKey, base64url,
};
use ringwall_authn::{Refusal, TokenVerifier};
use ringwall_core::profile::Profile;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::*;

fn header_with(key: &Key, name: &str, value: Value) -> Value {
    let mut header = key.header();
    header[name] = value;
    header
}

#[track_caller]
fn refuses_header(name: &str, value: Value, expected: CompactError) {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token_with_header(&header_with(&key, name, value.clone()));
    assert_eq!(
        refusal(&verifier, &token),
        Refusal::Form(expected),
        "{name}: {value}"
    );
}

#[test]
fn a_good_token_is_accepted_so_that_the_refusals_below_mean_something() {
    for algorithm in Algorithm::ALL {
        let key = Key::new("k1", algorithm);
        let verified = accepted(&verifier(&[&key]), &key.token(&claims()));
        assert_eq!(verified.principal().subject, "user-1");
        assert!(verified.principal().has_scope("cases:write"));
        assert!(verified.principal().has_role("analyst"));
        assert_eq!(verified.principal().tenant.as_ref().unwrap().org, "org-1");
        assert_eq!(verified.key_id(), Some("k1"));
        assert_eq!(verified.token_id(), Some("token-1"));
    }
}

#[test]
fn line_01_refuses_alg_none_in_every_spelling_and_alg_of_another_type() {
    for name in [
        "none", "None", "nOnE", "NONE", "", " none", "none ", "HS0", "null",
    ] {
        refuses_header("alg", name.into(), CompactError::Algorithm);
    }
    for value in [
        json!(["EdDSA"]),
        json!({"alg": "EdDSA"}),
        json!(0),
        Value::Null,
        json!(true),
    ] {
        refuses_header("alg", value, CompactError::Algorithm);
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token_with_header(&json!({ "kid": "k1", "typ": "at+jwt" }));
    assert_eq!(
        refusal(&verifier, &token),
        Refusal::Form(CompactError::Algorithm)
    );
    // The unsecured form of RFC 7519 §6: an empty signature.
    let input = format!(
        "{}.{}",
        base64url::encode(r#"{"alg":"none","kid":"k1"}"#),
        base64url::encode(claims().to_string())
    );
    assert_eq!(
        refusal(&verifier, &format!("{input}.")),
        Refusal::Form(CompactError::Segments)
    );
    assert_eq!(
        refusal(&verifier, &format!("{input}.AA")),
        Refusal::Form(CompactError::Algorithm)
    );
}

#[test]
fn line_02_refuses_hs256_keyed_with_the_public_key_in_any_form() {
    let key = Key::new("k1", Algorithm::Rs256);
    let verifier = verifier(&[&key]);
    let jwk = key.jwk().to_string();
    let required = key.public().required_members();
    let forms: [&[u8]; 4] = [
        RSA_PUBLIC_PEM,
        RSA_PUBLIC_DER,
        jwk.as_bytes(),
        required.as_bytes(),
    ];
    for form in forms {
        for secret in [
            form.to_vec(),
            [b" ", form].concat(),
            form.trim_ascii().to_vec(),
        ] {
            for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
                let header = json!({ "alg": algorithm.name(), "kid": "k1", "typ": "at+jwt" });
                let input = format!(
                    "{}.{}",
                    base64url::encode(header.to_string()),
                    base64url::encode(claims().to_string())
                );
                let signature = hmac_sign(algorithm, &secret, input.as_bytes());
                let token = format!("{input}.{}", base64url::encode(signature));
                assert_eq!(refusal(&verifier, &token), Refusal::AlgorithmMismatch);
            }
            // The same mistake from the other side: a public key given as the secret.
            let error = HmacSecret::new(secret, Profile::Development).unwrap_err();
            assert_eq!(error, KeyError::NotASecret);
        }
    }
}

#[test]
fn line_03_refuses_an_oct_key_in_a_key_set() {
    let good = Key::new("k1", Algorithm::EdDsa);
    let secret = base64url::encode([7; 32]);
    let document =
        json!({ "keys": [good.jwk(), { "kty": "oct", "k": secret, "kid": "k2", "alg": "HS256" }] });
    let set = KeySet::builder()
        .document(document.to_string().as_bytes())
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(set.refused()[0].reason, KeyError::Symmetric);
    assert!(set.find(Some("k2")).is_none());
    // Signed with the published secret: its key is not there.
    let header = json!({ "alg": "HS256", "kid": "k2", "typ": "at+jwt" });
    let input = format!(
        "{}.{}",
        base64url::encode(header.to_string()),
        base64url::encode(claims().to_string())
    );
    let signature = hmac_sign(Algorithm::Hs256, &[7; 32], input.as_bytes());
    let policy =
        ringwall_authn::IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(StaticKeys::new(set)));
    let token = format!("{input}.{}", base64url::encode(signature));
    assert_eq!(refusal(&verifier_of(policy), &token), Refusal::KeyUnknown);
}

#[test]
fn line_03_symmetric_keys_are_refused_in_production() {
    let key = Key::new("k1", Algorithm::Hs256);
    // The key itself could only be made in a development profile; a verifier in production
    // refuses it all the same.
    let verifier = TokenVerifier::builder()
        .issuer(policy(&[&key]).build().unwrap())
        .build()
        .unwrap();
    assert_eq!(verifier.profile(), Profile::Production);
    assert_eq!(
        refusal(&verifier, &key.token(&claims())),
        Refusal::SymmetricKey
    );
}

#[test]
fn line_04_refuses_a_ps256_header_for_an_rs256_key() {
    let rs256 = Key::new("k1", Algorithm::Rs256);
    let verifier = verifier(&[&rs256]);
    // The same RSA key, a good PS256 signature.
    for algorithm in [
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Rs384,
        Algorithm::Rs512,
    ] {
        let other = Key::new("k1", algorithm);
        assert_eq!(
            refusal(&verifier, &other.token(&claims())),
            Refusal::AlgorithmMismatch,
            "{algorithm}"
        );
    }
}

#[test]
fn line_05_refuses_a_header_algorithm_that_is_not_the_keys() {
    let key = Key::new("k1", Algorithm::Es256);
    let verifier = verifier(&[&key]);
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| *algorithm != Algorithm::Es256)
    {
        let token = key.token_with_header(&header_with(&key, "alg", algorithm.name().into()));
        assert_eq!(
            refusal(&verifier, &token),
            Refusal::AlgorithmMismatch,
            "{algorithm}"
        );
    }
    // A key whose own `alg` does not fit its type is no key.
    let mut jwk = key.jwk();
    jwk["alg"] = "RS256".into();
    let error = KeySet::builder()
        .document(json!({ "keys": [jwk] }).to_string().as_bytes())
        .unwrap()
        .build();
    assert!(matches!(error.unwrap_err(), KeySetError::NoUsableKey));
}

#[test]
fn line_06_refuses_keys_that_are_not_for_verifying() {
    let key = Key::new("k1", Algorithm::EdDsa);
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!("")),
        ("use", json!(["sig"])),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!([])),
        ("key_ops", json!("verify")),
        ("key_ops", json!(["verify", 1])),
    ] {
        let mut jwk = key.jwk();
        jwk[name] = value.clone();
        let document = json!({ "keys": [jwk] }).to_string();
        let error = KeySet::builder()
            .document(document.as_bytes())
            .unwrap()
            .build()
            .unwrap_err();
        assert!(matches!(error, KeySetError::NoUsableKey), "{name}: {value}");
    }
}

#[test]
fn line_07_refuses_an_embedded_key() {
    let attacker = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&Key::new("k1", Algorithm::EdDsa)]);
    let token = attacker.token_with_header(&header_with(&attacker, "jwk", attacker.jwk()));
    assert_eq!(
        refusal(&verifier, &token),
        Refusal::Form(CompactError::OwnKey)
    );
    // Refused even if it is the issuer's own key.
    refuses_header("jwk", json!({}), CompactError::OwnKey);
    refuses_header("jwk", Value::Null, CompactError::OwnKey);
}

#[test]
fn line_08_refuses_key_urls_and_fetches_nothing() {
    // Whoever listens here would see the attempt.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    refuses_header("jku", url.clone().into(), CompactError::OwnKey);
    refuses_header("x5u", url.into(), CompactError::OwnKey);
    let attempt = listener.accept();
    assert_eq!(
        attempt.unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody connected"
    );
}

#[test]
fn line_09_refuses_a_certificate_chain_in_the_header() {
    refuses_header(
        "x5c",
        json!([base64url::encode(RSA_PUBLIC_DER)]),
        CompactError::OwnKey,
    );
    refuses_header("x5c", json!([]), CompactError::OwnKey);
    // A mere thumbprint of a certificate names a key and brings none: it is ignored (RFC 7515 §4.1.7).
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(
        &verifier(&[&key]),
        &key.token_with_header(&header_with(&key, "x5t", "abc".into())),
    );
}

#[test]
fn line_10_refuses_hostile_key_ids() {
    let long = "k".repeat(10 * 1024);
    let at_the_bound = "k".repeat(257);
    for value in [
        json!(at_the_bound),
        json!("k1\0"),
        json!("k 1"),
        json!("k\n1"),
        json!("kä"),
        json!(""),
        json!(1),
        json!(["k1"]),
        json!({}),
        Value::Null,
    ] {
        refuses_header("kid", value, CompactError::KeyId);
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token_with_header(&header_with(&key, "kid", long.into()));
    assert!(matches!(
        refusal(&verifier, &token),
        Refusal::Form(CompactError::TooLong | CompactError::Header)
    ));
    // What could be a key id is looked up in a map, and nowhere else.
    for id in [
        "../../etc/passwd",
        "k1'OR'1'='1",
        "https://attacker.example/k1",
        "K1",
        "k1/",
        "k%31",
        "/dev/null",
    ] {
        let token = key.token_with_header(&header_with(&key, "kid", id.into()));
        assert_eq!(refusal(&verifier, &token), Refusal::KeyUnknown, "{id}");
    }
}

#[test]
fn line_11_refuses_both_of_two_keys_under_one_id() {
    let (one, two) = (
        Key::new("same", Algorithm::EdDsa),
        Key::new("same", Algorithm::EdDsa),
    );
    let other = Key::new("other", Algorithm::Es256);
    let verifier = verifier(&[&one, &two, &other]);
    assert_eq!(
        refusal(&verifier, &one.token(&claims())),
        Refusal::KeyUnknown
    );
    assert_eq!(
        refusal(&verifier, &two.token(&claims())),
        Refusal::KeyUnknown
    );
    accepted(&verifier, &other.token(&claims()));
}

#[test]
fn line_12_refuses_a_token_without_key_id_when_there_are_several_keys() {
    let (one, two) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    let mut header = one.header();
    header.as_object_mut().unwrap().remove("kid");
    let token = one.token_with_header(&header);
    assert_eq!(
        refusal(&verifier(&[&one, &two]), &token),
        Refusal::KeyUnnamed
    );
    // With a single key there is no choice to make.
    accepted(&verifier(&[&one]), &token);
    assert_eq!(refusal(&verifier(&[&two]), &token), Refusal::Signature);
}

#[test]
fn line_13_refuses_every_crit() {
    for value in [
        json!([]),
        json!(["exp"]),
        json!(["alg"]),
        json!(["https://example.com/unknown"]),
        json!(["b64", "b64"]),
        json!(["absent"]),
        json!("exp"),
        json!({"exp": true}),
        json!(1),
        Value::Null,
    ] {
        refuses_header("crit", value, CompactError::Extension);
    }
}

#[test]
fn line_14_refuses_unencoded_payloads() {
    refuses_header("b64", json!(false), CompactError::Extension);
    refuses_header("b64", json!(true), CompactError::Extension);
    let key = Key::new("k1", Algorithm::EdDsa);
    let mut header = header_with(&key, "b64", json!(false));
    header["crit"] = json!(["b64"]);
    let token = key.token_with_header(&header);
    assert_eq!(
        refusal(&verifier(&[&key]), &token),
        Refusal::Form(CompactError::Extension)
    );
}

#[test]
fn line_15_refuses_duplicate_members_in_header_and_claims() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let good = claims().to_string();
    for header in [
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"none","kid":"k1","typ":"at+jwt"}"#,
        r#"{"alg":"EdDSA","kid":"k1","typ":"at+jwt","x":1,"x":2}"#,
        r#"{"alg":"EdDSA","kid":"k2","kid":"k1","typ":"at+jwt"}"#,
    ] {
        assert_eq!(
            refusal(&verifier, &key.raw_token(header, &good)),
            Refusal::Form(CompactError::Header),
            "{header}"
        );
    }
    let header = key.header().to_string();
    for member in [
        r#""exp":9999999999"#.to_owned(),
        r#""sub":"admin""#.to_owned(),
        r#""\u0073ub":"admin""#.to_owned(),
        format!(r#""exp":{}"#, NOW + 600),
        r#""custom":1,"custom":1"#.to_owned(),
        r#""nested":{"a":1,"a":2}"#.to_owned(),
        r#""list":[{"a":1,"a":2}]"#.to_owned(),
    ] {
        let duplicated = format!("{},{member}}}", good.strip_suffix('}').unwrap());
        let refused = refusal(&verifier, &key.raw_token(&header, &duplicated));
        assert_eq!(
            refused,
            Refusal::Json(ringwall_authn::jose::json::JsonError::DuplicateMember),
            "{member}"
        );
    }
}

#[test]
fn a_key_is_pinned_even_when_its_document_names_no_algorithm() {
    // Entra ID's keys have no `alg`: RSA is then RS256 and nothing else.
    let key = Key::new("k1", Algorithm::Rs256);
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let set = KeySet::builder()
        .document(json!({ "keys": [jwk] }).to_string().as_bytes())
        .unwrap()
        .build()
        .unwrap();
    let policy =
        ringwall_authn::IssuerPolicy::builder(ISSUER, AUDIENCE, Arc::new(StaticKeys::new(set)));
    let verifier = verifier_of(policy);
    accepted(&verifier, &key.token(&claims()));
    let ps256 = Key::new("k1", Algorithm::Ps256).token(&claims());
    assert_eq!(refusal(&verifier, &ps256), Refusal::AlgorithmMismatch);
}

#[test]
fn a_verification_key_cannot_be_made_for_an_algorithm_of_another_type() {
    let id = || Some(KeyId::new("k1").unwrap());
    let ed25519 = Key::new("k1", Algorithm::EdDsa).public();
    for algorithm in Algorithm::ALL
        .into_iter()
        .filter(|algorithm| *algorithm != Algorithm::EdDsa)
    {
        let error = VerificationKey::public(id(), algorithm, &ed25519, &RingProvider).unwrap_err();
        assert_eq!(error, KeyError::AlgorithmMismatch, "{algorithm}");
    }
}
