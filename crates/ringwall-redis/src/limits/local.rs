//! What a process knows of buckets without asking: tokens that it took in advance, and denials.

use core::num::NonZeroU32;
use core::time::Duration;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringwall_rate_limit::{AppliedLimit, LimitKey, LimitStatus};
use tokio::sync::Semaphore;

use super::entry::{Denial, Entry, Lease, Served, Tokens};
use super::micros::Micros;

/// Parts of the memory, each behind a lock of its own that is held for a look-up.
const SHARDS: usize = 64;

/// A bounded memory of buckets. What has no place in it is asked of the server, so a flood of keys costs round
/// trips, and neither memory nor exactness.
#[derive(Debug)]
pub(super) struct Local {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    keys_per_shard: usize,
    /// For how long tokens taken in advance are served; zero takes none.
    lease: Duration,
    /// For how long a denial is remembered at most; zero remembers none.
    denials: Duration,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<LimitKey, Entry>,
    /// How often something was given back to a bucket of it: a denial of before says nothing any more.
    refunds: u64,
}

/// What is known of a bucket.
#[derive(Debug)]
pub(super) enum Known {
    /// The request is within a lease, and took of it if it was to.
    Leased(Served),
    /// It was denied a moment ago.
    Denied(LimitStatus),
    /// Nothing.
    Unknown {
        /// It was asked for a moment ago: to take tokens in advance will spare round trips.
        is_busy: bool,
    },
}

/// Whether somebody fetches tokens for these buckets.
#[derive(Debug)]
pub(super) enum Fetch {
    /// This caller does.
    Mine(Fetching),
    /// Another one does; wait until it is closed.
    Others(Arc<Semaphore>),
}

/// The right to fetch tokens in advance for some buckets; whoever waits for them is woken when it is dropped.
#[derive(Debug)]
pub(super) struct Fetching {
    local: Arc<Local>,
    keys: Vec<(LimitKey, Arc<Semaphore>)>,
}

