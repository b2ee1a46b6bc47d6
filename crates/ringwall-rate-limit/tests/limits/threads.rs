//! Several threads at one bucket.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Barrier;

use ringwall_rate_limit::{LimitStore as _, MemoryLimiter, Policies, Quota};

use crate::support::{bucket, cost, limiter, passed};

const THREADS: usize = 4;

#[test]
fn threads_take_no_token_more_than_there_are() {
    for round in 0..20 {
        let (limiter, policy) = limiter(Quota::per_hour(1000).unwrap());
        let bucket = bucket(&limiter, policy, &round.to_string());
        let (count, barrier) = (AtomicU32::new(0), Barrier::new(THREADS));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    let taken = passed(&limiter, Duration::ZERO, bucket, 500);
                    count.fetch_add(taken, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(count.into_inner(), 1000);
    }
}

/// Threads with several limits each, in different orders, one of which runs out: what one of them gave up on is
/// given back, so that at the end each bucket owes what was allowed, and nothing else.
#[test]
fn threads_with_several_limits_leave_no_trace_of_what_was_denied() {
    let quota = Quota::per_hour(1000).unwrap();
    let mut builder = Policies::builder();
    for name in ["a", "b", "c"] {
        builder = builder.add(name, quota).unwrap();
    }
    let limiter = MemoryLimiter::new(builder.build(), 100);
    let all = ["a", "b", "c"].map(|name| {
        let policy = limiter.policies().find(name).unwrap();
        bucket(&limiter, policy, "x")
    });
    let [a, b, c] = all;
    let orders = [[a, b, c], [c, b, a], [b, a, c], [c, a, b]];
    let used: Vec<_> = all.iter().map(|_| AtomicU32::new(0)).collect();
    let barrier = Barrier::new(orders.len());
    std::thread::scope(|scope| {
        for (n, order) in orders.iter().enumerate() {
            let (limiter, used, barrier) = (&limiter, &used, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for turn in 0..600_usize {
                    // Two of the three, so that no bucket is used like another.
                    let two = &order[(n + turn) % 2..][..2];
                    let decision = limiter.check(Duration::ZERO, two, cost(1)).unwrap();
                    if decision.is_allowed() {
                        for bucket in two {
                            let place = all.iter().position(|known| known == bucket).unwrap();
                            used[place].fetch_add(1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    for (bucket, used) in all.iter().zip(used) {
        let left = passed(&limiter, Duration::ZERO, *bucket, 2000);
        assert_eq!(used.into_inner() + left, 1000);
    }
}

/// New keys all the time in a table that is too small: slots change hands while others use them, and no key ever
/// gets more than its burst in the time in which nothing comes back.
#[test]
fn places_that_change_hands_give_no_key_more_than_its_burst() {
    let quota = Quota::new(3, Duration::from_millis(1)).unwrap();
    let policies = Policies::builder().add("test", quota).unwrap().build();
    let policy = policies.find("test").unwrap();
    let limiter = MemoryLimiter::new(policies, 8);
    let time = AtomicU64::new(1);
    let hot: Vec<_> = (0..4)
        .map(|n| bucket(&limiter, policy, &format!("hot {n}")))
        .collect();
    let counts: Vec<_> = hot.iter().map(|_| AtomicU64::new(0)).collect();
    let step = 100_000;
    std::thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let (limiter, time, hot, counts) = (&limiter, &time, &hot, &counts);
            scope.spawn(move || {
                for turn in 0..20_000_u64 {
                    let now = Duration::from_nanos(time.load(Ordering::SeqCst));
                    let place = usize::try_from((turn + thread) % 4).unwrap();
                    let decision = limiter.check(now, &[hot[place]], cost(1)).unwrap();
                    let is_own = !decision.statuses().next().unwrap().is_shared();
                    if decision.is_allowed() && is_own {
                        counts[place].fetch_add(1, Ordering::SeqCst);
                    }
                    let other = bucket(limiter, policy, &format!("{thread} {turn}"));
                    limiter.check(now, &[other], cost(1)).map(drop).unwrap();
                    if turn % 16 == 0 {
                        time.fetch_add(step, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let end = time.into_inner();
    // What came in all that time, and the burst at its start.
    let most = end * 3 / 1_000_000 + 1 + 3;
    for count in counts {
        let count = count.into_inner();
        assert!(count <= most, "{count} of {most}");
        assert!(count > 0);
    }
}
