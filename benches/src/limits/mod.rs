//! Rate limits: ours against governor with a map of keys, and against a bare atomic.

pub mod dimensions;
pub mod keyed;
pub mod memory;
pub mod redis;
pub mod threads;

use std::{
    cell::Cell,
    hash::Hash,
    num::{NonZeroU32, NonZeroUsize},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, RateLimiter};
use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_rate_limit::{Dimension, MemoryLimiter, Policies, PolicyId, Quota};

pub(crate) const OURS: &str = "ours";
pub(crate) const OURS_AT_A_TIME: &str = "ours, told the time";
pub(crate) const GOVERNOR: &str = "governor";
pub(crate) const BARE: &str = "bare-atomic";

pub(crate) const ONE: NonZeroU32 = NonZeroU32::MIN;

/// Ours, with its clock.
pub(crate) struct Ours {
    pub(crate) limiter: MemoryLimiter,
    policies: Policies,
    ids: Vec<PolicyId>,
    clock: SystemClock,
}

impl Ours {
    /// With a place for so many keys, and limits that allow whatever a race asks for.
    pub(crate) fn generous(keys: usize) -> Self {
        Self::new(keys, generous())
    }

    pub(crate) fn new(keys: usize, quota: Quota) -> Self {
        let mut builder = Policies::builder();
        for name in ["one", "two", "three"] {
            builder = builder.add(name, quota).expect("a name");
        }
        let policies = builder.build();
        Self {
            limiter: MemoryLimiter::new(policies.clone(), keys),
            ids: policies.ids().collect(),
            policies,
            clock: SystemClock::new(),
        }
    }

    pub(crate) fn dimension(&self, place: usize, key: &[u8]) -> Dimension {
        let dimension = self.policies.dimension(self.ids[place], [key]);
        dimension.expect("a key")
    }

    /// All that a request costs: the key is hashed, the clock is read, the bucket is charged.
    pub(crate) fn check(&self, key: &[u8]) -> bool {
        self.check_at(self.clock.elapsed(), key)
    }

    pub(crate) fn check_at(&self, now: Duration, key: &[u8]) -> bool {
        self.check_all(now, &[self.dimension(0, key)])
    }

    pub(crate) fn check_all(&self, now: Duration, dimensions: &[Dimension]) -> bool {
        let decision = self.limiter.check(now, dimensions, ONE);
        decision.expect("a limit").is_allowed()
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }
}

/// At once more than any race asks for, and so slowly that no bucket is full again meanwhile.
const GENEROUS_BURST: NonZeroU32 = NonZeroU32::new(31_000_000).expect("not zero");

pub(crate) fn generous() -> Quota {
    let quota = Quota::new(1, TEN_SECONDS).expect("a quota");
    quota.burst(GENEROUS_BURST.get()).expect("a quota")
}

pub(crate) fn governor<K: Hash + Eq + Clone>() -> DefaultKeyedRateLimiter<K> {
    let quota = governor::Quota::with_period(TEN_SECONDS).expect("not zero");
    RateLimiter::dashmap(quota.allow_burst(GENEROUS_BURST))
}

const TEN_SECONDS: Duration = Duration::from_secs(10);

/// A limiter with one bucket that nobody has to look for: read, reckon, swap.
pub(crate) struct Bare {
    full_at: AtomicU64,
    clock: SystemClock,
}

impl Bare {
    pub(crate) fn new() -> Self {
        Self {
            full_at: AtomicU64::new(0),
            clock: SystemClock::new(),
        }
    }

    pub(crate) fn check(&self) -> bool {
        let now = self.clock.elapsed().as_nanos() as u64;
        let mut seen = self.full_at.load(Ordering::Acquire);
        loop {
            let new = seen.max(now) + TEN_SECONDS.as_nanos() as u64;
            if new - now > u64::from(GENEROUS_BURST.get()) * TEN_SECONDS.as_nanos() as u64 {
                return false;
            }
            let swap = Ordering::AcqRel;
            match self
                .full_at
                .compare_exchange_weak(seen, new, swap, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(other) => seen = other,
            }
        }
    }
}

/// One number after the other, in an order in which neighbours do not help.
pub(crate) struct Steps {
    count: NonZeroUsize,
    at: Cell<usize>,
}

impl Steps {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count: NonZeroUsize::new(count).expect("not zero"),
            at: Cell::new(0),
        }
    }

    pub(crate) fn next(&self) -> usize {
        let next = (self.at.get() + 7_919) % self.count;
        self.at.set(next);
        next
    }
}

/// Texts like UUIDs.
pub(crate) fn texts(count: usize) -> Vec<String> {
    let mix = |n: usize| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..count)
        .map(|n| {
            let (high, low) = (mix(n), mix(n + count));
            format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xFFFF,
                high & 0xFFF,
                low >> 52,
                low & 0xFFFF_FFFF_FFFF
            )
        })
        .collect()
}
