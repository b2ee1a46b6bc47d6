//! What the security events must say.

use core::fmt;
use std::sync::{Mutex, PoisonError};

use ringwall_core::event::{EventKind, EventSink, SecurityEvent};

use crate::failure::fail;

/// The most events kept: more than any test looks at. Later ones are forgotten.
const CAPACITY: usize = 1 << 20;

/// Keeps all events, so that each request can be asked for its own.
#[derive(Debug, Default)]
pub(crate) struct EventRecorder(Mutex<Vec<SecurityEvent>>);

impl EventRecorder {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The events from the one with this number on.
    pub(crate) fn since(&self, number: usize) -> Vec<SecurityEvent> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.iter().skip(number).cloned().collect()
    }
}

impl EventSink for EventRecorder {
    fn emit(&self, event: SecurityEvent) {
        // Plain values: after a panic elsewhere the list is still whole.
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if events.len() < CAPACITY {
            events.push(event);
        }
    }
}

/// The security events at the moment they were asked for, oldest first.
#[derive(Clone, Debug)]
pub struct EventLog(Vec<SecurityEvent>);

impl EventLog {
    pub(crate) const fn new(events: Vec<SecurityEvent>) -> Self {
        Self(events)
    }

    /// The events as they are.
    #[must_use]
    pub fn all(&self) -> &[SecurityEvent] {
        &self.0
    }

    /// How many there are of `kind`.
    #[must_use]
    pub fn count(&self, kind: EventKind) -> usize {
        self.0.iter().filter(|event| event.kind == kind).count()
    }

    /// Fails unless the newest event is of `kind` and its cause contains `cause`.
    #[track_caller]
    pub fn assert_last(&self, kind: EventKind, cause: &str) -> &Self {
        let holds = self.0.last().is_some_and(|event| {
            event.kind == kind && !cause.is_empty() && event.cause.contains(cause)
        });
        if !holds {
            fail(&format!(
                "the last event is not {}, because of {cause:?}\n\nall events:\n{self}",
                kind.as_str()
            ));
        }
        self
    }

    /// Fails unless there is an event of `kind` whose cause contains `cause`.
    #[track_caller]
    pub fn assert_reported(&self, kind: EventKind, cause: &str) -> &Self {
        let is_it = |event: &SecurityEvent| {
            event.kind == kind && !cause.is_empty() && event.cause.contains(cause)
        };
        if !self.0.iter().any(is_it) {
            fail(&format!(
                "no event {}, because of {cause:?}\n\nall events:\n{self}",
                kind.as_str()
            ));
        }
        self
    }

    /// Fails when anything but a success was reported.
    #[track_caller]
    pub fn assert_quiet(&self) -> &Self {
        let is_success = |event: &SecurityEvent| event.kind == EventKind::AuthenticationSucceeded;
        if !self.0.iter().all(is_success) {
            fail(&format!("something was reported\n\nall events:\n{self}"));
        }
        self
    }
}

/// One line for each event.
impl fmt::Display for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return writeln!(f, "  none");
        }
        self.0
            .iter()
            .try_for_each(|event| writeln!(f, "  {}", Line(event)))
    }
}

/// Such as `access_denied: the caller lacks a scope that the route demands`.
pub(crate) struct Line<'a>(pub(crate) &'a SecurityEvent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.as_str(), self.0.cause)
    }
}

/// Whether an event says that a request was refused, or should never have been sent.
pub(crate) const fn is_refusal(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AuthenticationFailed
            | EventKind::CredentialsMissing
            | EventKind::CredentialsAmbiguous
            | EventKind::AccessDenied
            | EventKind::RequestRefused
            | EventKind::KeysUnavailable
            | EventKind::RevocationUnavailable
            | EventKind::CredentialReplayed
            | EventKind::ReplayStoreUnavailable
            | EventKind::ClockUnavailable
            | EventKind::AuditFailed
            | EventKind::Misconfigured
    )
}
