//! The list of what goes wrong with rate limits, line by line.

use core::time::Duration;

use ringwall_rate_limit::{
    Enforcement, LimitError, LimitState, LimitStore as _, MAX_DIMENSIONS, MemoryLimiter, Policies,
    PolicyError, Quota, QuotaError, Verdict,
};

use crate::support::{bucket, cost, limiter, millis, passed, take, wait};

#[test]
fn a_clock_that_goes_back_gives_nothing_away_and_locks_nobody_out() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let hour = Duration::from_secs(3600);
    assert_eq!(passed(&limiter, hour, bucket, 100), 10);
    // Back by a little: what was used stays used, and comes back when the clock has caught up.
    assert_eq!(passed(&limiter, hour - millis(500), bucket, 100), 0);
    assert_eq!(passed(&limiter, hour, bucket, 100), 0);
    assert_eq!(passed(&limiter, hour + millis(100), bucket, 100), 1);
    // Back by an hour: not one token, and the bucket fills from there on.
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 0);
    assert_eq!(passed(&limiter, millis(99), bucket, 100), 0);
    assert_eq!(passed(&limiter, millis(100), bucket, 100), 1);
    assert_eq!(passed(&limiter, millis(1100), bucket, 100), 10);
}

#[test]
fn a_clock_that_jumps_ahead_fills_a_bucket_and_no_more() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 10);
    let later = Duration::from_secs(100 * 366 * 86_400);
    assert_eq!(passed(&limiter, later, bucket, 100), 10);
}

#[test]
fn after_a_suspension_that_the_clock_does_not_count_nothing_is_gained() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let at = Duration::from_secs(5);
    assert_eq!(passed(&limiter, at, bucket, 100), 10);
    // The monotonic clock stood still meanwhile.
    assert_eq!(passed(&limiter, at, bucket, 100), 0);
}

#[test]
fn a_time_beyond_all_reckoning_denies() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    for at in [Duration::MAX, Duration::from_secs(u64::MAX / 1_000_000_000)] {
        let answer = limiter.check(at, &[bucket], cost(1));
        assert!(matches!(answer, Err(LimitError::Time)), "{at:?}");
        assert!(matches!(
            limiter.peek(at, &[bucket], cost(1)),
            Err(LimitError::Time)
        ));
    }
    let latest = Duration::from_nanos((1 << 62) - 1);
    assert_eq!(passed(&limiter, latest, bucket, 100), 10);
}

#[test]
fn a_rate_a_burst_or_a_period_of_zero_cannot_be_made() {
    assert_eq!(Quota::per_minute(0), Err(QuotaError::NoCount));
    assert_eq!(
        Quota::per_minute(1).unwrap().burst(0),
        Err(QuotaError::NoBurst)
    );
    assert_eq!(Quota::new(1, Duration::ZERO), Err(QuotaError::NoPeriod));
}

#[test]
fn a_cost_above_the_burst_is_a_no_for_ever_and_charges_nothing() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap().burst(5).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    for tokens in [6, 7, u32::MAX] {
        let decision = take(&limiter, Duration::ZERO, bucket, tokens);
        assert_eq!(decision.verdict(), Verdict::NeverAllowed);
        let status = *decision.statuses().next().unwrap();
        assert_eq!(status.state(), LimitState::BeyondBurst);
        assert_eq!(status.remaining(), 5);
    }
    assert!(take(&limiter, Duration::ZERO, bucket, 5).is_allowed());
    // And with an empty bucket it is still a no for ever, not a wait.
    let decision = take(&limiter, Duration::ZERO, bucket, 6);
    assert_eq!(decision.verdict(), Verdict::NeverAllowed);
}

#[test]
fn a_rate_above_a_thousand_million_a_second_cannot_be_made() {
    assert_eq!(Quota::per_second(1_000_000_001), Err(QuotaError::TooFast));
    let (limiter, policy) = limiter(Quota::per_second(1_000_000_000).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    assert!(take(&limiter, Duration::ZERO, bucket, 1_000_000_000).is_allowed());
    assert!(!take(&limiter, Duration::ZERO, bucket, 1).is_allowed());
    assert!(take(&limiter, Duration::from_nanos(1), bucket, 1).is_allowed());
}

#[test]
fn a_quota_that_is_lowered_far_below_what_is_owed_locks_out_for_its_own_time_alone() {
    let (limiter, policy) = limiter(Quota::per_hour(1000).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 2000), 1000);
    // It would be full in an hour. From now on, a bucket of ten fills in a second.
    let policies = limiter.policies();
    policies
        .set_quota(policy, Quota::per_second(10).unwrap())
        .unwrap();
    let denied = take(&limiter, millis(1), bucket, 1);
    assert_eq!(wait(&denied), millis(100));
    assert_eq!(passed(&limiter, millis(101), bucket, 5), 1);
    assert_eq!(passed(&limiter, millis(1101), bucket, 100), 10);
}

