//! Every kind of client certificate, in handshakes under both versions.

use rcgen::ExtendedKeyUsagePurpose;
use ringwall_core::event::EventKind;
use ringwall_transport::TlsListener;

use crate::authority::{Authority, DAY, HOUR, Issued, Leaf, NOW};
use crate::bench::{Bench, EACH_VERSION, Echo, connect, is_served, second, soon};

/// Whether a client with this certificate is served by a server that demands one, and the causes of
/// the failed handshakes that were reported.
async fn verdict(bench: &Bench, shows: Option<&Issued>) -> (bool, Vec<&'static str>) {
    let echo = Echo::new(&bench.load(bench.required())).await;
    let mut verdicts = Vec::new();
    for versions in EACH_VERSION {
        let mut client = bench.client().versions(versions);
        if let Some(issued) = shows {
            client = client.shows(issued);
        }
        verdicts.push(is_served(echo.address, &client.config()).await);
    }
    assert_eq!(verdicts[0], verdicts[1], "the versions differ");
    (verdicts[0], bench.causes(EventKind::HandshakeFailed))
}

async fn refused(bench: &Bench, shows: Option<&Issued>, cause: &'static str) {
    assert_eq!(verdict(bench, shows).await, (false, vec![cause; 2]));
}

#[tokio::test]
async fn accepts_a_good_certificate() {
    let bench = Bench::new();
    let good = bench.good_client();
    assert_eq!(verdict(&bench, Some(&good)).await, (true, Vec::new()));
}

#[tokio::test]
async fn accepts_a_certificate_of_an_intermediate_that_is_sent_along() {
    let bench = Bench::new();
    let below = bench.clients.intermediate("below", NOW - DAY, NOW + DAY);
    let good = below.issue(&Leaf::client());
    assert!(verdict(&bench, Some(&good)).await.0);
}

#[tokio::test]
async fn refuses_an_expired_certificate() {
    let bench = Bench::new();
    let old = bench
        .clients
        .issue(&Leaf::client().valid(NOW - DAY, NOW - 1));
    refused(&bench, Some(&old), "the client certificate has expired").await;
}

#[tokio::test]
async fn accepts_a_certificate_in_its_first_and_in_its_last_second() {
    let bench = Bench::new();
    let moment = bench.clients.issue(&Leaf::client().valid(NOW, NOW));
    assert!(verdict(&bench, Some(&moment)).await.0);
}

#[tokio::test]
async fn refuses_a_certificate_below_an_expired_intermediate() {
    let bench = Bench::new();
    let below = bench.clients.intermediate("below", NOW - DAY, NOW - 1);
    let lost = below.issue(&Leaf::client());
    refused(&bench, Some(&lost), "the client certificate has expired").await;
}

#[tokio::test]
async fn refuses_a_certificate_that_is_not_valid_yet() {
    let bench = Bench::new();
    let early = bench
        .clients
        .issue(&Leaf::client().valid(NOW + 1, NOW + DAY));
    refused(
        &bench,
        Some(&early),
        "the client certificate is not valid yet",
    )
    .await;
}

#[tokio::test]
async fn refuses_a_certificate_of_a_foreign_authority() {
    let bench = Bench::new();
    let foreign = Authority::new("strangers").issue(&Leaf::client());
    refused(
        &bench,
        Some(&foreign),
        "the client certificate leads to no root",
    )
    .await;
}

#[tokio::test]
async fn refuses_a_certificate_of_a_foreign_authority_of_the_same_name() {
    let bench = Bench::new();
    let foreign = Authority::new("clients").issue(&Leaf::client());
    let (is_served, causes) = verdict(&bench, Some(&foreign)).await;
    assert!(!is_served && causes.len() == 2, "{causes:?}");
}

#[tokio::test]
async fn refuses_the_certificate_of_an_authority_as_a_client() {
    let bench = Bench::new();
    let authority = bench.clients.issue(&Leaf::client().authority());
    refused(
        &bench,
        Some(&authority),
        "the client certificate is not acceptable",
    )
    .await;
}

#[tokio::test]
async fn refuses_the_root_itself_as_a_client() {
    let bench = Bench::new();
    let root = bench.clients.itself();
    refused(
        &bench,
        Some(&root),
        "the client certificate is not acceptable",
    )
    .await;
}

