//! What a request that reached a service asks for, and how it has to be answered.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use ringwall_core::denial::Denial;
use ringwall_gate::problem;
use tonic::{Code, Status};

use crate::doors::Behind;
use crate::refusal::refusal;

/// What a client has to send (gRPC over HTTP/2, "Requests").
const GRPC: &str = "application/grpc";

/// The code of a call whose end says none, as clients take it (gRPC status codes, `UNKNOWN`).
pub(crate) const UNKNOWN: u32 = 2;

/// The protocol of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The client said that it speaks gRPC, and reads a status.
    Grpc,
    /// It said something else, or nothing: a browser, a probe, a scanner. It reads HTTP.
    Http,
}

/// What is remembered of a request while it is decided about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    protocol: Protocol,
    is_post: bool,
    is_head: bool,
    behind: Behind,
}

/// An answer that no service gave, and how it is recorded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Bytes>,
    pub(crate) grpc: Option<u32>,
}

impl Protocol {
    fn of(headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        match (values.next(), values.next()) {
            (Some(value), None) if is_grpc(value.as_bytes()) => Self::Grpc,
            (_, _) => Self::Http,
        }
    }
}

/// `application/grpc`, with a `+` and the encoding of messages or with parameters. gRPC-Web is another
/// protocol, which a layer translates first.
fn is_grpc(value: &[u8]) -> bool {
    let Some((name, rest)) = value.split_at_checked(GRPC.len()) else {
        return false;
    };
    name.eq_ignore_ascii_case(GRPC.as_bytes()) && matches!(rest, [] | [b'+' | b';' | b' ', ..])
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>, behind: Behind) -> Self {
        Self {
            protocol: Protocol::of(request.headers()),
            is_post: *request.method() == Method::POST,
            is_head: *request.method() == Method::HEAD,
            behind,
        }
    }

    /// The refusal of whoever did not come through the door.
    pub(crate) fn refuse(self, denial: &Denial) -> Response<Bytes> {
        match self.protocol {
            Protocol::Grpc => refusal(denial).into_http(),
            Protocol::Http => ringwall_tower::refusal(denial, self.is_head),
        }
    }

    /// What is answered to whoever came through the door and asks for something that no service must
    /// see. The generated code looks neither at the method nor at the content type.
    pub(crate) fn turn_away(self) -> Option<Answer> {
        let (behind, is_post) = (self.behind, self.is_post);
        match self.protocol {
            _ if behind == Behind::Nothing => Some(self.no_such_method()),
            _ if !is_post => Some(self.not_post()),
            Protocol::Http => Some(self.not_grpc()),
            Protocol::Grpc => None,
        }
    }

    fn no_such_method(self) -> Answer {
        match self.protocol {
            Protocol::Grpc => Answer::status(Status::unimplemented("no such method")),
            Protocol::Http => self.denied(&Denial::NotFound),
        }
    }

    fn not_post(self) -> Answer {
        let allow = "POST".into();
        self.denied(&Denial::MethodNotAllowed { allow })
    }

    /// gRPC over HTTP/2: a content type that does not begin with `application/grpc` is answered 415.
    fn not_grpc(self) -> Answer {
        let document = r#"{"type":"about:blank","title":"Unsupported Media Type","status":415}"#;
        let mut response = Response::new(Bytes::from_static(document.as_bytes()));
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("accept-post", HeaderValue::from_static(GRPC));
        Answer {
            response,
            grpc: None,
        }
    }

    fn denied(self, denial: &Denial) -> Answer {
        Answer {
            response: self.refuse(denial),
            grpc: match self.protocol {
                Protocol::Grpc => Some(denial.grpc_code()),
                Protocol::Http => None,
            },
        }
    }
}

impl Answer {
    fn status(status: Status) -> Self {
        Self {
            grpc: Some(number(status.code())),
            response: status.into_http(),
        }
    }
}

pub(crate) fn number(code: Code) -> u32 {
    u32::try_from(i32::from(code)).unwrap_or(UNKNOWN)
}

/// The code that header fields or trailers tell. What is not a number is unknown, as for clients.
pub(crate) fn code_in(fields: &HeaderMap) -> Option<u32> {
    let value = fields.get("grpc-status")?;
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    Some(number.unwrap_or(UNKNOWN))
}
