//! Memory under churn: rotations, failures, floods, issuers that come and go.

use std::time::Duration;

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_jwks_client::RefreshPolicy;

use crate::floods::flood;
use crate::load::{Expected, Load, Tally};
use crate::rotations::{report, rotate_with_overlap};
use crate::server::{Behaviour, Length};
use crate::support::*;

/// What may be in use in the second half beyond the most of the first. A leak of a hundred kilobytes
/// per round is more than that in ten minutes.
const GROWTH_KIB: u64 = 8 * 1024;

/// After so many rounds there is another host: what the test itself records of one, its server's
/// requests and its keys, must not grow with the length of the test.
const ROUNDS_OF_A_HOST: usize = 16;

/// The part of the rounds, at the start, in which caches fill and nothing is looked at.
const WARM_UP: usize = 4;

fn is_long() -> bool {
    std::env::var_os("RINGWALL_SOAK").is_some_and(|value| value == "1")
}

/// The resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let words = line.unwrap().split_whitespace().nth(1).unwrap();
    words.parse().unwrap()
}

/// Faster than [`brisk`], so that there are more rounds.
fn hasty() -> RefreshPolicy {
    RefreshPolicy {
        ttl: millis(400),
        min_ttl: millis(400),
        max_ttl: millis(400),
        refresh_ahead: millis(100),
        timeout: millis(60),
        max_backoff: millis(40),
        missing_key_cool_down: millis(100),
        ..brisk()
    }
}

/// An issuer comes, rotates, fails in one way or another, is flooded, and goes.
async fn visit(world: &World, doors: &Doors, round: usize) {
    let guest = world.site(&format!("guest{round}"), hasty()).await;
    doors.add(&guest.tenant);
    let load = Load::start(doors, [&guest.tenant], 200);
    rotate_with_overlap(&guest).await;
    guest.server.set(match round % 6 {
        0 => Behaviour::Html200,
        1 => Behaviour::Empty,
        2 => Behaviour::Stall,
        3 => Behaviour::Close,
        4 => Behaviour::Huge {
            bytes: 10 * 1024 * 1024,
            length: Length::Chunked,
        },
        _ => Behaviour::HeadersForever { tick: millis(1) },
    });
    eventually("failures", || guest.tenant.status().failures >= 2).await;
    let outcome = flood(doors, &guest.tenant, 500).await;
    assert_eq!(
        outcome.refused.into_inner() + outcome.unavailable.into_inner(),
        500
    );
    guest.tenant.judged(100).await;
    if round.is_multiple_of(2) {
        // The others go while their server is ill.
        guest.publish();
        eventually("keys again", || guest.tenant.status().failures == 0).await;
    }
    leave(doors, &guest, load).await;
}

/// An issuer goes: whoever still sends its tokens is refused.
async fn leave(doors: &Doors, site: &Site, load: Load) {
    site.tenant.expect(Expected::Anything);
    doors.remove(&site.tenant);
    site.tenant.expect(Expected::Gone);
    site.tenant.judged(50).await;
    load.stop().await;
}

fn check(host: &Site) {
    report(host);
    // Without a fetch that a slow machine made fail, somebody can always tell.
    assert!(host.tenant.failures() > 0 || Tally::count(&host.tenant.tally.unavailable) == 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_flat_while_keys_rotate_fetches_fail_and_issuers_come_and_go() {
    let _alone = alone().await;
    let length = Duration::from_secs(if is_long() { 600 } else { 10 });
    let world = World::new();
    let mut host = world.site("host", hasty()).await;
    let doors = Doors::of([&host.tenant]);
    let mut load = Load::start(&doors, [&host.tenant], 1000);
    let clock = SystemClock::new();
    let first = resident();
    let mut samples = Vec::new();
    let mut round: usize = 0;
    // A machine that stands still makes it longer: what a few rounds say is nothing.
    while clock.elapsed() < length || round < 8 {
        if round > 0 && round.is_multiple_of(ROUNDS_OF_A_HOST) {
            let next = world.site(&format!("host{round}"), hasty()).await;
            doors.add(&next.tenant);
            let next_load = Load::start(&doors, [&next.tenant], 1000);
            check(&host);
            leave(&doors, &host, load).await;
            (host, load) = (next, next_load);
        }
        rotate_with_overlap(&host).await;
        visit(&world, &doors, round).await;
        round += 1;
        samples.push(resident());
        if samples.len().is_power_of_two() || samples.len().is_multiple_of(50) {
            say(&format!("round {round}: {} KiB", resident()));
        }
    }
    load.stop().await;
    check(&host);
    let warm = samples.len() / WARM_UP;
    let half = warm + (samples.len() - warm) / 2;
    let most = |part: &[u64]| part.iter().copied().max().unwrap();
    let (earlier, later) = (most(&samples[warm..half]), most(&samples[half..]));
    say(&format!(
        "{round} rounds; at first {first} KiB, after warm-up at most {earlier} KiB, in the end at most {later} KiB"
    ));
    assert!(later <= earlier + GROWTH_KIB, "{samples:?}");
    assert_eq!(doors.cached.health().len(), 1);
    assert_eq!(host.tenant.status().waiting, 0);
}
