//! A million random events against whole numbers without an end.
//!
//! The oracle knows no theoretical arrival times. Its buckets owe an amount (of nanoseconds times tokens, as
//! an integer of any length), and it reckons it anew whenever the time is told.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "numbers of a test, and an overflow is a failure of it"
)]

use core::time::Duration;
use std::collections::HashMap;

use num_bigint::BigInt;
use ringwall_rate_limit::{
    Decision, Dimension, LimitState, MemoryLimiter, Policies, PolicyId, Quota, Verdict,
};

use crate::support::cost;

/// xorshift64*: the events are the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

struct Bucket {
    /// What it owes at `at`. Less than nothing is a bucket that has been full for a while.
    owes: BigInt,
    at: BigInt,
}

/// The rules, in the words of a bucket that owes.
#[derive(Default)]
struct Oracle(HashMap<Dimension, Bucket>);

fn interval(quota: &Quota) -> BigInt {
    BigInt::from(quota.period().as_nanos()) / quota.count()
        + u32::from(
            !quota
                .period()
                .as_nanos()
                .is_multiple_of(quota.count().into()),
        )
}

fn holds(quota: &Quota) -> BigInt {
    interval(quota) * quota.burst_size()
}

impl Oracle {
    fn owed(&self, bucket: &Dimension, now: &BigInt) -> BigInt {
        let Some(bucket) = self.0.get(bucket) else {
            return BigInt::ZERO;
        };
        (&bucket.owes - (now - &bucket.at)).max(BigInt::ZERO)
    }

    fn set(&mut self, bucket: Dimension, owes: BigInt, now: &BigInt) {
        let at = now.clone();
        self.0.insert(bucket, Bucket { owes, at });
    }

    /// What is said of one bucket: whether it allows it, or the wait; and what it owes.
    fn judge(&self, bucket: &Dimension, now: &BigInt, quota: &Quota, tokens: u32) -> Said {
        let (owed, holds) = (self.owed(bucket, now), holds(quota));
        if tokens > quota.burst_size() {
            return Said::Never(owed.min(holds));
        }
        let second = BigInt::from(1_000_000_000);
        let is_trace = &owed - &holds > second;
        let counted = if is_trace {
            holds.clone()
        } else {
            owed.clone()
        };
        let after = &counted + interval(quota) * tokens;
        if after <= holds {
            Said::Yes(after)
        } else {
            Said::Wait {
                wait: after - &holds,
                owed: owed.min(holds),
                is_trace,
            }
        }
    }

    fn check(&mut self, now: &BigInt, dimensions: &[(Dimension, Quota)], tokens: u32) -> Vec<Said> {
        let all: Vec<_> = dimensions
            .iter()
            .map(|(bucket, quota)| self.judge(bucket, now, quota, tokens))
            .collect();
        let is_allowed = all.iter().all(|said| matches!(said, Said::Yes(_)));
        for ((bucket, quota), said) in dimensions.iter().zip(&all) {
            match said {
                Said::Yes(after) if is_allowed => self.set(*bucket, after.clone(), now),
                Said::Wait { is_trace: true, .. } => self.set(*bucket, holds(quota), now),
                Said::Yes(_) | Said::Wait { .. } | Said::Never(_) => {}
            }
        }
        all
    }

    fn refund(&mut self, now: &BigInt, bucket: &Dimension, quota: &Quota, tokens: u32) {
        let owed = self.owed(bucket, now);
        if owed > BigInt::ZERO {
            let left = (owed - interval(quota) * tokens).max(BigInt::ZERO);
            self.set(*bucket, left, now);
        }
    }
}

/// A decision that can be given back, and what it took.
type Taken = (Decision, Vec<(Dimension, Quota)>, u32);

enum Said {
    Yes(BigInt),
    Wait {
        wait: BigInt,
        owed: BigInt,
        is_trace: bool,
    },
    Never(BigInt),
}

/// Quotas of every kind: slow, fast, of odd rates, of bursts smaller and larger than their count.
fn quotas() -> Vec<Quota> {
    let mut all = vec![
        Quota::new(1, Quota::MAX_PERIOD).unwrap(),
        Quota::new(1, Quota::MAX_PERIOD).unwrap().burst(10).unwrap(),
        Quota::per_second(1_000_000_000).unwrap(),
        Quota::new(3, Duration::from_nanos(9)).unwrap(),
        Quota::new(1_000_003, Duration::from_secs(7)).unwrap(),
        Quota::per_second(u32::MAX / 5).unwrap_or(Quota::per_second(999_983).unwrap()),
    ];
    for count in [1, 3, 7, 20, 60, 997] {
        for period in [50_u64, 1_000, 60_000, 3_600_000] {
            let quota = Quota::new(count, Duration::from_millis(period)).unwrap();
            for burst in [1, 5, count, count * 2] {
                all.push(quota.burst(burst).unwrap());
            }
        }
    }
    all
}