#[test]
fn a_quota_that_is_raised_does_not_fill_the_bucket() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 10);
    let policies = limiter.policies();
    policies
        .set_quota(policy, Quota::per_second(1000).unwrap())
        .unwrap();
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 2000), 0);
    assert_eq!(passed(&limiter, millis(10), bucket, 2000), 10);
    assert_eq!(passed(&limiter, millis(2000), bucket, 2000), 1000);
}

#[test]
fn what_a_bucket_owes_survives_a_change_there_and_back() {
    let quota = Quota::per_second(10).unwrap();
    let (limiter, policy) = limiter(quota);
    let bucket = bucket(&limiter, policy, "a");
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 6), 6);
    let policies = limiter.policies();
    policies
        .set_quota(policy, Quota::per_second(100).unwrap())
        .unwrap();
    policies.set_quota(policy, quota).unwrap();
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 4);
}

#[test]
fn two_parts_are_not_one_part_with_the_delimiter() {
    let (limiter, policy) = limiter(Quota::per_second(1).unwrap());
    let parts: [&[&[u8]]; 4] = [
        &[b"a:b", b"c"],
        &[b"a", b"b:c"],
        &[b"a:b:c"],
        &[b"a", b"b", b"c"],
    ];
    for parts in parts {
        let bucket = limiter.policies().dimension(policy, parts.iter().copied());
        assert_eq!(
            passed(&limiter, Duration::ZERO, bucket.unwrap(), 5),
            1,
            "{parts:?}"
        );
    }
}

#[test]
fn the_name_of_a_limit_is_part_of_its_keys() {
    let quota = Quota::per_second(1).unwrap();
    let builder = Policies::builder().add("a", quota).unwrap();
    let policies = builder.add("b", quota).unwrap().build();
    let [a, b] = ["a", "b"].map(|name| policies.find(name).unwrap());
    let limiter = MemoryLimiter::new(policies, 10);
    for policy in [a, b] {
        let bucket = bucket(&limiter, policy, "same");
        assert_eq!(passed(&limiter, Duration::ZERO, bucket, 5), 1);
    }
}

#[test]
fn nobody_and_a_megabyte_are_no_keys() {
    let (limiter, policy) = limiter(Quota::per_second(1).unwrap());
    let policies = limiter.policies();
    assert!(policies.dimension(policy, []).is_err());
    assert!(policies.dimension(policy, [&b""[..]]).is_err());
    assert!(policies.dimension(policy, [&b"a"[..], b""]).is_err());
    assert!(
        policies
            .dimension(policy, [&vec![b'a'; 1 << 20][..]])
            .is_err()
    );
}

#[test]
fn a_limit_that_is_named_twice_counts_once() {
    let (limiter, policy) = limiter(Quota::per_second(4).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let twice = [bucket, bucket];
    let decision = limiter.check(Duration::ZERO, &twice, cost(1)).unwrap();
    assert_eq!(decision.statuses().count(), 1);
    assert_eq!(decision.statuses().next().unwrap().remaining(), 3);
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 10), 3);
}

#[test]
fn a_request_that_is_checked_against_nothing_is_no_request_that_is_allowed() {
    let (limiter, policy) = limiter(Quota::per_second(1).unwrap());
    let answer = limiter.check(Duration::ZERO, &[], cost(1));
    assert!(matches!(answer, Err(LimitError::NoDimensions)));
    let many: Vec<_> = (0..=MAX_DIMENSIONS)
        .map(|n| bucket(&limiter, policy, &n.to_string()))
        .collect();
    let answer = limiter.check(Duration::ZERO, &many, cost(1));
    assert!(matches!(answer, Err(LimitError::TooManyDimensions)));
    // Nothing was charged on the way to the error.
    for bucket in many {
        assert_eq!(passed(&limiter, Duration::ZERO, bucket, 5), 1);
    }
}

