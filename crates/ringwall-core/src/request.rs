//! A borrowed view of a request that works under any web framework.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::clock::Timestamp;

/// Access to header fields in a way that cannot hide a duplicate.
pub trait HeaderLookup {
    /// Calls `visit` with each value of the field `name` (lower case), in the order received.
    /// Several lines of the same name are several calls; nothing is joined or split.
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8]));

    /// Calls `visit` with the name of each field line, in any case of letters: for what must be
    /// found under every spelling that somebody on the way may take for the same name
    /// (`x_client_id` for `x-client-id`).
    fn visit_names(&self, visit: &mut dyn FnMut(&str));
}

/// The values of one header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderValues<'a> {
    /// The field is absent.
    Absent,
    /// The field stands there exactly once.
    One(&'a [u8]),
    /// The field stands there this many times. Which of them counts is not for us to guess:
    /// a proxy in front may have taken another one.
    Several(usize),
}

/// The other end of a TLS connection, which proved to hold the key of a client certificate.
///
/// A connection lives longer than trust does: a certificate expires, and the operator removes a
/// root. So whoever relies on the certificate asks again with each request.
pub trait TlsPeer: Send + Sync + fmt::Debug {
    /// The verified chain as DER certificates, the peer's own first. Never empty.
    fn chain(&self) -> &[Vec<u8>];

    /// The generation of trust anchors that accepted the chain. When the anchors change, the
    /// generation does.
    fn trust_generation(&self) -> u64;

    /// Whether the chain would be accepted at `now` too, by the trust anchors of now. It answers at
    /// once, and costs next to nothing as long as the anchors stay the same.
    fn is_trusted(&self, now: Timestamp) -> bool;
}

/// What the security checks see of a request: borrowed, unparsed, and free of any framework's
/// types.
///
/// Paths and queries are raw, as received: whoever normalises first and decides second can be
/// made to decide about another resource than the one that is served.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    /// The method, case kept.
    pub method: &'a str,
    /// The scheme the client used, when it is known from the socket or from a trusted proxy.
    pub scheme: Option<&'a str>,
    /// `:authority` or `Host`.
    pub authority: Option<&'a str>,
    /// The path as received, percent-encoding kept.
    pub raw_path: &'a str,
    /// The query as received, without the `?`; `None` when there was no `?`.
    pub raw_query: Option<&'a str>,
    /// The other end of the socket. `None` denies wherever an address is needed.
    pub socket_peer: Option<SocketAddr>,
    /// The caller's address: the socket peer's, or the one that trusted proxies vouch for. Adapters
    /// say the socket peer's, and the gate puts the other in its place.
    pub client_address: Option<IpAddr>,
    /// The verified TLS peer, when the connection has one.
    pub tls_peer: Option<&'a dyn TlsPeer>,
    /// The header fields.
    pub headers: &'a dyn HeaderLookup,
}

impl<'a> RequestView<'a> {
    /// The values of the header field `name` (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> HeaderValues<'a> {
        let mut values = HeaderValues::Absent;
        self.headers.visit(name, &mut |value| {
            values = match values {
                HeaderValues::Absent => HeaderValues::One(value),
                HeaderValues::One(_) => HeaderValues::Several(2),
                HeaderValues::Several(count) => HeaderValues::Several(count.saturating_add(1)),
            };
        });
        values
    }
}

impl fmt::Debug for RequestView<'_> {
    /// Shows no header and no query: both carry credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestView")
            .field("method", &self.method)
            .field("scheme", &self.scheme)
            .field("authority", &self.authority)
            .field("raw_path", &self.raw_path)
            .field("socket_peer", &self.socket_peer)
            .field("client_address", &self.client_address)
            .field("tls_peer", &self.tls_peer)
            .finish_non_exhaustive()
    }
}

/// Plain pairs, for tests and for protocols without a header map of their own. Names are
/// compared without case.
impl<N: AsRef<str>, V: AsRef<[u8]>> HeaderLookup for [(N, V)] {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        for (_, value) in self
            .iter()
            .filter(|(other, _)| other.as_ref().eq_ignore_ascii_case(name))
        {
            visit(value.as_ref());
        }
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        for (name, _) in self {
            visit(name.as_ref());
        }
    }
}

impl<H: HeaderLookup + ?Sized> HeaderLookup for &H {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        (**self).visit(name, visit);
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        (**self).visit_names(visit);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> HeaderLookup for Vec<(N, V)> {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.as_slice().visit(name, visit);
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        self.as_slice().visit_names(visit);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LEN: usize> HeaderLookup for [(N, V); LEN] {
    fn visit<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.as_slice().visit(name, visit);
    }

    fn visit_names(&self, visit: &mut dyn FnMut(&str)) {
        self.as_slice().visit_names(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(headers: &dyn HeaderLookup) -> RequestView<'_> {
        RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/",
            raw_query: Some("access_token=hunter2"),
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers,
        }
    }

    #[test]
    fn a_duplicate_header_cannot_be_mistaken_for_one() {
        let headers = [
            ("Authorization", "a"),
            ("X-Other", "b"),
            ("authorization", "c"),
        ];
        let view = view(&headers);
        assert_eq!(view.header("authorization"), HeaderValues::Several(2));
        assert_eq!(view.header("x-other"), HeaderValues::One(b"b"));
        assert_eq!(view.header("cookie"), HeaderValues::Absent);
    }

    #[test]
    fn shows_neither_headers_nor_query() {
        let headers = [("authorization", "Bearer hunter2")];
        assert!(!format!("{:?}", view(&headers)).contains("hunter2"));
    }
}
