//! What a proof has to be (RFC 9449 §4.3), and each thing that it must not be.

use ringwall_authn::ProofFault;
use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_core::event::EventKind;
use serde_json::{Value, json};

use super::service::*;
use crate::support::*;

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

#[test]
fn a_bound_token_with_a_proof_of_its_key_is_accepted_under_every_algorithm() {
    let service = Service::new();
    for algorithm in ALGORITHMS {
        let client = Key::new("client", algorithm);
        let token = service.issuer.token(&bound_to(&client));
        // Twice: from scratch, and from the cache.
        for _ in 0..2 {
            let proof = Draft::new(&client, &token).sign(&client);
            let verified = service.send(&Request::dpop(&token, &proof)).unwrap();
            assert_eq!(verified.principal().subject, "user-1");
            let confirmation = verified.confirmation().unwrap();
            let thumbprint = client.public().thumbprint();
            assert_eq!(confirmation.key_thumbprint(), Some(&thumbprint));
        }
    }
    let accepted = 2 * ALGORITHMS.len();
    assert_eq!(service.store.calls(), accepted);
    assert_eq!(
        count(&service, EventKind::AuthenticationSucceeded),
        accepted
    );
}

/// What is changed in a good proof, and how.
type Change<'a> = (&'a str, fn(Draft) -> Draft);

#[track_caller]
fn refuses(changes: &[Change<'_>], expected: ProofFault) {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    for (what, change) in changes {
        let cause = service.refuses(&client, change);
        assert_eq!(cause, expected.as_str(), "{what}");
    }
    assert_eq!(service.store.calls(), 0, "junk reaches the store");
    let refused = count(&service, EventKind::AuthenticationFailed);
    assert_eq!(refused, changes.len());
}

