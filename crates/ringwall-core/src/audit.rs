//! The durable channel: intent before an effect, outcome after it.
//!
//! Durable audit of an effect takes two records. The *intent* is stored before the handler runs,
//! so no effect can happen unrecorded; the *outcome* after it. A handler whose future is dropped
//! leaves a record too ([`AuditSink::cancelled`]): whether its effect happened is then unknown,
//! and the trail must say so instead of staying silent.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Timestamp;
use crate::principal::VerifiedPrincipal;
use crate::step::Step;

/// What is about to happen, or was refused.
#[derive(Clone, Debug)]
pub struct AuditIntent {
    /// When.
    pub at: Timestamp,
    /// Who; `None` when nobody was authenticated.
    pub principal: Option<VerifiedPrincipal>,
    /// What, in the service's own words, such as `GET /api/cases/{id}`: never input.
    pub action: Arc<str>,
    /// On what: the path as received. Input, so whoever shows it escapes it.
    pub target: Box<str>,
    /// From where.
    pub source: Option<IpAddr>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// The handler ran and answered with this status.
    Completed {
        /// The HTTP status.
        status: u16,
        /// The gRPC status code of a gRPC call, whose HTTP status is 200 whatever happened. `None`
        /// for any other request.
        grpc: Option<u32>,
    },
    /// The request was refused before the handler ran.
    Denied {
        /// The HTTP status of the denial.
        status: u16,
        /// The precise cause, for operators: a fixed text, never input.
        cause: &'static str,
    },
    /// The handler's future was dropped before it answered: whether its effect happened is
    /// unknown.
    Cancelled,
}

/// Names an intent to the sink that stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AuditTicket(u64);

impl AuditTicket {
    /// A ticket that a sink gives out. Its meaning is the sink's own.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number inside.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The record was not stored. An intent that is not stored denies its request (503).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit record was not stored")]
pub struct AuditUnavailable {
    /// When to try again.
    pub retry_after: Duration,
}

/// Stores audit records.
///
/// # Contract
///
/// - When [`intent`](Self::intent) or [`denied`](Self::denied) answers `Ok`, the record is stored as
///   durably as the sink claims to store anything. `Err` means that it is not, or not known to be.
/// - Each ticket is settled at most once, by [`outcome`](Self::outcome) or
///   [`cancelled`](Self::cancelled). An intent that is never settled (a crash) must show as
///   unsettled to whoever reads the trail.
/// - Calls may come from any thread at once.
/// - No method blocks: what has to wait answers [`Step::Wait`].
pub trait AuditSink: Send + Sync + fmt::Debug {
    /// Stores an intent before its effect.
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>>;

    /// Stores how the intent ended.
    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>>;

    /// Stores, in one record, a request that was refused before it could have an effect.
    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>>;

    /// Settles a ticket as [`AuditOutcome::Cancelled`]. This is called from `Drop`, so it can
    /// neither wait nor fail: a sink queues the record, and its reader treats an intent whose
    /// record was lost as unsettled.
    fn cancelled(&self, ticket: AuditTicket);
}

/// One entry of [`MemoryAudit`].
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// The ticket given out for it.
    pub ticket: AuditTicket,
    /// The intent.
    pub intent: AuditIntent,
    /// The outcome; `None` as long as the intent is unsettled.
    pub outcome: Option<AuditOutcome>,
}

/// Keeps the newest records in memory, for tests and for services that keep their trail
/// elsewhere. It is not durable, and says so by its name.
#[derive(Debug)]
pub struct MemoryAudit {
    state: Mutex<MemoryState>,
    capacity: usize,
}

#[derive(Debug)]
struct MemoryState {
    records: VecDeque<AuditRecord>,
    next: u64,
    dropped: u64,
}

impl MemoryAudit {
    /// Keeps at most `capacity` records; older ones are dropped and counted.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let state = MemoryState {
            records: VecDeque::with_capacity(capacity),
            next: 0,
            dropped: 0,
        };
        Self {
            state: Mutex::new(state),
            capacity,
        }
    }

    /// The records kept, oldest first.
    #[must_use]
    pub fn snapshot(&self) -> Vec<AuditRecord> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .records
            .iter()
            .cloned()
            .collect()
    }

    /// How many records were dropped for lack of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .dropped
    }

    fn store(&self, intent: AuditIntent, outcome: Option<AuditOutcome>) -> AuditTicket {
        // Records are plain values: after a panic elsewhere the queue is still whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = AuditTicket(state.next);
        state.next = state.next.wrapping_add(1);
        if state.records.len() >= self.capacity {
            state.records.pop_front();
            state.dropped = state.dropped.saturating_add(1);
        }
        if self.capacity > 0 {
            state.records.push_back(AuditRecord {
                ticket,
                intent,
                outcome,
            });
        }
        ticket
    }

    fn settle(&self, ticket: AuditTicket, outcome: AuditOutcome) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Tickets ascend along the queue.
        let found = state
            .records
            .binary_search_by_key(&ticket, |record| record.ticket);
        if let Ok(index) = found
            && let Some(record) = state.records.get_mut(index)
        {
            record.outcome.get_or_insert(outcome);
        }
    }
}

impl AuditSink for MemoryAudit {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        Step::Done(Ok(self.store(intent, None)))
    }

    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        self.settle(ticket, outcome);
        Step::Done(Ok(()))
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        self.store(intent, Some(outcome));
        Step::Done(Ok(()))
    }

    fn cancelled(&self, ticket: AuditTicket) {
        self.settle(ticket, AuditOutcome::Cancelled);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(target: &str) -> AuditIntent {
        AuditIntent {
            at: Timestamp::UNIX_EPOCH,
            principal: None,
            action: "GET /".into(),
            target: target.into(),
            source: None,
        }
    }

    fn ticket(sink: &MemoryAudit, target: &str) -> AuditTicket {
        match sink.intent(intent(target)) {
            Step::Done(Ok(ticket)) => ticket,
            Step::Done(Err(error)) => panic!("{error}"),
            Step::Wait(_) => panic!("memory does not wait"),
        }
    }

    #[test]
    fn an_intent_is_unsettled_until_its_outcome_and_settled_once() {
        let sink = MemoryAudit::new(8);
        let first = ticket(&sink, "/a");
        let second = ticket(&sink, "/b");
        assert!(
            sink.snapshot()
                .iter()
                .all(|record| record.outcome.is_none())
        );
        sink.cancelled(second);
        drop(sink.outcome(
            first,
            AuditOutcome::Completed {
                status: 200,
                grpc: None,
            },
        ));
        drop(sink.outcome(
            second,
            AuditOutcome::Completed {
                status: 200,
                grpc: None,
            },
        ));
        let outcomes: Vec<_> = sink
            .snapshot()
            .into_iter()
            .map(|record| record.outcome)
            .collect();
        assert_eq!(
            outcomes,
            [
                Some(AuditOutcome::Completed {
                    status: 200,
                    grpc: None
                }),
                Some(AuditOutcome::Cancelled)
            ]
        );
    }

    #[test]
    fn is_bounded_and_counts_what_it_dropped() {
        let sink = MemoryAudit::new(2);
        let first = ticket(&sink, "/a");
        ticket(&sink, "/b");
        ticket(&sink, "/c");
        sink.cancelled(first); // already gone
        assert_eq!(sink.snapshot().len(), 2);
        assert_eq!(sink.dropped(), 1);
    }
}
