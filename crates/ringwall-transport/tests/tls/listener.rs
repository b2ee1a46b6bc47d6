//! The listener: bounds on connections, and its end.

use core::time::Duration;
use std::io::ErrorKind;
use std::sync::Arc;

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, HandshakeAcceptor, TlsListener};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use crate::bench::{Bench, Echo, connect, echo, is_served, served, size, soon, until};

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn bound(bench: &Bench, connections: usize) -> TlsListener {
    let acceptor = HandshakeAcceptor::new(&bench.load(ClientTrust::none()));
    let builder = TlsListener::builder(acceptor).max_connections(size(connections));
    builder.bind("127.0.0.1:0").await.expect("a port")
}

#[tokio::test]
async fn closing_ends_the_tasks_and_the_handshakes_and_frees_the_port() {
    let bench = Bench::new();
    let before = tasks();
    let mut listener = bound(&bench, 100).await;
    let address = listener.local_addr();
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    until(|| tasks() == before + 11).await;
    let client = bench.client().config();
    let mut waiting = connect(address, &client).await.expect("a handshake");
    until(|| tasks() == before + 11).await;

    soon(listener.close()).await;
    assert_eq!(tasks(), before);
    let refused = TcpStream::connect(address).await.expect_err("closed");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    for client in &mut silent {
        assert!(matches!(soon(client.read(&mut [0])).await, Ok(0) | Err(_)));
    }
    // What was finished before is handed over, and then there is nothing.
    let connection = soon(listener.next()).await.expect("the one that waited");
    tokio::spawn(echo(connection));
    crate::bench::ask(&mut waiting).await.expect("served");
    assert!(soon(listener.next()).await.is_none());
    assert!(
        soon(std::future::poll_fn(|cx| listener.poll_next(cx)))
            .await
            .is_none()
    );
    soon(listener.close()).await;
}

#[tokio::test]
async fn dropping_ends_the_tasks_too() {
    let bench = Bench::new();
    let before = tasks();
    let listener = bound(&bench, 100).await;
    let address = listener.local_addr();
    let _silent = TcpStream::connect(address).await.expect("a connection");
    until(|| tasks() == before + 2).await;
    drop(listener);
    until(|| tasks() == before).await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn closes_connections_beyond_the_bound_and_takes_more_when_there_is_room() {
    let bench = Bench::new();
    let echo = Echo::on(bound(&bench, 2).await);
    let client = bench.client().config();
    let first = served(echo.address, &client).await.expect("served");
    let _second = served(echo.address, &client).await.expect("served");
    for _ in 0..3 {
        assert!(!is_served(echo.address, &client).await);
    }
    assert_eq!(
        bench.causes(EventKind::ConnectionsDropped),
        ["too many connections: new ones are closed"]
    );
    drop(first);
    soon(async { while !is_served(echo.address, &client).await {} }).await;
}

#[tokio::test]
async fn silence_takes_no_room_from_those_who_finish() {
    let bench = Bench::new();
    let echo = Echo::on(bound(&bench, 2).await);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(
            TcpStream::connect(echo.address)
                .await
                .expect("a connection"),
        );
    }
    let client = bench.client().config();
    let _first = served(echo.address, &client).await.expect("served");
    let _second = served(echo.address, &client).await.expect("served");
    assert!(!is_served(echo.address, &client).await);
}

#[tokio::test]
async fn what_the_application_does_not_take_is_bounded_too() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let acceptor = HandshakeAcceptor::builder(&tls).in_flight(size(8)).build();
    let listener = TlsListener::builder(acceptor.clone())
        .bind("127.0.0.1:0")
        .await;
    let listener = listener.expect("a port");
    let client = bench.client().config();
    let mut clients = Vec::new();
    for _ in 0..100 {
        clients.push(connect(listener.local_addr(), &client).await);
    }
    until(|| acceptor.counts().finished == 100).await;
    assert_eq!(acceptor.counts().in_flight, 8);
    let echo = Echo::on(listener);
    assert!(is_served(echo.address, &client).await);
    let mut kept = 0;
    for connection in clients.iter_mut().flatten() {
        kept += usize::from(crate::bench::ask(connection).await.is_ok());
    }
    // 64 in the queue, and the newest eight of those that waited for a place in it.
    assert_eq!(kept, 72);
}

#[tokio::test]
async fn waiting_for_a_connection_can_be_given_up() {
    let bench = Bench::new();
    let mut listener = bound(&bench, 100).await;
    for _ in 0..5 {
        let waited = tokio::time::timeout(Duration::from_millis(5), listener.accept()).await;
        assert!(waited.is_err());
    }
    let client = bench.client().config();
    let connected = connect(listener.local_addr(), &client)
        .await
        .expect("a handshake");
    let (connection, peer) = soon(listener.accept()).await;
    assert_eq!(connection.protocol(), None);
    assert_eq!(
        Some(peer.address()),
        connected.get_ref().0.local_addr().ok()
    );
}

#[tokio::test]
async fn a_plain_listener_has_the_bound_and_says_that_it_is_plain() {
    let bench = Bench::new();
    let builder = TlsListener::plain()
        .max_connections(size(1))
        .events(Arc::clone(&bench.events) as _);
    let mut listener = builder.bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr();
    let mut client = TcpStream::connect(address).await.expect("a connection");
    let (connection, peer) = soon(listener.accept()).await;
    assert_eq!(peer.scheme(), Some("http"));
    assert!(peer.certificate().is_none() && connection.protocol().is_none());
    let serving = tokio::spawn(echo(connection));
    client.write_all(b"ping").await.expect("sent");
    let mut answer = [0; 4];
    soon(client.read_exact(&mut answer))
        .await
        .expect("an answer");
    assert_eq!(&answer, b"ping");

    let mut beyond = TcpStream::connect(address).await.expect("a connection");
    assert!(matches!(soon(beyond.read(&mut [0])).await, Ok(0) | Err(_)));
    assert_eq!(bench.count(EventKind::ConnectionsDropped), 1);
    drop(client);
    soon(serving).await.expect("no panic").expect("a clean end");
    let _next = TcpStream::connect(address).await.expect("a connection");
    soon(listener.accept()).await;
}
