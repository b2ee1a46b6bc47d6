//! A hostile HTTP server for tests, on loopback and an ephemeral port.
//!
//! What it does is set while it runs, for all paths or for one; it counts connections, requests and
//! bytes, and records what was asked. It ends with its handle. One file without the crate under
//! test, so that other programs can include it by its path.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::{
    ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier,
};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// A head longer than this is not read to its end.
const MAX_HEAD: usize = 64 * 1024;

/// The buffer of the system for what is written, so that the bytes that were written are about the
/// bytes that were read at the other end.
const SEND_BUFFER: u32 = 16 * 1024;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Behaviour {
    /// Answers.
    Serve(Answer),
    /// Answers 304 when `If-None-Match` is the answer's `ETag`, and with the answer otherwise.
    Revalidate(Answer),
    /// 304 to everything.
    NotModified,
    /// A redirect with this status and target.
    Redirect { status: u16, to: String },
    /// A page with status 200.
    Html200,
    /// Status 200 and JSON by its type, without a body.
    Empty,
    /// A body that claims to be compressed, and is.
    Compressed,
    /// Accepts the connection and says nothing; with TLS, there is no handshake.
    Mute,
    /// Says this when a connection was made, before TLS, and closes it: another protocol.
    Banner(Vec<u8>),
    /// Reads the request and never answers.
    Stall,
    /// Answers in portions of `bytes`, one each `tick`, from the head on.
    SlowDrip {
        answer: Answer,
        bytes: usize,
        tick: Duration,
    },
    /// A body of `bytes` spaces.
    Huge { bytes: u64, length: Length },
    /// Closes each connection when it was made, before TLS.
    CloseAtOnce,
    /// Reads the request and closes without an answer.
    Close,
    /// Something that is not HTTP.
    Garbage,
    /// The head and half of the body, then the connection is reset.
    Reset(Answer),
    /// The head and half of the body, then the connection is closed in an orderly way.
    Truncate(Answer),
    /// Without a length: the connection's end is the body's. With TLS, it ends without notice.
    UntilClose(Answer),
    /// Interim answers (100 Continue) without an end.
    InterimForever,
    /// A head whose header lines never end, one of about 1,000 bytes each `tick`.
    HeadersForever { tick: Duration },
    /// One header line of this many bytes.
    HugeHeaders { bytes: usize },
    /// These bytes, then the connection is closed.
    Raw(Vec<u8>),
}

/// How the length of a huge body is told.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// `Content-Length`.
    Announced,
    /// Chunked.
    Chunked,
    /// By the connection's end.
    UntilClose,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// In their order, with names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

/// A running server. Dropping it ends all that it does.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
    /// Holds the port while nothing listens on it.
    reserved: Option<TcpSocket>,
}

/// A private certificate authority.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    sessions: Arc<dyn StoresServerSessions>,
}

/// What a TLS server shows for itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity(Arc<ServerConfig>);

#[derive(Debug)]
struct Shared {
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    written: AtomicUsize,
}

#[derive(Debug)]
struct Script {
    behaviour: Behaviour,
    by_path: HashMap<String, Behaviour>,
    identity: Option<Identity>,
}