#[test]
fn a_limit_of_other_policies_is_an_error() {
    let (mine, _) = limiter(Quota::per_second(1).unwrap());
    let quota = Quota::per_second(1).unwrap();
    let others = Policies::builder().add("x", quota).unwrap();
    let others = others.add("y", quota).unwrap().build();
    let foreign = others.find("y").unwrap();
    let dimension = others.dimension(foreign, [&b"a"[..]]).unwrap();
    let answer = mine.check(Duration::ZERO, &[dimension], cost(1));
    assert!(matches!(answer, Err(LimitError::UnknownPolicy)));
    assert_eq!(
        mine.policies().set_quota(foreign, quota),
        Err(PolicyError::Unknown)
    );
    assert_eq!(
        mine.policies().set_override(&dimension, Some(quota)),
        Err(PolicyError::Unknown)
    );
}

#[test]
fn a_request_that_one_limit_denies_takes_nothing_from_the_others() {
    // Envoy's rate limit service consumes the broad quota for requests that another limit denies
    // (envoyproxy/ratelimit#1060).
    let builder = Policies::builder();
    let builder = builder
        .add("broad", Quota::per_second(100).unwrap())
        .unwrap();
    let builder = builder
        .add("narrow", Quota::per_second(1).unwrap())
        .unwrap();
    let limiter = MemoryLimiter::new(builder.build(), 100);
    let [broad, narrow] = ["broad", "narrow"].map(|name| {
        let policy = limiter.policies().find(name).unwrap();
        bucket(&limiter, policy, "a")
    });
    for order in [[broad, narrow], [narrow, broad]] {
        for n in 0..50 {
            let decision = limiter
                .check(Duration::from_secs(10), &order, cost(1))
                .unwrap();
            let is_first = n == 0 && order == [broad, narrow];
            assert_eq!(decision.is_allowed(), is_first);
            let status = decision
                .statuses()
                .find(|status| status.dimension() == broad);
            assert_eq!(status.unwrap().remaining(), 99);
            if !is_first {
                let violated: Vec<_> = decision.violated().map(|status| status.policy()).collect();
                assert_eq!(violated, [narrow.policy()]);
            }
        }
    }
}

#[test]
fn what_was_given_back_can_be_taken_again_and_once() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let first = take(&limiter, Duration::ZERO, bucket, 4);
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 6);
    limiter.refund(Duration::ZERO, first);
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 4);
    // A bucket never gets more than full.
    let last = take(&limiter, Duration::from_secs(1), bucket, 10);
    limiter.refund(Duration::from_secs(60), last);
    assert_eq!(passed(&limiter, Duration::from_secs(60), bucket, 100), 10);
}

#[test]
fn what_was_denied_or_only_looked_at_gives_nothing_back() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let looked = limiter.peek(Duration::ZERO, &[bucket], cost(5)).unwrap();
    assert!(looked.is_allowed());
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 10);
    limiter.refund(Duration::ZERO, looked);
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 0);
    let denied = take(&limiter, Duration::ZERO, bucket, 5);
    limiter.refund(Duration::ZERO, denied);
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 0);
}

#[test]
fn a_limit_that_is_tried_out_says_what_it_would_deny_and_denies_nothing() {
    let builder = Policies::builder();
    let builder = builder.add("old", Quota::per_second(100).unwrap()).unwrap();
    let quota = Quota::per_second(2).unwrap();
    let builder = builder.add_with("new", quota, None, Enforcement::Shadow);
    let limiter = MemoryLimiter::new(builder.unwrap().build(), 100);
    let [old, new] = ["old", "new"].map(|name| {
        let policy = limiter.policies().find(name).unwrap();
        bucket(&limiter, policy, "a")
    });
    let mut would = 0;
    for _ in 0..10 {
        let decision = limiter.check(Duration::ZERO, &[new, old], cost(1)).unwrap();
        assert!(decision.is_allowed());
        assert_eq!(decision.violated().count(), 0);
        let shadow = *decision.statuses().next().unwrap();
        assert!(shadow.is_shadow());
        would += u32::from(shadow.state() == LimitState::Exceeded);
    }
    assert_eq!(would, 8);
    // Alone it denies nothing either, and nothing is allowed by it that another denies.
    assert!(
        limiter
            .check(Duration::ZERO, &[new], cost(1))
            .unwrap()
            .is_allowed()
    );
    assert!(
        limiter
            .check(Duration::ZERO, &[new], cost(3))
            .unwrap()
            .is_allowed()
    );
    assert_eq!(passed(&limiter, Duration::ZERO, old, 200), 90);
    let decision = limiter.check(Duration::ZERO, &[new, old], cost(1)).unwrap();
    assert!(!decision.is_allowed());
    // In earnest from now on.
    let policies = limiter.policies();
    policies
        .set_enforcement(new.policy(), Enforcement::Enforced)
        .unwrap();
    assert!(
        !limiter
            .check(Duration::ZERO, &[new], cost(1))
            .unwrap()
            .is_allowed()
    );
}

