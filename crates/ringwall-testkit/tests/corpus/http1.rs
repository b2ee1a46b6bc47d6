//! A client of HTTP/1.1 that sends exactly what it is told.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::answer::{Answer, End};

/// How long a connection may stay silent.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends `request`, and reads one answer.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8], is_head: bool) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // A server that refuses may close before it has read everything.
    stream.write_all(request).await.ok();
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(answer) = parse(&bytes, is_head)
            && answer.end == End::Whole
        {
            return answer;
        }
        match timeout(PATIENCE, stream.read(&mut chunk)).await {
            Ok(Ok(count @ 1..)) => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Ok(Ok(0) | Err(_)) => return closed(&bytes, is_head),
            Err(_) => {
                return Answer {
                    end: End::Silence,
                    ..Answer::default()
                };
            }
        }
    }
}

/// What came before the connection was closed. Without a length, the close is the end.
fn closed(bytes: &[u8], is_head: bool) -> Answer {
    let mut answer = parse(bytes, is_head).unwrap_or_default();
    let has_length = ["content-length", "transfer-encoding"]
        .iter()
        .any(|name| !answer.values(name).is_empty());
    if answer.end == End::Cut && !has_length {
        answer.end = End::Whole;
    }
    answer
}

/// The answer as far as it came; `None` before its header is there.
fn parse(bytes: &[u8], is_head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, rest) = bytes.split_at(end);
    let rest = rest.get(4..)?;
    let head: String = head.iter().copied().map(char::from).collect();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return parse(rest, is_head);
    }
    let fields = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer {
        end: End::Cut,
        status,
        fields,
        ..Answer::default()
    };
    if is_head || status == 204 || status == 304 {
        answer.end = End::Whole;
        answer.body = rest.to_vec();
    } else if answer.values("transfer-encoding") == ["chunked"] {
        dechunk(rest, &mut answer);
    } else {
        answer.body = rest.to_vec();
        let length = answer.values("content-length").first()?.parse().ok();
        if length.is_some_and(|length: usize| rest.len() >= length) {
            answer.end = End::Whole;
        }
    }
    Some(answer)
}

/// RFC 9112 §7.1.
fn dechunk(mut rest: &[u8], answer: &mut Answer) {
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let (size, after) = rest.split_at(line);
        let size = core::str::from_utf8(size).ok();
        let Some(size) = size.and_then(|size| usize::from_str_radix(size, 16).ok()) else {
            return;
        };
        let Some((data, after)) = after.get(2..).and_then(|data| data.split_at_checked(size))
        else {
            return;
        };
        let Some(after) = after.strip_prefix(b"\r\n") else {
            return;
        };
        if size == 0 {
            answer.end = End::Whole;
            return;
        }
        answer.body.extend_from_slice(data);
        rest = after;
    }
}
