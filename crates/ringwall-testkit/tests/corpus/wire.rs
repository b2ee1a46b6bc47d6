//! A request as the bytes of each protocol.

use crate::case::{Framing, Protocol, Request};
use crate::credentials::Credentials;
use crate::http2::{Fields, Sent};
use crate::text::Words;

/// The size of the chunks of a body without a length, so that a limit is passed between two of them;
/// a large body has larger ones.
const CHUNK: usize = 7;

/// The most chunks.
const CHUNKS: usize = 4096;

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Http1(Vec<u8>),
    Http2(Sent),
}

/// `request` in `protocol`, by a client that was told the nonce `answered`.
pub(crate) fn wire(
    request: &Request,
    protocol: Protocol,
    credentials: &Credentials,
    answered: Option<&str>,
) -> Result<Wire, String> {
    let (method, target) = match protocol {
        Protocol::Http1 | Protocol::Http2 => (request.method(), request.target()),
        // Every call of gRPC is a POST to the path of its method.
        Protocol::Grpc => ("POST", request.grpc_path().unwrap_or_default()),
    };
    let words = Words {
        credentials,
        method,
        target,
        authority: request.authority().unwrap_or_default(),
        answered,
    };
    let fields = fields(&words, &request.headers)?;
    let trailers = self::fields(&words, &request.trailers)?;
    let body = request.body.as_deref().map(|text| words.bytes(text));
    let body = body.transpose()?;
    let length = |body: &Option<Vec<u8>>| match (body, request.framing) {
        (Some(body), Framing::Length) => {
            let length = body.len().to_string().into_bytes();
            vec![(b"content-length".to_vec(), length)]
        }
        (Some(_), Framing::Stream | Framing::None) | (None, _) => Vec::new(),
    };
    let pseudo = match &request.pseudo {
        Some(pseudo) => self::fields(&words, pseudo)?,
        None => {
            let mut pseudo = vec![
                (":method", "{method}"),
                (":scheme", "http"),
                (":path", "{target}"),
            ];
            if request.authority().is_some() {
                pseudo.push((":authority", "{authority}"));
            }
            let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            self::fields(&words, &pseudo.into_iter().map(pair).collect::<Vec<_>>())?
        }
    };
    // Names of HTTP/2 are in lower case. A case about those that are not says all of its fields.
    let lower = |fields: Fields| -> Fields {
        if request.pseudo.is_some() {
            return fields;
        }
        let lower = |(name, value): (Vec<u8>, Vec<u8>)| (name.to_ascii_lowercase(), value);
        fields.into_iter().map(lower).collect()
    };
    match protocol {
        Protocol::Http1 => match &request.raw {
            Some(raw) => words.bytes(raw).map(Wire::Http1),
            None => {
                let mut all = Vec::new();
                if request.authority().is_some() {
                    all.push((b"host".to_vec(), words.bytes("{authority}")?));
                }
                all.extend(fields);
                all.extend(length(&body));
                if body.is_some() && request.framing == Framing::Stream {
                    all.push((b"transfer-encoding".to_vec(), b"chunked".to_vec()));
                }
                let line = words.bytes("{method} {target} HTTP/1.1\r\n")?;
                let body = match request.framing {
                    Framing::Stream => chunked(&body.unwrap_or_default(), trailers),
                    Framing::Length | Framing::None => body.unwrap_or_default(),
                };
                Ok(Wire::Http1(
                    [line, lines(all), b"\r\n".to_vec(), body].concat(),
                ))
            }
        },
        Protocol::Http2 => Ok(Wire::Http2(Sent {
            fields: [pseudo, lower(fields), length(&body)].concat(),
            body,
            trailers,
        })),
        Protocol::Grpc => {
            let message = body.unwrap_or_default();
            let size = u32::try_from(message.len()).map_err(|error| error.to_string())?;
            let body = Some([&[0], &size.to_be_bytes()[..], &message].concat());
            let own = [("content-type", "application/grpc"), ("te", "trailers")];
            let own =
                own.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            // What a case says of the content type takes the place of gRPC's.
            let says = |name: &[u8]| {
                fields
                    .iter()
                    .any(|(other, _)| other.eq_ignore_ascii_case(name))
            };
            let own = own.into_iter().filter(|(name, _)| !says(name)).collect();
            Ok(Wire::Http2(Sent {
                fields: [pseudo, own, lower(fields.clone()), length(&body)].concat(),
                body,
                trailers,
            }))
        }
    }
}

fn fields(words: &Words<'_>, pairs: &[(String, String)]) -> Result<Fields, String> {
    pairs
        .iter()
        .map(|(name, value)| Ok((words.bytes(name)?, words.bytes(value)?)))
        .collect()
}

fn lines(fields: Fields) -> Vec<u8> {
    let line = |(name, value): (Vec<u8>, Vec<u8>)| [&name[..], b": ", &value, b"\r\n"].concat();
    fields.into_iter().flat_map(line).collect()
}

/// RFC 9112 §7.1.
fn chunked(body: &[u8], trailers: Fields) -> Vec<u8> {
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let size = CHUNK.max(body.len() / CHUNKS);
    let mut bytes: Vec<u8> = body.chunks(size).flat_map(chunk).collect();
    bytes.extend_from_slice(b"0\r\n");
    bytes.extend(lines(trailers));
    bytes.extend_from_slice(b"\r\n");
    bytes
}
