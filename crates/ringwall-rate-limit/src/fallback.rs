//! What holds while the store of limits does not answer.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::Step;

use crate::breaker::{Breaker, Change, Ticket};
use crate::decision::{Decision, Origin};
use crate::limiter::MemoryLimiter;
use crate::on_failure::OnFailure;
use crate::policies::{Dimension, Enforcement, Policies, PolicyError, PolicyId};
use crate::quota::Quota;
use crate::rules::LimitRules;
use crate::store::{LimitError, LimitStore};

/// Failures in a row after which a store is not asked for a while.
const FAILURES: u32 = 3;
/// For how long, unless set.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause: a store that is back should be noticed.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Buckets of this process for [`OnFailure::Local`], unless set.
const KEYS: usize = 100_000;

/// What happened to a request or to the store, for events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FallbackEvent {
    /// The store failed too often: it is not asked for a while.
    StoreLost,
    /// The store answers again.
    StoreBack,
    /// A request passed unchecked ([`OnFailure::Open`]).
    Unchecked,
    /// A request was counted in this process ([`OnFailure::Local`]).
    CountedLocally,
    /// A request was denied because the store did not answer ([`OnFailure::Closed`]).
    Denied,
}

/// Is told of failures. It must not wait; under load it is called for each request.
pub trait FallbackObserver: Send + Sync + fmt::Debug {
    /// Something happened.
    fn observe(&self, event: FallbackEvent);
}

/// A [`LimitStore`] with a policy for its failures, and a breaker.
///
/// - **Policy.** What each limit says while the store is not available is said by the limit's name, and
///   [`OnFailure::Closed`] where nothing was said. [`loosened`](Self::loosened) lists the others, to be reported
///   at start.
/// - **Breaker.** After three failures in a row the store is not asked for a second (or as set), and then by
///   one request alone until it answers: a dead store does not cost each request its time-out.
/// - **No memory of the other side.** What the store counted is not known here while it is away, and what
///   was counted here is not told to it when it is back: at each change of sides a client can have a burst
///   more (with [`OnFailure::Local`], its local share).
/// - Only [`LimitError::Unavailable`] is a failure of the store. Every other error is the caller's, and stays
///   one.
///
/// [`Decision::origin`] says who made a decision. A decision is given back where it was made.
#[derive(Clone, Debug)]
pub struct FallbackLimiter {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn LimitStore>,
    local: MemoryLimiter,
    /// By the limit's place; closed where there is none.
    rules: Box<[OnFailure]>,
    /// They are those of the service's rules, and nothing was said beside them.
    is_of_rules: bool,
    breaker: Arc<Breaker>,
    observer: Option<Arc<dyn FallbackObserver>>,
}

/// Options of a [`FallbackLimiter`].
#[derive(Debug)]
#[must_use = "nothing is made before `build`"]
pub struct FallbackBuilder {
    store: Arc<dyn LimitStore>,
    rules: Vec<OnFailure>,
    is_of_rules: bool,
    keys: usize,
    pause: Duration,
    observer: Option<Arc<dyn FallbackObserver>>,
}

/// The store was not asked, because it failed a moment ago.
#[derive(Debug, thiserror::Error)]
#[error("the store of limits failed several times in a row, and is left alone for a while")]
struct NotAsked;

/// The store counts by other policies than those of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store was not made with the policies of these rules")]
pub struct OtherRules;

/// Which question is answered.
#[derive(Clone, Copy)]
enum Question {
    Check,
    Peek,
}

impl FallbackLimiter {
    /// Around a store; every limit is closed while it does not answer, unless the builder is told otherwise.
    pub fn builder(store: Arc<dyn LimitStore>) -> FallbackBuilder {
        let rules = vec![OnFailure::Closed; store.policies().count()];
        FallbackBuilder {
            store,
            rules,
            is_of_rules: false,
            keys: KEYS,
            pause: PAUSE,
            observer: None,
        }
    }

    /// Around a store of these rules, with what each limit says of failures
    /// ([`LimitRule::on_failure`](crate::LimitRule::on_failure)).
    ///
    /// # Errors
    ///
    /// [`OtherRules`] for a store that was not made with their [`policies`](LimitRules::policies).
    pub fn of_rules(
        rules: &LimitRules,
        store: Arc<dyn LimitStore>,
    ) -> Result<FallbackBuilder, OtherRules> {
        if !rules.policies().is_same(store.policies()) {
            return Err(OtherRules);
        }
        let mut builder = Self::builder(store);
        builder.rules = rules.failures().to_vec();
        builder.is_of_rules = true;
        Ok(builder)
    }

