#![doc = include_str!("../README.md")]

mod applied;
#[cfg(not(loom))]
mod breaker;
mod concurrency;
#[cfg(feature = "conformance")]
pub mod conformance;
mod decision;
#[cfg(not(loom))]
mod fallback;
mod gcra;
mod key;
mod limiter;
mod mirror;
#[cfg(test)]
#[cfg(loom)]
mod model;
mod policies;
mod quota;
mod store;
mod sync;
mod table;

pub use applied::AppliedLimit;
pub use concurrency::{ConcurrencyLimit, ConcurrencyPermit, TooManyAtOnce};
pub use decision::{Decision, LimitState, LimitStatus, MAX_DIMENSIONS, Origin, Verdict};
#[cfg(not(loom))]
pub use fallback::{FallbackBuilder, FallbackEvent, FallbackLimiter, FallbackObserver, OnFailure};
pub use key::{KeyError, KeyHasher, LimitKey};
pub use limiter::MemoryLimiter;
pub use policies::{
    Dimension, Enforcement, MAX_OVERRIDES, MAX_POLICIES, MAX_POLICY_NAME_BYTES, Policies,
    PoliciesBuilder, PolicyError, PolicyId,
};
pub use quota::{Quota, QuotaError};
pub use store::{LimitError, LimitStore};
