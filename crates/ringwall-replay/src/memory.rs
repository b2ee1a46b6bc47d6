//! Claims in the memory of one process.

use core::fmt;
use core::hash::BuildHasher as _;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Mutex;

use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;

use crate::generations::{Fingerprint, Generations};
use crate::{Claim, ClaimRequest, Error, ReplayStore, ReplayUnavailable};

/// Claims that a store holds unless set otherwise: 30 MB, or 800 DPoP proofs per second that are
/// remembered for ten minutes and stay for twenty.
pub const DEFAULT_CAPACITY: usize = 1 << 20;

/// The largest capacity: 2 GB.
pub const MAX_CAPACITY: usize = 1 << 26;

/// For how long a claim may be remembered unless set otherwise: longer than the proofs of RFC 9449
/// and one-time codes live.
pub const DEFAULT_LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest time that can be set. What lives longer belongs into a store that survives restarts.
pub const MAX_LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A table of this many claims and their spread fills 16,384 slots to less than 7/8, the load at
/// which it would double: 23 bytes per claim.
const FULL_SHARD: usize = 12_288;
/// Fewer would make the spread between shards too large a part of them.
const SMALL_SHARD: usize = 1024;
/// So that threads seldom meet, where the capacity permits.
const MANY_SHARDS: usize = 64;
/// Claims fall on shards at random. With this many standard deviations above the mean, a shard is
/// full before the store is with odds below 1 to 10^12.
const DEVIATIONS: usize = 8;

/// A lock that was poisoned stays so; a caller need not come back soon.
const POISONED: Duration = Duration::from_secs(60);

/// What happens to credentials that were perhaps used before this process started: the store of
/// the process before it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// What can have been claimed at `started_at` or before (`valid_from`) is answered
    /// [`ReplayUnavailable`]. A credential that is made after the start passes as soon as its
    /// tolerance for fast clocks has passed too: with a skew of five seconds, a service refuses for
    /// five seconds after its start.
    ///
    /// `started_at` is read from a clock that is right. If the clock was behind at the start, what was
    /// claimed in between is admitted once more.
    Strict {
        /// When the process started, or later; never earlier.
        started_at: Timestamp,
    },
    /// Everything counts as unused. Whoever recorded a credential can use it once more after each
    /// restart within its life. Only where restarts are announced to nobody who could listen, and
    /// in development.
    Forgetful,
}

/// An exact, bounded [`ReplayStore`] in memory, for services of one process.
///
/// With several processes behind a load balancer it is no store: each of them would admit the
/// credential once. Use one that they share.
///
/// - **Exact.** There is no Bloom filter. A claim is held as 128 bits of a hash with a key that is
///   drawn for each store, so nobody can look for keys that collide, or that fall into one shard or
///   slot. Among a million claims, the odds that a key meets another one by chance are 2^-108, and then
///   it is refused, not admitted.
/// - **Bounded.** A full store refuses, and drops nothing that counts.
/// - **Without scans.** Claims live in two generations; one is forgotten when all of it is over. A
///   claim therefore stays for up to twice its life: give a capacity of two lifetimes of the
///   highest rate. One claim that lives long keeps its generation: use a store of its own for
///   credentials that live much longer than others.
/// - **Concurrent.** Up to thousands of shards, each with a lock that is held for one look-up. The
///   longest stop is the growth or the emptying of one shard's table of at most 16,384 slots.
///
/// Answers are immediate ([`Step::Done`]). For what it forgets when the process ends, see
/// [`Restart`].
pub struct MemoryReplay {
    hash: RandomState,
    shards: Box<[Shard]>,
    /// Claims per shard.
    limit: usize,
    longest: Duration,
    restart: Restart,
}

/// A shard on cache lines of its own, so that neighbours' locks do not slow it down.
#[repr(align(128))]
struct Shard(Mutex<Generations>);

