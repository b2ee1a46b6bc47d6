//! What the gate sees of an `http` request.

use std::net::SocketAddr;

use http::{Extensions, HeaderMap, Method, Request, Uri};
use ringwall_core::request::{HeaderLookup, RequestView};

/// The address of the other end of the socket, as a request extension.
///
/// Whoever accepts connections puts it there. Never fill it from a header field: it is what the
/// kernel said, and what trusted-proxy rules are checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketPeer(pub SocketAddr);

/// What a framework knows about a request beside the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The URI as received, where a router in front has cut something off the request's own.
    pub uri: Option<&'a Uri>,
    /// The other end of the socket.
    pub peer: Option<SocketAddr>,
}

/// Finds the [`Origin`] among a request's extensions.
pub type OriginOf = for<'a> fn(&'a Extensions) -> Origin<'a>;

impl Origin<'_> {
    /// The origin as plain tower services know it: the peer from [`SocketPeer`].
    #[must_use]
    pub fn plain(extensions: &Extensions) -> Origin<'_> {
        Origin {
            uri: None,
            peer: extensions.get::<SocketPeer>().map(|peer| peer.0),
        }
    }
}

/// Header fields as the gate looks them up.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(pub &'a HeaderMap);

impl HeaderLookup for Headers<'_> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        for value in self.0.get_all(name) {
            visit(value.as_bytes());
        }
    }
}

/// A borrowed request with its origin, from which the gate's view is taken.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: Headers<'a>,
    peer: Option<SocketAddr>,
}

impl<'a> Seen<'a> {
    /// Borrows `request`.
    #[must_use]
    pub fn new<B>(request: &'a Request<B>, origin: Origin<'a>) -> Self {
        Self {
            method: request.method(),
            uri: origin.uri.unwrap_or_else(|| request.uri()),
            headers: Headers(request.headers()),
            peer: origin.peer,
        }
    }

    /// The gate's view. The scheme stays unknown: in HTTP it is the client's word (an absolute
    /// request target, `:scheme`), and only the socket or a trusted proxy knows.
    #[must_use]
    pub fn view(&self) -> RequestView<'_> {
        let host = || self.headers.0.get(http::header::HOST)?.to_str().ok();
        let authority = self.uri.authority().map(http::uri::Authority::as_str);
        RequestView {
            method: self.method.as_str(),
            scheme: None,
            authority: authority.or_else(host),
            raw_path: self.uri.path(),
            raw_query: self.uri.query(),
            socket_peer: self.peer,
            tls_peer: None,
            headers: &self.headers,
        }
    }
}
