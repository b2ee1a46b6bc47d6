//! Rate limits at the gate: whose they are, and what of them is told.

mod fields;
mod given;
mod held;
mod refusals;
mod stages;

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::{MonotonicClock, SystemClock};
use ringwall_rate_limit::{
    DEFAULT_TIER, Jitter, LimitRules, LimitStore, MemoryLimiter, OnFailure, Tier,
};

use crate::error::Error;
use crate::policy::{Access, RoutePolicy, TierChoice};

pub use fields::LimitFields;

/// The rate limits of a gate: what is limited by what, and where it is counted.
///
/// A request is checked twice. By its address, before anybody looks at its credential, together with the limit
/// of failed credentials if it presents one. And by who is calling, once it is settled that they may: what is
/// refused for another reason is not charged to them. Each time all limits are charged, or none.
///
/// ```
/// use ringwall_gate::{Gate, RateLimits};
/// use ringwall_rate_limit::LimitRules;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rules = LimitRules::standard()?.build()?;
/// // 21 bytes for each of the keys, and never more.
/// let limits = RateLimits::in_memory(rules, 100_000);
/// let gate = Gate::builder("api")
///     .rate_limits(limits)
///     .without_authenticators()
///     .without_audit()
///     .build()?;
/// # let _ = gate;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "limits do nothing until they are given to a gate"]
pub struct RateLimits {
    rules: LimitRules,
    store: Arc<dyn LimitStore>,
    clock: Arc<dyn MonotonicClock>,
    identity_header: Option<Box<str>>,
    tells_everybody: bool,
    jitter: Jitter,
}

impl RateLimits {
    /// Counts in `store`, which was made with the [`policies`](LimitRules::policies) of these rules. One that can fail
    /// to answer, such as one that processes share, belongs behind a
    /// [`FallbackLimiter`](ringwall_rate_limit::FallbackLimiter): it does what the rules say of failures, and does not
    /// ask a dead store for each request.
    pub fn new(rules: LimitRules, store: Arc<dyn LimitStore>) -> Self {
        Self {
            rules,
            store,
            clock: Arc::new(SystemClock::new()),
            identity_header: None,
            tells_everybody: true,
            jitter: Jitter::TENTH,
        }
    }

    /// Counts in this process, in a table with a place for `keys` buckets that are not full: for a service of
    /// one process.
    pub fn in_memory(rules: LimitRules, keys: usize) -> Self {
        let store = Arc::new(MemoryLimiter::new(rules.policies().clone(), keys));
        Self::new(rules, store)
    }

    /// Reads the time from `clock` instead of the machine's. A coarse one (`ringwall_core::clock::CoarseClock`)
    /// is cheaper, and exact enough for limits of seconds.
    pub fn clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The header field in which a trusted ingress names who is calling, such as `x-auth-request-user`: for
    /// limits by [`Identity`](ringwall_rate_limit::KeyPart::Identity), where nobody was authenticated. It is believed of
    /// the gate's trusted proxies alone, and taken out of everybody else's requests
    /// ([`proxy_header`](crate::GateBuilder::proxy_header)).
    pub fn identity_header(mut self, name: &str) -> Self {
        self.identity_header = Some(name.to_ascii_lowercase().into());
        self
    }

    /// Tells the state of the limits with refusals alone (429), and not with every answer.
    pub const fn tell_refused_alone(mut self) -> Self {
        self.tells_everybody = false;
        self
    }

    /// How much is added to the time after which a refused client is told to come back: up to a tenth unless
    /// said.
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// What is limited by what; its [`policies`](LimitRules::policies) change quotas while requests are served.
    #[must_use]
    pub const fn rules(&self) -> &LimitRules {
        &self.rules
    }

    /// Where it is counted.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn LimitStore> {
        &self.store
    }

    pub(crate) fn now(&self) -> core::time::Duration {
        self.clock.elapsed()
    }

    pub(crate) fn header_name(&self) -> Option<&str> {
        self.identity_header.as_deref()
    }

    /// Whether they fit together, and to a gate that believes proxies or none.
    pub(crate) fn check(&self, believes_proxies: bool) -> Result<(), Error> {
        if !self.rules.policies().is_same(self.store.policies()) {
            return Err(Error::OtherLimits);
        }
        let policies = self.rules.policies();
        let is_said = policies
            .ids()
            .any(|policy| self.rules.on_failure(policy) != OnFailure::Closed);
        if is_said && !self.store.holds_failure_policies() {
            return Err(Error::FailurePoliciesUnheld);
        }
        if self.rules.tier(DEFAULT_TIER).is_none() {
            return Err(Error::NoDefaultTier);
        }
        if self.identity_header.is_some() && !believes_proxies {
            return Err(Error::IdentityHeaderOfNobody);
        }
        Ok(())
    }

    fn tier_of(&self, policy: &RoutePolicy) -> Result<Tier, Error> {
        let tier = match &policy.tier {
            TierChoice::Unlimited => return Ok(Tier::unlimited()),
            TierChoice::Default => self.rules.tier(DEFAULT_TIER),
            TierChoice::Named(name) => self.rules.tier(name),
        };
        let tier = tier.ok_or(Error::UnknownTier)?;
        match policy.access {
            Access::Public | Access::Optional if !tier.counts_strangers() => {
                Err(Error::StrangersUncounted)
            }
            Access::Public
            | Access::Optional
            | Access::Authenticated
            | Access::AllScopes(_)
            | Access::AnyScope(_) => Ok(tier.clone()),
        }
    }
}

/// The tier that a route is bound to: `None` where nothing is limited.
pub(crate) fn bind(
    limits: Option<&RateLimits>,
    policy: &RoutePolicy,
) -> Result<Option<Tier>, Error> {
    match (limits, &policy.tier) {
        (Some(limits), _) => limits.tier_of(policy).map(Some),
        (None, TierChoice::Default | TierChoice::Unlimited) => Ok(None),
        // The route is believed to be limited, and is not.
        (None, TierChoice::Named(_)) => Err(Error::UnknownTier),
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits")
            .field("rules", &self.rules)
            .field("store", &self.store)
            .field("identity_header", &self.identity_header)
            .finish_non_exhaustive()
    }
}
