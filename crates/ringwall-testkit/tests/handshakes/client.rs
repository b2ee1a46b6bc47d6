//! A client that shows a certificate, asks once or again and again, and tells how it went.

use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::{Authority, NAME, Pair};
use crate::site::{Framework, Site};

/// How long anything may take: far more than it does.
const TIME: Duration = Duration::from_secs(30);

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The connection did not come about, or ended.
    Closed,
    Admitted,
    /// 401, or UNAUTHENTICATED.
    Unauthenticated,
    /// 403, or PERMISSION_DENIED.
    Forbidden,
    /// Any other answer.
    Other,
}

pub(crate) fn config(authority: &Authority, certificate: Option<&Pair>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(pair) => builder
            .with_client_auth_cert(pair.chain_der(), pair.key_der())
            .expect("a certificate"),
    };
    Arc::new(config)
}

/// A connection that stays.
pub(crate) enum Session {
    Http1(Box<TlsStream<TcpStream>>),
    Http2(h2::client::SendRequest<Bytes>),
}

impl Session {
    pub(crate) async fn open(site: &Site, config: &Arc<ClientConfig>) -> Option<Self> {
        let opening = async {
            let mut config = ClientConfig::clone(config);
            let is_grpc = site.framework == Framework::Tonic;
            let protocol: &[u8] = if is_grpc { b"h2" } else { b"http/1.1" };
            config.alpn_protocols = vec![protocol.to_vec()];
            let stream = TcpStream::connect(site.address).await.ok()?;
            let name = ServerName::try_from(NAME).expect("a name");
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, stream).await.ok()?;
            if !is_grpc {
                return Some(Self::Http1(Box::new(stream)));
            }
            let (sender, connection) = h2::client::handshake(stream).await.ok()?;
            tokio::spawn(connection);
            Some(Self::Http2(sender))
        };
        tokio::time::timeout(TIME, opening).await.expect("in time")
    }

    pub(crate) async fn ask(&mut self) -> Outcome {
        let asking = async {
            match self {
                Self::Http1(stream) => http1(stream).await,
                Self::Http2(sender) => grpc(sender).await,
            }
        };
        let outcome = tokio::time::timeout(TIME, asking).await.expect("in time");
        outcome.unwrap_or(Outcome::Closed)
    }
}

/// Asks once over a connection of its own.
pub(crate) async fn ask(site: &Site, config: &Arc<ClientConfig>) -> Outcome {
    match Session::open(site, config).await {
        Some(mut session) => session.ask().await,
        None => Outcome::Closed,
    }
}

async fn http1(stream: &mut TlsStream<TcpStream>) -> Option<Outcome> {
    let request = format!("GET /hello HTTP/1.1\r\nhost: {NAME}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut received = Vec::new();
    let head = loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
    let length: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?
        .parse()
        .ok()?;
    while received.len() < head + length {
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    }
    Some(match text.split(' ').nth(1)? {
        "200" => Outcome::Admitted,
        "401" => Outcome::Unauthenticated,
        "403" => Outcome::Forbidden,
        _ => Outcome::Other,
    })
}

async fn grpc(sender: &mut h2::client::SendRequest<Bytes>) -> Option<Outcome> {
    let request = http::Request::post(format!("https://{NAME}/grpc.health.v1.Health/Check"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    *sender = sender.clone().ready().await.ok()?;
    let (response, mut body) = sender.send_request(request, false).ok()?;
    // A message without a byte: not compressed, length zero.
    body.send_data(Bytes::from_static(&[0; 5]), true).ok()?;
    let response = response.await.ok()?;
    let (head, mut body) = response.into_parts();
    while let Some(data) = body.data().await {
        let data = data.ok()?;
        body.flow_control().release_capacity(data.len()).ok()?;
    }
    let trailers = body.trailers().await.ok()?.unwrap_or_default();
    let code = head
        .headers
        .get("grpc-status")
        .or(trailers.get("grpc-status"))?;
    Some(match code.to_str().ok()? {
        "0" => Outcome::Admitted,
        "16" => Outcome::Unauthenticated,
        "7" => Outcome::Forbidden,
        _ => Outcome::Other,
    })
}
