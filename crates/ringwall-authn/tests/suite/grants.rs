//! What a good token grants, and what it cannot: scopes, roles, tenants, actors; and policies that
//! cannot be sound.

use std::time::Duration;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{PolicyError, Refusal, TokenProfile, TokenVerifier};
use ringwall_core::profile::Profile;
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
fn grants_of_the_wrong_form_refuse_the_token_instead_of_being_dropped() {
    for value in [
        json!(1),
        json!({"a": true}),
        json!(["ok", 1]),
        json!("a\"b"),
        json!("a\tb"),
        Value::Null,
        json!(true),
    ] {
        refuses(&with("scope", value), Refusal::ScopesMalformed);
    }
    for value in [
        json!(1),
        json!({"a": true}),
        json!(["ok", null]),
        json!([""]),
        json!("a\nb"),
        Value::Null,
    ] {
        refuses(&with("roles", value), Refusal::RolesMalformed);
    }
    for name in ["org_id", "project_id"] {
        for value in [
            json!(1),
            json!(["org-1"]),
            json!(""),
            json!("a b"),
            Value::Null,
        ] {
            refuses(&with(name, value), Refusal::TenantMalformed);
        }
    }
    // An organisation that is none, without a project.
    let mut claims = with("org_id", "a b");
    claims.as_object_mut().unwrap().remove("project_id");
    refuses(&claims, Refusal::TenantMalformed);
    // A project without its organisation.
    refuses(&without("org_id"), Refusal::TenantMalformed);
    let many: Vec<String> = (0..129).map(|n| format!("s{n}")).collect();
    refuses(&with("scope", many.join(" ")), Refusal::ScopesMalformed);
}

#[test]
fn no_grant_is_given_that_the_token_does_not_name() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let mut claims = claims();
    for name in ["scope", "roles", "org_id", "project_id"] {
        claims.as_object_mut().unwrap().remove(name);
    }
    let bare = accepted(&verifier, &key.token(&claims));
    assert!(bare.principal().scopes.is_empty() && bare.principal().roles.is_empty());
    assert_eq!(bare.principal().tenant, None);
    claims["scope"] = "".into();
    assert!(
        accepted(&verifier, &key.token(&claims))
            .principal()
            .scopes
            .is_empty()
    );
    // Neither by a claim that is not configured.
    claims["permissions"] = json!(["admin"]);
    claims["user_metadata"] = json!({ "roles": ["admin"], "org_id": "org-2" });
    let user = accepted(&verifier, &key.token(&claims));
    assert!(user.principal().roles.is_empty() && user.principal().tenant.is_none());
}

#[test]
fn names_are_taken_as_they_stand() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let mut claims = with("sub", "user-1 ");
    claims["roles"] = json!(["case worker", " admin"]);
    let verified = accepted(&verifier(&[&key]), &key.token(&claims));
    let principal = verified.principal();
    assert_eq!(principal.subject, "user-1 ");
    assert_eq!(principal.issuer.as_deref(), Some(ISSUER));
    assert!(principal.has_role("case worker") && principal.has_role(" admin"));
    for role in ["case", "worker", "admin"] {
        assert!(!principal.has_role(role), "{role}");
    }
    claims["roles"] = "case worker".into();
    let one = accepted(&verifier(&[&key]), &key.token(&claims));
    assert_eq!(one.principal().roles.len(), 1);
}

#[test]
fn an_issuer_without_tenants_names_none() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let org = ringwall_core::principal::OrgId::new("org-9").unwrap();
    let mapping = ringwall_authn::PrincipalMapping::default()
        .only_org(org)
        .without_tenant();
    let verifier = verifier_of(policy(&[&key]).mapping(mapping));
    for claims in [claims(), without("org_id"), without("project_id")] {
        let verified = accepted(&verifier, &key.token(&claims));
        assert_eq!(verified.principal().tenant, None);
    }
}

#[test]
fn a_sender_constrained_token_is_no_bearer_token() {
    refuses(
        &with(
            "cnf",
            json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
        ),
        Refusal::SenderConstrained,
    );
    refuses(
        &with(
            "cnf",
            json!({ "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" }),
        ),
        Refusal::SenderConstrained,
    );
    refuses(&with("cnf", Value::Null), Refusal::SenderConstrained);
}

