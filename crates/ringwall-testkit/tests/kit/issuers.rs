//! The issuer is in the hands of the test.

use std::time::Duration;

use ringwall_authn::{Refusal, TokenError, VerifiedToken};
use ringwall_core::principal::PrincipalKind;
use ringwall_core::profile::Profile;
use ringwall_gate::Gate;
use ringwall_testkit::{FakeIssuer, Kit, Part, Token};
use std::sync::Arc;

use crate::support::{said, says};

fn verify(kit: &Kit, token: &Token) -> Result<Arc<VerifiedToken>, TokenError> {
    kit.verifier().verify(token.as_str(), kit.issuer().now())
}

fn refusal(kit: &Kit, token: &Token) -> Refusal {
    verify(kit, token).unwrap_err().refusal()
}

#[test]
fn a_token_says_all_that_its_draft_said() {
    let kit = Kit::new();
    let draft = kit
        .token("alice")
        .scopes(["cases:read", "cases:write"])
        .role("supervisor")
        .org("acme")
        .project("demo")
        .client_id("web")
        .acr("gold")
        .amr(["pwd", "otp"])
        .logged_in_ago(Duration::from_secs(30))
        .lifetime(Duration::from_secs(60))
        .claim("plan", "pro");
    let verified = verify(&kit, &draft.issue()).unwrap();
    let caller = verified.principal();
    assert_eq!(caller.kind, PrincipalKind::User);
    assert_eq!(caller.subject, "alice");
    assert!(caller.has_scope("cases:read") && caller.has_scope("cases:write"));
    assert!(caller.has_role("supervisor"));
    let tenant = caller.tenant.as_ref().unwrap();
    assert_eq!(tenant.org, "acme");
    assert_eq!(tenant.project.as_ref().unwrap(), &"demo");
    let login = &caller.authentication;
    assert_eq!(login.context_class.as_ref().unwrap(), &"gold");
    assert_eq!(login.methods.len(), 2);
    let ago = kit
        .issuer()
        .now()
        .saturating_since(login.authenticated_at.unwrap());
    assert_eq!(ago, Duration::from_secs(30));
    let left = login
        .expires_at
        .unwrap()
        .saturating_since(kit.issuer().now());
    assert_eq!(left, Duration::from_secs(60));
    assert_eq!(verified.claims().get("plan").unwrap().as_str(), Some("pro"));
}

#[test]
fn a_draft_grants_nothing_that_it_does_not_say() {
    let kit = Kit::new();
    let verified = verify(&kit, &kit.token("alice").issue()).unwrap();
    let caller = verified.principal();
    assert!(caller.scopes.is_empty() && caller.roles.is_empty() && caller.tenant.is_none());
    assert!(caller.authentication.context_class.is_none());
    assert!(caller.authentication.authenticated_at.is_none());
}

#[test]
fn services_and_agents_are_known_as_such() {
    let kit = Kit::new();
    let service = verify(&kit, &kit.token("billing").of_a_service().issue()).unwrap();
    assert_eq!(service.principal().kind, PrincipalKind::Service);
    let agent = verify(&kit, &kit.token("alice").actor("assistant").issue()).unwrap();
    assert_eq!(agent.principal().kind, PrincipalKind::Agent);
    assert_eq!(agent.principal().subject, "assistant");
    assert_eq!(agent.principal().on_behalf_of.as_ref().unwrap(), &"alice");
}

#[test]
fn a_token_ends_when_the_clock_says_so_and_not_before() {
    let kit = Kit::new();
    let token = kit.token("alice").issue();
    // Ten minutes, and the skew of clocks.
    kit.advance(Duration::from_secs(659));
    assert!(verify(&kit, &token).is_ok());
    kit.advance(Duration::from_secs(1));
    assert_eq!(refusal(&kit, &token), Refusal::Expired);
}

