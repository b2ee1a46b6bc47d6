//! What the audit trail must say.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ringwall_core::audit::{
    AuditIntent, AuditOutcome, AuditRecord, AuditSink, AuditTicket, AuditUnavailable,
};
use ringwall_core::step::Step;

use crate::failure::fail;
use crate::issuer::RETRY_AFTER;

/// The most records kept: more than any test looks at. A full trail refuses, as any must.
const CAPACITY: usize = 1 << 20;

/// A trail that keeps all records, so that each request can be asked for its own, and that can be down.
#[derive(Debug, Default)]
pub(crate) struct AuditRecorder {
    records: Mutex<Vec<AuditRecord>>,
    is_down: AtomicBool,
}

impl AuditRecorder {
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn len(&self) -> usize {
        let records = self.records.lock();
        records.unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The records from the one with this number on.
    pub(crate) fn since(&self, number: usize) -> Vec<AuditRecord> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().skip(number).cloned().collect()
    }

    fn store(
        &self,
        intent: AuditIntent,
        outcome: Option<AuditOutcome>,
    ) -> Result<AuditTicket, AuditUnavailable> {
        // Plain values: after a panic elsewhere the list is still whole.
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        match u64::try_from(records.len()) {
            Ok(number) if records.len() < CAPACITY && !self.is_down.load(Ordering::SeqCst) => {
                let ticket = AuditTicket::new(number);
                records.push(AuditRecord {
                    ticket,
                    intent,
                    outcome,
                });
                Ok(ticket)
            }
            Ok(_) | Err(_) => Err(AuditUnavailable {
                retry_after: RETRY_AFTER,
            }),
        }
    }

    fn settle(&self, ticket: AuditTicket, outcome: AuditOutcome) -> Result<(), AuditUnavailable> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = usize::try_from(ticket.number()).ok();
        match record.and_then(|number| records.get_mut(number)) {
            Some(record) if !self.is_down.load(Ordering::SeqCst) => {
                record.outcome.get_or_insert(outcome);
                Ok(())
            }
            Some(_) | None => Err(AuditUnavailable {
                retry_after: RETRY_AFTER,
            }),
        }
    }
}

impl AuditSink for AuditRecorder {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        Step::Done(self.store(intent, None))
    }

    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(self.settle(ticket, outcome))
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(self.store(intent, Some(outcome)).map(|_| ()))
    }

    fn cancelled(&self, ticket: AuditTicket) {
        // What cannot be stored stays unsettled, and the reader sees that.
        self.settle(ticket, AuditOutcome::Cancelled).ok();
    }
}

/// The audit trail at the moment it was asked for, oldest record first.
#[derive(Clone, Debug)]
pub struct Trail(Vec<AuditRecord>);

/// One record, to be held against what it should say. Each method fails the test when the record says
/// something else, and answers the record, so that they chain.
#[derive(Clone, Debug)]
pub struct Recorded {
    record: AuditRecord,
    trail: Trail,
}

impl Trail {
    pub(crate) const fn new(records: Vec<AuditRecord>) -> Self {
        Self(records)
    }

    /// The records as they are.
    #[must_use]
    pub fn records(&self) -> &[AuditRecord] {
        &self.0
    }

    /// The newest record.
    #[track_caller]
    #[must_use]
    pub fn last(&self) -> Recorded {
        match self.0.last() {
            Some(record) => Recorded {
                record: record.clone(),
                trail: self.clone(),
            },
            None => fail(
                "nothing is in the audit trail\n\n  \
                 Is the application built with `kit.gate()`? Does the route keep a trail of successes \
                 (`AuditScope::All`)?",
            ),
        }
    }

    /// Fails unless there are exactly `count` records.
    #[track_caller]
    pub fn assert_len(&self, count: usize) -> &Self {
        let found = self.0.len();
        if found != count {
            fail(&format!(
                "the audit trail has {found} records and not {count}\n\n{self}"
            ));
        }
        self
    }

    /// Fails unless there is no record.
    #[track_caller]
    pub fn assert_empty(&self) -> &Self {
        self.assert_len(0)
    }

    /// Fails when an intent is not settled: its request was neither answered nor dropped.
    #[track_caller]
    pub fn assert_settled(&self) -> &Self {
        if self.0.iter().any(|record| record.outcome.is_none()) {
            fail(&format!("an intent was never settled\n\n{self}"));
        }
        self
    }
}