impl Answer {
    /// 200 with a JSON body.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: 200,
            content_type: Some("application/json".to_owned()),
            headers: Vec::new(),
            body: body.into(),
        }
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// `None` leaves the header out.
    pub(crate) fn content_type(mut self, content_type: Option<&str>) -> Self {
        self.content_type = content_type.map(str::to_owned);
        self
    }

    /// Adds a header line, also when there is one of the name.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The head. `length` is the line that tells the body's length.
    fn head(&self, length: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Status\r\n", self.status);
        if let Some(content_type) = &self.content_type {
            head.push_str(&format!("content-type: {content_type}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(length);
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(&content_length(self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn without_its_second_half(&self) -> Vec<u8> {
        let mut bytes = self.head(&content_length(self.body.len()));
        bytes.extend(self.body.iter().take(self.body.len() / 2));
        bytes
    }
}

impl Request {
    /// The value of the first header line of a name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let method = words.next()?.to_owned();
        let target = words.next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            method,
            target,
            headers,
        })
    }
}

impl Server {
    /// A server of plain HTTP on 127.0.0.1.
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), behaviour, None).await
    }

    /// A server of HTTPS on 127.0.0.1.
    pub(crate) async fn start_tls(identity: &Identity, behaviour: Behaviour) -> Self {
        let identity = Some(identity.clone());
        Self::start_on(Ipv4Addr::LOCALHOST.into(), behaviour, identity).await
    }

    /// A server on an address of this machine.
    pub(crate) async fn start_on(
        address: IpAddr,
        behaviour: Behaviour,
        identity: Option<Identity>,
    ) -> Self {
        let shared = Arc::new(Shared {
            script: Mutex::new(Script {
                behaviour,
                by_path: HashMap::new(),
                identity,
            }),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
        });
        let mut server = Self {
            address: SocketAddr::new(address, 0),
            shared,
            accepting: None,
            reserved: None,
        };
        server.listen_again();
        server
    }

    /// Changes what it does, for paths that have no behaviour of their own.
    pub(crate) fn set(&self, behaviour: Behaviour) {
        self.shared.script().behaviour = behaviour;
    }

    /// Changes what it does for one path, such as `/jwks`. Behaviours that concern connections
    /// ([`Behaviour::Mute`], [`Behaviour::Banner`], [`Behaviour::CloseAtOnce`]) are looked for without a path alone.
    pub(crate) fn set_path(&self, path: &str, behaviour: Behaviour) {
        let mut script = self.shared.script();
        script.by_path.insert(path.to_owned(), behaviour);
    }

    /// Shows another certificate to the connections that come.
    pub(crate) fn set_identity(&self, identity: &Identity) {
        self.shared.script().identity = Some(identity.clone());
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path, with the address for a host.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme(), self.address)
    }

    /// The URL of a path, with a name for a host.
    pub(crate) fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme(), self.address.port())
    }

    fn scheme(&self) -> &'static str {
        let has_identity = self.shared.script().identity.is_some();
        if has_identity { "https" } else { "http" }
    }

    /// The requests so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        locked(&self.shared.requests).clone()
    }

    pub(crate) fn request_count(&self) -> usize {
        locked(&self.shared.requests).len()
    }

    /// The connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The connections that are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// The bytes that were written in answers, before encryption.
    pub(crate) fn bytes_written(&self) -> usize {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// Drops all connections and refuses new ones. The port stays reserved.
    pub(crate) async fn stop_listening(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            // Answers with an error, since it was aborted.
            drop(accepting.await);
            self.reserved = Some(bound(self.address));
        }
    }

    /// Accepts connections, on the port that it had.
    pub(crate) fn listen_again(&mut self) {
        let socket = bound(self.address);
        socket.set_send_buffer_size(SEND_BUFFER).expect("an option");
        let listener = socket.listen(128).expect("a free port");
        self.reserved = None;
        self.address = listener.local_addr().expect("a listener");
        self.accepting = Some(tokio::spawn(accept(listener, self.shared.clone())));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        let name = "An authority of a test";
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.der().clone(),
            pem: certificate.pem(),
            issuer: Issuer::new(params, key),
            sessions: ServerSessionMemoryCache::new(64),
        }
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for these names and addresses.
    pub(crate) fn identity(&self, names: &[&str]) -> Identity {
        self.issue(named(names))
    }

    /// A certificate that ended in 2020.
    pub(crate) fn expired(&self, names: &[&str]) -> Identity {
        let mut params = named(names);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.issue(params)
    }

    /// A certificate that begins in the year 3000.
    pub(crate) fn not_yet_valid(&self, names: &[&str]) -> Identity {
        let mut params = named(names);
        params.not_before = date_time_ymd(3000, 1, 1);
        self.issue(params)
    }

    /// A good certificate, from a server that demands one of its clients.
    pub(crate) fn demanding(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(names).signed_by(&key, &self.issuer);
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        let provider = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_client_cert_verifier(verifier.build().expect("roots"))
            .with_single_cert(
                vec![certificate.expect("a certificate").der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .expect("a certificate of the key");
        Identity(Arc::new(config))
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer);
        let chain = vec![certificate.expect("a certificate").der().clone()];
        // Sessions outlive a change of the certificate, as they do behind a balancer.
        Identity::new(chain, &key, Some(self.sessions.clone()))
    }
}

