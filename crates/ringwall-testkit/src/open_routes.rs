//! What is open to everybody.

use core::future::Future;
use core::panic::Location;

use ringwall_core::event::EventKind;

use crate::app::Transport;
use crate::assertion::Assertion;
use crate::request::TestRequest;
use crate::verdict::Wrong;

/// Assertions about routes that strangers may use.
impl<'a, T: Transport> TestRequest<'a, T> {
    /// Asserts that everybody is served, and that credentials are not looked at: neither bad ones, which
    /// must not break a public page, nor good ones.
    ///
    /// The handler runs some twenty times. It must find what is asked for.
    #[track_caller]
    pub fn is_public(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let attempts = self.attempts("is_public");
        let caller = self.caller.base("is_public").clone();
        Assertion::new(asked_at, async move {
            for attempt in &attempts {
                let answer = self.attempt(attempt).await;
                let expected = "the handler of a route that exists, whoever calls";
                self.expect(
                    answer.is_served(),
                    Wrong::NotLetIn,
                    expected,
                    &answer,
                    asked_at,
                );
            }
            let answer = self.send_as(&caller.credentials()).await;
            let kinds = answer.seen().events.iter().map(|event| event.kind);
            let is_unread = kinds
                .clone()
                .all(|kind| kind != EventKind::AuthenticationSucceeded);
            let expected = "the handler, and nobody who looks at the token";
            self.expect(
                answer.is_served() && is_unread,
                Wrong::Looked,
                expected,
                &answer,
                asked_at,
            );
        })
    }

    /// Asserts that callers without credentials are served, that a good token is read, and that whoever
    /// presents a bad one is refused all the same.
    ///
    /// The handler runs some few times. It must find what is asked for.
    #[track_caller]
    pub fn is_optional(self) -> Assertion<impl Future<Output = ()> + use<'a, T>> {
        let asked_at = Location::caller();
        let attempts = self.attempts("is_optional");
        let caller = self.caller.base("is_optional").clone();
        Assertion::new(asked_at, async move {
            let (bad, absent): (Vec<_>, Vec<_>) =
                attempts.into_iter().partition(|attempt| attempt.presents());
            for attempt in &absent {
                let answer = self.attempt(attempt).await;
                let expected = "the handler of a route that exists, for want of a credential";
                self.expect(
                    answer.is_served(),
                    Wrong::NotLetIn,
                    expected,
                    &answer,
                    asked_at,
                );
            }
            self.refuses_all(&bad, asked_at).await;
            let answer = self.send_as(&caller.credentials()).await;
            let mut kinds = answer.seen().events.iter().map(|event| event.kind);
            let is_read = kinds.any(|kind| kind == EventKind::AuthenticationSucceeded);
            let expected = "the handler, and an event authentication_succeeded";
            self.expect(
                answer.is_served() && is_read,
                Wrong::NotLetIn,
                expected,
                &answer,
                asked_at,
            );
        })
    }
}