/// Options of a [`MemoryReplay`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is made before `build`"]
pub struct MemoryReplayBuilder {
    capacity: usize,
    longest: Duration,
    restart: Restart,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Claims, those that are over and not yet forgotten included.
    pub claims: usize,
    /// Claims at which it is full. Up to a quarter more than was asked for.
    pub capacity: usize,
    /// Bytes that they take.
    pub bytes: usize,
}

impl MemoryReplay {
    /// A store with the default bounds that refuses what may have been used before `started_at`.
    #[must_use]
    pub fn strict(started_at: Timestamp) -> Self {
        Self::with(Self::builder(Restart::Strict { started_at }))
    }

    /// A store with bounds of your own.
    pub const fn builder(restart: Restart) -> MemoryReplayBuilder {
        MemoryReplayBuilder {
            capacity: DEFAULT_CAPACITY,
            longest: DEFAULT_LONGEST,
            restart,
        }
    }

    fn with(options: MemoryReplayBuilder) -> Self {
        let (shards, limit) = division(options.capacity);
        Self {
            hash: RandomState::new(),
            shards: (0..shards)
                .map(|_| Shard(Mutex::new(Generations::new())))
                .collect(),
            limit,
            longest: options.longest,
            restart: options.restart,
        }
    }

    /// What it holds now, for metrics: alert before it is full. Takes each shard's lock in turn.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = Usage {
            claims: 0,
            capacity: self.limit.saturating_mul(self.shards.len()),
            bytes: size_of_val(&*self.shards),
        };
        for Shard(shard) in &self.shards {
            // Counting harms nobody, so a poisoned shard is counted too.
            let shard = shard
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            usage.claims = usage.claims.saturating_add(shard.len());
            usage.bytes = usage.bytes.saturating_add(shard.bytes());
        }
        usage
    }

    fn decide(&self, request: &ClaimRequest) -> Result<Claim, ReplayUnavailable> {
        let left = request.valid_until.saturating_since(request.now);
        if left.is_zero() {
            return Ok(Claim::Repeated);
        }
        if let Restart::Strict { started_at } = self.restart
            && request.valid_from <= started_at
        {
            let until = started_at.saturating_since(request.valid_from);
            return Err(ReplayUnavailable {
                retry_after: until.saturating_add(Duration::from_micros(1)).min(left),
            });
        }
        if let Some(excess) = left.checked_sub(self.longest)
            && !excess.is_zero()
        {
            return Err(ReplayUnavailable {
                retry_after: excess,
            });
        }
        // SipHash is a pseudo-random function, so its values for two inputs are 128 bits that
        // nobody can predict without the key.
        let bytes = request.key.as_bytes();
        let fingerprint = [
            self.hash.hash_one((0_u8, bytes)),
            self.hash.hash_one((1_u8, bytes)),
        ];
        let poisoned = ReplayUnavailable {
            retry_after: POISONED,
        };
        let Shard(shard) = self.shard(fingerprint).ok_or(poisoned)?;
        // A thread that panicked in there left nobody knows what; it does not decide any more.
        let mut shard = shard.lock().map_err(|_| poisoned)?;
        shard.claim(fingerprint, request, self.limit)
    }

    /// By the second half: the first one places the claim within the shard's table.
    fn shard(&self, [_, spread]: Fingerprint) -> Option<&Shard> {
        let shards = u128::try_from(self.shards.len()).ok()?;
        let index = u128::from(spread).checked_mul(shards)? >> 64;
        self.shards.get(usize::try_from(index).ok()?)
    }
}

/// Into how many shards, and of how many claims.
fn division(capacity: usize) -> (usize, usize) {
    let shards = capacity
        .div_ceil(FULL_SHARD)
        .max(capacity.div_euclid(SMALL_SHARD).min(MANY_SHARDS))
        .max(1);
    let mean = capacity.div_ceil(shards);
    let spread = mean.isqrt().saturating_mul(DEVIATIONS);
    match shards {
        1 => (1, capacity),
        shards => (shards, mean.saturating_add(spread)),
    }
}

