//! Quotas that tenants set for themselves, under the operator's ceiling.

use core::time::Duration;

use ringwall_rate_limit::{Enforcement, MemoryLimiter, Policies, PolicyError, Quota};

use crate::support::{bucket, millis, passed};

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
fn under_a_small_quota_the_trace_of_a_clock_still_owes_what_the_ceiling_fills() {
    let second = |count, burst| Quota::per_second(count).unwrap().burst(burst).unwrap();
    let ceiling = Some(second(50, 100));
    let builder = Policies::builder();
    let builder = builder.add_with("p", second(20, 40), ceiling, Enforcement::Enforced);
    let policies = builder.unwrap().build();
    let limiter = MemoryLimiter::new(policies.clone(), 100);
    let project = bucket(&limiter, policies.find("p").unwrap(), "a");
    assert_eq!(passed(&limiter, Duration::from_secs(1000), project, 40), 40);
    // The clock goes back while the tenant has a quota that fills in a fiftieth of a second.
    let now = Duration::from_secs(1);
    policies
        .set_tenant_override(&project, second(50, 1))
        .unwrap();
    assert_eq!(passed(&limiter, now, project, 5), 0);
    policies.set_tenant_overrides([(project, None)]).unwrap();
    assert_eq!(passed(&limiter, now, project, 40), 0);
    // An empty bucket, and no more than that.
    let later = now + Duration::from_secs(2);
    assert_eq!(passed(&limiter, later, project, 50), 40);
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
