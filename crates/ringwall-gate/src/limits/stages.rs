//! The two stages in which a door checks limits.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::denial::{BearerError, Denial};
use ringwall_core::event::EventKind;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_rate_limit::{Caller, Decision, LimitError, LimitState, PolicyId};

use crate::admitted::{Admitted, Attempt};
use crate::arrival::{Arrival, Counted};
use crate::authenticator::{Authenticated, Authenticator};
use crate::choice::Choice;
use crate::door::{Door, Entry};
use crate::limits::RateLimits;
use crate::limits::held::HeldRequest;
use crate::refusal::Refusal;

/// What one request costs.
const ONE: NonZeroU32 = NonZeroU32::MIN;

/// What a trusted ingress says of the caller.
enum Ingress<'a> {
    Silent,
    Names(&'a str),
    /// It says something that nobody can be called, or says it twice.
    Unreadable,
}

impl RateLimits {
    /// The name that a trusted ingress gave, of a request that came through one.
    fn ingress<'a>(&self, view: &RequestView<'a>, via_proxy: bool) -> Ingress<'a> {
        let Some(name) = self.identity_header.as_deref().filter(|_| via_proxy) else {
            return Ingress::Silent;
        };
        match view.header(name) {
            HeaderValues::Absent => Ingress::Silent,
            HeaderValues::One(value) => match core::str::from_utf8(value) {
                Ok(text) if !text.trim().is_empty() => Ingress::Names(text),
                Ok(_) | Err(_) => Ingress::Unreadable,
            },
            HeaderValues::Several(_) => Ingress::Unreadable,
        }
    }
}

