//! Trust that ends, and begins, on connections that run.

use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use ringwall_core::event::EventKind;
use ringwall_transport::{
    ClientTrust, HandshakeAcceptor, HandshakeError, ServerTls, TlsConnection, TlsListener,
};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::authority::{Authority, DAY, Issued, Leaf, NOW};
use crate::bench::{
    Bench, Connected, EACH_VERSION, Echo, ask, connect, is_served, second, served, soon, until,
};

/// A connection from both ends.
async fn pair(tls: &ServerTls, config: &Arc<ClientConfig>) -> (Connected, TlsConnection) {
    let mut listener = TlsListener::bind("127.0.0.1:0", tls).await.expect("a port");
    let address = listener.local_addr();
    let both = async { tokio::join!(connect(address, config), listener.accept()) };
    let (client, (server, _)) = soon(both).await;
    (client.expect("a connection"), server)
}

/// Puts another root in the place of the clients'.
fn remove_root(bench: &Bench, tls: &ServerTls) {
    bench.write("roots.pem", &Authority::new("others").pem);
    assert!(tls.reload().expect("good roots"));
}

#[tokio::test]
async fn a_removed_root_is_served_no_further_request() {
    let bench = Bench::new();
    let other = Authority::new("others");
    bench.write("roots.pem", &(bench.clients.pem.clone() + &other.pem));
    let tls = bench.load(bench.required());
    let echo = Echo::new(&tls).await;
    for versions in EACH_VERSION {
        bench.write("roots.pem", &(bench.clients.pem.clone() + &other.pem));
        tls.reload().expect("good roots");
        let client = |issued: &Issued| bench.client().versions(versions).shows(issued).config();
        let gone = client(&bench.good_client());
        let stays = client(&other.issue(&Leaf::client()));
        let mut ended = served(echo.address, &gone).await.expect("served");
        let mut kept = served(echo.address, &stays).await.expect("served");
        ask(&mut ended).await.expect("served on");

        bench.write("roots.pem", &other.pem);
        assert!(tls.reload().expect("good roots"));
        assert!(ask(&mut ended).await.is_err());
        assert!(!is_served(echo.address, &gone).await);
        ask(&mut kept)
            .await
            .expect("another root's client is served on");
        assert!(is_served(echo.address, &stays).await);
    }
}

#[tokio::test]
async fn an_idle_connection_is_ended_when_its_root_goes() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    let reader =
        tokio::spawn(async move { server.read(&mut [0]).await.expect_err("ended").kind() });
    sleep(Duration::from_millis(50)).await;
    remove_root(&bench, &tls);
    assert_eq!(
        soon(reader).await.expect("no panic"),
        ErrorKind::ConnectionAborted
    );
    // Without the end that TLS has for it, so that nobody takes a part for the whole.
    let heard = soon(client.read_to_end(&mut Vec::new())).await;
    assert!(heard.is_err());
    assert_eq!(
        bench.causes(EventKind::ConnectionEnded),
        ["the client of a running connection is no longer accepted"]
    );
}