#[test]
fn a_tenant_sets_its_own_quota_under_the_operators_ceiling_alone() {
    let quota = Quota::per_second(20).unwrap().burst(40).unwrap();
    let ceiling = Quota::per_second(50).unwrap().burst(100).unwrap();
    let builder = Policies::builder();
    let builder = builder.add_with("project", quota, Some(ceiling), Enforcement::Enforced);
    let policies = builder.unwrap().add("other", quota).unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let project = bucket(&limiter, policies.find("project").unwrap(), "p");
    let asked = Quota::per_second(1_000_000).unwrap();
    assert_eq!(policies.set_tenant_override(&project, asked), Ok(ceiling));
    assert_eq!(policies.quota_of(&project), Some(ceiling));
    assert_eq!(passed(&limiter, Duration::ZERO, project, 1000), 100);
    // Below the ceiling it is as asked, and holds from the next request on.
    let asked = Quota::per_second(1).unwrap();
    assert_eq!(policies.set_tenant_override(&project, asked), Ok(asked));
    assert_eq!(passed(&limiter, Duration::from_secs(60), project, 1000), 1);
    policies.set_override(&project, None).unwrap();
    assert_eq!(
        passed(&limiter, Duration::from_secs(120), project, 1000),
        40
    );
    // Without a ceiling tenants set nothing, and the operator anything.
    let other = bucket(&limiter, policies.find("other").unwrap(), "p");
    assert_eq!(
        policies.set_tenant_override(&other, asked),
        Err(PolicyError::NoCeiling)
    );
    assert_eq!(policies.set_override(&other, Some(ceiling)), Ok(()));
    assert_eq!(passed(&limiter, Duration::ZERO, other, 1000), 100);
    // Nobody else's bucket noticed.
    let neighbour = bucket(&limiter, policies.find("project").unwrap(), "q");
    assert_eq!(passed(&limiter, Duration::ZERO, neighbour, 1000), 40);
}

#[test]
fn a_tenant_gets_no_more_than_the_ceiling_by_changing_its_quota_back_and_forth() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    let ceiling = second(50, 100);
    let builder = Policies::builder();
    let builder = builder.add_with("p", second(20, 40), Some(ceiling), Enforcement::Enforced);
    let policies = builder.unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let project = bucket(&limiter, policies.find("p").unwrap(), "a");
    // A slow one of which a second is one token, a small one, the largest, and none of its own: at one moment.
    let slow = Quota::per_second(1).unwrap().burst(100).unwrap();
    let all = [Some(slow), Some(second(50, 1)), Some(ceiling), None];
    let mut passes = 0;
    for turn in 0..200_usize {
        let quota = all[(turn * 7 + turn / 5) % all.len()];
        policies.set_tenant_overrides([(project, quota)]).unwrap();
        passes += passed(&limiter, Duration::from_secs(1), project, 150);
    }
    assert!((1..=100).contains(&passes), "{passes}");
    // And in the minute after it, as much as the ceiling gives.
    for turn in 0..6000_usize {
        let quota = all[(turn * 7 + turn / 5) % all.len()];
        policies.set_tenant_overrides([(project, quota)]).unwrap();
        let at = Duration::from_secs(1) + millis(10) * u32::try_from(turn).unwrap();
        passes += passed(&limiter, at, project, 150);
    }
    assert!((1000..=100 + 50 * 60).contains(&passes), "{passes}");
}

