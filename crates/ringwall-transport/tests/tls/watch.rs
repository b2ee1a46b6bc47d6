//! Files that are looked at by themselves.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, ServerTls, TlsFault};

use crate::authority::{Authority, Leaf};
use crate::bench::{Bench, Echo, Fragile, is_served, until};

const INTERVAL: Duration = Duration::from_millis(100);

#[tokio::test]
async fn takes_over_what_is_there() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let echo = Echo::new(&tls).await;
    let client = bench.client().shows(&bench.good_client()).config();
    assert!(is_served(echo.address, &client).await);
    let watch = tls.watch(INTERVAL).expect("a thread");
    let before = tls.status();
    bench.write_certificate(&bench.servers.issue(&Leaf::server()));
    until(|| tls.status().generation == before.generation + 1).await;
    bench.write("roots.pem", &Authority::new("others").pem);
    until(|| tls.status().trust_generation != before.trust_generation).await;
    assert!(!is_served(echo.address, &client).await);

    drop(watch);
    let stopped = tls.status().generation;
    bench.write_certificate(&bench.servers.issue(&Leaf::server()));
    tokio::time::sleep(INTERVAL * 4).await;
    assert_eq!(tls.status().generation, stopped, "the watch was dropped");
}

#[cfg(unix)]
#[tokio::test]
async fn follows_the_symbolic_links_of_mounted_secrets() {
    use std::os::unix::fs::symlink;

    let bench = Bench::new();
    let version = |name: &str| {
        let issued = bench.servers.issue(&Leaf::server());
        std::fs::create_dir(bench.path(name)).expect("a folder");
        bench.write(&format!("{name}/tls.crt"), &issued.chain);
        bench.write(&format!("{name}/tls.key"), &issued.key);
    };
    // As Kubernetes does: names link to ..data/name, and ..data links to a folder of one version.
    version("..1");
    symlink("..1", bench.path("..data")).expect("a link");
    symlink("..data/tls.crt", bench.path("mounted.crt")).expect("a link");
    symlink("..data/tls.key", bench.path("mounted.key")).expect("a link");
    let tls = ServerTls::builder(bench.path("mounted.crt"), bench.path("mounted.key"))
        .clock(Arc::clone(&bench.clock) as _)
        .events(Arc::clone(&bench.events) as _)
        .load()
        .expect("good files");
    let _watch = tls.watch(INTERVAL).expect("a thread");
    for round in 2..6_u64 {
        version(&format!("..{round}"));
        symlink(format!("..{round}"), bench.path("..next")).expect("a link");
        std::fs::rename(bench.path("..next"), bench.path("..data")).expect("a swap");
        until(|| tls.status().generation == round).await;
    }
    assert_eq!(bench.count(EventKind::CertificatesRefused), 0);
}

#[tokio::test]
async fn a_copy_that_is_under_way_is_given_time() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let _watch = tls.watch(INTERVAL).expect("a thread");
    let clock = SystemClock::new();
    for attempt in 1..=300 {
        let refusals = bench.count(EventKind::CertificatesRefused);
        let issued = bench.servers.issue(&Leaf::server());
        // Looks see a certificate without its key, and each time another one.
        let (began, mut last, mut longest) = (clock.elapsed(), clock.elapsed(), Duration::ZERO);
        for part in 0..20 {
            bench.write("tls.crt", &format!("# {part}\n{}", issued.chain));
            tokio::time::sleep(Duration::from_millis(10)).await;
            longest = longest.max(clock.elapsed() - last);
            last = clock.elapsed();
        }
        bench.write("tls.key", &issued.key);
        longest = longest.max(clock.elapsed() - last);
        let took = clock.elapsed() - began;
        until(|| tls.status().generation == 1 + attempt && tls.status().is_current()).await;
        // A machine that stopped for longer than a copy is given made another test of it.
        if longest < Duration::from_millis(40) && took < Duration::from_millis(450) {
            assert_eq!(bench.count(EventKind::CertificatesRefused), refusals);
            return;
        }
    }
    panic!("this machine stops again and again");
}

#[tokio::test]
async fn a_copy_in_pieces_is_taken_over_when_it_is_done() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let _watch = tls.watch(INTERVAL).expect("a thread");
    for round in 2..5 {
        let issued = bench.servers.issue(&Leaf::server());
        bench.write("tls.crt", &issued.chain);
        for end in [issued.key.len() / 3, issued.key.len() / 2, issued.key.len()] {
            std::fs::write(bench.path("tls.key"), &issued.key[..end]).expect("a file");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        until(|| tls.status().generation == round && tls.status().is_current()).await;
    }
}

#[tokio::test]
async fn a_panic_of_the_sink_does_not_end_the_watch() {
    let bench = Bench::new();
    let sink = Fragile::new();
    let tls = bench
        .builder()
        .events(Arc::clone(&sink) as _)
        .load()
        .expect("good files");
    let _watch = tls.watch(INTERVAL).expect("a thread");
    bench.write("tls.key", "no key");
    until(|| {
        let failure = tls.status().failure;
        failure.is_some_and(|failure| failure.has(TlsFault::BrokenOff))
    })
    .await;
    sink.mend();
    bench.write_certificate(&bench.servers.issue(&Leaf::server()));
    until(|| tls.status().generation == 2).await;
    assert!(tls.set_client_trust(ClientTrust::none()).is_ok());
}