#[tokio::test]
async fn refuses_a_self_signed_certificate() {
    let bench = Bench::new();
    let own = Leaf::client().self_signed();
    refused(
        &bench,
        Some(&own),
        "the client certificate leads to no root",
    )
    .await;
}

#[tokio::test]
async fn refuses_a_certificate_below_a_leaf() {
    let bench = Bench::new();
    let false_issuer = bench
        .clients
        .issue_as_false_authority("false", &Leaf::client());
    let (is_served, causes) = verdict(&bench, Some(&false_issuer)).await;
    assert!(!is_served && causes.len() == 2, "{causes:?}");
}

#[tokio::test]
async fn refuses_a_certificate_for_servers_alone() {
    let bench = Bench::new();
    let server = bench
        .clients
        .issue(&Leaf::client().usages(&[ExtendedKeyUsagePurpose::ServerAuth]));
    let cause = "the client certificate is not for client authentication";
    refused(&bench, Some(&server), cause).await;
}

#[tokio::test]
async fn accepts_a_certificate_that_is_limited_to_no_use() {
    let bench = Bench::new();
    let free = bench.clients.issue(&Leaf::client().usages(&[]));
    assert!(verdict(&bench, Some(&free)).await.0);
}

#[tokio::test]
async fn refuses_a_client_without_a_certificate_where_one_is_required() {
    let bench = Bench::new();
    refused(&bench, None, "the client showed no certificate").await;
}

#[tokio::test]
async fn optional_accepts_no_certificate_and_refuses_a_foreign_one() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(bench.optional())).await;
    let foreign = Authority::new("strangers").issue(&Leaf::client());
    for versions in EACH_VERSION {
        let client = || bench.client().versions(versions);
        assert!(is_served(echo.address, &client().config()).await);
        let good = client().shows(&bench.good_client()).config();
        assert!(is_served(echo.address, &good).await);
        let foreign = client().shows(&foreign).config();
        assert!(!is_served(echo.address, &foreign).await);
    }
}

#[tokio::test]
async fn a_clock_that_fails_lets_nobody_in() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(bench.required())).await;
    let client = bench.client().shows(&bench.good_client()).config();
    bench.clock.fail(true);
    assert!(!is_served(echo.address, &client).await);
    bench.clock.fail(false);
    assert!(is_served(echo.address, &client).await);
}

#[tokio::test]
async fn the_peer_shows_the_chain_its_address_and_when_it_is_trusted() {
    let bench = Bench::new();
    let tls = bench.load(bench.optional());
    let mut listener = TlsListener::bind("127.0.0.1:0", &tls)
        .await
        .expect("a port");
    let below = bench.clients.intermediate("below", NOW - DAY, NOW + HOUR);
    let issued = below.issue(&Leaf::client());
    let config = bench.client().shows(&issued).config();
    let (client, (_connection, peer)) =
        soon(async { tokio::join!(connect(listener.local_addr(), &config), listener.accept()) })
            .await;
    let client = client.expect("a connection");
    assert_eq!(
        Ok(peer.address()),
        client.get_ref().0.local_addr().map_err(|_| ())
    );
    assert_eq!(peer.scheme(), Some("https"));
    let certificate = peer.certificate().expect("a certificate");
    assert_eq!(certificate.chain().len(), 2);
    assert_eq!(
        certificate.trust_generation(),
        tls.status().trust_generation
    );
    assert!(certificate.is_trusted(bench.now()));
    assert!(certificate.is_trusted(second(NOW + HOUR)));
    assert!(
        !certificate.is_trusted(second(NOW + HOUR + 1)),
        "the intermediate ended"
    );
    assert!(
        !certificate.is_trusted(second(NOW - HOUR - 1)),
        "the leaf had not begun"
    );
    assert!(!certificate.is_trusted(second(-1)));
    assert!(certificate.is_trusted(bench.now()));

    let anonymous = bench.client().config();
    let (client_without, (_connection, peer)) = soon(async {
        tokio::join!(
            connect(listener.local_addr(), &anonymous),
            listener.accept()
        )
    })
    .await;
    assert!(client_without.is_ok() && peer.certificate().is_none());
    assert_eq!(peer.scheme(), Some("https"));
}
