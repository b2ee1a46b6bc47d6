//! What a service's operators are told.

use core::fmt::Debug;
use std::sync::{Arc, Mutex};

use ringwall_core::audit::{
    AuditIntent, AuditOutcome, AuditSink, AuditTicket, AuditUnavailable, MemoryAudit,
};
use ringwall_core::event::{EventKind, EventSink as _, SecurityEvent};
use ringwall_core::step::Step;
use ringwall_gate::{Access, RoutePolicy, TracingEvents};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{Bench, Says, done, principal, view};

/// Keeps each line as its level and its fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, Fields)>>>);

#[derive(Clone, Default)]
struct Fields(Vec<(&'static str, String)>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "ringwall"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut lines = self.0.lock().expect("the lines");
        lines.push((*event.metadata().level(), fields));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn an_event_is_one_line_with_stable_names() {
    let lines = Lines::default();
    let mut event = SecurityEvent::new(EventKind::AccessDenied, "a cause");
    event.about = Some("GET /cases".into());
    event.source = Some([192, 0, 2, 1].into());
    event.principal = Some(principal(&[]));
    tracing::subscriber::with_default(lines.clone(), || {
        TracingEvents.emit(event);
        TracingEvents.emit(SecurityEvent::new(EventKind::KeysUnavailable, "no keys"));
    });
    let lines = lines.0.lock().expect("the lines");
    let shown: Vec<_> = lines
        .iter()
        .map(|(level, fields)| {
            let fields = fields.0.iter().filter(|(name, _)| *name != "message");
            let fields = fields.map(|(name, value)| format!("{name}={value}"));
            format!("{level} {}", fields.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "WARN kind=access_denied cause=a cause about=GET /cases source=192.0.2.1 subject=ada",
            "ERROR kind=keys_unavailable cause=no keys",
        ]
    );
}

#[test]
fn the_level_says_how_bad_it_is() {
    let cases = [
        (EventKind::AuthenticationSucceeded, Level::DEBUG),
        (EventKind::CredentialsMissing, Level::INFO),
        (EventKind::KeysReloaded, Level::INFO),
        (EventKind::AuthenticationFailed, Level::WARN),
        (EventKind::CredentialsAmbiguous, Level::WARN),
        (EventKind::RequestRefused, Level::WARN),
        (EventKind::KeysRefused, Level::WARN),
        (EventKind::RevocationUnavailable, Level::ERROR),
        (EventKind::ClockUnavailable, Level::ERROR),
        (EventKind::AuditFailed, Level::ERROR),
        (EventKind::Misconfigured, Level::ERROR),
    ];
    for (kind, expected) in cases {
        let lines = Lines::default();
        tracing::subscriber::with_default(lines.clone(), || {
            TracingEvents.emit(SecurityEvent::new(kind, "a cause"));
        });
        assert_eq!(
            lines.0.lock().expect("the lines")[0].0,
            expected,
            "{kind:?}"
        );
    }
}

/// Stores intents at once and outcomes never.
#[derive(Debug)]
struct Stuck(MemoryAudit);

impl AuditSink for Stuck {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        self.0.intent(intent)
    }

    fn outcome(
        &self,
        _ticket: AuditTicket,
        _outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        Step::wait(std::future::pending())
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        self.0.denied(intent, outcome)
    }

    fn cancelled(&self, ticket: AuditTicket) {
        self.0.cancelled(ticket);
    }
}

#[test]
fn a_caller_that_leaves_while_its_outcome_is_stored_is_reported_and_not_cancelled() {
    let says = Says {
        answer: Ok(principal(&[])),
        waits: false,
    };
    let sink = Arc::new(Stuck(MemoryAudit::new(8)));
    let bench = Bench::new(says, |builder| builder.audit(sink.clone()));
    let door = bench
        .gate
        .door(RoutePolicy::new("x", Access::Authenticated));
    let headers = vec![("authorization", "x")];
    let (_, exit) = done(door.enter(&view(&headers))).expect("admitted");
    drop(exit.finish(200, None));
    assert_eq!(bench.kinds(), [EventKind::AuditFailed]);
    // Its effect has happened, so the trail must not say that this is unknown.
    assert_eq!(sink.0.snapshot()[0].outcome, None);
}
