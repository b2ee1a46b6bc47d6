//! Claims in two generations, so that expiry is one step for thousands of them.
//!
//! New claims go into the young generation. When everything in the old one is over, it is emptied,
//! and the young one becomes the old one. Emptying writes one byte per slot of the table and visits
//! no claim; the table is used again. So a claim stays for one to two lifetimes, and nobody who
//! claims pays for more than one shard.

use core::mem;
use core::time::Duration;

use hashbrown::HashTable;
use ringwall_core::clock::Timestamp;

use crate::{Claim, ClaimRequest, ReplayUnavailable};

/// What stands for a key in the tables.
pub(crate) type Fingerprint = [u64; 2];

/// A generation is kept for this long after its last claim is over. Threads that read the clock
/// one after the other may come in another order, and a clock may be set back by a little: without
/// the pause, each of them would meet a time before the last forgetting, and be refused.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

/// What a caller is told to wait for when there was no memory.
const NO_MEMORY: Duration = Duration::from_secs(1);

/// A table that is this many times as large as it had to be is given back instead of emptied.
const SPARE: usize = 4;

/// Before every time that can be represented, so that nothing is ever before it.
const NEVER: Timestamp = Timestamp::from_unix_micros(i64::MIN);

/// One shard: its lock is around it.
pub(crate) struct Generations {
    young: Generation,
    old: Generation,
    /// The latest end among all claims that were forgotten. At an earlier `now`, which only a clock
    /// that was set back can show, some of them would count.
    forgotten_until: Timestamp,
}

struct Generation {
    claims: HashTable<Fingerprint>,
    /// The latest end among its claims.
    until: Timestamp,
}

impl Generations {
    pub(crate) const fn new() -> Self {
        Self {
            young: Generation::new(),
            old: Generation::new(),
            forgotten_until: NEVER,
        }
    }

    /// Decides a claim that is not over yet; at most `limit` are held.
    pub(crate) fn claim(
        &mut self,
        fingerprint: Fingerprint,
        request: &ClaimRequest,
        limit: usize,
    ) -> Result<Claim, ReplayUnavailable> {
        let now = request.now;
        // Twice, because after a quiet time both are over.
        self.rotate(now);
        self.rotate(now);
        if self.young.holds(fingerprint) || self.old.holds(fingerprint) {
            return Ok(Claim::Repeated);
        }
        if now < self.forgotten_until {
            return Err(ReplayUnavailable {
                retry_after: self.forgotten_until.saturating_since(now),
            });
        }
        if self.len() >= limit {
            return Err(ReplayUnavailable {
                retry_after: self.old.until.saturating_since(now).saturating_add(SLACK),
            });
        }
        self.young.insert(fingerprint, request.valid_until)?;
        Ok(Claim::First)
    }

    /// Forgets the old generation if all of it is over.
    fn rotate(&mut self, now: Timestamp) {
        let over = self
            .old
            .until
            .checked_add(SLACK)
            .is_some_and(|until| until <= now);
        if !over || self.len() == 0 {
            return;
        }
        self.forgotten_until = self.forgotten_until.max(self.old.until);
        mem::swap(&mut self.young, &mut self.old);
        self.young.empty(self.old.claims.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.young
            .claims
            .len()
            .saturating_add(self.old.claims.len())
    }

    /// The bytes of both tables.
    pub(crate) fn bytes(&self) -> usize {
        let (young, old) = (&self.young.claims, &self.old.claims);
        young
            .allocation_size()
            .saturating_add(old.allocation_size())
    }
}

impl Generation {
    const fn new() -> Self {
        Self {
            claims: HashTable::new(),
            until: NEVER,
        }
    }

    fn holds(&self, fingerprint: Fingerprint) -> bool {
        let [hash, _] = fingerprint;
        self.claims
            .find(hash, |held| *held == fingerprint)
            .is_some()
    }

    fn insert(
        &mut self,
        fingerprint: Fingerprint,
        until: Timestamp,
    ) -> Result<(), ReplayUnavailable> {
        let rehash = |[hash, _]: &Fingerprint| *hash;
        // A process without memory is stopped by an ordinary insertion; here it refuses.
        self.claims
            .try_reserve(1, rehash)
            .map_err(|_| ReplayUnavailable {
                retry_after: NO_MEMORY,
            })?;
        let [hash, _] = fingerprint;
        self.claims.insert_unique(hash, fingerprint, rehash);
        self.until = self.until.max(until);
        Ok(())
    }

    /// Forgets everything. The table is kept if it suits about `expected` claims.
    fn empty(&mut self, expected: usize) {
        if self.claims.capacity() > expected.saturating_mul(SPARE) {
            self.claims = HashTable::new();
        } else {
            self.claims.clear();
        }
        self.until = NEVER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClaimKey;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).expect("in range")
    }

