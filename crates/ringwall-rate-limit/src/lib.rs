#![doc = include_str!("../README.md")]

mod concurrency;
mod decision;
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

pub use concurrency::{ConcurrencyLimit, ConcurrencyPermit, TooManyAtOnce};
pub use decision::{Decision, LimitState, LimitStatus, MAX_DIMENSIONS, Verdict};
pub use key::{KeyError, KeyHasher, LimitKey};
pub use limiter::MemoryLimiter;
pub use policies::{
    Dimension, Enforcement, MAX_OVERRIDES, MAX_POLICIES, MAX_POLICY_NAME_BYTES, Policies,
    PoliciesBuilder, PolicyError, PolicyId,
};
pub use quota::{Quota, QuotaError};
pub use store::{LimitError, LimitStore};
