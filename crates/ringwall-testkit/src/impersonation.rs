//! Callers that the test has vouched for, as a gate meets them.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ringwall_core::clock::{ManualClock, Timestamp, WallClock as _};
use ringwall_core::denial::{Challenge, Denial};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Presented};

/// The field in which a request says which caller it comes from, by number.
pub(crate) const HEADER: &str = "x-ringwall-testkit-principal";

/// Believes the number that a request carries, if the test registered a caller under it.
pub(crate) struct Impersonation {
    callers: Mutex<Vec<VerifiedPrincipal>>,
    clock: Arc<ManualClock>,
    events: Arc<dyn EventSink>,
}

impl Impersonation {
    pub(crate) fn new(clock: Arc<ManualClock>, events: Arc<dyn EventSink>) -> Self {
        Self {
            callers: Mutex::default(),
            clock,
            events,
        }
    }

    /// The number of a caller.
    pub(crate) fn register(&self, caller: VerifiedPrincipal) -> usize {
        // Plain values: after a panic elsewhere they are still whole.
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let number = callers.len();
        callers.push(caller);
        number
    }

    fn find(&self, view: &RequestView<'_>) -> Option<VerifiedPrincipal> {
        let HeaderValues::One(number) = view.header(HEADER) else {
            return None;
        };
        let number: usize = core::str::from_utf8(number).ok()?.parse().ok()?;
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.get(number).cloned()
    }

    /// A caller whose credential has an end is refused after it.
    fn check(caller: &VerifiedPrincipal, now: Option<Timestamp>) -> bool {
        match (caller.authentication.expires_at, now) {
            (None, _) => true,
            (Some(end), Some(now)) => now < end,
            (Some(_), None) => false,
        }
    }

    fn emit(&self, kind: EventKind, cause: &'static str, caller: Option<&VerifiedPrincipal>) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.clock.now().ok();
        event.principal = caller.cloned();
        self.events.emit(event);
    }
}

impl Authenticator for Impersonation {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header(HEADER) {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::Elsewhere,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let found = self
            .find(view)
            .filter(|caller| Self::check(caller, self.clock.now().ok()));
        Step::Done(match found {
            Some(caller) => {
                let cause = "the test vouches for the caller";
                self.emit(EventKind::AuthenticationSucceeded, cause, Some(&caller));
                Ok(caller.into())
            }
            None => {
                let cause = "the test does not vouch for such a caller";
                self.emit(EventKind::AuthenticationFailed, cause, None);
                Err(refusal())
            }
        })
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        let holds = Self::check(accepted.principal(), Some(now));
        Step::Done(if holds { Ok(()) } else { Err(refusal()) })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

fn refusal() -> Denial {
    Denial::Unauthenticated {
        challenge: Box::new(Challenge::new(crate::kit::REALM)),
    }
}

impl fmt::Debug for Impersonation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Impersonation").finish_non_exhaustive()
    }
}
