//! Clocks that jump, and how long a log may be out of reach.

use ringwall_authn::revocation::MAX_REVOCATION_STALENESS;

use super::*;

#[tokio::test]
async fn a_purge_forgets_only_what_can_concern_no_token() {
    let bench = Bench::new();
    let process = bench.process();
    process.revoke(&token("t")).await.unwrap();
    // The token ends after 600 seconds, and clocks may differ by 300.
    bench.clock.advance(Duration::from_secs(900));
    assert_eq!(process.purge().await.unwrap(), 0);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(process.purge().await.unwrap(), 1);
}

#[tokio::test]
async fn a_wall_clock_that_jumps_ahead_purges_nothing_and_drops_nothing() {
    let bench = Bench::new();
    let process = bench.builder().capacity(1).build();
    process.sync().await.unwrap();
    process.revoke(&token("t")).await.unwrap();
    for _ in 0..20 {
        bench.clock.advance(Duration::from_secs(30));
        process.sync().await.unwrap();
    }
    bench.clock.set(at(NOW + 1_000_000));
    assert_eq!(process.purge().await.unwrap(), 0);
    process.sync().await.unwrap();
    process
        .revoke(&token_until("late", NOW + 1_000_600))
        .await
        .unwrap();
    assert_eq!(process.is_revoked(&facts("t")), Ok(true));
    bench.clock.set(at(NOW + 600));
    assert_eq!(process.purge().await.unwrap(), 0);
    assert_eq!(process.is_revoked(&facts("t")), Ok(true));
    let restarted = bench.process();
    restarted.sync().await.unwrap();
    assert_eq!(restarted.is_revoked(&facts("t")), Ok(true));
}

#[tokio::test]
async fn a_jump_is_noticed_also_when_the_log_says_nothing_new() {
    let bench = Bench::new();
    bench.store.append(&token("t")).await.unwrap();
    let process = bench.process();
    process.sync().await.unwrap();
    bench.clock.set(at(NOW - 1000));
    process.sync().await.unwrap();
    // It was ahead at the start, and is right since the last look.
    bench.clock.advance(Duration::from_secs(600));
    bench.clock.set(at(NOW + 901));
    assert_eq!(process.purge().await.unwrap(), 0);
    bench.clock.advance(Duration::from_secs(1301));
    assert_eq!(process.purge().await.unwrap(), 1);
}

#[tokio::test]
async fn a_process_that_has_just_begun_purges_nothing() {
    let bench = Bench::new();
    bench.store.append(&token("t")).await.unwrap();
    bench.clock.set(at(NOW + 1_000_000));
    let process = bench.process();
    assert_eq!(process.purge().await.unwrap(), 0);
    bench.clock.advance(Duration::from_secs(599));
    assert_eq!(process.purge().await.unwrap(), 0);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(process.purge().await.unwrap(), 1);
}

#[tokio::test]
async fn without_a_wall_clock_nothing_is_purged_and_all_is_remembered() {
    let bench = Bench::new();
    let process = bench.builder().capacity(1).build();
    process.sync().await.unwrap();
    bench.clock.fail(true);
    process.revoke(&token("t")).await.unwrap();
    bench.clock.advance(Duration::from_secs(901));
    assert_eq!(process.purge().await.unwrap(), 0);
    bench.clock.fail(false);
    // The clock that was not there was no jump.
    assert_eq!(process.purge().await.unwrap(), 1);
}

#[test]
fn a_staleness_has_bounds() {
    let bench = Bench::new();
    let most = MAX_REVOCATION_STALENESS;
    for bad in [
        Duration::ZERO,
        Duration::from_millis(999),
        most + Duration::from_nanos(1),
        Duration::MAX,
    ] {
        assert!(bench.builder().staleness(bad).is_err(), "{bad:?}");
    }
    for good in [Duration::from_secs(1), most] {
        assert!(bench.builder().staleness(good).is_ok(), "{good:?}");
    }
}

#[tokio::test]
async fn a_staleness_that_was_set_is_the_one_that_counts() {
    let bench = Bench::new();
    let process = bench
        .builder()
        .staleness(Duration::from_secs(5))
        .unwrap()
        .build();
    process.sync().await.unwrap();
    bench.clock.advance(Duration::from_secs(5));
    assert_eq!(process.is_revoked(&facts("t")), Ok(false));
    bench.clock.advance(Duration::from_micros(1));
    assert!(process.is_revoked(&facts("t")).is_err());
}
