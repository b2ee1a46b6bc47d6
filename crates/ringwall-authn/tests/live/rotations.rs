//! Keys that change under load.

use std::time::Duration;

use ringwall_authn::Refusal;
use ringwall_core::step::Step;
use ringwall_jwks_client::RefreshPolicy;

use crate::load::{Answer, Expected, Load, Tally};
use crate::server::{Answer as Document, Behaviour};
use crate::support::*;

/// Announces a key, signs with it once it is known, and withdraws the one before. Nobody notices,
/// except those who still hold a token of the old key after it was withdrawn.
pub(crate) async fn rotate_with_overlap(site: &Site) {
    let tenant = &site.tenant;
    let old = tenant.batches();
    let key = new_key();
    let (next, last) = (key.id().as_str().to_owned(), tenant.issuer.active_key_id());
    tenant.issuer.announce(key).unwrap();
    site.publish();
    let (attempts, failures) = (tenant.status().attempts, tenant.failures());
    eventually("the announced key", || tenant.has_key(&next)).await;
    let failed = u64::try_from(tenant.failures() - failures).unwrap();
    // One is all it takes, and another may have begun since. Failures are those of a slow machine.
    assert!(tenant.status().attempts <= attempts + 2 + failed);

    tenant.issuer.activate(&next).unwrap();
    tenant.hand_out(Expected::AtOnce);
    tenant.judged(300).await;

    for batch in &old {
        batch.expect(Expected::Anything);
    }
    tenant.issuer.retire(&last).unwrap();
    site.publish();
    eventually("the old key to be gone", || !tenant.has_key(&last)).await;
    for batch in &old {
        assert_eq!(batch.key_id, last);
        batch.expect(Expected::Gone);
    }
    tenant.judged(300).await;
    for batch in &old {
        tenant.withdraw(batch);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn line_39_rotations_with_overlap_refuse_no_good_token_and_every_one_of_a_withdrawn_key() {
    let _alone = alone().await;
    let world = World::new();
    let plain = world.site("plain", brisk()).await;
    let tls = world.tls_site("tls", brisk()).await;
    let sites = [plain, tls];
    let doors = Doors::of(sites.iter().map(|site| &site.tenant));
    let load = Load::start(&doors, sites.iter().map(|site| &site.tenant), 2000);
    for _ in 0..3 {
        tokio::join!(sites[0].tenant.judged(300), sites[1].tenant.judged(300));
        assert!(doors.cached.cache_usage().unwrap().entries > 0);
        tokio::join!(
            rotate_with_overlap(&sites[0]),
            rotate_with_overlap(&sites[1])
        );
    }
    load.stop().await;
    for site in &sites {
        report(site);
        let tally = &site.tenant.tally;
        assert!(Tally::count(&tally.good) >= 3 * 300 && Tally::count(&tally.refused) >= 3 * 300);
        // Without a fetch that a slow machine made fail, somebody can always tell.
        assert!(site.tenant.failures() > 0 || Tally::count(&tally.unavailable) == 0);
    }
}

/// For a run with `--nocapture`.
pub(crate) fn report(site: &Site) {
    let tally = &site.tenant.tally;
    let line = format!(
        "{}: {} good, {} refused, {} unavailable, {} waited, {} requests",
        site.tenant.label,
        Tally::count(&tally.good),
        Tally::count(&tally.refused),
        Tally::count(&tally.unavailable),
        Tally::count(&tally.waited),
        site.server.request_count(),
    );
    say(&line);
}

/// On one thread, so that all have asked before the first answer can come.
#[tokio::test]
async fn line_39_thousands_who_need_a_key_that_was_changed_at_once_share_one_fetch() {
    let _alone = alone().await;
    let world = World::new();
    let policy = RefreshPolicy {
        max_waiting: 3000,
        ..RefreshPolicy::default()
    };
    let site = world.site("abrupt", policy).await;
    let tenant = &site.tenant;
    let doors = Doors::of([tenant]);
    let old: Vec<_> = (0..100).map(|_| tenant.token()).collect();
    for token in &old {
        assert!(matches!(doors.ask(token, 1), Step::Done(Answer::Good)));
    }
    let before = site.server.request_count();
    let last = tenant.issuer.active_key_id();
    let key = new_key();
    let next = key.id().as_str().to_owned();
    tenant.issuer.announce(key).unwrap();
    tenant.issuer.activate(&next).unwrap();
    tenant.issuer.retire(&last).unwrap();
    // It takes its time, and is at last believed.
    site.server.set(Behaviour::SlowDrip {
        answer: Document::json(tenant.issuer.jwks()),
        bytes: 40,
        tick: millis(10),
    });
    let token = tenant.token();
    let steps: Vec<_> = (0..3000).map(|turn| doors.ask(&token, turn)).collect();
    assert!(steps.iter().all(|step| matches!(step, Step::Wait(_))));
    assert_eq!(tenant.status().waiting, 3000);
    // Beyond the bound nobody waits, and nobody is refused for that.
    let beyond = doors.ask(&token, 1);
    assert!(
        matches!(beyond, Step::Done(Answer::Unavailable(_))),
        "{beyond:?}"
    );
    // Until the new set is there, the old key is as good as it was.
    assert!(matches!(doors.ask(&old[0], 1), Step::Done(Answer::Good)));
    let waiting: Vec<_> = steps
        .into_iter()
        .map(|step| tokio::spawn(async move { step.await }))
        .collect();
    for task in waiting {
        assert_eq!(task.await.unwrap(), Answer::Good);
    }
    assert_eq!(site.server.request_count(), before + 1);
    assert_eq!(tenant.status().waiting, 0);
    let gone = Answer::Refused(Some(Refusal::KeyUnknown));
    for token in &old {
        let answer = doors.ask(token, 1);
        assert!(
            matches!(answer, Step::Done(answer) if answer == gone),
            "cached before"
        );
    }
    assert_eq!(
        site.server.request_count(),
        before + 1,
        "within the cool-down"
    );
    assert!(tenant.status().expires_in > Duration::from_secs(3600));
}
