//! Authenticators that have to wait, and what must hold all the same.

use std::time::Duration;

use ringwall_core::audit::AuditOutcome;
use ringwall_core::denial::Denial;
use ringwall_gate::{Access, RoutePolicy};

use crate::support::{Bench, Says, done, principal, status, view, waited};

fn bench(answer: Result<(), Denial>) -> Bench {
    let says = Says {
        answer: answer.map(|()| principal(&["cases:read"])),
        waits: true,
    };
    Bench::new(says, |builder| builder)
}

#[test]
fn a_waiting_authenticator_is_followed_by_every_other_check() {
    let bench = bench(Ok(()));
    let headers = vec![("authorization", "x"), ("content-length", "11")];
    for (scope, limit, expected) in [
        ("cases:read", 11, 200),
        ("cases:read", 10, 413),
        ("cases:write", 11, 403),
    ] {
        let access = Access::all_scopes([scope]).expect("a scope");
        let door = bench
            .gate
            .door(RoutePolicy::new("x", access).with_body_limit(limit));
        let entry = waited(door.enter(&view(&headers)));
        assert_eq!(status(&entry), expected);
        if let Ok((_, exit)) = entry {
            done(exit.finish(200, None));
        }
    }
    let records = bench.audit.snapshot();
    assert!(
        records
            .iter()
            .all(|record| &*record.intent.target == "/cases/7")
    );
    assert!(
        records
            .iter()
            .all(|record| record.intent.source == Some([192, 0, 2, 1].into()))
    );
    assert_eq!(records.len(), 3);
}

#[test]
fn its_refusal_is_recorded_and_answered_as_it_is() {
    let retry_after = Duration::from_secs(3);
    let bench = bench(Err(Denial::Unavailable { retry_after }));
    let door = bench.gate.door(RoutePolicy::new("x", Access::Optional));
    let entry = waited(door.enter(&view(&vec![("authorization", "x")])));
    assert_eq!(
        entry.expect_err("refused"),
        Denial::Unavailable { retry_after }
    );
    let outcome = bench.audit.snapshot()[0].outcome;
    assert!(matches!(
        outcome,
        Some(AuditOutcome::Denied { status: 503, .. })
    ));
}

#[test]
fn a_caller_that_leaves_while_it_is_authenticated_leaves_nothing() {
    let bench = bench(Ok(()));
    let door = bench
        .gate
        .door(RoutePolicy::new("x", Access::Authenticated));
    drop(door.enter(&view(&vec![("authorization", "x")])));
    assert!(bench.audit.snapshot().is_empty());
}
