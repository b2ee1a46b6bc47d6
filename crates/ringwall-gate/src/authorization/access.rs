//! What handlers ask of the authorization policy.

use core::time::Duration;
use std::sync::Arc;

use ringwall_authz::{
    Action, Context, Decision, Duties, KnownSubject, Permit, Policy, Question, Refused,
    RelatedValue, Resource, RowsPermit, Subject, ToResource, UnknownResourceType,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;

use super::Authorization;
use crate::admitted::Admitted;
use crate::gate::RETRY_AFTER;
use crate::lease::LONGEST_PAUSE;

const SUBJECTS: &str = "what is known of the caller could not be asked for";
const NO_POLICY: &str =
    "a handler asks what its caller may do, and the gate has no authorization policy";
const UNKNOWN_TYPE: &str = "the authorization policy has no such type of resource";
const REFUSED: &str = "the authorization policy does not permit it";
const FILTER: &str = "the rows that the authorization policy permits cannot be asked of a database";

/// What is known of a caller, in the words of which policy, and since when.
#[derive(Debug)]
pub(crate) struct Standpoint {
    policy: Policy,
    known: KnownSubject,
    subject: Subject,
    at: Timestamp,
}

/// How long what was asked at the door serves the handler too: for the row that it reads, and not for a stream.
const FRESH: Duration = Duration::from_secs(2);

impl Standpoint {
    pub(crate) const fn new(
        policy: Policy,
        known: KnownSubject,
        subject: Subject,
        at: Timestamp,
    ) -> Self {
        Self {
            policy,
            known,
            subject,
            at,
        }
    }

    fn of(policy: Policy, known: KnownSubject, at: Timestamp) -> Self {
        let subject = known.for_policy(&policy);
        Self::new(policy, known, subject, at)
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }
}

fn is_within(span: Duration, since: Timestamp, now: Timestamp) -> bool {
    now >= since && now.saturating_since(since) <= span
}

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
    // One policy for one request, from the door on; an answer that goes on follows the one in force, as its lease does.
    let began = admitted.at();
    let policy = match (admitted.authorization_policy(), began) {
        (Some(policy), Some(began)) if is_within(LONGEST_PAUSE, began, now) => policy.clone(),
        (Some(_) | None, _) => authorization.policy.load(),
    };
    if let Some(standpoint) = admitted.standpoint()
        && is_within(FRESH, standpoint.at, now)
    {
        let standpoint = Arc::clone(standpoint);
        let access = SubjectAccess::new(admitted, authorization, standpoint, now);
        return Step::Done(Ok(access));
    }
    let (admitted, authorization) = (admitted.clone(), authorization.clone());
    let known = authorization.resolve(&policy, principal, now);
    known.map(move |known| match known {
        Ok(known) => {
            let standpoint = Arc::new(Standpoint::of(policy, known, now));
            let access = SubjectAccess::new(&admitted, &authorization, standpoint, now);
            Ok(access)
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
/// It holds one policy, that of the door, so that all that one request asks is decided by the same, whatever is put into
/// force meanwhile. For an answer that goes on, ask [`Admitted::subject`] again: once a request is older than
/// [`LONGEST_PAUSE`], that answers by the policy then in force.
#[derive(Clone, Debug)]
pub struct SubjectAccess {
    admitted: Admitted,
    authorization: Authorization,
    standpoint: Arc<Standpoint>,
    now: Timestamp,
}

impl SubjectAccess {
    fn new(
        admitted: &Admitted,
        authorization: &Authorization,
        standpoint: Arc<Standpoint>,
        now: Timestamp,
    ) -> Self {
        Self {
            admitted: admitted.clone(),
            authorization: authorization.clone(),
            standpoint,
            now,
        }
    }

    /// The subject in the words of the policy.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.standpoint.subject
    }

    /// The policy that decides for this request.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.standpoint.policy
    }

    /// The circumstances: the time, to which a handler adds what it knows.
    #[must_use]
    pub fn context<'a>(&self) -> Context<'a> {
        self.policy().context(self.now)
    }

    /// The same caller, of whom the handler found out whether it stands in `relation` to `value`: whether the case that
    /// it read is assigned to it. For relations with more values than a
    /// [`SubjectResolver`](ringwall_authz::SubjectResolver) tells with each request.
    #[must_use]
    pub fn is_related(
        &self,
        relation: &str,
        value: impl Into<RelatedValue>,
        is_related: bool,
    ) -> Self {
        let Standpoint {
            policy, known, at, ..
        } = &*self.standpoint;
        let known = known.clone().is_related(relation, value, is_related);
        Self {
            standpoint: Arc::new(Standpoint::of(policy.clone(), known, *at)),
            ..self.clone()
        }
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
        let Self { authorization, .. } = self;
        if authorization.policy.has_candidate() {
            let policy = self.policy();
            let decision = policy.decide(self.subject(), A::NAME, &resource, context);
            authorization.policy.compare(&decision, A::NAME, |policy| {
                Ok(Question {
                    subject: self.standpoint.known.for_policy(policy),
                    resource: row.to_resource(policy)?,
                    context: context.for_policy(policy),
                })
            });
        }
        self.policy()
            .authorize::<A>(self.subject(), &resource, context, duties)
            .map_err(|refused| self.refused::<A>(&refused))
    }

    /// The rows that the caller may do `A` to, as a proof. A [candidate](ringwall_authz::PolicyHandle::shadow) is not
    /// asked: which rows two filters differ in, no process knows.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer; it is reported.
    pub fn authorize_rows<A: Action>(&self, duties: &Duties) -> Result<RowsPermit<A>, Denial> {
        self.authorize_rows_in::<A>(&self.context(), duties)
    }

    /// As [`authorize_rows`](Self::authorize_rows), under circumstances of which the handler knows more.
    ///
    /// # Errors
    ///
    /// The [`Denial`] to answer; it is reported.
    pub fn authorize_rows_in<A: Action>(
        &self,
        context: &Context<'_>,
        duties: &Duties,
    ) -> Result<RowsPermit<A>, Denial> {
        self.policy()
            .authorize_rows::<A>(self.subject(), context, duties)
            .map_err(|refused| self.refused::<A>(&refused))
    }

    /// What the policy decides, without a proof and unreported: for buttons that are shown or not. A
    /// [candidate](ringwall_authz::PolicyHandle::shadow) is not asked.
    ///
    /// # Errors
    ///
    /// The [`Denial`] when the policy has no such type of resource.
    pub fn decide(&self, action: &str, row: &impl ToResource) -> Result<Decision, Denial> {
        let resource = self.resource(row)?;
        let context = self.context();
        Ok(self
            .policy()
            .decide(self.subject(), action, &resource, &context))
    }

    fn resource<'a>(&self, row: &'a impl ToResource) -> Result<Resource<'a>, Denial> {
        row.to_resource(self.policy())
            .map_err(|UnknownResourceType| {
                self.admitted.report(EventKind::Misconfigured, UNKNOWN_TYPE);
                unavailable()
            })
    }

    fn refused<A: Action>(&self, refused: &Refused) -> Denial {
        let (kind, cause) = match refused {
            Refused::Filter(_) => (EventKind::Misconfigured, FILTER),
            Refused::Forbidden(_) | Refused::ObligationNotMet(_) | Refused::OtherResource | _ => {
                (EventKind::AccessDenied, REFUSED)
            }
        };
        let (resource, action) = (A::RESOURCE, A::NAME);
        let by = self.policy().hash();
        let decision = format!("{resource}.{action}: {refused} by policy {by}");
        self.admitted
            .report_decided(kind, cause, Some(decision.into()));
        refused.denial()
    }
}
