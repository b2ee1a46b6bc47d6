//! Servers that are killed, silent, restarted or replaced, and what a limit says meanwhile.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringwall_rate_limit::{
    Dimension, FallbackEvent, FallbackLimiter, FallbackObserver, LimitError, LimitStore, OnFailure,
    Origin,
};
use ringwall_redis::{RedisClient, RedisLimiter};

use crate::servers::{Server, redis};
use crate::setting::{balancer, config, eventually, ready};
use crate::world::{Admin, bucket, check, hourly, limiter, passed, patient, policies_of, secret};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_knows_what_was_taken_when_it_is_back() {
    let mut server = redis::start(&[]).expect("a server");
    let client = patient(server.url()).await;
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let ten = [bucket(&limiter, "ten", "a")];
    assert_eq!(passed(&limiter, &ten, 6).await, 6);
    server.kill();
    for _ in 0..5 {
        let answer = check(&limiter, &ten, 1).await;
        assert!(
            matches!(answer, Err(LimitError::Unavailable { .. })),
            "{answer:?}"
        );
    }
    server.start_again().expect("it starts");
    ready(&client).await;
    // The script is lost, and the buckets are not.
    assert_eq!(passed(&limiter, &ten, 20).await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_persistence_gives_a_burst_more_at_each_restart() {
    let mut server = redis::start(&["appendonly no"]).expect("a server");
    let client = patient(server.url()).await;
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let limiter = RedisLimiter::builder(&client, policies)
        .remember_denials(Duration::ZERO)
        .build()
        .expect("valid");
    let ten = [bucket(&limiter, "ten", "a")];
    for _ in 0..2 {
        assert_eq!(passed(&limiter, &ten, 20).await, 10);
        server.kill();
        server.start_again().expect("it starts");
        eventually("the next connection", || async {
            check_left(&limiter, ten[0]).await == Some(10)
        })
        .await;
    }
}

async fn check_left(limiter: &RedisLimiter, bucket: Dimension) -> Option<u32> {
    let peeked = limiter
        .peek(crate::world::now(), &[bucket], NonZeroU32::MIN)
        .await;
    Some(peeked.ok()?.statuses().next()?.remaining())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_to_a_server_that_knows_nothing_each_bucket_is_full_once_more() {
    let first = redis::start(&[]).expect("a server");
    let password = first.url().split([':', '@']).nth(2).expect("a password");
    let second = redis::start(&[]).expect("a server");
    let _: String = Admin::of(&second).run(&["CONFIG", "SET", "requirepass", password]);
    let target = Arc::new(AtomicU16::new(first.port()));
    let port = balancer(Arc::clone(&target)).await;
    let url = format!("redis://:{password}@127.0.0.1:{port}");
    let client = patient(&url).await;
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let limiter = RedisLimiter::new(&client, policies).expect("valid");
    let ten = [bucket(&limiter, "ten", "a")];
    assert_eq!(passed(&limiter, &ten, 20).await, 10);
    target.store(second.port(), Ordering::SeqCst);
    drop(first);
    eventually("the second server", || async {
        check_left(&limiter, ten[0]).await == Some(10)
    })
    .await;
    assert_eq!(passed(&limiter, &ten, 20).await, 10);
}

/// What was told of failures.
#[derive(Debug, Default)]
struct Events(Mutex<Vec<FallbackEvent>>);

impl FallbackObserver for Events {
    fn observe(&self, event: FallbackEvent) {
        self.0.lock().expect("no panic").push(event);
    }
}

impl Events {
    fn count(&self, wanted: FallbackEvent) -> usize {
        let events = self.0.lock().expect("no panic");
        events.iter().filter(|event| **event == wanted).count()
    }
}

struct World {
    limiter: FallbackLimiter,
    client: RedisClient,
    events: Arc<Events>,
}

/// A limit for each word of a failure policy, in front of a server.
async fn world(server: &Server) -> World {
    let config = config(server.url()).timeout(Duration::from_millis(500));
    let client = RedisClient::connect(config).await.expect("it runs");
    let limits = ["closed", "open", "local"].map(|name| (name, hourly(20)));
    let store = RedisLimiter::new(&client, policies_of(secret(), &limits)).expect("valid");
    let events = Arc::new(Events::default());
    let local = OnFailure::Local {
        divisor: NonZeroU32::new(4).expect("not zero"),
    };
    let limiter = FallbackLimiter::builder(Arc::new(store))
        .on_failure("open", OnFailure::Open)
        .expect("a limit")
        .on_failure("local", local)
        .expect("a limit")
        .pause(Duration::from_millis(200))
        .observer(Arc::clone(&events) as Arc<dyn FallbackObserver>)
        .build();
    World {
        limiter,
        client,
        events,
    }
}

impl World {
    fn buckets(&self) -> [Dimension; 3] {
        ["closed", "open", "local"].map(|name| bucket(&self.limiter, name, "a"))
    }

    /// What each policy promises while the server is away, from the first request on.
    async fn keeps_its_policies(&self) {
        let [closed, open, local] = self.buckets();
        let mut local_passed = 0;
        for _ in 0..20 {
            assert!(check(&self.limiter, &[closed], 1).await.is_err());
            assert!(check(&self.limiter, &[open, closed], 1).await.is_err());
            let decision = check(&self.limiter, &[open], 1).await.expect("open");
            assert_eq!(
                (decision.is_allowed(), decision.origin()),
                (true, Origin::Unchecked)
            );
            let decision = check(&self.limiter, &[local, open], 1)
                .await
                .expect("local");
            assert_eq!(decision.origin(), Origin::Local);
            local_passed += u32::from(decision.is_allowed());
        }
        assert_eq!(local_passed, 5, "a quarter of 20");
        assert_eq!(self.events.count(FallbackEvent::Unchecked), 20);
        assert_eq!(self.events.count(FallbackEvent::Denied), 40);
        assert_eq!(self.events.count(FallbackEvent::CountedLocally), 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_keeps_its_policy_while_the_server_is_silent_and_the_server_decides_after() {
    let server = redis::start(&[]).expect("a server");
    let world = world(&server).await;
    for bucket in world.buckets() {
        assert_eq!(passed(&world.limiter, &[bucket], 10).await, 10);
    }
    server.pause();
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, world.keeps_its_policies())
        .await
        .expect("it has a time-out and a breaker");
    assert!(world.events.count(FallbackEvent::StoreLost) >= 1);
    server.resume();
    let [closed, ..] = world.buckets();
    let is_back = || async {
        let decision = check(&world.limiter, &[closed], 1).await;
        decision.is_ok_and(|decision| decision.origin() == Origin::Store)
    };
    eventually("the server", is_back).await;
    assert!(world.events.count(FallbackEvent::StoreBack) >= 1);
    // What was taken before is taken, and what the silent server read late may be too.
    let rest = passed(&world.limiter, &[closed], 40).await;
    assert!(rest < 10, "{rest}");
    assert!(world.client.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_keeps_its_policy_when_the_server_is_gone_for_good() {
    let mut server = redis::start(&[]).expect("a server");
    let world = world(&server).await;
    for bucket in world.buckets() {
        assert_eq!(passed(&world.limiter, &[bucket], 1).await, 1);
    }
    server.kill();
    world.keeps_its_policies().await;
    eventually("the breaker", || async {
        let [closed, ..] = world.buckets();
        assert!(check(&world.limiter, &[closed], 1).await.is_err());
        !world.limiter.asks_store()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_may_start_before_its_server_and_admits_nothing_until_then() {
    let mut server = redis::start(&[]).expect("a server");
    server.stop();
    let client = RedisClient::start(config(server.url())).expect("valid");
    let policies = policies_of(secret(), &[("ten", hourly(10))]);
    let early = RedisLimiter::new(&client, policies).expect("valid");
    let ten = [bucket(&early, "ten", "a")];
    assert!(check(&early, &ten, 1).await.is_err());
    server.start_again().expect("it starts");
    ready(&client).await;
    assert_eq!(passed(&early, &ten, 20).await, 10);
    let late = limiter(server.url(), &[("ten", hourly(10))]).await;
    assert_eq!(passed(&late, &[bucket(&late, "ten", "a")], 20).await, 10);
}
