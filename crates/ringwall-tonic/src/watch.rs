//! Looking at a caller's credential again while a call goes on.

use core::fmt;
use core::future::{Future as _, IntoFuture as _};
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use ringwall_core::denial::{BearerError, Denial};
use ringwall_core::step::StepFuture;
use ringwall_gate::{Admitted, Door, Lease, Standing};
use tokio::time::{Sleep, sleep};
use tonic::Status;

use crate::refusal::refusal;

/// The lease of one call, shared by what the client sends and what it is sent.
pub(crate) struct Tenure {
    lease: Lease,
    door: Door,
    /// Set once, so that the end of a call is one event and ends both directions.
    over: AtomicBool,
}

/// One direction's watch on the lease. It does nothing until it is first polled, and is then due.
pub(crate) struct Watch {
    tenure: Arc<Tenure>,
    look: Look,
}

enum Look {
    Due,
    Looking(StepFuture<Standing>),
    Resting(Pin<Box<Sleep>>),
    Over,
}

/// Whether a frame may pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Free,
    Over,
}

impl Tenure {
    /// `None` when no credential of this call can end.
    pub(crate) fn of(admitted: &Admitted) -> Option<Arc<Self>> {
        let tenure = Self {
            lease: admitted.lease()?,
            door: admitted.door().clone(),
            over: AtomicBool::new(false),
        };
        Some(Arc::new(tenure))
    }
}

impl Watch {
    pub(crate) const fn new(tenure: Arc<Tenure>) -> Self {
        Self {
            tenure,
            look: Look::Due,
        }
    }

    /// Whether the call may go on. Pending while that is not known: what has not been justified does
    /// not pass. Once it is free, the task is woken when it has to be asked again.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Passage> {
        loop {
            if self.tenure.over.load(Ordering::Acquire) {
                self.look = Look::Over;
            }
            let next = match &mut self.look {
                Look::Over => return Poll::Ready(Passage::Over),
                Look::Due => Look::Looking(self.tenure.lease.check().into_future()),
                Look::Looking(step) => match ready!(Pin::new(step).poll(context)) {
                    Standing::Good { again_in } => Look::Resting(Box::pin(sleep(again_in))),
                    Standing::Over => {
                        self.tenure.over.store(true, Ordering::Release);
                        Look::Over
                    }
                },
                Look::Resting(pause) => match pause.as_mut().poll(context) {
                    Poll::Pending => return Poll::Ready(Passage::Free),
                    Poll::Ready(()) => Look::Due,
                },
            };
            self.look = next;
        }
    }

    /// How the call ends: as a new one with the same credential would.
    pub(crate) fn status(&self) -> Status {
        let challenge = self.tenure.door.gate().challenge();
        let challenge = Box::new(challenge.error(BearerError::InvalidToken));
        refusal(&Denial::Unauthenticated { challenge })
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}
