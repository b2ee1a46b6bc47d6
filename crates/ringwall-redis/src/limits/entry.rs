//! What is remembered of one bucket.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use ringwall_rate_limit::{AppliedLimit, LimitStatus, Quota};
use tokio::sync::Semaphore;

use super::asked::status;

/// What is remembered of a bucket.
#[derive(Debug)]
pub(super) struct Entry {
    /// Under which all of it was said. Another one makes it void.
    pub(super) quota: Quota,
    pub(super) lease: Option<Lease>,
    pub(super) denial: Option<Denial>,
    /// When the server was last asked.
    pub(super) asked: Duration,
    /// Somebody fetches tokens in advance. It is closed when the answer is there.
    pub(super) fetching: Option<Arc<Semaphore>>,
    /// A task waits for the end of the lease.
    pub(super) has_timer: bool,
    /// How many leases there were: the number of the last one. Another quota begins no numbers anew.
    pub(super) leases: u64,
}

/// Tokens that were taken at the server, and not yet by requests.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) number: u64,
    pub(super) left: u32,
    /// When it was taken, and how far the bucket was from full then, the lease counted in.
    pub(super) taken_at: Duration,
    pub(super) debt: Duration,
    pub(super) ends: Duration,
}

#[derive(Debug)]
pub(super) struct Denial {
    /// The cost that was denied: a cheaper request may pass.
    pub(super) cost: NonZeroU32,
    /// When it would be allowed.
    pub(super) until: Duration,
    /// Until when this is believed.
    pub(super) ends: Duration,
}

/// How far from full a bucket was before a request that a lease served, and is after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    pub(super) before: Duration,
    pub(super) after: Duration,
    /// The lease.
    pub(super) number: u64,
}

/// Tokens that were taken at the server under this quota.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tokens {
    pub(super) count: u32,
    pub(super) interval: u64,
}

impl Tokens {
    pub(super) fn micros(self) -> u64 {
        self.interval.saturating_mul(u64::from(self.count))
    }
}

impl Lease {
    pub(super) fn serves(&self, now: Duration, cost: NonZeroU32) -> bool {
        now < self.ends && self.left >= cost.get()
    }

    /// What the limit says, by what is known of the bucket. The tokens of the lease are charged at the server
    /// and free here, so they are not owed.
    pub(super) fn serve(
        &mut self,
        limit: &AppliedLimit,
        now: Duration,
        cost: NonZeroU32,
        take: bool,
    ) -> Served {
        let interval = limit.quota.interval();
        let at_server = self.debt.saturating_sub(now.saturating_sub(self.taken_at));
        let before = at_server.saturating_sub(interval.saturating_mul(self.left));
        let mut after = before;
        if take {
            self.left = self.left.saturating_sub(cost.get());
            let need = interval.saturating_mul(cost.get());
            after = before.saturating_add(need).min(limit.quota.fill_time());
        }
        Served {
            before,
            after,
            number: self.number,
        }
    }
}

impl Denial {
    /// What the limit says of a cost as high, or higher. At the end of the wait, the bucket has just enough for it.
    pub(super) fn status(
        &self,
        limit: &AppliedLimit,
        now: Duration,
        cost: NonZeroU32,
    ) -> LimitStatus {
        let interval = limit.quota.interval();
        let capacity = limit.quota.fill_time();
        let more = cost.get().saturating_sub(self.cost.get());
        let until = self.until.saturating_add(interval.saturating_mul(more));
        let wait = until.saturating_sub(now);
        let need = interval.saturating_mul(cost.get());
        let debt = capacity
            .saturating_sub(need)
            .saturating_add(wait)
            .min(capacity);
        let mut status = status(limit, debt);
        if cost.get() > limit.quota.burst_size() {
            status.exceed_for_ever();
        } else {
            status.exceed(wait);
        }
        status
    }
}
