//! Whose certificates are accepted.

use super::*;
use crate::server::Identity;

async fn kind_of(fetcher: &HttpFetcher, identity: &Identity) -> FetchErrorKind {
    let server = Server::start_tls(identity, served()).await;
    let request = development(&server.url_as("localhost", "/jwks"));
    let error = fetch(fetcher, request).await.expect_err("refused");
    assert_eq!(server.request_count(), 0, "nothing is sent to a stranger");
    error.kind()
}

#[tokio::test]
async fn a_private_authority_is_trusted_by_name_for_names_and_addresses() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost", "127.0.0.1"]);
    let server = Server::start_tls(&identity, served()).await;
    // The second is beside the platform's, of which there may be none.
    let beside = HttpFetcher::builder().root_certificates_pem(authority.pem());
    for fetcher in [fetcher_trusting(&authority), beside.build().unwrap()] {
        for url in [server.url("/jwks"), server.url_as("localhost", "/jwks")] {
            document(fetch(&fetcher, development(&url)).await);
        }
    }
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused() {
    let authority = Authority::new();
    let beside = HttpFetcher::builder().root_certificates_pem(authority.pem());
    for fetcher in [fetcher_trusting(&authority), beside.build().unwrap()] {
        for (what, identity) in [
            ("self-signed", Identity::self_signed(&["localhost"])),
            ("strange", Authority::new().identity(&["localhost"])),
            ("expired", authority.expired(&["localhost"])),
            ("early", authority.not_yet_valid(&["localhost"])),
            ("another name", authority.identity(&["localhost.example"])),
            ("another address", authority.identity(&["127.0.0.1"])),
        ] {
            assert_eq!(
                kind_of(&fetcher, &identity).await,
                FetchErrorKind::Tls,
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn a_certificate_is_verified_anew_by_every_fetch() {
    let authority = Authority::new();
    let server = Server::start_tls(&authority.identity(&["localhost"]), served()).await;
    let fetcher = fetcher_trusting(&authority);
    let request = development(&server.url_as("localhost", "/jwks"));
    document(fetch(&fetcher, request.clone()).await);
    server.set_identity(&authority.expired(&["localhost"]));
    let error = fetch(&fetcher, request).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Tls);
}

#[tokio::test]
async fn a_handshake_that_fails_is_told_from_a_port_that_is_closed() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost"]);
    let fetcher = fetcher_trusting(&authority);
    let mut server = Server::start_tls(&identity, Behaviour::CloseAtOnce).await;
    let request = development(&server.url_as("localhost", "/jwks"));
    let error = fetch(&fetcher, request.clone()).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Tls);
    server.stop_listening().await;
    let error = fetch(&fetcher, request.clone()).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Connect);
    // Not TLS at all.
    server.listen_again();
    server.set(Behaviour::Banner(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()));
    let error = fetch(&fetcher, request).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Tls);
}

#[tokio::test]
async fn a_server_that_demands_a_certificate_has_refused_the_handshake() {
    let authority = Authority::new();
    let server = Server::start_tls(&authority.demanding(&["localhost"]), served()).await;
    let request = development(&server.url_as("localhost", "/jwks"));
    let error = fetch(&fetcher_trusting(&authority), request).await;
    let error = error.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Tls, "{}", shown(&error));
}
