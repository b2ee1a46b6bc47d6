//! Headers that must be refused, on tokens whose signature is right.

use std::net::TcpListener;

use ringwall_jose::{Algorithm, CompactError};

use crate::keys::{is_accepted, parse, providers, signed, verification_key};

fn refusal(header: impl AsRef<[u8]>) -> CompactError {
    let token = signed(Algorithm::Hs256, header, "{}");
    parse(&token).unwrap_err()
}

/// Refused for `expected`, and accepted without the offending members.
fn refuses(headers: &[&str], expected: CompactError) {
    let token = signed(Algorithm::Hs256, r#"{"alg":"HS256"}"#, "{}");
    for provider in providers() {
        assert!(is_accepted(
            &token,
            &verification_key(Algorithm::Hs256, &provider)
        ));
    }
    for header in headers {
        assert_eq!(refusal(header), expected, "{header}");
    }
}

#[test]
fn refuses_algorithms_that_protect_nothing_or_are_not_known() {
    refuses(
        &[
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"nOnE"}"#,
            r#"{"alg":"NONE"}"#,
            r#"{"alg":""}"#,
            r"{}",
            r#"{"typ":"JWT"}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":{"HS256":true}}"#,
            r#"{"alg":null}"#,
            r#"{"alg":256}"#,
            r#"{"alg":true}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS256 "}"#,
            r#"{"alg":"HS256\u0000"}"#,
            r#"{"alg":"ES256K"}"#,
            r#"{"alg":"ES512"}"#,
            r#"{"alg":"RS1"}"#,
            r#"{"alg":"Ed448"}"#,
            r#"{"alg":"dir"}"#,
            r#"{"Alg":"HS256"}"#,
        ],
        CompactError::Algorithm,
    );
}

#[test]
fn refuses_a_token_that_brings_its_own_key() {
    refuses(
        &[
            r#"{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}"#,
            r#"{"jwk":{"kty":"RSA","n":"AQAB","e":"AQAB"},"alg":"HS256"}"#,
            r#"{"alg":"HS256","jwk":null}"#,
        ],
        CompactError::OwnKey,
    );
}

#[test]
fn refuses_a_token_that_brings_its_own_certificate() {
    refuses(
        &[
            r#"{"alg":"HS256","x5c":["MIIB"]}"#,
            r#"{"alg":"HS256","x5c":[]}"#,
            r#"{"alg":"HS256","x5c":null}"#,
        ],
        CompactError::OwnKey,
    );
}

