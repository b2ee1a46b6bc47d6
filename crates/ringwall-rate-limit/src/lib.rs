#![doc = include_str!("../README.md")]

mod applied;
#[cfg(not(loom))]
mod breaker;
mod caller;
mod concurrency;
#[cfg(feature = "conformance")]
pub mod conformance;
mod decision;
#[cfg(not(loom))]
mod fallback;
mod fields;
mod gcra;
mod key;
mod limiter;
mod mirror;
#[cfg(test)]
#[cfg(loom)]
mod model;
mod on_failure;
mod policies;
mod quota;
mod rule;
mod rule_fault;
mod rules;
mod store;
mod sync;
mod table;
mod tiers;

pub use applied::AppliedLimit;
pub use caller::{Caller, KeyPart, NoKey};
pub use concurrency::{ConcurrencyLimit, ConcurrencyPermit, TooManyAtOnce};
pub use decision::{Decision, LimitState, LimitStatus, MAX_DIMENSIONS, Origin, Verdict};
#[cfg(not(loom))]
pub use fallback::{FallbackBuilder, FallbackEvent, FallbackLimiter, FallbackObserver, OtherRules};
pub use fields::{Jitter, Tally};
pub use key::{KeyError, KeyHasher, LimitKey};
pub use limiter::MemoryLimiter;
pub use on_failure::OnFailure;
pub use policies::{
    Dimension, Enforcement, MAX_OVERRIDES, MAX_POLICIES, MAX_POLICY_NAME_BYTES, Policies,
    PoliciesBuilder, PolicyError, PolicyId,
};
pub use quota::{Quota, QuotaError};
pub use rule::LimitRule;
pub use rule_fault::{RuleFault, RuleFaults};
pub use rules::{AUTH_TIER, DEFAULT_TIER, LimitRules, LimitRulesBuilder};
pub use store::{LimitError, LimitStore};
pub use tiers::{Dimensions, Tier};
