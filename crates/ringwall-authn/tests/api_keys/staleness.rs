//! What is kept in memory, and for how long it is believed.

use std::time::Duration;

use ringwall_authn::api_key::{ApiKeyRefusal, ApiKeysOf};
use ringwall_authn::{MemoryApiKeys, SecretHasher};

use super::scripted_store::ScriptedStore;
use super::*;

#[tokio::test]
async fn another_process_sees_a_revocation_within_the_staleness() {
    let bench = bench();
    let other = ApiKeys::builder(bench.store.clone(), SecretHasher::sha256())
        .clock(bench.clock.clone())
        .monotonic_clock(bench.clock.clone())
        .staleness(Duration::from_secs(10))
        .build();
    let created = bench.create(request()).await;
    let text = created.key.text().expose().as_bytes();
    assert!(other.verify(text, ANYWHERE).await.is_ok());
    bench
        .keys
        .revoke(&tenant("acme"), created.key.id())
        .await
        .unwrap();
    bench.clock.advance(Duration::from_micros(9_999_999));
    assert!(
        other.verify(text, ANYWHERE).await.is_ok(),
        "within what is stated"
    );
    bench.clock.advance(Duration::from_micros(1));
    let refused = other.verify(text, ANYWHERE).await.unwrap_err();
    assert_eq!(refused.refusal(), ApiKeyRefusal::Revoked);
}

#[tokio::test]
async fn the_staleness_does_not_follow_a_wall_clock_that_goes_back() {
    let bench = bench();
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    assert!(bench.verify(text).await.is_ok());
    bench
        .store
        .revoke(&tenant("acme").org, created.key.id(), at(NOW))
        .await
        .unwrap();
    bench.clock.advance(Duration::from_secs(30));
    bench.clock.set(at(NOW - 3600));
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::Revoked));
}

#[tokio::test]
async fn a_key_in_memory_costs_the_store_nothing_and_a_missing_one_no_more_than_a_wrong_one() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let created = bench.create(request()).await;
    let text = created.key.text().expose().to_owned();
    for _ in 0..50 {
        assert!(bench.verify(&text).await.is_ok());
    }
    assert_eq!(store.finds(), 1);
    let missing = threats::another_key();
    for _ in 0..50 {
        assert_eq!(bench.verify(&missing).await, Err(ApiKeyRefusal::Unknown));
    }
    assert_eq!(
        store.finds(),
        2,
        "one look-up each, whether it is there or not"
    );
}

#[tokio::test]
async fn a_key_that_was_read_before_its_revocation_does_not_enter_after_it() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let created = bench.create(request()).await;
    let text = created.key.text().expose().to_owned();
    let permits = store.hold();
    let keys = bench.keys.clone();
    // It has read the key, which is good still, and waits.
    let slow = {
        let text = text.clone();
        tokio::spawn(async move { keys.verify(text.as_bytes(), ANYWHERE).await.is_ok() })
    };
    while store.finds() == 0 {
        tokio::task::yield_now().await;
    }
    bench
        .keys
        .revoke(&tenant("acme"), created.key.id())
        .await
        .unwrap();
    permits.add_permits(2);
    assert!(!slow.await.unwrap(), "the store is asked again");
    permits.add_permits(1);
    assert_eq!(bench.verify(&text).await, Err(ApiKeyRefusal::Revoked));
}

#[tokio::test]
async fn a_look_up_that_others_revoke_around_ends_in_no_decision_and_not_in_a_loop() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let created = bench.create(request()).await;
    let text = created.key.text().expose().to_owned();
    let permits = store.hold();
    let keys = bench.keys.clone();
    let slow = tokio::spawn(async move {
        let answer = keys.verify(text.as_bytes(), ANYWHERE).await;
        answer.map(drop).map_err(|error| error.refusal())
    });
    let nobodys = ApiKeysOf::Org(OrgId::new("nobody").unwrap());
    for finds in 1..=4 {
        while store.finds() < finds {
            assert!(!slow.is_finished(), "it asks again");
            tokio::task::yield_now().await;
        }
        bench.keys.revoke_all(&nobodys).await.unwrap();
        permits.add_permits(1);
    }
    assert_eq!(slow.await.unwrap(), Err(ApiKeyRefusal::TooManyLookups));
    assert_eq!(store.finds(), 4);
}

