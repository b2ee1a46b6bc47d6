//! Certificates and roots that are replaced while requests are made.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ringwall_transport::{ClientTrust, Pem};
use rustls::ClientConfig;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::authority::Authority;
use crate::client::{Outcome, Session, config};
use crate::site::{ALL, Framework, Site};

/// How long it goes on before and after the root is removed.
const HALF: Duration = Duration::from_millis(1500);

/// What one client asks a second, and how many there are of each kind: 500 a second together.
const PACE: Duration = Duration::from_millis(16);
const CLIENTS: usize = 4;

/// What happened to the requests of a kind of clients.
#[derive(Debug, Default)]
struct Record {
    admitted: AtomicUsize,
    /// Not let in although nothing was wrong with them.
    failed: AtomicUsize,
    /// Let in by a root that had been removed when they were begun.
    wrongly_admitted: AtomicUsize,
    refused: AtomicUsize,
}

/// What becomes of the root that a client's certificate is from.
#[derive(Debug, Default)]
struct Root {
    /// It is being removed, or was: what ends from here on may be refused.
    is_going: AtomicBool,
    /// It was removed: what begins from here on may not be let in.
    is_removed: AtomicBool,
}

/// Asks at its pace, over connections that stay for a while.
async fn client(
    site: Arc<Site>,
    config: Arc<ClientConfig>,
    per_connection: usize,
    root: Arc<Root>,
    is_over: Arc<AtomicBool>,
    record: Arc<Record>,
) {
    let mut ticks = interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut session: Option<Session> = None;
    let mut left = 0;
    while !is_over.load(Ordering::Acquire) {
        ticks.tick().await;
        if left == 0 {
            session = None;
        }
        let was_removed = root.is_removed.load(Ordering::Acquire);
        if session.is_none() {
            session = Session::open(&site, &config).await;
            left = per_connection;
        }
        let outcome = match &mut session {
            Some(session) => session.ask().await,
            None => Outcome::Closed,
        };
        left = left.saturating_sub(1);
        if outcome != Outcome::Admitted {
            session = None;
        }
        let counter = match (outcome, was_removed) {
            (Outcome::Admitted, false) => &record.admitted,
            (Outcome::Admitted, true) => &record.wrongly_admitted,
            // One that was under way when the root went may end either way.
            (_, _) if root.is_going.load(Ordering::Acquire) => &record.refused,
            (_, _) => &record.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_and_the_removal_of_a_root_under_load_make_no_wrong_verdict() {
    for framework in ALL {
        under_load(framework).await;
    }
}

async fn under_load(framework: Framework) {
    let (kept, removed) = (Authority::new("kept"), Authority::new("removed"));
    let site = Site::start(framework, &kept, [kept.pem(), removed.pem()]).await;
    let site = Arc::new(site);
    let (stays, goes) = (Arc::new(Root::default()), Arc::new(Root::default()));
    let is_over = Arc::new(AtomicBool::new(false));
    let (good, doomed) = (Arc::new(Record::default()), Arc::new(Record::default()));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        // Connections of one request, and of ever more.
        let per_connection = 1 << (3 * number);
        for (authority, root, record) in [(&kept, &stays, &good), (&removed, &goes, &doomed)] {
            let config = config(&kept, Some(&authority.client()));
            clients.spawn(client(
                Arc::clone(&site),
                config,
                per_connection,
                Arc::clone(root),
                Arc::clone(&is_over),
                Arc::clone(record),
            ));
        }
    }
    // The server's own certificate is renewed again and again meanwhile.
    let renewals = {
        let (site, is_over) = (Arc::clone(&site), Arc::clone(&is_over));
        let pairs: Vec<_> = (0..4).map(|_| kept.server()).collect();
        tokio::spawn(async move {
            for pair in pairs.iter().cycle() {
                if is_over.load(Ordering::Acquire) {
                    break;
                }
                let (chain, key) = (Pem::text(pair.chain.clone()), Pem::text(pair.key.clone()));
                site.tls.set_certificate(chain, key).expect("a certificate");
                sleep(Duration::from_millis(50)).await;
            }
        })
    };
    sleep(HALF).await;
    let trust = ClientTrust::optional([kept.pem()]);
    goes.is_going.store(true, Ordering::Release);
    site.tls.set_client_trust(trust).expect("a root");
    goes.is_removed.store(true, Ordering::Release);
    sleep(HALF).await;
    is_over.store(true, Ordering::Release);
    while let Some(done) = clients.join_next().await {
        done.expect("no panic");
    }
    renewals.await.expect("no panic");

    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    assert!(count(&good.admitted) > 20, "{framework:?}: {good:?}");
    assert_eq!(count(&good.failed), 0, "{framework:?}: {good:?}");
    assert!(count(&doomed.admitted) > 10, "{framework:?}: {doomed:?}");
    assert_eq!(count(&doomed.failed), 0, "{framework:?}: {doomed:?}");
    assert_eq!(
        count(&doomed.wrongly_admitted),
        0,
        "{framework:?}: {doomed:?}"
    );
    assert!(count(&doomed.refused) > 10, "{framework:?}: {doomed:?}");
}
