//! Key set documents.

use std::sync::Arc;

use ringwall_jose::json::JsonError;
use ringwall_jose::{Algorithm, KeyError, KeySet, KeySetError};
use serde_json::{Value, json};

use crate::keys::{is_accepted, jwk, other_jwk, providers, signed, valid, with};

pub(crate) fn set(document: &Value) -> Result<KeySet, KeySetError> {
    KeySet::builder()
        .document(document.to_string().as_bytes())?
        .build()
}

/// Why `broken` is left out, under every provider; the good key beside it stays.
pub(crate) fn reason(broken: &Value) -> KeyError {
    let good = with(jwk(Algorithm::Es256), &json!({ "kid": "good" }));
    let document = json!({ "keys": [broken, good] }).to_string();
    let mut reasons = providers().map(|provider| {
        let set = KeySet::builder()
            .provider(provider)
            .document(document.as_bytes());
        let set = set.unwrap().build().unwrap();
        assert!(set.find(Some("good")).is_some(), "{broken}");
        assert_eq!(set.len(), 1, "{broken}");
        assert_eq!(set.refused().len(), 1, "{broken}");
        assert_eq!(set.refused()[0].index, 0);
        set.refused()[0].reason
    });
    let first = reasons.next().unwrap();
    assert!(
        reasons.all(|other| other == first),
        "the providers differ: {broken}"
    );
    first
}

fn named(algorithm: Algorithm, id: &str) -> Value {
    with(jwk(algorithm), &json!({ "kid": id }))
}

#[test]
fn refuses_documents_that_are_no_key_set() {
    for text in [
        "{}",
        "[]",
        "null",
        r#""keys""#,
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":"x"}"#,
        r#"{"Keys":[]}"#,
        &jwk(Algorithm::Es256).to_string(),
    ] {
        let error = KeySet::builder().document(text.as_bytes()).unwrap_err();
        assert!(matches!(error, KeySetError::Shape), "{text}: {error}");
    }
    for (text, expected) in [
        (&b""[..], JsonError::Syntax),
        (b"<!doctype html><title>Log in</title>", JsonError::Syntax),
        (br#"{"keys":["#, JsonError::Syntax),
        (br#"{"keys":[]} {}"#, JsonError::Syntax),
        ("\u{feff}{\"keys\":[]}".as_bytes(), JsonError::Syntax),
        (b"{\"keys\":[\"\xff\"]}", JsonError::Encoding),
        (br#"{"keys":[],"keys":[]}"#, JsonError::DuplicateMember),
        (
            br#"{"keys":[{"kid":"a","kid":"b"}]}"#,
            JsonError::DuplicateMember,
        ),
    ] {
        let error = KeySet::builder().document(text).unwrap_err();
        let KeySetError::Json(found) = error else {
            panic!("{error}")
        };
        assert_eq!(found, expected);
    }
}

#[test]
fn refuses_a_set_without_a_usable_key() {
    for document in [
        json!({ "keys": [] }),
        json!({ "keys": [7, "x", null, [], {}] }),
        json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }),
    ] {
        assert!(matches!(
            set(&document).unwrap_err(),
            KeySetError::NoUsableKey
        ));
    }
    assert!(matches!(
        KeySet::builder().build().unwrap_err(),
        KeySetError::NoUsableKey
    ));
}

#[test]
fn one_broken_key_does_not_spoil_the_good_ones() {
    let document = json!({ "keys": [
        7,
        named(Algorithm::Es256, "one"),
        {},
        { "kty": "RSA", "kid": "broken" },
        { "kty": "RSA", "kid": "not shown" },
        { "kty": "quantum", "kid": "new" },
        named(Algorithm::EdDsa, "two"),
    ], "other": true });
    let set = set(&document).unwrap();
    assert!(set.find(Some("one")).is_some() && set.find(Some("two")).is_some());
    let refused: Vec<_> = set
        .refused()
        .iter()
        .map(|key| (key.index, key.id.as_ref().map(|id| id.as_str()), key.reason))
        .collect();
    assert_eq!(
        refused,
        [
            (0, None, KeyError::Malformed),
            (2, None, KeyError::Malformed),
            (3, Some("broken"), KeyError::Malformed),
            (4, None, KeyError::InvalidKeyId),
            (5, Some("new"), KeyError::Unsupported),
        ]
    );
}

#[test]
fn refuses_symmetric_keys() {
    let secret = ringwall_jose::base64url::encode([7; 32]);
    for broken in [
        json!({ "kty": "oct", "k": secret }),
        json!({ "kty": "oct", "k": secret, "alg": "HS256", "use": "sig", "kid": "s" }),
        json!({ "kty": "oct" }),
        with(jwk(Algorithm::Rs256), &json!({ "k": secret })),
        with(jwk(Algorithm::Es256), &json!({ "k": 7 })),
    ] {
        assert_eq!(reason(&broken), KeyError::Symmetric, "{broken}");
    }
}

#[test]
fn refuses_keys_published_with_their_private_part() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
            for value in [json!("AQAB"), json!([]), json!(7)] {
                let broken = with(jwk(algorithm), &json!({ member: value }));
                assert_eq!(reason(&broken), KeyError::PrivatePart, "{broken}");
            }
        }
    }
}

