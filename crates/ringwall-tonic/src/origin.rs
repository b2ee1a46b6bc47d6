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
