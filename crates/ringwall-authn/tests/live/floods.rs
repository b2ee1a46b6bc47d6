//! Tokens with key ids that nobody has, by the ten thousand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringwall_authn::jose::base64url;
use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_jwks_client::RefreshPolicy;
use tokio::task::JoinSet;

use crate::load::{Answer, Load, Tally};
use crate::rotations::{report, rotate_with_overlap};
use crate::server::Behaviour;
use crate::support::*;

/// Who sends at once.
const SENDERS: usize = 64;

/// What the senders of a flood were told.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) refused: AtomicUsize,
    pub(crate) unavailable: AtomicUsize,
}

/// Presents `count` tokens that are well formed and name a key that does not exist, each another.
pub(crate) async fn flood(doors: &Doors, tenant: &Tenant, count: usize) -> Outcome {
    let outcome = Arc::new(Outcome::default());
    let next = Arc::new(AtomicUsize::new(0));
    let token = tenant.token();
    let rest: Arc<str> = token[token.find('.').unwrap()..].into();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (doors, rest) = (doors.clone(), Arc::clone(&rest));
        let (outcome, next) = (Arc::clone(&outcome), Arc::clone(&next));
        senders.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                let header = format!(r#"{{"alg":"EdDSA","kid":"x{number}","typ":"at+jwt"}}"#);
                let token = format!("{}{rest}", base64url::encode(header));
                match doors.ask(&token, number).await {
                    Answer::Refused(_) => outcome.refused.fetch_add(1, Ordering::Relaxed),
                    Answer::Unavailable(_) => outcome.unavailable.fetch_add(1, Ordering::Relaxed),
                    other @ (Answer::Good | Answer::Other(_)) => panic!("{other:?}"),
                };
                tokio::task::yield_now().await;
            }
        });
    }
    let ended = tokio::time::timeout(PATIENCE, async {
        while let Some(ended) = senders.join_next().await {
            ended.unwrap();
        }
    });
    assert!(ended.await.is_ok(), "senders wait for more than one fetch");
    Arc::into_inner(outcome).expect("all have ended")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_36_ten_thousand_unknown_key_ids_are_one_fetch_and_good_ones_never_wait() {
    let _alone = alone().await;
    // The numbers of production: what comes within seconds is one fetch of the keys, and no other
    // is due for minutes.
    let site = World::new().site("flooded", RefreshPolicy::default()).await;
    let doors = Doors::of([&site.tenant]);
    let load = Load::start(&doors, [&site.tenant], 2000);
    site.tenant.judged(100).await;
    assert_eq!(site.server.request_count(), 1);
    let outcome = flood(&doors, &site.tenant, 10_000).await;
    site.tenant.judged(1000).await;
    load.stop().await;
    report(&site);
    assert_eq!(site.server.request_count(), 2);
    assert_eq!(outcome.refused.into_inner(), 10_000);
    assert_eq!(Tally::count(&site.tenant.tally.waited), 0);
    assert_eq!(site.tenant.status().waiting, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_36_a_flood_is_at_most_one_fetch_per_cool_down_and_disturbs_no_rotation() {
    let _alone = alone().await;
    let policy = brisk();
    let site = World::new().site("flooded", policy).await;
    let doors = Doors::of([&site.tenant]);
    let load = Load::start(&doors, [&site.tenant], 2000);
    let clock = SystemClock::new();
    let (requests, failures) = (site.server.request_count(), site.tenant.failures());
    let begun = clock.elapsed();
    let rotating = async {
        for _ in 0..2 {
            rotate_with_overlap(&site).await;
        }
    };
    let mut sent = 0;
    tokio::pin!(rotating);
    let mut is_rotating = true;
    while is_rotating || sent < 10_000 {
        tokio::select! {
            () = &mut rotating, if is_rotating => is_rotating = false,
            _ = flood(&doors, &site.tenant, 1000) => sent += 1000,
        }
    }
    let took = clock.elapsed() - begun;
    let requests = site.server.request_count() - requests;
    load.stop().await;
    report(&site);
    // A refresh that is due comes three quarters of a freshness after the one before at the
    // soonest; those that failed are made again.
    let regular = part(took, policy.ttl * 3 / 4) + site.tenant.failures() - failures;
    let caused = part(took, policy.missing_key_cool_down);
    assert!(
        requests <= regular + caused,
        "{requests}: {regular}, {caused}"
    );
    say(&format!(
        "{sent} unknown key ids in {took:?}: {requests} requests"
    ));
}

/// How many fit into a time, with one at each end.
fn part(whole: Duration, each: Duration) -> usize {
    usize::try_from(whole.as_millis() / each.as_millis()).unwrap() + 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_36_a_flood_while_the_server_stalls_delays_no_good_token_and_refuses_none() {
    let _alone = alone().await;
    let site = World::new().site("stalled", RefreshPolicy::default()).await;
    let doors = Doors::of([&site.tenant]);
    let load = Load::start(&doors, [&site.tenant], 2000);
    site.server.set(Behaviour::Stall);
    let flooding = {
        let (doors, tenant) = (doors.clone(), Arc::clone(&site.tenant));
        tokio::spawn(async move { flood(&doors, &tenant, 10_000).await })
    };
    // All senders hang on the one fetch, and thousands of good tokens pass them.
    let tenant = &site.tenant;
    eventually("all senders to wait", || tenant.status().waiting == SENDERS).await;
    let good = Tally::count(&tenant.tally.good);
    eventually("good tokens", || {
        Tally::count(&tenant.tally.good) >= good + 1000 || tenant.status().waiting < SENDERS
    })
    .await;
    assert!(
        Tally::count(&tenant.tally.good) >= good + 1000,
        "while they wait"
    );
    let outcome = flooding.await.unwrap();
    load.stop().await;
    report(&site);
    // Nobody could tell whether there is such a key: 503, and never 401.
    assert_eq!(outcome.unavailable.into_inner(), 10_000);
    assert_eq!(site.server.request_count(), 2);
    assert_eq!(Tally::count(&tenant.tally.waited), 0);
}
