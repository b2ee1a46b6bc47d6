//! A client's configuration.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTls, ClientTlsBuilder, ClientTrust, Pem, TlsFault};
use rustls::HandshakeKind;

use crate::authority::{Authority, DAY, HOUR, Issued, Leaf, NOW};
use crate::bench::{Bench, Echo, Fragile, is_served, second, served, until};

fn builder(bench: &Bench) -> ClientTlsBuilder {
    bench.write("servers.pem", &bench.servers.pem);
    ClientTls::builder([bench.path("servers.pem")])
        .clock(Arc::clone(&bench.clock) as _)
        .events(Arc::clone(&bench.events) as _)
}

async fn serving(bench: &Bench, issued: &Issued) -> Echo {
    bench.write_certificate(issued);
    Echo::new(&bench.load(ClientTrust::none())).await
}

#[tokio::test]
async fn accepts_the_server_it_means_and_no_other() {
    let bench = Bench::new();
    let tls = builder(&bench).load().expect("good files");
    let verdict = async |issued: Issued| {
        let echo = serving(&bench, &issued).await;
        is_served(echo.address, &tls.config()).await
    };
    let issue = |leaf: Leaf| bench.servers.issue(&leaf);
    assert!(verdict(issue(Leaf::server())).await);
    assert!(!verdict(issue(Leaf::server().named("elsewhere.test"))).await);
    assert!(
        !verdict(issue(Leaf::client().named("localhost"))).await,
        "a client's"
    );
    assert!(
        !verdict(issue(Leaf::server().authority())).await,
        "an authority's"
    );
    assert!(!verdict(Authority::new("servers").issue(&Leaf::server())).await);
    assert!(!verdict(Leaf::server().self_signed()).await);
    let echo = serving(&bench, &issue(Leaf::server())).await;
    bench.clock.set(second(NOW + 30 * DAY));
    assert!(
        is_served(echo.address, &tls.config()).await,
        "its last second"
    );
    bench.clock.set(second(NOW + 30 * DAY + 1));
    assert!(!is_served(echo.address, &tls.config()).await, "expired");
    bench.clock.set(second(NOW - HOUR - 1));
    assert!(
        !is_served(echo.address, &tls.config()).await,
        "not valid yet"
    );
    bench.clock.fail(true);
    assert!(!is_served(echo.address, &tls.config()).await);
}

#[tokio::test]
async fn shows_its_certificate_and_renews_it() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(bench.required())).await;
    let without = builder(&bench).load().expect("good files");
    assert!(!is_served(echo.address, &without.config()).await);
    assert_eq!(without.status().not_after, None);

    let first = bench
        .clients
        .issue(&Leaf::client().valid(NOW - DAY, NOW + DAY));
    bench.write("own.crt", &first.chain);
    bench.write("own.key", &first.key);
    let tls = builder(&bench)
        .certificate(bench.path("own.crt"), bench.path("own.key"))
        .load()
        .expect("good files");
    assert!(is_served(echo.address, &tls.config()).await);
    assert_eq!(tls.status().not_after, Some(second(NOW + DAY)));

    let renewed = bench.clients.issue(&Leaf::client());
    bench.write("own.crt", &renewed.chain);
    assert!(tls.reload().expect_err("half").has(TlsFault::KeyMismatch));
    assert!(is_served(echo.address, &tls.config()).await, "the old one");
    assert!(!tls.status().is_current());
    bench.write("own.key", &renewed.key);
    assert!(tls.reload().expect("good files"));
    assert_eq!(tls.status().not_after, Some(second(NOW + 30 * DAY)));
    assert_eq!(tls.status().generation, 2);
    assert!(is_served(echo.address, &tls.config()).await);
    assert!(!tls.reload().expect("the same"));
}

#[tokio::test]
async fn a_removed_root_accepts_no_further_server() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let tls = builder(&bench).load().expect("good files");
    assert!(is_served(echo.address, &tls.config()).await);
    let _watch = tls.watch(Duration::from_millis(100)).expect("a thread");
    bench.write("servers.pem", &Authority::new("others").pem);
    until(|| tls.status().generation == 2).await;
    assert!(!is_served(echo.address, &tls.config()).await);
    assert_eq!(
        bench.causes(EventKind::CertificatesReloaded),
        ["another client configuration is in force"]
    );
}

