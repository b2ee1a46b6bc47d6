//! A client that sends what it is told to.

use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tour::answer::Answer;

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const MAX_ANSWER: u64 = 1024 * 1024;

/// What to ask.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    /// Sent as it is, dot segments and all.
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header, beside others of the same name.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").body(body)
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// Asks one service, each time over a new connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
}

impl Client {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub(crate) const fn address(self) -> SocketAddr {
        self.address
    }

    /// Asks by means of an HTTP library.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        match tokio::time::timeout(TIME, self.try_ask(ask)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::failed(error.to_string()),
            Err(_) => Answer::failed("no answer in time"),
        }
    }

    async fn try_ask(&self, ask: &Ask) -> Result<Answer, Box<dyn core::error::Error>> {
        let stream = TcpStream::connect(self.address).await?;
        exchange(stream, &self.address.to_string(), ask).await
    }

    /// Sends these bytes and reads until the service closes the connection.
    pub(crate) async fn ask_raw(&self, request: &[u8]) -> Answer {
        let exchange = async {
            let mut stream = TcpStream::connect(self.address).await?;
            // A service that refuses early may close before everything was sent.
            stream.write_all(request).await.ok();
            let mut received = Vec::new();
            stream
                .take(MAX_ANSWER)
                .read_to_end(&mut received)
                .await
                .ok();
            Ok::<_, std::io::Error>(received)
        };
        match tokio::time::timeout(TIME, exchange).await {
            Ok(Ok(received)) => Answer::read(&received),
            Ok(Err(error)) => Answer::failed(error.to_string()),
            Err(_) => Answer::failed("no answer in time"),
        }
    }

    /// Sends these bytes and keeps the connection.
    pub(crate) async fn begin(&self, request: &[u8]) -> std::io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request).await?;
        Ok(stream)
    }
}

/// Asks over a connection of its own, and reads the answer to its end.
pub(crate) async fn exchange<C>(
    stream: C,
    host: &str,
    ask: &Ask,
) -> Result<Answer, Box<dyn core::error::Error>>
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Request::builder()
        .method(ask.method)
        .uri(&*ask.target)
        .header("host", host);
    for (name, value) in &ask.headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(ask.body.clone())))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    connection.abort();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                (name.as_str().to_owned(), value.into_owned())
            })
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
        failure: None,
    })
}