#[test]
fn an_actor_is_accepted_only_where_the_policy_says_so_and_becomes_the_principal() {
    let claims = with(
        "act",
        json!({ "sub": "agent-7", "act": { "sub": "earlier" } }),
    );
    refuses(&claims, Refusal::Delegation);
    let key = Key::new("k1", Algorithm::EdDsa);
    let mapping = ringwall_authn::PrincipalMapping::default().accept_actor();
    let verifier = verifier_of(policy(&[&key]).mapping(mapping));
    let verified = accepted(&verifier, &key.token(&claims));
    assert_eq!(verified.principal().subject, "agent-7");
    assert_eq!(
        verified.principal().on_behalf_of.as_ref().unwrap(),
        &"user-1"
    );
    assert_eq!(
        verified.principal().kind,
        ringwall_core::principal::PrincipalKind::Agent
    );
    for value in [
        json!({}),
        json!("agent-7"),
        json!({ "sub": 7 }),
        json!({ "sub": "" }),
        // A subject is unique within its issuer only.
        json!({ "sub": "agent-7", "iss": "https://other.example" }),
        json!({ "sub": "agent-7", "iss": [ISSUER] }),
        Value::Null,
    ] {
        assert_eq!(
            refusal(&verifier, &key.token(&with("act", value))),
            Refusal::Delegation
        );
    }
    let named = json!({ "sub": "agent-7", "iss": ISSUER });
    accepted(&verifier, &key.token(&with("act", named)));
}

#[test]
fn revoking_a_subject_revokes_what_agents_do_on_its_behalf() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let mapping = ringwall_authn::PrincipalMapping::default().accept_actor();
    let revocations = std::sync::Arc::new(ringwall_authn::MemoryRevocations::new(8));
    let verifier = TokenVerifier::builder()
        .issuer(policy(&[&key]).mapping(mapping).build().unwrap())
        .revocations(std::sync::Arc::<ringwall_authn::MemoryRevocations>::clone(
            &revocations,
        ))
        .build()
        .unwrap();
    let token = key.token(&with("act", json!({ "sub": "agent-7" })));
    accepted(&verifier, &token);
    revocations
        .revoke_subject(ISSUER, "user-1", now(), at(NOW + 600), now())
        .unwrap();
    assert_eq!(refusal(&verifier, &token), Refusal::Revoked);
}

#[test]
fn a_token_id_is_one_line_of_bounded_length() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let plain = plain_verifier(&[&key]);
    for value in [
        json!("a\nb"),
        json!("\u{1b}[2J"),
        json!("x".repeat(257)),
        json!(7),
        Value::Null,
    ] {
        refuses(&with("jti", value.clone()), Refusal::RequiredClaim);
        let token = key.plain_token(&with("jti", value));
        assert_eq!(refusal(&plain, &token), Refusal::RequiredClaim);
    }
    accepted(&plain, &key.plain_token(&with("jti", "x".repeat(256))));
    accepted(&plain, &key.plain_token(&without("jti")));
}

#[test]
fn a_policy_that_cannot_be_sound_is_not_built() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let build = |issuer: &str, audience: &str| {
        ringwall_authn::IssuerPolicy::builder(issuer, audience, source(&[&key]))
            .build()
            .map(drop)
    };
    for issuer in [
        "",
        " ",
        "https://issuer.example\n",
        "https://ïssuer.example",
        &"x".repeat(513),
    ] {
        assert_eq!(
            build(issuer, AUDIENCE),
            Err(PolicyError::Issuer),
            "{issuer:?}"
        );
    }
    for audience in ["", "a\nb", &"x".repeat(513)] {
        assert_eq!(
            build(ISSUER, audience),
            Err(PolicyError::Audience),
            "{audience:?}"
        );
    }
    for audience in ["", "a\nb"] {
        let second = policy(&[&key]).audience(audience).build().map(drop);
        assert_eq!(second, Err(PolicyError::Audience), "{audience:?}");
    }
    let skewed = policy(&[&key])
        .clock_skew(Duration::from_secs(301))
        .build()
        .map(drop);
    assert_eq!(skewed, Err(PolicyError::ClockSkew));
    assert!(
        policy(&[&key])
            .clock_skew(Duration::from_secs(300))
            .build()
            .is_ok()
    );
    for lifetime in [0, 367 * 24 * 3600] {
        let built = policy(&[&key])
            .max_lifetime(Duration::from_secs(lifetime))
            .build()
            .map(drop);
        assert_eq!(built, Err(PolicyError::Lifetime));
    }
    let twice = TokenVerifier::builder()
        .profile(Profile::Development)
        .issuer(policy(&[&key]).build().unwrap())
        .issuer(
            policy(&[&key])
                .profile(TokenProfile::plain())
                .build()
                .unwrap(),
        )
        .build()
        .map(drop);
    assert_eq!(twice, Err(PolicyError::DuplicateIssuer));
}
