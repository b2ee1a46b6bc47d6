//! All that a test needs, wired together.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::TokenVerifier;
use ringwall_core::audit::AuditSink;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::event::EventSink;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::profile::Profile;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{Access, Admitted, Gate, GateBuilder, RoutePolicy};

use crate::app::{App, Transport};
use crate::event_log::{EventLog, EventRecorder};
use crate::failure::{fail, must};
use crate::impersonation::{HEADER, Impersonation};
use crate::issuer::FakeIssuer;
use crate::token::{Token, TokenDraft};
use crate::trail::{AuditRecorder, Trail};

/// The realm of the kit's gates.
pub(crate) const REALM: &str = "test";

/// The issuer and the audience: names that can belong to nobody (RFC 2606).
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://api.test";

/// 2027-01-15T08:00:00Z, in seconds since the epoch.
const START: i64 = 1_800_000_000;

/// A gate with all that stands behind it, each part in the hands of the test: an issuer, a clock that
/// stands at 2027-01-15T08:00:00Z, an audit trail and events to read.
///
/// Cloning shares it. Make a new one for each test: tests that share a clock or a trail depend on
/// their order.
///
/// # For tests alone
///
/// Whoever has a kit can be anybody at its gates. They are of the development profile, which is
/// logged at WARN when one is built, and its verifier is refused by a gate of the production profile.
#[derive(Clone)]
pub struct Kit(Arc<Inner>);

struct Inner {
    clock: Arc<ManualClock>,
    issuer: FakeIssuer,
    verifier: TokenVerifier,
    events: Arc<EventRecorder>,
    audit: Arc<AuditRecorder>,
    impersonation: Arc<Impersonation>,
}

/// Something that a decision needs, and that can be down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The keys of the issuer.
    Keys,
    /// The list of revoked tokens.
    Revocations,
    /// The wall clock.
    Clock,
    /// The audit trail.
    Audit,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 4] = [Self::Keys, Self::Revocations, Self::Clock, Self::Audit];

    /// What it is, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keys => "the keys of the issuer",
            Self::Revocations => "the list of revocations",
            Self::Clock => "the wall clock",
            Self::Audit => "the audit trail",
        }
    }
}

impl Kit {
    /// A kit of its own keys and its own time.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    #[track_caller]
    #[must_use]
    pub fn new() -> Self {
        let start = Timestamp::from_unix_seconds(START).unwrap_or(Timestamp::UNIX_EPOCH);
        let clock = Arc::new(ManualClock::new(start));
        let issuer = FakeIssuer::new(ISSUER, AUDIENCE, Arc::clone(&clock));
        let events = Arc::new(EventRecorder::default());
        let sink = Arc::clone(&events) as Arc<dyn EventSink>;
        Self(Arc::new(Inner {
            verifier: issuer.verifier(),
            issuer,
            impersonation: Arc::new(Impersonation::new(Arc::clone(&clock), sink)),
            clock,
            events,
            audit: Arc::default(),
        }))
    }

    /// A gate that knows the callers of this kit, and whose every event and record is read here.
    ///
    /// # Panics
    ///
    /// Never in practice: what the gate is made of is made here.
    #[track_caller]
    #[must_use]
    pub fn gate(&self) -> Gate {
        must(self.gate_builder().build(), "the gate of the kit")
    }

    /// The same before it is built: for services that add authenticators of their own, trusted
    /// proxies, or the metadata of what they protect.
    pub fn gate_builder(&self) -> GateBuilder {
        let inner = &*self.0;
        Gate::builder(REALM)
            .profile(Profile::Development)
            .tokens(inner.verifier.clone())
            .authenticator(Arc::clone(&inner.impersonation))
            .clock(self.clock())
            .events(self.event_sink())
            .audit(self.audit_sink())
    }

    /// Begins a token for `subject`: without scopes, roles and tenant, for ten minutes.
    #[track_caller]
    pub fn token(&self, subject: &str) -> TokenDraft {
        self.issuer().token(subject)
    }