#[test]
fn refuses_a_token_that_names_where_its_key_is_and_fetches_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for member in ["jku", "x5u"] {
        for scheme in ["http", "https", "file"] {
            let header = format!(r#"{{"alg":"HS256","{member}":"{scheme}://{address}/keys"}}"#);
            assert_eq!(refusal(header), CompactError::OwnKey);
        }
    }
    let nobody_came = listener.accept().unwrap_err();
    assert_eq!(nobody_came.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn refuses_every_critical_extension_in_every_form() {
    refuses(
        &[
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
            r#"{"alg":"HS256","crit":["alg"]}"#,
            r#"{"alg":"HS256","crit":["a","a"],"a":1}"#,
            r#"{"alg":"HS256","crit":["absent"]}"#,
            r#"{"alg":"HS256","crit":"exp","exp":1}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"alg":"HS256","crit":{"exp":1}}"#,
            r#"{"alg":"HS256","crit":[7]}"#,
            r#"{"crit":["http://example.com/x"],"http://example.com/x":1,"alg":"HS256"}"#,
        ],
        CompactError::Extension,
    );
}

#[test]
fn refuses_an_unencoded_payload() {
    refuses(
        &[
            r#"{"alg":"HS256","b64":false,"crit":["b64"]}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","b64":true}"#,
            r#"{"alg":"HS256","b64":null}"#,
        ],
        CompactError::Extension,
    );
}

#[test]
fn refuses_compression() {
    refuses(
        &[
            r#"{"alg":"HS256","zip":"DEF"}"#,
            r#"{"alg":"HS256","zip":null}"#,
        ],
        CompactError::Extension,
    );
}

#[test]
fn refuses_duplicate_members() {
    refuses(
        &[
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"alg":"HS256","\u0061lg":"HS256"}"#,
            r#"{"alg":"HS256","kid":"a","kid":"a"}"#,
            r#"{"alg":"HS256","custom":1,"custom":2}"#,
            r#"{"alg":"HS256","custom":{"a":1,"a":2}}"#,
        ],
        CompactError::Header,
    );
}

#[test]
fn refuses_types_that_are_no_text_and_tokens_within_tokens() {
    refuses(
        &[
            r#"{"alg":"HS256","typ":null}"#,
            r#"{"alg":"HS256","typ":7}"#,
            r#"{"alg":"HS256","typ":["JWT"]}"#,
            r#"{"alg":"HS256","cty":"JWT"}"#,
            r#"{"alg":"HS256","cty":""}"#,
            r#"{"alg":"HS256","cty":null}"#,
        ],
        CompactError::Type,
    );
}

#[test]
fn refuses_headers_that_are_not_one_json_object_in_utf_8() {
    let broken: [&[u8]; 13] = [
        b"{\"alg\":\"HS256\",\"x\":\"\xff\"}",
        b"{\"alg\":\"HS256\",\"x\":\"\xc0\xaf\"}",
        b"\xff\xfe{\x00}\x00",
        "\u{feff}{\"alg\":\"HS256\"}".as_bytes(),
        br#"{"alg":"HS256"}{}"#,
        br#"{"alg":"HS256"}x"#,
        br#"{"alg":"HS256"},"#,
        br#"{"alg":"HS256""#,
        br#"{'alg':'HS256'}"#,
        br#"[{"alg":"HS256"}]"#,
        br#""HS256""#,
        b"null",
        b"7",
    ];
    for header in broken {
        let shown = String::from_utf8_lossy(header);
        assert_eq!(refusal(header), CompactError::Header, "{shown}");
    }
}

#[test]
fn bounds_the_header() {
    let padded = |bytes: usize| {
        let frame = r#"{"alg":"HS256","x":""}"#.len();
        format!(r#"{{"alg":"HS256","x":"{}"}}"#, "x".repeat(bytes - frame))
    };
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"alg":"HS256","x":{open}{close}}}"#)
    };
    let wide = |members: usize| {
        let more: String = (1..members).map(|n| format!(r#","{n}":0"#)).collect();
        format!(r#"{{"alg":"HS256"{more}}}"#)
    };
    // The object, two nodes for `alg`, two for `x` and eight for each inner list.
    let many = |lists: usize| {
        let lists = vec!["[0,0,0,0,0,0,0]"; lists].join(",");
        format!(r#"{{"alg":"HS256","x":[{lists}]}}"#)
    };
    for header in [padded(1024), deep(7), wide(32), many(31)] {
        let token = signed(Algorithm::Hs256, &header, "{}");
        assert!(parse(&token).is_ok(), "{header}");
    }
    for header in [padded(1025), deep(8), deep(200), wide(33), many(32)] {
        assert_eq!(refusal(&header), CompactError::Header, "{header}");
    }
}

#[test]
fn ignores_members_that_change_nothing() {
    for header in [
        r#"{"alg":"HS256","typ":"at+jwt","kid":"1"}"#,
        r#"{"alg":"HS256","x5t":"abc","x5t#S256":"abc"}"#,
        r#" { "alg" : "HS256" , "unknown" : [ { } ] } "#,
        r#"{"\u0061lg":"\u0048S256"}"#,
    ] {
        let token = signed(Algorithm::Hs256, header, "{}");
        for provider in providers() {
            let key = verification_key(Algorithm::Hs256, &provider);
            assert!(is_accepted(&token, &key), "{header}");
        }
    }
}