#[tokio::test]
async fn refuses_a_revoked_server() {
    let bench = Bench::new();
    let (good, revoked) = (
        bench.servers.issue(&Leaf::server()),
        bench.servers.issue(&Leaf::server()),
    );
    bench.write(
        "list.pem",
        &bench.servers.revocation_list(&[&revoked], NOW + DAY),
    );
    let listed = || builder(&bench).revocation_lists([bench.path("list.pem")]);
    let tls = listed().load().expect("good files");
    let echo = serving(&bench, &good).await;
    assert!(is_served(echo.address, &tls.config()).await);
    let echo_of_revoked = serving(&bench, &revoked).await;
    assert!(!is_served(echo_of_revoked.address, &tls.config()).await);

    bench.clock.set(second(NOW + DAY));
    assert!(
        !is_served(echo.address, &tls.config()).await,
        "the list is overdue"
    );
    let loosened = listed().accept_outdated_revocation_lists().load();
    let loosened = loosened.expect("good files").config();
    assert!(is_served(echo.address, &loosened).await);
    bench.clock.set(second(NOW));

    bench.write(
        "list.pem",
        &Authority::new("others").revocation_list(&[], NOW + DAY),
    );
    tls.reload().expect("a good list");
    assert!(
        !is_served(echo.address, &tls.config()).await,
        "no list of its issuer"
    );
    let loosened = listed().accept_unlisted_issuers().load();
    let loosened = loosened.expect("good files").config();
    assert!(is_served(echo.address, &loosened).await);
}

#[test]
fn another_comment_in_the_roots_is_not_another_configuration() {
    let bench = Bench::new();
    let tls = builder(&bench).load().expect("good files");
    bench.write("servers.pem", &format!("# ours\n{}", bench.servers.pem));
    assert!(!tls.reload().expect("the same roots"));
    assert_eq!(tls.status().generation, 1);
}

