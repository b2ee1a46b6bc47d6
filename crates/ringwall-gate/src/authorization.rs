//! The authorization policy of a gate, and what handlers ask it.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_authz::{
    Action, Context, Decision, DirectoryError, Duties, KnownSubject, Permit, Policy, PolicyFaults,
    PolicyHandle, PolicyHash, PolicyObserver, Question, Refused, Resource, RowsPermit, Subject,
    SubjectResolver, ToResource, UnknownResourceType,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::step::Step;

use crate::admitted::{Admitted, Attempt};
use crate::arrival::Arrival;
use crate::authenticator::{Authenticated, Authenticator};
use crate::door::{Door, Entry};
use crate::error::Error;
use crate::gate::RETRY_AFTER;
use crate::policy::RoutePolicy;
use crate::refusal::Refusal;

const SUBJECTS: &str = "what is known of the caller could not be asked for";
const NO_POLICY: &str =
    "a handler asks what its caller may do, and the gate has no authorization policy";
const UNKNOWN_TYPE: &str = "the authorization policy has no such type of resource";
const REFUSED: &str = "the authorization policy does not permit it";
const FILTER: &str = "the rows that the authorization policy permits cannot be asked of a database";

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

    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        now: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        self.subjects.resolve(principal, now)
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

/// Whether what a route demands can be asked of the policy of today. One that is put into force later may not know it
/// any more: then the route refuses.
pub(crate) fn check(
    authorization: Option<&Authorization>,
    policy: &RoutePolicy,
) -> Result<(), Error> {
    let demand = &policy.demand;
    if demand.is_none() {
        return Ok(());
    }
    let document = authorization.ok_or(Error::NoAuthorization)?.policy.load();
    let document = document.document();
    let has_rank = demand.role.as_ref().is_none_or(|role| {
        let role = document.roles.get(&**role);
        role.is_some_and(|role| role.rank.is_some())
    });
    let has_action = demand.permission.as_ref().is_none_or(|(resource, action)| {
        let resource = document.resources.get(&**resource);
        resource.is_some_and(|resource| resource.actions.iter().any(|own| **own == **action))
    });
    if has_rank && has_action {
        Ok(())
    } else {
        Err(Error::UnknownDemand)
    }
}

impl Door {
    /// Asks what is known of the caller, and then the policy.
    pub(crate) fn authorize(
        &self,
        arrival: &Arrival<'_>,
        authenticated: Authenticated,
        authenticator: Arc<dyn Authenticator>,
    ) -> Step<Entry> {
        let principal = authenticated.principal();
        let (Some(authorization), Some(now)) = (self.gate().authorization(), self.gate().now())
        else {
            return self.refuse(arrival, Some(principal), Refusal::clock());
        };
        match authorization.resolve(principal, now) {
            Step::Done(known) => {
                self.authorized(arrival, (authenticated, authenticator), now, known)
            }
            Step::Wait(future) => {
                let door = self.clone();
                let arrival = arrival.held();
                Step::wait(async move {
                    let known = future.await;
                    let arrived = arrival.lend();
                    let step =
                        door.authorized(&arrived, (authenticated, authenticator), now, known);
                    step.await
                })
            }
        }
    }

