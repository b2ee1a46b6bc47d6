//! Checks that wait for the server together, and go to it as one call.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringwall_core::step::BoxFuture;
use ringwall_rate_limit::conformance::Answer;
use ringwall_rate_limit::{
    Dimension, FallbackLimiter, LimitError, LimitStore as _, OnFailure, Origin,
};
use ringwall_redis::{RedisClient, RedisLimiter};
use tokio::task::JoinSet;

use crate::servers::{Server, redis};
use crate::setting::{config, eventually};
use crate::world::{
    Admin, bucket, check, hourly, left, name, now, patient, policies_of, secret, tokens,
};

struct World {
    server: Server,
    admin: Admin,
    limiter: RedisLimiter,
}

impl World {
    async fn new() -> Self {
        let server = redis::start(&[]).expect("a server");
        let limits = [("ten", hourly(10)), ("more", hourly(500))];
        let policies = policies_of(secret(), &limits);
        let limiter = RedisLimiter::builder(&patient(server.url()).await, policies);
        let limiter = limiter.remember_denials(Duration::ZERO).build();
        let mut world = Self {
            admin: Admin::of(&server),
            limiter: limiter.expect("valid"),
            server,
        };
        // So that the server knows the script.
        assert_eq!(
            left(&world.limiter, world.bucket("more", "warm")).await,
            500
        );
        assert_eq!(world.calls(), 1);
        world
    }

    fn bucket(&self, limit: &str, key: &str) -> Dimension {
        bucket(&self.limiter, limit, key)
    }

    /// A check that was begun: it is at the server, or waits for its turn.
    fn begun(&self, buckets: &[Dimension]) -> BoxFuture<Answer> {
        let mut check = asking(&self.limiter, buckets);
        let polled = Pin::new(&mut check).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "nobody answers it");
        check
    }

    /// How many calls the server has run.
    fn calls(&mut self) -> u64 {
        self.admin.runs("evalsha")
    }
}

fn asking(limiter: &RedisLimiter, buckets: &[Dimension]) -> BoxFuture<Answer> {
    let step = limiter.check(now(), buckets, tokens(1));
    Box::pin(step.into_future())
}

async fn answers(checks: Vec<BoxFuture<Answer>>) -> Vec<Answer> {
    let mut tasks = JoinSet::new();
    for (n, check) in checks.into_iter().enumerate() {
        tasks.spawn(async move { (n, check.await) });
    }
    let mut all = tasks.join_all().await;
    all.sort_by_key(|(n, _)| *n);
    all.into_iter().map(|(_, answer)| answer).collect()
}

