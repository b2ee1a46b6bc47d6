//! Which hosts are asked. Answers that no real resolver gives are in the unit tests.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ringwall_jwks_client::HttpFetcherError;

use super::*;

#[tokio::test]
async fn in_production_this_machine_is_not_asked_in_any_spelling() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost", "127.0.0.1"]);
    let server = Server::start_tls(&identity, served()).await;
    let fetcher = fetcher_trusting(&authority);
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
    ] {
        let request = production(&server.url_as(host, "/jwks"));
        let error = fetch(&fetcher, request).await.expect_err(host);
        let kind = error.kind();
        // Not every system's resolver knows the name with a dot.
        let is_refused = kind == FetchErrorKind::AddressRefused
            || (host == "localhost." && kind == FetchErrorKind::Connect);
        assert!(is_refused, "{host}: {kind:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn private_addresses_are_refused_without_a_packet() {
    for host in [
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "172.16.0.1",
        "100.100.100.200",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[2002:a00:1::]",
    ] {
        for profile in [Profile::Production, Profile::Development] {
            let request = request(&format!("https://{host}/jwks"), profile);
            // An attempt to connect would not be over at the first poll.
            let fetched = tokio::time::timeout(Duration::ZERO, fetcher().fetch(request)).await;
            let error = fetched.expect("no attempt").expect_err(host);
            assert_eq!(error.kind(), FetchErrorKind::AddressRefused, "{host}");
        }
    }
}

#[tokio::test]
async fn in_development_other_spellings_of_this_machine_are_not_asked() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost"]);
    let server = Server::start_tls(&identity, served()).await;
    for host in ["0.0.0.0", "[::ffff:127.0.0.1]", "[::]"] {
        let request = development(&server.url_as(host, "/jwks"));
        let error = fetch(&fetcher_trusting(&authority), request).await;
        let kind = error.expect_err(host).kind();
        assert_eq!(kind, FetchErrorKind::AddressRefused, "{host}");
    }
    assert_eq!(server.connections(), 0);
}

/// Systems other than Linux have one loopback address unless they are told otherwise.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_network_is_permitted_by_name() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost", "127.0.0.1", "127.0.0.2"]);
    let server = Server::start_tls(&identity, served()).await;
    let elsewhere = Ipv4Addr::new(127, 0, 0, 2).into();
    let other = Server::start_on(elsewhere, served(), Some(identity)).await;
    let fetcher = HttpFetcher::builder()
        .root_certificates_pem(authority.pem())
        .only_root_certificates()
        .allow_network("127.0.0.1/32")
        .build()
        .unwrap();
    for url in [server.url("/jwks"), server.url_as("localhost", "/jwks")] {
        document(fetch(&fetcher, production(&url)).await);
    }
    let error = fetch(&fetcher, production(&other.url("/jwks"))).await;
    assert_eq!(
        error.expect_err("refused").kind(),
        FetchErrorKind::AddressRefused
    );
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_development_server_on_ipv6_is_asked() {
    let loopback = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if tokio::net::TcpListener::bind((loopback, 0)).await.is_err() {
        // A machine without IPv6 has no such server.
        return;
    }
    let server = Server::start_on(loopback, served(), None).await;
    document(fetch_from(&server).await);
}

#[test]
fn a_network_that_is_not_one_is_told_when_the_fetcher_is_made() {
    let built = HttpFetcher::builder()
        .root_certificates_pem(Authority::new().pem())
        .allow_network("10.0.0.0/8")
        .allow_network("10.0.0.1/8\n")
        .build();
    let error = built.expect_err("refused");
    assert!(matches!(error, HttpFetcherError::Network(_)));
    assert!(
        error.to_string().starts_with(r#""10.0.0.1/8\n" is"#),
        "{error}"
    );
}

#[test]
fn the_policy_can_be_seen() {
    let builder = HttpFetcher::builder()
        .root_certificates_pem(Authority::new().pem())
        .only_root_certificates()
        .allow_network("10.0.0.0/8")
        .any_content_type();
    let shown = format!("{:?}", builder.build().unwrap());
    assert_eq!(
        shown,
        "HttpFetcher { reach: global addresses, 10.0.0.0/8, any_content_type: true, \
         platform_roots: false, named_roots: 1, .. }"
    );
}
