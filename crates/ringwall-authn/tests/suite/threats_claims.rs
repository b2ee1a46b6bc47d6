//! Threat lines 16 to 23: what signed claims can try.
//!
//! Every token here carries a good signature of the issuer's own key.

use std::time::Duration;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::jose::json::JsonError;
use ringwall_authn::{Refusal, TokenErrorKind, TokenVerifier};
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
fn line_16_refuses_an_expiry_that_is_not_a_whole_number_in_range() {
    for value in [
        json!("1767226200"),
        json!(1_767_226_200.0),
        json!(1_767_226_200.5),
        json!(1e300),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(i64::MAX),
        json!(253_402_300_800_u64),
        Value::Null,
        json!(true),
        json!([NOW + 600]),
        json!({}),
    ] {
        refuses(&with("exp", value), Refusal::ExpiryMalformed);
    }
    refuses(&without("exp"), Refusal::ExpiryMalformed);
    // What JSON itself does not know.
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    for literal in [
        "NaN",
        "Infinity",
        "1e999",
        "0x7fffffff",
        "01767226200",
        "+1767226200",
    ] {
        let claims = claims().to_string().replace(
            &format!("\"exp\":{}", NOW + 600),
            &format!("\"exp\":{literal}"),
        );
        assert!(claims.contains(literal));
        let token = key.raw_token(&key.header().to_string(), &claims);
        assert_eq!(
            refusal(&verifier, &token),
            Refusal::Json(JsonError::Syntax),
            "{literal}"
        );
    }
}

#[test]
fn line_16_refuses_an_expired_token_to_the_second() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token(&claims());
    let end = NOW + 600 + 60;
    assert!(verifier.verify(&token, at(end - 1)).is_ok());
    let error = verifier.verify(&token, at(end)).unwrap_err();
    assert_eq!(
        (error.refusal(), error.kind()),
        (Refusal::Expired, TokenErrorKind::Expired)
    );
    // Whoever presents a token that is wrong in another way too is not told to refresh it.
    let error = verifier
        .verify(&key.token(&with("aud", "other")), at(end))
        .unwrap_err();
    assert_eq!(error.kind(), TokenErrorKind::Rejected);
}

#[test]
fn line_16_a_clock_that_cannot_be_right_is_no_decision() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let end_of_time = ringwall_core::clock::Timestamp::from_unix_micros(i64::MAX);
    let error = verifier(&[&key])
        .verify(&key.token(&claims()), end_of_time)
        .unwrap_err();
    assert_eq!(error.refusal(), Refusal::ClockUnavailable);
    assert!(error.is_retryable());
}

#[test]
fn line_17_refuses_a_not_before_time_that_is_malformed_or_to_come() {
    for value in [
        json!("1767225600"),
        json!(1.5),
        json!(-1),
        Value::Null,
        json!([]),
    ] {
        refuses(&with("nbf", value), Refusal::NotBeforeMalformed);
    }
    refuses(&with("nbf", NOW + 61), Refusal::NotYetValid);
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(&verifier(&[&key]), &key.token(&with("nbf", NOW + 60)));
}

#[test]
fn line_18_refuses_an_issue_time_that_is_malformed_or_in_the_future() {
    for value in [json!("1767225600"), json!(1.5), json!(-1), json!([])] {
        refuses(&with("iat", value), Refusal::IssuedAtMalformed);
    }
    refuses(&with("iat", NOW + 61), Refusal::IssuedInFuture);
    refuses(&without("iat"), Refusal::RequiredClaim);
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(&verifier(&[&key]), &key.token(&with("iat", NOW + 60)));
}

#[test]
fn line_19_refuses_a_life_beyond_the_policys() {
    let day = 24 * 3600;
    refuses(&with("exp", NOW + day + 1), Refusal::LifetimeTooLong);
    let key = Key::new("k1", Algorithm::EdDsa);
    let token = key.token(&with("exp", NOW + day));
    accepted(&verifier(&[&key]), &token);
    let short = verifier_of(policy(&[&key]).max_lifetime(Duration::from_secs(3600)));
    assert_eq!(refusal(&short, &token), Refusal::LifetimeTooLong);
    // Without `iat` the life is counted from now.
    let mut claims = with("exp", NOW + day + 61);
    claims.as_object_mut().unwrap().remove("iat");
    assert_eq!(
        refusal(&plain_verifier(&[&key]), &key.plain_token(&claims)),
        Refusal::LifetimeTooLong
    );
    claims["exp"] = (NOW + day + 60).into();
    accepted(&plain_verifier(&[&key]), &key.plain_token(&claims));
}