fn compare(decision: &Decision, said: &[Said], tokens: u32) {
    let mut longest = None;
    let mut is_never = false;
    assert_eq!(decision.statuses().count(), said.len());
    let all_allow = said.iter().all(|said| matches!(said, Said::Yes(_)));
    for (status, said) in decision.statuses().zip(said) {
        let (state, owes, wait) = match said {
            Said::Yes(after) => {
                let owes = if all_allow {
                    after.clone()
                } else {
                    after - interval(&status.quota()) * tokens
                };
                (LimitState::Within, owes, BigInt::ZERO)
            }
            Said::Wait { wait, owed, .. } => (LimitState::Exceeded, owed.clone(), wait.clone()),
            Said::Never(owed) => (LimitState::BeyondBurst, owed.clone(), BigInt::ZERO),
        };
        assert_eq!(status.state(), state);
        assert_eq!(BigInt::from(status.reset_after().as_nanos()), owes);
        assert_eq!(BigInt::from(status.retry_after().as_nanos()), wait);
        let quota = status.quota();
        let left = (holds(&quota) - owes) / interval(&quota);
        assert_eq!(BigInt::from(status.remaining()), left);
        assert!(!status.is_shared());
        is_never |= state == LimitState::BeyondBurst;
        if state == LimitState::Exceeded {
            longest = longest.max(Some(wait));
        }
    }
    match decision.verdict() {
        Verdict::Allowed => assert!(all_allow),
        Verdict::NeverAllowed => assert!(is_never),
        Verdict::Denied { retry_after } => {
            assert!(!is_never);
            assert_eq!(Some(BigInt::from(retry_after.as_nanos())), longest);
        }
    }
}

/// When a process begins, and when it has to end before its time is beyond what is reckoned with, in nanoseconds.
const BEGIN: u64 = 1_000_000_000_000;
const END: u64 = 1 << 61;

#[test]
fn soak_a_million_random_events_agree_with_whole_numbers_without_an_end() {
    const POLICIES: usize = 6;
    let is_long = std::env::var_os("RINGWALL_SOAK").is_some_and(|value| value == "1");
    let events = if is_long { 50_000_000 } else { 1_000_000 };
    let mut random = Random(0x5EED_0123_4567_89AB);
    let all = quotas();
    let mut builder = Policies::builder();
    for n in 0..POLICIES {
        builder = builder.add(&format!("p{n}"), random.one_of(&all)).unwrap();
    }
    let policies = builder.build();
    let ids: Vec<PolicyId> = policies.ids().collect();
    let mut limiter = MemoryLimiter::new(policies.clone(), 10_000);
    let mut oracle = Oracle::default();
    let mut now = BEGIN;
    let mut taken: Vec<Taken> = Vec::new();
    let (mut allowed, mut denied, mut never, mut refunds, mut changes) = (0, 0, 0, 0, 0);
    for _ in 0..events {
        if now > END {
            // In the long form a hundred years pass, and a process begins anew.
            limiter = MemoryLimiter::new(policies.clone(), 10_000);
            oracle = Oracle::default();
            taken.clear();
            now = BEGIN;
        }
        match random.below(100) {
            0 => {
                let quota = random.one_of(&all);
                policies.set_quota(random.one_of(&ids), quota).unwrap();
                changes += 1;
            }
            1 => {
                let policy = random.one_of(&ids);
                let key = random.below(8).to_le_bytes();
                let bucket = policies.dimension(policy, [&key[..]]).unwrap();
                let quota = (random.below(2) == 0).then(|| random.one_of(&all));
                policies.set_override(&bucket, quota).unwrap();
                changes += 1;
            }
            2 => {
                // A step back: a nanosecond, or hours.
                let most = random.one_of(&[1, 1000, 1_000_000_000, 10_000_000_000_000]);
                now = now.saturating_sub(random.below(most) + 1);
            }
            3..=30 => {
                let most = random.one_of(&[
                    2,
                    1_000,
                    1_000_000,
                    1_000_000_000,
                    60_000_000_000,
                    10_000_000_000_000,
                ]);
                now += random.below(most);
            }
            31..=40 if !taken.is_empty() => {
                let place = usize::try_from(random.below(taken.len() as u64)).unwrap();
                let (decision, dimensions, tokens) = taken.swap_remove(place);
                limiter.refund(Duration::from_nanos(now), decision);
                for (bucket, quota) in dimensions {
                    oracle.refund(&now.into(), &bucket, &quota, tokens);
                }
                refunds += 1;
            }
            _ => {
                let mut dimensions = Vec::new();
                for _ in 0..=random.below(3) {
                    let key = random.below(8).to_le_bytes();
                    let bucket = policies.dimension(random.one_of(&ids), [&key[..]]).unwrap();
                    if !dimensions.iter().any(|(known, _)| *known == bucket) {
                        dimensions.push((bucket, policies.quota_of(&bucket).unwrap()));
                    }
                }
                let burst = dimensions[0].1.burst_size();
                let tokens = match random.below(8) {
                    0 => burst,
                    1 => burst.saturating_add(1),
                    2 => u32::MAX,
                    3 => burst / 2 + 1,
                    _ => 1,
                };
                let buckets: Vec<_> = dimensions.iter().map(|(bucket, _)| *bucket).collect();
                let at = Duration::from_nanos(now);
                let peeked = limiter.peek(at, &buckets, cost(tokens)).unwrap();
                let decision = limiter.check(at, &buckets, cost(tokens)).unwrap();
                assert_eq!(peeked.verdict(), decision.verdict());
                let said = oracle.check(&now.into(), &dimensions, tokens);
                compare(&decision, &said, tokens);
                match decision.verdict() {
                    Verdict::Allowed => {
                        allowed += 1;
                        taken.push((decision, dimensions, tokens));
                        if taken.len() > 50 {
                            drop(taken.swap_remove(0));
                        }
                    }
                    Verdict::Denied { .. } => denied += 1,
                    Verdict::NeverAllowed => never += 1,
                }
            }
        }
    }
    // Each kind of event came often enough to mean something.
    for (what, count) in [
        ("allowed", allowed),
        ("denied", denied),
        ("never", never),
        ("refunds", refunds),
        ("changes", changes),
    ] {
        assert!(count > events / 200, "{what}: {count} of {events}");
    }
}
