//! Clients that say what they are told, over TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use h2::client::SendRequest;
use http::{HeaderMap, Request};
use ringwall_transport::ClientTls;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::authority::{Authority, Issued};

/// How long anything may take: long enough for the slowest of machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const ADA: (&str, &str) = ("authorization", "Bearer ada");

pub(crate) struct Client(TlsConnector);

impl Client {
    /// One that offers these protocols, and shows a certificate if it has one.
    pub(crate) fn new(authority: &Authority, shown: Option<&Issued>, protocols: &[&str]) -> Self {
        let builder = ClientTls::builder([authority.root()]).protocols(protocols.iter().copied());
        let builder = match shown {
            Some(issued) => builder.certificate(issued.chain(), issued.key()),
            None => builder,
        };
        let config = builder.load().expect("a configuration").config();
        Self(TlsConnector::from(Arc::clone(&config)))
    }

    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        timeout(PATIENCE, self.0.connect(name, tcp)).await?
    }
}

/// The status and the body.
pub(crate) type Answer = (u16, String);

/// One request on a connection of HTTP/1.1, which stays open.
pub(crate) async fn http1(
    stream: &mut TlsStream<TcpStream>,
    text: &str,
) -> std::io::Result<Answer> {
    let exchange = async {
        stream.write_all(text.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok((status.unwrap_or(0), body))
    };
    timeout(PATIENCE, exchange).await?
}

pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text + "\r\n"
}

/// A connection of HTTP/2.
pub(crate) async fn http2(stream: TlsStream<TcpStream>) -> SendRequest<bytes::Bytes> {
    let (requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    requests
}

/// One request; `None` for the body when it breaks off.
pub(crate) async fn ask(
    requests: &SendRequest<bytes::Bytes>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Option<Vec<u8>>,
) -> (u16, HeaderMap, Option<String>) {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a request");
    let exchange = async {
        let mut ready = requests.clone().ready().await.expect("a connection");
        let (answer, mut sending) = ready
            .send_request(request, body.is_none())
            .expect("a request");
        if let Some(body) = body {
            // A server that refuses may take no more.
            sending.send_data(body.into(), true).ok();
        }
        let (parts, mut body) = answer.await.expect("an answer").into_parts();
        let mut text = String::new();
        loop {
            match body.data().await {
                Some(Ok(chunk)) => text.push_str(&String::from_utf8_lossy(&chunk)),
                Some(Err(_)) => return (parts.status.as_u16(), parts.headers, None),
                None => return (parts.status.as_u16(), parts.headers, Some(text)),
            }
        }
    };
    timeout(PATIENCE, exchange)
        .await
        .expect("an answer in time")
}
