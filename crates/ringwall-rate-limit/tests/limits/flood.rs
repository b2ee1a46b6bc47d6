//! Keys without an end.

use core::time::Duration;

use ringwall_rate_limit::{LimitStore as _, MemoryLimiter, Policies, Quota};

use crate::support::{bucket, cost, passed, take};

/// A million distinct keys, and a hundred million in the long form.
#[test]
fn soak_a_flood_of_keys_stays_within_the_memory_and_resets_nobody() {
    let is_long = std::env::var_os("RINGWALL_SOAK").is_some_and(|value| value == "1");
    let keys: u64 = if is_long { 100_000_000 } else { 1_000_000 };
    let quota = Quota::per_hour(10).unwrap();
    let policies = Policies::builder().add("test", quota).unwrap().build();
    let policy = policies.find("test").unwrap();
    let limiter = MemoryLimiter::new(policies, 20_000);
    let bytes = limiter.bytes();
    let at = Duration::from_secs(1);
    let known: Vec<_> = (0..1000)
        .map(|n| bucket(&limiter, policy, &format!("known {n}")))
        .collect();
    for bucket in &known {
        assert_eq!(passed(&limiter, at, *bucket, 7), 7);
    }
    let (mut own, mut shared, mut denied) = (0_u64, 0_u64, 0_u64);
    for n in 0..keys {
        let key = n.to_le_bytes();
        let bucket = limiter.policies().dimension(policy, [&key[..]]).unwrap();
        let decision = take(&limiter, at, bucket, 1);
        let status = *decision.statuses().next().unwrap();
        match (decision.is_allowed(), status.is_shared()) {
            (true, false) => own += 1,
            (true, true) => shared += 1,
            (false, true) => denied += 1,
            (false, false) => panic!("a new key was denied in a bucket of its own"),
        }
    }
    assert_eq!(own + shared + denied, keys);
    // All that have no place share one bucket of ten.
    assert_eq!(shared, 10);
    assert!(own <= 35_000, "{own}");
    assert_eq!(limiter.bytes(), bytes);
    // Whoever was there before is as they were: three tokens left, and not ten.
    for bucket in &known {
        assert_eq!(passed(&limiter, at, *bucket, 20), 3);
    }
    // When the buckets are full again, their places are free again.
    let later = at + quota.fill_time() + Duration::from_nanos(1);
    assert_eq!(limiter.count_at_work(later), 0);
    for n in 0..20_000_u32 {
        let bucket = bucket(&limiter, policy, &format!("new {n}"));
        let decision = limiter.check(later, &[bucket], cost(1)).unwrap();
        assert!(!decision.statuses().next().unwrap().is_shared(), "{n}");
    }
}
