//! How long an answer that goes on may go on.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;

use crate::authenticator::{Authenticated, Authenticator};
use crate::door::Door;

/// The longest pause between two looks at a credential: how long a revoked one keeps its streams.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The pause while a credential is past its end and within the permitted skew of clocks.
const SKEW_PAUSE: Duration = Duration::from_secs(5);

/// The shortest pause: a credential that is about to end is looked at again after its end.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

const UNAUTHORIZED: &str =
    "the caller no longer meets what the route demands, and the answer was still going on";

/// Until when the answer to one request may go on.
///
/// A request is decided about when it comes. An answer that goes on (server-sent events, a gRPC
/// stream) outlives that decision, and with it the credential: it expires, it is revoked, its key is
/// withdrawn. So whoever sends such an answer looks again, and ends it as soon as a new request with
/// the same credential would be refused.
///
/// The client certificate of a connection needs no look here: its end is the connection's. One that a proxy saw is the
/// proxy's to watch.
#[derive(Clone)]
pub struct Lease {
    door: Door,
    authenticated: Authenticated,
    authenticator: Arc<dyn Authenticator>,
}

/// What a look at a credential found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The answer may go on. Look again after this pause, at most [`LONGEST_PAUSE`].
    Good {
        /// The pause.
        again_in: Duration,
    },
    /// The answer ends now. Also when no decision could be reached (the clock, a store): what can
    /// no longer be justified does not go on.
    Over,
}

impl Lease {
    pub(crate) const fn new(
        door: Door,
        authenticated: Authenticated,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        Self {
            door,
            authenticated,
            authenticator,
        }
    }

    /// Looks at the credential again. An end is reported as an event.
    pub fn check(&self) -> Step<Standing> {
        let Some(now) = self.door.gate().now() else {
            return Step::Done(self.over(None, EventKind::ClockUnavailable));
        };
        match self.authenticator.recheck(&self.authenticated, now) {
            Step::Done(answer) => self.and_authorized(now, self.standing(now, &answer)),
            Step::Wait(future) => {
                let lease = self.clone();
                Step::wait(async move {
                    let answer = future.await;
                    let standing = lease.standing(now, &answer);
                    lease.and_authorized(now, standing).await
                })
            }
        }
    }

    /// A role that the route demands may be taken back, and the policy may be another one.
    fn and_authorized(&self, now: Timestamp, standing: Standing) -> Step<Standing> {
        if matches!(standing, Standing::Over) {
            return Step::Done(standing);
        }
        let principal = self.authenticated.principal();
        let lease = self.clone();
        self.door
            .still_authorized(principal, now)
            .map(move |is_authorized| {
                if is_authorized {
                    standing
                } else {
                    lease.end(Some(now), EventKind::StreamEnded, UNAUTHORIZED)
                }
            })
    }

    fn standing(&self, now: Timestamp, answer: &Result<(), Denial>) -> Standing {
        if answer.is_err() {
            return self.over(Some(now), EventKind::StreamEnded);
        }
        // The rules of the caller's organisation may be others by now.
        let rules = self.door.gate().organisations();
        if rules.check(&self.authenticated).is_err() {
            return self.over(Some(now), EventKind::StreamEnded);
        }
        let principal = self.authenticated.principal();
        // And the login may be longer ago than the route permits.
        let requirement = self.door.policy().authentication();
        let is_met = requirement.is_none_or(|requirement| {
            let login = &principal.authentication;
            requirement.check(login, || Some(now)).is_ok()
        });
        if !is_met {
            return self.over(Some(now), EventKind::StreamEnded);
        }
        let again_in = match principal.authentication.expires_at {
            None => LONGEST_PAUSE,
            Some(end) if now < end => end
                .saturating_since(now)
                .clamp(SHORTEST_PAUSE, LONGEST_PAUSE),
            Some(_) => SKEW_PAUSE,
        };
        Standing::Good { again_in }
    }

    fn over(&self, at: Option<Timestamp>, kind: EventKind) -> Standing {
        let cause = match at {
            Some(_) => "the credential no longer holds, and the answer was still going on",
            None => "the wall clock cannot tell the time, and an answer was still going on",
        };
        self.end(at, kind, cause)
    }

    fn end(&self, at: Option<Timestamp>, kind: EventKind, cause: &'static str) -> Standing {
        let principal = self.authenticated.principal();
        let about = Some(self.door.policy().name());
        self.door
            .gate()
            .emit(kind, cause, at, None, Some(principal), about);
        Standing::Over
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("door", &self.door)
            .field("authenticated", &self.authenticated)
            .finish_non_exhaustive()
    }
}
