//! What an issuer may grant, whatever its tokens say.

use std::sync::Arc;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{IssuerPolicyBuilder, TokenAuthenticator, VerifiedToken};
use ringwall_core::clock::ManualClock;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{Role, Scope};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use serde_json::json;

use crate::support::*;

fn scopes(names: &[&str]) -> Vec<Scope> {
    names
        .iter()
        .map(|name| Scope::new(*name).unwrap())
        .collect()
}

fn roles(names: &[&str]) -> Vec<Role> {
    names.iter().map(|name| Role::new(*name).unwrap()).collect()
}

fn granted(token: &VerifiedToken) -> (Vec<&str>, Vec<&str>) {
    let principal = token.principal();
    let scopes = principal.scopes.iter().map(Scope::as_str).collect();
    let roles = principal.roles.iter().map(Role::as_str).collect();
    (scopes, roles)
}

#[test]
fn a_tenants_issuer_grants_no_more_than_it_was_allowed() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let mut claims = with(
        "scope",
        "cases:read admin:all cases:read2 CASES:READ cases:*",
    );
    claims["roles"] = json!(["analyst", "root", "Analyst"]);
    let token = key.token(&claims);
    let with = |change: fn(IssuerPolicyBuilder) -> IssuerPolicyBuilder| {
        accepted(&verifier_of(change(policy(&[&key]))), &token)
    };
    let both = with(|policy| {
        policy
            .allowed_scopes(scopes(&["cases:read", "cases:write"]))
            .allowed_roles(roles(&["analyst"]))
    });
    assert_eq!(granted(&both), (vec!["cases:read"], vec!["analyst"]));
    assert!(both.is_narrowed());
    // One list says nothing of the other, and an empty one allows nothing.
    let one = with(|policy| policy.allowed_scopes([]));
    assert_eq!(granted(&one), (vec![], vec!["analyst", "root", "Analyst"]));
    let other = with(|policy| policy.allowed_roles([]));
    assert!(other.principal().scopes.len() == 5 && other.principal().roles.is_empty());
    // What was signed is left as it is.
    assert_eq!(
        both.claims()
            .get("roles")
            .unwrap()
            .as_array()
            .unwrap()
            .count(),
        3
    );
}

#[test]
fn a_scope_that_was_left_out_is_remembered_unless_it_speaks_of_the_login() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier_of(policy(&[&key]).allowed_scopes(scopes(&["cases:read"])));
    for (scope, expected) in [
        ("cases:read", false),
        ("openid profile email address phone offline_access", false),
        ("openid cases:read", false),
        ("openid cases:write", true),
        ("cases:write", true),
        ("cases:read cases:write", true),
        ("OPENID", true),
    ] {
        let token = accepted(&verifier, &key.token(&with("scope", scope)));
        assert_eq!(token.principal().has_scopes_left_out, expected, "{scope}");
    }
    // Roles are no scopes, and nothing is left out where nothing was said of scopes.
    let by_roles = verifier_of(policy(&[&key]).allowed_roles([]));
    let token = accepted(&by_roles, &key.token(&with("scope", "cases:write")));
    assert!(token.is_narrowed() && !token.principal().has_scopes_left_out);
}

#[test]
fn a_list_never_grants_and_what_is_within_it_stays() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let policy = policy(&[&key])
        .allowed_scopes(scopes(&["cases:read", "cases:write", "admin:all"]))
        .allowed_roles(roles(&["analyst", "root"]));
    let verifier = verifier_of(policy);
    let token = accepted(&verifier, &key.token(&claims()));
    assert_eq!(
        granted(&token),
        (vec!["cases:read", "cases:write"], vec!["analyst"])
    );
    assert!(!token.is_narrowed());
    let token = accepted(&verifier, &key.token(&without("scope")));
    assert!(token.principal().scopes.is_empty() && !token.is_narrowed());
}

#[test]
fn a_token_with_too_many_grants_is_refused_although_most_would_be_left_out() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let many: Vec<String> = (0..129).map(|number| format!("s{number}")).collect();
    let token = key.token(&with("scope", many.join(" ")));
    let verifier = verifier_of(policy(&[&key]).allowed_scopes(scopes(&["s1"])));
    assert_eq!(
        refusal(&verifier, &token),
        ringwall_authn::Refusal::ScopesMalformed
    );
}

#[test]
fn what_was_left_out_is_reported_each_time_also_from_the_cache() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let events = Arc::new(MemoryEvents::new(16));
    let policy = policy(&[&key]).allowed_scopes(scopes(&["cases:read"]));
    let authenticator = TokenAuthenticator::builder(verifier_of(policy))
        .clock(Arc::new(ManualClock::new(now())))
        .events(events.clone())
        .build();
    let ask = |scope: &str| {
        let bearer = format!("Bearer {}", key.token(&with("scope", scope)));
        let headers = [("authorization", bearer.as_str())];
        let view = RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers.as_slice(),
        };
        match authenticator.authenticate(&view) {
            Step::Done(answer) => answer.unwrap(),
            Step::Wait(_) => panic!("nothing to wait for"),
        }
    };
    ask("cases:read");
    assert_eq!(events.count(EventKind::GrantsLeftOut), 0);
    for _ in 0..2 {
        let token = ask("cases:read admin:all");
        assert!(!token.principal().has_scope("admin:all"));
    }
    assert_eq!(events.count(EventKind::GrantsLeftOut), 2);
    assert_eq!(events.count(EventKind::AuthenticationSucceeded), 3);
    let kept = events.snapshot();
    let event = kept
        .iter()
        .find(|event| event.kind == EventKind::GrantsLeftOut)
        .unwrap();
    assert_eq!(event.about.as_deref(), Some(ISSUER));
    assert_eq!(event.principal.as_ref().unwrap().subject, "user-1");
}
