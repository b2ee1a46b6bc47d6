//! Rate limits at a door.

mod registering;
mod stages;
mod telling;
mod waiting;

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringwall_core::attest::Attest;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::EventKind;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Scope,
    Subject, Tenant, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::rate_limit::{
    Decision, Dimension, KeyPart, LimitError, LimitRule, LimitRules, LimitRulesBuilder, LimitStore,
    MemoryLimiter, Policies, Quota,
};
use ringwall_gate::{
    Access, Authenticated, Authenticator, Entry, Gate, GateBuilder, Presented, RateLimits,
    RoutePolicy, TrustedProxies,
};

use crate::support::Bench;

/// Accepts `good-NAME` and refuses everything else; counts how often it had to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifies {
    pub(crate) looked: Arc<AtomicUsize>,
    pub(crate) waits: bool,
}

impl Verifies {
    pub(crate) fn count(&self) -> usize {
        self.looked.load(Ordering::SeqCst)
    }

    fn judge(&self, view: &RequestView<'_>) -> Result<Authenticated, Denial> {
        self.looked.fetch_add(1, Ordering::SeqCst);
        let HeaderValues::One(value) = view.header("authorization") else {
            return Err(Denial::Malformed { challenge: None });
        };
        match core::str::from_utf8(value).expect("text") {
            "down" => Err(Denial::Unavailable {
                retry_after: Duration::from_secs(7),
            }),
            "old nonce" => {
                let challenge = Challenge::new("test").error(BearerError::UseDpopNonce);
                Err(Denial::Unauthenticated {
                    challenge: Box::new(challenge),
                })
            }
            text => match text.strip_prefix("good-") {
                Some(name) => Ok(caller(name).into()),
                None => Err(Denial::unauthenticated("test")),
            },
        }
    }
}

impl Authenticator for Verifies {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let answer = self.judge(view);
        if self.waits {
            Step::wait(async { answer })
        } else {
            Step::Done(answer)
        }
    }

    fn recheck(&self, _: &Authenticated, _: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

/// `ada` has no organisation; `ada@acme` has one, `ada@acme/p` a project of it too.
fn caller(name: &str) -> VerifiedPrincipal {
    let (subject, tenant) = name.split_once('@').unwrap_or((name, ""));
    let (org, project) = tenant.split_once('/').unwrap_or((tenant, ""));
    let mut principal = Principal::new(
        PrincipalKind::User,
        Subject::new(subject).expect("a subject"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.issuer = Some("https://issuer".into());
    principal.scopes = vec![Scope::new("cases:read").expect("a scope")];
    if !org.is_empty() {
        principal.tenant = Some(Tenant {
            org: OrgId::new(org).expect("an id"),
            project: ProjectId::new(project).ok(),
        });
    }
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

/// A gate with limits, and hands on its clock.
pub(crate) struct Site {
    pub(crate) bench: Bench,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) looked: Verifies,
}

/// Peers at this address are trusted to speak for others.
pub(crate) const PROXY: [u8; 4] = [10, 0, 0, 1];

impl Site {
    pub(crate) fn new(rules: LimitRulesBuilder) -> Self {
        Self::with(rules, Verifies::default(), |limits| limits)
    }

    pub(crate) fn with(
        rules: LimitRulesBuilder,
        looked: Verifies,
        change: impl FnOnce(RateLimits) -> RateLimits,
    ) -> Self {
        let rules = rules.build().expect("rules");
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let limits = change(RateLimits::in_memory(rules, 1000)).clock(clock.clone());
        let bench = Bench::by(looked.clone(), |builder| {
            builder.rate_limits(limits).trusted_proxies(proxies())
        });
        Self {
            bench,
            clock,
            looked,
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.bench.gate
    }

    /// The statuses of `count` requests.
    pub(crate) fn statuses(&self, asked: &Asked<'_>, count: usize) -> Vec<u16> {
        (0..count).map(|_| asked.status(self.gate())).collect()
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        self.bench.events.count(kind)
    }
}

pub(crate) fn proxies() -> TrustedProxies {
    let proxies = TrustedProxies::builder().network("10.0.0.0/24").build();
    proxies.expect("a network")
}

/// One request, and its route.
#[derive(Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) policy: RoutePolicy,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) peer: Option<[u8; 4]>,
}

pub(crate) fn asked<'a>(access: Access) -> Asked<'a> {
    Asked {
        policy: RoutePolicy::new("the route", access),
        headers: Vec::new(),
        peer: Some([192, 0, 2, 1]),
    }
}

impl<'a> Asked<'a> {
    pub(crate) fn tier(mut self, tier: &str) -> Self {
        self.policy = self.policy.with_tier(tier);
        self
    }

    pub(crate) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn by(self, credential: &'a str) -> Self {
        self.with("authorization", credential)
    }

    pub(crate) fn from(mut self, peer: [u8; 4]) -> Self {
        self.peer = Some(peer);
        self
    }

    pub(crate) fn step(&self, gate: &Gate) -> Step<Entry> {
        let view = RequestView {
            socket_peer: self.peer.map(|peer| (peer, 4711).into()),
            ..crate::support::view(&self.headers)
        };
        gate.door(self.policy.clone()).enter(&view)
    }

    pub(crate) fn entry(&self, gate: &Gate) -> Entry {
        crate::support::done(self.step(gate))
    }

    pub(crate) fn status(&self, gate: &Gate) -> u16 {
        crate::support::status(&self.entry(gate))
    }
}

/// One limit of `count` a minute by `parts`, in the default tier.
pub(crate) fn one(count: u32, parts: impl IntoIterator<Item = KeyPart>) -> LimitRulesBuilder {
    LimitRules::builder()
        .limit(LimitRule::new("one", minute(count), parts))
        .tier("default", ["one"])
}

pub(crate) fn minute(count: u32) -> Quota {
    Quota::per_minute(count).expect("a quota")
}

/// A store that takes its time; or that does not answer.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) inner: MemoryLimiter,
    pub(crate) is_down: bool,
}

impl Remote {
    fn later<T: Send + 'static>(&self, answer: T) -> Step<Result<T, LimitError>> {
        let is_down = self.is_down;
        Step::wait(async move {
            if is_down {
                Err(LimitError::Unavailable {
                    source: "it is down".into(),
                })
            } else {
                Ok(answer)
            }
        })
    }
}

impl LimitStore for Remote {
    fn policies(&self) -> &Policies {
        self.inner.policies()
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.later(self.inner.check(now, dimensions, cost).expect("a decision"))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.later(self.inner.peek(now, dimensions, cost).expect("a decision"))
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        self.inner.refund(now, decision);
        self.later(())
    }
}

/// A gate that counts in such a store.
pub(crate) fn remote(rules: LimitRulesBuilder, looked: Verifies, is_down: bool) -> Bench {
    let rules = rules.build().expect("rules");
    let inner = MemoryLimiter::new(rules.policies().clone(), 1000);
    let limits = RateLimits::new(rules, Arc::new(Remote { inner, is_down }))
        .clock(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
    Bench::by(looked, |builder: GateBuilder| {
        builder.rate_limits(limits).trusted_proxies(proxies())
    })
}