    fn authorized(
        &self,
        arrival: &Arrival<'_>,
        (authenticated, authenticator): (Authenticated, Arc<dyn Authenticator>),
        now: Timestamp,
        known: Result<KnownSubject, DirectoryError>,
    ) -> Step<Entry> {
        let principal = authenticated.principal();
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                let refusal = Refusal::subjects(error.denial());
                return self.refuse(arrival, Some(principal), refusal);
            }
        };
        let Some(authorization) = self.gate().authorization() else {
            return self.refuse(arrival, Some(principal), Refusal::clock());
        };
        let policy = authorization.policy.load();
        let subject = known.for_policy(&policy);
        if let Some(denial) = self.demanded(authorization, &policy, &known, &subject, now) {
            let refusal = Refusal::unauthorized(denial);
            return self.refuse(arrival, Some(principal), refusal);
        }
        let known = Arc::new(Fresh { known, at: now });
        let attempt = Attempt::Verified(authenticated, authenticator, Some(known));
        self.store(arrival, attempt)
    }

    /// Whether the caller of an answer that goes on still meets what the route demands. Nobody who can tell is nobody
    /// who says yes.
    pub(crate) fn still_authorized(
        &self,
        principal: &VerifiedPrincipal,
        now: Timestamp,
    ) -> Step<bool> {
        if self.policy().demand.is_none() {
            return Step::Done(true);
        }
        let Some(authorization) = self.gate().authorization() else {
            return Step::Done(false);
        };
        let (door, asked) = (self.clone(), authorization.clone());
        authorization.resolve(principal, now).map(move |known| {
            let policy = asked.policy.load();
            known.is_ok_and(|known| {
                let subject = known.for_policy(&policy);
                door.demanded(&asked, &policy, &known, &subject, now)
                    .is_none()
            })
        })
    }

    /// The denial, when the caller does not meet what the route demands of the policy.
    fn demanded(
        &self,
        authorization: &Authorization,
        policy: &Policy,
        known: &KnownSubject,
        subject: &Subject,
        now: Timestamp,
    ) -> Option<Denial> {
        let forbidden = || Denial::Forbidden { challenge: None };
        let demand = &self.policy().demand;
        if let Some(role) = &demand.role
            && !subject.has_rank_of(role)
        {
            return Some(forbidden());
        }
        let (resource, action) = demand.permission.as_ref()?;
        let question = |policy: &Policy, subject: Subject| {
            let mut asked = policy.resource(resource)?;
            if let Some(tenant) = known.principal().tenant.as_ref() {
                asked = asked.org(tenant.org.as_str());
                if let Some(project) = &tenant.project {
                    asked = asked.project(project.as_str());
                }
            }
            Ok(Question {
                subject,
                resource: asked,
                context: policy.context(now),
            })
        };
        let Ok(asked) = question(policy, subject.clone()) else {
            // The policy that was put into force meanwhile does not know it.
            return Some(forbidden());
        };
        let decision = policy.decide(&asked.subject, action, &asked.resource, &asked.context);
        authorization.policy.compare(&decision, action, |policy| {
            question(policy, known.for_policy(policy))
        });
        if decision.is_permit() && !decision.obligations().is_empty() {
            // Nobody at the door meets it, and the handler does not learn of it.
            return Some(forbidden());
        }
        decision.denial().map(|denial| match denial {
            // The caller's own tenant is no other's.
            Denial::NotFound => forbidden(),
            other @ (Denial::Malformed { .. }
            | Denial::Unauthenticated { .. }
            | Denial::Forbidden { .. }
            | Denial::MethodNotAllowed { .. }
            | Denial::ApprovalRequired { .. }
            | Denial::Conflict
            | Denial::Gone
            | Denial::PreconditionFailed
            | Denial::PayloadTooLarge { .. }
            | Denial::PlainHttp { .. }
            | Denial::RateLimited { .. }
            | Denial::Unavailable { .. }) => other,
        })
    }
}

/// What is known of a caller, and since when.
#[derive(Debug)]
pub(crate) struct Fresh {
    known: KnownSubject,
    at: Timestamp,
}

/// How long what the door asked serves the handler too: for the row that it reads, and not for a stream.
const FRESH: Duration = Duration::from_secs(2);

/// What is known of the caller of a request, to ask the authorization policy with.
pub(crate) fn subject(admitted: &Admitted) -> Step<Result<SubjectAccess, Denial>> {
    let gate = admitted.door().gate();
    let Some(authorization) = gate.authorization() else {
        admitted.report(EventKind::Misconfigured, NO_POLICY);
        return Step::Done(Err(unavailable()));
    };
    let Some(principal) = admitted.principal() else {
        admitted.report(
            EventKind::CredentialsMissing,
            "the handler needs to know who is calling",
        );
        let challenge = Box::new(gate.challenge());
        return Step::Done(Err(Denial::Unauthenticated { challenge }));
    };
    // The time of the question, not that of the arrival: a stream goes on for hours.
    let Some(now) = gate.now() else {
        admitted.report(
            EventKind::ClockUnavailable,
            "the wall clock cannot tell the time",
        );
        return Step::Done(Err(unavailable()));
    };
    if let Some(fresh) = admitted.known_subject()
        && now >= fresh.at
        && now.saturating_since(fresh.at) <= FRESH
    {
        let known = Arc::new(fresh.known.clone());
        return Step::Done(Ok(SubjectAccess::new(admitted, authorization, &known, now)));
    }
    let (admitted, authorization) = (admitted.clone(), authorization.clone());
    authorization
        .resolve(principal, now)
        .map(move |known| match known {
            Ok(known) => {
                let known = Arc::new(known);
                Ok(SubjectAccess::new(&admitted, &authorization, &known, now))
            }
            Err(error) => {
                admitted.report(EventKind::SubjectsUnavailable, SUBJECTS);
                Err(error.denial())
            }
        })
}

