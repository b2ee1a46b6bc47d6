//! Assertions about the audit trail and the events.

use ringwall_axum::get;
use ringwall_core::audit::AuditSink;
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_testkit::{App, Axum, Kit, Part, principal};

use crate::support::{app, run, said, says};

fn cases() -> App<Axum> {
    app(get(async || "cases").require_scope("a"))
}

#[test]
fn a_completed_request_is_recorded_as_such() {
    run(async {
        let app = cases();
        app.get("/cases").as_user("alice", ["a"]).await.assert_ok();
        let last = app.kit().audit().last();
        let last = last
            .assert_completed(200)
            .assert_by("alice")
            .assert_action("GET /cases");
        let last = last.assert_target("/cases");
        app.kit().audit().assert_len(1).assert_settled();
        let wrong: [(&dyn Fn(), &str); 9] = [
            (
                &|| drop(last.clone().assert_completed(201)),
                "completed 201",
            ),
            (&|| drop(last.clone().assert_denied("scope")), "denied"),
            (&|| drop(last.clone().assert_cancelled()), "cancelled"),
            (&|| drop(last.clone().assert_by("bob")), "by bob"),
            (&|| drop(last.clone().assert_by_nobody()), "by nobody"),
            (
                &|| drop(last.clone().assert_action("GET /other")),
                "GET /other",
            ),
            (&|| drop(last.clone().assert_target("/other")), "/other"),
            (&|| drop(last.clone().assert_grpc(0)), "gRPC status 0"),
            (
                &|| {
                    app.kit().audit().assert_len(2);
                },
                "1 records and not 2",
            ),
        ];
        for (assertion, part) in wrong {
            says(
                &said(assertion),
                &[part, "GET /cases by alice: completed 200"],
            );
        }
        says(
            &said(|| {
                app.kit().audit().assert_empty();
            }),
            &["not 0"],
        );
    });
}

#[test]
fn a_denied_request_is_recorded_as_such() {
    run(async {
        let app = cases();
        app.get("/cases").await.assert_unauthenticated();
        let last = app
            .kit()
            .audit()
            .last()
            .assert_denied("no credential")
            .assert_by_nobody();
        for wrong in ["scope", ""] {
            let text = said(|| drop(last.clone().assert_denied(wrong)));
            says(
                &text,
                &[
                    "says something else",
                    "denied 401, no credential was presented",
                ],
            );
        }
        says(
            &said(|| drop(last.clone().assert_completed(401))),
            &["completed 401"],
        );
        says(
            &said(|| drop(last.clone().assert_by("alice"))),
            &["by alice"],
        );
    });
}

#[test]
fn a_request_whose_handler_was_dropped_is_recorded_as_cancelled() {
    run(async {
        let app = app(get(std::future::pending::<&'static str>));
        let sending = app.get("/cases").as_user("alice", []);
        let mut sending = Box::pin(sending.into_future());
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(sending.as_mut().poll(&mut context).is_pending());
        let unsettled = said(|| {
            app.kit().audit().assert_settled();
        });
        says(&unsettled, &["never settled", "not settled"]);
        drop(sending);
        app.kit().audit().assert_settled().last().assert_cancelled();
    });
}

#[test]
fn an_empty_trail_has_no_last_record() {
    let kit = Kit::new();
    kit.audit().assert_empty();
    says(
        &said(|| drop(kit.audit().last())),
        &["nothing is in the audit trail", "kit.gate()"],
    );
}

#[test]
fn a_trail_that_is_down_stores_nothing_and_says_so() {
    let kit = Kit::new();
    kit.take_down(Part::Audit);
    let text = said(|| drop(kit.admitted(principal::user("a").verified())));
    says(&text, &["was not admitted", "503"]);
    kit.audit().assert_empty();
    kit.bring_up(Part::Audit);
    drop(kit.admitted(principal::user("a").verified()));
    kit.audit().assert_len(1);
}

#[test]
fn a_ticket_is_settled_once_and_only_if_it_was_given_out() {
    let kit = Kit::new();
    drop(kit.admitted(principal::user("a").verified()));
    let sink = kit.audit_sink();
    let ticket = kit.audit().last().record().ticket;
    sink.cancelled(ticket);
    kit.audit().last().assert_completed(200);
    let unknown = ringwall_core::audit::AuditTicket::new(7);
    let outcome = ringwall_core::audit::AuditOutcome::Cancelled;
    assert!(matches!(
        AuditSink::outcome(&*sink, unknown, outcome),
        Step::Done(Err(_))
    ));
}

#[test]
fn events_are_the_ones_or_fail() {
    run(async {
        let app = cases();
        let kit = app.kit();
        app.get("/cases").as_user("alice", ["a"]).await.assert_ok();
        kit.events().assert_quiet();
        app.get("/cases")
            .as_user("alice", [])
            .await
            .assert_forbidden();
        app.get("/cases").await.assert_unauthenticated();
        let events = kit.events();
        events
            .assert_last(EventKind::CredentialsMissing, "no credential")
            .assert_reported(EventKind::AccessDenied, "lacks a scope");
        assert_eq!(events.count(EventKind::AuthenticationSucceeded), 2);
        assert_eq!(events.all().len(), 4);
        let wrong: [(&dyn Fn(), &str); 6] = [
            (
                &|| {
                    events.assert_last(EventKind::AccessDenied, "lacks a scope");
                },
                "the last event",
            ),
            (
                &|| {
                    events.assert_last(EventKind::CredentialsMissing, "x");
                },
                "the last event",
            ),
            (
                &|| {
                    events.assert_last(EventKind::CredentialsMissing, "");
                },
                "the last event",
            ),
            (
                &|| {
                    events.assert_reported(EventKind::AccessDenied, "x");
                },
                "no event",
            ),
            (
                &|| {
                    events.assert_reported(EventKind::AuditFailed, "lacks");
                },
                "no event",
            ),
            (
                &|| {
                    events.assert_quiet();
                },
                "something was reported",
            ),
        ];
        for (assertion, part) in wrong {
            says(
                &said(assertion),
                &[part, "access_denied: the caller lacks a scope"],
            );
        }
        let none = Kit::new().events();
        says(
            &said(|| {
                none.assert_reported(EventKind::AuditFailed, "x");
            }),
            &["none"],
        );
    });
}
