//! Bound tokens as bearer tokens, and the other way round (RFC 9449 §7.2).

use std::sync::Arc;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{
    BearerSource, DpopPolicy, DpopPolicyError, OriginFault, ProofFault, Refusal, TokenAuthenticator,
};
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use serde_json::json;

use super::service::*;
use crate::support::*;

const BOTH: &str = r#"Bearer realm="api", DPoP realm="api", algs="ES256 EdDSA ES384 PS256 RS256""#;

#[test]
fn a_bound_token_is_no_bearer_token_with_or_without_a_proof() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let bearer = format!("Bearer {token}");
    // From the cache too, where a good request put it.
    for _ in 0..2 {
        for request in [
            Request::bearer(&token),
            Request::new(&[("authorization", &bearer), ("dpop", &proof)]),
        ] {
            let denial = service.send(&request).unwrap_err();
            assert_eq!(status(&denial), 401);
            assert_eq!(
                challenge(&denial),
                r#"Bearer realm="api", error="invalid_token", DPoP realm="api", algs="ES256 EdDSA ES384 PS256 RS256""#
            );
            assert_eq!(service.cause(), Refusal::SenderConstrained.as_str());
        }
        let proof = Draft::new(&client, &token).sign(&client);
        assert!(service.send(&Request::dpop(&token, &proof)).is_ok());
    }
    assert_eq!(service.store.calls(), 2);
}

#[test]
fn a_token_that_is_bound_to_nothing_does_not_come_with_a_proof() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&claims());
    let proof = Draft::new(&client, &token).sign(&client);
    let denial = service.send(&Request::dpop(&token, &proof)).unwrap_err();
    assert_eq!(
        challenge(&denial),
        r#"DPoP realm="api", algs="ES256 EdDSA ES384 PS256 RS256", error="invalid_token", Bearer realm="api""#
    );
    assert_eq!(service.cause(), Refusal::NotBound.as_str());
    assert_eq!(service.store.calls(), 0);
}

/// RFC 9449 §7.1 gives the field its meaning under the scheme `DPoP`.
#[test]
fn a_proof_beside_a_bearer_token_is_not_looked_at() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&claims());
    let bearer = format!("Bearer {token}");
    let good = Draft::new(&client, &token).sign(&client);
    for proof in [&*good, &*good, "junk"] {
        let request = Request::new(&[("authorization", &bearer), ("dpop", proof)]);
        assert!(service.send(&request).is_ok());
    }
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn another_clients_key_and_proof_are_worth_nothing_beside_a_stolen_token() {
    let service = Service::new();
    let (client, thief) = (
        Key::new("client", Algorithm::Es256),
        Key::new("thief", Algorithm::Es256),
    );
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&thief, &token).sign(&thief);
    let denial = service.send(&Request::dpop(&token, &proof)).unwrap_err();
    // RFC 9449 §7.1: it is the binding of the token that fails.
    let told = challenge(&denial);
    assert!(told.contains(r#"error="invalid_token""#), "{told}");
    assert_eq!(service.cause(), ProofFault::KeyMismatch.as_str());
    // The thief's proof with the client's key in it.
    let proof = Draft::new(&client, &token).sign(&thief);
    assert!(service.send(&Request::dpop(&token, &proof)).is_err());
    assert_eq!(service.cause(), ProofFault::Signature.as_str());
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn the_scheme_has_no_case() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    for scheme in ["DPoP", "dpop", "DPOP", "dPoP"] {
        let proof = Draft::new(&client, &token).sign(&client);
        let authorization = format!("{scheme} {token}");
        let request = Request::new(&[("authorization", &authorization), ("dpop", &proof)]);
        assert!(service.authenticator.presented(&request.view()), "{scheme}");
        assert!(service.send(&request).is_ok(), "{scheme}");
    }
}

#[test]
fn line_35_two_credentials_or_half_a_one_are_refused_with_400() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let plain = service.issuer.token(&claims());
    let proof = Draft::new(&client, &token).sign(&client);
    let (dpop, bearer) = (format!("DPoP {token}"), format!("Bearer {plain}"));
    let joined = format!("DPoP {token}, Bearer {plain}");
    let cases: [&[(&str, &str)]; 7] = [
        &[("authorization", &dpop), ("authorization", &bearer)],
        &[("authorization", &dpop), ("authorization", &dpop)],
        &[("authorization", &dpop), ("Authorization", "Basic YTpi")],
        &[("authorization", "DPoP")],
        &[("authorization", "DPoP ")],
        &[("authorization", "DPoP a b")],
        &[("authorization", &joined)],
    ];
    for headers in cases {
        let mut headers = headers.to_vec();
        headers.push(("dpop", &proof));
        let request = Request::new(&headers);
        let denial = service.send(&request).unwrap_err();
        assert_eq!(status(&denial), 400, "{headers:?}");
        assert!(service.authenticator.presented(&request.view()));
    }
    assert_eq!(count(&service, EventKind::CredentialsAmbiguous), 7);
    // A proof alone is no credential.
    let request = Request::new(&[("dpop", &proof)]);
    let denial = service.send(&request).unwrap_err();
    assert!(!service.authenticator.presented(&request.view()));
    assert_eq!(
        (status(&denial), challenge(&denial)),
        (401, BOTH.to_owned())
    );
}

