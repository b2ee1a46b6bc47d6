//! The contract of [`LimitStore`] as checks that any store can be put through.
//!
//! A test implements [`Setting`] for its store and calls [`all`]. Each check returns what broke the contract
//! instead of panicking, so that a runner of its own can collect the findings. The keys of each check are under a
//! secret of its own, so a store that others use too may be checked. Counts are exact where nothing refills
//! within the hour that a run may take, and bounded by the time that went by where something does, so
//! a store whose clock cannot be moved passes too.
//!
//! A store that hands out tokens in advance (leases) is checked without that.

mod buckets;
mod changes;
mod questions;
mod world;

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::BoxFuture;

use crate::{Decision, LimitError, LimitStore, Policies};

pub use buckets::{all_or_nothing, beyond_burst, burst, cost, named_twice, refill};
pub use changes::{live_change, overrides, refund, shadow};
pub use questions::{concurrent, peek, wrong_questions};

/// What a check is answered.
pub type Answer = Result<Decision, LimitError>;

/// A store, and the world in which it is checked.
pub trait Setting: Sync {
    /// A store with these limits. Their keys were never used before, so all buckets are full.
    fn store(&self, policies: Policies) -> Arc<dyn LimitStore>;

    /// The monotonic clock of this process.
    fn now(&self) -> Duration;

    /// Lets this much time pass, for the store as well.
    fn pass(&self, time: Duration) -> BoxFuture<()>;

    /// Runs the checks at the same time, on several threads if there are, and returns all answers in any
    /// order.
    fn together(&self, checks: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>>;
}

/// How a store breaks its contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store breaks its contract: {0}")]
pub struct Violation(String);

/// Every check; it takes about two seconds of the setting's time.
///
/// # Errors
///
/// The first [`Violation`].
pub async fn all(setting: &dyn Setting) -> Result<(), Violation> {
    burst(setting).await?;
    refill(setting).await?;
    cost(setting).await?;
    beyond_burst(setting).await?;
    all_or_nothing(setting).await?;
    named_twice(setting).await?;
    peek(setting).await?;
    refund(setting).await?;
    shadow(setting).await?;
    live_change(setting).await?;
    overrides(setting).await?;
    concurrent(setting).await?;
    wrong_questions(setting).await
}