impl Identity {
    /// A certificate that only its own key vouches for.
    pub(crate) fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(names).self_signed(&key).expect("a certificate");
        Self::new(vec![certificate.der().clone()], &key, None)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &KeyPair,
        sessions: Option<Arc<dyn StoresServerSessions>>,
    ) -> Self {
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the versions of the provider")
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("a certificate of the key");
        if let Some(sessions) = sessions {
            config.session_storage = sessions;
        }
        Self(Arc::new(config))
    }
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("names or addresses")
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        locked(&self.script)
    }

    fn behaviour(&self, target: &str) -> Behaviour {
        let path = target.split('?').next().unwrap_or_default();
        let script = self.script();
        let found = script.by_path.get(path).unwrap_or(&script.behaviour);
        found.clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no test panics in here")
}

fn content_length(bytes: usize) -> String {
    format!("content-length: {bytes}\r\n")
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    };
    let socket = socket.expect("a socket");
    // The port may be held by the socket that reserves it, and by connections that wait for their
    // last packets.
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("a free port");
    socket
}

/// Accepts until it is aborted, which ends the connections too.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                running.spawn(serve(stream, shared.clone()));
            }
            Some(_) = running.join_next() => {}
        }
    }
}

/// Counts an open connection.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _open = Open::new(&shared);
    let (behaviour, identity) = {
        let script = shared.script();
        (script.behaviour.clone(), script.identity.clone())
    };
    if matches!(behaviour, Behaviour::CloseAtOnce) {
        return;
    }
    if matches!(behaviour, Behaviour::Mute) {
        return closed(stream).await;
    }
    if let Behaviour::Banner(bytes) = behaviour {
        let mut stream = stream;
        drop(write(&mut stream, &shared, &bytes).await);
        drop(stream.shutdown().await);
        return closed(stream).await;
    }
    // The other end may go at any time, and often does on purpose.
    let ended = match identity {
        None => converse(stream, &shared).await,
        Some(Identity(config)) => match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => converse(stream, &shared).await,
            Err(error) => Err(error),
        },
    };
    drop(ended);
}

/// Waits until the other end has closed, whatever it says before.
async fn closed(mut stream: TcpStream) {
    let mut unread = [0; 1024];
    while !matches!(stream.read(&mut unread).await, Ok(0) | Err(_)) {}
}

/// A stream that can be ended rudely.
trait Connection: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Connection for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Answers requests until the other end closes or the behaviour says so.
async fn converse(mut stream: impl Connection, shared: &Shared) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        locked(&shared.requests).push(request.clone());
        let behaviour = shared.behaviour(&request.target);
        if !answer(&mut stream, shared, &request, behaviour).await? {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

async fn read_request(stream: &mut impl Connection) -> io::Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Request::parse(&String::from_utf8_lossy(&head)))
}

