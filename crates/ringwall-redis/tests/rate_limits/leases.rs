//! Tokens that are taken in advance.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ringwall_rate_limit::{Dimension, LimitStore as _, Quota};
use ringwall_redis::{RedisLeases, RedisLimiter};

use crate::servers::{Server, redis};
use crate::setting::{eventually, shared_url};
use crate::world::{
    Admin, bucket, check, hourly, name, now, passed, patient, policies_of, secret, tokens,
};

const LONG: Duration = Duration::from_secs(10);

async fn leasing(
    url: &str,
    secret: [u8; 16],
    limits: &[(&str, Quota)],
    lasting: Duration,
) -> RedisLimiter {
    RedisLimiter::builder(&patient(url).await, policies_of(secret, limits))
        .leases(RedisLeases::new().lasting(lasting))
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid")
}

fn server() -> Server {
    redis::start(&[]).expect("a server")
}

/// What is taken of a bucket by the server's word, in tokens of an hour.
fn taken(admin: &mut Admin, bucket: Dimension) -> u64 {
    let full_at: Option<u64> = admin.run(&["GET", &name(bucket)]);
    let debt = full_at.map_or(0, |full_at| full_at.saturating_sub(admin.time()));
    debt.div_ceil(3_600_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_spares_round_trips_and_is_charged_before_it_is_served() {
    let server = server();
    let mut admin = Admin::of(&server);
    let limiter = leasing(server.url(), secret(), &[("many", hourly(1000))], LONG).await;
    let many = [bucket(&limiter, "many", "a")];
    let mut passed = 0;
    for _ in 0..500 {
        let decision = check(&limiter, &many, 1).await.expect("it answers");
        passed += u64::from(decision.is_allowed());
        let status = decision.statuses().next().expect("a status");
        assert_eq!(u64::from(status.remaining()), 1000 - passed);
        assert!(
            taken(&mut admin, many[0]) >= passed,
            "served, but not charged"
        );
    }
    assert_eq!(passed, 500);
    // The first, and one for each lease of a hundred and the request that brings it.
    assert_eq!(admin.runs("evalsha"), 1 + 5);
    assert!(taken(&mut admin, many[0]) <= 500 + 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_comes_once_takes_no_lease() {
    let limiter = leasing(&shared_url(), secret(), &[("many", hourly(1000))], LONG).await;
    let mut admin = Admin::new(&shared_url());
    for key in 0..20 {
        let once = bucket(&limiter, "many", &key.to_string());
        assert!(check(&limiter, &[once], 1).await.expect("up").is_allowed());
        assert_eq!(taken(&mut admin, once), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unused_tokens_are_given_back_at_the_end_of_the_lease() {
    let (server, secret) = (server(), secret());
    let limits = [("many", hourly(1000))];
    let lasting = Duration::from_millis(500);
    let limiter = leasing(server.url(), secret, &limits, lasting).await;
    let many = [bucket(&limiter, "many", "a")];
    assert_eq!(passed(&limiter, &many, 3).await, 3);
    let mut admin = Admin::of(&server);
    eventually("what was not used", || async {
        taken(&mut Admin::of(&server), many[0]) == 3
    })
    .await;
    // By the one request, or by the task that waited for the end: and only once.
    tokio::time::sleep(lasting * 3).await;
    assert_eq!(taken(&mut admin, many[0]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_over_is_not_served_and_comes_back_with_the_next_request() {
    let server = server();
    let mut admin = Admin::of(&server);
    // It does not end by itself while this runs.
    let limiter = leasing(server.url(), secret(), &[("many", hourly(1000))], LONG).await;
    let many = [bucket(&limiter, "many", "a")];
    assert_eq!(passed(&limiter, &many, 2).await, 2);
    assert_eq!(taken(&mut admin, many[0]), 102);
    let asked = admin.runs("evalsha");
    let later = now() + LONG;
    let decision = limiter
        .check(later, &many, tokens(1))
        .await
        .expect("it answers");
    assert!(decision.is_allowed());
    assert_eq!(
        admin.runs("evalsha"),
        asked + 1,
        "asked, though tokens were left"
    );
    // It was long ago, so no other lease was taken.
    assert_eq!(taken(&mut admin, many[0]), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_serve_more_than_the_bucket_has_and_leave_nothing_behind() {
    let (url, secret) = (shared_url(), secret());
    let limits = [("many", hourly(300))];
    let lasting = Duration::from_millis(200);
    let one = leasing(&url, secret, &limits, lasting).await;
    let other = leasing(&url, secret, &limits, lasting).await;
    let many = [bucket(&one, "many", "a")];
    let (mut here, mut there) = (0, 0);
    // Until both are denied and no lease is left.
    for _ in 0..6 {
        for _ in 0..100 {
            here += passed(&one, &many, 1).await;
            there += passed(&other, &many, 1).await;
        }
        tokio::time::sleep(lasting * 2).await;
    }
    assert_eq!(here + there, 300, "{here} and {there}");
    assert!(here >= 50 && there >= 50, "{here} and {there}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_requests_at_once_one_fetches_and_the_others_wait_for_it() {
    let server = server();
    let mut admin = Admin::of(&server);
    let limiter = leasing(server.url(), secret(), &[("many", hourly(2000))], LONG).await;
    let many = bucket(&limiter, "many", "a");
    assert_eq!(passed(&limiter, &[many], 1).await, 1);
    let limiter = Arc::new(limiter);
    let tasks: Vec<_> = (0..150)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { passed(&*limiter, &[many], 1).await })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += task.await.expect("no panic");
    }
    assert_eq!(passed, 150);
    assert_eq!(
        admin.runs("evalsha"),
        2,
        "the first, and the one that fetched"
    );
    assert_eq!(taken(&mut admin, many), 1 + 1 + 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_over_several_leases_pass_exactly_as_often_as_there_are_tokens() {
    let lasting = Duration::from_millis(300);
    let limiter = leasing(&shared_url(), secret(), &[("many", hourly(200))], lasting).await;
    let many = bucket(&limiter, "many", "a");
    let limiter = Arc::new(limiter);
    let mut all = 0;
    for _ in 0..4 {
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let limiter = Arc::clone(&limiter);
                tokio::spawn(async move { passed(&*limiter, &[many], 20).await })
            })
            .collect();
        for task in tasks {
            all += task.await.expect("no panic");
        }
        tokio::time::sleep(lasting * 2).await;
    }
    assert_eq!(all, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_from_a_lease_goes_back_when_another_limit_denies() {
    let (url, secret) = (shared_url(), secret());
    let limits = [("broad", hourly(1000)), ("narrow", hourly(5))];
    let limiter = leasing(&url, secret, &limits, LONG).await;
    let broad = bucket(&limiter, "broad", "a");
    let narrow = bucket(&limiter, "narrow", "a");
    assert_eq!(passed(&limiter, &[broad], 2).await, 2);
    for order in [[broad, narrow], [narrow, broad]] {
        passed(&limiter, &order, 50).await;
        let denied = check(&limiter, &order, 1).await.expect("it answers");
        assert!(!denied.is_allowed());
        let violated: Vec<_> = denied.violated().map(|status| status.policy()).collect();
        assert_eq!(violated, [narrow.policy()]);
    }
    // 2 and 5 passed; the rest of the lease is there.
    let decision = check(&limiter, &[broad], 1).await.expect("it answers");
    let status = decision.statuses().next().expect("a status");
    assert_eq!(status.remaining(), 1000 - 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_quota_ends_a_lease() {
    let server = server();
    let mut admin = Admin::of(&server);
    let limiter = leasing(server.url(), secret(), &[("many", hourly(1000))], LONG).await;
    let many = [bucket(&limiter, "many", "a")];
    assert_eq!(passed(&limiter, &many, 10).await, 10);
    limiter
        .policies()
        .set_quota(many[0].policy(), hourly(10))
        .expect("a limit");
    // Ten are taken, so the smaller bucket is empty; what the lease had left went back.
    assert_eq!(passed(&limiter, &many, 5).await, 0);
    assert_eq!(taken(&mut admin, many[0]), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lease_served_can_be_given_back() {
    let server = server();
    let mut admin = Admin::of(&server);
    let limiter = leasing(server.url(), secret(), &[("many", hourly(1000))], LONG).await;
    let many = [bucket(&limiter, "many", "a")];
    assert_eq!(passed(&limiter, &many, 2).await, 2);
    let asked = admin.runs("evalsha");
    let served = check(&limiter, &many, 5).await.expect("it answers");
    assert_eq!(admin.runs("evalsha"), asked, "a lease served it");
    assert_eq!(taken(&mut admin, many[0]), 102);
    limiter.refund(now(), served).await.expect("it answers");
    assert_eq!(taken(&mut admin, many[0]), 97);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_below_the_share_stays_exact_and_a_lease_is_half_of_what_is_left_at_most() {
    let server = server();
    let mut admin = Admin::of(&server);
    let limits = [("five", hourly(5)), ("hundred", hourly(100))];
    let limiter = leasing(server.url(), secret(), &limits, LONG).await;
    let five = [bucket(&limiter, "five", "a")];
    for n in 1..=5 {
        assert_eq!(passed(&limiter, &five, 1).await, 1);
        assert_eq!(taken(&mut admin, five[0]), n);
    }
    assert_eq!(passed(&limiter, &five, 5).await, 0);
    let hundred = [bucket(&limiter, "hundred", "a")];
    let first = check(&limiter, &hundred, 93).await.expect("it answers");
    assert!(first.is_allowed());
    // Six are left after the next, and half of them are three.
    assert_eq!(passed(&limiter, &hundred, 1).await, 1);
    assert_eq!(taken(&mut admin, hundred[0]), 97);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peek_sees_a_lease_and_takes_nothing_of_it() {
    let limiter = leasing(&shared_url(), secret(), &[("many", hourly(20))], LONG).await;
    let many = [bucket(&limiter, "many", "a")];
    assert_eq!(passed(&limiter, &many, 2).await, 2);
    for _ in 0..10 {
        let peeked = limiter
            .peek(now(), &many, tokens(2))
            .await
            .expect("it answers");
        assert!(peeked.is_allowed());
        assert_eq!(peeked.charged().count(), 0);
    }
    let status = limiter
        .peek(now(), &many, tokens(1))
        .await
        .expect("it answers");
    assert_eq!(status.statuses().next().expect("a status").remaining(), 18);
    assert_eq!(passed(&limiter, &many, 40).await, 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_keys_than_are_remembered_cost_round_trips_and_not_exactness() {
    let url = shared_url();
    let policies = policies_of(secret(), &[("twenty", hourly(20))]);
    let few = RedisLimiter::builder(&patient(&url).await, policies)
        .leases(
            RedisLeases::new()
                .share(NonZeroU32::new(2).expect("not zero"))
                .lasting(LONG),
        )
        .keys(1)
        .build()
        .expect("valid");
    for key in 0..200 {
        let twenty = [bucket(&few, "twenty", &key.to_string())];
        assert!(check(&few, &twenty, 1).await.expect("up").is_allowed());
    }
    for key in 0..5 {
        let twenty = [bucket(&few, "twenty", &key.to_string())];
        assert_eq!(passed(&few, &twenty, 40).await, 19);
    }
}
