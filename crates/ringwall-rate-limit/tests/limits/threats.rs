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