    fn claim(
        shard: &mut Generations,
        number: u64,
        until: i64,
        now: Timestamp,
    ) -> Result<Claim, ReplayUnavailable> {
        let request = ClaimRequest {
            key: ClaimKey::new("unused", &[]),
            valid_from: now,
            valid_until: at(until),
            now,
        };
        // Spread as the keyed hash does.
        let hash = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        shard.claim([hash, number], &request, 20_000)
    }

    #[test]
    fn keeps_every_claim_until_it_is_over() {
        let mut shard = Generations::new();
        for number in 0..100 {
            let until = 60 + i64::try_from(number).expect("fits");
            assert_eq!(claim(&mut shard, number, until, at(0)), Ok(Claim::First));
        }
        for now in 0..160 {
            for number in 0..100 {
                let until = 60 + i64::try_from(number).expect("fits");
                if now < until {
                    let again = claim(&mut shard, number, until, at(now));
                    assert_eq!(again, Ok(Claim::Repeated), "{number} at {now}");
                }
            }
        }
    }

    #[test]
    fn forgets_within_two_lifetimes() {
        let mut shard = Generations::new();
        for second in 0..1000 {
            let number = u64::try_from(second).unwrap();
            let first = claim(&mut shard, number, second + 60, at(second));
            assert_eq!(first, Ok(Claim::First));
            // 60 s, the slack, and the claim of this second, twice.
            assert!(shard.len() <= 2 * 63, "{} at {second}", shard.len());
        }
    }

    #[test]
    fn forgets_both_generations_after_a_quiet_time() {
        let mut shard = Generations::new();
        for number in 0..1000 {
            assert_eq!(claim(&mut shard, number, 60, at(0)), Ok(Claim::First));
        }
        assert_eq!(claim(&mut shard, 1000, 2000, at(1000)), Ok(Claim::First));
        assert_eq!(shard.len(), 1);
    }

    #[test]
    fn a_clock_that_goes_back_frees_nothing_that_was_forgotten() {
        let mut shard = Generations::new();
        for number in 0..2 {
            assert_eq!(claim(&mut shard, number, 60, at(0)), Ok(Claim::First));
        }
        // Forward, which forgets, and back.
        assert_eq!(claim(&mut shard, 2, 3700, at(3600)), Ok(Claim::First));
        for number in 0..2 {
            let refused = claim(&mut shard, number, 61, at(1));
            let retry_after = Duration::from_secs(59);
            assert_eq!(refused, Err(ReplayUnavailable { retry_after }));
        }
        // What it still knows it says, and from the end of the forgotten on it decides again.
        assert_eq!(claim(&mut shard, 2, 3700, at(1)), Ok(Claim::Repeated));
        assert_eq!(claim(&mut shard, 3, 120, at(60)), Ok(Claim::First));
    }

    #[test]
    fn threads_that_come_in_another_order_than_they_read_the_clock_are_served() {
        let mut shard = Generations::new();
        assert_eq!(claim(&mut shard, 0, 60, at(0)), Ok(Claim::First));
        assert_eq!(claim(&mut shard, 1, 70, at(1)), Ok(Claim::First));
        let slack = at(60).checked_add(SLACK).expect("in range");
        assert_eq!(claim(&mut shard, 2, 122, slack), Ok(Claim::First));
        let earlier = slack.checked_sub(SLACK).expect("in range");
        assert_eq!(claim(&mut shard, 3, 122, earlier), Ok(Claim::First));
    }

    #[test]
    fn uses_its_tables_again_and_gives_back_what_a_flood_left() {
        let mut shard = Generations::new();
        let mut number = 0;
        let mut bytes = Vec::new();
        // Ten lifetimes with a hundred claims each second, then ten with one.
        for second in 0..1200 {
            for _ in 0..if second < 600 { 100 } else { 1 } {
                number += 1;
                let first = claim(&mut shard, number, second + 60, at(second));
                assert_eq!(first, Ok(Claim::First));
            }
            bytes.push(shard.bytes());
        }
        let steady = bytes[300];
        assert!(bytes[300..600].iter().all(|bytes| *bytes == steady));
        assert!(bytes[1199] < 10_000, "{} of {steady}", bytes[1199]);
    }

    #[test]
    fn times_at_the_end_of_the_range_are_kept_for_ever() {
        let mut shard = Generations::new();
        let end = Timestamp::from_unix_micros(i64::MAX);
        let request = ClaimRequest {
            key: ClaimKey::new("unused", &[]),
            valid_from: NEVER,
            valid_until: end,
            now: at(0),
        };
        assert_eq!(shard.claim([1, 1], &request, 10), Ok(Claim::First));
        let late = ClaimRequest {
            now: end,
            ..request
        };
        assert_eq!(shard.claim([2, 2], &late, 10), Ok(Claim::First));
        assert_eq!(shard.claim([1, 1], &late, 10), Ok(Claim::Repeated));
    }
}
