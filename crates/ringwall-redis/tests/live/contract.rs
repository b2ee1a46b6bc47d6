//! What holds while everything works.

use std::time::Duration;

use ringwall_redis::{Error, RedisReplay};
use ringwall_replay::conformance;
use ringwall_replay::{Claim, ReplayStore as _};

use crate::setting::{World, client, eventually, request, shared_url};

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let url = shared_url();
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(RedisReplay::new(&client(&url).await));
    }
    conformance::all(&World { stores })
        .await
        .expect("conforming");
}

#[tokio::test]
async fn promises_to_remember_for_its_limit_and_no_longer() {
    let limit = Duration::from_secs(100);
    let store = RedisReplay::builder(&client(&shared_url()).await)
        .longest(limit)
        .build();
    let world = World::of(store.expect("valid"));
    conformance::longest(&world, limit)
        .await
        .expect("conforming");
}

#[tokio::test]
async fn stores_with_other_prefixes_do_not_meet() {
    let client = client(&shared_url()).await;
    let other = RedisReplay::builder(&client)
        .prefix("another:")
        .build()
        .expect("valid");
    let request = request("prefix");
    assert_eq!(
        RedisReplay::new(&client).claim(request).await,
        Ok(Claim::First)
    );
    assert_eq!(other.claim(request).await, Ok(Claim::First));
    assert_eq!(other.claim(request).await, Ok(Claim::Repeated));
}

#[tokio::test]
async fn a_claim_ends_by_itself_and_not_before_all_clocks_agree_that_it_is_over() {
    let url = shared_url();
    let store = RedisReplay::builder(&client(&url).await)
        .prefix("ends:")
        .clock_difference(Duration::from_secs(7))
        .build()
        .expect("valid");
    let request = request("ends");
    assert_eq!(store.claim(request).await, Ok(Claim::First));
    let name = [b"ends:", request.key.as_bytes().as_slice()].concat();
    let mut connection = redis::Client::open(url)
        .expect("valid")
        .get_connection()
        .expect("up");
    let left: u64 = redis::cmd("PTTL")
        .arg(name)
        .query(&mut connection)
        .expect("up");
    assert!((60_001..=67_000).contains(&left), "{left}");
}

#[tokio::test]
async fn options_out_of_range_build_nothing() {
    let client = client(&shared_url()).await;
    let builder = || RedisReplay::builder(&client);
    for options in [
        builder().prefix("x".repeat(129)),
        builder().longest(Duration::ZERO),
        builder().longest(Duration::from_secs(24 * 60 * 60 + 1)),
        builder().clock_difference(Duration::from_secs(3601)),
    ] {
        assert!(matches!(options.build(), Err(Error::Configuration(_))));
    }
}

#[tokio::test]
async fn shows_no_password() {
    let url = shared_url();
    let password = url.split([':', '@']).nth(2).expect("a password").to_owned();
    let client = client(&url).await;
    let store = RedisReplay::new(&client);
    let shown = format!(
        "{client:?} {store:?} {:?} {:?}",
        client.status(),
        RedisReplay::builder(&client)
    );
    assert!(password.len() > 8 && !shown.contains(&password), "{shown}");
}

#[tokio::test]
async fn the_connection_ends_with_its_last_handle() {
    let url = shared_url();
    let admin = redis::Client::open(url.clone()).expect("valid");
    let connections = || async {
        let mut connection = admin.get_connection().expect("up");
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut connection)
            .expect("up");
        list.lines().filter(|line| line.contains(" db=1 ")).count()
    };
    // Nobody else uses this database.
    let config = crate::setting::config(&url).database(1);
    let client = ringwall_redis::RedisClient::connect(config)
        .await
        .expect("it runs");
    let store = RedisReplay::new(&client);
    drop(client);
    assert_eq!(connections().await, 1);
    drop(store);
    eventually("the end", || async { connections().await == 0 }).await;
}
