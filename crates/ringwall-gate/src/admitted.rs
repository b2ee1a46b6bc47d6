//! The proof that a request came through a door.

use core::net::IpAddr;
use std::sync::Arc;

use ringwall_authz::Policy;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, SecurityEvent};
use ringwall_core::principal::{Scope, VerifiedPrincipal};
use ringwall_core::step::Step;
use ringwall_rate_limit::Tally;

use crate::answer_fields::AnswerFields;
use crate::authenticator::{Authenticated, Authenticator};
use crate::authorization::{self, Standpoint, SubjectAccess};
use crate::door::Door;
use crate::field_names::FieldNames;
use crate::lease::Lease;
use crate::limits::LimitFields;
use crate::policy::Access;
use crate::renewal::NonceRenewal;

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
    origin: ClientOrigin,
    tally: Tally,
    /// The authorization policy by which the request is decided, of the moment of the door.
    authorization_policy: Option<Policy>,
}

#[derive(Clone, Debug)]
pub(crate) enum Attempt {
    NotAsked,
    Anonymous,
    /// With what is known of the caller, where the route asked for it.
    Verified(
        Authenticated,
        Arc<dyn Authenticator>,
        Option<Arc<Standpoint>>,
    ),
}

/// From where a request came, as far as the connection and trusted proxies say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientOrigin {
    pub(crate) address: Option<IpAddr>,
    pub(crate) is_https: Option<bool>,
    pub(crate) via_proxy: bool,
}

impl Attempt {
    pub(crate) fn principal(&self) -> Option<&VerifiedPrincipal> {
        match self {
            Self::NotAsked | Self::Anonymous => None,
            Self::Verified(authenticated, ..) => Some(authenticated.principal()),
        }
    }
}

