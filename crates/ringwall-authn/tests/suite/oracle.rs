//! A differential test against `jsonwebtoken` with its strictest settings.
//!
//! On random tokens both either accept or refuse, but for the differences listed here, each with
//! its reason. A difference that is not listed fails the property; a listed one that does not
//! exist fails the test below it.

use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use ringwall_authn::jose::{Algorithm, CompactError, PublicKeyParts, base64url};
use ringwall_authn::{Refusal, TokenVerifier};
use ringwall_core::clock::{SystemClock, WallClock};
use serde_json::{Value, json};
use std::sync::LazyLock;

use crate::support::*;

const ALGORITHMS: [Algorithm; 12] = Algorithm::ALL;

struct Contender {
    key: Key,
    ours: TokenVerifier,
    theirs: (DecodingKey, Validation),
}

static CONTENDERS: LazyLock<Vec<Contender>> =
    LazyLock::new(|| ALGORITHMS.into_iter().map(Contender::new).collect());

impl Contender {
    fn new(algorithm: Algorithm) -> Self {
        let key = Key::new("k1", algorithm);
        let decoding = if algorithm.is_symmetric() {
            DecodingKey::from_secret(SECRET)
        } else {
            match key.public().parts() {
                PublicKeyParts::Rsa { modulus, exponent } => {
                    DecodingKey::from_rsa_raw_components(modulus, exponent)
                }
                PublicKeyParts::Ec { point, .. } => DecodingKey::from_ec_der(point),
                PublicKeyParts::Ed25519 { point } => DecodingKey::from_ed_der(point),
            }
        };
        let mut validation = Validation::new(algorithm.name().parse().unwrap());
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        let ours = plain_verifier(&[&key]);
        Self {
            key,
            ours,
            theirs: (decoding, validation),
        }
    }

    fn judge(&self, token: &str) -> (Result<(), Refusal>, bool) {
        let now = SystemClock::new().now().unwrap();
        let ours = self
            .ours
            .verify(token, now)
            .map(drop)
            .map_err(|error| error.refusal());
        let theirs = jsonwebtoken::decode::<Value>(token, &self.theirs.0, &self.theirs.1);
        (ours, theirs.is_ok())
    }
}

/// What ours refuses and `jsonwebtoken` accepts, and why that is right.
fn listed_difference(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::Form(CompactError::Extension) => {
            Some("RFC 7515 §4.1.11: an extension that is not understood")
        }
        Refusal::Form(CompactError::OwnKey) => {
            Some("RFC 8725 §3.10: a token that brings its own key")
        }
        Refusal::Form(CompactError::KeyId) => Some("a key id that no key set can have"),
        Refusal::Form(CompactError::Type) => Some("RFC 7519 §5.2: a nested token"),
        Refusal::Form(CompactError::Header) => Some("a duplicate member or an over-long header"),
        Refusal::Form(CompactError::TooLong) => Some("longer than 8 KiB"),
        Refusal::KeyUnknown => Some("the key id names another key"),
        Refusal::TokenType => Some("RFC 8725 §3.11: a token of another type"),
        Refusal::TokenKind => Some("the claims of an ID token or a proof"),
        Refusal::SenderConstrained => Some("RFC 7800: possession was not shown"),
        Refusal::Delegation => Some("an actor that no policy accepts"),
        Refusal::Json(_) => Some("duplicate members, too deep or too wide"),
        Refusal::IssuerMalformed => Some("an array of issuers (RFC 7519 §4.1.1 knows one)"),
        Refusal::ExpiryMalformed | Refusal::NotBeforeMalformed => {
            Some("a time with a fraction, or after the year 9999")
        }
        Refusal::IssuedAtMalformed => Some("`iat` is not looked at there"),
        Refusal::IssuedInFuture => Some("`iat` is not looked at there"),
        Refusal::LifetimeTooLong => Some("there is no bound on the life of a token there"),
        Refusal::SubjectMalformed => Some("a subject that is empty or breaks a log line"),
        Refusal::ScopesMalformed
        | Refusal::RolesMalformed
        | Refusal::TenantMalformed
        | Refusal::RequiredClaim => Some("grants are not read there"),
        _ => None,
    }
}

fn real_claims(now: i64) -> Value {
    json!({ "iss": ISSUER, "sub": "user-1", "aud": AUDIENCE, "exp": now + 600, "iat": now - 10, "jti": "t1", "scope": "a b" })
}

fn edit(target: &mut Value, name: &str, value: Option<Value>) {
    let members = target.as_object_mut().unwrap();
    match value {
        Some(value) => drop(members.insert(name.to_owned(), value)),
        None => drop(members.remove(name)),
    }
}

/// A long run must not carry the times of its start along.
const OFFSET: &str = "offset";

fn at_the_moment(value: Value, now: i64) -> Value {
    match value.get(OFFSET).and_then(Value::as_i64) {
        Some(offset) => json!(now + offset),
        None => value,
    }
}