#[tokio::test]
async fn a_stream_is_ended_when_its_root_goes() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    let writer = tokio::spawn(async move {
        loop {
            if let Err(error) = server.write_all(&[7; 4096]).await {
                return (error.kind(), server.flush().await.is_err());
            }
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    for _ in 0..20 {
        assert!(soon(client.read(&mut buffer)).await.expect("the stream") > 0);
    }
    remove_root(&bench, &tls);
    let end = soon(async {
        while client.read(&mut buffer).await? > 0 {}
        Ok::<_, std::io::Error>(())
    })
    .await;
    assert!(end.is_err(), "it breaks off");
    let (kind, no_flush) = soon(writer).await.expect("no panic");
    assert!(kind == ErrorKind::ConnectionAborted && no_flush);
}

#[tokio::test]
async fn a_writer_that_waits_for_its_client_is_ended_when_its_root_goes() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (client, mut server) = pair(&tls, &config).await;
    let writer = tokio::spawn(async move {
        loop {
            if let Err(error) = server.write_all(&[7; 64 * 1024]).await {
                return (error.kind(), server.shutdown().await);
            }
        }
    });
    sleep(Duration::from_millis(200)).await; // the buffers are full
    remove_root(&bench, &tls);
    let (kind, closed) = soon(writer).await.expect("no panic");
    assert_eq!(kind, ErrorKind::ConnectionAborted);
    closed.expect("closed without waiting for the client");
    drop(client);
}

#[tokio::test]
async fn an_upload_is_ended_when_its_root_goes() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        loop {
            match server.read(&mut buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(error.kind()),
            }
        }
    });
    let upload = tokio::spawn(async move { while client.write_all(&[7; 4096]).await.is_ok() {} });
    sleep(Duration::from_millis(50)).await;
    remove_root(&bench, &tls);
    assert_eq!(
        soon(reader).await.expect("no panic"),
        Some(ErrorKind::ConnectionAborted)
    );
    soon(upload).await.expect("no panic");
}

#[tokio::test]
async fn both_halves_of_a_connection_are_woken() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (_client, server) = pair(&tls, &config).await;
    let (mut read, mut write) = tokio::io::split(server);
    let reader = tokio::spawn(async move { read.read(&mut [0]).await.is_err() });
    let writer = tokio::spawn(async move { while write.write_all(&[7; 65_536]).await.is_ok() {} });
    sleep(Duration::from_millis(200)).await;
    remove_root(&bench, &tls);
    assert!(soon(reader).await.expect("no panic"));
    soon(writer).await.expect("no panic");
    assert_eq!(bench.count(EventKind::ConnectionEnded), 1, "reported once");
}

#[tokio::test]
async fn what_was_received_already_is_not_read_any_more() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    client.write_all(b"one record").await.expect("sent");
    // The rest of the record is decrypted, and waits for nothing but to be read.
    soon(server.read_exact(&mut [0; 4])).await.expect("a part");
    remove_root(&bench, &tls);
    let error = server.read(&mut [0; 6]).await.expect_err("ended");
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
}

#[tokio::test]
async fn nothing_is_written_any_more_in_whatever_way() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    for way in 0..3 {
        bench.write("roots.pem", &bench.clients.pem);
        tls.reload().expect("good roots");
        let (_client, mut server) = pair(&tls, &config).await;
        remove_root(&bench, &tls);
        let result = match way {
            0 => server.write(b"pong").await,
            1 => server.write_vectored(&[IoSlice::new(b"pong")]).await,
            _ => server.flush().await.map(|()| 0),
        };
        let error = result.expect_err("ended");
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    }
}

#[tokio::test]
async fn what_was_read_already_is_not_answered_any_more() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    client.write_all(b"ping").await.expect("sent");
    server.read_exact(&mut [0; 4]).await.expect("a request");
    remove_root(&bench, &tls);
    let error = server.write_all(b"pong").await.expect_err("ended");
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    // Closing sends nothing either, not even that this is the end.
    server.shutdown().await.expect("closed");
    let mut heard = Vec::new();
    assert!(soon(client.read_to_end(&mut heard)).await.is_err());
    assert!(heard.is_empty());
}

#[tokio::test]
async fn a_change_that_keeps_the_root_keeps_the_connection() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let echo = Echo::new(&tls).await;
    let mut running = served(echo.address, &config).await.expect("served");
    for round in 0..3 {
        bench.write_certificate(&bench.servers.issue(&Leaf::server()));
        assert!(tls.reload().expect("good files"));
        ask(&mut running).await.expect("a renewal");
        let added = Authority::new(&format!("added {round}"));
        bench.write("roots.pem", &(bench.clients.pem.clone() + &added.pem));
        assert!(tls.reload().expect("good roots"));
        ask(&mut running).await.expect("another root beside it");
        let newcomer = bench.client().shows(&added.issue(&Leaf::client())).config();
        assert!(is_served(echo.address, &newcomer).await);
    }
    assert_eq!(bench.count(EventKind::ConnectionEnded), 0);
}

