//! A server that echoes, its files, and clients of every kind.

use core::net::SocketAddr;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ringwall_core::clock::{ManualClock, Timestamp, WallClock as _};
use ringwall_core::event::{EventKind, EventSink, MemoryEvents, SecurityEvent};
use ringwall_transport::{
    ClientTrust, HandshakeAcceptor, ServerTls, ServerTlsBuilder, TlsConnection, TlsListener,
};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, Issued, Leaf, NOW};

pub(crate) static BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

pub(crate) static EACH_VERSION: [&[&SupportedProtocolVersion]; 2] = [&[&TLS13], &[&TLS12]];

/// An event sink that panics when it is told of a refusal, until it is mended.
#[derive(Debug)]
pub(crate) struct Fragile(AtomicBool);

impl Fragile {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    pub(crate) fn mend(&self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl EventSink for Fragile {
    fn emit(&self, event: SecurityEvent) {
        assert!(
            !(event.kind == EventKind::CertificatesRefused && self.0.load(Ordering::SeqCst)),
            "a panic of the sink"
        );
    }
}

/// What no step of a test takes, however slow the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Waits until `is_so`.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn size(size: usize) -> NonZeroUsize {
    NonZeroUsize::new(size).expect("not zero")
}

/// Authorities, files and a clock, before there is a server.
pub(crate) struct Bench {
    pub(crate) servers: Authority,
    pub(crate) clients: Authority,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Arc<MemoryEvents>,
    folder: TempDir,
}

impl Bench {
    /// With a good server certificate and the clients' root in their files.
    pub(crate) fn new() -> Self {
        let bench = Self {
            servers: Authority::new("servers"),
            clients: Authority::new("clients"),
            clock: Arc::new(ManualClock::new(second(NOW))),
            events: Arc::new(MemoryEvents::new(10_000)),
            folder: TempDir::new().expect("a folder"),
        };
        bench.write_certificate(&bench.servers.issue(&Leaf::server()));
        bench.write("roots.pem", &bench.clients.pem);
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file as a whole.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).expect("a file");
        #[cfg(unix)]
        std::fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .expect("a mode");
        std::fs::rename(new, self.path(name)).expect("a name");
    }

    pub(crate) fn write_certificate(&self, issued: &Issued) {
        self.write("tls.crt", &issued.chain);
        self.write("tls.key", &issued.key);
    }

    pub(crate) fn builder(&self) -> ServerTlsBuilder {
        ServerTls::builder(self.path("tls.crt"), self.path("tls.key"))
            .clock(Arc::clone(&self.clock) as _)
            .events(Arc::clone(&self.events) as _)
    }

    pub(crate) fn required(&self) -> ClientTrust {
        ClientTrust::required([self.path("roots.pem")])
    }

    pub(crate) fn optional(&self) -> ClientTrust {
        ClientTrust::optional([self.path("roots.pem")])
    }

    pub(crate) fn load(&self, trust: ClientTrust) -> ServerTls {
        self.builder()
            .client_trust(trust)
            .load()
            .expect("good files")
    }

    /// What a client of this bench trusts and shows.
    pub(crate) fn client(&self) -> Client<'_> {
        Client {
            bench: self,
            shows: None,
            versions: BOTH,
            protocols: Vec::new(),
        }
    }

    pub(crate) fn good_client(&self) -> Issued {
        self.clients.issue(&Leaf::client())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now().expect("the time")
    }

    pub(crate) fn count(&self, kind: EventKind) -> usize {
        self.events.count(kind)
    }

    /// The causes of the events of a kind.
    pub(crate) fn causes(&self, kind: EventKind) -> Vec<&'static str> {
        let events = self.events.snapshot();
        let of_kind = events.iter().filter(|event| event.kind == kind);
        of_kind.map(|event| event.cause).collect()
    }
}

pub(crate) fn second(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(second).expect("in range")
}

/// A client as rustls makes it, without anything of ours.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    bench: &'a Bench,
    shows: Option<Issued>,
    versions: &'static [&'static SupportedProtocolVersion],
    protocols: Vec<Vec<u8>>,
}

impl Client<'_> {
    pub(crate) fn shows(mut self, issued: &Issued) -> Self {
        self.shows = Some(issued.clone());
        self
    }

    pub(crate) fn versions(
        mut self,
        versions: &'static [&'static SupportedProtocolVersion],
    ) -> Self {
        self.versions = versions;
        self
    }

    pub(crate) fn protocols(mut self, protocols: &[&str]) -> Self {
        self.protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        self
    }

    pub(crate) fn config(self) -> Arc<ClientConfig> {
        let Self { bench, shows, .. } = &self;
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(bench.servers.pem.as_bytes()) {
            roots.add(root.expect("PEM")).expect("a root");
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Fixed))
            .with_protocol_versions(self.versions)
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes());
                let chain = chain.collect::<Result<_, _>>().expect("PEM");
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a match")
            }
        };
        config.resumption = Resumption::in_memory_sessions(16);
        config.alpn_protocols = self.protocols;
        Arc::new(config)
    }

    pub(crate) fn config_with(self, resolver: Arc<dyn ResolvesClientCert>) -> Arc<ClientConfig> {
        let mut config = (*self.config()).clone();
        config.client_auth_cert_resolver = resolver;
        Arc::new(config)
    }
}

/// The tests' clients live in the first second.
#[derive(Debug)]
struct Fixed;

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_secs(NOW.unsigned_abs());
        Some(UnixTime::since_unix_epoch(now))
    }
}

/// A server that sends back what it reads.
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    pub(crate) async fn new(tls: &ServerTls) -> Self {
        Self::of(HandshakeAcceptor::new(tls)).await
    }

    pub(crate) async fn of(acceptor: HandshakeAcceptor) -> Self {
        let listener = TlsListener::builder(acceptor).bind("127.0.0.1:0").await;
        Self::on(listener.expect("a port"))
    }

    pub(crate) fn on(mut listener: TlsListener) -> Self {
        let address = listener.local_addr();
        let task = tokio::spawn(async move {
            while let Some(connection) = listener.next().await {
                tokio::spawn(async move { echo(connection).await.ok() });
            }
        });
        Self { address, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn echo(mut connection: TlsConnection) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let read = connection.read(&mut buffer).await?;
        if read == 0 {
            return connection.shutdown().await;
        }
        connection.write_all(&buffer[..read]).await?;
        connection.flush().await?;
    }
}

pub(crate) type Connected = TlsStream<TcpStream>;

pub(crate) async fn connect(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> io::Result<Connected> {
    soon(async {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await
    })
    .await
}

/// One request. Under TLS 1.3 a client hears of a refusal only now.
pub(crate) async fn ask(connection: &mut Connected) -> io::Result<()> {
    soon(async {
        connection.write_all(b"ping").await?;
        connection.flush().await?;
        let mut answer = [0; 4];
        connection.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"ping");
        Ok(())
    })
    .await
}

/// A connection on which one request was served.
pub(crate) async fn served(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
) -> io::Result<Connected> {
    let mut connection = connect(address, config).await?;
    ask(&mut connection).await?;
    Ok(connection)
}

/// Whether a new connection is served.
pub(crate) async fn is_served(address: SocketAddr, config: &Arc<ClientConfig>) -> bool {
    served(address, config).await.is_ok()
}