fn header_edit() -> impl Strategy<Value = (&'static str, Option<Value>)> {
    prop_oneof![
        8 => Just(("unchanged", Some(json!(1)))),
        1 => Just(("typ", None)),
        1 => prop_oneof![Just("jwt"), Just("JOSE"), Just("at+jwt"), Just("dpop+jwt")].prop_map(|v| ("typ", Some(json!(v)))),
        1 => prop_oneof![Just(json!("k1")), Just(json!("k2")), Just(json!("")), Just(json!("a b"))].prop_map(|v| ("kid", Some(v))),
        1 => Just(("kid", None)),
        1 => prop_oneof![Just(json!(["exp"])), Just(json!([]))].prop_map(|v| ("crit", Some(v))),
        1 => Just(("b64", Some(json!(true)))),
        1 => Just(("zip", Some(json!("DEF")))),
        1 => Just(("cty", Some(json!("JWT")))),
        1 => Just(("jku", Some(json!("https://attacker.example/jwks.json")))),
        1 => Just(("x5t", Some(json!("abc")))),
        1 => prop_oneof![Just("none"), Just("HS256"), Just("RS256"), Just("ES256"), Just("EdDSA"), Just("PS512")]
            .prop_map(|v| ("alg", Some(json!(v)))),
    ]
}

/// A time, as an offset from the moment the token is made (see [`at_the_moment`]), or no time.
fn number() -> impl Strategy<Value = Value> {
    // Never within five seconds of a boundary: both clocks run.
    let offset = prop_oneof![
        Just(-100_000_i64),
        Just(-600),
        Just(-70),
        Just(-50),
        Just(0),
        Just(50),
        Just(70),
        Just(600),
        Just(80_000),
        Just(100_000)
    ];
    prop_oneof![
        6 => offset.prop_map(move |offset| json!({ OFFSET: offset })),
        1 => prop_oneof![
            Just(json!("1")), Just(json!(1.5)), Just(json!(1e300)), Just(json!(-1)), Just(Value::Null), Just(json!([])),
            Just(json!(4e9)), Just(json!(u64::MAX))
        ],
    ]
}

fn claim_edit() -> impl Strategy<Value = (&'static str, Option<Value>)> {
    let removable = prop_oneof![
        Just("iss"),
        Just("sub"),
        Just("aud"),
        Just("exp"),
        Just("iat"),
        Just("jti"),
        Just("scope")
    ];
    let audience = prop_oneof![
        Just(json!([AUDIENCE])),
        Just(json!([AUDIENCE, "x"])),
        Just(json!(["x"])),
        Just(json!([])),
        Just(json!("x")),
        Just(json!(1)),
        Just(json!([1, AUDIENCE])),
        Just(Value::Null),
        Just(json!(format!("{AUDIENCE}/")))
    ];
    let issuer = prop_oneof![
        Just(json!([ISSUER])),
        Just(json!("x")),
        Just(json!(1)),
        Just(Value::Null),
        Just(json!(format!("{ISSUER}/")))
    ];
    prop_oneof![
        6 => Just(("unchanged", Some(json!({"nested": [1, 2, {"a": null}]})))),
        2 => removable.prop_map(|name| (name, None)),
        2 => number().prop_map(|value| ("exp", Some(value))),
        1 => number().prop_map(|value| ("nbf", Some(value))),
        1 => number().prop_map(|value| ("iat", Some(value))),
        2 => audience.prop_map(|value| ("aud", Some(value))),
        2 => issuer.prop_map(|value| ("iss", Some(value))),
        1 => prop_oneof![Just(json!("")), Just(json!("u2")), Just(json!(1)), Just(Value::Null)].prop_map(|v| ("sub", Some(v))),
        1 => prop_oneof![Just("nonce"), Just("cnf"), Just("act"), Just("events")].prop_map(|name| (name, Some(json!({})))),
        1 => prop_oneof![Just(json!(1)), Just(json!(["a"])), Just(json!("a \"b"))].prop_map(|v| ("scope", Some(v))),
    ]
}

proptest! {
    #[test]
    fn property_verdicts_equal_jsonwebtokens_but_for_the_listed_differences(
        contender in 0..ALGORITHMS.len(),
        headers in prop::collection::vec(header_edit(), 0..2),
        claims in prop::collection::vec(claim_edit(), 0..3),
        corruption in prop::option::weighted(0.1, (any::<prop::sample::Index>(), 0..64_usize)),
    ) {
        let contender = &CONTENDERS[contender];
        let now = SystemClock::new().now().unwrap().unix_seconds();
        let mut header = contender.key.header();
        header["typ"] = "JWT".into();
        let mut payload = real_claims(now);
        headers.into_iter().for_each(|(name, value)| edit(&mut header, name, value));
        claims.into_iter().for_each(|(name, value)| edit(&mut payload, name, value.map(|value| at_the_moment(value, now))));
        let mut token = contender.key.raw_token(&header.to_string(), &payload.to_string());
        if let Some((index, character)) = corruption {
            let index = index.index(token.len());
            let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            token.replace_range(index..=index, &alphabet[character..=character]);
        }
        match contender.judge(&token) {
            (Ok(()), true) | (Err(_), false) => {}
            (Ok(()), false) => prop_assert!(false, "ours accepts, theirs refuses: {header} {payload}"),
            (Err(refusal), true) => prop_assert!(
                listed_difference(refusal).is_some(),
                "ours refuses ({refusal:?}), theirs accepts: {header} {payload}"
            ),
        }
    }
}

