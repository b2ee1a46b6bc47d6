//! The log of revocations: its contract, and servers that are down, silent or full.

use std::num::NonZeroU16;
use std::time::Duration;

use ringwall_authn::revocation::{
    Revocation, RevocationCursor, RevocationStore, Revoked, conformance,
};
use ringwall_core::clock::Timestamp;
use ringwall_redis::RedisRevocations;

use crate::servers::redis;
use crate::setting::{client, eventually, fresh, ready, revocations};

fn token(id: &str) -> Revocation {
    let revoked = Revoked::Token {
        issuer: "https://issuer.example".into(),
        token_id: id.into(),
    };
    Revocation::new(revoked, Timestamp::from_unix_micros(i64::MAX)).expect("a name")
}

async fn read(store: &dyn RevocationStore) -> Vec<Revocation> {
    let page = store.read(RevocationCursor::START, NonZeroU16::MAX).await;
    page.expect("it answers").revocations
}

#[tokio::test(flavor = "multi_thread")]
async fn revocations_conform() {
    conformance::run(async || {
        let place = fresh().await;
        revocations(&place.address).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_is_an_error_and_knows_every_revocation_when_it_is_back() {
    let mut server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisRevocations::new(&client);
    store.append(&token("before")).await.expect("it answers");
    server.kill();
    let down = store.append(&token("lost")).await.expect_err("down");
    assert!(down.is_retryable());
    eventually("the loss", || async { !client.is_ready() }).await;
    let down = store.read(RevocationCursor::START, NonZeroU16::MIN).await;
    assert!(down.expect_err("down").is_retryable());
    server.start_again().expect("it starts");
    ready(&client).await;
    store.append(&token("after")).await.expect("it answers");
    assert_eq!(read(&store).await, [token("before"), token("after")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_silent_is_an_error_in_time() {
    let server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisRevocations::new(&client);
    server.pause();
    let limit = Duration::from_secs(60);
    let append = tokio::time::timeout(limit, async { store.append(&token("x")).await }).await;
    assert!(
        append
            .expect("it has a time-out")
            .expect_err("silent")
            .is_retryable()
    );
    server.resume();
    ready(&client).await;
    eventually("an append", || async {
        store.append(&token("y")).await.is_ok()
    })
    .await;
    assert!(read(&store).await.contains(&token("y")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_an_append_as_a_whole() {
    let server = redis::start(&["maxmemory 2mb", "appendfsync no"]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisRevocations::new(&client);
    let mut count = 0;
    let refused = loop {
        match store
            .append(&token(&format!("t-{count}-{}", "x".repeat(400))))
            .await
        {
            Ok(()) => count += 1,
            Err(refused) => break refused,
        }
        assert!(count < 100_000, "it takes everything");
    };
    assert!(refused.is_retryable());
    ready(&client).await;
    assert_eq!(read(&store).await.len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_latest_gives_no_number_a_second_time() {
    let server = redis::start(&[]).expect("a server");
    let client = client(server.url()).await;
    let store = RedisRevocations::new(&client);
    store.append(&token("lost")).await.expect("it answers");
    let seen = store.read(RevocationCursor::START, NonZeroU16::MAX).await;
    let seen = seen.expect("it answers").next;
    // As a replica that never had it.
    let other = ::redis::Client::open(server.url()).expect("a URL");
    let mut other = other.get_connection().expect("it runs");
    ::redis::cmd("FLUSHALL")
        .exec(&mut other)
        .expect("it answers");
    store.append(&token("new")).await.expect("it answers");
    let page = store.read(seen, NonZeroU16::MAX).await;
    assert_eq!(page.expect("it answers").revocations, [token("new")]);
}
