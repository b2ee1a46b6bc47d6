//! What the gate sees of an `http` request.

use core::net::SocketAddr;

use http::{Extensions, HeaderMap, HeaderName, Method, Request, Uri};
use ringwall_core::request::{HeaderLookup, RequestView, TlsPeer};
use ringwall_gate::Admitted;
use ringwall_transport::Peer;

/// What a framework knows about a request beside the request itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin<'a> {
    /// The URI as received, where a router in front has cut something off the request's own.
    pub uri: Option<&'a Uri>,
    /// The other end of the socket.
    pub peer: Option<SocketAddr>,
    /// The scheme of the connection, where whoever accepted it knows: `https` or `http`.
    pub scheme: Option<&'a str>,
    /// The client certificate of the connection.
    pub tls_peer: Option<&'a dyn TlsPeer>,
}

/// Finds the [`Origin`] among a request's extensions.
pub type OriginOf = for<'a> fn(&'a Extensions) -> Origin<'a>;

impl Origin<'_> {
    /// The origin as plain tower services know it: the peer from an extension of type [`Peer`],
    /// which whoever accepts connections puts there.
    #[must_use]
    pub fn plain(extensions: &Extensions) -> Origin<'_> {
        extensions.get().map(Origin::of).unwrap_or_default()
    }

    /// The origin of a request that came from `peer`, and whose URI is the one received.
    #[must_use]
    pub fn of(peer: &Peer) -> Origin<'_> {
        Origin {
            uri: None,
            peer: Some(peer.address()),
            scheme: peer.scheme(),
            tls_peer: peer.certificate().map(|certificate| &**certificate),
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

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        for name in self.0.keys() {
            visit(name.as_str());
        }
    }
}

/// Takes what only a trusted proxy may set out of the header fields of a request that came from
/// elsewhere. For adapters, before a handler sees the request.
pub fn strip(headers: &mut HeaderMap, admitted: &Admitted) {
    if admitted.stripped().is_empty() {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| admitted.is_stripped(name.as_str()))
        .cloned()
        .collect();
    for name in listed {
        headers.remove(name);
    }
}

/// A borrowed request with its origin, from which the gate's view is taken.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: Headers<'a>,
    origin: Origin<'a>,
}

impl<'a> Seen<'a> {
    /// Borrows `request`.
    #[must_use]
    pub fn new<B>(request: &'a Request<B>, origin: Origin<'a>) -> Self {
        Self {
            method: request.method(),
            uri: origin.uri.unwrap_or_else(|| request.uri()),
            headers: Headers(request.headers()),
            origin,
        }
    }

    /// The gate's view. The scheme is that of the connection: in HTTP it is the client's word (an
    /// absolute request target, `:scheme`), and only the socket or a trusted proxy knows.
    #[must_use]
    pub fn view(&self) -> RequestView<'_> {
        let host = || self.headers.0.get(http::header::HOST)?.to_str().ok();
        let authority = self.uri.authority().map(http::uri::Authority::as_str);
        RequestView {
            method: self.method.as_str(),
            scheme: self.origin.scheme,
            authority: authority.or_else(host),
            raw_path: self.uri.path(),
            raw_query: self.uri.query(),
            socket_peer: self.origin.peer,
            client_address: self.origin.peer.map(|peer| peer.ip()),
            tls_peer: self.origin.tls_peer,
            headers: &self.headers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The door finds the client's address by itself; whoever asks the view otherwise gets the peer's.
    #[test]
    fn the_view_shows_the_address_of_the_peer() {
        let request = Request::new(());
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let told = Peer::plain(peer);
        let seen = Seen::new(&request, Origin::of(&told));
        let view = seen.view();
        assert_eq!(view.socket_peer, Some(peer));
        assert_eq!(view.client_address, Some(peer.ip()));
        let view = Seen::new(&request, Origin::default());
        assert_eq!(view.view().client_address, None);
    }
}
