//! Where axum keeps what the gate wants to know.

use core::net::SocketAddr;

use axum::extract::{ConnectInfo, OriginalUri};
use axum::http::Extensions;
use ringwall_tower::{Origin, Peer};

/// The URI as received, since a router that nests cuts its prefix off; and the other end of the
/// connection, from [`Peer`] as an extension or as axum's own [`ConnectInfo`], or from the bare address
/// that axum knows by itself. For tower layers that ask where a request came from.
#[must_use]
pub fn origin(extensions: &Extensions) -> Origin<'_> {
    let origin = match extensions.get::<Peer>().or_else(|| accepted(extensions)) {
        Some(peer) => Origin::of(peer),
        None => Origin {
            peer: extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0),
            ..Origin::default()
        },
    };
    Origin {
        uri: extensions.get::<OriginalUri>().map(|uri| &uri.0),
        ..origin
    }
}

#[cfg(feature = "tls")]
fn accepted(extensions: &Extensions) -> Option<&Peer> {
    use crate::listener::Connection;

    let connection = extensions.get::<ConnectInfo<Connection>>();
    connection
        .map(|info| &info.0.0)
        .or_else(|| connected(extensions))
}

#[cfg(not(feature = "tls"))]
fn accepted(extensions: &Extensions) -> Option<&Peer> {
    connected(extensions)
}

/// Of a service that makes its connections known as they are.
fn connected(extensions: &Extensions) -> Option<&Peer> {
    extensions.get::<ConnectInfo<Peer>>().map(|info| &info.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The port, by which the test tells one from another, and the scheme.
    fn found(extensions: &Extensions) -> (Option<u16>, Option<&str>) {
        let origin = origin(extensions);
        (origin.peer.map(|peer| peer.port()), origin.scheme)
    }

    #[test]
    fn the_connection_is_found_wherever_it_was_left_and_the_word_of_a_layer_goes_first() {
        let address = |port| SocketAddr::from(([192, 0, 2, 1], port));
        let mut extensions = Extensions::new();
        assert_eq!(found(&extensions), (None, None));
        extensions.insert(ConnectInfo(address(1)));
        assert_eq!(found(&extensions), (Some(1), None));
        extensions.insert(ConnectInfo(Peer::plain(address(2))));
        assert_eq!(found(&extensions), (Some(2), Some("http")));
        extensions.insert(Peer::plain(address(3)));
        assert_eq!(found(&extensions), (Some(3), Some("http")));
    }
}