/// Whether the connection is kept for another request.
async fn answer(
    stream: &mut impl Connection,
    shared: &Shared,
    request: &Request,
    behaviour: Behaviour,
) -> io::Result<bool> {
    let not_modified = || Answer::json("").status(304).content_type(None);
    match behaviour {
        Behaviour::Serve(answer) => {
            write(stream, shared, &answer.bytes()).await?;
            Ok(true)
        }
        Behaviour::Revalidate(answer) => {
            let tag = answer.headers.iter().find(|(name, _)| name == "etag");
            let tag = tag.map(|(_, value)| value.as_str());
            let bytes = if tag.is_some() && tag == request.header("if-none-match") {
                let kept = answer.headers.iter().cloned();
                let mut answer = not_modified();
                answer.headers.extend(kept);
                answer.head("")
            } else {
                answer.bytes()
            };
            write(stream, shared, &bytes).await?;
            Ok(true)
        }
        Behaviour::NotModified => {
            write(stream, shared, &not_modified().head("")).await?;
            Ok(true)
        }
        Behaviour::Redirect { status, to } => {
            let answer = Answer::json("").status(status).header("location", &to);
            write(stream, shared, &answer.bytes()).await?;
            Ok(true)
        }
        Behaviour::Html200 => {
            let answer = Answer::json("<!doctype html><title>Sign in</title>");
            let answer = answer.content_type(Some("text/html; charset=utf-8"));
            write(stream, shared, &answer.bytes()).await?;
            Ok(true)
        }
        Behaviour::Empty => {
            write(stream, shared, &Answer::json("").bytes()).await?;
            Ok(true)
        }
        Behaviour::Compressed => {
            let answer = Answer::json(GZIP_OF_BRACES).header("content-encoding", "gzip");
            write(stream, shared, &answer.bytes()).await?;
            Ok(true)
        }
        Behaviour::Mute | Behaviour::Banner(_) | Behaviour::CloseAtOnce | Behaviour::Close => {
            Ok(false)
        }
        Behaviour::Stall => {
            // Ends when the other end closes.
            stream.read_u8().await?;
            Ok(false)
        }
        Behaviour::SlowDrip {
            answer,
            bytes,
            tick,
        } => {
            for portion in answer.bytes().chunks(bytes.max(1)) {
                write(stream, shared, portion).await?;
                tokio::time::sleep(tick).await;
            }
            Ok(true)
        }
        Behaviour::Huge { bytes, length } => {
            huge(stream, shared, bytes, length).await?;
            Ok(false)
        }
        Behaviour::Garbage => {
            write(stream, shared, b"\x00\x01SSH-2.0-not HTTP at all\r\n\r\n").await?;
            Ok(false)
        }
        Behaviour::Reset(answer) => {
            write(stream, shared, &answer.without_its_second_half()).await?;
            // Long enough for the other end to read what came before.
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.tcp().set_zero_linger()?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Behaviour::Truncate(answer) => {
            write(stream, shared, &answer.without_its_second_half()).await?;
            Ok(false)
        }
        Behaviour::UntilClose(answer) => {
            write(stream, shared, &answer.head("connection: close\r\n")).await?;
            write(stream, shared, &answer.body).await?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
        Behaviour::InterimForever => loop {
            write(stream, shared, b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            tokio::time::sleep(Duration::from_millis(1)).await;
        },
        Behaviour::HeadersForever { tick } => {
            write(stream, shared, b"HTTP/1.1 200 OK\r\n").await?;
            let line = format!("x-more: {}\r\n", "x".repeat(1000));
            loop {
                write(stream, shared, line.as_bytes()).await?;
                tokio::time::sleep(tick).await;
            }
        }
        Behaviour::HugeHeaders { bytes } => {
            let answer = Answer::json("{}").header("x-long", &"x".repeat(bytes));
            write(stream, shared, &answer.bytes()).await?;
            Ok(false)
        }
        Behaviour::Raw(bytes) => {
            write(stream, shared, &bytes).await?;
            Ok(false)
        }
    }
}

/// `{}`, compressed.
const GZIP_OF_BRACES: [u8; 22] = [
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0, 0, 0,
];

async fn huge(
    stream: &mut impl Connection,
    shared: &Shared,
    bytes: u64,
    length: Length,
) -> io::Result<()> {
    let is_chunked = matches!(length, Length::Chunked);
    let told = match length {
        Length::Announced => format!("content-length: {bytes}\r\n"),
        Length::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Length::UntilClose => "connection: close\r\n".to_owned(),
    };
    write(stream, shared, &Answer::json("").head(&told)).await?;
    let portion = [b' '; 4096];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(4096);
        if is_chunked {
            write(stream, shared, format!("{size:x}\r\n").as_bytes()).await?;
        }
        let part = portion.get(..usize::try_from(size).unwrap_or(4096));
        write(stream, shared, part.unwrap_or(&portion)).await?;
        if is_chunked {
            write(stream, shared, b"\r\n").await?;
        }
        left = left.saturating_sub(size);
    }
    if is_chunked {
        write(stream, shared, b"0\r\n\r\n").await?;
    }
    Ok(())
}

async fn write(stream: &mut impl Connection, shared: &Shared, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    shared.written.fetch_add(bytes.len(), Ordering::SeqCst);
    Ok(())
}