/// One token for each listed difference: theirs accepts it, ours refuses it for that reason.
#[test]
fn each_listed_difference_exists() {
    let contender = &CONTENDERS[ALGORITHMS
        .iter()
        .position(|algorithm| *algorithm == Algorithm::EdDsa)
        .unwrap()];
    let now = SystemClock::new().now().unwrap().unix_seconds();
    let sign = |header: &Value, payload: &Value| {
        contender
            .key
            .raw_token(&header.to_string(), &payload.to_string())
    };
    let header = |name: &str, value: Value| {
        let mut header = contender.key.header();
        header["typ"] = "JWT".into();
        header[name] = value;
        header
    };
    let plain = header("typ", "JWT".into());
    let claim = |name: &str, value: Value| {
        let mut payload = real_claims(now);
        payload[name] = value;
        sign(&plain, &payload)
    };
    let good = real_claims(now);
    let deep = format!("{}{}", "[".repeat(20), "]".repeat(20));
    let text = good.to_string();
    let text = text.strip_suffix('}').unwrap();
    let cases = [
        (
            Refusal::Form(CompactError::Extension),
            sign(&header("crit", json!(["exp"])), &good),
        ),
        (
            Refusal::Form(CompactError::OwnKey),
            sign(&header("jku", "https://attacker.example".into()), &good),
        ),
        (
            Refusal::Form(CompactError::KeyId),
            sign(&header("kid", "a b".into()), &good),
        ),
        (
            Refusal::Form(CompactError::Type),
            sign(&header("cty", "JWT".into()), &good),
        ),
        (
            Refusal::Form(CompactError::Header),
            sign(&header("x", "x".repeat(1024).into()), &good),
        ),
        (
            Refusal::Form(CompactError::TooLong),
            claim("x", "x".repeat(8192).into()),
        ),
        (
            Refusal::KeyUnknown,
            sign(&header("kid", "k2".into()), &good),
        ),
        (
            Refusal::TokenType,
            sign(&header("typ", "dpop+jwt".into()), &good),
        ),
        (Refusal::TokenKind, claim("nonce", "x".into())),
        (Refusal::SenderConstrained, claim("cnf", json!({}))),
        (Refusal::Delegation, claim("act", json!({ "sub": "agent" }))),
        (
            Refusal::Json(ringwall_authn::jose::json::JsonError::DuplicateMember),
            contender
                .key
                .raw_token(&plain.to_string(), &format!("{text},\"x\":1,\"x\":2}}")),
        ),
        (
            Refusal::Json(ringwall_authn::jose::json::JsonError::TooLarge),
            contender
                .key
                .raw_token(&plain.to_string(), &format!("{text},\"x\":{deep}}}")),
        ),
        (Refusal::IssuerMalformed, claim("iss", json!([ISSUER]))),
        (
            Refusal::ExpiryMalformed,
            claim("exp", json!(now as f64 + 600.5)),
        ),
        (Refusal::ExpiryMalformed, claim("exp", json!(u64::MAX))),
        (
            Refusal::NotBeforeMalformed,
            claim("nbf", json!(now as f64 - 0.5)),
        ),
        (Refusal::IssuedAtMalformed, claim("iat", "now".into())),
        (Refusal::IssuedInFuture, claim("iat", json!(now + 300))),
        (
            Refusal::LifetimeTooLong,
            claim("exp", json!(now + 100 * 24 * 3600)),
        ),
        (Refusal::SubjectMalformed, claim("sub", "".into())),
        (Refusal::ScopesMalformed, claim("scope", json!(1))),
        (Refusal::RolesMalformed, claim("roles", json!(1))),
        (Refusal::TenantMalformed, claim("org_id", json!(1))),
        (Refusal::RequiredClaim, claim("jti", json!(1))),
    ];
    for (expected, token) in cases {
        assert_eq!(
            contender.judge(&token),
            (Err(expected), true),
            "{expected:?}"
        );
        assert!(listed_difference(expected).is_some(), "{expected:?}");
    }
    // The one name that ours knows and theirs does not: RFC 9864.
    let token = sign(&header("alg", "Ed25519".into()), &good);
    assert_eq!(contender.judge(&token), (Ok(()), false));
    // And the plain token is accepted by both, so that the above means something.
    assert_eq!(contender.judge(&sign(&plain, &good)), (Ok(()), true));
    // Both refuse the signature in any other encoding.
    let token = sign(&plain, &good);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let padded = format!("{input}.{}==", signature);
    assert!(matches!(
        contender.judge(&padded),
        (Err(Refusal::Signature), false)
    ));
    assert_eq!(base64url::decode(signature).unwrap().len(), 64);
}
