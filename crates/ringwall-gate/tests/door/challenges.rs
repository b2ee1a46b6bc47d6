//! Challenges that lead a client to its authorization server (RFC 9728 §5.1).

use std::time::Duration;

use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_gate::{Access, AuthenticationRequirement, ProtectedResource, RoutePolicy};

use crate::support::{Bench, Says, done, principal, view};

const METADATA: &str =
    "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/mcp\"";

fn bench(answer: Result<(), Denial>) -> Bench {
    let says = Says {
        answer: answer.map(|()| principal(&["cases:read"])),
        waits: false,
    };
    let resource = ProtectedResource::builder("https://api.example/mcp", "https://login.example")
        .build()
        .expect("metadata");
    Bench::new(says, |builder| builder.protected_resource(resource))
}

fn policy() -> RoutePolicy {
    RoutePolicy::new("x", Access::all_scopes(["cases:write"]).expect("a scope"))
}

/// The status and the fields of the refusal.
#[track_caller]
fn refused(
    bench: &Bench,
    policy: RoutePolicy,
    headers: &[(&'static str, &'static str)],
) -> (u16, Vec<String>) {
    let headers = headers.to_vec();
    let entry = done(bench.gate.door(policy).enter(&view(&headers)));
    let denial = entry.expect_err("refused");
    let mut fields = Vec::new();
    denial.headers(|_, value| fields.push(value));
    (denial.http_status(), fields)
}

#[test]
fn every_challenge_of_a_gate_names_the_metadata() {
    let bench = bench(Ok(()));
    let signed: &[_] = &[("authorization", "x")];
    let realm = "Bearer realm=\"test\", ";
    let step_up = AuthenticationRequirement::max_age(Duration::from_secs(5)).expect("an age");
    let step_up = policy().with_authentication(step_up).expect("a policy");
    let cases = [
        (policy(), &[][..], 401, String::new()),
        (
            policy(),
            &[("authorization", "x"), ("authorization", "x")],
            400,
            "error=\"invalid_request\", ".to_owned(),
        ),
        (
            policy(),
            signed,
            403,
            "error=\"insufficient_scope\", scope=\"cases:write\", ".to_owned(),
        ),
        (
            step_up,
            signed,
            401,
            "error=\"insufficient_user_authentication\", scope=\"cases:write\", max_age=\"5\", "
                .to_owned(),
        ),
    ];
    for (policy, headers, status, middle) in cases {
        assert_eq!(
            refused(&bench, policy, headers),
            (status, vec![format!("{realm}{middle}{METADATA}")])
        );
    }
    assert_eq!(
        bench.gate.challenge().to_string(),
        format!("{realm}{METADATA}")
    );
}

#[test]
fn a_credential_that_nobody_reads_is_told_too() {
    let resource = ProtectedResource::builder("https://api.example/mcp", "https://login.example");
    let gate = ringwall_gate::Gate::builder("test")
        .without_authenticators()
        .without_audit()
        .protected_resource(resource.build().expect("metadata"))
        .build()
        .expect("a gate");
    let headers = vec![("authorization", "Basic x")];
    let entry = done(gate.door(policy()).enter(&view(&headers)));
    let mut fields = Vec::new();
    entry
        .expect_err("refused")
        .headers(|_, value| fields.push(value));
    assert_eq!(fields, [format!("Bearer realm=\"test\", {METADATA}")]);
}

#[test]
fn the_challenge_of_an_authenticator_that_knows_no_metadata_is_completed() {
    let challenge = |error| Box::new(Challenge::new("own").error(error));
    let cases = [
        (
            Denial::Unauthenticated {
                challenge: challenge(BearerError::InvalidToken),
            },
            401,
            "invalid_token",
        ),
        (
            Denial::Malformed {
                challenge: Some(challenge(BearerError::InvalidRequest)),
            },
            400,
            "invalid_request",
        ),
        (
            Denial::Forbidden {
                challenge: Some(challenge(BearerError::InsufficientScope)),
            },
            403,
            "insufficient_scope",
        ),
    ];
    for (denial, status, error) in cases {
        let bench = bench(Err(denial));
        let expected = format!("Bearer realm=\"own\", error=\"{error}\", {METADATA}");
        assert_eq!(
            refused(&bench, policy(), &[("authorization", "x")]),
            (status, vec![expected])
        );
    }
}

#[test]
fn metadata_that_an_authenticator_names_itself_stays() {
    let own = Challenge::new("own").resource_metadata("https://other.example");
    let bench = bench(Err(Denial::Unauthenticated {
        challenge: Box::new(own.clone()),
    }));
    assert_eq!(
        refused(&bench, policy(), &[("authorization", "x")]),
        (401, vec![own.to_string()])
    );
}

#[test]
fn a_refusal_without_a_challenge_gets_none() {
    let bench = bench(Err(Denial::Forbidden { challenge: None }));
    assert_eq!(
        refused(&bench, policy(), &[("authorization", "x")]),
        (403, Vec::new())
    );
}
