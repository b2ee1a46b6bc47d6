//! Many at once, most of them silent.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, HandshakeAcceptor, HandshakeError};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::bench::{Bench, Echo, is_served, size, soon, until};

/// Each test here holds a thousand descriptors, which is the usual limit.
fn raise_limit() {
    #[cfg(unix)]
    raise_limit_of_unix();
}

#[cfg(unix)]
fn raise_limit_of_unix() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let enough = limit.maximum.map_or(16_384, |maximum| maximum.min(16_384));
    if limit.current.is_some_and(|current| current < enough) {
        let raised = Rlimit {
            current: Some(enough),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).expect("descriptors");
    }
}

async fn silent(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        all.push(
            soon(TcpStream::connect(address))
                .await
                .expect("a connection"),
        );
    }
    all
}

/// Whether the server has closed this connection.
async fn is_closed(client: &mut TcpStream) -> bool {
    soon(client.read(&mut [0]))
        .await
        .map_or(true, |read| read == 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_silent_clients_do_not_block_a_good_one() {
    raise_limit();
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(bench.required()))
        .time_limit(Duration::from_secs(3600))
        .per_source(size(1024))
        .build();
    let echo = Echo::of(acceptor.clone()).await;
    let good = bench.client().shows(&bench.good_client()).config();
    let held = silent(echo.address, 1000).await;
    assert!(is_served(echo.address, &good).await);
    until(|| acceptor.counts().in_flight == 1000).await;
    assert_eq!(acceptor.counts().displaced, 0);
    drop(held);
    until(|| acceptor.counts().failed == 1000).await;
    let counts = acceptor.counts();
    assert_eq!((counts.in_flight, counts.finished), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_bound_the_oldest_silence_makes_room() {
    raise_limit();
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .time_limit(Duration::from_secs(3600))
        .in_flight(size(64))
        .build();
    let echo = Echo::of(acceptor.clone()).await;
    let mut held = silent(echo.address, 1000).await;
    for _ in 0..20 {
        // Half as many newcomers as there are places, while the good one is at it.
        let client = bench.client().config();
        let (newcomers, is_served) =
            tokio::join!(silent(echo.address, 32), is_served(echo.address, &client));
        assert!(is_served);
        held.extend(newcomers);
    }
    until(|| acceptor.counts().displaced >= 1000 + 20 * 32 - 64).await;
    let counts = acceptor.counts();
    assert!(
        counts.in_flight <= 64 && counts.timed_out == 0,
        "{counts:?}"
    );
    assert_eq!(counts.finished, 20);
    assert!(is_closed(held.first_mut().expect("the oldest")).await);
    assert_eq!(
        bench.causes(EventKind::ConnectionsDropped),
        ["too many handshakes at once: the oldest are dropped for the new ones"]
    );
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_floods_displaces_itself_alone() {
    raise_limit();
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .in_flight(size(64))
        .per_source(size(16))
        .time_limit(Duration::from_secs(3600))
        .build();
    let echo = Echo::of(acceptor.clone()).await;
    // A slow client: the first byte of its hello, and the rest after a flood from elsewhere.
    let mut tcp = TcpStream::connect(echo.address)
        .await
        .expect("a connection");
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from("localhost").expect("a name");
    let connector = TlsConnector::from(bench.client().config());
    let slow = tokio::spawn(async move { connector.connect(name, near).await.is_ok() });
    let first = far.read_u8().await.expect("a hello");
    tcp.write_u8(first).await.expect("sent");
    until(|| acceptor.counts().in_flight == 1).await;

    let mut flood = Vec::new();
    for _ in 0..500 {
        let socket = TcpSocket::new_v4().expect("a socket");
        let source = SocketAddr::from(([127, 0, 0, 2], 0));
        socket
            .bind(source)
            .expect("another address of this machine");
        flood.push(socket.connect(echo.address).await.expect("a connection"));
    }
    until(|| acceptor.counts().displaced == 500 - 16).await;
    assert_eq!(acceptor.counts().in_flight, 17);
    tokio::spawn(async move {
        tokio::io::copy_bidirectional(&mut far, &mut tcp)
            .await
            .is_ok()
    });
    assert!(soon(slow).await.expect("no panic"), "its place was kept");
    let sources = bench.events.snapshot();
    let told = sources
        .iter()
        .filter(|event| event.kind == EventKind::ConnectionsDropped);
    let told: Vec<_> = told.map(|event| event.source).collect();
    assert_eq!(told, [Some(IpAddr::from([127, 0, 0, 2]))]);
}

#[tokio::test]
async fn a_handshake_that_drips_times_out() {
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .time_limit(Duration::from_millis(300))
        .build();
    let echo = Echo::of(acceptor.clone()).await;
    let mut drip = TcpStream::connect(echo.address)
        .await
        .expect("a connection");
    let mut silent = TcpStream::connect(echo.address)
        .await
        .expect("a connection");
    // A record that announces 512 bytes, and one byte of it every ten milliseconds.
    let header = [22, 3, 1, 2, 0, 1, 0, 1, 252];
    soon(async {
        if drip.write_all(&header).await.is_ok() {
            while drip.write_all(&[0]).await.is_ok() {
                sleep(Duration::from_millis(10)).await;
            }
        }
    })
    .await;
    assert!(is_closed(&mut silent).await);
    assert_eq!(acceptor.counts().timed_out, 2);
    let causes = bench.causes(EventKind::HandshakeFailed);
    assert_eq!(causes, ["the handshake took too long"; 2]);
}

#[tokio::test]
async fn every_end_of_a_handshake_gives_its_place_back() {
    let bench = Bench::new();
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .in_flight(size(2))
        .build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut held = Vec::new();
    let mut next = async || {
        held.push(TcpStream::connect(address).await.expect("a connection"));
        listener.accept().await.expect("a connection").0
    };

    let never_polled = acceptor.accept(next().await);
    assert_eq!(acceptor.counts().in_flight, 1);
    drop(never_polled);
    assert_eq!(acceptor.counts().in_flight, 0);

    let first = tokio::spawn(acceptor.accept(next().await));
    let second = tokio::spawn(acceptor.accept(next().await));
    let third = tokio::spawn(acceptor.accept(next().await));
    let error = soon(first).await.expect("no panic").expect_err("displaced");
    assert!(matches!(error, HandshakeError::Displaced));
    second.abort();
    third.abort();
    until(|| acceptor.counts().in_flight == 0).await;
    drop(held);

    let gone = TcpStream::connect(address).await.expect("a connection");
    let tcp = listener.accept().await.expect("a connection").0;
    drop(gone);
    let error = soon(acceptor.accept(tcp)).await.expect_err("it left");
    assert!(matches!(error, HandshakeError::Connection(_)));
    let counts = acceptor.counts();
    assert_eq!(
        (counts.displaced, counts.failed, counts.in_flight),
        (1, 1, 0)
    );
    assert_eq!(
        bench.count(EventKind::HandshakeFailed),
        0,
        "who leaves is no news"
    );
}