#[tokio::test]
async fn an_idle_connection_lives_through_changes_that_keep_its_root() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (mut client, mut server) = pair(&tls, &config).await;
    let reader = tokio::spawn(async move {
        let mut buffer = [0; 4];
        server.read_exact(&mut buffer).await.map(|_| buffer)
    });
    for round in 0..5 {
        sleep(Duration::from_millis(20)).await;
        let added = Authority::new(&format!("added {round}"));
        bench.write("roots.pem", &(bench.clients.pem.clone() + &added.pem));
        assert!(tls.reload().expect("good roots"));
    }
    client.write_all(b"ping").await.expect("sent");
    assert_eq!(
        soon(reader).await.expect("no panic").expect("read"),
        *b"ping"
    );
}

#[tokio::test]
async fn a_certificate_that_ends_ends_its_connection() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(bench.required())).await;
    let open = async |from, until| {
        let issued = bench.clients.issue(&Leaf::client().valid(from, until));
        let config = bench.client().shows(&issued).config();
        served(echo.address, &config).await.expect("served")
    };
    let mut short = open(NOW, NOW + 60).await;
    let mut long = open(NOW - 60, NOW + DAY).await;
    let below = bench.clients.intermediate("below", NOW - DAY, NOW + 60);
    let config = bench.client().shows(&below.issue(&Leaf::client())).config();
    let mut under_short = served(echo.address, &config).await.expect("served");

    bench.clock.set(second(NOW + 60));
    for connection in [&mut short, &mut long, &mut under_short] {
        ask(connection).await.expect("the last second");
    }
    bench.clock.set(second(NOW + 61));
    assert!(ask(&mut short).await.is_err());
    assert!(ask(&mut under_short).await.is_err(), "its issuer ended");
    ask(&mut long).await.expect("served on");
    // A clock that was set back to before its begin does not make it valid.
    bench.clock.set(second(NOW - 61));
    assert!(ask(&mut long).await.is_err());
}

#[tokio::test]
async fn an_idle_connection_is_ended_when_its_certificate_ends() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let issued = bench.clients.issue(&Leaf::client().valid(NOW, NOW + 1));
    let config = bench.client().shows(&issued).config();
    let (_client, mut server) = pair(&tls, &config).await;
    let reader =
        tokio::spawn(async move { server.read(&mut [0]).await.expect_err("ended").kind() });
    sleep(Duration::from_millis(50)).await;
    bench.clock.set(second(NOW + 2));
    assert_eq!(
        soon(reader).await.expect("no panic"),
        ErrorKind::ConnectionAborted
    );
}

#[tokio::test]
async fn running_connections_are_held_to_what_is_demanded_now() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let echo = Echo::new(&tls).await;
    let known = bench.client().shows(&bench.good_client()).config();
    let unknown = bench.client().config();

    let mut not_asked = served(echo.address, &known).await.expect("served");
    tls.set_client_trust(bench.optional()).expect("good roots");
    ask(&mut not_asked).await.expect("nothing is demanded");

    let mut anonymous = served(echo.address, &unknown).await.expect("served");
    let mut certified = served(echo.address, &known).await.expect("served");
    tls.set_client_trust(bench.required()).expect("good roots");
    assert!(ask(&mut anonymous).await.is_err());
    assert!(
        ask(&mut not_asked).await.is_err(),
        "it showed no certificate then"
    );
    ask(&mut certified)
        .await
        .expect("it shows what is demanded");

    tls.set_client_trust(bench.optional()).expect("good roots");
    ask(&mut certified).await.expect("still accepted");

    let mut anonymous = served(echo.address, &unknown).await.expect("served");
    tls.set_client_trust(ClientTrust::none())
        .expect("nothing to read");
    assert!(
        ask(&mut certified).await.is_err(),
        "no root accepts it any more"
    );
    ask(&mut anonymous).await.expect("nothing is demanded");
}

