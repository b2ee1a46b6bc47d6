//! What a token writes into `kid`.

use ringwall_jose::{Algorithm, CompactError, KeyError, KeyId, KeySet};
use serde_json::{Value, json};

use crate::keys::{jwk, parse, signed, with};

fn with_kid(kid: &Value) -> String {
    let header = json!({ "alg": "HS256", "kid": kid }).to_string();
    signed(Algorithm::Hs256, header, "{}")
}

#[test]
fn refuses_key_ids_that_are_not_short_visible_text() {
    for kid in [
        json!(""),
        json!("\0"),
        json!("a\0b"),
        json!("two words"),
        json!("line\nbreak"),
        json!("clé"),
        json!("\u{202e}1"),
        json!("\u{7f}"),
        json!("x".repeat(257)),
        json!("1' OR '1'='1"),
        json!(7),
        json!(null),
        json!(true),
        json!(["1"]),
        json!({ "1": "1" }),
    ] {
        let error = parse(&with_kid(&kid)).unwrap_err();
        assert_eq!(error, CompactError::KeyId, "{kid}");
    }
}

#[test]
fn refuses_a_key_id_of_ten_kilobytes_by_the_length_of_the_token() {
    let token = with_kid(&json!("x".repeat(10 * 1024)));
    assert_eq!(parse(&token).unwrap_err(), CompactError::TooLong);
}

#[test]
fn a_hostile_key_id_is_just_an_unknown_one() {
    let keys = json!({ "keys": [with(jwk(Algorithm::Es256), &json!({ "kid": "1" }))] });
    let set = KeySet::builder()
        .document(keys.to_string().as_bytes())
        .unwrap();
    let set = set.build().unwrap();
    assert!(set.find(Some("1")).is_some());
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        "1'OR'1'='1",
        "1;DROP/**/TABLE/**/keys--",
        "https://evil.example/jwks.json",
        "file:///proc/self/environ",
        "|/bin/true",
        "$(id)",
        "01",
        "1.0",
        "%31",
        &"x".repeat(256),
    ] {
        let token = with_kid(&json!(kid));
        let jws = parse(&token).unwrap();
        assert_eq!(jws.key_id(), Some(kid));
        assert!(set.find(jws.key_id()).is_none(), "{kid}");
    }
}

#[test]
fn a_key_id_holds_its_bounds() {
    assert_eq!(KeyId::new(&"k".repeat(256)).unwrap().as_str().len(), 256);
    for text in ["", " ", "a b", "\t", "é", &"k".repeat(257)] {
        assert_eq!(
            KeyId::new(text).unwrap_err(),
            KeyError::InvalidKeyId,
            "{text:?}"
        );
    }
}