#[test]
fn refuses_keys_that_are_not_for_verifying() {
    for change in [
        json!({ "use": "enc" }),
        json!({ "use": "SIG" }),
        json!({ "use": "" }),
        json!({ "key_ops": [] }),
        json!({ "key_ops": ["sign"] }),
        json!({ "key_ops": ["encrypt", "wrapKey"] }),
        json!({ "key_ops": ["Verify"] }),
        json!({ "use": "enc", "key_ops": ["verify"] }),
        json!({ "use": "sig", "key_ops": ["sign"] }),
    ] {
        let broken = with(jwk(Algorithm::Rs256), &change);
        assert_eq!(reason(&broken), KeyError::WrongUse, "{change}");
    }
    for change in [
        json!({ "use": 7 }),
        json!({ "use": ["sig"] }),
        json!({ "key_ops": "verify" }),
        json!({ "key_ops": ["verify", 7] }),
        json!({ "key_ops": { "verify": true } }),
    ] {
        let broken = with(jwk(Algorithm::Rs256), &change);
        assert_eq!(reason(&broken), KeyError::Malformed, "{change}");
    }
    for change in [
        json!({ "use": "sig" }),
        json!({ "key_ops": ["verify"] }),
        json!({ "key_ops": ["sign", "verify"] }),
        json!({ "use": "sig", "key_ops": ["verify"] }),
    ] {
        let good = with(jwk(Algorithm::Rs256), &change);
        assert_eq!(
            set(&json!({ "keys": [good] })).unwrap().len(),
            1,
            "{change}"
        );
    }
}

#[test]
fn refuses_keys_whose_id_is_no_id() {
    for id in [
        json!(7),
        json!(["a"]),
        json!(""),
        json!("a b"),
        json!("x".repeat(257)),
    ] {
        let broken = with(jwk(Algorithm::EdDsa), &json!({ "kid": id }));
        assert_eq!(reason(&broken), KeyError::InvalidKeyId, "{id}");
    }
}

#[test]
fn different_keys_under_one_id_are_all_dropped() {
    for keys in [
        json!([named(Algorithm::Es256, "x"), named(Algorithm::EdDsa, "x")]),
        json!([
            named(Algorithm::Es256, "x"),
            with(other_jwk("EC"), &json!({ "kid": "x" })),
            named(Algorithm::Es256, "x"),
        ]),
        // One pair under two algorithms is two keys.
        json!([
            with(named(Algorithm::Rs256, "x"), &json!({ "alg": "RS256" })),
            with(named(Algorithm::Rs256, "x"), &json!({ "alg": "PS256" })),
        ]),
    ] {
        let mut keys = keys;
        let error = set(&json!({ "keys": keys })).unwrap_err();
        assert!(matches!(error, KeySetError::NoUsableKey));
        keys.as_array_mut()
            .unwrap()
            .push(named(Algorithm::Es384, "good"));
        let set = set(&json!({ "keys": keys })).unwrap();
        assert!(set.find(Some("x")).is_none());
        assert!(set.find(Some("good")).is_some());
        assert!(
            set.find(None).is_none(),
            "it is not the only key that was there"
        );
        assert_eq!(set.refused().len(), 2);
        assert!(set.refused().iter().all(|key| {
            key.reason == KeyError::DuplicateKeyId && key.id.as_ref().unwrap().as_str() == "x"
        }));
    }
}

