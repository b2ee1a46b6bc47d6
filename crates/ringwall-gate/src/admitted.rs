//! The proof that a request came through a door.

use core::net::IpAddr;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::event::EventKind;
use ringwall_core::principal::VerifiedPrincipal;

use crate::authenticator::Authenticated;
use crate::door::Door;
use crate::policy::Access;

/// Who came through a door.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// The route is public: credentials were not looked at, so nothing is known about the caller.
    /// A handler that wants to know has the wrong policy.
    NotAsked,
    /// The route asks, and no credential was presented. (A wrong one would have been refused.)
    Anonymous,
    /// The caller was authenticated.
    Verified(&'a VerifiedPrincipal),
}

/// The proof that a request came through a door: it is only made by [`Door::enter`].
///
/// Adapters put it among the request's extensions, where it replaces any that stood there before.
/// Cloning shares what it holds.
#[derive(Clone, Debug)]
pub struct Admitted {
    door: Door,
    attempt: Attempt,
    at: Option<Timestamp>,
    source: Option<IpAddr>,
}

#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    NotAsked,
    Anonymous,
    Verified(Authenticated),
}

impl Attempt {
    pub(crate) fn principal(&self) -> Option<&VerifiedPrincipal> {
        match self {
            Self::NotAsked | Self::Anonymous => None,
            Self::Verified(authenticated) => Some(authenticated.principal()),
        }
    }
}

impl Admitted {
    pub(crate) const fn new(
        door: Door,
        attempt: Attempt,
        at: Option<Timestamp>,
        source: Option<IpAddr>,
    ) -> Self {
        Self {
            door,
            attempt,
            at,
            source,
        }
    }

    /// Who came through.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        match &self.attempt {
            Attempt::NotAsked => Caller::NotAsked,
            Attempt::Anonymous => Caller::Anonymous,
            Attempt::Verified(authenticated) => Caller::Verified(authenticated.principal()),
        }
    }

    /// The authenticated caller, if there is one. [`caller`](Self::caller) tells the two ways in
    /// which there is none apart.
    #[must_use]
    pub fn principal(&self) -> Option<&VerifiedPrincipal> {
        self.attempt.principal()
    }

    /// The caller with all that the credential said, if there is one.
    #[must_use]
    pub const fn authenticated(&self) -> Option<&Authenticated> {
        match &self.attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(authenticated) => Some(authenticated),
        }
    }

    /// The name under which the route is recorded, such as `GET /api/cases/{id}`.
    #[must_use]
    pub fn route(&self) -> &Arc<str> {
        self.door.policy().name()
    }

    /// What the route demands.
    #[must_use]
    pub fn access(&self) -> &Access {
        self.door.policy().access()
    }

    /// When the request came through. `None` only on a public route while the clock is down.
    #[must_use]
    pub const fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// The door it came through.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Emits an event about this request: for what an adapter or a handler refuses after the door.
    pub fn report(&self, kind: EventKind, cause: &'static str) {
        let principal = self.principal();
        self.door.gate().emit(
            kind,
            cause,
            self.at,
            self.source,
            principal,
            Some(self.route()),
        );
    }
}