#[test]
fn asking_for_a_small_quota_and_going_back_costs_nothing() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    let ceiling = Some(second(50, 100));
    let builder = Policies::builder();
    let builder = builder.add_with("p", second(20, 40), ceiling, Enforcement::Enforced);
    let policies = builder.unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let project = bucket(&limiter, policies.find("p").unwrap(), "a");
    let now = Duration::from_secs(1);
    assert_eq!(passed(&limiter, now, project, 30), 30);
    for small in [second(50, 1), second(1, 1)] {
        policies.set_tenant_override(&project, small).unwrap();
        assert_eq!(passed(&limiter, now, project, 5), 0);
        policies.set_tenant_overrides([(project, None)]).unwrap();
    }
    assert_eq!(passed(&limiter, now, project, 40), 10);
}

#[test]
fn a_slow_quota_of_a_tenant_holds_as_much_as_the_ceiling_fills_in_its_time() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    let builder = Policies::builder();
    let ceiling = Some(second(50, 100));
    let builder = builder.add_with("p", second(20, 40), ceiling, Enforcement::Enforced);
    let policies = builder.unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let project = bucket(&limiter, policies.find("p").unwrap(), "a");
    let set = |quota| policies.set_tenant_override(&project, quota).unwrap();
    assert_eq!(set(second(5, 40)), second(5, 10));
    assert_eq!(set(second(1, 1)), second(1, 1));
    let hourly = Quota::per_hour(1).unwrap();
    assert_eq!(set(hourly.burst(7).unwrap()), hourly);
    assert_eq!(passed(&limiter, Duration::ZERO, project, 10), 1);
}

#[test]
fn quotas_of_many_tenants_are_in_force_together_or_not_at_all() {
    let quota = Quota::per_second(20).unwrap();
    let ceiling = Quota::per_second(50).unwrap();
    let builder = Policies::builder();
    let builder = builder.add_with("project", quota, Some(ceiling), Enforcement::Enforced);
    let policies = builder.unwrap().add("other", quota).unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let of = |limit: &str, key: &str| bucket(&limiter, policies.find(limit).unwrap(), key);
    let asked = Quota::per_second(30).unwrap();
    let more = Quota::per_second(1000).unwrap();
    let all = [
        (of("project", "a"), Some(asked)),
        (of("project", "b"), Some(more)),
    ];
    assert_eq!(policies.set_tenant_overrides(all), Ok(()));
    assert_eq!(policies.quota_of(&all[0].0), Some(asked));
    assert_eq!(policies.quota_of(&all[1].0), Some(ceiling));
    let refused = [
        (all[0].0, None),
        (of("other", "a"), Some(asked)),
        (of("project", "c"), Some(asked)),
    ];
    let answer = policies.set_tenant_overrides(refused);
    assert_eq!(answer, Err(PolicyError::NoCeiling));
    assert_eq!(policies.quota_of(&all[0].0), Some(asked));
    assert_eq!(policies.quota_of(&refused[2].0), Some(quota));
    assert_eq!(policies.set_tenant_overrides([(all[0].0, None)]), Ok(()));
    assert_eq!(policies.quota_of(&all[0].0), Some(quota));
    // One of policies that are not these.
    let others = Policies::builder().build();
    assert_eq!(
        others.set_tenant_overrides([(all[0].0, None)]),
        Err(PolicyError::Unknown)
    );
}

#[test]
fn a_limit_above_its_own_ceiling_is_a_mistake() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    for (quota, ceiling) in [
        (second(20, 20), second(10, 10)),
        (second(20, 20), second(20, 10)),
        // It would take longer to fill, so a tenant that goes back to it would have another burst.
        (second(20, 40), second(50, 50)),
        (second(1, 100), second(50, 100)),
    ] {
        let built = Policies::builder().add_with("x", quota, Some(ceiling), Enforcement::Enforced);
        assert_eq!(built.unwrap_err(), PolicyError::AboveCeiling, "{quota:?}");
    }
    let (quota, ceiling) = (second(20, 40), second(50, 100));
    let built = Policies::builder().add_with("x", quota, Some(ceiling), Enforcement::Enforced);
    let policies = built.unwrap().build();
    let policy = policies.find("x").unwrap();
    for above in [second(60, 60), second(20, 41), second(1, 3)] {
        assert_eq!(
            policies.set_quota(policy, above),
            Err(PolicyError::AboveCeiling)
        );
    }
    assert_eq!(policies.quota(policy), Some(quota));
    assert_eq!(policies.set_quota(policy, second(1, 2)), Ok(()));
}

