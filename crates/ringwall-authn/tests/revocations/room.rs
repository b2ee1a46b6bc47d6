//! More revocations than there is room for.

use ringwall_core::event::{EventKind, MemoryEvents};

use super::*;

#[tokio::test]
async fn without_room_nothing_is_accepted_and_nothing_dropped() {
    let bench = Bench::new();
    let events = Arc::new(MemoryEvents::new(100));
    let process = bench.builder().capacity(2).events(events.clone()).build();
    process.sync().await.unwrap();
    for id in ["a", "b", "c", "d"] {
        process.revoke(&token(id)).await.unwrap();
    }
    assert_eq!(process.is_revoked(&facts("a")), Ok(true));
    assert!(process.is_revoked(&facts("c")).is_err());
    assert!(process.is_revoked(&facts("other")).is_err());
    assert_eq!(
        events.count(EventKind::RevocationUnavailable),
        1,
        "it is said once"
    );
    assert_eq!(events.count(EventKind::TokensRevoked), 4);
}

#[tokio::test]
async fn with_room_again_the_log_is_read_again_and_tokens_are_accepted() {
    let bench = Bench::new();
    let events = Arc::new(MemoryEvents::new(100));
    let process = bench.builder().capacity(2).events(events.clone()).build();
    process.sync().await.unwrap();
    for (id, end) in [("a", NOW + 100), ("b", NOW + 5000), ("c", NOW + 5000)] {
        process.revoke(&token_until(id, end)).await.unwrap();
    }
    for _ in 0..3 {
        bench.clock.advance(Duration::from_secs(100));
        process.sync().await.unwrap();
        assert!(process.is_revoked(&facts("other")).is_err());
        assert!(process.is_revoked(&facts("c")).is_err());
    }
    // The first is over now.
    bench.clock.advance(Duration::from_secs(101));
    process.sync().await.unwrap();
    assert!(process.is_ready());
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
    assert_eq!(process.is_revoked(&facts("b")), Ok(true));
    assert_eq!(
        process.is_revoked(&facts("c")),
        Ok(true),
        "what found no room is held now"
    );
    // And once more.
    process.revoke(&token_until("d", NOW + 900)).await.unwrap();
    assert!(process.is_revoked(&facts("other")).is_err());
    assert_eq!(events.count(EventKind::RevocationUnavailable), 2);
}

#[tokio::test]
async fn a_store_that_fails_while_it_is_read_again_is_read_again_later() {
    let bench = Bench::new();
    let process = bench.builder().capacity(1).build();
    process.sync().await.unwrap();
    for (id, end) in [("a", 100), ("b", 5000)] {
        process.revoke(&token_until(id, NOW + end)).await.unwrap();
    }
    process.sync().await.unwrap();
    bench.clock.advance(Duration::from_secs(401));
    bench.store.forgets_its_start.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(process.sync().await.is_err());
        assert!(process.is_revoked(&facts("other")).is_err());
    }
    bench.store.forgets_its_start.store(false, Ordering::SeqCst);
    process.sync().await.unwrap();
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
    assert_eq!(process.is_revoked(&facts("b")), Ok(true));
}

#[tokio::test]
async fn room_for_a_part_is_no_room() {
    let bench = Bench::new();
    let process = bench.builder().capacity(2).build();
    process.sync().await.unwrap();
    for (id, end) in [("a", 100), ("b", 5000), ("c", 5000), ("d", 6000)] {
        process.revoke(&token_until(id, NOW + end)).await.unwrap();
    }
    bench.clock.advance(Duration::from_secs(401));
    for _ in 0..3 {
        process.sync().await.unwrap();
        assert!(process.is_revoked(&facts("other")).is_err());
    }
    bench.clock.advance(Duration::from_secs(4900));
    process.sync().await.unwrap();
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
    assert_eq!(process.is_revoked(&facts("d")), Ok(true));
}

#[tokio::test]
async fn what_was_revoked_again_with_room_needs_no_further_room() {
    let bench = Bench::new();
    let process = bench.builder().capacity(2).build();
    process.sync().await.unwrap();
    for (id, end) in [("a", 100), ("b", 5000), ("c", 5000)] {
        process.revoke(&token_until(id, NOW + end)).await.unwrap();
    }
    bench.clock.advance(Duration::from_secs(401));
    process.revoke(&token_until("c", NOW + 5000)).await.unwrap();
    assert!(process.is_revoked(&facts("other")).is_err());
    process.sync().await.unwrap();
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
    assert_eq!(process.is_revoked(&facts("c")), Ok(true));
}

#[tokio::test]
async fn without_room_the_log_is_not_read_again_and_again() {
    let bench = Bench::new();
    let process = bench.builder().capacity(1).build();
    process.sync().await.unwrap();
    for id in ["a", "b"] {
        process.revoke(&token(id)).await.unwrap();
    }
    let before = bench.store.reads.load(Ordering::SeqCst);
    for _ in 0..10 {
        process.sync().await.unwrap();
    }
    assert_eq!(bench.store.reads.load(Ordering::SeqCst), before + 10);
}

#[tokio::test]
async fn what_finds_no_room_while_the_log_is_read_again_is_not_lost() {
    let bench = Bench::new();
    // Longer than what one call reads again.
    for n in 0..33_000 {
        let one = token_until(&format!("t{n}"), NOW + 5000);
        bench.store.inner().append(&one).await.unwrap();
    }
    let process = bench.builder().capacity(33_001).build();
    process.sync().await.unwrap();
    for (id, end) in [("short", 100), ("b", 5000)] {
        process.revoke(&token_until(id, NOW + end)).await.unwrap();
    }
    bench.clock.advance(Duration::from_secs(401));
    process.sync().await.unwrap();
    assert!(
        process.is_revoked(&facts("other")).is_err(),
        "a part of it was read"
    );
    // There is one place now, for "b", and this takes it.
    process.revoke(&token_until("c", NOW + 5000)).await.unwrap();
    for _ in 0..4 {
        process.sync().await.unwrap();
        assert!(process.is_revoked(&facts("other")).is_err());
    }
    bench.clock.advance(Duration::from_secs(4900));
    for _ in 0..2 {
        process.sync().await.unwrap();
    }
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
}

#[tokio::test]
async fn what_is_stored_late_is_not_missed_by_a_reading_that_found_room_before() {
    let bench = Bench::new();
    let process = bench.builder().capacity(1).build();
    process.sync().await.unwrap();
    process.revoke(&token_until("a", NOW + 100)).await.unwrap();
    bench.store.hold();
    let late = token_until("b", NOW + 5000);
    let mut revoking = Box::pin(process.revoke(&late));
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    assert!(revoking.as_mut().poll(&mut context).is_pending());
    // It found no room, and is not in the log yet. The room is there before.
    bench.clock.advance(Duration::from_secs(401));
    process.sync().await.unwrap();
    bench.store.release();
    revoking.await.unwrap();
    assert_eq!(process.is_revoked(&facts("b")), Ok(true));
}
