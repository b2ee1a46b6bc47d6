//! Callers without a credential.

use std::time::Duration;

use ringwall_axum::{CurrentPrincipal, get};
use ringwall_core::event::EventKind;
use ringwall_core::principal::{AuthenticationMethod, PrincipalKind};
use ringwall_gate::Caller;
use ringwall_testkit::{Kit, principal};

use crate::support::{app, run, said, says};

#[test]
fn a_principal_is_all_that_its_draft_said() {
    let kit = Kit::new();
    let now = kit.issuer().now();
    let caller = principal::user("alice")
        .scopes(["a", "b"])
        .role("supervisor")
        .org("acme")
        .project("demo")
        .issuer("https://issuer.test")
        .attribute("department", "claims")
        .logged_in_at(now)
        .acr("gold")
        .amr("otp")
        .expires_at(now)
        .verified();
    assert_eq!(caller.kind, PrincipalKind::User);
    assert!(caller.has_scope("a") && caller.has_scope("b") && caller.has_role("supervisor"));
    let tenant = caller.tenant.as_ref().unwrap();
    assert_eq!(
        (
            tenant.org.as_str(),
            tenant.project.as_ref().unwrap().as_str()
        ),
        ("acme", "demo")
    );
    assert_eq!(caller.issuer.as_deref(), Some("https://issuer.test"));
    assert_eq!(&*caller.attributes[0].value, "claims");
    let login = &caller.authentication;
    assert_eq!(login.authenticated_at, Some(now));
    assert_eq!(login.expires_at, Some(now));
    assert_eq!(login.context_class.as_ref().unwrap(), &"gold");
    assert_eq!(login.methods[0].as_str(), "otp");
}

#[test]
fn each_kind_was_authenticated_as_is_usual_for_it() {
    use AuthenticationMethod as Method;
    for (draft, kind, method) in [
        (principal::user("a"), PrincipalKind::User, Method::Token),
        (
            principal::service("a"),
            PrincipalKind::Service,
            Method::MutualTls,
        ),
        (principal::agent("a"), PrincipalKind::Agent, Method::Token),
        (
            principal::api_key("a"),
            PrincipalKind::ApiKey,
            Method::ApiKey,
        ),
    ] {
        let caller = draft.verified();
        assert_eq!((caller.kind, caller.authentication.method), (kind, method));
        assert!(caller.scopes.is_empty() && caller.tenant.is_none());
    }
    let agent = principal::agent("assistant")
        .on_behalf_of("alice")
        .unverified();
    assert_eq!(agent.on_behalf_of.unwrap(), "alice");
    says(
        &said(|| drop(principal::user("a").project("p").verified())),
        &["no organisation"],
    );
}

#[test]
fn a_request_can_come_from_a_caller_that_no_token_expresses() {
    run(async {
        let whoami = async |CurrentPrincipal(caller): CurrentPrincipal| {
            format!("{} {}", caller.kind.as_str(), caller.subject)
        };
        let app = app(get(whoami).require_scope("cases:read"));
        let key = principal::api_key("key-7").scope("cases:read");
        app.get("/cases")
            .with(key.clone())
            .await
            .assert_text("api_key key-7");
        app.get("/cases").with(key.verified()).await.assert_ok();
        app.get("/cases")
            .with(principal::api_key("key-8"))
            .await
            .assert_insufficient_scope("cases:read");
        app.kit().audit().last().assert_by("key-8");
        // Every number that no test registered.
        for number in ["3", "-1", "", "0x0", "18446744073709551616"] {
            let answer = app
                .get("/cases")
                .header("x-ringwall-testkit-principal", number)
                .await;
            answer.assert_unauthenticated();
        }
        app.kit()
            .events()
            .assert_last(EventKind::AuthenticationFailed, "does not vouch");
    });
}

#[test]
fn a_caller_whose_credential_ended_is_refused() {
    run(async {
        let app = app(get(async || "cases"));
        let end = app.kit().issuer().now();
        let caller = principal::user("alice").expires_at(end);
        app.get("/cases")
            .with(caller)
            .await
            .assert_unauthenticated();
    });
}

#[test]
fn an_admitted_is_a_proof_like_another() {
    let kit = Kit::new();
    let admitted = kit.admitted(principal::user("alice").scope("a").verified());
    let Caller::Verified(caller) = admitted.caller() else {
        panic!("nobody");
    };
    assert_eq!(caller.subject, "alice");
    kit.audit()
        .assert_len(1)
        .last()
        .assert_completed(200)
        .assert_by("alice");
    let ended = principal::user("a")
        .expires_at(kit.issuer().now())
        .verified();
    says(
        &said(|| drop(kit.admitted(ended))),
        &["was not admitted", "401"],
    );
    kit.advance(Duration::from_secs(1));
}