impl Local {
    pub(super) fn new(keys: usize, lease: Duration, denials: Duration) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            keys_per_shard: keys.div_ceil(SHARDS),
            lease,
            denials,
        }
    }

    /// Whether anything is ever remembered.
    pub(super) const fn is_used(&self) -> bool {
        !self.lease.is_zero() || !self.denials.is_zero()
    }

    pub(super) const fn has_leases(&self) -> bool {
        !self.lease.is_zero()
    }

    /// What is known of a bucket; with `take`, a lease is charged.
    pub(super) fn look(
        &self,
        limit: &AppliedLimit,
        now: Duration,
        cost: NonZeroU32,
        take: bool,
    ) -> Known {
        let unknown = |is_busy| Known::Unknown { is_busy };
        let Some(mut shard) = self.shard(limit.dimension.key()) else {
            return unknown(false);
        };
        let Some(entry) = shard.entries.get_mut(&limit.dimension.key()) else {
            return unknown(false);
        };
        let is_same = entry.quota == limit.quota;
        if let Some(lease) = &mut entry.lease
            && is_same
            && lease.serves(now, cost)
        {
            return Known::Leased(lease.serve(limit, now, cost, take));
        }
        if let Some(denial) = &entry.denial
            && is_same
            && now < denial.ends
            && cost >= denial.cost
        {
            return Known::Denied(denial.status(limit, now, cost));
        }
        unknown(is_same && self.is_busy(entry.asked, now))
    }

    /// What is left of a lease that is over, or does not suffice for this cost, is the caller's to give back.
    pub(super) fn drain(&self, limit: &AppliedLimit, now: Duration, cost: NonZeroU32) -> Tokens {
        let key = limit.dimension.key();
        let Some(mut shard) = self.shard(key) else {
            return Tokens::default();
        };
        let Some(entry) = shard.entries.get_mut(&key) else {
            return Tokens::default();
        };
        let is_same = entry.quota == limit.quota;
        let interval = Micros::of(&entry.quota).interval;
        match &mut entry.lease {
            Some(lease) if !is_same || !lease.serves(now, cost) => Tokens {
                count: core::mem::take(&mut lease.left),
                interval,
            },
            Some(_) | None => Tokens::default(),
        }
    }

    /// Gives back to a lease what a request took of it that did not pass.
    pub(super) fn put_back(&self, key: LimitKey, number: u64, cost: NonZeroU32) {
        if let Some(mut shard) = self.shard(key)
            && let Some(lease) = shard
                .entries
                .get_mut(&key)
                .and_then(|entry| entry.lease.as_mut())
            && lease.number == number
        {
            lease.left = lease.left.saturating_add(cost.get());
        }
    }

    /// Begins to fetch tokens in advance for these buckets, unless somebody does already for one of them.
    pub(super) fn fetch(self: &Arc<Self>, keys: impl Iterator<Item = LimitKey>) -> Fetch {
        let mut mine = Fetching {
            local: Arc::clone(self),
            keys: Vec::new(),
        };
        for key in keys {
            let Some(mut shard) = self.shard(key) else {
                continue;
            };
            let Some(entry) = shard.entries.get_mut(&key) else {
                continue;
            };
            if let Some(others) = &entry.fetching {
                let others = Arc::clone(others);
                drop(shard);
                // What was begun here ends with `mine`: nobody waits while others wait for them.
                return Fetch::Others(others);
            }
            let waiters = Arc::new(Semaphore::new(0));
            entry.fetching = Some(Arc::clone(&waiters));
            mine.keys.push((key, waiters));
        }
        Fetch::Mine(mine)
    }

    /// Notes that the server was asked and allowed it, and the tokens that were taken in advance. Answers with
    /// the number of the lease if a task has to wait for its end.
    pub(super) fn note_allowed(
        &self,
        limit: &AppliedLimit,
        now: Duration,
        after: Duration,
        advance: u32,
    ) -> Option<u64> {
        if !self.has_leases() {
            return None;
        }
        let entry_of = |entry: &mut Entry| {
            entry.asked = now;
            if advance == 0 {
                return None;
            }
            let interval = limit.quota.interval();
            entry.leases = entry.leases.wrapping_add(1);
            let number = entry.leases;
            entry.lease = Some(Lease {
                number,
                left: advance,
                taken_at: now,
                debt: after.saturating_add(interval.saturating_mul(advance)),
                ends: now.saturating_add(self.lease),
            });
            let needs_timer = !entry.has_timer;
            entry.has_timer = true;
            needs_timer.then_some(number)
        };
        self.with_entry(limit, now, None, entry_of).flatten()
    }

    /// How often something was given back to buckets that are remembered beside this one.
    pub(super) fn refunds(&self, key: LimitKey) -> u64 {
        self.shard(key).map_or(0, |shard| shard.refunds)
    }

    /// Remembers that a cost is denied for a while, unless something was given back since it was asked for: when
    /// `refunds` had been.
    pub(super) fn note_denied(
        &self,
        limit: &AppliedLimit,
        now: Duration,
        cost: NonZeroU32,
        wait: Duration,
        refunds: u64,
    ) {
        if self.denials.is_zero() {
            return;
        }
        self.with_entry(limit, now, Some(refunds), |entry| {
            entry.asked = now;
            entry.denial = Some(Denial {
                cost,
                until: now.saturating_add(wait),
                ends: now.saturating_add(wait.min(self.denials)),
            });
        });
    }

    /// Forgets a denial: something was given back.
    pub(super) fn forget_denial(&self, key: LimitKey) {
        if let Some(mut shard) = self.shard(key) {
            shard.refunds = shard.refunds.wrapping_add(1);
            if let Some(entry) = shard.entries.get_mut(&key) {
                entry.denial = None;
            }
        }
    }

    /// At the end of the lease of this number: what is left of it, or the number of the lease that came after
    /// it, or nothing to wait for.
    pub(super) fn end(&self, key: LimitKey, number: u64) -> Result<Tokens, u64> {
        let Some(mut shard) = self.shard(key) else {
            return Ok(Tokens::default());
        };
        let Some(entry) = shard.entries.get_mut(&key) else {
            return Ok(Tokens::default());
        };
        let Some(lease) = &mut entry.lease else {
            entry.has_timer = false;
            return Ok(Tokens::default());
        };
        if lease.number != number {
            return Err(lease.number);
        }
        entry.has_timer = false;
        let left = Tokens {
            count: core::mem::take(&mut lease.left),
            interval: Micros::of(&entry.quota).interval,
        };
        Ok(left)
    }

    /// An entry of this bucket and quota, which is made if there is a place for it; none where something was given
    /// back since `refunds`.
    fn with_entry<T>(
        &self,
        limit: &AppliedLimit,
        now: Duration,
        refunds: Option<u64>,
        change: impl FnOnce(&mut Entry) -> T,
    ) -> Option<T> {
        let key = limit.dimension.key();
        let mut shard = self.shard(key)?;
        if refunds.is_some_and(|refunds| refunds != shard.refunds) {
            return None;
        }
        if let Some(entry) = shard.entries.get_mut(&key) {
            if entry.quota != limit.quota {
                entry.quota = limit.quota;
                entry.lease = None;
                entry.denial = None;
            }
            return Some(change(entry));
        }
        if shard.entries.len() >= self.keys_per_shard {
            shard.entries.retain(|_, entry| self.is_needed(entry, now));
            if shard.entries.len() >= self.keys_per_shard {
                return None;
            }
        }
        let entry = shard.entries.entry(key).or_insert(Entry {
            quota: limit.quota,
            lease: None,
            denial: None,
            asked: now,
            fetching: None,
            has_timer: false,
            leases: 0,
        });
        Some(change(entry))
    }

    fn is_needed(&self, entry: &Entry, now: Duration) -> bool {
        entry.has_timer
            || entry.fetching.is_some()
            || entry
                .denial
                .as_ref()
                .is_some_and(|denial| now < denial.ends)
            || self.is_busy(entry.asked, now)
    }

    fn is_busy(&self, asked: Duration, now: Duration) -> bool {
        now.saturating_sub(asked) < self.lease
    }

    fn shard(&self, key: LimitKey) -> Option<MutexGuard<'_, Shard>> {
        let hash = self.hasher.hash_one(key);
        let count = u64::try_from(self.shards.len()).ok()?;
        let shard = self
            .shards
            .get(usize::try_from(hash.checked_rem(count)?).ok()?)?;
        // Plain values: after a panic elsewhere they are still whole.
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Fetching {
    pub(super) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn has(&self, key: LimitKey) -> bool {
        self.keys.iter().any(|(mine, _)| *mine == key)
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        for (key, waiters) in &self.keys {
            if let Some(mut shard) = self.local.shard(*key)
                && let Some(entry) = shard.entries.get_mut(key)
                && entry
                    .fetching
                    .as_ref()
                    .is_some_and(|other| Arc::ptr_eq(other, waiters))
            {
                entry.fetching = None;
            }
            waiters.close();
        }
    }
}

#[cfg(test)]
mod tests;
