//! Where axum keeps what the gate wants to know.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, OriginalUri};
use axum::http::Extensions;
use ringwall_tower::{Origin, SocketPeer};

/// The URI as received, since a router that nests cuts its prefix off; and the socket's peer, from
/// [`SocketPeer`] or from axum's own [`ConnectInfo`].
pub(crate) fn origin(extensions: &Extensions) -> Origin<'_> {
    let peer = extensions.get::<SocketPeer>().map(|peer| peer.0);
    let connected = || {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0)
    };
    Origin {
        uri: extensions.get::<OriginalUri>().map(|uri| &uri.0),
        peer: peer.or_else(connected),
    }
}