#[test]
fn a_tenant_does_not_change_what_the_operator_gave_its_bucket() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    let ceiling = Some(second(50, 100));
    let builder = Policies::builder();
    let builder = builder.add_with("p", second(20, 40), ceiling, Enforcement::Enforced);
    let policies = builder.unwrap().add("other", second(5, 5)).unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let of = |limit: &str| bucket(&limiter, policies.find(limit).unwrap(), "a");
    let (project, other) = (of("p"), of("other"));
    let throttled = Quota::per_minute(1).unwrap();
    policies.set_override(&project, Some(throttled)).unwrap();
    assert_eq!(
        policies.set_tenant_override(&project, second(50, 100)),
        Ok(throttled)
    );
    for asked in [Some(second(50, 100)), None] {
        assert_eq!(policies.set_tenant_overrides([(project, asked)]), Ok(()));
        assert_eq!(policies.quota_of(&project), Some(throttled));
    }
    // Where there is no ceiling, tenants do not even take away.
    policies.set_override(&other, Some(throttled)).unwrap();
    let refused = policies.set_tenant_overrides([(other, None)]);
    assert_eq!(refused, Err(PolicyError::NoCeiling));
    assert_eq!(policies.quota_of(&other), Some(throttled));
    // The operator does.
    policies.set_override(&project, None).unwrap();
    assert_eq!(
        policies.set_tenant_override(&project, second(50, 100)),
        Ok(second(50, 100))
    );
}

#[test]
fn a_name_that_could_end_a_header_field_is_refused() {
    let quota = Quota::per_second(20).unwrap();
    let long = "x".repeat(65);
    for name in ["", "A", "a b", "a\"", "a\r\nx: y", "ä", "a;b", &long] {
        let built = Policies::builder().add(name, quota);
        assert_eq!(built.unwrap_err(), PolicyError::Name, "{name:?}");
    }
    let twice = Policies::builder().add("a", quota).unwrap().add("a", quota);
    assert_eq!(twice.unwrap_err(), PolicyError::Duplicate);
}

#[test]
fn a_wait_is_exact() {
    let (limiter, policy) = limiter(Quota::per_second(4).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    assert_eq!(passed(&limiter, Duration::ZERO, bucket, 100), 4);
    let denied = take(&limiter, millis(10), bucket, 3);
    assert_eq!(wait(&denied), millis(740));
    let early = millis(750) - Duration::from_nanos(1);
    assert!(!take(&limiter, early, bucket, 3).is_allowed());
    assert!(take(&limiter, millis(750), bucket, 3).is_allowed());
}

#[test]
fn near_is_said_once_on_the_way_up() {
    let (limiter, policy) = limiter(Quota::per_second(10).unwrap());
    let bucket = bucket(&limiter, policy, "a");
    let near = |at| {
        let decision = take(&limiter, at, bucket, 1);
        decision.statuses().next().unwrap().crossed_into_near()
    };
    let all: Vec<_> = (0..12).map(|_| near(Duration::ZERO)).collect();
    let times: Vec<_> = all
        .iter()
        .enumerate()
        .filter(|(_, near)| **near)
        .map(|(n, _)| n)
        .collect();
    assert_eq!(times, [7]);
    // Half of it has come back.
    assert!(!near(millis(500)));
    assert!(!near(millis(500)));
    assert!(near(millis(500)));
    assert!(!near(millis(500)));
}

#[test]
fn the_tightest_limit_is_the_one_that_denies_or_of_which_the_least_is_left() {
    let builder = Policies::builder();
    let builder = builder
        .add("large", Quota::per_second(100).unwrap())
        .unwrap();
    let builder = builder
        .add("small", Quota::per_second(10).unwrap())
        .unwrap();
    let limiter = MemoryLimiter::new(builder.build(), 100);
    let [large, small] = ["large", "small"].map(|name| {
        let policy = limiter.policies().find(name).unwrap();
        bucket(&limiter, policy, "a")
    });
    let tightest = || {
        let decision = limiter
            .check(Duration::ZERO, &[large, small], cost(1))
            .unwrap();
        decision.tightest().map(|status| status.policy()).unwrap()
    };
    assert_eq!(tightest(), small.policy());
    assert_eq!(passed(&limiter, Duration::ZERO, large, 90), 90);
    assert_eq!(tightest(), large.policy());
    assert_eq!(passed(&limiter, Duration::ZERO, small, 90), 8);
    assert_eq!(tightest(), small.policy());
}