    /// What a limit says while the store does not answer.
    #[must_use]
    pub fn on_failure(&self, policy: PolicyId) -> OnFailure {
        self.inner.rule(policy)
    }

    /// The limits that were loosened, by name: report them at start.
    pub fn loosened(&self) -> impl Iterator<Item = (&str, OnFailure)> {
        let policies = self.inner.store.policies();
        policies
            .ids()
            .map(|policy| (policies.name(policy), self.inner.rule(policy)))
            .filter(|(_, rule)| *rule != OnFailure::Closed)
    }

    /// Whether the store is asked by every request, for a readiness probe.
    #[must_use]
    pub fn asks_store(&self) -> bool {
        self.inner.breaker.is_closed()
    }

    fn ask(
        &self,
        question: Question,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        let inner = &self.inner;
        let Some(ticket) = inner.breaker.admit(now) else {
            let source = Box::from(NotAsked);
            return Step::Done(inner.fall_back(question, now, dimensions, cost, source));
        };
        let step = match question {
            Question::Check => inner.store.check(now, dimensions, cost),
            Question::Peek => inner.store.peek(now, dimensions, cost),
        };
        match step {
            Step::Done(answer) => {
                Step::Done(inner.conclude(ticket, answer, question, now, dimensions, cost))
            }
            Step::Wait(future) => {
                let inner = Arc::clone(inner);
                let dimensions = dimensions.to_vec();
                Step::wait(async move {
                    let answer = future.await;
                    inner.conclude(ticket, answer, question, now, &dimensions, cost)
                })
            }
        }
    }
}

impl Inner {
    fn rule(&self, policy: PolicyId) -> OnFailure {
        self.rules.get(policy.place()).copied().unwrap_or_default()
    }

    fn observe(&self, event: FallbackEvent) {
        if let Some(observer) = &self.observer {
            observer.observe(event);
        }
    }

    fn note(&self, change: Option<Change>) {
        match change {
            Some(Change::Opened) => self.observe(FallbackEvent::StoreLost),
            Some(Change::Closed) => self.observe(FallbackEvent::StoreBack),
            None => {}
        }
    }

