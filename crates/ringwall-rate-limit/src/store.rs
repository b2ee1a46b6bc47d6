//! What a store of buckets has to do.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_core::step::Step;

use crate::decision::Decision;
use crate::policies::{Dimension, Policies};

/// The buckets of a service: in this process ([`MemoryLimiter`](crate::MemoryLimiter)), or shared by many.
///
/// `check` is atomic over all of its dimensions: at the end either each of them is charged with the cost, or none
/// is. Among checks of the same bucket there is an order, also across processes that share the store, in which
/// the bucket never allows more than its burst and its rate. `now` is this process's monotonic clock;
/// a store that processes share counts by a clock of its own.
///
/// A check whose future is dropped before it answers may have charged its buckets: less is allowed for it, never
/// more. After [`LimitError::Unavailable`] it is unknown whether anything was charged. Whether to admit the
/// request then is the caller's policy, and never that of the store.
///
/// The suite in `conformance` (a feature) is what every store passes.
pub trait LimitStore: Send + Sync + fmt::Debug {
    /// The limits.
    fn policies(&self) -> &Policies;

    /// Checks a request against all of its limits, and charges each of them if all allow it. A limit that is
    /// named twice counts once.
    ///
    /// # Errors
    ///
    /// [`LimitError`].
    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>>;

    /// What [`check`](Self::check) would say now. Nothing is charged.
    ///
    /// # Errors
    ///
    /// [`LimitError`].
    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>>;

    /// Gives back what an allowed request took. A bucket never gets more than full, and what was not charged is not
    /// given back.
    ///
    /// # Errors
    ///
    /// [`LimitError::Unavailable`]: then less is allowed than could be.
    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>>;

    /// Whether what the rules say of failures ([`LimitRule::on_failure`](crate::LimitRule::on_failure)) holds
    /// here: by a store that cannot fail, and by a
    /// [`FallbackLimiter::of_rules`](crate::FallbackLimiter::of_rules) around one that can. A
    /// gate refuses a store that would leave unsaid what was said.
    fn holds_failure_policies(&self) -> bool {
        false
    }
}

/// Why there is no decision. Deny, but where the owner chose otherwise for a store that is not available.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The request is to be checked against nothing, which would allow everything.
    #[error("a request is checked against one limit at least")]
    NoDimensions,
    /// See [`MAX_DIMENSIONS`](crate::MAX_DIMENSIONS).
    #[error("a request is checked against six limits at most")]
    TooManyDimensions,
    /// A limit of other policies.
    #[error("there is no such limit")]
    UnknownPolicy,
    /// A time 146 years after the clock's start, or later.
    #[error("the clock is beyond all reckoning")]
    Time,
    /// More checks wait for the store than this process lets wait. The store may be well.
    #[error("too many checks wait for the store of limits")]
    Overloaded,
    /// The store did not answer, or not in time, or not in a way that can be understood.
    #[error("the store of limits is not available")]
    Unavailable {
        /// The cause, for logs.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl LimitError {
    /// Whether the same check may succeed a little later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Overloaded)
    }
}