#[test]
fn keys_of_other_algorithms_than_those_named_are_left_out() {
    let keys = json!({ "keys": [named(Algorithm::Es256, "x"), named(Algorithm::EdDsa, "y")] });
    let document = keys.to_string();
    let with = |algorithms: &[Algorithm]| {
        KeySet::builder()
            .algorithms(algorithms.iter().copied())
            .document(document.as_bytes())
            .unwrap()
            .build()
    };
    let both = with(&[Algorithm::Es256, Algorithm::EdDsa]).unwrap();
    assert_eq!((both.len(), both.refused().len()), (2, 0));
    let one = with(&[Algorithm::EdDsa]).unwrap();
    assert!(one.find(Some("y")).is_some() && one.find(Some("x")).is_none());
    let refused = &one.refused()[0];
    assert_eq!(
        (refused.index, refused.reason),
        (0, KeyError::AlgorithmNotPermitted)
    );
    assert_eq!(refused.id.as_ref().unwrap().as_str(), "x");
    // There was another key, and a token without an id may have meant that.
    assert!(one.find(None).is_none());
    for none in [&[][..], &[Algorithm::Rs256]] {
        assert!(matches!(with(none).unwrap_err(), KeySetError::NoUsableKey));
    }
}

#[test]
fn the_same_key_twice_is_one_key() {
    let key = named(Algorithm::Es256, "x");
    let set = set(&json!({ "keys": [key, key] })).unwrap();
    assert_eq!((set.len(), set.refused().len()), (1, 0));
    assert!(set.find(Some("x")).is_some() && set.find(None).is_some());
}

#[test]
fn a_token_without_id_means_the_only_key_and_none_of_several() {
    let one = set(&json!({ "keys": [named(Algorithm::Es256, "x")] })).unwrap();
    assert!(one.find(None).is_some());
    let unnamed = set(&json!({ "keys": [jwk(Algorithm::Es256)] })).unwrap();
    assert!(unnamed.find(None).is_some());
    assert!(
        unnamed.find(Some("x")).is_none(),
        "an unknown id is not the only key"
    );
    assert_eq!(unnamed.len(), 1);
    let two = json!({ "keys": [named(Algorithm::Es256, "x"), named(Algorithm::EdDsa, "y")] });
    assert!(set(&two).unwrap().find(None).is_none());
    let one_unnamed = json!({ "keys": [named(Algorithm::Es256, "x"), jwk(Algorithm::EdDsa)] });
    let one_unnamed = set(&one_unnamed).unwrap();
    assert!(one_unnamed.find(None).is_none());
    assert_eq!(one_unnamed.refused().len(), 1);
    let refused = &one_unnamed.refused()[0];
    assert_eq!((refused.index, refused.reason), (1, KeyError::MissingKeyId));
    let one_broken = json!({ "keys": [named(Algorithm::Es256, "x"), { "kty": "RSA" }] });
    assert!(set(&one_broken).unwrap().find(None).is_none());
    let no_name = json!({ "keys": [jwk(Algorithm::Es256), jwk(Algorithm::EdDsa)] });
    assert!(matches!(
        set(&no_name).unwrap_err(),
        KeySetError::NoUsableKey
    ));
}

#[test]
fn a_key_of_the_set_verifies_only_its_own_algorithm() {
    for provider in providers() {
        let key = with(named(Algorithm::Rs256, "x"), &json!({ "alg": "PS384" }));
        let set = KeySet::builder()
            .provider(Arc::clone(&provider))
            .document(json!({ "keys": [key] }).to_string().as_bytes());
        let set = set.unwrap().build().unwrap();
        let key = set.find(Some("x")).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Ps384);
        assert!(is_accepted(&valid(Algorithm::Ps384), key));
        assert!(!is_accepted(&valid(Algorithm::Rs256), key));
        assert!(!is_accepted(&valid(Algorithm::Ps256), key));
        let claims_another = signed(Algorithm::Ps384, r#"{"alg":"RS256"}"#, "{}");
        assert!(!is_accepted(&claims_another, key));
    }
}