const fn unavailable() -> Denial {
    Denial::Unavailable {
        retry_after: RETRY_AFTER,
    }
}

/// The caller of a request before the authorization policy: asks it, and reports what it refuses.
///
/// It holds one policy, so that all that one request asks is decided by the same. For an answer that goes on, ask
/// [`Admitted::subject`] again.
#[derive(Clone, Debug)]
pub struct SubjectAccess {
    admitted: Admitted,
    authorization: Authorization,
    known: Arc<KnownSubject>,
    policy: Policy,
    subject: Subject,
    now: Timestamp,
}

impl SubjectAccess {
    fn new(
        admitted: &Admitted,
        authorization: &Authorization,
        known: &Arc<KnownSubject>,
        now: Timestamp,
    ) -> Self {
        let policy = authorization.policy.load();
        Self {
            admitted: admitted.clone(),
            authorization: authorization.clone(),
            known: Arc::clone(known),
            subject: known.for_policy(&policy),
            policy,
            now,
        }
    }

    /// The subject in the words of the policy.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The policy that decides for this request.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The circumstances: the time, to which a handler adds what it knows.
    #[must_use]
    pub fn context<'a>(&self) -> Context<'a> {
        self.policy.context(self.now)
    }

    /// Decides whether the caller may do `A` to this row, and gives the proof.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer; it is reported.
    pub fn authorize<A: Action>(
        &self,
        row: &impl ToResource,
        duties: &Duties,
    ) -> Result<Permit<A>, Denial> {
        self.authorize_in::<A>(row, &self.context(), duties)
    }

    /// As [`authorize`](Self::authorize), under circumstances of which the handler knows more.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer; it is reported.
    pub fn authorize_in<A: Action>(
        &self,
        row: &impl ToResource,
        context: &Context<'_>,
        duties: &Duties,
    ) -> Result<Permit<A>, Denial> {
        let resource = self.resource(row)?;
        if self.authorization.policy.has_candidate() {
            let decision = self
                .policy
                .decide(&self.subject, A::NAME, &resource, context);
            self.authorization
                .policy
                .compare(&decision, A::NAME, |policy| {
                    Ok(Question {
                        subject: self.known.for_policy(policy),
                        resource: row.to_resource(policy)?,
                        context: policy.context(self.now),
                    })
                });
        }
        self.policy
            .authorize::<A>(&self.subject, &resource, context, duties)
            .map_err(|refused| self.refused(&refused))
    }

    /// The rows that the caller may do `A` to, as a proof.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer; it is reported.
    pub fn authorize_rows<A: Action>(&self, duties: &Duties) -> Result<RowsPermit<A>, Denial> {
        self.policy
            .authorize_rows::<A>(&self.subject, &self.context(), duties)
            .map_err(|refused| self.refused(&refused))
    }

    /// What the policy decides, without a proof and unreported: for buttons that are shown or not.
    ///
    /// # Errors
    ///
    /// The [`Denial`] when the policy has no such type of resource.
    pub fn decide(&self, action: &str, row: &impl ToResource) -> Result<Decision, Denial> {
        let resource = self.resource(row)?;
        Ok(self
            .policy
            .decide(&self.subject, action, &resource, &self.context()))
    }

    fn resource<'a>(&self, row: &'a impl ToResource) -> Result<Resource<'a>, Denial> {
        row.to_resource(&self.policy)
            .map_err(|UnknownResourceType| {
                self.admitted.report(EventKind::Misconfigured, UNKNOWN_TYPE);
                unavailable()
            })
    }

    fn refused(&self, refused: &Refused) -> Denial {
        let (kind, cause) = match refused {
            Refused::Filter(_) => (EventKind::Misconfigured, FILTER),
            Refused::Forbidden(_) | Refused::ObligationNotMet(_) | Refused::OtherResource | _ => {
                (EventKind::AccessDenied, REFUSED)
            }
        };
        self.admitted.report(kind, cause);
        refused.denial()
    }
}

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
