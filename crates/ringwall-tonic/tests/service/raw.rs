//! A client that sends over HTTP/2 exactly what it is told.

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Response};
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cases::{PREFIX, text};
use crate::support::{Site, soon};

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
    /// Whether the answer was its header fields alone.
    pub(crate) trailers_only: bool,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    parts: Vec<Vec<u8>>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().expect("a text"));
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    /// The code, wherever it stands.
    pub(crate) fn code(&self) -> Option<u32> {
        let fields = if self.trailers_only {
            &self.headers
        } else {
            &self.trailers
        };
        fields.get("grpc-status")?.to_str().ok()?.parse().ok()
    }

    /// The one message of the body.
    pub(crate) fn text(&self) -> String {
        crate::generated::Text::decode(&self.body[5..])
            .expect("a message")
            .text
    }
}

/// A message as gRPC frames it.
pub(crate) fn framed(said: &str) -> Vec<u8> {
    let message = text(said).encode_to_vec();
    let length = u32::try_from(message.len()).expect("short");
    let mut bytes = vec![0];
    bytes.extend(length.to_be_bytes());
    bytes.extend(message);
    bytes
}

impl Call {
    /// A call of `method` as it should be.
    pub(crate) fn of(method: &str) -> Self {
        Self::to(&format!("{PREFIX}{method}"))
    }

    pub(crate) fn to(path: &str) -> Self {
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers: Vec::new(),
            parts: vec![framed("it")],
            trailers: None,
        }
        .with("content-type", "application/grpc")
        .with("te", "trailers")
    }

    pub(crate) fn by(mut self, method: &str) -> Self {
        self.method = method.parse().expect("a method");
        self
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.with_bytes(name, value.as_bytes())
    }

    pub(crate) fn with_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn from(self, name: &str) -> Self {
        self.with("authorization", &format!("Bearer {name}"))
    }

    pub(crate) fn saying(self, said: &str) -> Self {
        self.sending(vec![framed(said)])
    }

    pub(crate) fn sending(mut self, parts: Vec<Vec<u8>>) -> Self {
        self.parts = parts;
        self
    }

    pub(crate) fn ending(mut self, name: &'static str, value: &'static str) -> Self {
        let trailers = self.trailers.get_or_insert_default();
        trailers.append(name, value.parse().expect("a value"));
        self
    }
}

/// A connection.
pub(crate) struct Raw(SendRequest<Bytes>);

impl Site {
    pub(crate) async fn raw(&self) -> Raw {
        let stream = TcpStream::connect(self.0).await.expect("a connection");
        Raw::over(stream).await.expect("a handshake")
    }

    pub(crate) async fn call(&self, call: Call) -> Answer {
        soon(self.raw().await.call(call)).await.expect("an answer")
    }

    /// One request over HTTP/1.1, and all that comes back until the connection ends.
    pub(crate) async fn http1(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(self.0).await.expect("a connection");
        stream.write_all(text.as_bytes()).await.ok();
        let mut bytes = Vec::new();
        soon(stream.read_to_end(&mut bytes)).await.ok();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Raw {
    pub(crate) async fn over<S>(stream: S) -> Option<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (client, connection) = h2::client::handshake(stream).await.ok()?;
        tokio::spawn(connection);
        Some(Self(client))
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer, h2::Error> {
        let mut client = self.0.clone().ready().await?;
        let mut request = Request::builder()
            .method(call.method)
            .uri(format!("http://test{}", call.path));
        for (name, value) in &call.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(()).expect("a request");
        let silent = call.parts.is_empty() && call.trailers.is_none();
        let (response, mut sending) = client.send_request(request, silent)?;
        // A server that refuses need not read it all.
        let mut parts = call.parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none() && call.trailers.is_none();
            if sending.send_data(part.into(), last).is_err() {
                break;
            }
        }
        if let Some(trailers) = call.trailers {
            sending.send_trailers(trailers).ok();
        }
        read(response.await?).await
    }
}

async fn read(response: Response<h2::RecvStream>) -> Result<Answer, h2::Error> {
    let (parts, mut body) = response.into_parts();
    let mut answer = Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        trailers_only: body.is_end_stream(),
        ..Answer::default()
    };
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len()).ok();
        answer.body.extend(data);
    }
    answer.trailers = body.trailers().await?.unwrap_or_default();
    Ok(answer)
}
