//! What callers hear, and what operators do.

use core::time::Duration;

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;

use crate::support::*;

fn fields(denial: &Denial) -> Vec<String> {
    let mut fields = Vec::new();
    denial.headers(|name, value| fields.push(format!("{name}: {value}")));
    fields
}

#[test]
fn a_refusal_says_what_to_do_and_not_what_was_wrong() {
    let service = service(direct());
    let distrusted = svid(WEB);
    distrusted.distrust();
    let mut answers = vec![service.ask(from(STRANGER)).unwrap_err()];
    for peer in [
        &distrusted,
        &svid("spiffe://other.example/web"),
        &svid("spiffe://prod.example"),
    ] {
        answers.push(service.ask(from(STRANGER).with(peer)).unwrap_err());
    }
    for answer in answers {
        assert_eq!(answer.http_status(), 401);
        assert_eq!(
            fields(&answer),
            ["www-authenticate: Bearer realm=\"ringwall\""]
        );
    }
    let unmapped = service.ask(from(STRANGER).with(&svid(ADMIN))).unwrap_err();
    assert_eq!(unmapped, Denial::Forbidden { challenge: None });
    let nginx = crate::support::service(behind_nginx());
    let twice = [
        (SUBJECT, "CN=web"),
        (SUBJECT, "CN=web"),
        (VERIFY, "SUCCESS"),
    ];
    let malformed = nginx.ask(from(TRUSTED).saying(&twice)).unwrap_err();
    assert_eq!(malformed, Denial::Malformed { challenge: None });
}

#[test]
fn a_broken_clock_answers_503() {
    for (service, request, peer) in [
        (service(direct()), from(STRANGER), Some(svid(WEB))),
        (
            service(behind_nginx()),
            from(TRUSTED).saying(&[(SUBJECT, "CN=web"), (VERIFY, "SUCCESS")]),
            None,
        ),
    ] {
        service.clock.fail(true);
        let request = peer.as_ref().map_or(request, |peer| request.with(peer));
        let denial = service.ask(request).unwrap_err();
        let retry_after = Duration::from_secs(5);
        assert_eq!(denial, Denial::Unavailable { retry_after });
        assert_eq!(service.events.count(EventKind::ClockUnavailable), 1);
    }
}

#[test]
fn each_outcome_is_one_event() {
    let service = service(direct());
    let peer = svid(WEB);
    let request = from(STRANGER).with(&peer);
    let principal = service.ask(request).unwrap();
    let events = service.events.snapshot();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, EventKind::AuthenticationSucceeded);
    assert_eq!(events[0].cause, "the certificate was verified");
    assert_eq!(events[0].principal.as_ref(), Some(&principal));
    assert_eq!(events[0].at, Some(at(NOW)));
    assert_eq!(events[0].source, Some(STRANGER.parse().unwrap()));
    peer.distrust();
    service.refused(request);
    assert_eq!(service.events.snapshot().len(), 2);
    assert!(service.presented(request));
    assert_eq!(
        service.events.snapshot().len(),
        2,
        "asking whether it is there is no outcome"
    );
}

#[test]
fn what_is_shown_holds_no_name_of_a_caller() {
    let service = service(direct());
    let shown = format!("{:?}", service.authenticator);
    assert!(
        shown.contains("principals: 2") && !shown.contains(WEB),
        "{shown}"
    );
}