impl Admitted {
    pub(crate) fn new(
        door: Door,
        attempt: Attempt,
        at: Option<Timestamp>,
        origin: ClientOrigin,
        tally: Tally,
    ) -> Self {
        let authorization = door.gate().authorization();
        let authorization_policy = match &attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(.., Some(standpoint)) => Some(standpoint.policy().clone()),
            Attempt::Verified(.., None) => authorization.map(|own| own.policy().load()),
        };
        Self {
            authorization_policy,
            door,
            attempt,
            at,
            origin,
            tally,
        }
    }

    /// Who came through.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        match &self.attempt {
            Attempt::NotAsked => Caller::NotAsked,
            Attempt::Anonymous => Caller::Anonymous,
            Attempt::Verified(authenticated, ..) => Caller::Verified(authenticated.principal()),
        }
    }

    /// The authenticated caller, if there is one. [`caller`](Self::caller) tells the two ways in
    /// which there is none apart.
    #[must_use]
    pub fn principal(&self) -> Option<&VerifiedPrincipal> {
        self.attempt.principal()
    }

    /// Whether the caller holds `scope`: because the credential names it, or because a role of the caller
    /// grants it at this gate ([`RoleScopes`](crate::RoleScopes)). `false` when nobody was authenticated.
    #[must_use]
    pub fn has_scope(&self, scope: &Scope) -> bool {
        self.principal()
            .is_some_and(|principal| self.door.gate().holds(principal, scope))
    }

    /// The caller with all that the credential said, if there is one.
    #[must_use]
    pub const fn authenticated(&self) -> Option<&Authenticated> {
        match &self.attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(authenticated, ..) => Some(authenticated),
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

    /// The caller's address: the socket peer's, or the one that trusted proxies vouch for. `None` when
    /// it cannot be known, which denies wherever an address is needed.
    #[must_use]
    pub const fn client_address(&self) -> Option<IpAddr> {
        self.origin.address
    }

    /// The scheme that the caller used towards this process or towards the trusted proxy that it
    /// reached: `https` or `http`. `None` when nobody knows.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static str> {
        match self.origin.is_https {
            Some(true) => Some("https"),
            Some(false) => Some("http"),
            None => None,
        }
    }

    /// Whether a trusted proxy handed the request on.
    #[must_use]
    pub const fn is_via_proxy(&self) -> bool {
        self.origin.via_proxy
    }

    /// The header fields, in lower case, that the adapter takes out of the request before the handler
    /// sees it: what only a trusted proxy may set, of a request that came from elsewhere; and of one that
    /// came through a trusted proxy, the forwarding fields that it does not set itself. See
    /// [`is_stripped`](Self::is_stripped), which knows the other spellings too.
    #[must_use]
    pub fn stripped(&self) -> &[Box<str>] {
        self.stripped_names().names()
    }

    fn stripped_names(&self) -> &FieldNames {
        let gate = self.door.gate();
        if self.origin.via_proxy {
            gate.unbelieved_headers()
        } else {
            gate.proxy_headers()
        }
    }

    /// Whether the header field `name` is one of [`stripped`](Self::stripped), in any case of letters
    /// and with `_` for `-`.
    #[must_use]
    pub fn is_stripped(&self, name: &str) -> bool {
        self.stripped_names().contains(name)
    }

    /// Until when an answer that goes on may go on. `None` when nobody was authenticated: there is no
    /// credential that could end.
    #[must_use]
    pub fn lease(&self) -> Option<Lease> {
        match &self.attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(authenticated, authenticator, _) => Some(Lease::new(
                self.door.clone(),
                authenticated.clone(),
                Arc::clone(authenticator),
            )),
        }
    }

    /// What tells the caller the nonce of its next DPoP proof, together with the answer. `None` for callers
    /// who showed no proof. Adapters keep it while the handler runs, for what it tells is of the time of
    /// the answer.
    #[must_use]
    pub fn nonce_renewal(&self) -> Option<NonceRenewal> {
        match &self.attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(authenticated, authenticator, _) => {
                NonceRenewal::new(&self.door, authenticated, authenticator)
            }
        }
    }

    /// What tells the caller with the answer what is left of its limits. `None` when nothing is limited, and when
    /// only refusals tell it ([`RateLimits::tell_refused_alone`](crate::RateLimits::tell_refused_alone)).
    #[must_use]
    pub fn limit_fields(&self) -> Option<LimitFields> {
        LimitFields::new(&self.door, &self.tally)
    }

    /// All that the gate tells the caller with the answer; `None` when that is nothing. For adapters, which keep
    /// it while the handler runs.
    #[must_use]
    pub fn answer_fields(&self) -> Option<AnswerFields> {
        AnswerFields::new(self.nonce_renewal(), self.limit_fields())
    }

    /// What is known of the caller, to ask the gate's authorization policy with. It is asked for each time,
    /// unless the route demanded a role or a permission a moment ago: then it is there.
    ///
    /// A request is decided by the policy that was in force when it came through the door, also when another one is put
    /// into force meanwhile. One that goes on for longer than [`LONGEST_PAUSE`](crate::LONGEST_PAUSE) is decided by the
    /// policy in force, as its [lease](Self::lease) is.
    ///
    /// # Errors
    ///
    /// A [`Denial`] when nobody was authenticated, when the directory of subjects does not answer, and when the gate has
    /// no authorization policy, which is reported as the mistake that it is.
    pub fn subject(&self) -> Step<Result<SubjectAccess, Denial>> {
        authorization::subject(self)
    }

    pub(crate) fn standpoint(&self) -> Option<&Arc<Standpoint>> {
        match &self.attempt {
            Attempt::NotAsked | Attempt::Anonymous => None,
            Attempt::Verified(_, _, standpoint) => standpoint.as_ref(),
        }
    }

    pub(crate) const fn authorization_policy(&self) -> Option<&Policy> {
        self.authorization_policy.as_ref()
    }

    pub(crate) const fn origin(&self) -> ClientOrigin {
        self.origin
    }

    /// The door it came through.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Emits an event about this request: for what an adapter or a handler refuses after the door.
    pub fn report(&self, kind: EventKind, cause: &'static str) {
        self.report_decided(kind, cause, None);
    }

    /// With what the authorization policy decided.
    pub(crate) fn report_decided(
        &self,
        kind: EventKind,
        cause: &'static str,
        decision: Option<Arc<str>>,
    ) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.at;
        event.source = self.origin.address;
        event.principal = self.principal().cloned();
        event.about = Some(Arc::clone(self.route()));
        event.decision = decision;
        self.door.gate().emit_event(event);
    }
}