impl MemoryReplayBuilder {
    /// How many claims it holds before it is full: those of two lifetimes at the highest rate.
    /// [`DEFAULT_CAPACITY`] unless set.
    pub const fn capacity(mut self, claims: usize) -> Self {
        self.capacity = claims;
        self
    }

    /// For how long after `now` a claim may be valid: longer ones are answered
    /// [`ReplayUnavailable`]. [`DEFAULT_LONGEST`] unless set.
    pub const fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// The store. Its tables grow as they are needed.
    ///
    /// # Errors
    ///
    /// [`Error`] for a bound that is out of its range.
    pub fn build(self) -> Result<MemoryReplay, Error> {
        if self.capacity == 0 || self.capacity > MAX_CAPACITY {
            return Err(Error::Capacity {
                given: self.capacity,
            });
        }
        if self.longest.is_zero() || self.longest > MAX_LONGEST {
            return Err(Error::Longest {
                given: self.longest,
            });
        }
        Ok(MemoryReplay::with(self))
    }
}

impl ReplayStore for MemoryReplay {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        Step::Done(self.decide(&request))
    }
}

/// Shows bounds, and neither claims nor the key of the hash.
impl fmt::Debug for MemoryReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReplay")
            .field("shards", &self.shards.len())
            .field("limit_per_shard", &self.limit)
            .field("longest", &self.longest)
            .field("restart", &self.restart)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_store_is_full_exactly_at_its_capacity() {
        for capacity in [1, 2, 1000, 2047] {
            assert_eq!(division(capacity), (1, capacity));
        }
    }

    #[test]
    fn every_capacity_is_divided_into_shards_of_bounded_size() {
        let mut capacity = 1;
        while capacity <= MAX_CAPACITY {
            let (shards, limit) = division(capacity);
            assert!(shards * limit >= capacity, "{capacity}");
            assert!(
                shards * limit <= capacity + capacity / 4 + shards,
                "{capacity}"
            );
            // Of 16,384 slots, 7/8 are used before the table doubles.
            assert!(limit <= 14_336, "{capacity}: {limit}");
            assert!(shards >= MANY_SHARDS || capacity < 1 << 16);
            capacity = capacity * 5 / 4 + 1;
        }
    }

    #[test]
    fn a_poisoned_shard_refuses() {
        let store = MemoryReplay::builder(Restart::Forgetful)
            .capacity(1)
            .build()
            .expect("valid");
        std::thread::scope(|scope| {
            let poisoner = scope.spawn(|| {
                let _guard = store.shards[0].0.lock();
                panic!("on purpose");
            });
            assert!(poisoner.join().is_err());
        });
        let request = ClaimRequest {
            key: crate::ClaimKey::new("test", &[]),
            valid_from: Timestamp::UNIX_EPOCH,
            valid_until: Timestamp::from_unix_micros(2),
            now: Timestamp::from_unix_micros(1),
        };
        assert!(store.decide(&request).is_err());
        assert_eq!(store.usage().claims, 0);
    }

    #[test]
    fn takes_few_bytes_per_claim() {
        let capacity = 1 << 17;
        let store = MemoryReplay::builder(Restart::Forgetful)
            .capacity(capacity)
            .build()
            .expect("valid");
        for number in 0..u32::try_from(capacity).expect("fits") {
            let request = ClaimRequest {
                key: crate::ClaimKey::new("test", &[&number.to_be_bytes()]),
                valid_from: Timestamp::UNIX_EPOCH,
                valid_until: Timestamp::from_unix_micros(60_000_000),
                now: Timestamp::from_unix_micros(1),
            };
            assert_eq!(store.decide(&request), Ok(Claim::First));
        }
        let usage = store.usage();
        assert_eq!(usage.claims, capacity);
        assert!(usage.bytes < 45 * capacity, "{usage:?}");
    }
}
