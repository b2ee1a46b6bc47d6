//! What the gate sees of a request to actix-web.

use actix_web::HttpMessage as _;
use actix_web::dev::{ConnectionInfo, ServiceRequest};
use actix_web::http::header::{HOST, HeaderMap};
use ringwall_core::request::{HeaderLookup, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Admitted, Door, Entry};
use ringwall_transport::Peer;

/// Header fields as the gate looks them up.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

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

/// Sends the request to `door`.
pub(crate) fn enter(door: &Door, request: &ServiceRequest) -> Step<Entry> {
    view(request, |view| door.enter(view))
}

/// Lends the gate's view of the request to `look`.
///
/// The path and the query are those of the request line: what actix's router matches is another,
/// decoded text. The scheme is that of the connection: in HTTP it is the client's word (an absolute
/// request target, `:scheme`), and only the socket or a trusted proxy knows. The peer is what whoever
/// accepted the connection said ([`Peer`] among its data), or else the address that actix knows by
/// itself. Whoever calls the app without a connection says it with the request, among its extensions,
/// as with the other adapters.
pub(crate) fn view<T>(request: &ServiceRequest, look: impl FnOnce(&RequestView<'_>) -> T) -> T {
    let uri = request.uri();
    let headers = Headers(request.headers());
    let host = || request.headers().get(HOST)?.to_str().ok();
    let told = request.extensions().get::<Peer>().cloned();
    let peer = told.as_ref().or_else(|| request.conn_data());
    let address = peer.map(Peer::address).or_else(|| request.peer_addr());
    let certificate = peer.and_then(Peer::certificate);
    look(&RequestView {
        method: request.method().as_str(),
        scheme: peer.and_then(Peer::scheme),
        authority: uri
            .authority()
            .map(|authority| authority.as_str())
            .or_else(host),
        raw_path: uri.path(),
        raw_query: uri.query(),
        socket_peer: address,
        client_address: address.map(|address| address.ip()),
        tls_peer: certificate.map(|certificate| &**certificate),
        headers: &headers,
    })
}

/// Takes what only a trusted proxy may set out of the header fields of a request that came from
/// elsewhere; and what actix-web may have read from them already, for a middleware further outside.
pub(crate) fn strip(request: &mut ServiceRequest, admitted: &Admitted) {
    let mut names = request.headers().keys();
    if !names.any(|name| admitted.is_stripped(name.as_str())) {
        return;
    }
    let headers = request.headers_mut();
    headers.retain(|name, _| !admitted.is_stripped(name.as_str()));
    request.extensions_mut().remove::<ConnectionInfo>();
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use actix_web::test::TestRequest;

    use super::*;

    /// The door finds the client's address by itself; whoever asks the view otherwise gets the peer's.
    #[test]
    fn the_view_shows_the_address_of_the_peer() {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let request = TestRequest::default().peer_addr(peer).to_srv_request();
        view(&request, |view| {
            assert_eq!(view.socket_peer, Some(peer));
            assert_eq!(view.client_address, Some(peer.ip()));
        });
        let request = TestRequest::default().to_srv_request();
        view(&request, |view| assert_eq!(view.client_address, None));
    }

    #[test]
    fn what_a_request_brings_along_goes_before_what_actix_knows_by_itself() {
        let peer = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let request = TestRequest::default().peer_addr(peer(1)).to_srv_request();
        view(&request, |view| assert_eq!(view.scheme, None));
        request.extensions_mut().insert(Peer::plain(peer(2)));
        view(&request, |view| {
            assert_eq!(view.socket_peer, Some(peer(2)));
            assert_eq!(view.scheme, Some("http"));
        });
    }
}
