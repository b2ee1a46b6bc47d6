//! The way out: what settles an audit intent.

use std::sync::Arc;

use ringwall_core::audit::{AuditOutcome, AuditSink, AuditTicket, AuditUnavailable};
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;

use crate::door::Door;

const NOT_STORED: &str = "the outcome of a request could not be stored";
const ABANDONED: &str = "the caller left while the outcome of its request was being stored";

/// The way out of a door, owed by whoever runs the handler.
///
/// [`finish`](Self::finish) it with the status of the handler's answer. Dropping it, because the
/// handler panicked, failed without an answer, or its caller went away, records the request as
/// cancelled: whether its effect happened is unknown, and the trail says so.
///
/// A caller who leaves while its body is being read is seen by the handler as a broken body: what
/// the handler answers to that is recorded as its answer, although nobody receives it.
///
/// A route of which only denials are recorded, or nothing, has an exit that records nothing.
#[derive(Debug)]
#[must_use = "an exit that is dropped is recorded as cancelled"]
pub struct Exit {
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    door: Door,
    sink: Arc<dyn AuditSink>,
    ticket: AuditTicket,
}

impl Exit {
    pub(crate) const fn unrecorded() -> Self {
        Self { open: None }
    }

    pub(crate) const fn recorded(
        door: Door,
        sink: Arc<dyn AuditSink>,
        ticket: AuditTicket,
    ) -> Self {
        Self {
            open: Some(Open { door, sink, ticket }),
        }
    }

    /// Records that the handler answered with `status`, the HTTP status, and with the status code
    /// `grpc` when it was a gRPC call. The answer may be sent once the step is done; of a gRPC call,
    /// its end.
    ///
    /// An outcome that cannot be stored is reported as an event and changes nothing else: the
    /// effect has happened, and a 503 in place of its answer would make the client do it again.
    /// The intent stays unsettled in the trail.
    pub fn finish(mut self, status: u16, grpc: Option<u32>) -> Step<()> {
        let Some(Open { door, sink, ticket }) = self.open.take() else {
            return Step::Done(());
        };
        match sink.outcome(ticket, AuditOutcome::Completed { status, grpc }) {
            Step::Done(answer) => {
                settled(&door, answer);
                Step::Done(())
            }
            Step::Wait(future) => {
                // A ticket is settled at most once, so it must not be cancelled from here on. A
                // caller who leaves now leaves it unsettled, or settled: the event says so.
                let mut guard = Abandoned(Some(door));
                Step::wait(async move {
                    let answer = future.await;
                    if let Some(door) = guard.0.take() {
                        settled(&door, answer);
                    }
                })
            }
        }
    }
}

impl Drop for Exit {
    fn drop(&mut self) {
        if let Some(Open { sink, ticket, .. }) = self.open.take() {
            sink.cancelled(ticket);
        }
    }
}

fn settled(door: &Door, answer: Result<(), AuditUnavailable>) {
    if answer.is_err() {
        door.report(EventKind::AuditFailed, NOT_STORED);
    }
}

struct Abandoned(Option<Door>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(door) = self.0.take() {
            door.report(EventKind::AuditFailed, ABANDONED);
        }
    }
}
