//! What a route demands of the authorization policy.

use std::sync::Arc;

use ringwall_authz::{DirectoryError, KnownSubject, Policy, Question, Subject};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::step::Step;

use super::Authorization;
use super::access::Standpoint;
use crate::admitted::Attempt;
use crate::arrival::Arrival;
use crate::authenticator::{Authenticated, Authenticator};
use crate::door::{Door, Entry};
use crate::refusal::Refusal;

const ROLE: &str = "the caller has no role of the rank that the route demands";
const LIMITED_ROLE: &str =
    "the route demands a role, and the caller's credential is limited to scopes, which name none";
const PERMISSION: &str = "the authorization policy does not permit the route to the caller";
const LIMITED_PERMISSION: &str = "the authorization policy does not permit the route to the caller, whose credential is limited to scopes";
const OBLIGATION: &str = "the authorization policy permits the route to the caller under an obligation, which a route does not meet";

/// What the caller hears, and what the operator hears: why, and in the words of the policy.
type Shortcoming = (Denial, &'static str, Arc<str>);

impl Door {
    /// Asks what is known of the caller, and then the policy: the one of now, by which the whole request is decided.
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
        let policy = authorization.policy.load();
        match authorization.resolve(&policy, principal, now) {
            Step::Done(known) => {
                let caller = (authenticated, authenticator);
                self.authorized(arrival, caller, (policy, now), known)
            }
            Step::Wait(future) => {
                let door = self.clone();
                let arrival = arrival.held();
                Step::wait(async move {
                    let known = future.await;
                    let caller = (authenticated, authenticator);
                    let step = door.authorized(&arrival.lend(), caller, (policy, now), known);
                    step.await
                })
            }
        }
    }

    fn authorized(
        &self,
        arrival: &Arrival<'_>,
        (authenticated, authenticator): (Authenticated, Arc<dyn Authenticator>),
        (policy, now): (Policy, Timestamp),
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
        let subject = known.for_policy(&policy);
        if let Some((denial, cause, decision)) =
            self.demanded(authorization, &policy, &known, &subject, now)
        {
            let refusal = match self.askable().why_not(&policy, &self.policy().demand) {
                None => Refusal::unauthorized(denial, cause),
                Some(why) => Refusal::unaskable(why),
            };
            return self.refuse_decided(arrival, Some(principal), refusal, Some(decision));
        }
        let standpoint = Arc::new(Standpoint::new(policy, known, subject, now));
        let attempt = Attempt::Verified(authenticated, authenticator, Some(standpoint));
        self.store(arrival, attempt)
    }

    /// Whether the caller of an answer that goes on still meets what the route demands: of the policy of now, whichever
    /// let it in. Nobody who can tell is nobody who says yes.
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
        let policy = authorization.policy.load();
        let known = authorization.resolve(&policy, principal, now);
        known.map(move |known| {
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
    ) -> Option<Shortcoming> {
        let by = policy.hash();
        let forbidden = |cause, said: String| {
            let denial = Denial::Forbidden { challenge: None };
            Some((denial, cause, format!("{said} by policy {by}").into()))
        };
        let demand = &self.policy().demand;
        if let Some(role) = &demand.role
            && !subject.has_rank_of(role)
        {
            let cause = if subject.is_limited() {
                LIMITED_ROLE
            } else {
                ROLE
            };
            return forbidden(cause, format!("role {role}: forbid"));
        }
        let (resource, action) = demand.permission.as_ref()?;
        let refused = if subject.is_limited() {
            LIMITED_PERMISSION
        } else {
            PERMISSION
        };
        let question = |policy: &Policy, subject: Subject| {
            let mut asked = policy.resource(resource)?.without_row();
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
            // The policy that was put into force meanwhile does not know it, which the caller is not told.
            return forbidden(refused, format!("{resource}.{action}: unknown"));
        };
        let decision = policy.decide(&asked.subject, action, &asked.resource, &asked.context);
        authorization.policy.compare(&decision, action, |policy| {
            question(policy, known.for_policy(policy))
        });
        if decision.is_permit() && !decision.obligations().is_empty() {
            // Nobody at the door meets it, and the handler does not learn of it.
            return forbidden(OBLIGATION, format!("{resource}.{action}: {decision}"));
        }
        decision.denial().map(|denial| {
            let denial = match denial {
                // The caller's own tenant is no other's.
                Denial::NotFound => Denial::Forbidden { challenge: None },
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
            };
            let said = format!("{resource}.{action}: {decision} by policy {by}");
            (denial, refused, said.into())
        })
    }
}