#[test]
fn old_keys_are_good_until_they_are_forgotten() {
    let kit = Kit::new();
    let old = kit.token("alice").issue();
    kit.issuer().rotate();
    let new = kit.token("alice").issue();
    assert!(verify(&kit, &old).is_ok() && verify(&kit, &new).is_ok());
    kit.issuer().rotate();
    kit.issuer().forget_old_keys();
    assert_eq!(refusal(&kit, &old), Refusal::KeyUnknown);
    assert_eq!(refusal(&kit, &new), Refusal::KeyUnknown);
    assert!(verify(&kit, &kit.token("alice").issue()).is_ok());
    let flawed = kit.token("alice").flawed(ringwall_testkit::Flaw::Expired);
    assert_eq!(refusal(&kit, &flawed), Refusal::Expired);
}

#[test]
fn one_token_and_all_of_a_subject_can_be_revoked() {
    let kit = Kit::new();
    let [one, two] = [(); 2].map(|()| kit.token("alice").issue());
    kit.revoke(&one);
    assert_eq!(refusal(&kit, &one), Refusal::Revoked);
    assert!(verify(&kit, &two).is_ok());
    kit.issuer().revoke_all_of("alice");
    assert_eq!(refusal(&kit, &two), Refusal::Revoked);
    assert!(verify(&kit, &kit.token("bob").issue()).is_ok());
    kit.advance(Duration::from_secs(1));
    assert!(verify(&kit, &kit.token("alice").issue()).is_ok());
}

#[test]
fn what_is_down_refuses_and_comes_back() {
    let kit = Kit::new();
    let token = kit.token("alice").issue();
    assert!(verify(&kit, &token).is_ok());
    for (part, cause) in [
        (Part::Keys, Refusal::KeysUnavailable),
        (Part::Revocations, Refusal::RevocationsUnavailable),
    ] {
        kit.take_down(part);
        assert_eq!(refusal(&kit, &token), cause);
        kit.bring_up(part);
        assert!(verify(&kit, &token).is_ok(), "{part:?}");
    }
}

#[test]
fn issuers_do_not_know_each_others_tokens() {
    let kit = Kit::new();
    let other = Kit::new();
    assert_eq!(
        refusal(&kit, &other.token("alice").issue()),
        Refusal::KeyUnknown
    );
    let named = FakeIssuer::new("https://other.test", "https://api.test", kit.clock());
    assert_eq!(
        refusal(&kit, &named.token("alice").issue()),
        Refusal::IssuerUnknown
    );
    assert!(
        named
            .verifier()
            .verify(named.token("alice").issue().as_str(), named.now())
            .is_ok()
    );
}

#[test]
fn the_published_keys_hold_no_private_part() {
    let kit = Kit::new();
    let jwks: serde_json::Value = serde_json::from_str(&kit.issuer().jwks()).unwrap();
    let key = jwks["keys"][0].as_object().unwrap();
    assert!(key.contains_key("x") && !key.contains_key("d"), "{key:?}");
    let shown = format!("{:?} {kit:?}", kit.issuer());
    assert!(!shown.to_lowercase().contains("pair"), "{shown}");
}

#[test]
fn a_production_gate_refuses_the_verifier_of_a_kit() {
    let kit = Kit::new();
    let gate = || {
        Gate::builder("cases")
            .tokens(kit.verifier())
            .without_audit()
    };
    assert_eq!(
        gate().build().unwrap_err(),
        ringwall_gate::Error::DevelopmentVerifier
    );
    assert!(gate().profile(Profile::Development).build().is_ok());
    assert_eq!(kit.gate().profile(), Profile::Development);
    assert!(!kit.gate().loosened().is_empty());
}

#[test]
fn a_draft_that_cannot_be_a_token_fails_where_it_is_made() {
    let kit = Kit::new();
    says(
        &said(|| drop(kit.token(""))),
        &["the test says \"\"", "the subject"],
    );
    says(
        &said(|| drop(kit.token("a").scope("a b"))),
        &["\"a b\"", "the scope"],
    );
    let project = kit.token("a").project("p");
    says(&said(|| drop(project.issue())), &["no organisation"]);
    let reserved = kit.token("a").claim("exp", 0);
    says(&said(|| drop(reserved.issue())), &["registered"]);
    kit.take_down(Part::Clock);
    says(
        &said(|| drop(kit.token("a").issue())),
        &["before the clock is taken down"],
    );
}