#[test]
fn a_bearer_token_in_another_field_and_a_bound_one_are_two_credentials() {
    let issuer = Key::new("k1", Algorithm::EdDsa);
    let policy =
        DpopPolicy::builder(Arc::new(Store::default())).public_origin("https://api.example");
    let authenticator = TokenAuthenticator::builder(verifier(&[&issuer]))
        .source(BearerSource::header("x-access-token", None))
        .clock(Arc::new(ringwall_core::clock::ManualClock::new(now())))
        .dpop(policy.build().unwrap())
        .build();
    let client = Key::new("client", Algorithm::Es256);
    let (bound, plain) = (issuer.token(&bound_to(&client)), issuer.token(&claims()));
    let authorization = format!("DPoP {bound}");
    for (headers, expected) in [
        (vec![("x-access-token", &*plain)], None),
        (vec![("authorization", &*authorization)], None),
        (
            vec![
                ("authorization", &*authorization),
                ("x-access-token", &*plain),
            ],
            Some(400),
        ),
        (vec![("x-access-token", &*bound)], Some(401)),
    ] {
        let proof = Draft::new(&client, &bound).sign(&client);
        let mut headers = headers;
        headers.push(("dpop", &proof));
        let request = Request::new(&headers);
        let Step::Done(answer) = authenticator.authenticate(&request.view()) else {
            panic!("nothing to wait for")
        };
        assert_eq!(answer.err().map(|denial| status(&denial)), expected);
    }
}

