//! A request without a framework, and an authenticator that says what it is told.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ringwall_core::attest::Attest;
use ringwall_core::audit::MemoryAudit;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject,
    VerifiedPrincipal,
};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Entry, Gate, GateBuilder, Presented};

pub(crate) fn principal(scopes: &[&str]) -> VerifiedPrincipal {
    let authentication = Authentication::new(AuthenticationMethod::Token);
    let subject = Subject::new("ada").expect("a subject");
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.scopes = scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"))
        .collect();
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

/// Takes any `Authorization`; the answer is there at once, or after one wait.
#[derive(Debug)]
pub(crate) struct Says {
    pub(crate) answer: Result<VerifiedPrincipal, Denial>,
    pub(crate) waits: bool,
}

impl Authenticator for Says {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        let mut presented = Presented::No;
        view.headers.visit("authorization", &mut |_| {
            presented = Presented::InAuthorization
        });
        presented
    }

    fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let answer = self.answer.clone().map(Authenticated::from);
        if self.waits {
            Step::wait(async { answer })
        } else {
            Step::Done(answer)
        }
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) events: Arc<MemoryEvents>,
}

impl Bench {
    pub(crate) fn new(says: Says, change: impl FnOnce(GateBuilder) -> GateBuilder) -> Self {
        Self::by(says, change)
    }

    pub(crate) fn by(
        authenticator: impl Authenticator + 'static,
        change: impl FnOnce(GateBuilder) -> GateBuilder,
    ) -> Self {
        let audit = Arc::new(MemoryAudit::new(64));
        let events = Arc::new(MemoryEvents::new(64));
        let builder = Gate::builder("test")
            .authenticator(authenticator)
            .audit(audit.clone())
            .events(events.clone())
            .clock(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
        Self {
            gate: change(builder).build().expect("a gate"),
            audit,
            events,
        }
    }

    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.events
            .snapshot()
            .iter()
            .map(|event| event.kind)
            .collect()
    }
}

pub(crate) fn view<'a>(headers: &'a Vec<(&'a str, &'a str)>) -> RequestView<'a> {
    RequestView {
        method: "POST",
        scheme: None,
        authority: None,
        raw_path: "/cases/7",
        raw_query: Some("q=secret"),
        socket_peer: Some(([192, 0, 2, 1], 4711).into()),
        client_address: None,
        tls_peer: None,
        headers,
    }
}

/// The answer of a step that is done.
pub(crate) fn done<T>(step: Step<T>) -> T {
    match step {
        Step::Done(value) => value,
        Step::Wait(_) => panic!("the step waits, and boxed something"),
    }
}

/// The answer of a step that waits for something that is ready.
pub(crate) fn waited<T>(step: Step<T>) -> T {
    match step {
        Step::Done(_) => panic!("the step did not wait"),
        Step::Wait(mut future) => {
            match future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
            {
                Poll::Ready(value) => value,
                Poll::Pending => panic!("it is not ready"),
            }
        }
    }
}

pub(crate) fn status(entry: &Entry) -> u16 {
    entry.as_ref().map_or_else(Denial::http_status, |_| 200)
}
