//! The same service under each framework, over TLS.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::App;
use ringwall_actix::GuardedApp;
use ringwall_authn::transport::{IdentityRule, TrustDomain};
use ringwall_authn::{CertificateAuthenticator, CertificateMapping};
use ringwall_axum::{Connection, GuardedRouter};
use ringwall_core::event::DiscardEvents;
use ringwall_gate::{Gate, HttpsOnly};
use ringwall_tonic::{GuardedRoutes, authenticated, guard};
use ringwall_transport::{ClientTrust, HandshakeAcceptor, Pem, ServerTls, TlsListener};
use tonic::transport::Server;

use crate::authority::{Authority, WORKER};

/// Beyond what any test waits.
const FOREVER: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framework {
    Axum,
    Actix,
    Tonic,
}

pub(crate) const ALL: [Framework; 3] = [Framework::Axum, Framework::Actix, Framework::Tonic];

/// A service that runs until the test ends.
pub(crate) struct Site {
    pub(crate) framework: Framework,
    pub(crate) address: SocketAddr,
    pub(crate) tls: ServerTls,
}

/// A gate that lets one workload in, by its certificate.
fn gate() -> Gate {
    let domain = TrustDomain::new("test.example").expect("a domain");
    let mapping = CertificateMapping::spiffe(WORKER).expect("an id");
    Gate::builder("test")
        .certificates(
            CertificateAuthenticator::builder(IdentityRule::spiffe(domain))
                .direct()
                .map(mapping),
        )
        .https_only(HttpsOnly::refuse())
        .without_audit()
        .events(Arc::new(DiscardEvents))
        .build()
        .expect("a gate")
}

impl Site {
    /// Starts `framework` with a certificate of `authority`, letting clients of these roots in.
    pub(crate) async fn start(
        framework: Framework,
        authority: &Authority,
        roots: impl IntoIterator<Item = Pem>,
    ) -> Self {
        let server = authority.server();
        let tls = ServerTls::builder(Pem::text(server.chain), Pem::text(server.key))
            .client_trust(ClientTrust::optional(roots))
            .load()
            .expect("a configuration");
        let address = match framework {
            Framework::Axum => axum(&tls).await,
            Framework::Actix => actix(&tls),
            Framework::Tonic => tonic(&tls).await,
        };
        Self {
            framework,
            address,
            tls,
        }
    }
}

async fn axum(tls: &ServerTls) -> SocketAddr {
    let router = GuardedRouter::new(gate())
        .route("/hello", ringwall_axum::get(async || "hello"))
        .into_router()
        .expect("a router");
    let listener = TlsListener::bind("127.0.0.1:0", tls).await.expect("a port");
    let address = listener.local_addr();
    let service = router.into_make_service_with_connect_info::<Connection>();
    let incoming = ringwall_axum::TlsIncoming::new(listener);
    tokio::spawn(async move { axum::serve(incoming, service).await });
    address
}

/// actix-web has threads of its own; they end with the process of the tests.
fn actix(tls: &ServerTls) -> SocketAddr {
    let guarded = GuardedApp::new(gate())
        .route("/hello", ringwall_actix::get(async || "hello"))
        .build()
        .expect("an app");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let acceptor = HandshakeAcceptor::new(tls);
    std::thread::spawn(move || {
        let app = move || App::new().configure(guarded.configure());
        let server = ringwall_actix::serve(listener, acceptor, app)
            .workers(2.try_into().expect("not zero"))
            // Longer than any test waits: on a machine that stalls, no client is answered 408.
            .client_request_timeout(FOREVER)
            .keep_alive(FOREVER)
            .disable_signals();
        actix_web::rt::System::new().block_on(async { server.run().expect("a server").await })
    });
    address
}

async fn tonic(tls: &ServerTls) -> SocketAddr {
    let (_, health) = tonic_health::server::health_reporter();
    let routes = GuardedRoutes::new(gate())
        .service(guard(health).method("Check", authenticated()))
        .into_routes()
        .expect("routes");
    let listener = TlsListener::bind("127.0.0.1:0", tls).await.expect("a port");
    let address = listener.local_addr();
    let incoming = ringwall_tonic::TlsIncoming::new(listener);
    let server = Server::builder().add_routes(routes);
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}
