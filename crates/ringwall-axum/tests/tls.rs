//! The TLS listener as `axum::serve` takes it, with nothing set.

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;
    use std::sync::Arc;

    use ringwall_axum::{Connection, GuardedRouter, TlsIncoming, get};
    use ringwall_gate::{Gate, HttpsOnly};
    use ringwall_transport::{Pem, ServerTls, TlsListener};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

    /// Serves a public route over TLS alone. Answers the address and the certificate.
    async fn start() -> (SocketAddr, CertificateDer<'static>) {
        let own =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let chain = Pem::text(own.cert.pem());
        let key = Pem::text(own.signing_key.serialize_pem());
        let tls = ServerTls::builder(chain, key).load().expect("TLS");
        let listener = TlsListener::bind("127.0.0.1:0", &tls)
            .await
            .expect("a listener");
        let address = listener.local_addr();
        let gate = Gate::builder("tls")
            .without_authenticators()
            .without_audit()
            .https_only(HttpsOnly::refuse())
            .build()
            .expect("a gate");
        let router = GuardedRouter::new(gate).public_route("/health", get(async || "well"));
        let router: axum::Router = router.into_router().expect("a router");
        let service = router.into_make_service_with_connect_info::<Connection>();
        let serving = axum::serve(TlsIncoming::new(listener), service);
        // It ends with the runtime of the test.
        tokio::spawn(serving.into_future());
        (address, own.cert.der().clone())
    }

    async fn connect(
        address: SocketAddr,
        root: &CertificateDer<'static>,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).expect("a root");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = TcpStream::connect(address).await.expect("a connection");
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.expect("a handshake")
    }

    /// As curl and browsers do, which take HTTP/2 wherever it is offered.
    #[tokio::test]
    async fn what_the_listener_offers_by_itself_is_served() {
        let (address, root) = start().await;
        let stream = connect(address, &root, &["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = axum::http::Request::get("https://localhost/health");
        let request = request.body(()).expect("a request");
        let (answer, _) = sender.send_request(request, true).expect("sent");
        assert_eq!(answer.await.expect("an answer").status(), 200);

        for protocols in [&["http/1.1"][..], &[]] {
            let mut stream = connect(address, &root, protocols).await;
            let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.expect("sent");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.ends_with("well"), "{answer}");
        }
    }
}
