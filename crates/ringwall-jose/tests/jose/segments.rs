//! Texts that are not exactly one compact JWS.

use ringwall_jose::{Algorithm, CompactError, CompactJws, CompactLimits};

use crate::keys::{is_accepted, parse, providers, signed, valid, verification_key};

#[test]
fn refuses_any_other_number_of_segments() {
    let token = valid(Algorithm::Hs256);
    let parts: Vec<&str> = token.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
    ] {
        assert_eq!(parse(&text).unwrap_err(), CompactError::Segments, "{text}");
    }
}

#[test]
fn refuses_encrypted_tokens() {
    // RFC 7516 §3.1 in outline: five segments, and with an empty encrypted key.
    let header = ringwall_jose::base64url::encode(r#"{"alg":"dir","enc":"A256GCM"}"#);
    for text in [
        format!("{header}.a2V5.aXY.dGV4dA.dGFn"),
        format!("{header}..aXY.dGV4dA.dGFn"),
    ] {
        assert_eq!(parse(&text).unwrap_err(), CompactError::Segments);
    }
}

#[test]
fn refuses_the_json_serialisations() {
    let token = valid(Algorithm::Hs256);
    let parts: Vec<&str> = token.split('.').collect();
    let flattened = serde_json::json!({
        "protected": parts[0], "payload": parts[1], "signature": parts[2],
    });
    let general = serde_json::json!({
        "payload": parts[1],
        "signatures": [{ "protected": parts[0], "signature": parts[2] }],
    });
    for text in [flattened.to_string(), general.to_string()] {
        assert_eq!(parse(&text).unwrap_err(), CompactError::Segments);
    }
}

#[test]
fn refuses_every_second_spelling_of_a_segment() {
    // Payloads and signatures that hold `-` and `_`, so that the standard alphabet differs.
    let token = signed(
        Algorithm::Hs256,
        "{\"alg\":\"HS256\"}   ",
        "{\"a\":\"\u{fbff}\u{ffff}>>??\"}",
    );
    for provider in providers() {
        let key = verification_key(Algorithm::Hs256, &provider);
        assert!(is_accepted(&token, &key));
        let parts: Vec<&str> = token.split('.').collect();
        for (index, part) in parts.iter().enumerate() {
            let mut spellings = vec![
                format!("{part}="),
                format!("{part}=="),
                format!(" {part}"),
                format!("{part} "),
                format!("{part}\n"),
                format!("{part}\r\n"),
                format!("\t{part}"),
                format!("{part}\0"),
                format!("{part}%3D"),
                format!("{part}A"),
                format!("{part}AA"),
                part.replace('-', "+"),
                part.replace('_', "/"),
            ];
            let (kept, last) = part.split_at(part.len() - 1);
            let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').collect();
            spellings.extend(alphabet.iter().map(|other| format!("{kept}{other}")));
            for spelling in spellings {
                if spelling == **part {
                    continue;
                }
                let mut changed = parts.clone();
                changed[index] = &spelling;
                assert!(
                    !is_accepted(&changed.join("."), &key),
                    "{last} {spelling:?}"
                );
            }
        }
    }
}

#[test]
fn says_which_segment_is_not_base64url() {
    let token = valid(Algorithm::Hs256);
    let parts: Vec<&str> = token.split('.').collect();
    let header = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    assert_eq!(parse(&header).unwrap_err(), CompactError::Encoding);
    // The payload is decoded when it is asked for, so that a token of an unknown key costs less.
    let payload = format!("{}.{}=.{}", parts[0], parts[1], parts[2]);
    let error = parse(&payload).unwrap().unverified_payload().unwrap_err();
    assert_eq!(error, CompactError::Encoding);
}

#[test]
fn a_payload_that_is_not_strict_is_refused_even_when_it_was_signed() {
    let signed_padded = {
        let header = ringwall_jose::base64url::encode(r#"{"alg":"HS256"}"#);
        let input = format!("{header}.e30=");
        let signature = crate::keys::sign(Algorithm::Hs256, input.as_bytes());
        format!("{input}.{}", ringwall_jose::base64url::encode(signature))
    };
    let jws = parse(&signed_padded).unwrap();
    assert_eq!(
        jws.unverified_payload().unwrap_err(),
        CompactError::Encoding
    );
}

#[test]
fn bounds_the_token_before_it_looks_at_it() {
    assert_eq!(
        parse(&".".repeat(1_000_000)).unwrap_err(),
        CompactError::TooLong
    );
    let of = |bytes: usize| format!("{}.{}", valid(Algorithm::Hs256), "x".repeat(bytes));
    let frame = of(0).len();
    assert_eq!(
        parse(&of(8192 - frame)).unwrap_err(),
        CompactError::Segments
    );
    assert_eq!(parse(&of(8193 - frame)).unwrap_err(), CompactError::TooLong);
    let token = valid(Algorithm::Hs256);
    let limits = |token_bytes| CompactLimits {
        token_bytes,
        ..CompactLimits::default()
    };
    assert!(CompactJws::parse(&token, limits(token.len())).is_ok());
    let error = CompactJws::parse(&token, limits(token.len() - 1)).unwrap_err();
    assert_eq!(error, CompactError::TooLong);
}

#[test]
fn a_signature_longer_than_any_key_makes_does_not_verify() {
    for algorithm in Algorithm::ALL {
        let token = valid(algorithm);
        for provider in providers() {
            let key = verification_key(algorithm, &provider);
            assert!(is_accepted(&token, &key), "{algorithm}");
            assert!(
                !is_accepted(&format!("{token}{}", "AAAA".repeat(1000)), &key),
                "{algorithm}"
            );
        }
    }
}