#[tokio::test]
async fn an_idle_connection_without_a_certificate_is_ended_when_one_is_demanded() {
    let bench = Bench::new();
    let tls = bench.load(ClientTrust::none());
    let (_client, mut server) = pair(&tls, &bench.client().config()).await;
    let reader = tokio::spawn(async move { server.read(&mut [0]).await.is_err() });
    sleep(Duration::from_millis(50)).await;
    tls.set_client_trust(bench.required()).expect("good roots");
    assert!(soon(reader).await.expect("no panic"));
}

#[tokio::test]
async fn a_clock_that_fails_ends_those_who_depend_on_it() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(bench.optional())).await;
    let known = bench.client().shows(&bench.good_client()).config();
    let mut known = served(echo.address, &known).await.expect("served");
    let mut anonymous = served(echo.address, &bench.client().config())
        .await
        .expect("served");
    bench.clock.fail(true);
    assert!(ask(&mut known).await.is_err());
    ask(&mut anonymous).await.expect("no date to judge");
}

#[tokio::test]
async fn the_peer_answers_by_the_trust_of_now() {
    let bench = Bench::new();
    let tls = bench.load(bench.required());
    let config = bench.client().shows(&bench.good_client()).config();
    let (_client, server) = pair(&tls, &config).await;
    let peer = Arc::clone(server.peer().certificate().expect("a certificate"));
    let first = peer.trust_generation();

    bench.write(
        "roots.pem",
        &(bench.clients.pem.clone() + &Authority::new("added").pem),
    );
    tls.reload().expect("good roots");
    assert!(peer.is_trusted(bench.now()));
    let next = tls.status().trust_generation;
    assert!(first != next && peer.trust_generation() == next);

    remove_root(&bench, &tls);
    assert!(!peer.is_trusted(bench.now()));
    assert_eq!(peer.trust_generation(), next, "the last that accepted it");
    drop((server, tls.clone()));
    assert!(!peer.is_trusted(bench.now()), "the connection is gone");

    bench.write("roots.pem", &bench.clients.pem);
    tls.reload().expect("good roots");
    assert!(peer.is_trusted(bench.now()));
    tls.set_client_trust(ClientTrust::none())
        .expect("nothing to read");
    assert!(!peer.is_trusted(bench.now()));
}

#[tokio::test]
async fn a_root_that_goes_during_a_handshake_is_not_accepted_at_its_end() {
    let bench = Bench::new();
    for versions in EACH_VERSION {
        bench.write("roots.pem", &bench.clients.pem);
        let tls = bench.load(bench.required());
        let acceptor = HandshakeAcceptor::new(&tls);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let config = bench
            .client()
            .versions(versions)
            .shows(&bench.good_client())
            .config();

        let tcp = std::net::TcpStream::connect(address).expect("a connection");
        tcp.set_nonblocking(true).expect("a socket");
        let arrived = tcp.try_clone().expect("a descriptor");
        let tcp = tokio::net::TcpStream::from_std(tcp).expect("a socket");
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = pin!(TlsConnector::from(config).connect(name, tcp));
        let (accepted, _) = listener.accept().await.expect("a connection");
        let server = tokio::spawn(acceptor.accept(accepted));
        // The client says hello, and does not look at the answer yet.
        let first = std::future::poll_fn(|cx| Poll::Ready(client.as_mut().poll(cx).is_pending()));
        assert!(first.await);
        until(|| arrived.peek(&mut [0]).is_ok_and(|bytes| bytes > 0)).await;

        remove_root(&bench, &tls);
        let (_client, accepted) = soon(async { tokio::join!(client, server) }).await;
        let error = accepted.expect("no panic").expect_err("refused");
        assert!(
            matches!(
                error,
                HandshakeError::Refused {
                    reason: "the client is no longer accepted"
                }
            ),
            "{error:?}"
        );
        assert_eq!(acceptor.counts().failed, 1);
    }
}
