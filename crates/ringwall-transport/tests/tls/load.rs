//! Certificates and roots that change under load.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ringwall_transport::ServerTls;
use rustls::ClientConfig;
use tokio::time::sleep;

use crate::authority::{Authority, Leaf};
use crate::bench::{Bench, Connected, Echo, ask, served};

/// Whether clients of one authority are accepted, as far as that is certain.
#[derive(Default)]
struct Standing {
    /// Odd while a reload runs, when either verdict is right.
    edition: AtomicU64,
    is_trusted: AtomicBool,
    /// How often the root went.
    removals: AtomicU64,
}

impl Standing {
    /// The edition, if nothing changes now.
    fn certain(&self) -> Option<u64> {
        let edition = self.edition.load(Ordering::SeqCst);
        edition.is_multiple_of(2).then_some(edition)
    }
}

#[derive(Default)]
struct Tally {
    accepted: AtomicUsize,
    refused: AtomicUsize,
    good_that_failed: AtomicUsize,
    served_without_root: AtomicUsize,
}

impl Tally {
    /// Counts a request that began in `before` on a connection of `since`, and answers whether its
    /// verdict is certain.
    fn count(&self, standing: &Standing, before: Option<u64>, since: u64, is_served: bool) -> bool {
        let is_trusted = standing.is_trusted.load(Ordering::SeqCst);
        let survived = standing.removals.load(Ordering::SeqCst) == since;
        if before.is_none() || standing.certain() != before {
            return false;
        }
        let counter = match (is_trusted, survived, is_served) {
            (true, true, true) => &self.accepted,
            (true, true, false) => &self.good_that_failed,
            (false, _, true) => &self.served_without_root,
            (false, _, false) => &self.refused,
            // Its root went and came back: it was ended, unless nothing looked at it in between.
            (true, false, _) => return false,
        };
        counter.fetch_add(1, Ordering::SeqCst);
        true
    }
}

/// One client after the other with certificates of one authority: a new connection, some requests.
async fn customers(
    address: core::net::SocketAddr,
    config: Arc<ClientConfig>,
    standing: Arc<Standing>,
    tally: Arc<Tally>,
    is_over: Arc<AtomicBool>,
) {
    while !is_over.load(Ordering::SeqCst) {
        let before = standing.certain();
        let since = standing.removals.load(Ordering::SeqCst);
        let mut connection: Option<Connected> = served(address, &config).await.ok();
        let is_certain = tally.count(&standing, before, since, connection.is_some());
        if connection.is_none() {
            // Refusals are quick, and would leave nobody else a processor.
            sleep(Duration::from_millis(5)).await;
        }
        if !is_certain {
            continue; // nobody knows which trust it began under
        }
        for _ in 0..8 {
            let Some(open) = &mut connection else { break };
            let before = standing.certain();
            let is_served = ask(open).await.is_ok();
            tally.count(&standing, before, since, is_served);
            if !is_served {
                connection = None;
            }
        }
    }
}

struct Change<'a> {
    bench: &'a Bench,
    tls: &'a ServerTls,
    authorities: &'a [(Authority, Arc<Standing>)],
}

impl Change<'_> {
    /// Puts the roots of the authorities in `chosen` (a bit each) in force, and another certificate.
    fn make(&self, chosen: usize, renews: bool) {
        let mut roots = String::new();
        for (index, (authority, standing)) in self.authorities.iter().enumerate() {
            let is_chosen = chosen & (1 << index) != 0;
            standing.edition.fetch_add(1, Ordering::SeqCst);
            if standing.is_trusted.swap(is_chosen, Ordering::SeqCst) && !is_chosen {
                standing.removals.fetch_add(1, Ordering::SeqCst);
            }
            if is_chosen {
                roots += &authority.pem;
            }
        }
        self.bench.write("roots.pem", &roots);
        if renews {
            self.bench
                .write_certificate(&self.bench.servers.issue(&Leaf::server()));
        }
        self.tls.reload().expect("good files");
        for (_, standing) in self.authorities {
            standing.edition.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn soak_no_verdict_is_wrong_while_certificates_and_roots_change() {
    let rounds = if std::env::var("RINGWALL_SOAK").is_ok_and(|value| value == "1") {
        2000
    } else {
        40
    };
    let bench = Bench::new();
    let authorities: Vec<_> = (0..3)
        .map(|index| {
            (
                Authority::new(&format!("clients {index}")),
                Arc::new(Standing::default()),
            )
        })
        .collect();
    let all: String = authorities
        .iter()
        .map(|(authority, _)| &*authority.pem)
        .collect();
    bench.write("roots.pem", &all);
    let tls = bench.load(bench.required());
    let echo = Echo::new(&tls).await;
    let change = Change {
        bench: &bench,
        tls: &tls,
        authorities: &authorities,
    };
    change.make(0b111, false);

    let (tally, is_over) = (Arc::new(Tally::default()), Arc::new(AtomicBool::new(false)));
    let mut customers_of_all = Vec::new();
    for (authority, standing) in &authorities {
        for _ in 0..2 {
            let issued = authority.issue(&Leaf::client());
            let client = bench.client().shows(&issued).config();
            let (standing, tally) = (Arc::clone(standing), Arc::clone(&tally));
            let task = customers(echo.address, client, standing, tally, Arc::clone(&is_over));
            customers_of_all.push(tokio::spawn(task));
        }
    }
    // A fixed walk through all seven sets of roots, with renewals in between.
    let mut walk = 1_u32;
    let counted = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    let is_enough = || counted(&tally.accepted) > 200 && counted(&tally.refused) > 100;
    for round in 0..100 * rounds {
        if round >= rounds && is_enough() {
            break;
        }
        sleep(Duration::from_millis(60)).await;
        walk = walk.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let chosen = usize::try_from(walk >> 24).expect("a byte") % 7 + 1;
        tokio::task::block_in_place(|| change.make(chosen, walk & 0x1000 != 0));
    }
    change.make(0b111, true);
    sleep(Duration::from_millis(50)).await;
    is_over.store(true, Ordering::SeqCst);
    for customer in customers_of_all {
        customer.await.expect("no panic");
    }
    let (accepted, refused) = (counted(&tally.accepted), counted(&tally.refused));
    let wrong = (
        counted(&tally.good_that_failed),
        counted(&tally.served_without_root),
    );
    assert_eq!(wrong, (0, 0), "of {accepted} accepted, {refused} refused");
    assert!(
        is_enough(),
        "{accepted} accepted, {refused} refused are too few to show anything"
    );
}