#[tokio::test]
async fn a_revocation_that_nobody_waited_for_is_not_covered_by_what_is_in_memory() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store, |builder| builder);
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    assert!(bench.verify(text).await.is_ok());
    // The store does it, and its answer never comes.
    bench
        .store
        .revoke(&tenant("acme").org, created.key.id(), at(NOW))
        .await
        .unwrap();
    let keys = bench.keys.clone();
    let (org, id) = (tenant("acme"), created.key.id().clone());
    let mut revocation = Box::pin(async move { keys.revoke(&org, &id).await });
    let waker = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(waker);
    let polled = Future::poll(revocation.as_mut(), &mut context);
    drop(polled);
    drop(revocation);
    assert_eq!(bench.verify(text).await, Err(ApiKeyRefusal::Revoked));
}

#[tokio::test]
async fn without_room_in_memory_each_request_asks_the_store() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder.cached(0));
    let created = bench.create(request()).await;
    for n in 1..=3 {
        assert!(bench.verify(created.key.text().expose()).await.is_ok());
        assert_eq!(store.finds(), n);
    }
}

#[tokio::test]
async fn memory_is_bounded_and_unknown_keys_push_no_known_one_out() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder.cached(64));
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    assert!(bench.verify(text).await.is_ok());
    for _ in 0..10_000 {
        let made_up = threats::another_key();
        assert_eq!(bench.verify(&made_up).await, Err(ApiKeyRefusal::Unknown));
    }
    let before = store.finds();
    assert!(bench.verify(text).await.is_ok());
    assert_eq!(store.finds(), before, "it was in memory still");
}

#[tokio::test]
async fn of_many_keys_those_in_use_stay_in_memory() {
    let store = Arc::new(MemoryApiKeys::new(10_000));
    let bench = bench_with(store, |builder| builder.cached(640));
    let mut texts = Vec::new();
    for _ in 0..3000 {
        texts.push(bench.create(request()).await.key.text().expose().to_owned());
    }
    for text in &texts {
        assert!(bench.verify(text).await.is_ok());
    }
    for text in &texts {
        assert!(bench.verify(text).await.is_ok());
    }
}

#[tokio::test]
async fn look_ups_at_once_are_bounded_and_their_places_come_back() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder.lookups(2));
    let permits = store.hold();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let keys = bench.keys.clone();
            let text = threats::another_key();
            tokio::spawn(async move {
                keys.verify(text.as_bytes(), ANYWHERE)
                    .await
                    .unwrap_err()
                    .refusal()
            })
        })
        .collect();
    while store.finds() < 2 {
        tokio::task::yield_now().await;
    }
    let text = threats::another_key();
    assert_eq!(
        bench.verify(&text).await,
        Err(ApiKeyRefusal::TooManyLookups)
    );
    permits.add_permits(3);
    for one in waiting {
        assert_eq!(one.await.unwrap(), ApiKeyRefusal::Unknown);
    }
    assert_eq!(bench.verify(&text).await, Err(ApiKeyRefusal::Unknown));
    // A look-up that nobody waits for gives its place back too.
    for _ in 0..10 {
        drop(
            bench
                .keys
                .verify(threats::another_key().as_bytes(), ANYWHERE),
        );
    }
    permits.add_permits(1);
    assert_eq!(
        bench.verify(&threats::another_key()).await,
        Err(ApiKeyRefusal::Unknown)
    );
}

