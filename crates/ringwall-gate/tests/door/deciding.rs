//! The checks and their order.

use ringwall_core::audit::AuditOutcome;
use ringwall_core::event::EventKind;
use ringwall_core::request::RequestView;
use ringwall_gate::{Access, Caller, RoutePolicy};

use crate::support::{Bench, Says, done, principal, status, view};

fn bench(scopes: &[&str]) -> Bench {
    let says = Says {
        answer: Ok(principal(scopes)),
        waits: false,
    };
    Bench::new(says, |builder| builder)
}

fn read() -> Access {
    Access::all_scopes(["cases:read"]).expect("a scope")
}

#[test]
fn an_admitted_request_carries_who_where_and_when() {
    let bench = bench(&["cases:read"]);
    let door = bench
        .gate
        .door(RoutePolicy::new("POST /cases/{id}", read()));
    let headers = vec![("authorization", "x")];
    let (admitted, exit) = done(door.enter(&view(&headers))).expect("admitted");
    assert!(matches!(admitted.caller(), Caller::Verified(who) if who.subject == "ada"));
    assert!(admitted.at().is_some() && admitted.authenticated().is_some());
    assert_eq!(&**admitted.route(), "POST /cases/{id}");
    assert_eq!(*admitted.access(), read());
    done(exit.finish(204, None));
    let record = bench.audit.snapshot().remove(0);
    assert_eq!(
        record.outcome,
        Some(AuditOutcome::Completed {
            status: 204,
            grpc: None
        })
    );
    // The query may hold what nobody should keep.
    assert_eq!(&*record.intent.target, "/cases/7");
    assert_eq!(record.intent.source, Some([192, 0, 2, 1].into()));
}

#[test]
fn an_exit_that_is_dropped_is_cancelled() {
    let bench = bench(&[]);
    let door = bench
        .gate
        .door(RoutePolicy::new("x", Access::Authenticated));
    let headers = vec![("authorization", "x")];
    drop(done(door.enter(&view(&headers))).expect("admitted"));
    assert_eq!(
        bench.audit.snapshot()[0].outcome,
        Some(AuditOutcome::Cancelled)
    );
}

#[test]
fn the_form_comes_first_then_the_credential_the_scopes_and_the_length() {
    // Each request has all the faults of those after it.
    let long = vec![("content-length", "11")];
    let signed = vec![("content-length", "11"), ("authorization", "x")];
    let cases = [
        ("/a//b", "cases:write", &long, 10, 400),
        ("/a", "cases:write", &long, 10, 401),
        ("/a", "cases:write", &signed, 10, 403),
        ("/a", "cases:read", &signed, 10, 413),
        ("/a", "cases:read", &signed, 11, 200),
    ];
    for (raw_path, held, headers, limit, expected) in cases {
        let bench = bench(&[held]);
        let policy = RoutePolicy::new("x", read()).with_body_limit(limit);
        let view = RequestView {
            raw_path,
            ..view(headers)
        };
        let entry = done(bench.gate.door(policy).enter(&view));
        assert_eq!(status(&entry), expected, "{raw_path} {headers:?}");
        assert_eq!(bench.audit.snapshot().len(), 1);
    }
}

#[test]
fn lengths_are_digits_and_stated_once() {
    let bench = bench(&[]);
    let door = bench
        .gate
        .door(RoutePolicy::new("x", Access::Public).with_body_limit(10));
    let cases: [(Vec<(&str, &str)>, u16); 8] = [
        (vec![("content-length", "10")], 200),
        (vec![("content-length", "11")], 413),
        (vec![("content-length", "18446744073709551616")], 400),
        (vec![("content-length", "+1")], 400),
        (vec![("content-length", "-1")], 400),
        (vec![("content-length", "")], 400),
        (vec![("content-length", "1, 1")], 400),
        (vec![("content-length", "1"), ("content-length", "1")], 400),
    ];
    for (headers, expected) in cases {
        assert_eq!(
            status(&done(door.enter(&view(&headers)))),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn an_empty_list_of_scopes_demands_authentication_or_admits_nobody() {
    let bench = bench(&["cases:read"]);
    let headers = vec![("authorization", "x")];
    for (access, expected) in [
        (Access::AllScopes([].into()), 200),
        (Access::AnyScope([].into()), 403),
    ] {
        let door = bench.gate.door(RoutePolicy::new("x", access));
        assert_eq!(status(&done(door.enter(&view(&headers)))), expected);
        assert_eq!(status(&done(door.enter(&view(&Vec::new())))), 401);
    }
}

#[test]
fn each_refusal_is_one_event_about_the_route() {
    let bench = bench(&[]);
    let door = bench.gate.door(RoutePolicy::new("the route", read()));
    drop(done(door.enter(&view(&Vec::new()))));
    drop(done(door.enter(&view(&vec![("authorization", "x")]))));
    drop(done(door.enter(&view(&vec![("host", "a"), ("host", "b")]))));
    assert_eq!(
        bench.kinds(),
        [
            EventKind::CredentialsMissing,
            EventKind::AccessDenied,
            EventKind::RequestRefused
        ]
    );
    for event in bench.events.snapshot() {
        assert_eq!(event.about.as_deref(), Some("the route"));
        assert_eq!(event.source, Some([192, 0, 2, 1].into()));
        assert!(event.at.is_some());
    }
    assert!(bench.events.snapshot()[1].principal.is_some());
}

#[test]
fn a_public_door_asks_nobody() {
    let bench = bench(&[]);
    let door = bench.gate.door(RoutePolicy::new("x", Access::Public));
    let headers = vec![("authorization", "x")];
    let (admitted, exit) = done(door.enter(&view(&headers))).expect("admitted");
    assert!(matches!(admitted.caller(), Caller::NotAsked));
    assert!(admitted.principal().is_none() && admitted.authenticated().is_none());
    done(exit.finish(200, None));
}
