//! A request kept while a store of limits is asked about it.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;

use ringwall_core::clock::Timestamp;
use ringwall_core::request::{RequestView, TlsPeer};

/// What the authenticators will want to see of a request, by its own: a view is borrowed, and cannot be kept while
/// something waits. Only requests that a store makes wait are copied.
pub(crate) struct HeldRequest {
    method: Box<str>,
    scheme: Option<Box<str>>,
    authority: Option<Box<str>>,
    raw_path: Box<str>,
    raw_query: Option<Box<str>>,
    socket_peer: Option<SocketAddr>,
    client_address: Option<IpAddr>,
    tls_peer: Option<HeldPeer>,
    headers: Vec<(Box<str>, Box<[u8]>)>,
}

impl HeldRequest {
    /// `at` is when the request came; the connection was looked at then.
    pub(crate) fn of(view: &RequestView<'_>, at: Option<Timestamp>) -> Self {
        let mut names = BTreeSet::new();
        view.headers.visit_names(&mut |name| {
            names.insert(name.to_ascii_lowercase().into_boxed_str());
        });
        let mut headers: Vec<(Box<str>, Box<[u8]>)> = Vec::new();
        for name in names {
            // Each line of a field is a value of its own, in the order received: duplicates stay visible.
            view.headers.visit(&name, &mut |value| {
                headers.push((name.clone(), value.into()))
            });
        }
        Self {
            method: view.method.into(),
            scheme: view.scheme.map(Into::into),
            authority: view.authority.map(Into::into),
            raw_path: view.raw_path.into(),
            raw_query: view.raw_query.map(Into::into),
            socket_peer: view.socket_peer,
            client_address: view.client_address,
            tls_peer: view.tls_peer.map(|peer| HeldPeer::of(peer, at)),
            headers,
        }
    }

    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            scheme: self.scheme.as_deref(),
            authority: self.authority.as_deref(),
            raw_path: &self.raw_path,
            raw_query: self.raw_query.as_deref(),
            socket_peer: self.socket_peer,
            client_address: self.client_address,
            tls_peer: self.tls_peer.as_ref().map(|peer| peer as &dyn TlsPeer),
            headers: &self.headers,
        }
    }
}

/// A TLS peer as it was when the request came.
#[derive(Debug)]
struct HeldPeer {
    chain: Vec<Vec<u8>>,
    trust_generation: u64,
    is_trusted: bool,
}

impl HeldPeer {
    fn of(peer: &dyn TlsPeer, at: Option<Timestamp>) -> Self {
        Self {
            chain: peer.chain().to_vec(),
            trust_generation: peer.trust_generation(),
            is_trusted: at.is_some_and(|at| peer.is_trusted(at)),
        }
    }
}

impl TlsPeer for HeldPeer {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn trust_generation(&self) -> u64 {
        self.trust_generation
    }

    /// As of the arrival: the store has a time limit far below any that certificates know.
    fn is_trusted(&self, _now: Timestamp) -> bool {
        self.is_trusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_core::request::HeaderValues;

    /// A peer that is trusted up to a time.
    #[derive(Debug)]
    struct Until(Timestamp);

    impl TlsPeer for Until {
        fn chain(&self) -> &[Vec<u8>] {
            &[]
        }

        fn trust_generation(&self) -> u64 {
            7
        }

        fn is_trusted(&self, now: Timestamp) -> bool {
            now < self.0
        }
    }

    #[test]
    fn a_copy_shows_what_the_request_showed() {
        let fields = [
            ("Authorization", "a"),
            ("X-One", "1"),
            ("authorization", "b"),
        ];
        let end = Timestamp::from_unix_micros(10);
        let peer = Until(end);
        let view = RequestView {
            method: "POST",
            scheme: Some("https"),
            authority: Some("api.example.com"),
            raw_path: "/a%2fb",
            raw_query: Some("q"),
            socket_peer: Some(([192, 0, 2, 1], 443).into()),
            client_address: Some([192, 0, 2, 7].into()),
            tls_peer: Some(&peer),
            headers: &fields,
        };
        for (at, is_trusted) in [(Some(9), true), (Some(10), false), (None, false)] {
            let held = HeldRequest::of(&view, at.map(Timestamp::from_unix_micros));
            let copy = held.view();
            assert_eq!(
                format!(
                    "{:?}",
                    RequestView {
                        tls_peer: None,
                        ..copy
                    }
                ),
                format!(
                    "{:?}",
                    RequestView {
                        tls_peer: None,
                        ..view
                    }
                )
            );
            assert_eq!(copy.raw_query, view.raw_query);
            // Twice is twice, in the copy too.
            assert_eq!(copy.header("authorization"), HeaderValues::Several(2));
            assert_eq!(copy.header("x-one"), HeaderValues::One(b"1"));
            assert_eq!(copy.header("x-two"), HeaderValues::Absent);
            // As of the arrival, whatever time it is asked about.
            let peer = copy.tls_peer.unwrap();
            assert_eq!(peer.is_trusted(Timestamp::from_unix_micros(0)), is_trusted);
            assert_eq!(peer.trust_generation(), 7);
        }
    }
}
