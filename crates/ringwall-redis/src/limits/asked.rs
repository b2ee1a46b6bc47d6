//! What a request asks of a bucket, and what the answer means.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_rate_limit::{AppliedLimit, Enforcement, LimitState, LimitStatus};

use super::micros::{self, Micros};
use super::script::{Bucket, Found};

/// What is asked of one bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) limit: AppliedLimit,
    pub(super) micros: Micros,
    /// Tokens to take in advance, at most.
    pub(super) advance: u32,
    /// Microseconds to give back first.
    pub(super) back: u64,
    /// What was given back to buckets like this one before it was asked for.
    pub(super) refunds: u64,
}

/// What one bucket said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) state: LimitState,
    before: u64,
    after: u64,
    /// Microseconds.
    pub(super) wait: u64,
    /// Tokens that were taken in advance.
    pub(super) advance: u32,
}

impl Asked {
    pub(super) fn new(limit: AppliedLimit) -> Self {
        Self {
            limit,
            micros: Micros::of(&limit.quota),
            advance: 0,
            back: 0,
            refunds: 0,
        }
    }

    /// As the script is told it.
    pub(super) fn bucket(&self, cost: NonZeroU32) -> Bucket {
        Bucket {
            key: self.limit.dimension.key(),
            denies: self.limit.enforcement == Enforcement::Enforced,
            capacity: self.micros.capacity,
            longest: micros::whole(self.limit.longest).max(self.micros.capacity),
            need: self.micros.need(cost),
            back: self.back,
            interval: self.micros.interval,
            advance: self.advance,
        }
    }

    /// What a bucket says that was found so.
    pub(super) fn said(&self, found: Found, cost: NonZeroU32) -> Said {
        let capacity = self.micros.capacity;
        let need = self.micros.need(cost);
        let after = found.debt.saturating_add(need);
        if after <= capacity {
            return Said {
                state: LimitState::Within,
                before: found.debt,
                after,
                wait: 0,
                advance: found.advance,
            };
        }
        let (state, wait) = if need > capacity {
            (LimitState::BeyondBurst, 0)
        } else {
            (LimitState::Exceeded, after.saturating_sub(capacity))
        };
        let debt = found.debt.min(capacity);
        Said {
            state,
            before: debt,
            after: debt,
            wait,
            advance: 0,
        }
    }
}

impl Said {
    /// How far the bucket was from full before the request.
    pub(super) fn before(&self, micros: &Micros) -> Duration {
        micros.debt(self.before)
    }

    /// And after it, what was taken in advance left out.
    pub(super) fn after(&self, micros: &Micros) -> Duration {
        micros.debt(self.after)
    }

    /// As the status of a limit, charged or not.
    pub(super) fn status(&self, asked: &Asked, is_charged: bool) -> LimitStatus {
        let mut status = status(&asked.limit, self.before(&asked.micros));
        match self.state {
            LimitState::Within if is_charged => status.charge(self.after(&asked.micros)),
            LimitState::Within => {}
            LimitState::Exceeded => status.exceed(Duration::from_micros(self.wait)),
            LimitState::BeyondBurst => status.exceed_for_ever(),
        }
        status
    }
}

/// The status of a limit whose bucket is so far from full.
pub(super) fn status(limit: &AppliedLimit, debt: Duration) -> LimitStatus {
    LimitStatus::new(limit.dimension, limit.quota, limit.enforcement, debt)
}
