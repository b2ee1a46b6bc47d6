//! Connections with client certificates, and what becomes of their calls when trust is withdrawn.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::AuthenticationMethod;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, HttpsOnly, Presented};
use ringwall_tonic::TlsIncoming;
use ringwall_transport::{ClientTrust, Pem, ServerTls, TlsListener};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tonic::transport::Server;

use crate::raw::{Call, Raw};
use crate::support::{Bench, Site, principal, soon};

/// An authority.
struct Root(CertifiedIssuer<'static, KeyPair>);

/// A chain and its key.
struct Issued {
    chain: String,
    key: String,
}

impl Root {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a root"))
    }

    fn pem(&self) -> Pem {
        Pem::text(self.0.pem())
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Issued {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Issued {
            chain: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn client(&self) -> Issued {
        self.issue("client.test", ExtendedKeyUsagePurpose::ClientAuth)
    }
}

/// Takes whoever has a certificate for `reader`.
#[derive(Debug)]
struct Certificates;

impl Authenticator for Certificates {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.tls_peer {
            Some(_) => Presented::Elsewhere,
            None => Presented::No,
        }
    }

    fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let reader = principal("reader", AuthenticationMethod::Token).expect("somebody");
        Step::Done(Ok(reader.into()))
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

struct Guarded {
    bench: Bench,
    tls: ServerTls,
    site: Site,
    servers: Root,
    clients: Root,
}

impl Guarded {
    async fn new() -> Self {
        let bench = Bench::with(|builder| {
            builder
                .authenticator(Certificates)
                .https_only(HttpsOnly::refuse())
        });
        let (servers, clients) = (Root::new(), Root::new());
        let server = servers.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
        let tls = ServerTls::builder(Pem::text(server.chain), Pem::text(server.key))
            .client_trust(ClientTrust::optional([clients.pem()]))
            .load()
            .expect("a configuration");
        let listener = TlsListener::bind("127.0.0.1:0", &tls).await;
        let site = incoming(&bench, listener.expect("a port"));
        Self {
            bench,
            tls,
            site,
            servers,
            clients,
        }
    }

    /// A connection; with the certificate, if there is one.
    async fn connect(&self, with: Option<&Issued>) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.servers.0.pem().as_bytes());
        roots.add(root.expect("a root")).expect("a root");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match with {
            None => config.with_no_client_auth(),
            Some(Issued { chain, key }) => {
                let chain = CertificateDer::from_pem_slice(chain.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes());
                config
                    .with_client_auth_cert(vec![chain.expect("a chain")], key.expect("a key"))
                    .expect("a certificate")
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.site.0).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await
    }

    async fn raw(&self, with: Option<&Issued>) -> Raw {
        let stream = self.connect(with).await.expect("a handshake");
        Raw::over(stream).await.expect("a connection")
    }
}

fn incoming(bench: &Bench, listener: TlsListener) -> Site {
    let site = Site(listener.local_addr());
    let routes = bench.routes().into_routes().expect("routes");
    let server = Server::builder().add_routes(routes);
    let incoming = TlsIncoming::new(listener);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    site
}

#[tokio::test]
async fn the_door_learns_the_certificate_the_scheme_and_the_address() {
    let guarded = Guarded::new().await;
    let client = guarded.clients.client();
    let raw = guarded.raw(Some(&client)).await;
    let answer = soon(raw.call(Call::of("Whoami"))).await.expect("an answer");
    assert_eq!(answer.text(), "reader");
    let record = guarded.bench.audit.snapshot().swap_remove(0);
    assert_eq!(record.intent.source, Some([127, 0, 0, 1].into()));

    let both = Call::of("Whoami").from("writer");
    let answer = soon(raw.call(both)).await.expect("an answer");
    assert_eq!(answer.code(), Some(3), "two credentials");
}

#[tokio::test]
async fn without_a_certificate_a_client_is_nobody() {
    let guarded = Guarded::new().await;
    let raw = guarded.raw(None).await;
    let answer = soon(raw.call(Call::of("Whoami"))).await.expect("an answer");
    assert_eq!(answer.code(), Some(16));
    let token = Call::of("Whoami").from("writer");
    let answer = soon(raw.call(token)).await.expect("an answer");
    assert_eq!(answer.text(), "writer");
}

#[tokio::test]
async fn a_foreign_certificate_reaches_no_door() {
    let guarded = Guarded::new().await;
    let foreign = Root::new().client();
    let answered = async {
        let stream = guarded.connect(Some(&foreign)).await.ok()?;
        Raw::over(stream)
            .await?
            .call(Call::of("Version"))
            .await
            .ok()
    };
    assert!(soon(answered).await.is_none());
    assert!(guarded.bench.desk.reached().is_empty());
}

#[tokio::test]
async fn removing_a_root_ends_its_calls_on_running_connections() {
    let guarded = Guarded::new().await;
    let client = guarded.clients.client();
    let raw = guarded.raw(Some(&client)).await;
    let call = Call::of("Watch").saying("silent");
    let stream = tokio::spawn(async move { raw.call(call).await });
    let bench = &guarded.bench;
    bench.until(|bench| bench.desk.reached() == ["Watch"]).await;
    let other = Root::new();
    guarded
        .tls
        .set_client_trust(ClientTrust::optional([other.pem()]))
        .expect("another trust");
    let ended = soon(stream).await.expect("no panic");
    assert!(ended.is_err(), "{ended:?}");
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;

    let again = async {
        let stream = guarded.connect(Some(&client)).await.ok()?;
        Raw::over(stream)
            .await?
            .call(Call::of("Version"))
            .await
            .ok()
    };
    assert!(soon(again).await.is_none());
    let new = other.client();
    let raw = guarded.raw(Some(&new)).await;
    let answer = soon(raw.call(Call::of("Whoami"))).await.expect("an answer");
    assert_eq!(answer.text(), "reader");
}

#[tokio::test]
async fn a_plain_connection_is_refused_where_tls_is_demanded() {
    let bench = Bench::with(|builder| builder.https_only(HttpsOnly::refuse()));
    let listener = TlsListener::plain().bind("127.0.0.1:0").await;
    let site = incoming(&bench, listener.expect("a port"));
    let answer = site.call(Call::of("Read").from("reader")).await;
    assert_eq!(answer.code(), Some(9));
    assert!(bench.desk.reached().is_empty());

    let bench = Bench::new();
    let listener = TlsListener::plain().bind("127.0.0.1:0").await;
    let site = incoming(&bench, listener.expect("a port"));
    let answer = site.call(Call::of("Read").from("reader")).await;
    assert_eq!(answer.code(), Some(0));
}

#[tokio::test]
async fn silent_clients_delay_nobody() {
    let guarded = Guarded::new().await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(guarded.site.0).await.expect("up"));
    }
    let client = guarded.clients.client();
    let served = async {
        let raw = guarded.raw(Some(&client)).await;
        raw.call(Call::of("Whoami"))
            .await
            .expect("an answer")
            .code()
    };
    let served = tokio::time::timeout(Duration::from_secs(20), served).await;
    assert_eq!(served.expect("served"), Some(0));
    drop(silent);
}
