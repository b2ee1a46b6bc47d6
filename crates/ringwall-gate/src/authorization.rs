//! The authorization policy of a gate.

use core::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ringwall_authz::{
    Decision, DirectoryError, KnownSubject, Policy, PolicyFaults, PolicyHandle, PolicyHash,
    PolicyObserver, SubjectResolver,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::step::Step;

use crate::error::Error;
use crate::policy::{RouteDemand, RoutePolicy};

mod access;
mod demanded;

pub use access::SubjectAccess;
pub(crate) use access::{Standpoint, subject};

/// The policy that decides what callers may do, and who tells what is known of them. Cloning shares it.
#[derive(Clone)]
pub struct Authorization {
    policy: PolicyHandle,
    subjects: Arc<dyn SubjectResolver>,
}

impl Authorization {
    /// Decides by `policy`, about what `subjects` tells.
    #[must_use]
    pub fn new(policy: PolicyHandle, subjects: Arc<dyn SubjectResolver>) -> Self {
        Self { policy, subjects }
    }

    /// The policy in force, to be replaced while the service runs.
    #[must_use]
    pub const fn policy(&self) -> &PolicyHandle {
        &self.policy
    }

    /// Asks what is known of the principal, under the one spelling of its ids that `policy` has.
    fn resolve(
        &self,
        policy: &Policy,
        principal: &VerifiedPrincipal,
        now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        match policy.canonical(principal) {
            None => self.subjects.resolve(principal, now),
            Some(canonical) => {
                // The same as was verified, spelled otherwise.
                let principal =
                    VerifiedPrincipal::attest(canonical, Attest::i_have_verified_this());
                self.subjects.resolve(&principal, now)
            }
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("policy", &self.policy.load().hash())
            .field("subjects", &self.subjects)
            .finish()
    }
}

/// Whether what a route demands can be asked of the policy of today.
pub(crate) fn check(
    authorization: Option<&Authorization>,
    policy: &RoutePolicy,
) -> Result<(), Error> {
    let demand = &policy.demand;
    if demand.is_none() {
        return Ok(());
    }
    let authorization = authorization.ok_or(Error::NoAuthorization)?;
    can_be_asked(&authorization.policy.load(), demand)
}

/// Whether what a route demands can be asked of this policy, and permitted to somebody.
fn can_be_asked(policy: &Policy, demand: &RouteDemand) -> Result<(), Error> {
    let document = policy.document();
    let has_rank = demand.role.as_ref().is_none_or(|role| {
        let role = document.roles.get(&**role);
        role.is_some_and(|role| role.rank.is_some())
    });
    let has_action = demand.permission.as_ref().is_none_or(|(resource, action)| {
        let resource = document.resources.get(&**resource);
        resource.is_some_and(|resource| resource.actions.iter().any(|own| **own == **action))
    });
    if !has_rank || !has_action {
        return Err(Error::UnknownDemand);
    }
    let can_permit = demand
        .permission
        .as_ref()
        .is_none_or(|(resource, action)| policy.can_permit_without_row(resource, action));
    if can_permit {
        Ok(())
    } else {
        Err(Error::DemandNeedsRow)
    }
}

/// What was found of the policy that was asked last: whether the demand of one route can be asked of it. A policy that was
/// put into force since the route was registered may no longer have what it demands. It costs as much as the rules that
/// are looked at, so it is found once for each policy, and only when somebody is refused.
#[derive(Debug, Default)]
pub(crate) struct Askable(Mutex<Option<(PolicyHash, Option<&'static str>)>>);

impl Askable {
    /// Why nobody could meet the demand under this policy. `None` when somebody could.
    fn why_not(&self, policy: &Policy, demand: &RouteDemand) -> Option<&'static str> {
        let hash = policy.hash();
        // Nothing is half done under it, whoever panicked.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((of, why)) if of == hash => why,
            Some(_) | None => {
                let why = match can_be_asked(policy, demand) {
                    Ok(()) => None,
                    Err(Error::DemandNeedsRow) => Some(NEEDS_ROW),
                    Err(_) => Some(UNKNOWN),
                };
                *last = Some((hash, why));
                why
            }
        }
    }
}

const UNKNOWN: &str = "the authorization policy in force has no such role with a rank, or no such type of resource or action, as the route demands";
const NEEDS_ROW: &str =
    "the authorization policy in force permits to nobody, without a row, what the route demands";

/// Tells what happens to an authorization policy as security events.
#[derive(Clone, Debug)]
pub struct PolicyEvents(Arc<dyn EventSink>);

impl PolicyEvents {
    /// Tells it to `events`.
    #[must_use]
    pub fn new(events: Arc<dyn EventSink>) -> Self {
        Self(events)
    }

    fn emit(&self, kind: EventKind, cause: &'static str, about: &impl fmt::Display) {
        let mut event = SecurityEvent::new(kind, cause);
        event.about = Some(about.to_string().into());
        self.0.emit(event);
    }
}

impl PolicyObserver for PolicyEvents {
    fn replaced(&self, _before: PolicyHash, now: PolicyHash) {
        let cause = "another authorization policy is in force";
        self.emit(EventKind::PolicyReplaced, cause, &now);
    }

    fn refused(&self, faults: &PolicyFaults) {
        let cause = "an authorization policy was refused, and the one before stays in force";
        let first = faults.faults().first();
        let about = first.map(ToString::to_string).unwrap_or_default();
        self.emit(EventKind::PolicyRefused, cause, &about);
    }

    fn differs(&self, live: &Decision, candidate: Option<&Decision>) {
        let cause = "the candidate policy decides otherwise than the one in force";
        let other = candidate.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        self.emit(
            EventKind::PolicyDiffers,
            cause,
            &format!("{live}; candidate: {other}"),
        );
    }
}
