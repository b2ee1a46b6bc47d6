//! The door of one route: where a request is decided about.

use core::fmt;
use std::sync::Arc;

use ringwall_core::audit::{AuditIntent, AuditOutcome, AuditSink, AuditTicket, AuditUnavailable};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, SecurityEvent};
use ringwall_core::principal::{
    AuthenticationMethod, ContextClass, Principal, Scope, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_rate_limit::{Decision, Tally, Tier};

use crate::admitted::{Admitted, Attempt, ClientOrigin};
use crate::arrival::{Arrival, Counted};
use crate::authenticator::{Authenticated, Authenticator, Presented};
use crate::authorization::{self, Askable};
use crate::choice::Choice;
use crate::exit::Exit;
use crate::form;
use crate::gate::{Gate, RETRY_AFTER};
use crate::limits;
use crate::policy::{Access, AuditScope, RoutePolicy};
use crate::refusal::Refusal;
use crate::renewal::NonceRenewal;
use crate::requirement::{AuthenticationRequirement, Shortfall};

/// What a door answers: the proof for the handler and the way out, or the refusal.
pub type Entry = Result<(Admitted, Exit), Denial>;

const SHUT: &str = "a route names a tier of limits, a role or a permission that cannot hold for it, so it is closed";

/// The door of one route: the gate and the route's policy. Cloning shares it.
#[derive(Clone)]
pub struct Door(Arc<Frame>);

struct Frame {
    gate: Gate,
    policy: RoutePolicy,
    /// The scopes as a challenge shows them, joined once.
    scopes: Box<str>,
    /// The context classes likewise.
    acr_values: Box<str>,
    /// The limits that its requests are held against.
    tier: Option<Tier>,
    /// Whether the policy cannot hold at this gate, so that nobody comes in.
    is_shut: bool,
    askable: Askable,
}

impl Door {
    pub(crate) fn new(gate: Gate, policy: RoutePolicy) -> Self {
        let scopes = joined(policy.access().scopes().iter().map(Scope::as_str));
        let classes = policy
            .authentication()
            .map_or(&[][..], AuthenticationRequirement::context_classes);
        let acr_values = joined(classes.iter().map(ContextClass::as_str));
        let tier = limits::bind(gate.rate_limits(), &policy);
        let is_shut = tier.is_err() || authorization::check(gate.authorization(), &policy).is_err();
        if is_shut {
            gate.report(EventKind::Misconfigured, SHUT, Some(policy.name()));
        }
        Self(Arc::new(Frame {
            gate,
            policy,
            scopes,
            acr_values,
            tier: tier.ok().flatten(),
            is_shut,
            askable: Askable::default(),
        }))
    }

    /// Whether its demand can be asked of the authorization policy in force.
    pub(crate) fn askable(&self) -> &Askable {
        &self.0.askable
    }

    pub(crate) fn tier(&self) -> Option<&Tier> {
        self.0.tier.as_ref()
    }

    /// What the route demands.
    #[must_use]
    pub fn policy(&self) -> &RoutePolicy {
        &self.0.policy
    }

    /// The gate it belongs to.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.0.gate
    }

    /// Decides about one request: its form, its connection, the limits of its address, who sends it, what their
    /// login was like, whether they may, how long it is, the limits of whoever sends it; then
    /// stores the audit intent. The order is part of the contract: whoever may not enter learns
    /// nothing about the route but that.
    ///
    /// Call it before anything of the request's body is read, and call the handler only with the
    /// answer's [`Admitted`]. When the answer is known at once (a cached token, a sink that does
    /// not wait), nothing is boxed.
    ///
    /// # Errors
    ///
    /// The inner [`Denial`] is the answer to send; its event and its record are already made.
    pub fn enter(&self, view: &RequestView<'_>) -> Step<Entry> {
        let client = self.gate().trusted_proxies().client(view);
        // From here on the client's, and not its proxy's. The socket peer stays: what a proxy says is
        // believed by who says it.
        let view = &RequestView {
            scheme: client.scheme(),
            authority: client.authority(),
            client_address: client.address(),
            ..*view
        };
        let mut arrival = Arrival {
            at: self.gate().now(),
            path: view.raw_path,
            origin: ClientOrigin {
                address: client.address(),
                is_https: client.scheme().map(|scheme| scheme == "https"),
                via_proxy: client.via_proxy(),
            },
            length: None,
            limits: Counted::default(),
        };
        if self.0.is_shut {
            return self.refuse(&arrival, None, Refusal::shut());
        }
        if arrival.at.is_none() && (self.needs_time() || view.tls_peer.is_some()) {
            return self.refuse(&arrival, None, Refusal::clock());
        }
        match form::check(self.gate(), view) {
            Ok(length) => arrival.length = length,
            Err(cause) => return self.refuse(&arrival, None, Refusal::form(cause)),
        }
        if let Err(refusal) = self.check_connection(&arrival, view) {
            return self.refuse(&arrival, None, refusal);
        }
        let choice = if self.policy().access == Access::Public {
            Choice::NotAsked
        } else {
            match self.choose(view) {
                Ok(Some(authenticator)) => Choice::One(authenticator),
                Ok(None) => Choice::Nobody,
                Err(refusal) => Choice::Refused(refusal),
            }
        };
        self.limit_arrival(arrival, choice, view)
    }

    /// Finds out who is calling. `receipt` is of the charge that is given back when the credential is good.
    pub(crate) fn identify(
        &self,
        arrival: &Arrival<'_>,
        choice: Choice<'_>,
        view: &RequestView<'_>,
        receipt: Option<Decision>,
    ) -> Step<Entry> {
        match choice {
            Choice::NotAsked => self.decide(arrival, Attempt::NotAsked),
            Choice::One(authenticator) => self.authenticate(arrival, authenticator, view, receipt),
            Choice::Nobody if self.policy().access == Access::Optional => {
                self.decide(arrival, Attempt::Anonymous)
            }
            Choice::Nobody => self.refuse(arrival, None, Refusal::missing(self)),
            Choice::Refused(refusal) => self.refuse(arrival, None, refusal),
        }
    }

    /// A public route that keeps no trail works without a clock; health checks are such routes.
    fn needs_time(&self) -> bool {
        self.policy().access != Access::Public || self.trail(AuditScope::All).is_some()
    }

    /// What must hold of the connection that the request came over: it is encrypted where that is
    /// demanded, and the certificate that opened it would open it today.
    fn check_connection(
        &self,
        arrival: &Arrival<'_>,
        view: &RequestView<'_>,
    ) -> Result<(), Refusal> {
        if let (Some(peer), Some(now)) = (view.tls_peer, arrival.at)
            && !peer.is_trusted(now)
        {
            return Err(Refusal::untrusted_connection(self));
        }
        let Some(https) = self.gate().https() else {
            return Ok(());
        };
        if arrival.origin.is_https == Some(true) || self.policy().plain_http {
            return Ok(());
        }
        let presents = self
            .gate()
            .authenticators()
            .iter()
            .any(|authenticator| authenticator.presented(view) != Presented::No);
        Err(Refusal::plain_http(https.answer(view, presents), presents))
    }

    /// The one authenticator whose credential was presented.
    fn choose(&self, view: &RequestView<'_>) -> Result<Option<&Arc<dyn Authenticator>>, Refusal> {
        let authorization = view.header("authorization");
        if matches!(authorization, HeaderValues::Several(_)) {
            return Err(Refusal::ambiguous(
                self,
                "the request has several Authorization fields",
            ));
        }
        let mut chosen = None;
        let mut claimed = false;
        for authenticator in self.gate().authenticators() {
            let presented = authenticator.presented(view);
            if presented == Presented::No {
                continue;
            }
            claimed |= presented == Presented::InAuthorization;
            if chosen.replace(authenticator).is_some() {
                return Err(Refusal::ambiguous(
                    self,
                    "the request presents two credentials",
                ));
            }
        }
        let unclaimed = authorization != HeaderValues::Absent && !claimed;
        match (unclaimed, chosen) {
            (true, Some(_)) => Err(Refusal::ambiguous(
                self,
                "the request presents a credential beside its Authorization",
            )),
            (true, None) => Err(Refusal::unclaimed(self)),
            (false, chosen) => Ok(chosen),
        }
    }

    /// Whether the caller holds the scopes that the route demands.
    pub(crate) fn admits(&self, principal: &Principal) -> bool {
        let gate = self.gate();
        self.policy()
            .access
            .admits(|scope| gate.holds(principal, scope))
    }

    fn authenticate(
        &self,
        arrival: &Arrival<'_>,
        authenticator: &Arc<dyn Authenticator>,
        view: &RequestView<'_>,
        receipt: Option<Decision>,
    ) -> Step<Entry> {
        match authenticator.authenticate(view) {
            Step::Done(answer) => self.settle(arrival, authenticator, answer, receipt),
            Step::Wait(future) => {
                let door = self.clone();
                let authenticator = Arc::clone(authenticator);
                let arrival = arrival.held();
                Step::wait(async move {
                    let answer = future.await;
                    // The borrow of the path ends before the next wait: a step owns its future.
                    let step = door.settle(&arrival.lend(), &authenticator, answer, receipt);
                    step.await
                })
            }
        }
    }

    pub(crate) fn judge(
        &self,
        arrival: &Arrival<'_>,
        authenticator: &Arc<dyn Authenticator>,
        answer: Result<Authenticated, Denial>,
    ) -> Step<Entry> {
        let authenticated = match answer {
            Ok(authenticated) => authenticated,
            Err(denial) => return self.refuse(arrival, None, Refusal::credential(self, denial)),
        };
        let principal = authenticated.principal();
        if principal.authentication.method == AuthenticationMethod::Unchecked
            && !self.gate().profile().is_development()
        {
            return self.refuse(arrival, Some(principal), Refusal::unchecked(self));
        }
        if let Err(cause) = self.gate().organisations().check(&authenticated) {
            return self.refuse(arrival, Some(principal), Refusal::organisation(cause));
        }
        // The login before the scopes. Whoever stole a token of a weak login learns nothing of what
        // it grants; and a client that lacks both is told both by one challenge (RFC 9470 §3), where
        // the other order would send it to its authorization server twice.
        if let Some(requirement) = self.policy().authentication() {
            // Read again: an authenticator may have waited for keys meanwhile.
            match requirement.check(&principal.authentication, || self.gate().now()) {
                Ok(()) => {}
                Err(Shortfall::Clock) => {
                    return self.refuse(arrival, Some(principal), Refusal::clock());
                }
                Err(Shortfall::Login(cause)) => {
                    let renewal = NonceRenewal::new(self, &authenticated, authenticator);
                    let refusal = Refusal::step_up(self, requirement, &authenticated, cause);
                    let refusal = refusal.with_nonce(renewal);
                    return self.refuse(arrival, Some(principal), refusal);
                }
            }
        }
        if !self.admits(principal) {
            let renewal = NonceRenewal::new(self, &authenticated, authenticator);
            let refusal = Refusal::insufficient(self, &authenticated).with_nonce(renewal);
            return self.refuse(arrival, Some(principal), refusal);
        }
        let authenticator = Arc::clone(authenticator);
        self.decide(
            arrival,
            Attempt::Verified(authenticated, authenticator, None),
        )
    }

    /// The last checks, once it is settled who is calling and that they may.
    fn decide(&self, arrival: &Arrival<'_>, attempt: Attempt) -> Step<Entry> {
        let limit = self.policy().body_limit;
        if arrival.length.is_some_and(|length| length > limit) {
            return self.refuse(arrival, attempt.principal(), Refusal::too_long(limit));
        }
        self.limit_caller(arrival, attempt)
    }

    /// Asks the authorization policy, where the route demands something of it, and then stores the intent: the request
    /// is as good as served. The policy comes behind the caller's limits, since asking what is known of somebody may be
    /// a question to a database.
    pub(crate) fn record(&self, arrival: &Arrival<'_>, attempt: Attempt) -> Step<Entry> {
        match attempt {
            Attempt::Verified(authenticated, authenticator, None)
                if !self.policy().demand.is_none() =>
            {
                self.authorize(arrival, authenticated, authenticator)
            }
            attempt @ (Attempt::NotAsked | Attempt::Anonymous | Attempt::Verified(..)) => {
                self.store(arrival, attempt)
            }
        }
    }

    pub(crate) fn store(&self, arrival: &Arrival<'_>, attempt: Attempt) -> Step<Entry> {
        let Arrival { at, origin, .. } = *arrival;
        let tally = arrival.limits.tally;
        let (Some(sink), Some(time)) = (self.trail(AuditScope::All), at) else {
            return Step::Done(Ok((
                Admitted::new(self.clone(), attempt, at, origin, tally),
                Exit::unrecorded(),
            )));
        };
        let intent = self.intent(arrival, time, attempt.principal());
        match sink.intent(intent) {
            Step::Done(answer) => Step::Done(self.admit(attempt, at, origin, tally, answer)),
            Step::Wait(future) => {
                let door = self.clone();
                Step::wait(async move {
                    let answer = future.await;
                    door.admit(attempt, at, origin, tally, answer)
                })
            }
        }
    }

    fn admit(
        &self,
        attempt: Attempt,
        at: Option<Timestamp>,
        origin: ClientOrigin,
        tally: Tally,
        answer: Result<AuditTicket, AuditUnavailable>,
    ) -> Entry {
        match (answer, self.gate().audit()) {
            (Ok(ticket), Some(sink)) => {
                let exit = Exit::recorded(self.clone(), Arc::clone(sink), ticket);
                let admitted = Admitted::new(self.clone(), attempt, at, origin, tally);
                Ok((admitted, exit))
            }
            (Ok(_), None) => Err(Denial::Unavailable {
                retry_after: RETRY_AFTER,
            }),
            (Err(AuditUnavailable { retry_after }), _) => {
                let cause = "the intent could not be stored, so the request was refused";
                let about = Some(self.policy().name());
                let principal = attempt.principal();
                let source = origin.address;
                self.gate()
                    .emit(EventKind::AuditFailed, cause, at, source, principal, about);
                Err(Denial::Unavailable { retry_after })
            }
        }
    }

    /// Makes the event and the record of a refusal. A record that cannot be stored changes nothing
    /// for the caller: there is no effect that could go unrecorded.
    pub(crate) fn refuse(
        &self,
        arrival: &Arrival<'_>,
        principal: Option<&VerifiedPrincipal>,
        refusal: Refusal,
    ) -> Step<Entry> {
        self.refuse_decided(arrival, principal, refusal, None)
    }

    /// With what the authorization policy decided.
    pub(crate) fn refuse_decided(
        &self,
        arrival: &Arrival<'_>,
        principal: Option<&VerifiedPrincipal>,
        refusal: Refusal,
        decision: Option<Arc<str>>,
    ) -> Step<Entry> {
        let Refusal {
            denial,
            event,
            cause,
        } = refusal;
        if let Some(kind) = event {
            let mut event = SecurityEvent::new(kind, cause);
            event.at = arrival.at;
            event.source = arrival.origin.address;
            event.principal = principal.cloned();
            event.about = Some(Arc::clone(self.policy().name()));
            event.decision = decision;
            self.gate().emit_event(event);
        }
        let (Some(sink), Some(time)) = (self.trail(AuditScope::DenialsOnly), arrival.at) else {
            return Step::Done(Err(denial));
        };
        let outcome = AuditOutcome::Denied {
            status: denial.http_status(),
            cause,
        };
        match sink.denied(self.intent(arrival, time, principal), outcome) {
            Step::Done(answer) => {
                self.denied(answer);
                Step::Done(Err(denial))
            }
            Step::Wait(future) => {
                let door = self.clone();
                Step::wait(async move {
                    door.denied(future.await);
                    Err(denial)
                })
            }
        }
    }

    fn denied(&self, answer: Result<(), AuditUnavailable>) {
        if answer.is_err() {
            self.report(EventKind::AuditFailed, "a denial could not be stored");
        }
    }

    /// The sink, if the policy records what `least` records.
    fn trail(&self, least: AuditScope) -> Option<&Arc<dyn AuditSink>> {
        let recorded = match self.policy().audit {
            AuditScope::All => true,
            AuditScope::DenialsOnly => least == AuditScope::DenialsOnly,
            AuditScope::Off => false,
        };
        self.gate().audit().filter(|_| recorded)
    }

    fn intent(
        &self,
        arrival: &Arrival<'_>,
        at: Timestamp,
        principal: Option<&VerifiedPrincipal>,
    ) -> AuditIntent {
        AuditIntent {
            at,
            principal: principal.cloned(),
            action: Arc::clone(self.policy().name()),
            target: arrival.path.into(),
            source: arrival.origin.address,
        }
    }

    /// The scopes that the policy names, as a challenge shows them.
    pub(crate) fn scopes(&self) -> &str {
        &self.0.scopes
    }

    /// The context classes that the policy names, as a challenge shows them.
    pub(crate) fn acr_values(&self) -> &str {
        &self.0.acr_values
    }

    pub(crate) fn report(&self, kind: EventKind, cause: &'static str) {
        self.gate().report(kind, cause, Some(self.policy().name()));
    }
}

/// RFC 6750 §3, RFC 9470 §3: lists in a challenge are separated by spaces.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Box<str> {
    texts.collect::<Vec<_>>().join(" ").into()
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