    fn conclude(
        &self,
        ticket: Ticket,
        answer: Result<Decision, LimitError>,
        question: Question,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Result<Decision, LimitError> {
        match answer {
            Err(LimitError::Unavailable { source }) => {
                self.note(ticket.failed());
                self.fall_back(question, now, dimensions, cost, source)
            }
            // Nor is that an answer of it.
            Ok(decision) if decision.origin() == Origin::Remembered => Ok(decision),
            Ok(decision) => {
                self.note(ticket.succeeded());
                Ok(decision)
            }
            // The question was wrong, which tells nothing of the store; or there were too many.
            Err(
                error @ (LimitError::NoDimensions
                | LimitError::TooManyDimensions
                | LimitError::UnknownPolicy
                | LimitError::Time
                // It was not asked, which is no failure of it. Nor does anything pass for it: whoever floods a
                // service would open its limits.
                | LimitError::Overloaded),
            ) => Err(error),
        }
    }

    /// Decides without the store.
    #[cold]
    fn fall_back(
        &self,
        question: Question,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
        source: Box<dyn std::error::Error + Send + Sync>,
    ) -> Result<Decision, LimitError> {
        let limits = self.store.policies().apply(dimensions)?;
        let mut local = Vec::with_capacity(limits.len());
        for limit in &limits {
            let is_closed = match self.rule(limit.dimension.policy()) {
                OnFailure::Closed => true,
                OnFailure::Open => false,
                // A share that is too slow to be counted is no share.
                OnFailure::Local { divisor } => match limit.quota.divided(divisor) {
                    Ok(_) => {
                        local.push(limit.dimension);
                        false
                    }
                    Err(_) => true,
                },
            };
            if is_closed && limit.enforcement == Enforcement::Enforced {
                self.observe(FallbackEvent::Denied);
                return Err(LimitError::Unavailable { source });
            }
        }
        if local.is_empty() {
            self.observe(FallbackEvent::Unchecked);
            return Ok(Decision::unchecked(cost));
        }
        let share = |policies: &Policies, dimension: &Dimension| self.share(policies, dimension);
        let decision = match question {
            Question::Check => self.local.check_by(now, &local, cost, share),
            Question::Peek => self.local.peek_by(now, &local, cost, share),
        };
        match decision {
            Ok(decision) => {
                self.observe(FallbackEvent::CountedLocally);
                Ok(decision.made_locally())
            }
            Err(error) => {
                self.observe(FallbackEvent::Denied);
                Err(error)
            }
        }
    }

    /// This process's share of a limit.
    fn share(&self, policies: &Policies, dimension: &Dimension) -> Option<(Quota, Enforcement)> {
        let (quota, enforcement) = policies.limit(dimension)?;
        match self.rule(dimension.policy()) {
            OnFailure::Local { divisor } => Some((quota.divided(divisor).ok()?, enforcement)),
            OnFailure::Closed | OnFailure::Open => None,
        }
    }
}

impl LimitStore for FallbackLimiter {
    fn policies(&self) -> &Policies {
        self.inner.store.policies()
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.ask(Question::Check, now, dimensions, cost)
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.ask(Question::Peek, now, dimensions, cost)
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        match decision.origin() {
            Origin::Unchecked => return Step::Done(Ok(())),
            Origin::Local => {
                self.inner.local.refund(now, decision);
                return Step::Done(Ok(()));
            }
            Origin::Store | Origin::Remembered => {}
        }
        let Some(ticket) = self.inner.breaker.admit(now) else {
            let source = Box::from(NotAsked);
            return Step::Done(Err(LimitError::Unavailable { source }));
        };
        let inner = Arc::clone(&self.inner);
        let conclude = move |answer: Result<(), LimitError>| {
            inner.note(match answer {
                Ok(()) => ticket.succeeded(),
                Err(LimitError::Unavailable { .. }) => ticket.failed(),
                Err(_) => None,
            });
            answer
        };
        match self.inner.store.refund(now, decision) {
            Step::Done(answer) => Step::Done(conclude(answer)),
            Step::Wait(future) => Step::wait(async move { conclude(future.await) }),
        }
    }
    fn holds_failure_policies(&self) -> bool {
        self.inner.is_of_rules
    }
}

impl FallbackBuilder {
    /// Says what a limit does while the store does not answer.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Unknown`] for a name that no limit has: a slip of the pen must not leave one closed
    /// that was meant to be open, or the other way round. [`PolicyError::Guard`] for one that bounds guessing and
    /// is to be open.
    pub fn on_failure(mut self, name: &str, rule: OnFailure) -> Result<Self, PolicyError> {
        let policy = self.store.policies().find(name);
        let policy = policy.ok_or(PolicyError::Unknown)?;
        if rule == OnFailure::Open && self.store.policies().is_guard(policy) {
            return Err(PolicyError::Guard);
        }
        let place = self.rules.get_mut(policy.place());
        *place.ok_or(PolicyError::Unknown)? = rule;
        self.is_of_rules = false;
        Ok(self)
    }

    /// For how many buckets of this process there is a place ([`OnFailure::Local`]): 100,000 unless set, with
    /// 21.3 bytes each. Where no limit is local, no memory is taken.
    pub const fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// For how long the store is left alone after it failed three times in a row: one second unless set, a
    /// minute at most.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause.min(MAX_PAUSE);
        self
    }

    /// Who is told of failures.
    pub fn observer(mut self, observer: Arc<dyn FallbackObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// The limiter.
    #[must_use]
    pub fn build(self) -> FallbackLimiter {
        let is_local = |rule: &OnFailure| matches!(rule, OnFailure::Local { .. });
        let keys = if self.rules.iter().any(is_local) {
            self.keys
        } else {
            0
        };
        FallbackLimiter {
            inner: Arc::new(Inner {
                local: MemoryLimiter::new(self.store.policies().clone(), keys),
                store: self.store,
                rules: self.rules.into(),
                is_of_rules: self.is_of_rules,
                breaker: Arc::new(Breaker::new(FAILURES, self.pause)),
                observer: self.observer,
            }),
        }
    }
}
