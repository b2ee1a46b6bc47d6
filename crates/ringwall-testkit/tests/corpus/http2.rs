//! A client of HTTP/2 that sends exactly the header fields that it is told, in their order.
//!
//! No client library sends a second `:path`, a name in upper case or a `connection` field. So the
//! frames of one, which does all the rest, pass through a middle that puts the case's own header block
//! in the place of the library's.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::{Answer, End};

/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);

const PREFACE: usize = 24;

/// The longest frame that a server has to take (RFC 9113 §4.2).
const FRAME: usize = 16_384;

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Names and values, as they are sent.
pub(crate) type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Pseudo-header fields first.
    pub(crate) fields: Fields,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) trailers: Fields,
}

/// Sends one request on a connection of its own, and reads its answer.
pub(crate) async fn exchange(address: SocketAddr, sent: Sent) -> Answer {
    let socket = TcpStream::connect(address).await.expect("a connection");
    socket.set_nodelay(true).expect("an option");
    let (near, far) = tokio::io::duplex(1 << 16);
    let is_head = sent.fields.iter().any(|(_, value)| value == b"HEAD");
    let blocks = [&sent.fields, &sent.trailers].map(block);
    let middle = tokio::spawn(replace(far, socket, blocks));
    let answer = timeout(PATIENCE, ask(near, &sent, is_head)).await;
    middle.abort();
    answer.unwrap_or(Answer {
        end: End::Silence,
        ..Answer::default()
    })
}

async fn ask(
    near: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    sent: &Sent,
    is_head: bool,
) -> Answer {
    let mut answer = Answer::default();
    let Ok((client, connection)) = h2::client::handshake(near).await else {
        return answer;
    };
    let connection = tokio::spawn(connection);
    if read(client, sent, is_head, &mut answer).await.is_ok() {
        answer.end = End::Whole;
    } else if answer.status != 0 {
        answer.end = End::Cut;
    }
    connection.abort();
    answer
}

async fn read(
    client: SendRequest<Bytes>,
    sent: &Sent,
    is_head: bool,
    answer: &mut Answer,
) -> Result<(), h2::Error> {
    let mut client = client.ready().await?;
    // What the library believes to send. Of HEAD it has to know, since its answers have no body.
    let method = if is_head { Method::HEAD } else { Method::POST };
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = "http://placeholder/".parse().expect("a URI");
    let is_bare = sent.body.is_none() && sent.trailers.is_empty();
    let (response, mut stream) = client.send_request(request, is_bare)?;
    if !is_bare {
        let body = Bytes::from(sent.body.clone().unwrap_or_default());
        // A server that refuses may reset the stream before it has read everything.
        stream.send_data(body, sent.trailers.is_empty()).ok();
        if !sent.trailers.is_empty() {
            let mut placeholder = HeaderMap::new();
            placeholder.insert("x-placeholder", "x".parse().expect("a value"));
            stream.send_trailers(placeholder).ok();
        }
    }
    let (head, mut body) = response.await?.into_parts();
    answer.status = head.status.as_u16();
    answer.fields = pairs(&head.headers);
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        body.flow_control().release_capacity(chunk.len())?;
        answer.body.extend_from_slice(&chunk);
    }
    if let Some(trailers) = body.trailers().await? {
        answer.trailers = pairs(&trailers);
    }
    Ok(())
}

fn pairs(fields: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &[u8]| value.iter().copied().map(char::from).collect();
    fields
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
        .collect()
}

/// Hands frames on, and puts `blocks` in the place of the header blocks of the client.
async fn replace(
    far: impl AsyncRead + AsyncWrite,
    mut socket: TcpStream,
    blocks: [Vec<u8>; 2],
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(far);
    let (mut from_server, mut to_server) = socket.split();
    let onward = async {
        let mut blocks = blocks.into_iter();
        let mut preface = [0; PREFACE];
        from_client.read_exact(&mut preface).await?;
        to_server.write_all(&preface).await?;
        loop {
            let mut head = [0; 9];
            from_client.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let length = u32::from_be_bytes([0, a, b, c]);
            let mut payload = vec![0; usize::try_from(length).unwrap_or(FRAME)];
            from_client.read_exact(&mut payload).await?;
            if kind == HEADERS {
                let block = blocks.next().unwrap_or_default();
                to_server.write_all(&frames(&block, flags, stream)).await?;
            } else {
                to_server.write_all(&head).await?;
                to_server.write_all(&payload).await?;
            }
        }
    };
    let back = async {
        tokio::io::copy(&mut from_server, &mut to_client).await?;
        to_client.shutdown().await
    };
    let onward = async {
        let ended: std::io::Result<()> = onward.await;
        // The server may still answer when it no longer reads.
        ended.ok();
        Ok::<(), std::io::Error>(())
    };
    tokio::try_join!(onward, back).map(|_| ())
}

/// Each field as a literal without indexing and without Huffman coding (RFC 7541 §6.2.2).
fn block(fields: &Fields) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(text.len(), &mut block);
            block.extend_from_slice(text);
        }
    }
    block
}

/// RFC 7541 §5.1, with a prefix of 7 bits.
fn integer(value: usize, bytes: &mut Vec<u8>) {
    let byte = |value: usize| u8::try_from(value).unwrap_or(u8::MAX);
    let Some(mut rest) = value.checked_sub(127) else {
        bytes.push(byte(value));
        return;
    };
    bytes.push(127);
    while rest > 127 {
        bytes.push(byte(rest & 127) | 128);
        rest >>= 7;
    }
    bytes.push(byte(rest));
}

/// RFC 9113 §6.2, §6.10.
fn frames(block: &[u8], flags: u8, stream: [u8; 4]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut kind = HEADERS;
    let mut parts = block.chunks(FRAME).peekable();
    while let Some(part) = parts.next() {
        let ends = if parts.peek().is_none() {
            END_HEADERS
        } else {
            0
        };
        let flags = if kind == HEADERS {
            flags & END_STREAM
        } else {
            0
        };
        let length = u32::try_from(part.len()).unwrap_or(0).to_be_bytes();
        bytes.extend_from_slice(length.get(1..).unwrap_or_default());
        bytes.extend_from_slice(&[kind, flags | ends]);
        bytes.extend_from_slice(&stream);
        bytes.extend_from_slice(part);
        kind = CONTINUATION;
    }
    bytes
}