#[tokio::test]
async fn a_store_that_is_down_or_broken_is_no_refusal() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let created = bench.create(request()).await;
    let text = created.key.text().expose();
    store.fail(true);
    let error = bench
        .keys
        .verify(text.as_bytes(), ANYWHERE)
        .await
        .unwrap_err();
    assert_eq!(error.refusal(), ApiKeyRefusal::StoreUnavailable);
    assert!(error.is_retryable());
    store.fail(false);
    store.corrupt(true);
    let error = bench
        .keys
        .verify(text.as_bytes(), ANYWHERE)
        .await
        .unwrap_err();
    assert_eq!(error.refusal(), ApiKeyRefusal::Corrupt);
    assert!(error.is_retryable());
    store.corrupt(false);
    assert!(
        bench.verify(text).await.is_ok(),
        "a failure is not remembered"
    );
}

#[tokio::test]
async fn without_a_clock_no_key_is_judged() {
    let bench = bench();
    let created = bench.create(request()).await;
    bench.clock.fail(true);
    let answer = bench.verify(created.key.text().expose()).await;
    assert_eq!(answer, Err(ApiKeyRefusal::ClockUnavailable));
}

#[tokio::test]
async fn without_a_clock_a_key_with_an_end_is_refused_at_once_and_another_when_it_is_read_again() {
    let bench = bench();
    let ends = bench.create(request().expires_at(at(NOW + 1000))).await;
    let endless = bench.create(request()).await;
    let rotated = bench.create(request()).await;
    let grace = Duration::from_secs(1000);
    bench
        .keys
        .rotate(&tenant("acme"), rotated.key.id(), user(), grace)
        .await
        .unwrap();
    let texts = [&ends, &rotated, &endless].map(|created| created.key.text().expose());
    for _ in 0..3 {
        for text in texts {
            assert!(bench.verify(text).await.is_ok());
        }
    }
    bench.clock.fail(true);
    let unavailable = Err(ApiKeyRefusal::ClockUnavailable);
    assert_eq!(bench.verify(texts[0]).await, unavailable);
    assert_eq!(bench.verify(texts[1]).await, unavailable);
    // Nothing that it was judged by depends on the time.
    assert!(bench.verify(texts[2]).await.is_ok());
    bench.clock.advance(Duration::from_micros(29_999_999));
    assert!(bench.verify(texts[2]).await.is_ok());
    bench.clock.advance(Duration::from_micros(1));
    assert_eq!(bench.verify(texts[2]).await, unavailable);
}

#[tokio::test]
async fn a_store_that_answers_with_another_key_is_broken() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder);
    let (asked, answered) = (bench.create(request()).await, bench.create(request()).await);
    let mut record = answered.record.clone();
    record.digest = asked.record.digest.clone();
    store.answer_with(record);
    let answer = bench.verify(asked.key.text().expose()).await;
    assert_eq!(answer, Err(ApiKeyRefusal::Corrupt));
}

#[tokio::test]
async fn made_up_keys_do_not_keep_known_ones_from_being_read_again() {
    let store = Arc::new(ScriptedStore::default());
    let bench = bench_with(store.clone(), |builder| builder.lookups(2));
    let created = bench.create(request()).await;
    let text = created.key.text().expose().to_owned();
    assert!(bench.verify(&text).await.is_ok());
    bench.clock.advance(Duration::from_secs(30));
    let permits = store.hold();
    let flood: Vec<_> = (0..2)
        .map(|_| {
            let made_up = threats::another_key();
            bench.keys.verify(made_up.as_bytes(), ANYWHERE)
        })
        .collect();
    assert_eq!(
        bench.verify(&threats::another_key()).await,
        Err(ApiKeyRefusal::TooManyLookups)
    );
    permits.add_permits(1);
    assert!(bench.verify(&text).await.is_ok());
    // Its own places are bounded too.
    bench.clock.advance(Duration::from_secs(30));
    let again: Vec<_> = (0..2)
        .map(|_| bench.keys.verify(text.as_bytes(), ANYWHERE))
        .collect();
    assert_eq!(
        bench.verify(&text).await,
        Err(ApiKeyRefusal::TooManyLookups)
    );
    drop((flood, again));
    permits.add_permits(1);
    assert!(bench.verify(&text).await.is_ok());
}