    /// The issuer of the kit's tokens.
    #[must_use]
    pub fn issuer(&self) -> &FakeIssuer {
        &self.0.issuer
    }

    /// The verifier of the kit's tokens, for code that is given one instead of a gate.
    #[must_use]
    pub fn verifier(&self) -> TokenVerifier {
        self.0.verifier.clone()
    }

    /// The clock that all of the kit reads, for code that is given one.
    #[must_use]
    pub fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.0.clock)
    }

    /// Lets time pass.
    pub fn advance(&self, duration: Duration) {
        self.0.clock.advance(duration);
    }

    /// The audit trail so far.
    #[must_use]
    pub fn audit(&self) -> Trail {
        Trail::new(self.0.audit.since(0))
    }

    /// Where the audit trail is kept, for a gate of your own.
    #[must_use]
    pub fn audit_sink(&self) -> Arc<dyn AuditSink> {
        Arc::clone(&self.0.audit) as Arc<dyn AuditSink>
    }

    /// The security events so far.
    #[must_use]
    pub fn events(&self) -> EventLog {
        EventLog::new(self.0.events.since(0))
    }

    /// Where events are kept, for a gate of your own.
    #[must_use]
    pub fn event_sink(&self) -> Arc<dyn EventSink> {
        Arc::clone(&self.0.events) as Arc<dyn EventSink>
    }

    /// Revokes one token.
    #[track_caller]
    pub fn revoke(&self, token: &Token) {
        self.issuer().revoke(token);
    }

    /// Makes a part unavailable, until [`bring_up`](Self::bring_up): what needs it must be refused with
    /// 503.
    pub fn take_down(&self, part: Part) {
        self.switch(part, true);
    }

    /// Makes a part available again.
    pub fn bring_up(&self, part: Part) {
        self.switch(part, false);
    }

    fn switch(&self, part: Part, is_down: bool) {
        match part {
            Part::Keys => self.issuer().keys_down(is_down),
            Part::Revocations => self.issuer().revocations_down(is_down),
            Part::Clock => self.0.clock.fail(is_down),
            Part::Audit => self.0.audit.set_down(is_down),
        }
    }

    /// The proof that `caller` came through a door, for code that demands one and is tested without a
    /// request. It leaves an event and an audit record, as any request does.
    ///
    /// # Panics
    ///
    /// When the caller's credential has ended, or a part that the door needs is down.
    #[track_caller]
    #[must_use]
    pub fn admitted(&self, caller: VerifiedPrincipal) -> Admitted {
        let number = self.register(caller).to_string();
        let headers = [(HEADER, number.as_str())];
        let view = RequestView {
            method: "GET",
            scheme: Some("https"),
            authority: None,
            raw_path: "/",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        let policy = RoutePolicy::new("a handler without a request", Access::Authenticated);
        match self.gate().door(policy).enter(&view) {
            Step::Done(Ok((admitted, exit))) => {
                // Nothing of the kit waits, so the outcome is stored when this returns.
                drop(exit.finish(200, None));
                admitted
            }
            Step::Done(Err(denial)) => fail(&format!("the caller was not admitted: {denial}")),
            Step::Wait(_) => fail("the gate of the kit waits for something"),
        }
    }

    pub(crate) fn event_recorder(&self) -> &EventRecorder {
        &self.0.events
    }

    pub(crate) fn audit_recorder(&self) -> &AuditRecorder {
        &self.0.audit
    }

    pub(crate) fn register(&self, caller: VerifiedPrincipal) -> usize {
        self.0.impersonation.register(caller)
    }

    /// An application that is called in process, through a [`Transport`] of your own.
    pub fn app<T: Transport>(&self, transport: T) -> App<T> {
        App::new(self.clone(), transport)
    }
}

impl Default for Kit {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit")
            .field("issuer", &self.0.issuer)
            .field("clock", &self.0.clock)
            .finish_non_exhaustive()
    }
}