/// The answer to a proof of any text, beside a token that is bound to the key.
#[track_caller]
fn refuses_text(service: &Service, client: &Key, proof: &str) -> &'static str {
    let token = service.issuer.token(&bound_to(client));
    let denial = service.send(&Request::dpop(&token, proof)).unwrap_err();
    let told = challenge(&denial);
    assert!(told.contains(r#"error="invalid_dpop_proof""#), "{told}");
    service.cause()
}

#[test]
fn there_is_exactly_one_proof() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let authorization = format!("DPoP {token}");
    let proof = || Draft::new(&client, &token).sign(&client);
    let none = Request::new(&[("authorization", &authorization)]);
    let denial = service.send(&none).unwrap_err();
    assert_eq!(status(&denial), 401);
    assert_eq!(service.cause(), ProofFault::Missing.as_str());
    let two = Request::new(&[
        ("authorization", &authorization),
        ("dpop", &proof()),
        ("DPoP", &proof()),
    ]);
    let denial = service.send(&two).unwrap_err();
    assert_eq!(status(&denial), 401);
    assert_eq!(service.cause(), ProofFault::Several.as_str());
    for joined in [
        format!("{},{}", proof(), proof()),
        format!("{}, {}", proof(), proof()),
        format!(" {}", proof()),
        String::new(),
        ".".repeat(6 * 1024),
        ".".repeat(1 << 20),
    ] {
        let cause = refuses_text(&service, &client, &joined);
        assert_eq!(cause, "the proof is not an acceptable signed text");
    }
    let cause = refuses_text(&service, &client, &format!("{} ", proof()));
    assert_eq!(cause, ProofFault::Signature.as_str());
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn line_23_its_type_is_that_of_proofs() {
    refuses(
        &[
            ("absent", |draft| draft.without_header("typ")),
            ("JWT", |draft| draft.header("typ", "JWT")),
            ("access token", |draft| draft.header("typ", "at+jwt")),
            ("another case", |draft| draft.header("typ", "DPoP+JWT")),
            ("longer", |draft| draft.header("typ", "dpop+jwt2")),
            ("prefixed", |draft| {
                draft.header("typ", "application/dpop+jwt")
            }),
        ],
        ProofFault::Type,
    );
}

#[test]
fn line_7_only_a_proof_brings_its_key_and_an_access_token_never_does() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let jwk: Value = serde_json::from_str(&client.public().required_members()).unwrap();
    // A token that its bearer signed, under a key that it brings.
    let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": "k1", "jwk": jwk });
    let own = client.raw_token(&header.to_string(), &bound_to(&client).to_string());
    let proof = Draft::new(&client, &own).sign(&client);
    // And the proof of another request, as the token.
    let other = Draft::new(&client, "token").sign(&client);
    let beside = Draft::new(&client, &other).sign(&client);
    for (token, proof) in [(own, proof), (other, beside)] {
        for request in [Request::dpop(&token, &proof), Request::bearer(&token)] {
            let denial = service.send(&request).unwrap_err();
            let told = challenge(&denial);
            assert!(told.contains(r#"error="invalid_token""#), "{told}");
            assert_eq!(
                service.cause(),
                "the token is not an acceptable signed token"
            );
        }
    }
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn lines_8_9_13_14_and_34_nothing_in_its_header_leads_elsewhere_or_changes_what_is_signed() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("x5u", json!("https://evil.example/certificate")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("kid", json!(7)),
        ("alg", json!("none")),
        ("alg", json!("ES256K")),
        ("alg", json!(["ES256"])),
        ("alg", Value::Null),
        ("typ", json!(1)),
    ] {
        let cause = service.refuses(&client, |draft| draft.header(name, value.clone()));
        assert_eq!(
            cause, "the proof is not an acceptable signed text",
            "{name}: {value}"
        );
    }
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn lines_1_to_5_its_algorithm_is_asymmetric_accepted_and_the_keys_own() {
    refuses(
        &[
            ("a shared secret", |draft| draft.header("alg", "HS256")),
            ("one that is not listed", |draft| {
                let key = Key::new("other", Algorithm::Rs512);
                let jwk: Value = serde_json::from_str(&key.public().required_members()).unwrap();
                draft.header("alg", "RS512").header("jwk", jwk)
            }),
        ],
        ProofFault::Algorithm,
    );
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    for algorithm in ["ES384", "EdDSA", "RS256", "PS256"] {
        let cause = service.refuses(&client, |draft| draft.header("alg", algorithm));
        assert_eq!(
            cause, "the key of the proof is not acceptable",
            "{algorithm}"
        );
    }
    let narrow = Service::with_policy(|policy| policy.algorithms([Algorithm::EdDsa]));
    let cause = narrow.refuses(&client, |draft| draft);
    assert_eq!(cause, ProofFault::Algorithm.as_str());
    let client = Key::new("client", Algorithm::EdDsa);
    let token = narrow.issuer.token(&bound_to(&client));
    let mut draft = Draft::new(&client, &token);
    for name in ["EdDSA", "Ed25519"] {
        draft = draft.header("alg", name).claim("jti", fresh_id());
        let answer = narrow.send(&Request::dpop(&token, &draft.sign(&client)));
        assert!(answer.is_ok(), "{name}");
    }
}

#[test]
fn lines_3_6_and_29_to_31_its_key_is_public_strong_and_meant_to_sign() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let own: Value = serde_json::from_str(&client.public().required_members()).unwrap();
    let with = |name: &str, value: Value| {
        let mut jwk = own.clone();
        jwk[name] = value;
        jwk
    };
    let number = |bytes: Vec<u8>| base64url::encode(bytes);
    let rsa = |bytes: usize, exponent: &[u8]| {
        json!({
            "kty": "RSA",
            "n": number(vec![0xff; bytes]),
            "e": number(exponent.to_vec()),
        })
    };
    for (what, algorithm, jwk) in [
        ("private", "ES256", with("d", json!("AQAB"))),
        ("private, and empty", "ES256", with("d", Value::Null)),
        ("a secret beside", "ES256", with("k", json!("AQAB"))),
        (
            "a secret",
            "ES256",
            json!({ "kty": "oct", "k": base64url::encode([7; 32]) }),
        ),
        ("encryption", "ES256", with("use", json!("enc"))),
        ("signing only", "ES256", with("key_ops", json!(["sign"]))),
        ("another algorithm", "ES256", with("alg", json!("ES384"))),
        ("no algorithm", "ES256", with("alg", json!("none"))),
        ("another curve", "ES256", with("crv", json!("P-384"))),
        ("an unknown curve", "ES256", with("crv", json!("secp256k1"))),
        ("an unknown type", "ES256", with("kty", json!("ec"))),
        ("a short coordinate", "ES256", with("x", json!("AQAB"))),
        ("a number", "ES256", json!(1)),
        ("nothing", "ES256", Value::Null),
        ("a list", "ES256", json!([own.clone()])),
        ("a set", "ES256", json!({ "keys": [own.clone()] })),
        ("RSA of 1024 bits", "RS256", rsa(128, &[1, 0, 1])),
        ("RSA of 16384 bits", "PS256", rsa(2048, &[1, 0, 1])),
        ("RSA with e = 1", "PS256", rsa(256, &[1])),
        ("RSA with e = 3", "RS256", rsa(256, &[3])),
        (
            "a small order",
            "EdDSA",
            json!({ "kty": "OKP", "crv": "Ed25519", "x": number(vec![0; 32]) }),
        ),
        (
            "X25519",
            "EdDSA",
            json!({ "kty": "OKP", "crv": "X25519", "x": number(vec![9; 32]) }),
        ),
    ] {
        let cause = service.refuses(&client, |draft| {
            draft.header("alg", algorithm).header("jwk", jwk)
        });
        let expected = match what {
            // It does not fit into a header.
            "RSA of 16384 bits" => "the proof is not an acceptable signed text",
            _ => "the key of the proof is not acceptable",
        };
        assert_eq!(cause, expected, "{what}");
    }
    let cause = service.refuses(&client, |draft| {
        draft
            .header("alg", "PS256")
            .header("jwk", rsa(513, &[1, 0, 1]))
    });
    assert_eq!(cause, ProofFault::KeyTooLarge.as_str());
    let cause = service.refuses(&client, |draft| draft.without_header("jwk"));
    assert_eq!(cause, ProofFault::KeyMissing.as_str());
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn line_31_a_point_off_its_curve_signs_nothing_even_for_a_token_that_is_bound_to_it() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let mut jwk: Value = serde_json::from_str(&client.public().required_members()).unwrap();
    let mut y = base64url::decode(jwk["y"].as_str().unwrap()).unwrap();
    y[31] ^= 1;
    jwk["y"] = base64url::encode(&y).into();
    let x = base64url::decode(jwk["x"].as_str().unwrap()).unwrap();
    let off = ringwall_authn::jose::PublicKey::ec(ringwall_authn::jose::Curve::P256, &x, &y);
    let jkt = base64url::encode(off.unwrap().thumbprint());
    let token = service.issuer.token(&with("cnf", json!({ "jkt": jkt })));
    let proof = Draft::new(&client, &token).header("jwk", jwk).sign(&client);
    assert!(service.send(&Request::dpop(&token, &proof)).is_err());
    assert_eq!(service.cause(), ProofFault::Signature.as_str());
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn line_15_two_members_of_one_name_are_refused_wherever_they_stand() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let draft = Draft::new(&client, &token);
    let twice = |value: &Value, member: &str| {
        let text = value.to_string();
        format!("{},{member}}}", &text[..text.len() - 1])
    };
    for member in [
        r#""alg":"ES256""#,
        r#""typ":"dpop+jwt""#,
        r#""jwk":{}"#,
        r#""j\u0077k":{}"#,
    ] {
        let header = twice(&draft.header, member);
        let proof = client.raw_token(&header, &draft.claims.to_string());
        let cause = refuses_text(&service, &client, &proof);
        assert_eq!(cause, "the proof is not an acceptable signed text");
    }
    for member in [
        r#""ath":"x""#,
        r#""htm":"GET""#,
        r#""jti":"x""#,
        r#""iat":1"#,
        r#""htu":"x""#,
    ] {
        let claims = twice(&draft.claims, member);
        let proof = client.raw_token(&draft.header.to_string(), &claims);
        let cause = refuses_text(&service, &client, &proof);
        assert_eq!(cause, "the proof's claims are not acceptable JSON");
    }
    for claims in ["[]", "null", "\"x\"", "1"] {
        let proof = client.raw_token(&draft.header.to_string(), claims);
        let cause = refuses_text(&service, &client, &proof);
        assert_eq!(cause, ProofFault::NotClaims.as_str());
    }
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn its_id_is_there_and_bounded() {
    refuses(
        &[
            ("missing", |draft| draft.without_claim("jti")),
            ("a number", |draft| draft.claim("jti", 7)),
            ("null", |draft| draft.claim("jti", Value::Null)),
            ("empty", |draft| draft.claim("jti", "")),
            ("long", |draft| draft.claim("jti", "x".repeat(257))),
            ("two lines", |draft| draft.claim("jti", "a\nb")),
            ("NUL", |draft| draft.claim("jti", "a\0")),
        ],
        ProofFault::IdMalformed,
    );
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let draft = Draft::new(&client, &token).claim("jti", "x".repeat(256));
    let proof = draft.sign(&client);
    assert!(service.send(&Request::dpop(&token, &proof)).is_ok());
}

#[test]
fn it_is_for_the_method_of_the_request() {
    refuses(
        &[
            ("missing", |draft| draft.without_claim("htm")),
            ("another", |draft| draft.claim("htm", "POST")),
            ("another case", |draft| draft.claim("htm", "get")),
            ("longer", |draft| draft.claim("htm", "GETX")),
            ("empty", |draft| draft.claim("htm", "")),
            ("a list", |draft| draft.claim("htm", json!(["GET"]))),
        ],
        ProofFault::MethodMismatch,
    );
}

#[test]
fn it_is_for_the_target_of_the_request() {
    refuses(
        &[
            ("another path", |draft| {
                draft.claim("htu", "https://api.example/other")
            }),
            ("another host", |draft| {
                draft.claim("htu", "https://evil.example/cases")
            }),
            ("another scheme", |draft| {
                draft.claim("htu", "http://api.example/cases")
            }),
            ("another port", |draft| {
                draft.claim("htu", "https://api.example:8443/cases")
            }),
        ],
        ProofFault::TargetMismatch,
    );
    refuses(
        &[
            ("missing", |draft| draft.without_claim("htu")),
            ("a path", |draft| draft.claim("htu", "/cases")),
            ("a list", |draft| draft.claim("htu", json!([TARGET]))),
            ("a user", |draft| {
                draft.claim("htu", "https://api.example@evil.example/cases")
            }),
        ],
        ProofFault::TargetMalformed,
    );
    // Another spelling, and what RFC 9449 §4.3 ignores.
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    for target in [
        "HTTPS://API.example:443/%63ases",
        "https://api.example/cases?page=9#x",
    ] {
        let proof = Draft::new(&client, &token).claim("htu", target);
        let answer = service.send(&Request::dpop(&token, &proof.sign(&client)));
        assert!(answer.is_ok(), "{target}");
    }
}

#[test]
fn lines_16_and_18_it_was_made_a_moment_ago() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    for (value, expected) in [
        (json!(NOW - 60), None),
        (json!(NOW - 61), Some(ProofFault::TooOld)),
        (json!(0), Some(ProofFault::TooOld)),
        (json!(NOW + 5), None),
        (json!(NOW + 6), Some(ProofFault::IssuedInFuture)),
        (json!(253_402_300_799_u64), Some(ProofFault::IssuedInFuture)),
        (
            json!(253_402_300_800_u64),
            Some(ProofFault::IssuedAtMalformed),
        ),
        (json!(u64::MAX), Some(ProofFault::IssuedAtMalformed)),
        (json!(NOW.to_string()), Some(ProofFault::IssuedAtMalformed)),
        (json!(NOW as f64), Some(ProofFault::IssuedAtMalformed)),
        (json!(1e300), Some(ProofFault::IssuedAtMalformed)),
        (json!(-1), Some(ProofFault::IssuedAtMalformed)),
        (json!([NOW]), Some(ProofFault::IssuedAtMalformed)),
        (Value::Null, Some(ProofFault::IssuedAtMalformed)),
    ] {
        let proof = Draft::new(&client, &token).claim("iat", value.clone());
        let answer = service.send(&Request::dpop(&token, &proof.sign(&client)));
        match expected {
            None => assert!(answer.is_ok(), "{value}"),
            Some(fault) => {
                assert!(answer.is_err(), "{value}");
                assert_eq!(service.cause(), fault.as_str(), "{value}");
            }
        }
    }
    let cause = service.refuses(&client, |draft| draft.without_claim("iat"));
    assert_eq!(cause, ProofFault::IssuedAtMalformed.as_str());
    assert_eq!(service.store.calls(), 2);
}

#[test]
fn its_window_can_be_set_within_bounds() {
    let seconds = core::time::Duration::from_secs;
    let service = Service::with_policy(|policy| policy.max_age(seconds(2)).max_lead(seconds(0)));
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    for (offset, accepted) in [(-3, false), (-2, true), (0, true), (1, false)] {
        let proof = Draft::new(&client, &token).claim("iat", NOW + offset);
        let answer = service.send(&Request::dpop(&token, &proof.sign(&client)));
        assert_eq!(answer.is_ok(), accepted, "{offset}");
    }
}

#[test]
fn it_is_for_this_token() {
    refuses(
        &[
            ("missing", |draft| draft.without_claim("ath")),
            ("empty", |draft| draft.claim("ath", "")),
            ("null", |draft| draft.claim("ath", Value::Null)),
            ("of nothing", |draft| {
                draft.claim("ath", "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
            }),
            ("padded", |draft| {
                let padded = format!("{}=", draft.claims["ath"].as_str().unwrap());
                draft.claim("ath", padded)
            }),
            ("longer", |draft| {
                let longer = format!("{}A", draft.claims["ath"].as_str().unwrap());
                draft.claim("ath", longer)
            }),
            ("shorter", |draft| {
                let text = draft.claims["ath"].as_str().unwrap();
                let shorter = text[..42].to_owned();
                draft.claim("ath", shorter)
            }),
            ("a list", |draft| {
                let list = json!([draft.claims["ath"]]);
                draft.claim("ath", list)
            }),
        ],
        ProofFault::TokenMismatch,
    );
    // Two good tokens of one client: the proof is for one of them.
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let mut other = bound_to(&client);
    other["jti"] = "token-2".into();
    let tokens = [
        service.issuer.token(&bound_to(&client)),
        service.issuer.token(&other),
    ];
    let proof = Draft::new(&client, &tokens[0]).sign(&client);
    assert!(service.send(&Request::dpop(&tokens[1], &proof)).is_err());
    assert_eq!(service.cause(), ProofFault::TokenMismatch.as_str());
    assert!(service.send(&Request::dpop(&tokens[0], &proof)).is_ok());
}

#[test]
fn lines_27_and_28_its_signature_is_its_keys() {
    let service = Service::new();
    for algorithm in ALGORITHMS {
        let client = Key::new("client", algorithm);
        let token = service.issuer.token(&bound_to(&client));
        let draft = Draft::new(&client, &token);
        let proof = draft.sign(&client);
        let (signed, signature) = proof.rsplit_once('.').unwrap();
        let length = base64url::decode(signature).unwrap().len();
        let stranger = match algorithm {
            Algorithm::Ps256 | Algorithm::Rs256 => Key::second_rsa("client"),
            _ => Key::new("client", algorithm),
        };
        let mut long = base64url::decode(signature).unwrap();
        long.push(0);
        for forged in [
            draft.sign(&stranger),
            format!("{signed}.{}", base64url::encode(vec![0; length])),
            format!("{signed}.{}", base64url::encode(vec![0xff; length])),
            format!("{signed}.{}", base64url::encode(vec![0; 2 * length])),
            format!("{signed}.{}", base64url::encode(&long)),
            format!("{signed}.{}", base64url::encode(vec![0; 2000])),
            format!("{signed}.{signature}="),
            format!("{signed}.+{}", &signature[1..]),
        ] {
            let cause = refuses_text(&service, &client, &forged);
            assert_eq!(cause, ProofFault::Signature.as_str(), "{algorithm}");
        }
        assert!(service.send(&Request::dpop(&token, &proof)).is_ok());
    }
    assert_eq!(service.store.calls(), ALGORITHMS.len());
}

#[test]
fn lines_24_to_26_and_33_its_form_is_strict() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let draft = Draft::new(&client, &token);
    let proof = draft.sign(&client);
    let (signed, signature) = proof.rsplit_once('.').unwrap();
    for text in [
        signed.to_owned(),
        format!("{proof}."),
        format!("{proof}.{signature}"),
        format!("{signed}."),
        format!(".{proof}"),
        format!("{proof}.a.b"),
        format!(r#"{{"payload":"{proof}"}}"#),
        proof.replacen('.', "=.", 1),
        format!("{proof}\n"),
    ] {
        let cause = refuses_text(&service, &client, &text);
        let known = [
            "the proof is not an acceptable signed text",
            ProofFault::Signature.as_str(),
        ];
        assert!(known.contains(&cause), "{text}: {cause}");
    }
    for claims in [
        format!("\u{feff}{}", draft.claims),
        format!("{} x", draft.claims),
        "[".repeat(100),
        format!("{{\"a\":\"{}\"}}", "x".repeat(3 * 1024)),
    ] {
        let text = client.raw_token(&draft.header.to_string(), &claims);
        let cause = refuses_text(&service, &client, &text);
        assert_eq!(cause, "the proof's claims are not acceptable JSON");
    }
    assert_eq!(service.store.calls(), 0);
}

/// RFC 7515 §4, RFC 7519 §4: what is not understood and not critical is ignored.
#[test]
fn members_that_mean_nothing_here_are_ignored() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let mut jwk: Value = serde_json::from_str(&client.public().required_members()).unwrap();
    for (name, value) in [
        ("kid", json!("client-key-1")),
        ("use", json!("sig")),
        ("alg", json!("ES256")),
        ("key_ops", json!(["verify"])),
        ("ext", json!(true)),
    ] {
        jwk[name] = value;
    }
    let proof = Draft::new(&client, &token)
        .header("jwk", jwk)
        .header("kid", "client-key-1")
        .claim("nonce", "of somebody else")
        .claim("sub", "user-2");
    let verified = service.send(&Request::dpop(&token, &proof.sign(&client)));
    assert_eq!(verified.unwrap().principal().subject, "user-1");
}

#[test]
fn nothing_of_a_proof_is_shown() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let verified = service.send(&Request::dpop(&token, &proof)).unwrap();
    assert!(service.send(&Request::dpop(&token, &proof)).is_err());
    let shown = format!(
        "{verified:?} {:?} {:?} {:?}",
        verified.confirmation(),
        service.authenticator,
        service.events.snapshot()
    );
    let thumbprint = base64url::encode(client.public().thumbprint());
    for secret in proof.split('.').chain([&*thumbprint, "proof-"]) {
        assert!(!shown.contains(secret), "{shown}");
    }
}
