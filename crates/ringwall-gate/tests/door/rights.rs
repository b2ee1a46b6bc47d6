//! Scopes that roles grant, and what a development machine leaves out.

use std::sync::Arc;

use ringwall_authz::CredentialScopes;
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
fn a_role_grants_what_was_said_to_a_login_that_names_no_right() {
    for scopes in [&[][..], &["openid", "profile", "offline_access"]] {
        let analyst = with_roles(scopes, &["analyst"]);
        let granted = bench(analyst.clone(), |builder| builder.role_scopes(analysts()));
        assert_eq!(
            enter(&granted, &["runs:read", "runs:write"]),
            (200, Some(true))
        );
        assert_eq!(enter(&granted, &["runs:delete"]), (403, None));
        let ungranted = bench(analyst, |builder| builder);
        assert_eq!(enter(&ungranted, &["runs:read"]), (403, None));
    }
    for other in ["Analyst", "analyst ", "analyst2", "star"] {
        let other = bench(with_roles(&[], &[other]), |builder| {
            builder.role_scopes(analysts())
        });
        assert_eq!(enter(&other, &["runs:read"]), (403, None));
    }
}

fn acting(
    (kind, on_behalf_of): (PrincipalKind, Option<&str>),
    scopes: &[&str],
) -> VerifiedPrincipal {
    let mut caller = (*with_roles(scopes, &["analyst"])).clone();
    caller.kind = kind;
    caller.on_behalf_of = on_behalf_of.map(|name| Subject::new(name).expect("a subject"));
    VerifiedPrincipal::attest(caller, Attest::i_have_verified_this())
}

#[test]
fn a_persons_token_that_names_scopes_has_none_by_a_role() {
    use CredentialScopes::{ByKind, Grant, Ignore, Limit};
    use PrincipalKind::{Agent, ApiKey, Service, User};
    let behalf = Some("bob");
    for (who, scopes, by, write) in [
        ((User, None), &["runs:read"][..], ByKind, 403),
        ((User, None), &["openid", "runs:read"], ByKind, 403),
        // A scope of somewhere else was given to a client too.
        ((User, None), &["cases:read"], ByKind, 403),
        ((User, None), &["*"], ByKind, 403),
        ((User, None), &["runs:*"], ByKind, 403),
        ((User, None), &["OPENID"], ByKind, 403),
        ((User, None), &["runs:write"], ByKind, 200),
        ((Agent, behalf), &["runs:read"], ByKind, 403),
        ((Service, behalf), &["runs:read"], ByKind, 403),
        ((ApiKey, behalf), &["runs:read"], ByKind, 403),
        ((Agent, behalf), &[], ByKind, 200),
        // Nobody else's rights stand behind a machine.
        ((Agent, None), &["runs:read"], ByKind, 200),
        ((Service, None), &["runs:read"], ByKind, 200),
        ((ApiKey, None), &["runs:read"], ByKind, 200),
        // Unless the owner says otherwise.
        ((ApiKey, None), &["runs:read"], Limit, 403),
        ((ApiKey, None), &["openid"], Limit, 200),
        ((User, None), &["runs:read"], Grant, 200),
        ((User, None), &["runs:read"], Ignore, 200),
    ] {
        let roles = analysts().with_credential_scopes(by);
        let asked = bench(acting(who, scopes), |builder| {
            builder.role_scopes(roles.clone())
        });
        let told = format!("{who:?} {scopes:?} {by:?}");
        assert_eq!(enter(&asked, &["runs:write"]).0, write, "{told}");
        // A scope that its issuer may not grant was left out, and limits.
        let mut left = (*acting(who, &[])).clone();
        left.has_scopes_left_out = true;
        let left = VerifiedPrincipal::attest(left, Attest::i_have_verified_this());
        let left = bench(left, |builder| builder.role_scopes(roles.clone()));
        if scopes == ["runs:read"] {
            assert_eq!(enter(&left, &["runs:write"]).0, write, "{told}");
        }
        // A handler hears the same.
        let door = asked
            .gate
            .door(RoutePolicy::new("route", Access::Authenticated));
        let entry = done(door.enter(&view(&vec![("authorization", "x")])));
        let (admitted, exit) = entry.expect("admitted");
        assert_eq!(
            admitted.has_scope(&scope("runs:write")),
            write == 200,
            "{told}"
        );
        for named in scopes {
            assert!(admitted.has_scope(&scope(named)), "{told}");
        }
        done(exit.finish(200, None));
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
