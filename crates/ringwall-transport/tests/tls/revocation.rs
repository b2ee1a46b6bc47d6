//! Revocation lists.

use ringwall_core::event::EventKind;
use ringwall_transport::ClientTrust;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;

use crate::authority::{DAY, Leaf, NOW};
use crate::bench::{Bench, Echo, ask, is_served, second, served};

fn with_list(bench: &Bench) -> ClientTrust {
    bench.required().revocation_lists([bench.path("list.pem")])
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_others_are_not() {
    let bench = Bench::new();
    let (good, revoked) = (bench.good_client(), bench.good_client());
    bench.write(
        "list.pem",
        &bench.clients.revocation_list(&[&revoked], NOW + DAY),
    );
    let echo = Echo::new(&bench.load(with_list(&bench))).await;
    assert!(is_served(echo.address, &bench.client().shows(&good).config()).await);
    assert!(!is_served(echo.address, &bench.client().shows(&revoked).config()).await);
    assert_eq!(
        bench.causes(EventKind::HandshakeFailed),
        ["the client certificate is revoked"]
    );
}

#[tokio::test]
async fn a_list_in_der_counts() {
    let bench = Bench::new();
    let revoked = bench.good_client();
    let list = bench.clients.revocation_list(&[&revoked], NOW + DAY);
    let der = CertificateRevocationListDer::from_pem_slice(list.as_bytes()).expect("PEM");
    std::fs::write(bench.path("list.pem"), der).expect("a file");
    let echo = Echo::new(&bench.load(with_list(&bench))).await;
    assert!(!is_served(echo.address, &bench.client().shows(&revoked).config()).await);
    assert!(
        is_served(
            echo.address,
            &bench.client().shows(&bench.good_client()).config()
        )
        .await
    );
}

#[tokio::test]
async fn a_revocation_ends_a_running_connection_and_spares_the_others() {
    let bench = Bench::new();
    let (good, revoked) = (bench.good_client(), bench.good_client());
    bench.write("list.pem", &bench.clients.revocation_list(&[], NOW + DAY));
    let tls = bench.load(with_list(&bench));
    let echo = Echo::new(&tls).await;
    let open = async |issued| {
        let config = bench.client().shows(issued).config();
        served(echo.address, &config).await.expect("served")
    };
    let (mut kept, mut ended) = (open(&good).await, open(&revoked).await);
    bench.write(
        "list.pem",
        &bench.clients.revocation_list(&[&revoked], NOW + DAY),
    );
    assert!(tls.reload().expect("a good list"));
    ask(&mut kept).await.expect("served on");
    assert!(ask(&mut ended).await.is_err());
}

#[tokio::test]
async fn an_overdue_list_accepts_nobody_unless_that_is_loosened() {
    let bench = Bench::new();
    bench.write("list.pem", &bench.clients.revocation_list(&[], NOW + DAY));
    let tls = bench.load(with_list(&bench));
    let echo = Echo::new(&tls).await;
    let client = bench.client().shows(&bench.good_client()).config();
    let mut running = served(echo.address, &client).await.expect("served");
    let status = tls.status();
    assert_eq!(status.lists_until, Some(second(NOW + DAY)));
    assert!(status.is_ready(second(NOW + DAY - 1)) && !status.is_ready(second(NOW + DAY)));

    bench.clock.set(second(NOW + DAY - 1));
    ask(&mut running).await.expect("the list counts");
    bench.clock.set(second(NOW + DAY));
    assert!(ask(&mut running).await.is_err(), "a running connection");
    assert!(!is_served(echo.address, &client).await, "a new one");
    tls.reload().expect("the same");
    tls.reload().expect("the same");
    assert_eq!(
        bench.causes(EventKind::CertificateExpiring),
        ["a revocation list is out of date: nobody is accepted by it"]
    );

    tls.set_client_trust(with_list(&bench).accept_outdated_revocation_lists())
        .expect("good roots");
    assert!(is_served(echo.address, &client).await);
    assert_eq!(tls.status().lists_until, None);
}

#[tokio::test]
async fn an_issuer_without_a_list_is_refused_unless_that_is_loosened() {
    let bench = Bench::new();
    let below = bench.clients.intermediate("below", NOW - DAY, NOW + DAY);
    bench.write("list.pem", &bench.clients.revocation_list(&[], NOW + DAY));
    let tls = bench.load(with_list(&bench));
    let echo = Echo::new(&tls).await;
    let client = bench.client().shows(&below.issue(&Leaf::client())).config();
    assert!(!is_served(echo.address, &client).await);
    assert_eq!(
        bench.causes(EventKind::HandshakeFailed),
        ["no revocation list covers the client certificate"]
    );
    tls.set_client_trust(with_list(&bench).accept_unlisted_issuers())
        .expect("good roots");
    assert!(is_served(echo.address, &client).await);

    bench.write("list.pem", &bench.clients.revocation_list(&[], NOW + DAY));
    let both = with_list(&bench).revocation_lists([bench.path("below.pem")]);
    bench.write("below.pem", &below.revocation_list(&[], NOW + DAY));
    tls.set_client_trust(both).expect("good lists");
    assert!(is_served(echo.address, &client).await);
}