#[test]
fn where_each_token_needs_a_proof_bearer_tokens_are_refused_and_not_asked_for() {
    let service = Service::with_policy(ringwall_authn::DpopPolicyBuilder::required);
    let client = Key::new("client", Algorithm::Es256);
    let offer = r#"DPoP realm="api", algs="ES256 EdDSA ES384 PS256 RS256""#;
    let denial = service.send(&Request::new(&[])).unwrap_err();
    assert_eq!(challenge(&denial), offer);
    assert_eq!(service.authenticator.challenge().to_string(), offer);
    for claims in [claims(), bound_to(&client)] {
        let token = service.issuer.token(&claims);
        let denial = service.send(&Request::bearer(&token)).unwrap_err();
        assert_eq!(status(&denial), 401);
        assert_eq!(
            challenge(&denial),
            format!(r#"{offer}, error="invalid_token""#)
        );
        assert_eq!(service.cause(), Refusal::BearerScheme.as_str());
    }
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    assert!(service.send(&Request::dpop(&token, &proof)).is_ok());
}

#[test]
fn without_a_policy_bound_tokens_are_refused_and_their_scheme_is_somebody_elses() {
    let service = Service::build(Arc::default(), None, None);
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let request = Request::dpop(&token, &proof);
    assert!(!service.authenticator.presented(&request.view()));
    let denial = service.send(&request).unwrap_err();
    assert_eq!(challenge(&denial), r#"Bearer realm="api""#);
    for confirmation in [
        json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
        json!({ "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" }),
    ] {
        let token = service.issuer.token(&with("cnf", confirmation));
        let denial = service.send(&Request::bearer(&token)).unwrap_err();
        assert_eq!(
            challenge(&denial),
            r#"Bearer realm="api", error="invalid_token""#
        );
        assert_eq!(service.cause(), Refusal::SenderConstrained.as_str());
    }
}

#[test]
fn a_token_that_names_what_is_not_understood_is_refused_whatever_comes_with_it() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let mut claims = bound_to(&client);
    claims["cnf"]["kid"] = "1".into();
    let token = service.issuer.token(&claims);
    let proof = Draft::new(&client, &token).sign(&client);
    let denial = service.send(&Request::dpop(&token, &proof)).unwrap_err();
    assert!(challenge(&denial).contains("invalid_token"));
    assert_eq!(service.cause(), Refusal::ConfirmationUnknown.as_str());
    claims["cnf"] = json!({});
    let token = service.issuer.token(&claims);
    let proof = Draft::new(&client, &token).sign(&client);
    assert!(service.send(&Request::dpop(&token, &proof)).is_err());
    assert_eq!(service.cause(), Refusal::ConfirmationMalformed.as_str());
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn a_bad_token_uses_up_no_proof() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let mut expired = bound_to(&client);
    expired["exp"] = (NOW - 61).into();
    let stranger = Key::new("k1", Algorithm::EdDsa);
    for (token, cause) in [
        (service.issuer.token(&expired), Refusal::Expired),
        (stranger.token(&bound_to(&client)), Refusal::Signature),
    ] {
        let proof = Draft::new(&client, &token).sign(&client);
        let denial = service.send(&Request::dpop(&token, &proof)).unwrap_err();
        let told = challenge(&denial);
        assert!(told.starts_with(r#"DPoP realm="api""#), "{told}");
        assert!(told.contains(r#"error="invalid_token""#), "{told}");
        assert_eq!(service.cause(), cause.as_str());
    }
    assert_eq!(service.store.calls(), 0);
}

#[test]
fn a_stream_of_a_bound_token_goes_on_until_the_token_ends() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let verified = service.send(&Request::dpop(&token, &proof)).unwrap();
    let recheck = |seconds| service.authenticator.recheck(&verified, at(seconds));
    // Long after the proof was too old.
    assert_eq!(recheck(NOW + 500), Ok(()));
    let denial = recheck(NOW + 660).unwrap_err();
    assert!(challenge(&denial).starts_with("DPoP "));
    assert_eq!(service.store.calls(), 1);
}

#[test]
fn a_policy_that_cannot_be_sound_is_not_built() {
    let seconds = core::time::Duration::from_secs;
    let builder = || DpopPolicy::builder(Arc::new(Store::default()));
    let named = || builder().public_origin("https://api.example");
    assert_eq!(builder().build().unwrap_err(), DpopPolicyError::NoOrigin);
    for (builder, error) in [
        (
            named().origin_from_request(),
            DpopPolicyError::ContradictoryOrigins,
        ),
        (
            named().public_origin("https://api.example/path"),
            DpopPolicyError::Origin(OriginFault::Path),
        ),
        (
            (0..64).fold(named(), |builder, n| {
                builder.public_origin(&format!("https://{n}.example"))
            }),
            DpopPolicyError::TooManyOrigins,
        ),
        (named().algorithms([]), DpopPolicyError::Algorithms),
        (
            named().algorithms([Algorithm::Es256, Algorithm::Hs256]),
            DpopPolicyError::Algorithms,
        ),
        (named().max_age(seconds(0)), DpopPolicyError::Age),
        (named().max_age(seconds(301)), DpopPolicyError::Age),
        (named().max_lead(seconds(61)), DpopPolicyError::Lead),
    ] {
        assert_eq!(builder.build().unwrap_err(), error);
    }
    assert!(builder().origin_from_request().build().is_ok());
    let widest = named().max_age(seconds(300)).max_lead(seconds(60));
    assert!(widest.build().is_ok());
}
