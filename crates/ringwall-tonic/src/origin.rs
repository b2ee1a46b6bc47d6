//! Where tonic and axum keep what the gate wants to know.

use core::net::SocketAddr;

use axum::extract::{ConnectInfo, OriginalUri};
use http::Extensions;
use ringwall_tower::{Origin, Peer};
use tonic::transport::server::TcpConnectInfo;

/// The URI as received, where an axum router that nests cut its prefix off; and the other end of the
/// connection.
///
/// tonic leaves the same [`TcpConnectInfo`] on plain connections and on those of its own TLS, so that
/// nothing is known of the scheme by it, and the gate refuses it wherever TLS is demanded.
pub(crate) fn origin(extensions: &Extensions) -> Origin<'_> {
    let accepted = || extensions.get::<ConnectInfo<Peer>>().map(|info| &info.0);
    let origin = match extensions.get::<Peer>().or_else(accepted) {
        Some(peer) => Origin::of(peer),
        None => Origin {
            peer: address(extensions),
            ..Origin::default()
        },
    };
    Origin {
        uri: extensions.get::<OriginalUri>().map(|uri| &uri.0),
        ..origin
    }
}

fn address(extensions: &Extensions) -> Option<SocketAddr> {
    let by_axum = || {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0)
    };
    extensions
        .get::<TcpConnectInfo>()
        .and_then(TcpConnectInfo::remote_addr)
        .or_else(by_axum)
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