impl Door {
    /// The first stage: by address, and by the credentials that failed from there.
    pub(crate) fn limit_arrival<'a>(
        &self,
        mut arrival: Arrival<'a>,
        choice: Choice<'_>,
        view: &RequestView<'a>,
    ) -> Step<Entry> {
        let (Some(limits), Some(tier)) = (self.gate().rate_limits(), self.tier()) else {
            return self.identify(&arrival, choice, view, None);
        };
        if tier.has_identities() {
            match limits.ingress(view, arrival.origin.via_proxy) {
                Ingress::Silent => {}
                Ingress::Names(name) => arrival.limits.ingress = Some(name),
                Ingress::Unreadable => {
                    return self.refuse(&arrival, None, Refusal::unreadable_ingress());
                }
            }
        }
        let presents = choice.presents();
        let caller = Caller {
            address: arrival.origin.address,
            ..Caller::default()
        };
        let buckets = match tier.at_arrival(limits.rules(), &caller, presents) {
            Ok(buckets) => buckets,
            Err(cause) => {
                let refusal = Refusal::uncountable(cause, arrival.origin);
                return self.refuse(&arrival, None, refusal);
            }
        };
        arrival.limits.by_address = tier.count_at_arrival(presents) > 0;
        if buckets.is_empty() {
            return self.identify(&arrival, choice, view, None);
        }
        let now = limits.clock.elapsed();
        arrival.limits.tick = Some(now);
        match limits.store.check(now, &buckets, ONE) {
            Step::Done(answer) => match self.first_answer(&mut arrival, now, answer) {
                Ok(receipt) => self.identify(&arrival, choice, view, receipt),
                Err(refusal) => self.refuse(&arrival, None, refusal),
            },
            Step::Wait(future) => {
                let door = self.clone();
                let request = HeldRequest::of(view, arrival.at);
                let choice = choice.held();
                let arrival = arrival.held();
                Step::wait(async move {
                    let answer = future.await;
                    // All borrows end before the next wait.
                    let step = {
                        let mut arrival = arrival.lend();
                        match door.first_answer(&mut arrival, now, answer) {
                            Ok(receipt) => {
                                door.identify(&arrival, choice.lend(), &request.view(), receipt)
                            }
                            Err(refusal) => door.refuse(&arrival, None, refusal),
                        }
                    };
                    step.await
                })
            }
        }
    }

    /// What the first stage came to: the receipt of the charge for a failed credential.
    fn first_answer(
        &self,
        arrival: &mut Arrival<'_>,
        now: Duration,
        answer: Result<Decision, LimitError>,
    ) -> Result<Option<Decision>, Refusal> {
        let failed = self
            .gate()
            .rate_limits()
            .and_then(|limits| limits.rules().failed_credentials());
        let decision = self.counted(arrival, now, answer, None, failed)?;
        Ok(failed.and_then(|failed| decision.only(failed)))
    }

    /// Gives back the charge for a failed credential when it did not fail, and goes on.
    ///
    /// When no decision about it could be reached, it did not fail either; and a proof without the nonce that it
    /// has to contain is refused before a signature is looked at. A request that is dropped before this
    /// stays charged: otherwise whoever hangs up in time could guess without an end.
    pub(crate) fn settle(
        &self,
        arrival: &Arrival<'_>,
        authenticator: &Arc<dyn Authenticator>,
        answer: Result<Authenticated, Denial>,
        receipt: Option<Decision>,
    ) -> Step<Entry> {
        let did_fail = match &answer {
            Ok(_) | Err(Denial::Unavailable { .. }) => false,
            Err(Denial::Unauthenticated { challenge })
                if challenge.error_code() == Some(BearerError::UseDpopNonce) =>
            {
                false
            }
            Err(
                Denial::Malformed { .. }
                | Denial::Unauthenticated { .. }
                | Denial::Forbidden { .. }
                | Denial::NotFound
                | Denial::MethodNotAllowed { .. }
                | Denial::ApprovalRequired { .. }
                | Denial::Conflict
                | Denial::Gone
                | Denial::PreconditionFailed
                | Denial::PayloadTooLarge { .. }
                | Denial::PlainHttp { .. }
                | Denial::RateLimited { .. },
            ) => true,
        };
        let (Some(limits), Some(receipt), false) = (self.gate().rate_limits(), receipt, did_fail)
        else {
            return self.judge(arrival, authenticator, answer);
        };
        let now = arrival
            .limits
            .tick
            .unwrap_or_else(|| limits.clock.elapsed());
        match limits.store.refund(now, receipt) {
            Step::Done(refunded) => {
                self.note_refund(arrival, refunded);
                self.judge(arrival, authenticator, answer)
            }
            Step::Wait(future) => {
                let door = self.clone();
                let authenticator = Arc::clone(authenticator);
                let arrival = arrival.held();
                Step::wait(async move {
                    let refunded = future.await;
                    let step = {
                        let arrival = arrival.lend();
                        door.note_refund(&arrival, refunded);
                        door.judge(&arrival, &authenticator, answer)
                    };
                    step.await
                })
            }
        }
    }

    /// What could not be given back is less that is allowed, and no reason to refuse.
    fn note_refund(&self, arrival: &Arrival<'_>, refunded: Result<(), LimitError>) {
        if refunded.is_err() {
            let cause = "the charge for a good credential could not be given back";
            self.emit_limit(EventKind::RateLimitsUnavailable, cause, arrival, None, None);
        }
    }

    /// The second stage: by who is calling. Whoever is refused for another reason is not charged.
    pub(crate) fn limit_caller(&self, arrival: &Arrival<'_>, attempt: Attempt) -> Step<Entry> {
        let (Some(limits), Some(tier)) = (self.gate().rate_limits(), self.tier()) else {
            return self.record(arrival, attempt);
        };
        let caller = Caller {
            principal: attempt.principal().map(|principal| &**principal),
            identity_header: arrival.limits.ingress,
            address: arrival.origin.address,
        };
        let buckets = match tier.of_caller(limits.rules(), &caller, arrival.limits.by_address) {
            Ok(buckets) => buckets,
            Err(cause) => {
                let refusal = Refusal::uncountable(cause, arrival.origin);
                return self.refuse(arrival, attempt.principal(), refusal);
            }
        };
        if buckets.is_empty() {
            return self.record(arrival, attempt);
        }
        let now = arrival
            .limits
            .tick
            .unwrap_or_else(|| limits.clock.elapsed());
        match limits.store.check(now, &buckets, ONE) {
            Step::Done(answer) => self.second_answer(*arrival, attempt, now, answer),
            Step::Wait(future) => {
                let door = self.clone();
                let arrival = arrival.held();
                Step::wait(async move {
                    let answer = future.await;
                    let step = door.second_answer(arrival.lend(), attempt, now, answer);
                    step.await
                })
            }
        }
    }

    fn second_answer(
        &self,
        mut arrival: Arrival<'_>,
        attempt: Attempt,
        now: Duration,
        answer: Result<Decision, LimitError>,
    ) -> Step<Entry> {
        match self.counted(&mut arrival, now, answer, attempt.principal(), None) {
            Ok(_) => self.record(&arrival, attempt),
            Err(refusal) => self.refuse(&arrival, attempt.principal(), refusal),
        }
    }

    /// What a check by a handler comes to.
    pub(crate) fn conclude(
        &self,
        admitted: &Admitted,
        now: Duration,
        answer: Result<Decision, LimitError>,
    ) -> Result<(), Denial> {
        let mut arrival = Arrival {
            at: admitted.at(),
            path: "",
            origin: admitted.origin(),
            length: None,
            limits: Counted::default(),
        };
        let counted = self.counted(&mut arrival, now, answer, admitted.principal(), None);
        counted.map(drop).map_err(|refusal| {
            if let Some(kind) = refusal.event {
                admitted.report(kind, refusal.cause);
            }
            refusal.denial
        })
    }

    /// Emits what a decision has to tell, and refuses what it denies. The limit `hidden` is told to nobody whom
    /// it does not refuse.
    fn counted(
        &self,
        arrival: &mut Arrival<'_>,
        now: Duration,
        answer: Result<Decision, LimitError>,
        principal: Option<&VerifiedPrincipal>,
        hidden: Option<PolicyId>,
    ) -> Result<Decision, Refusal> {
        let Some(limits) = self.gate().rate_limits() else {
            return Err(Refusal::limits_unavailable());
        };
        let decision = answer.map_err(|_| Refusal::limits_unavailable())?;
        self.tell(arrival, &decision, principal);
        if decision.is_allowed() {
            if limits.tells_everybody {
                arrival.limits.tally.note(&decision, hidden);
            }
            return Ok(decision);
        }
        let mut tally = arrival.limits.tally;
        tally.note(&decision, None);
        let retry_after = decision.told_retry_after(now, limits.jitter);
        let report = tally.report(limits.rules.policies());
        Err(Refusal::rate_limited(retry_after, report))
    }

    /// The events of a decision, one for each limit that has something to tell.
    fn tell(
        &self,
        arrival: &Arrival<'_>,
        decision: &Decision,
        principal: Option<&VerifiedPrincipal>,
    ) {
        for status in decision.statuses() {
            let tells = |kind, cause| {
                self.emit_limit(kind, cause, arrival, principal, Some(status.policy()));
            };
            match (status.state(), status.is_shadow()) {
                (LimitState::Within, _) => {
                    if status.crossed_into_near() {
                        tells(EventKind::RateLimitNear, "80 % of a rate limit is used");
                    }
                }
                (LimitState::Exceeded | LimitState::BeyondBurst, true) => {
                    let cause = "a rate limit that is tried out would have refused the request";
                    tells(EventKind::RateLimitWouldDeny, cause);
                }
                (LimitState::Exceeded, false) => {
                    tells(EventKind::RateLimited, "a rate limit is used up");
                }
                (LimitState::BeyondBurst, false) => {
                    let cause = "the request costs more than a rate limit ever holds";
                    tells(EventKind::RateLimited, cause);
                }
            }
            if status.is_shared() {
                let cause = "the table of rate limits has no place for another key";
                tells(EventKind::RateLimitTableFull, cause);
            }
        }
    }

    /// An event about a limit; about the route where it is about none.
    fn emit_limit(
        &self,
        kind: EventKind,
        cause: &'static str,
        arrival: &Arrival<'_>,
        principal: Option<&VerifiedPrincipal>,
        limit: Option<PolicyId>,
    ) {
        let limits = self.gate().rate_limits();
        let name = limits.and_then(|limits| limits.rules().name(limit?));
        let about = name.unwrap_or_else(|| self.policy().name());
        let source = arrival.origin.address;
        self.gate()
            .emit(kind, cause, arrival.at, source, principal, Some(about));
    }
}