#[test]
fn line_20_refuses_every_audience_but_ours() {
    for value in [
        json!(1),
        json!({"aud": AUDIENCE}),
        json!([AUDIENCE, 1]),
        json!([[AUDIENCE]]),
        Value::Null,
        json!(true),
    ] {
        refuses(&with("aud", value), Refusal::AudienceMalformed);
    }
    refuses(&without("aud"), Refusal::AudienceMalformed);
    for value in [
        json!([]),
        json!(""),
        json!("https://api.example/"),
        json!("https://api.exampl"),
        json!("https://api.example.attacker.example"),
        json!("HTTPS://API.EXAMPLE"),
        json!(" https://api.example"),
        json!(["https://other.example", "https://api.example/v1"]),
    ] {
        refuses(&with("aud", value), Refusal::AudienceMismatch);
    }
    let key = Key::new("k1", Algorithm::EdDsa);
    accepted(
        &verifier(&[&key]),
        &key.token(&with("aud", json!(["https://other.example", AUDIENCE]))),
    );
}

#[test]
fn line_21_refuses_every_issuer_but_ours() {
    for value in [json!([ISSUER]), json!(1), Value::Null, json!({})] {
        refuses(&with("iss", value), Refusal::IssuerMalformed);
    }
    refuses(&without("iss"), Refusal::IssuerMalformed);
    for issuer in [
        "https://issuer.example/",
        "https://issuer.exampl",
        "https://issuer.example.attacker.example",
        "HTTPS://issuer.example",
        "http://issuer.example",
        "",
    ] {
        refuses(&with("iss", issuer), Refusal::IssuerUnknown);
    }
}

#[test]
fn line_22_refuses_a_token_of_one_issuers_key_that_claims_another() {
    let (ours, theirs) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k1", Algorithm::EdDsa),
    );
    let other = "https://other.example";
    let of = |issuer: &str, key: &Key| {
        let policy = ringwall_authn::IssuerPolicy::builder(issuer, AUDIENCE, source(&[key]));
        policy
            .map_principal(ringwall_authn::PrincipalMapping::any_org)
            .build()
            .unwrap()
    };
    let verifier = TokenVerifier::builder()
        .issuer(of(ISSUER, &ours))
        .issuer(of(other, &theirs))
        .build()
        .unwrap();
    accepted(&verifier, &ours.token(&claims()));
    accepted(&verifier, &theirs.token(&with("iss", other)));
    // The same key id, the other issuer's key.
    assert_eq!(
        refusal(&verifier, &theirs.token(&claims())),
        Refusal::Signature
    );
    assert_eq!(
        refusal(&verifier, &ours.token(&with("iss", other))),
        Refusal::Signature
    );
    // A key id that only the other issuer has.
    let third = Key::new("k3", Algorithm::EdDsa);
    verifier.replace_issuer(of(other, &third)).unwrap();
    assert_eq!(
        refusal(&verifier, &third.token(&claims())),
        Refusal::KeyUnknown
    );
}

#[test]
fn line_22_an_issuer_bound_to_one_tenant_cannot_speak_for_another() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let org = ringwall_core::principal::OrgId::new("org-1").unwrap();
    let mapping = ringwall_authn::PrincipalMapping::default().only_org(org);
    let verifier = verifier_of(policy(&[&key]).mapping(mapping));
    assert_eq!(
        accepted(&verifier, &key.token(&claims()))
            .principal()
            .tenant
            .as_ref()
            .unwrap()
            .org,
        "org-1"
    );
    assert_eq!(
        refusal(&verifier, &key.token(&with("org_id", "org-2"))),
        Refusal::TenantMalformed
    );
    let bound = accepted(&verifier, &key.token(&without("org_id")));
    assert_eq!(bound.principal().tenant.as_ref().unwrap().org, "org-1");
}