fn allowed(answers: &[Answer]) -> usize {
    let is_allowed = |answer: &&Answer| answer.as_ref().is_ok_and(|decision| decision.is_allowed());
    answers.iter().filter(is_allowed).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_that_wait_share_calls_and_not_one_passes_too_many() {
    let mut world = World::new().await;
    let ten = [world.bucket("ten", "a"), world.bucket("more", "a")];
    world.server.pause();
    let checks: Vec<_> = (0..300).map(|_| world.begun(&ten)).collect();
    world.server.resume();
    let answers = answers(checks).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(allowed(&answers), 10);
    assert_eq!(left(&world.limiter, ten[0]).await, 0);
    // Who was denied by the one was not charged by the other.
    assert_eq!(left(&world.limiter, ten[1]).await, 490);
    // 300 by 64 at most, the first four by fewer; the looks at what is left, and the first one.
    let calls = world.calls();
    assert!((5 + 3..=4 + 10 + 3).contains(&calls), "{calls}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_those_that_wait_has_its_own_answer() {
    let world = World::new().await;
    let names: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    // Every third is for a bucket that all of these share.
    let of = |n: usize, name: &str| match n % 3 {
        0 => vec![world.bucket("ten", "shared")],
        1 => vec![world.bucket("more", name)],
        _ => vec![world.bucket("more", name), world.bucket("ten", name)],
    };
    world.server.pause();
    let each = names.iter().enumerate();
    let checks = each.map(|(n, name)| world.begun(&of(n, name))).collect();
    world.server.resume();
    let mut shared = 0;
    for (n, answer) in answers(checks).await.into_iter().enumerate() {
        let decision = answer.expect("it answers");
        let asked = of(n, &names[n]);
        let said: Vec<Dimension> = decision
            .statuses()
            .map(|status| status.dimension())
            .collect();
        if n % 3 == 0 {
            shared += usize::from(decision.is_allowed());
            continue;
        }
        assert_eq!(said, asked);
        assert!(decision.is_allowed());
        let left: Vec<u32> = decision
            .statuses()
            .map(|status| status.remaining())
            .collect();
        assert_eq!(left, [499, 9][..asked.len()]);
    }
    assert_eq!(shared, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_something_else_costs_nobody_else_the_answer() {
    let mut world = World::new().await;
    let (wrong, right) = (world.bucket("ten", "wrong"), world.bucket("ten", "right"));
    let _: u64 = world.admin.run(&["RPUSH", &name(wrong), "1"]);
    world.server.pause();
    let buckets = |n: usize| if n.is_multiple_of(2) { right } else { wrong };
    let checks = (0..100).map(|n| world.begun(&[buckets(n)])).collect();
    world.server.resume();
    let answers = answers(checks).await;
    assert_eq!(allowed(&answers), 10);
    for (n, answer) in answers.iter().enumerate() {
        let is_unavailable = matches!(answer, Err(LimitError::Unavailable { .. }));
        assert_eq!(is_unavailable, n % 2 == 1, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_look_at_its_answer_holds_up_nobody() {
    let world = World::new().await;
    let more = [world.bucket("more", "a")];
    // As a thread does that asks, and then works for a while: more of them than there are calls.
    let parked: Vec<_> = (0..10).map(|_| world.begun(&more)).collect();
    for _ in 0..20 {
        let answer = check(&world.limiter, &more, 1).await;
        assert!(answer.is_ok_and(|decision| decision.is_allowed()));
    }
    assert_eq!(allowed(&answers(parked).await), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_is_given_back_though_nobody_waits_for_it() {
    let world = World::new().await;
    let ten = [world.bucket("ten", "a")];
    let taken = check(&world.limiter, &ten, 8).await.expect("it answers");
    world.server.pause();
    let more = [world.bucket("more", "a")];
    let before: Vec<_> = (0..20).map(|_| world.begun(&more)).collect();
    let mut refund = Box::pin(world.limiter.refund(now(), taken).into_future());
    let polled = refund
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "nobody answers it");
    drop(refund);
    world.server.resume();
    assert_eq!(allowed(&answers(before).await), 20);
    eventually("the refund", || async {
        left(&world.limiter, ten[0]).await == 10
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_checks_than_may_wait_are_refused_at_once_and_no_failure_of_the_store() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url())
        .in_flight(16)
        .timeout(Duration::from_secs(10));
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("more", hourly(1000))]);
    let store = RedisLimiter::new(&client, policies).expect("valid");
    let limiter = FallbackLimiter::builder(Arc::new(store.clone()));
    let limiter = limiter
        .on_failure("more", OnFailure::Open)
        .expect("a limit");
    let limiter = limiter.build();
    let more = [bucket(&store, "more", "a")];
    assert!(check(&store, &more, 1).await.is_ok());
    server.pause();
    let waiting: Vec<_> = (0..100).map(|_| asking(&store, &more)).collect();
    let mut tasks = JoinSet::new();
    for check in waiting {
        tasks.spawn(check);
    }
    // Those that are too many are told at once: four go, by ones or more, and sixteen wait.
    for _ in 0..50 {
        let one = tasks.join_next().await.expect("one").expect("no panic");
        assert!(matches!(one, Err(LimitError::Overloaded)), "{one:?}");
    }
    for _ in 0..10 {
        // Nor does anything pass for it, whatever holds without the store.
        let denied = check(&limiter, &more, 1).await;
        assert!(matches!(denied, Err(LimitError::Overloaded)), "{denied:?}");
    }
    assert!(limiter.asks_store(), "it was not the store's fault");
    server.resume();
    let rest = tasks.join_all().await;
    assert!(allowed(&rest) >= 16, "{}", allowed(&rest));
    assert!(check(&limiter, &more, 1).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_back_waits_when_no_more_checks_may_and_has_a_bound_too() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url())
        .in_flight(16)
        .timeout(Duration::from_secs(10));
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("more", hourly(1000))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let (more, back) = (bucket(&limiter, "more", "a"), bucket(&limiter, "more", "b"));
    let mut taken = Vec::new();
    for _ in 0..17 {
        taken.push(check(&limiter, &[back], 1).await.expect("it answers"));
    }
    server.pause();
    // Until there is no room, and there is none when all calls have gone either.
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        for _ in 0..100 {
            tasks.spawn(asking(&limiter, &[more]));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let denied = check(&limiter, &[more], 1).await;
    assert!(matches!(denied, Err(LimitError::Overloaded)), "{denied:?}");
    let mut waiting = Vec::new();
    for (n, decision) in taken.into_iter().enumerate() {
        let mut refund = Box::pin(limiter.refund(now(), decision).into_future());
        let polled = refund
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if n < 16 {
            assert!(polled.is_pending(), "{n}: {polled:?}");
            waiting.push(refund);
        } else {
            let is_refused = matches!(polled, Poll::Ready(Err(LimitError::Overloaded)));
            assert!(is_refused, "{n}: {polled:?}");
        }
    }
    server.resume();
    for refund in waiting {
        refund.await.expect("it answers");
    }
    assert_eq!(left(&limiter, back).await, 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_no_answer_of_the_store() {
    let mut server = redis::start(&[]).expect("a server");
    let config = config(server.url()).timeout(Duration::from_millis(300));
    let client = RedisClient::connect(config).await.expect("it runs");
    let limits = [("ten", hourly(10)), ("more", hourly(1000))];
    let policies = policies_of(secret(), &limits);
    let store = RedisLimiter::builder(&client, policies).remember_denials(Duration::from_secs(60));
    let store = store.build().expect("valid");
    let (ten, more) = (bucket(&store, "ten", "a"), bucket(&store, "more", "a"));
    let limiter = FallbackLimiter::builder(Arc::new(store)).build();
    let denied = check(&limiter, &[ten], 11).await.expect("it answers");
    assert!(!denied.is_allowed());
    assert_eq!(denied.origin(), Origin::Store);
    let again = check(&limiter, &[ten], 10).await.expect("it answers");
    assert!(again.is_allowed());
    let denied = check(&limiter, &[ten], 1).await.expect("it answers");
    assert_eq!(
        (denied.is_allowed(), denied.origin()),
        (false, Origin::Store)
    );
    server.kill();
    let mut failures = 0;
    while limiter.asks_store() {
        let denied = check(&limiter, &[ten], 1).await.expect("it is remembered");
        assert_eq!(denied.origin(), Origin::Remembered);
        assert!(check(&limiter, &[more], 1).await.is_err());
        failures += 1;
        assert!(failures <= 3, "what is remembered counts as an answer");
    }
    server.start_again().expect("it starts");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_while_waiting_is_not_charged_and_holds_up_nobody() {
    let mut world = World::new().await;
    let more = [world.bucket("more", "a")];
    world.server.pause();
    // Four go, each by itself. The others wait.
    let mut first = Vec::new();
    for _ in 0..4 {
        first.push(world.begun(&more));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let gone: Vec<_> = (0..100).map(|_| world.begun(&more)).collect();
    let waiting: Vec<_> = (0..100).map(|_| world.begun(&more)).collect();
    drop(gone);
    // Nor do those that went.
    drop(first);
    world.server.resume();
    let answers = answers(waiting).await;
    assert_eq!(allowed(&answers), 100);
    let left = left(&world.limiter, more[0]).await;
    assert!((396..=400).contains(&left), "{left}");
    // And the way is free again.
    let before = world.calls();
    for _ in 0..3 {
        assert!(check(&world.limiter, &more, 1).await.is_ok());
    }
    assert_eq!(world.calls(), before + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_fails_all_that_wait_in_time_and_the_next_ones_pass() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url()).timeout(Duration::from_millis(300));
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("more", hourly(1000))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let more = [bucket(&limiter, "more", "a")];
    assert!(check(&limiter, &more, 1).await.is_ok());
    server.pause();
    let checks = (0..200).map(|_| asking(&limiter, &more));
    let all = answers(checks.collect());
    let all = tokio::time::timeout(Duration::from_secs(30), all);
    for answer in all.await.expect("each has its time") {
        assert!(matches!(answer, Err(LimitError::Unavailable { .. })));
    }
    server.resume();
    eventually("the server", || async {
        check(&limiter, &more, 1).await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_found_out_though_nobody_waits_for_its_answer() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url()).timeout(Duration::from_millis(300));
    let client = RedisClient::connect(config).await.expect("it runs");
    let policies = policies_of(secret(), &[("more", hourly(1000))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let more = [bucket(&limiter, "more", "a")];
    assert!(check(&limiter, &more, 1).await.is_ok());
    server.pause();
    // Each gives up before its time: none of them says that the server is silent. The calls do, and the server
    // is looked at long before it is looked at anyway.
    let start = now();
    while client.is_ready() {
        let patience = Duration::from_millis(50);
        let given_up = tokio::time::timeout(patience, check(&limiter, &more, 1)).await;
        assert!(given_up.is_err() || !client.is_ready(), "{given_up:?}");
        assert!(now() - start < Duration::from_secs(4));
    }
    server.resume();
}

#[test]
fn without_the_runtime_of_its_connection_nobody_waits_for_ever() {
    let server = redis::start(&[]).expect("a server");
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    };
    let first = runtime().expect("a runtime");
    let policies = policies_of(secret(), &[("more", hourly(1000))]);
    let limiter = first.block_on(async {
        let client = patient(server.url()).await;
        let limiter = RedisLimiter::new(&client, policies).expect("valid");
        let more = [bucket(&limiter, "more", "a")];
        assert!(check(&limiter, &more, 1).await.is_ok());
        limiter
    });
    let more = [bucket(&limiter, "more", "a")];
    first.shutdown_timeout(Duration::from_secs(10));
    runtime().expect("a runtime").block_on(async {
        let checks = (0..50).map(|_| asking(&limiter, &more));
        // Each is told at once, and not at its time-out.
        let all = tokio::time::timeout(Duration::from_secs(5), answers(checks.collect()));
        for answer in all.await.expect("nobody waits") {
            assert!(matches!(answer, Err(LimitError::Unavailable { .. })));
        }
    });
}
