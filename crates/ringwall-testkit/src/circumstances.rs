//! What holds whoever calls: the connection that a request comes over, and what is down when it comes.

use core::future::Future;
use core::panic::Location;

use http::header::RETRY_AFTER;
use ringwall_core::event::EventKind;

use crate::answer::{Answer, Class};
use crate::app::{Protocol, Transport};
use crate::assertion::Assertion;
use crate::caller::{Base, Credentials};
use crate::failure::fail;
use crate::kit::Part;
use crate::request::TestRequest;
use crate::verdict::Wrong;

/// Assertions about plain HTTP and outages.
impl<'a, T: Transport> TestRequest<'a, T> {
    /// Asserts that the request is refused (403) or redirected (308) when it comes over plain HTTP, with
    /// credentials and without, and that the same is not said of it over TLS.
    ///
    /// The handler runs once at most.
    #[track_caller]
    pub fn refuses_plain_http(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let caller = self.caller.base("refuses_plain_http").clone();
        Assertion::new(asked_at, async move {
            let is_said = |answer: &Answer| {
                answer.seen().events.iter().any(|event| {
                    event.kind == EventKind::RequestRefused && event.cause.contains("plain HTTP")
                })
            };
            let plain = self.again().over_plain_http();
            for credentials in [Credentials::Nobody, caller.credentials()] {
                let answer = plain.send_as(&credentials).await;
                let is_refused = match answer.protocol() {
                    Protocol::Http => matches!(answer.status(), 403 | 308),
                    // FAILED_PRECONDITION
                    Protocol::Grpc => answer.grpc_status() == Some(9),
                };
                let holds = is_refused && is_said(&answer);
                let wrong = Wrong::NotRefused("speaks plain HTTP");
                self.expect(holds, wrong, "403 or 308, and an event", &answer, asked_at);
            }
            let answer = self.send_as(&caller.credentials()).await;
            let expected = "no complaint about the connection";
            self.expect(
                !is_said(&answer),
                Wrong::NotLetIn,
                expected,
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that a good caller is let in, and told to come back (503) while the keys, the revocations
    /// or the clock cannot be had: neither let in unchecked nor told that its token is bad. Tokens
    /// that were seen before, which a cache knows, are tried as well as new ones.
    ///
    /// The handler runs twice.
    #[track_caller]
    pub fn fails_closed(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let Base::Token(draft) = self.caller.base("fails_closed").clone() else {
            fail("`fails_closed` is about tokens: give the request a token, not a principal");
        };
        let kit = self.app.kit().clone();
        Assertion::new(asked_at, async move {
            let seen_before = Credentials::Token(draft.issue());
            let answer = self.send_as(&seen_before).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
            for part in [Part::Keys, Part::Revocations, Part::Clock] {
                for credentials in [seen_before.clone(), Credentials::Token(draft.issue())] {
                    kit.take_down(part);
                    let answer = self.send_as(&credentials).await;
                    kit.bring_up(part);
                    let holds = answer.class() == Class::Unavailable
                        && answer.headers().contains_key(RETRY_AFTER);
                    let expected =
                        "503 with Retry-After, since nobody can tell whether the token is good";
                    self.expect(holds, Wrong::While(part), expected, &answer, asked_at);
                }
            }
            let answer = self.send_as(&seen_before).await;
            self.expect(
                answer.is_let_in(),
                Wrong::NotLetIn,
                "the handler",
                &answer,
                asked_at,
            );
        })
    }
}
