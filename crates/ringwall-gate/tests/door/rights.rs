//! Scopes that roles grant, and what a development machine leaves out.

use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::event::EventKind;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Role, Scope, Subject,
    VerifiedPrincipal,
};
use ringwall_core::profile::Profile;
use ringwall_gate::{Access, Error, Gate, GateBuilder, RoleScopes, RoutePolicy};

use crate::support::{Bench, Says, done, principal, status, view};

fn scope(text: &str) -> Scope {
    Scope::new(text).expect("a scope")
}

fn role(text: &str) -> Role {
    Role::new(text).expect("a role")
}

fn with_roles(scopes: &[&str], roles: &[&str]) -> VerifiedPrincipal {
    let mut caller = (*principal(scopes)).clone();
    caller.roles = roles.iter().map(|name| role(name)).collect();
    VerifiedPrincipal::attest(caller, Attest::i_have_verified_this())
}

fn bench(caller: VerifiedPrincipal, change: impl FnOnce(GateBuilder) -> GateBuilder) -> Bench {
    let says = Says {
        answer: Ok(caller),
        waits: false,
    };
    Bench::new(says, change)
}

fn enter(bench: &Bench, scopes: &[&str]) -> (u16, Option<bool>) {
    let access = Access::all_scopes(scopes.iter().copied()).expect("scopes");
    let door = bench.gate.door(RoutePolicy::new("route", access));
    let entry = done(door.enter(&view(&vec![("authorization", "x")])));
    let status = status(&entry);
    let holds = entry.ok().map(|(admitted, exit)| {
        done(exit.finish(200, None));
        admitted.has_scope(&scope("runs:read"))
    });
    (status, holds)
}

fn analysts() -> RoleScopes {
    RoleScopes::new()
        .grant(role("analyst"), [scope("runs:read")])
        .grant(role("analyst"), [scope("runs:write")])
        .grant(role("star"), [scope("*")])
}

#[test]
fn a_role_grants_what_was_said_beside_what_the_credential_names() {
    let analyst = with_roles(&["cases:read"], &["analyst"]);
    let granted = bench(analyst.clone(), |builder| builder.role_scopes(analysts()));
    assert_eq!(
        enter(&granted, &["runs:read", "runs:write", "cases:read"]),
        (200, Some(true))
    );
    assert_eq!(enter(&granted, &["runs:delete"]), (403, None));
    let ungranted = bench(analyst, |builder| builder);
    assert_eq!(enter(&ungranted, &["runs:read"]), (403, None));
    assert_eq!(enter(&ungranted, &["cases:read"]), (200, Some(false)));
    for other in ["Analyst", "analyst ", "analyst2", "star"] {
        let other = bench(with_roles(&[], &[other]), |builder| {
            builder.role_scopes(analysts())
        });
        assert_eq!(enter(&other, &["runs:read"]), (403, None));
    }
}

#[test]
fn scopes_go_unchecked_in_development_alone_and_it_is_reported() {
    let bench = bench(with_roles(&[], &[]), |builder| {
        builder.profile(Profile::Development).without_scope_checks()
    });
    assert_eq!(enter(&bench, &["runs:read"]), (200, Some(true)));
    let loosened = bench.gate.loosened();
    assert!(loosened.contains(&"scopes are not checked (without_scope_checks)"));
    let production = Gate::builder("test")
        .without_authenticators()
        .without_audit()
        .without_scope_checks();
    assert_eq!(
        production.build().err(),
        Some(Error::ScopesUncheckedInProduction)
    );
}

fn developer() -> Principal {
    let subject = Subject::new("developer").expect("a subject");
    // Whatever it claims about its authentication, nothing was checked.
    let claimed = Authentication::new(AuthenticationMethod::Token);
    let mut principal = Principal::new(PrincipalKind::User, subject, claimed);
    principal.scopes.push(scope("runs:read"));
    principal
}

#[test]
fn without_authentication_everybody_is_one_caller() {
    let events = Arc::new(ringwall_core::event::MemoryEvents::new(8));
    let gate = Gate::builder("test")
        .profile(Profile::Development)
        .without_audit()
        .events(events.clone())
        .unchecked(developer())
        .build()
        .expect("a gate");
    assert!(
        gate.loosened()
            .contains(&"nobody is authenticated (unchecked)")
    );
    let access = |scope| Access::all_scopes([scope]).expect("a scope");
    let door = gate.door(RoutePolicy::new("route", access("runs:read")));
    for headers in [
        vec![],
        vec![("authorization", "Bearer anything")],
        vec![("x-api-key", "anything")],
    ] {
        let (admitted, exit) = done(door.enter(&view(&headers))).expect("admitted");
        let principal = admitted.principal().expect("the developer");
        assert_eq!(principal.subject, "developer");
        let method = principal.authentication.method;
        assert_eq!(method, AuthenticationMethod::Unchecked);
        done(exit.finish(200, None));
    }
    let door = gate.door(RoutePolicy::new("route", access("runs:write")));
    assert_eq!(status(&done(door.enter(&view(&vec![])))), 403);
    assert_eq!(events.count(EventKind::AccessDenied), 1);
}

#[test]
fn production_has_no_unchecked_callers_and_nobody_has_them_beside_others() {
    let builder = || Gate::builder("test").without_audit().unchecked(developer());
    assert_eq!(builder().build().err(), Some(Error::UncheckedInProduction));
    let says = Says {
        answer: Ok(principal(&[])),
        waits: false,
    };
    let both = builder().profile(Profile::Development).authenticator(says);
    assert_eq!(both.build().err(), Some(Error::UncheckedBesideOthers));
}
