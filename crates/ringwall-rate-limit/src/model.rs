//! The limiter against every order of its steps that the memory model permits (`cargo xtask loom`).
//!
//! Lines have one slot here, so two keys fight for two places.

use core::num::NonZeroU32;
use core::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::limiter::MemoryLimiter;
use crate::policies::{Dimension, Policies};
use crate::quota::Quota;
use crate::table::Table;

const ONE: NonZeroU32 = NonZeroU32::MIN;
const NOW: Duration = Duration::from_secs(1000);

/// A limiter with two places in all, and the limits `a` and `b` of so many tokens.
fn limiter(a: u32, b: u32) -> (Arc<MemoryLimiter>, Dimension, Dimension) {
    let quota = |burst| Quota::per_hour(1).unwrap().burst(burst).unwrap();
    let builder = Policies::builder().add("a", quota(a)).unwrap();
    let policies = builder.add("b", quota(b)).unwrap().build();
    let dimension = |name| {
        let policy = policies.find(name).unwrap();
        policies.dimension(policy, [&b"x"[..]]).unwrap()
    };
    let (a, b) = (dimension("a"), dimension("b"));
    // One line and one spare: both limits have the same two places.
    let limiter = MemoryLimiter::with_table(policies, Table::with(1, 1, 1));
    (Arc::new(limiter), a, b)
}

/// 1 when the request passes, and in a bucket of its own.
fn take(limiter: &MemoryLimiter, now: Duration, dimensions: &[Dimension]) -> u32 {
    let decision = limiter.check(now, dimensions, ONE).unwrap();
    u32::from(decision.is_allowed() && !decision.statuses().any(|status| status.is_shared()))
}

fn left(limiter: &MemoryLimiter, now: Duration, dimension: Dimension) -> u32 {
    (0..5).map(|_| take(limiter, now, &[dimension])).sum()
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    if builder.preemption_bound.is_none() {
        builder.preemption_bound = Some(3);
    }
    builder.check(model);
}

#[test]
fn two_threads_with_the_last_token_of_a_bucket_that_is_there() {
    check(|| {
        let (limiter, a, _) = limiter(2, 1);
        assert_eq!(take(&limiter, NOW, &[a]), 1);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || take(&limiter, NOW, &[a]))
        };
        let mine = take(&limiter, NOW, &[a]);
        assert_eq!(mine + other.join().unwrap(), 1);
        assert_eq!(left(&limiter, NOW, a), 0);
    });
}

#[test]
fn two_threads_with_one_new_key() {
    check(|| {
        let (limiter, a, _) = limiter(1, 1);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || take(&limiter, NOW, &[a]))
        };
        let mine = take(&limiter, NOW, &[a]);
        assert_eq!(mine + other.join().unwrap(), 1);
        assert_eq!(left(&limiter, NOW, a), 0);
    });
}

/// One thread comes back to a bucket that is full, while another takes its place over for another key.
#[test]
fn a_place_that_is_taken_over_while_its_key_comes_back() {
    check(|| {
        let (limiter, a, b) = limiter(1, 1);
        assert_eq!(take(&limiter, NOW, &[a]), 1);
        // An hour and a nanosecond later the bucket is full.
        let later = NOW + Duration::from_nanos(3_600_000_000_001);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || take(&limiter, later, &[b]))
        };
        let mine = take(&limiter, later, &[a]);
        let other = other.join().unwrap();
        // There are two places: both found one, and neither was given a second token for it.
        assert_eq!((mine, other), (1, 1));
        assert_eq!(left(&limiter, later, a), 0);
        assert_eq!(left(&limiter, later, b), 0);
    });
}

/// Both threads want both limits, in different orders, and one limit has one token: either passes, or neither, and
/// what was given up leaves no trace.
#[test]
fn what_is_given_up_is_given_back() {
    check(|| {
        let (limiter, a, b) = limiter(1, 3);
        assert_eq!(take(&limiter, NOW, &[b]), 1);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || take(&limiter, NOW, &[b, a]))
        };
        let mine = take(&limiter, NOW, &[a, b]);
        let passed = mine + other.join().unwrap();
        assert!(passed <= 1);
        assert_eq!(left(&limiter, NOW, a), 1 - passed);
        assert_eq!(left(&limiter, NOW, b), 2 - passed);
    });
}

/// A refund and a request at the same time: the token that comes back is taken once.
#[test]
fn what_is_given_back_is_taken_once() {
    check(|| {
        let (limiter, a, _) = limiter(1, 1);
        let decision = limiter.check(NOW, &[a], ONE).unwrap();
        assert!(decision.is_allowed());
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.refund(NOW, decision))
        };
        let mine = take(&limiter, NOW, &[a]);
        other.join().unwrap();
        assert_eq!(mine + left(&limiter, NOW, a), 1);
    });
}