#[test]
fn an_rsa_key_without_algorithm_takes_the_configured_one() {
    let document = json!({ "keys": [jwk(Algorithm::Rs256)] }).to_string();
    let build = |builder: ringwall_jose::KeySetBuilder| {
        let set = builder
            .document(document.as_bytes())
            .unwrap()
            .build()
            .unwrap();
        set.find(None).unwrap().algorithm()
    };
    assert_eq!(build(KeySet::builder()), Algorithm::Rs256);
    let builder = KeySet::builder().rsa_algorithm(Algorithm::Ps512).unwrap();
    assert_eq!(build(builder), Algorithm::Ps512);
    for algorithm in Algorithm::ALL {
        let is_rsa = crate::keys::RSA_ALGORITHMS.contains(&algorithm);
        let refusal = KeySet::builder().rsa_algorithm(algorithm).err();
        assert_eq!(refusal, (!is_rsa).then_some(KeyError::AlgorithmMismatch));
    }
}

#[test]
fn bounds_the_document_and_the_number_of_keys() {
    let padded = |bytes: usize| {
        let frame = json!({ "keys": [jwk(Algorithm::Es256)], "x": "" })
            .to_string()
            .len();
        json!({ "keys": [jwk(Algorithm::Es256)], "x": "x".repeat(bytes - frame) }).to_string()
    };
    assert!(
        KeySet::builder()
            .document(padded(256 * 1024).as_bytes())
            .is_ok()
    );
    for bytes in [256 * 1024 + 1, 10 * 1024 * 1024] {
        let error = KeySet::builder()
            .document(padded(bytes).as_bytes())
            .unwrap_err();
        assert!(
            matches!(error, KeySetError::Json(JsonError::TooLarge)),
            "{bytes}"
        );
    }
    let many = |count: usize| {
        let keys: Vec<Value> = (0..count)
            .map(|id| json!({ "kid": id.to_string() }))
            .collect();
        json!({ "keys": keys }).to_string()
    };
    let try_with = |limit: usize, count: usize| {
        let document = many(count);
        KeySet::builder()
            .max_keys(limit)
            .document(document.as_bytes())
            .err()
    };
    assert!(KeySet::builder().document(many(128).as_bytes()).is_ok());
    let error = KeySet::builder()
        .document(many(129).as_bytes())
        .unwrap_err();
    assert!(matches!(error, KeySetError::TooManyKeys));
    assert!(try_with(1024, 1024).is_none());
    assert!(matches!(
        try_with(usize::MAX, 1025),
        Some(KeySetError::Json(JsonError::TooLarge))
    ));
    assert!(matches!(try_with(1, 2), Some(KeySetError::TooManyKeys)));
}

#[test]
fn sets_compare_by_their_keys() {
    let one = || json!({ "keys": [named(Algorithm::Es256, "x"), named(Algorithm::EdDsa, "y")] });
    let first = set(&one()).unwrap();
    let swapped = json!({ "keys": [named(Algorithm::EdDsa, "y"), named(Algorithm::Es256, "x")] });
    assert!(first.has_same_keys(&set(&swapped).unwrap()));
    assert_ne!(first.generation(), set(&one()).unwrap().generation());
    for keys in [
        json!([named(Algorithm::Es256, "x")]),
        json!([named(Algorithm::Es256, "x"), named(Algorithm::EdDsa, "z")]),
        json!([named(Algorithm::EdDsa, "x"), named(Algorithm::Es256, "y")]),
        json!([
            named(Algorithm::Es256, "x"),
            named(Algorithm::EdDsa, "y"),
            named(Algorithm::Es384, "z")
        ]),
    ] {
        let other = set(&json!({ "keys": keys })).unwrap();
        assert!(
            !first.has_same_keys(&other) && !other.has_same_keys(&first),
            "{keys}"
        );
    }
    let rsa =
        |alg: &str| set(&json!({ "keys": [with(jwk(Algorithm::Rs256), &json!({ "alg": alg }))] }));
    assert!(!rsa("RS256").unwrap().has_same_keys(&rsa("PS256").unwrap()));
}

#[test]
fn shows_no_key_material() {
    let set = set(&json!({ "keys": [named(Algorithm::Es256, "x")] })).unwrap();
    let shown = format!("{set:?} {:?}", set.find(None).unwrap());
    assert!(
        !shown.contains(jwk(Algorithm::Es256)["x"].as_str().unwrap()),
        "{shown}"
    );
}
