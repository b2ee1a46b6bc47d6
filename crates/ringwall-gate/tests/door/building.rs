//! What a gate must be told before it exists.

use std::sync::Arc;

use ringwall_core::audit::MemoryAudit;
use ringwall_core::profile::Profile;
use ringwall_gate::{Access, Error, Gate, HttpsOnly, RoutePolicy};

use crate::support::{Says, done, principal, status, view};

fn says() -> Says {
    Says {
        answer: Ok(principal(&[])),
        waits: false,
    }
}

#[test]
fn authenticators_and_the_trail_are_given_or_declined_by_name() {
    let builder = || Gate::builder("test");
    let error = |builder: ringwall_gate::GateBuilder| builder.build().expect_err("a fault");
    assert_eq!(error(builder().without_audit()), Error::NoAuthenticator);
    assert_eq!(
        error(builder().authenticator(says())),
        Error::AuditUndecided
    );
    let both = builder()
        .authenticator(says())
        .without_authenticators()
        .without_audit();
    assert_eq!(error(both), Error::ContradictoryAuthenticators);
    let sink = Arc::new(MemoryAudit::new(1));
    assert!(builder().authenticator(says()).audit(sink).build().is_ok());
}

#[test]
fn a_realm_is_short_plain_text() {
    let long = "x".repeat(129);
    for realm in ["", "a\"b", "a\\b", "a\r\nb", "ä", &long] {
        let gate = Gate::builder(realm)
            .without_authenticators()
            .without_audit();
        assert_eq!(gate.build().err(), Some(Error::InvalidRealm), "{realm:?}");
    }
}

#[test]
fn without_authenticators_everybody_is_refused_but_on_public_routes() {
    let gate = Gate::builder("test")
        .without_authenticators()
        .without_audit();
    let gate = gate.build().expect("a gate");
    let headers = vec![("authorization", "Bearer x")];
    for (access, expected) in [
        (Access::Public, 200),
        (Access::Optional, 401),
        (Access::Authenticated, 401),
    ] {
        let door = gate.door(RoutePolicy::new("x", access));
        assert_eq!(status(&done(door.enter(&view(&headers)))), expected);
    }
}

#[test]
fn what_is_loosened_is_told() {
    let strict = Gate::builder("test").authenticator(says());
    let strict = strict
        .audit(Arc::new(MemoryAudit::new(1)))
        .https_only(HttpsOnly::refuse())
        .build()
        .expect("a gate");
    assert!(strict.loosened().is_empty());
    assert_eq!(strict.profile(), Profile::Production);
    let loose = Gate::builder("test")
        .authenticator(says())
        .without_audit()
        .permit_encoded_slashes()
        .permit_forwarding_fields()
        .profile(Profile::Development);
    assert_eq!(loose.build().expect("a gate").loosened().len(), 5);
}

#[test]
fn metadata_of_the_development_profile_is_not_published_in_production() {
    let resource =
        ringwall_gate::ProtectedResource::builder("http://localhost:3000", "https://login.example")
            .profile(Profile::Development)
            .build()
            .expect("metadata");
    let gate = |profile| {
        Gate::builder("test")
            .authenticator(says())
            .without_audit()
            .protected_resource(resource.clone())
            .profile(profile)
            .build()
    };
    assert_eq!(
        gate(Profile::Production).err(),
        Some(Error::DevelopmentResource)
    );
    let gate = gate(Profile::Development).expect("a gate");
    assert_eq!(
        gate.protected_resource()
            .map(|resource| resource.resource()),
        Some("http://localhost:3000")
    );
}
