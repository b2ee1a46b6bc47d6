//! tonic services, called in process.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Full;
use prost::Message;
use ringwall_tonic::MethodEntry;
use tonic::body::Body as TonicBody;
use tower::Service;
use tower::util::ServiceExt as _;

use crate::answer::Answer;
use crate::app::{App, Protocol, Reply, Transport};
use crate::body;
use crate::failure::{fail, must};
use crate::kit::Kit;
use crate::request::TestRequest;
use crate::sweep::{ListedRoute, RouteList, UNKNOWN};

/// What stands before each message (gRPC over HTTP/2, "Length-Prefixed-Message"): a flag for compression
/// and a length.
const PREFIX: usize = 5;

/// A name that no method has.
const NO_SUCH_METHOD: &str = "RingwallTestkitNoSuchMethod";

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A tonic service, called in process.
#[derive(Clone)]
pub struct Tonic(Arc<dyn Fn(Request<Bytes>) -> BoxFuture<Reply> + Send + Sync>);

impl Kit {
    /// tonic's routes, or one service, called in process. Build them with [`gate`](Self::gate), by the
    /// function that `main` calls too.
    pub fn tonic<S, B>(&self, service: S) -> App<Tonic>
    where
        S: Service<Request<TonicBody>, Response = Response<B>, Error: fmt::Display + Send>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: Body<Data: Send, Error: fmt::Display> + Send + 'static,
    {
        self.app(Tonic(Arc::new(move |request| {
            let service = service.clone();
            Box::pin(async move {
                let request = request.map(|bytes| TonicBody::new(Full::from(bytes)));
                match service.oneshot(request).await {
                    Ok(response) => body::read(response).await,
                    Err(error) => fail(&format!("the service failed: {error}")),
                }
            })
        })))
    }
}

impl App<Tonic> {
    /// Begins a call of the method at this path, such as `/cases.v1.Cases/Get`. It sends an empty message,
    /// which is a message with every field unset, until [`message`](TestRequest::message) says another.
    #[track_caller]
    pub fn call(&self, path: &str) -> TestRequest<'_, Tonic> {
        self.request(Method::POST, path)
    }
}

impl TestRequest<'_, Tonic> {
    /// Sends this message.
    pub fn message(self, message: &impl Message) -> Self {
        self.messages([message])
    }

    /// Sends these messages, one after the other, to a method whose client streams.
    pub fn messages<'m, M: Message + 'm>(self, messages: impl IntoIterator<Item = &'m M>) -> Self {
        let mut framed = BytesMut::new();
        for message in messages {
            frame(&message.encode_to_vec(), &mut framed);
        }
        self.body(framed)
    }
}

impl Answer {
    /// The one message of the answer. Fails the test when there is none, or there are several.
    #[track_caller]
    #[must_use]
    pub fn message<M: Message + Default>(&self) -> M {
        let mut messages = self.messages();
        match (messages.pop(), messages.is_empty()) {
            (Some(message), true) => message,
            (_, _) => fail(&format!("the answer is not one message\n\n{self:?}")),
        }
    }

    /// The messages of the answer, as far as they came. Fails the test when one is malformed or compressed.
    #[track_caller]
    #[must_use]
    pub fn messages<M: Message + Default>(&self) -> Vec<M> {
        let mut rest = self.bytes_so_far();
        let mut messages = Vec::new();
        while !rest.is_empty() {
            let Some((message, after)) = unframe(rest) else {
                fail(&format!(
                    "the answer is no sequence of plain messages\n\n{self:?}"
                ));
            };
            messages.push(must(M::decode(message), "a message of the answer"));
            rest = after;
        }
        messages
    }
}

fn frame(message: &[u8], framed: &mut BytesMut) {
    framed.put_u8(0);
    // A message beyond 4 GiB is no message of a test.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
}

/// The first message and the rest; `None` when it is compressed, or not whole.
fn unframe(framed: &[u8]) -> Option<(&[u8], &[u8])> {
    let (prefix, rest) = framed.split_at_checked(PREFIX)?;
    let (flag, length) = prefix.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let whole = rest.split_at_checked(usize::try_from(length).ok()?)?;
    (*flag == 0).then_some(whole)
}

impl Transport for Tonic {
    type Future = BoxFuture<Reply>;

    fn call(&self, request: Request<Bytes>) -> Self::Future {
        (self.0)(request)
    }

    fn protocol(&self) -> Protocol {
        Protocol::Grpc
    }
}

impl fmt::Debug for Tonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tonic")
    }
}

impl RouteList for ringwall_tonic::Methods {
    /// A method is named by its path, such as `/cases.v1.Cases/Get`.
    fn listed(&self) -> Vec<ListedRoute> {
        let list = |entry: &MethodEntry| {
            let route = ListedRoute::new(&entry.path, entry.access.clone());
            let route = route
                .with_login(entry.authentication.clone())
                .with_demand(entry.demand.clone());
            ListedRoute {
                method: Method::POST,
                sample: sample(&entry.path),
                ..route
            }
        };
        self.iter().map(list).collect()
    }
}

/// A path that belongs to what is listed under `path`.
fn sample(path: &str) -> String {
    match path.rsplit_once('/') {
        // What cannot be a method's name, so that not even a policy for all methods takes it.
        Some((service, "(unlisted method)")) => format!("{service}/{NO_SUCH_METHOD}/1"),
        Some((service, "*")) => format!("{service}/{NO_SUCH_METHOD}"),
        Some(_) => path.to_owned(),
        None => UNKNOWN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_back_one_by_one() {
        let mut framed = BytesMut::new();
        frame(b"one", &mut framed);
        frame(b"", &mut framed);
        let (one, rest) = unframe(&framed).unwrap();
        assert_eq!(
            (one, unframe(rest)),
            (&b"one"[..], Some((&b""[..], &b""[..])))
        );
    }

    #[test]
    fn what_is_compressed_or_cut_off_is_no_message() {
        assert_eq!(unframe(&[1, 0, 0, 0, 0]), None);
        assert_eq!(unframe(&[0, 0, 0, 0, 1]), None);
        assert_eq!(unframe(&[0, 0, 0, 0]), None);
    }
}