/// One line for each record.
impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|record| writeln!(f, "  {}", Line(record)))
    }
}

impl Recorded {
    /// The record as it is.
    #[must_use]
    pub const fn record(&self) -> &AuditRecord {
        &self.record
    }

    /// Fails unless the request was refused before the handler, for a cause that contains `cause`.
    #[track_caller]
    pub fn assert_denied(self, cause: &str) -> Self {
        let is_said = |said: &str| !cause.is_empty() && said.contains(cause);
        let holds = match self.record.outcome {
            Some(AuditOutcome::Denied { cause, .. }) => is_said(cause),
            Some(AuditOutcome::Completed { .. } | AuditOutcome::Cancelled) | None => false,
        };
        self.check(holds, format_args!("denied, because of {cause:?}"))
    }

    /// Fails unless the handler answered with this HTTP status.
    #[track_caller]
    pub fn assert_completed(self, expected: u16) -> Self {
        let holds = match self.record.outcome {
            Some(AuditOutcome::Completed { status, .. }) => status == expected,
            Some(AuditOutcome::Denied { .. } | AuditOutcome::Cancelled) | None => false,
        };
        self.check(holds, format_args!("completed {expected}"))
    }

    /// Fails unless the method answered with this gRPC status code.
    #[track_caller]
    pub fn assert_grpc(self, expected: u32) -> Self {
        let holds = match self.record.outcome {
            Some(AuditOutcome::Completed { grpc, .. }) => grpc == Some(expected),
            Some(AuditOutcome::Denied { .. } | AuditOutcome::Cancelled) | None => false,
        };
        self.check(holds, format_args!("completed, gRPC status {expected}"))
    }

    /// Fails unless the handler was dropped before it answered.
    #[track_caller]
    pub fn assert_cancelled(self) -> Self {
        let holds = self.record.outcome == Some(AuditOutcome::Cancelled);
        self.check(holds, format_args!("cancelled"))
    }

    /// Fails unless the caller is `subject`.
    #[track_caller]
    pub fn assert_by(self, subject: &str) -> Self {
        let caller = self.record.intent.principal.as_ref();
        let holds = caller.is_some_and(|caller| caller.subject.as_str() == subject);
        self.check(holds, format_args!("by {subject}"))
    }

    /// Fails unless nobody was authenticated.
    #[track_caller]
    pub fn assert_by_nobody(self) -> Self {
        let holds = self.record.intent.principal.is_none();
        self.check(holds, format_args!("by nobody"))
    }

    /// Fails unless the route is recorded under this name, such as `GET /cases/{id}`.
    #[track_caller]
    pub fn assert_action(self, action: &str) -> Self {
        let holds = &*self.record.intent.action == action;
        self.check(holds, format_args!("the action {action}"))
    }

    /// Fails unless the path that was asked for is this one.
    #[track_caller]
    pub fn assert_target(self, target: &str) -> Self {
        let holds = &*self.record.intent.target == target;
        self.check(holds, format_args!("the target {target}"))
    }

    #[track_caller]
    fn check(self, holds: bool, expected: fmt::Arguments<'_>) -> Self {
        if !holds {
            fail(&format!(
                "the last audit record says something else\n\n  expected     {expected}\n  got          \
                 {}\n\nthe whole trail:\n{}",
                Line(&self.record),
                self.trail
            ));
        }
        self
    }
}

/// Such as `GET /cases/{id} (/cases/7) by alice: completed 200`.
pub(crate) struct Line<'a>(pub(crate) &'a AuditRecord);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let intent = &self.0.intent;
        write!(f, "{}", intent.action)?;
        if !intent.action.ends_with(&*intent.target) {
            write!(f, " ({})", intent.target.escape_debug())?;
        }
        match &intent.principal {
            Some(caller) => write!(f, " by {}: ", caller.subject)?,
            None => f.write_str(" by nobody: ")?,
        }
        match self.0.outcome {
            Some(AuditOutcome::Completed { status, grpc: None }) => write!(f, "completed {status}"),
            Some(AuditOutcome::Completed {
                grpc: Some(code), ..
            }) => write!(f, "completed, gRPC status {code}"),
            Some(AuditOutcome::Denied { status, cause }) => write!(f, "denied {status}, {cause}"),
            Some(AuditOutcome::Cancelled) => f.write_str("cancelled"),
            None => f.write_str("not settled"),
        }
    }
}
