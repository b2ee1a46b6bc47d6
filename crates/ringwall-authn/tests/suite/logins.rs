//! What a token says about the login behind it: `auth_time`, `acr`, `amr` (OpenID Connect Core §2,
//! RFC 9068 §2.2.1).

use ringwall_authn::Refusal;
use ringwall_authn::jose::Algorithm;
use ringwall_core::principal::{ContextClass, MethodReference};
use serde_json::{Value, json};

use crate::support::*;

#[track_caller]
fn refuses(claims: &Value, expected: Refusal) {
    let key = Key::new("k1", Algorithm::EdDsa);
    assert_eq!(
        refusal(&verifier(&[&key]), &key.token(claims)),
        expected,
        "{claims}"
    );
}

#[test]
fn a_login_is_known_as_its_token_tells_it_and_unknown_otherwise() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let mut claims = claims();
    let silent = accepted(&verifier, &key.token(&claims));
    let login = &silent.principal().authentication;
    assert_eq!(login.authenticated_at, None);
    assert_eq!(login.context_class, None);
    assert!(login.methods.is_empty());
    claims["auth_time"] = (NOW - 300).into();
    claims["acr"] = "urn:mace:incommon:iap:silver".into();
    claims["amr"] = json!(["pwd", "otp"]);
    let told = accepted(&verifier, &key.token(&claims));
    let login = &told.principal().authentication;
    assert_eq!(login.authenticated_at, Some(at(NOW - 300)));
    assert_eq!(
        login.context_class.as_ref().map(ContextClass::as_str),
        Some("urn:mace:incommon:iap:silver")
    );
    let methods: Vec<_> = login.methods.iter().map(MethodReference::as_str).collect();
    assert_eq!(methods, ["pwd", "otp"]);
}

#[test]
fn refuses_a_login_time_that_is_no_whole_number_of_seconds() {
    for value in [
        json!((NOW - 5).to_string()),
        json!(1.5),
        json!(-1),
        json!(253_402_300_800_u64),
        json!(true),
        json!([NOW]),
        Value::Null,
    ] {
        refuses(
            &with("auth_time", value),
            Refusal::AuthenticationTimeMalformed,
        );
    }
}

#[test]
fn refuses_a_login_that_is_yet_to_come_beyond_the_skew() {
    refuses(&with("auth_time", NOW + 61), Refusal::AuthenticatedInFuture);
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(&verifier(&[&key]), &key.token(&with("auth_time", NOW + 60)));
}

#[test]
fn a_cached_token_is_refused_when_the_clock_goes_back_before_its_login() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let mut claims = with("auth_time", NOW);
    // Only the login is ahead of the earlier clock.
    claims["iat"] = (NOW - 600).into();
    let token = key.token(&claims);
    accepted(&verifier, &token);
    assert_eq!(
        refusal_at(&verifier, &token, NOW - 61),
        Refusal::AuthenticatedInFuture
    );
}

#[test]
fn refuses_a_context_class_that_is_no_text_or_that_no_challenge_could_ask_for() {
    for value in [
        json!(2),
        json!(["silver"]),
        json!({ "value": "silver" }),
        json!(true),
        Value::Null,
        json!(""),
        json!("silver gold"),
        json!("silver\", error=\"none"),
        json!("silver\\"),
        json!("silver\r\nSet-Cookie: a=b"),
        json!("sïlver"),
        json!("x".repeat(256)),
    ] {
        refuses(&with("acr", value), Refusal::ContextClassMalformed);
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(
        &verifier(&[&key]),
        &key.token(&with("acr", "x".repeat(255))),
    );
}

#[test]
fn refuses_methods_that_are_no_list_of_names_too_many_or_too_long() {
    for value in [
        json!("pwd"),
        json!({ "0": "pwd" }),
        json!([1]),
        json!(["pwd", null]),
        json!([["pwd"]]),
        json!([{ "method": "pwd" }]),
        json!([""]),
        json!(["one time"]),
        json!(["x".repeat(129)]),
        json!(vec!["pwd"; 33]),
        Value::Null,
    ] {
        refuses(&with("amr", value), Refusal::MethodsMalformed);
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    let longest = vec!["x".repeat(100); 32];
    let token = key.token(&with("amr", longest));
    let verified = accepted(&verifier(&[&key]), &token);
    assert_eq!(verified.principal().authentication.methods.len(), 32);
    let none = accepted(&verifier(&[&key]), &key.token(&with("amr", json!([]))));
    assert!(none.principal().authentication.methods.is_empty());
}
