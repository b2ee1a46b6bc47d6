//! Servers that are down, silent, full, or should not be used. Each test has a server of its own.

use std::time::Duration;

use ringwall_redis::{Error, RedisClient, RedisReplay, RedisStatus};
use ringwall_replay::conformance;
use ringwall_replay::{Claim, ReplayStore as _};

use crate::servers::redis;
use crate::setting::{World, client, config, eventually, ready, request, store};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_admits_nothing_and_knows_every_claim_when_it_is_back() {
    let mut server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisReplay::new(&client);
    let before = request("before");
    assert_eq!(store.claim(before).await, Ok(Claim::First));

    server.kill();
    let world = World::of(store.clone());
    conformance::down(&world).await.expect("conforming");
    eventually("the loss", || async { !client.is_ready() }).await;
    conformance::down(&world).await.expect("conforming");
    assert!(matches!(
        client.status(),
        RedisStatus::Down(Error::Unreachable(_))
    ));

    server.start_again().expect("it starts");
    ready(&client).await;
    assert_eq!(store.claim(before).await, Ok(Claim::Repeated));
    assert_eq!(store.claim(request("after")).await, Ok(Claim::First));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_admits_nothing_in_time() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url()).survives_restarts();
    let config = config.timeout(Duration::from_millis(500));
    let client = RedisClient::connect(config).await.expect("it runs");
    let store = RedisReplay::new(&client);
    server.pause();
    let world = World::of(store.clone());
    let limit = Duration::from_secs(60);
    let down = tokio::time::timeout(limit, conformance::down(&world)).await;
    down.expect("it has a time-out").expect("conforming");
    eventually("the loss", || async { !client.is_ready() }).await;
    server.resume();
    let first = || async { store.claim(request("after")).await.is_ok() };
    eventually("an answer", first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_answer_was_lost_is_not_made_twice() {
    let server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisReplay::new(&client);
    server.pause();
    let lost = request("lost");
    assert!(store.claim(lost).await.is_err());
    server.resume();
    ready(&client).await;
    // The server reads what was sent while it was silent. Whether or not it did so yet, there is no
    // second first.
    let mut first = 0;
    for _ in 0..20 {
        first += u32::from(store.claim(lost).await == Ok(Claim::First));
    }
    assert!(first <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_and_drops_nothing() {
    let server = redis::start(&["maxmemory 2mb", "appendfsync no"]).expect("a server");
    let world = World::of(store(&server).await);
    conformance::full(&world, 20_000).await.expect("conforming");
}

#[tokio::test]
async fn one_claim_more_than_may_be_in_flight_is_refused_at_once() {
    let server = redis::start(&[]).expect("a server");
    let config = config(server.url())
        .survives_restarts()
        .in_flight(1)
        .timeout(Duration::from_secs(10));
    let store = RedisReplay::new(&RedisClient::connect(config).await.expect("it runs"));
    server.pause();
    let waiting = store.claim(request("waiting")).into_future();
    let one_more = store.claim(request("one more")).into_future();
    tokio::select! {
        biased;
        _ = waiting => panic!("nobody answers it"),
        answer = one_more => assert!(answer.is_err()),
    }
}

#[tokio::test]
async fn a_server_that_evicts_is_not_used() {
    for policy in ["allkeys-lru", "volatile-ttl", "volatile-lru"] {
        let server = redis::start(&[&format!("maxmemory-policy {policy}")]).expect("a server");
        let refused = RedisClient::connect(config(server.url()))
            .await
            .expect_err("it evicts");
        assert!(matches!(refused, Error::Unsafe(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_server_that_begins_to_evict_is_used_no_longer() {
    let server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let mut admin = redis_connection(server.url());
    let set = |policy: &str, admin: &mut ::redis::Connection| {
        let mut command = ::redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory-policy").arg(policy);
        command.exec(admin).expect("up");
    };
    set("allkeys-lru", &mut admin);
    eventually("the loss", || async { !client.is_ready() }).await;
    assert!(matches!(
        client.status(),
        RedisStatus::Down(Error::Unsafe(_))
    ));
    let world = World::of(RedisReplay::new(&client));
    conformance::down(&world).await.expect("conforming");
    set("noeviction", &mut admin);
    ready(&client).await;
}

#[tokio::test]
async fn a_replica_is_not_used() {
    let primary = redis::start(&[]).expect("a server");
    let line = format!("replicaof 127.0.0.1 {}", primary.port());
    let replica = redis::start(&[&line]).expect("a server");
    let refused = RedisClient::connect(config(replica.url()))
        .await
        .expect_err("a replica");
    assert!(matches!(refused, Error::Unsafe(_)), "{refused:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_at_start_and_not_shown() {
    use ringwall_core::secret::SecretString;
    let server = redis::start(&[]).expect("a server");
    let wrong = || SecretString::new("hunter2".to_owned());
    for config in [
        config(server.url()).password(wrong()),
        config(server.url()).user("hunter2").password(wrong()),
    ] {
        let refused = RedisClient::connect(config)
            .await
            .expect_err("another password");
        assert!(matches!(refused, Error::Refused(_)), "{refused:?}");
        assert!(!refused.is_retryable());
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
}

#[tokio::test]
async fn a_user_needs_few_rights() {
    let acl = "user claims on >hunter2 ~ringwall:replay:* +set +info +select";
    let server = redis::start(&[acl]).expect("a server");
    let url = format!("redis://claims:hunter2@127.0.0.1:{}", server.port());
    let store = RedisReplay::new(&client(&url).await);
    assert_eq!(store.claim(request("rights")).await, Ok(Claim::First));
    // Outside its keys it may not write, so nothing is admitted there.
    let other = RedisReplay::builder(&client(&url).await)
        .prefix("other:")
        .build();
    assert!(
        other
            .expect("valid")
            .claim(request("rights"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_service_may_start_before_its_server_and_refuses_until_then() {
    let mut server = redis::start(&[]).expect("a server");
    server.stop();
    let config = || config(server.url()).survives_restarts();
    let refused = RedisClient::connect(config())
        .await
        .expect_err("it is down");
    assert!(refused.is_retryable());
    let client = RedisClient::start(config()).expect("valid");
    let store = RedisReplay::new(&client);
    assert!(store.claim(request("early")).await.is_err());
    server.start_again().expect("it starts");
    ready(&client).await;
    assert_eq!(store.claim(request("early")).await, Ok(Claim::First));
}

fn redis_connection(url: &str) -> ::redis::Connection {
    let client = ::redis::Client::open(url).expect("valid");
    client.get_connection().expect("up")
}
