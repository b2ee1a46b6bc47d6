//! What holds for every quota and every order of requests.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "numbers of a test, and an overflow is a failure of it"
)]

use core::time::Duration;

use proptest::prelude::*;
use ringwall_rate_limit::{Enforcement, LimitStore as _, MemoryLimiter, Policies, Quota};

use crate::support::{bucket, cost, limiter, take};

fn quota() -> impl Strategy<Value = Quota> {
    let period = prop_oneof![1_u64..1_000_000, 1_000_000_u64..10_000_000_000_000];
    (1_u32..5000, period, 1_u32..5000).prop_filter_map("not a quota", |(count, period, burst)| {
        let quota = Quota::new(count, Duration::from_nanos(period)).ok()?;
        quota.burst(burst).ok()
    })
}

proptest! {
    /// Between any two requests that pass, no more is taken than the burst, and what came meanwhile.
    #[test]
    fn no_time_holds_more_than_the_burst_and_the_rate(
        quota in quota(),
        requests in prop::collection::vec((0_u32..400, 1_u32..20), 1..120),
    ) {
        let (limiter, policy) = limiter(quota);
        let bucket = bucket(&limiter, policy, "a");
        let (mut now, mut passed) = (Duration::from_secs(1), Vec::new());
        for (wait, tokens) in requests {
            // In hundredths of an interval, so that waits are of the size that matters.
            now += quota.interval().mul_f64(f64::from(wait) / 100.0);
            if take(&limiter, now, bucket, tokens).is_allowed() {
                passed.push((now, u128::from(tokens)));
            }
        }
        for (n, (first, _)) in passed.iter().enumerate() {
            let mut sum = 0;
            for (last, tokens) in &passed[n..] {
                sum += tokens * quota.interval().as_nanos();
                prop_assert!(sum <= quota.fill_time().as_nanos() + (*last - *first).as_nanos());
            }
        }
    }

    /// However a tenant changes its quota, it gets no more than the ceiling gives: what its bucket holds, and what
    /// comes meanwhile.
    #[test]
    fn no_change_of_a_tenants_quota_gives_more_than_the_ceiling(
        ceiling in (1_u32..200, 1_u32..100),
        own in (1_u32..200, 1_u32..100),
        events in prop::collection::vec((0_u32..300, 0_u32..200, 1_u32..100, 1_u32..30), 1..150),
    ) {
        let of = |(count, burst)| Quota::per_second(count).unwrap().burst(burst).unwrap();
        let ceiling = of(ceiling);
        // The operator's own fills as fast, or the limit is a mistake.
        let own = of(own).at_most(ceiling);
        let most = ceiling.fill_time().as_nanos() / own.interval().as_nanos();
        let most = u32::try_from(most.max(1)).unwrap_or(u32::MAX);
        let own = own.burst(own.burst_size().min(most)).unwrap();
        prop_assume!(own.fill_time() <= ceiling.fill_time());
        let policies = Policies::builder()
            .add_with("p", own, Some(ceiling), Enforcement::Enforced)
            .unwrap()
            .build();
        let limiter = MemoryLimiter::new(policies.clone(), 100);
        let bucket = bucket(&limiter, policies.find("p").unwrap(), "a");
        let (mut now, mut passed) = (Duration::from_secs(1), Vec::new());
        for (wait, count, burst, tokens) in events {
            // Most follow at once.
            now += ceiling.interval() * wait.saturating_sub(200);
            // Rates from one an hour up to more than the ceiling's, and none of its own.
            let asked = match count {
                0 => None,
                1..50 => Quota::new(count, Duration::from_secs(3600)).and_then(|quota| quota.burst(burst)).ok(),
                _ => Some(of((count, burst))),
            };
            policies.set_tenant_overrides([(bucket, asked)]).unwrap();
            if take(&limiter, now, bucket, tokens).is_allowed() {
                passed.push((now, u128::from(tokens)));
            }
        }
        let longest = ceiling.fill_time().as_nanos();
        for (n, (first, _)) in passed.iter().enumerate() {
            let mut sum = 0;
            for (last, tokens) in &passed[n..] {
                sum += tokens * ceiling.interval().as_nanos();
                // A nanosecond for each token of a burst is rounding.
                prop_assert!(sum <= longest + 100 + (*last - *first).as_nanos(), "{sum} {longest}");
            }
        }
    }

    /// Whoever waits as long as they were told passes, and whoever waits a nanosecond less does not.
    #[test]
    fn a_wait_is_as_long_as_it_has_to_be(
        quota in quota(),
        taken in 0_u32..5000,
        tokens in 1_u32..5000,
    ) {
        let (limiter, policy) = limiter(quota);
        let bucket = bucket(&limiter, policy, "a");
        let now = Duration::from_secs(1);
        let tokens = tokens.min(quota.burst_size());
        if taken > 0 {
            drop(take(&limiter, now, bucket, taken.min(quota.burst_size())));
        }
        let decision = limiter.peek(now, &[bucket], cost(tokens)).unwrap();
        let wait = decision.statuses().next().unwrap().retry_after();
        prop_assert_eq!(decision.is_allowed(), wait.is_zero());
        if !wait.is_zero() {
            let early = now + wait - Duration::from_nanos(1);
            prop_assert!(!limiter.peek(early, &[bucket], cost(tokens)).unwrap().is_allowed());
        }
        prop_assert!(take(&limiter, now + wait, bucket, tokens).is_allowed());
    }

    /// Of several limits the decision is that of each alone, and a denied request leaves no trace in any.
    #[test]
    fn several_limits_deny_when_one_of_them_does(
        quotas in prop::collection::vec(quota(), 1..=6),
        requests in prop::collection::vec((0_u64..1_000_000_000, 1_u32..50), 1..40),
    ) {
        let mut builder = Policies::builder();
        for (n, quota) in quotas.iter().enumerate() {
            builder = builder.add(&format!("p{n}"), *quota).unwrap();
        }
        let all = MemoryLimiter::new(builder.build(), 100);
        let buckets: Vec<_> = all.policies().ids().map(|id| bucket(&all, id, "a")).collect();
        let alone: Vec<_> = quotas.iter().map(|quota| limiter(*quota)).collect();
        let mut now = Duration::from_secs(1);
        for (wait, tokens) in requests {
            now += Duration::from_nanos(wait);
            let each: Vec<_> = alone
                .iter()
                .map(|(limiter, policy)| {
                    let bucket = bucket(limiter, *policy, "a");
                    limiter.peek(now, &[bucket], cost(tokens)).unwrap().is_allowed()
                })
                .collect();
            let is_allowed = each.iter().all(|allowed| *allowed);
            let decision = all.check(now, &buckets, cost(tokens)).unwrap();
            prop_assert_eq!(decision.is_allowed(), is_allowed);
            if is_allowed {
                for (limiter, policy) in &alone {
                    let bucket = bucket(limiter, *policy, "a");
                    prop_assert!(take(limiter, now, bucket, tokens).is_allowed());
                }
            }
        }
    }
}