#[tokio::test]
async fn never_resumes_a_session() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let own = bench.good_client();
    let without = builder(&bench).load().expect("good files");
    let with = builder(&bench)
        .certificate(Pem::text(&*own.chain), Pem::text(&*own.key))
        .load()
        .expect("good files");
    for tls in [without, with] {
        for _ in 0..3 {
            let connection = served(echo.address, &tls.config()).await.expect("served");
            let kind = connection.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn offers_its_protocols() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let tls = builder(&bench)
        .protocols(["h2"])
        .load()
        .expect("good files");
    let connection = served(echo.address, &tls.config()).await.expect("served");
    assert_eq!(connection.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[test]
fn says_everything_that_is_wrong() {
    let error = ClientTls::builder(["/nowhere/ca.crt"])
        .certificate("/nowhere/own.crt", "/nowhere/own.key")
        .protocols(["x".repeat(256)])
        .load()
        .expect_err("refused");
    assert_eq!(error.problems().len(), 4);
    let no_roots = ClientTls::builder(Vec::<Pem>::new())
        .load()
        .expect_err("refused");
    assert!(no_roots.has(TlsFault::NoRoots));
}

/// With a certificate of its own, in the files `own.crt` and `own.key`.
fn with_own(bench: &Bench, own: &Issued) -> ClientTlsBuilder {
    write_own(bench, own);
    builder(bench).certificate(bench.path("own.crt"), bench.path("own.key"))
}

fn write_own(bench: &Bench, own: &Issued) {
    bench.write("own.crt", &own.chain);
    bench.write("own.key", &own.key);
}

#[test]
fn another_comment_in_the_certificate_is_not_another_configuration() {
    let bench = Bench::new();
    let own = bench.good_client();
    let tls = with_own(&bench, &own).load().expect("good files");
    bench.write("own.crt", &format!("# ours\n{}", own.chain));
    bench.write("own.key", &format!("# ours\n{}", own.key));
    assert!(!tls.reload().expect("the same certificate"));
    assert_eq!(tls.status().generation, 1);
    assert!(bench.causes(EventKind::CertificatesReloaded).is_empty());
}

#[test]
fn a_bad_protocol_alone_loads_nothing() {
    let bench = Bench::new();
    let load = builder(&bench).protocols(["h2", ""]).load();
    assert!(load.expect_err("refused").has(TlsFault::BadProtocol));
    assert!(builder(&bench).protocols(["h2"]).load().is_ok());
}

#[tokio::test]
async fn a_root_is_gone_even_while_a_renewal_of_the_own_certificate_goes_wrong() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let tls = with_own(&bench, &bench.good_client());
    let tls = tls.load().expect("good files");
    assert!(is_served(echo.address, &tls.config()).await);
    bench.write("own.key", "half a k");
    bench.write("servers.pem", &Authority::new("others").pem);
    let error = tls.reload().expect_err("the key");
    assert!(error.has(TlsFault::NoKey));
    assert!(!is_served(echo.address, &tls.config()).await);
    assert_eq!(tls.status().generation, 2);
}

#[test]
fn a_refused_content_is_told_of_once() {
    let bench = Bench::new();
    let tls = with_own(&bench, &bench.good_client());
    let tls = tls.load().expect("good files");
    bench.write("own.crt", &bench.good_client().chain);
    for _ in 0..3 {
        assert!(tls.reload().expect_err("half").has(TlsFault::KeyMismatch));
    }
    assert_eq!(bench.count(EventKind::CertificatesRefused), 1);
}

#[cfg(unix)]
#[test]
fn a_key_file_that_everybody_may_read_is_told_of_whenever_it_is_taken_over() {
    let bench = Bench::new();
    let expose = || {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(bench.path("own.key"), mode).expect("a mode");
    };
    let tls = with_own(&bench, &bench.good_client());
    expose();
    let tls = tls.load().expect("good files");
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 1);
    write_own(&bench, &bench.good_client());
    expose();
    assert!(tls.reload().expect("a renewal"));
    assert_eq!(bench.count(EventKind::PrivateKeyExposed), 2);
}

#[test]
fn the_end_of_the_own_certificate_is_told_of_before_it_and_when_it_comes() {
    let bench = Bench::new();
    let soon = bench
        .clients
        .issue(&Leaf::client().valid(NOW - 30 * DAY, NOW + HOUR));
    let tls = with_own(&bench, &soon).load().expect("good files");
    assert_eq!(
        bench.count(EventKind::CertificateExpiring),
        1,
        "at the start"
    );
    write_own(&bench, &bench.good_client());
    assert!(tls.reload().expect("a renewal"));
    let look = |at| {
        bench.clock.set(second(at));
        for _ in 0..3 {
            tls.reload().expect("the same");
        }
        bench.count(EventKind::CertificateExpiring)
    };
    assert_eq!(look(NOW + 20 * DAY), 1);
    assert_eq!(look(NOW + 25 * DAY), 2);
    assert_eq!(look(NOW + 30 * DAY + 1), 3);
    assert_eq!(look(NOW + 60 * DAY), 3);
}

#[test]
fn an_old_root_is_told_of_once() {
    let bench = Bench::new();
    let old = Authority::valid("old", NOW - 2 * DAY, NOW - DAY);
    bench.write("both.pem", &(bench.servers.pem.clone() + &old.pem));
    let tls = ClientTls::builder([bench.path("both.pem")])
        .clock(Arc::clone(&bench.clock) as _)
        .events(Arc::clone(&bench.events) as _)
        .load()
        .expect("good files");
    for _ in 0..3 {
        assert!(!tls.reload().expect("the same"));
    }
    assert_eq!(
        bench.causes(EventKind::CertificateExpiring),
        ["a root certificate is outside its dates, and is trusted as long as it is named"]
    );
}

#[test]
fn a_clock_that_fails_loads_nothing_and_takes_nothing_over() {
    let bench = Bench::new();
    bench.clock.fail(true);
    let load = builder(&bench).load();
    assert!(load.expect_err("refused").has(TlsFault::ClockUnavailable));
    bench.clock.fail(false);
    let tls = builder(&bench).load().expect("good files");
    bench.clock.fail(true);
    bench.write("servers.pem", &Authority::new("others").pem);
    let error = tls.reload().expect_err("no time");
    assert!(error.has(TlsFault::ClockUnavailable));
    assert_eq!(tls.status().generation, 1);
}

#[tokio::test]
async fn a_panic_of_the_sink_does_not_end_the_watch() {
    let bench = Bench::new();
    let sink = Fragile::new();
    let tls = with_own(&bench, &bench.good_client())
        .events(Arc::clone(&sink) as _)
        .load()
        .expect("good files");
    let _watch = tls.watch(Duration::from_millis(100)).expect("a thread");
    bench.write("own.key", "no key");
    until(|| {
        let failure = tls.status().failure;
        failure.is_some_and(|failure| failure.has(TlsFault::BrokenOff))
    })
    .await;
    sink.mend();
    write_own(&bench, &bench.good_client());
    until(|| tls.status().generation == 2).await;
}
