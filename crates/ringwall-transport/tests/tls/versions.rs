//! TLS 1.2 and 1.3, and nothing else.

use core::time::Duration;

use ringwall_core::event::EventKind;
use ringwall_transport::{ClientTrust, HandshakeAcceptor};
use rustls::ProtocolVersion;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bench::{Bench, EACH_VERSION, Echo, is_served, served, soon};

/// What a server answers to these bytes, until it closes.
async fn answer(echo: &Echo, bytes: &[u8]) -> Vec<u8> {
    soon(async {
        let mut tcp = TcpStream::connect(echo.address)
            .await
            .expect("a connection");
        tcp.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        // A server that closes with bytes of ours unread resets: what it said counts.
        tcp.read_to_end(&mut answer).await.ok();
        answer
    })
    .await
}

/// A ClientHello (RFC 5246 §7.4.1.2) of `version` with a suite of each time, the groups and signatures
/// of today, and these `supported_versions` (RFC 8446 §4.2.1), if any.
fn client_hello(version: [u8; 2], supported: Option<&[u8; 2]>) -> Vec<u8> {
    let mut body = Vec::from(version);
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 6, 0xc0, 0x13, 0xc0, 0x2b, 0xc0, 0x2f]);
    body.extend([1, 0]);
    let mut extensions = vec![
        0, 10, 0, 4, 0, 2, 0, 23, // supported_groups: secp256r1
        0, 11, 0, 2, 1, 0, // ec_point_formats: uncompressed
        0, 13, 0, 4, 0, 2, 4, 3, // signature_algorithms: ecdsa_secp256r1_sha256
    ];
    if let Some(version) = supported {
        extensions.extend([0, 43, 0, 3, 2]);
        extensions.extend(version);
    }
    body.extend([0, u8::try_from(extensions.len()).expect("short")]);
    body.extend(extensions);
    let mut handshake = vec![1, 0, 0, u8::try_from(body.len()).expect("short")];
    handshake.extend(body);
    let mut record = vec![22, 3, 1, 0, u8::try_from(handshake.len()).expect("short")];
    record.extend(handshake);
    record
}

#[tokio::test]
async fn refuses_tls_1_1_1_0_and_ssl_3() {
    let bench = Bench::new();
    // Short, so that the one handshake that goes on ends.
    let acceptor = HandshakeAcceptor::builder(&bench.load(ClientTrust::none()))
        .time_limit(Duration::from_millis(500))
        .build();
    let echo = Echo::of(acceptor).await;
    let protocol_version = [21, 3, 3, 0, 2, 2, 70];
    for old in [[3, 2], [3, 1], [3, 0]] {
        for hello in [client_hello(old, None), client_hello([3, 3], Some(&old))] {
            assert_eq!(answer(&echo, &hello).await, protocol_version, "{old:?}");
        }
    }
    assert_eq!(
        bench.causes(EventKind::HandshakeFailed),
        ["the client has no TLS version, cipher or group in common"; 6]
    );
    // The same with TLS 1.2 is answered by a ServerHello, so it is the version that was refused.
    let answer = answer(&echo, &client_hello([3, 3], None)).await;
    assert!(matches!(answer[..], [22, 3, 3, _, _, 2, ..]), "{answer:?}");
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let spoken = async |versions| {
        let client = bench.client().versions(versions).config();
        let connection = served(echo.address, &client).await.expect("served");
        connection.get_ref().1.protocol_version()
    };
    assert_eq!(
        spoken(EACH_VERSION[0]).await,
        Some(ProtocolVersion::TLSv1_3)
    );
    assert_eq!(
        spoken(EACH_VERSION[1]).await,
        Some(ProtocolVersion::TLSv1_2)
    );
}

#[tokio::test]
async fn refuses_what_is_not_tls() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let plain = answer(&echo, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.starts_with(b"HTTP"), "{plain:?}");
    answer(&echo, &[0; 64]).await;
    let causes = bench.causes(EventKind::HandshakeFailed);
    assert_eq!(causes, ["the client does not speak TLS"; 2]);
}

#[tokio::test]
async fn agrees_on_a_protocol_and_refuses_others() {
    let bench = Bench::new();
    let echo = Echo::new(&bench.load(ClientTrust::none())).await;
    let agreed = async |offers: &[&str]| {
        let client = bench.client().protocols(offers).config();
        let connection = served(echo.address, &client).await.ok()?;
        let protocol = connection.get_ref().1.alpn_protocol();
        Some(protocol.map(|name| String::from_utf8_lossy(name).into_owned()))
    };
    assert_eq!(
        agreed(&["http/1.1", "h2"]).await,
        Some(Some("h2".to_owned()))
    );
    assert_eq!(
        agreed(&["http/1.1"]).await,
        Some(Some("http/1.1".to_owned()))
    );
    assert_eq!(agreed(&[]).await, Some(None));
    assert_eq!(agreed(&["ftp"]).await, None, "cross-protocol");

    let one = bench
        .builder()
        .protocols(["h2"])
        .load()
        .expect("good files");
    let echo = Echo::new(&one).await;
    let client = bench.client().protocols(&["http/1.1"]).config();
    assert!(!is_served(echo.address, &client).await);
}