#[test]
fn line_22_with_several_issuers_none_may_name_any_tenant_unless_it_is_trusted_to() {
    use ringwall_authn::{IssuerPolicy, PolicyError, PrincipalMapping};

    let key = Key::new("k1", Algorithm::EdDsa);
    let of = |issuer: &str, change: fn(PrincipalMapping) -> PrincipalMapping| {
        let policy = IssuerPolicy::builder(issuer, AUDIENCE, source(&[&key]));
        policy.map_principal(change).build().unwrap()
    };
    let bound = |mapping: PrincipalMapping| {
        mapping.only_org(ringwall_core::principal::OrgId::new("org-2").unwrap())
    };
    let unchecked: fn(PrincipalMapping) -> PrincipalMapping = |mapping| mapping;
    let verifier = TokenVerifier::builder()
        .issuer(of(ISSUER, unchecked))
        .build()
        .unwrap();
    let other = "https://other.example";
    // The first one could name any organisation, so no second one comes in beside it.
    assert_eq!(
        verifier.add_issuer(of(other, bound)),
        Err(PolicyError::AnyOrg)
    );
    assert_eq!(
        refusal(&verifier, &key.token(&with("iss", other))),
        Refusal::IssuerUnknown
    );
    accepted(&verifier, &key.token(&claims()));
    verifier
        .replace_issuer(of(ISSUER, PrincipalMapping::any_org))
        .unwrap();
    assert_eq!(
        verifier.add_issuer(of(other, unchecked)),
        Err(PolicyError::AnyOrg)
    );
    verifier.add_issuer(of(other, bound)).unwrap();
    verifier
        .add_issuer(of(
            "https://third.example",
            PrincipalMapping::without_tenant,
        ))
        .unwrap();
    assert_eq!(
        refusal(&verifier, &key.token(&with("iss", other))),
        Refusal::TenantMalformed
    );
    // A replacement cannot undo it, and what it would have replaced stays in force.
    accepted(&verifier, &key.token(&claims()));
    assert_eq!(
        verifier.replace_issuer(of(ISSUER, unchecked)),
        Err(PolicyError::AnyOrg)
    );
    accepted(&verifier, &key.token(&claims()));
    // Several at once: all or none.
    let both = [of("https://a.example", bound), of(other, bound)];
    assert_eq!(
        verifier.add_issuers(both),
        Err(PolicyError::DuplicateIssuer)
    );
    assert_eq!(verifier.health().len(), 3);
}

#[test]
fn line_23_refuses_tokens_of_another_kind_by_their_type() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let (strict, plain) = (verifier(&[&key]), plain_verifier(&[&key]));
    let token = |kind: &str| {
        let mut header = key.header();
        header["typ"] = kind.into();
        key.token_with_header(&header)
    };
    for kind in [
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "JWS",
        "JOSE",
        "id_token",
        "",
        "at+jwt ",
        "at+jwt;charset=utf-8",
        "xpplication/at+jwt",
        "xpplication/jwt",
        "application/application/at+jwt",
        "applicatio\u{e9}n/jwt",
        "at+jwt+x",
        "application/",
    ] {
        assert_eq!(
            refusal(&strict, &token(kind)),
            Refusal::TokenType,
            "{kind:?}"
        );
        assert_eq!(
            refusal(&plain, &token(kind)),
            Refusal::TokenType,
            "{kind:?}"
        );
    }
    // An ID token has `JWT`, which the RFC 9068 profile does not take; and the other way round.
    assert_eq!(refusal(&strict, &token("JWT")), Refusal::TokenType);
    assert_eq!(refusal(&plain, &token("at+jwt")), Refusal::TokenType);
    for kind in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/at+jwt",
    ] {
        accepted(&strict, &token(kind));
    }
    for kind in ["JWT", "jwt", "application/jwt"] {
        accepted(&plain, &token(kind));
    }
    let mut header = key.header();
    header.as_object_mut().unwrap().remove("typ");
    assert_eq!(
        refusal(&strict, &key.token_with_header(&header)),
        Refusal::TokenType
    );
    accepted(&plain, &key.token_with_header(&header));
    for value in [json!(1), json!(["at+jwt"]), Value::Null] {
        header["typ"] = value;
        let refused = refusal(&strict, &key.token_with_header(&header));
        assert_eq!(
            refused,
            Refusal::Form(ringwall_authn::jose::CompactError::Type)
        );
    }
}

#[test]
fn line_23_refuses_tokens_of_another_kind_by_their_claims() {
    for name in [
        "nonce", "at_hash", "c_hash", "s_hash", "events", "htm", "htu",
    ] {
        refuses(&with(name, "x"), Refusal::TokenKind);
        let key = Key::new("k1", Algorithm::EdDsa);
        let mut header = key.header();
        header["typ"] = "JWT".into();
        let token = key.raw_token(&header.to_string(), &with(name, json!({})).to_string());
        assert_eq!(
            refusal(&plain_verifier(&[&key]), &token),
            Refusal::TokenKind,
            "{name}"
        );
    }
}

#[test]
fn rfc_9068_requires_its_claims() {
    for name in ["client_id", "jti", "iat"] {
        refuses(&without(name), Refusal::RequiredClaim);
    }
    for name in ["client_id", "jti"] {
        for value in [json!(1), json!(""), Value::Null, json!([])] {
            refuses(&with(name, value), Refusal::RequiredClaim);
        }
    }
    refuses(&without("sub"), Refusal::SubjectMalformed);
    for value in [
        json!(1),
        json!(""),
        json!("a\nb"),
        json!(["user-1"]),
        Value::Null,
        json!("x".repeat(256)),
    ] {
        refuses(&with("sub", value), Refusal::SubjectMalformed);
    }
}
